"""What Mitto calls: a request is authenticated, stored by one insert and answered.

The messaging family posts JSON; the classic one calls an address with a query or a form whose names
are those of the template in Mitto's portal (Mitto, section 6).

It is a WSGI application of its own, which the web server's calls directly: receipts come by the
thousand a second, and Django's request and middleware would cost three times what storing one does.
Its pages are also Django's, for servers and tests that know nothing else.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import orjson
from django.conf import settings
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from messaging import inbound, receipts

log = logging.getLogger(__name__)

PREFIX = "/webhooks/mitto/"
LARGEST_BODY = 2_000_000  # bytes
SIGNATURES = ("HTTP_X_WEBHOOK_SIGNATURE", "HTTP_X_MITTO_SIGNATURE")
FORM = "application/x-www-form-urlencoded"
STORES: dict[str, Callable[[Iterable[Mapping[str, Any]]], None]] = {
    "delivery": receipts.store,
    "inbound": inbound.store,
}


class Refused(Exception):
    """A request is not taken: the status, and why in words."""


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Take delivery receipts or customers' messages; 202 once they are stored (WSGI)."""
    headers = [("Content-Type", "application/json")]
    status, answer = HTTPStatus.ACCEPTED, b""
    try:
        _take(environ)
    except Refused as refused:
        status, words = refused.args
        answer = orjson.dumps({"error": words})
    except DatabaseError as error:
        log.error("an event was not stored: %s", type(error).__name__)
        status, answer = HTTPStatus.SERVICE_UNAVAILABLE, b'{"error":"try again"}'
        headers.append(("Retry-After", "10"))
    headers.append(("Content-Length", str(len(answer))))
    start_response(f"{status.value} {status.phrase}", headers)
    return [answer]


@csrf_exempt
def view(request: HttpRequest, **of_the_address: str) -> HttpResponse:
    """The same as a page of Django's."""
    answer = HttpResponse()

    def start_response(status: str, headers: list[tuple[str, str]]) -> None:
        answer.status_code = int(status.split()[0])
        for name, value in headers:
            answer[name] = value

    answer.content = b"".join(application(request.META, start_response))
    return answer


def _take(environ: Mapping[str, Any]) -> None:
    name, _, token = environ.get("PATH_INFO", "").removeprefix(PREFIX).partition("/")
    if name not in STORES:
        raise Refused(HTTPStatus.NOT_FOUND, "there is no such webhook")
    if environ["REQUEST_METHOD"] not in ("GET", "POST"):
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "GET or POST it")
    body = _body(environ)
    if not authentic(environ, token, body):
        raise Refused(HTTPStatus.UNAUTHORIZED, "the secret is missing or wrong")
    STORES[name](_events(environ, body))


def _body(environ: Mapping[str, Any]) -> bytes:
    length = environ.get("CONTENT_LENGTH") or "0"
    if not length.isdigit() or int(length) > LARGEST_BODY:
        raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {LARGEST_BODY} bytes")
    return environ["wsgi.input"].read(int(length)) if int(length) else b""


def _events(environ: Mapping[str, Any], body: bytes) -> list[Mapping[str, Any]]:
    """The events of a request, in whichever of the shapes."""
    if environ["REQUEST_METHOD"] == "GET":
        return [dict(parse_qsl(environ.get("QUERY_STRING", "")))]
    if environ.get("CONTENT_TYPE", "").startswith(FORM):
        return [dict(parse_qsl(body.decode("utf-8", "replace")))]
    try:
        events = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Refused(HTTPStatus.BAD_REQUEST, "the body is not JSON") from None
    if isinstance(events, dict):
        events = [events]
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise Refused(HTTPStatus.BAD_REQUEST, "expected an object or a list of objects")
    return events


def authentic(environ: Mapping[str, Any], token: str, body: bytes) -> bool:
    """Whether the request carries one of WEBHOOK_SECRET; without any nothing is authentic.

    As a header, as the last part of the address, or as an HMAC-SHA256 of the raw body. Of a GET
    only the first two count: the HMAC of its empty body would be the same for every query.
    """
    tokens = [token, environ.get("HTTP_X_WEBHOOK_TOKEN", "")]
    signatures = [environ.get(name, "") for name in SIGNATURES]
    if environ["REQUEST_METHOD"] == "GET":
        signatures = []
    found = False
    for secret in map(str.encode, settings.WEBHOOK_SECRETS):
        for offered in filter(None, tokens):
            found |= hmac.compare_digest(offered.encode(), secret)
        for offered in filter(None, signatures):
            expected = hmac.new(secret, body, hashlib.sha256).hexdigest()
            found |= hmac.compare_digest(offered.encode(), expected.encode())
    return found
