"""Mitto's webhooks: authenticate a request, store its events with one insert, answer 202.

JSON is posted; other requests have a query or a form, with the field names of the template in
Mitto's portal. Rules: docs/rules.md#mitto-webhook-authentication. Reading and storing events is in
`receipts.py`, `replies.py` and `inbox.py`.

This is a plain WSGI application that the web server calls directly. Mitto sends thousands of
receipts a second, and Django's request and middleware cost three times what storing one does. The
same pages exist as a Django view, for servers and tests that call only Django.
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

from messaging import receipts, replies

log = logging.getLogger(__name__)

PREFIX = "/webhooks/mitto/"
MAX_BODY_BYTES = 2_000_000
SIGNATURE_HEADERS = ("HTTP_X_WEBHOOK_SIGNATURE", "HTTP_X_MITTO_SIGNATURE")
FORM = "application/x-www-form-urlencoded"
# By name, the last part of the path.
HANDLERS: dict[str, Callable[[Iterable[Mapping[str, Any]]], None]] = {
    "delivery": receipts.store_receipts,
    "inbound": replies.store_replies,
}


class RequestRefused(Exception):
    """A request is answered with this status and error text; nothing is stored."""

    def __init__(self, status: HTTPStatus, error: str) -> None:
        self.status, self.error = status, error
        super().__init__(error)


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """WSGI application that stores receipts or replies; answers 202 once they are stored."""
    headers = [("Content-Type", "application/json")]
    status, body = HTTPStatus.ACCEPTED, b""
    try:
        _store_events(environ)
    except RequestRefused as refused:
        status, body = refused.status, orjson.dumps({"error": refused.error})
    except DatabaseError as error:
        log.error("an event was not stored: %s", type(error).__name__)
        status, body = HTTPStatus.SERVICE_UNAVAILABLE, b'{"error":"try again"}'
        headers.append(("Retry-After", "10"))
    headers.append(("Content-Length", str(len(body))))
    start_response(f"{status.value} {status.phrase}", headers)
    return [body]


@csrf_exempt
def django_view(request: HttpRequest, **url_kwargs: str) -> HttpResponse:
    """The same application as a Django view; it reads the path itself."""
    response = HttpResponse()

    def start_response(status: str, headers: list[tuple[str, str]]) -> None:
        response.status_code = int(status.split()[0])
        for name, value in headers:
            response[name] = value

    response.content = b"".join(application(request.META, start_response))
    return response


def _store_events(environ: Mapping[str, Any]) -> None:
    """Check a request and store its events.

    Raises:
        RequestRefused: if the request is not valid or not authentic.
    """
    name, _, token = environ.get("PATH_INFO", "").removeprefix(PREFIX).partition("/")
    if name not in HANDLERS:
        raise RequestRefused(HTTPStatus.NOT_FOUND, "there is no such webhook")
    if environ["REQUEST_METHOD"] not in ("GET", "POST"):
        raise RequestRefused(HTTPStatus.METHOD_NOT_ALLOWED, "use GET or POST")
    body = _read_body(environ)
    if not is_authentic(environ, token, body):
        raise RequestRefused(HTTPStatus.UNAUTHORIZED, "the secret is missing or wrong")
    HANDLERS[name](_read_events(environ, body))


def _read_body(environ: Mapping[str, Any]) -> bytes:
    length = environ.get("CONTENT_LENGTH") or "0"
    if not length.isdigit() or int(length) > MAX_BODY_BYTES:
        raise RequestRefused(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {MAX_BODY_BYTES} bytes"
        )
    body: bytes = environ["wsgi.input"].read(int(length)) if int(length) else b""
    return body


def _read_events(environ: Mapping[str, Any], body: bytes) -> list[Mapping[str, Any]]:
    """The events of a query, a form, or a JSON object or list."""
    if environ["REQUEST_METHOD"] == "GET":
        return [dict(parse_qsl(environ.get("QUERY_STRING", "")))]
    if environ.get("CONTENT_TYPE", "").startswith(FORM):
        return [dict(parse_qsl(body.decode("utf-8", "replace")))]
    try:
        events = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise RequestRefused(HTTPStatus.BAD_REQUEST, "the body is not JSON") from None
    if isinstance(events, dict):
        events = [events]
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise RequestRefused(HTTPStatus.BAD_REQUEST, "expected an object or a list of objects")
    return events


def is_authentic(environ: Mapping[str, Any], token: str, body: bytes) -> bool:
    """Whether the request has one of WEBHOOK_SECRET; without any, no request is authentic.

    As a header, as the last part of the path, or as an HMAC-SHA256 of the raw body. The HMAC does
    not count for GET: that of its empty body would be valid for every query.

    Args:
        environ: the request.
        token: the last part of its path.
        body: its raw body.
    """
    tokens = [token, environ.get("HTTP_X_WEBHOOK_TOKEN", "")]
    signatures = [environ.get(name, "") for name in SIGNATURE_HEADERS]
    if environ["REQUEST_METHOD"] == "GET":
        signatures = []
    authentic = False
    for secret in map(str.encode, settings.WEBHOOK_SECRET):
        for offered in filter(None, tokens):
            authentic |= hmac.compare_digest(offered.encode(), secret)
        for offered in filter(None, signatures):
            expected = hmac.new(secret, body, hashlib.sha256).hexdigest()
            authentic |= hmac.compare_digest(offered.encode(), expected.encode())
    return authentic
