"""What Mitto calls: delivery receipts. A request authenticates, is stored and answered."""

from __future__ import annotations

import hashlib
import hmac
import json

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from messaging import receipts

LARGEST_BODY = 2_000_000


@csrf_exempt
@require_POST
def delivery(request: HttpRequest) -> HttpResponse:
    """Take one delivery event or a list of them; 202 once they are stored."""
    if int(request.headers.get("Content-Length") or 0) > LARGEST_BODY:
        return JsonResponse({"error": f"more than {LARGEST_BODY} bytes"}, status=413)
    if not authentic(request):
        return JsonResponse({"error": "the secret is missing or wrong"}, status=401)
    try:
        events = json.loads(request.body)
    except ValueError:
        return JsonResponse({"error": "the body is not JSON"}, status=400)
    if isinstance(events, dict):
        events = [events]
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        return JsonResponse({"error": "expected an object or a list of objects"}, status=400)
    receipts.store(events)
    return HttpResponse(status=202)


def authentic(request: HttpRequest) -> bool:
    """Whether the request carries one of WEBHOOK_SECRET, as a token or as an HMAC of its body."""
    token = request.headers.get("X-Webhook-Token", "")
    signature = request.headers.get("X-Webhook-Signature", "")
    for secret in settings.WEBHOOK_SECRETS:
        expected = hmac.new(secret.encode(), request.body, hashlib.sha256).hexdigest()
        if hmac.compare_digest(token.encode(), secret.encode()) or hmac.compare_digest(
            signature.encode(), expected.encode()
        ):
            return True
    return False
