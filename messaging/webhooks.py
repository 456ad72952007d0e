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
import json
import logging
import re
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_to_bytes

import orjson
from django.conf import settings
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from contacts.importing.encodings import detect_legacy_encoding
from messaging import receipts, replies
from messaging.inbox import ID_FIELDS, STATUS_FIELDS, first_field

log = logging.getLogger(__name__)

PREFIX = "/webhooks/mitto/"
MAX_BODY_BYTES = 2_000_000
SIGNATURE_HEADERS = ("HTTP_X_WEBHOOK_SIGNATURE", "HTTP_X_MITTO_SIGNATURE")
FORM = "application/x-www-form-urlencoded"
GZIP = 31  # zlib's window for gzip
# Encodings that a body without a charset may be written in, besides UTF-8.
LIKELY_ENCODINGS = ("cp1252", "cp1253", "iso8859_7")
MAX_ENVELOPES = 3  # objects around the list of events
# An integer of more than 64 bits, which orjson reads as a float.
_LONG_INTEGER = re.compile(rb"[\s:,\[]-?[0-9]{19}")
_CHARSET = re.compile(r"charset=[\"']?([\w.:-]+)", re.IGNORECASE)
# By name, the last part of the path.
HANDLERS: dict[str, Callable[[Iterable[Mapping[str, Any]]], None]] = {
    "delivery": receipts.store_receipts_and_enqueue_job,
    "inbound": replies.store_replies_and_enqueue_job,
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
        _authenticate_and_store_events(environ)
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


def _authenticate_and_store_events(environ: Mapping[str, Any]) -> None:
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
    """The body as it was sent; of unknown length if it comes in chunks."""
    length = environ.get("CONTENT_LENGTH") or "0"
    if environ.get("HTTP_TRANSFER_ENCODING") and not environ.get("CONTENT_LENGTH"):
        length = str(MAX_BODY_BYTES + 1)
    elif not length.isdecimal() or int(length) > MAX_BODY_BYTES:
        raise _too_large()
    body: bytes = environ["wsgi.input"].read(int(length)) if int(length) else b""
    if len(body) > MAX_BODY_BYTES:
        raise _too_large()
    return body


def _too_large() -> RequestRefused:
    return RequestRefused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {MAX_BODY_BYTES} bytes")


def _unpacked(environ: Mapping[str, Any], body: bytes) -> bytes:
    """The body without compression, of at most MAX_BODY_BYTES."""
    coding = environ.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if coding in ("", "identity"):
        return body
    if coding not in ("gzip", "x-gzip"):
        raise RequestRefused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "use gzip or no compression")
    unpacking = zlib.decompressobj(GZIP)
    try:
        body = unpacking.decompress(body, MAX_BODY_BYTES + 1)
    except zlib.error:
        raise RequestRefused(HTTPStatus.BAD_REQUEST, "the body is not gzip") from None
    if len(body) > MAX_BODY_BYTES:
        raise _too_large()
    if not unpacking.eof:
        raise RequestRefused(HTTPStatus.BAD_REQUEST, "the body is cut")
    return body


def _read_events(environ: Mapping[str, Any], body: bytes) -> list[Mapping[str, Any]]:
    """The events of a query, a form, or a JSON object or list."""
    content_type = environ.get("CONTENT_TYPE") or ""
    charset = match[1] if (match := _CHARSET.search(content_type)) else ""
    if environ["REQUEST_METHOD"] == "GET":
        return [_read_form(environ.get("QUERY_STRING", "").encode("latin-1"), charset)]
    body = _unpacked(environ, body)
    is_json = body.lstrip().startswith((b"{", b"["))
    if content_type.strip().lower().startswith(FORM) and not is_json:
        return [_read_form(body, charset)]
    events = _in_envelope(_read_json(body, charset))
    if isinstance(events, dict):
        events = [events]
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise RequestRefused(HTTPStatus.BAD_REQUEST, "expected an object or a list of objects")
    return events


def _read_form(body: bytes, charset: str) -> dict[str, str]:
    """The filled fields of a form or a query."""
    pairs = [pair.partition(b"=")[::2] for pair in body.replace(b"+", b" ").split(b"&")]
    names_and_values = [unquote_to_bytes(part) for pair in pairs for part in pair]
    encoding = _encoding_of(b"\n".join(names_and_values), charset)
    texts = iter([part.decode(encoding, "replace") for part in names_and_values])
    return {name: value for name, value in zip(texts, texts, strict=True) if value}


def _read_json(body: bytes, charset: str) -> Any:
    if not _LONG_INTEGER.search(body):
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            pass  # the library of Python also takes a byte order mark and halves of characters
    try:
        text = body.decode(_encoding_of(body, charset), "replace")
        return json.loads(text.removeprefix("\ufeff"), parse_int=_read_integer)
    except (ValueError, RecursionError):
        raise RequestRefused(HTTPStatus.BAD_REQUEST, "the body is not JSON") from None


def _read_integer(digits: str) -> int | str:
    return int(digits) if len(digits) < 19 else digits


def _encoding_of(body: bytes, charset: str) -> str:
    """The encoding of a text: UTF-8 if it can be, else the declared or the likely one."""
    encodings = ["utf-8", charset]
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    for encoding in filter(None, encodings):
        try:
            body.decode(encoding)
        except (UnicodeError, LookupError):
            continue
        return encoding
    detected = detect_legacy_encoding(body, settings.DEFAULT_PHONE_REGION)
    return detected if detected in LIKELY_ENCODINGS else "latin-1"


def _in_envelope(value: Any, depth: int = MAX_ENVELOPES) -> Any:
    """The events within an object such as `{"messages": [...]}`; else the value itself."""
    if depth and isinstance(value, dict) and not _is_event(value):
        for inner in value.values():
            found = _in_envelope(inner, depth - 1)
            if isinstance(found, list) and found and all(map(_is_event, found)):
                return found
            if _is_event(found):
                return [found]
    return value


def _is_event(value: Any) -> bool:
    """Whether a value has the fields of a receipt or of a reply."""

    def has(names: Sequence[str]) -> bool:
        return bool(first_field(value, names))

    return isinstance(value, dict) and (
        has(replies.FROM_FIELDS) or (has(ID_FIELDS) and has(STATUS_FIELDS))
    )


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
