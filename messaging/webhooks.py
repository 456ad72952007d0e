"""What Mitto calls: a request is authenticated, stored by one insert and answered.

The messaging family posts JSON; the classic one calls an address with a query or a form whose names
are those of the template in Mitto's portal (Mitto, section 6).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from messaging import inbound, receipts

LARGEST_BODY = 2_000_000  # bytes
SIGNATURES = ("X-Webhook-Signature", "X-Mitto-Signature")


@csrf_exempt
@require_http_methods(["GET", "POST"])
def delivery(request: HttpRequest, token: str = "") -> HttpResponse:
    """Take delivery receipts; 202 once they are stored."""
    return _take(request, token, receipts.store)


@csrf_exempt
@require_http_methods(["GET", "POST"])
def from_customers(request: HttpRequest, token: str = "") -> HttpResponse:
    """Take messages that customers sent; 202 once they are stored."""
    return _take(request, token, inbound.store)


def _take(
    request: HttpRequest, token: str, store: Callable[[Iterable[Mapping[str, Any]]], int]
) -> HttpResponse:
    length = request.headers.get("Content-Length") or "0"
    if not length.isdigit() or int(length) > LARGEST_BODY:
        return JsonResponse({"error": f"more than {LARGEST_BODY} bytes"}, status=413)
    if not authentic(request, token):
        return JsonResponse({"error": "the secret is missing or wrong"}, status=401)
    try:
        events = _events(request)
    except ValueError as error:
        return JsonResponse({"error": str(error)}, status=400)
    store(events)
    return HttpResponse(status=202)


def _events(request: HttpRequest) -> list[Mapping[str, Any]]:
    """The events of a request, in whichever of the shapes.

    Raises:
        ValueError: if it is none of them.
    """
    if request.method == "GET":
        return [request.GET.dict()]
    if request.content_type in ("application/x-www-form-urlencoded", "multipart/form-data"):
        return [request.POST.dict()]
    try:
        events = orjson.loads(request.body)
    except ValueError:
        raise ValueError("the body is not JSON") from None
    if isinstance(events, dict):
        events = [events]
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise ValueError("expected an object or a list of objects")
    return events


def authentic(request: HttpRequest, token: str = "") -> bool:
    """Whether the request carries one of WEBHOOK_SECRET; without any nothing is authentic.

    As a header, as the last part of the address, or as an HMAC-SHA256 of the raw body. Of a GET
    only the first two count: the HMAC of its empty body would be the same for every query.
    """
    tokens = [token, request.headers.get("X-Webhook-Token", "")]
    signatures = [request.headers.get(name, "") for name in SIGNATURES]
    if request.method == "GET":
        signatures = []
    found = False
    for secret in map(str.encode, settings.WEBHOOK_SECRETS):
        for offered in filter(None, tokens):
            found |= hmac.compare_digest(offered.encode(), secret)
        for offered in filter(None, signatures):
            expected = hmac.new(secret, request.body, hashlib.sha256).hexdigest()
            found |= hmac.compare_digest(offered.encode(), expected.encode())
    return found
