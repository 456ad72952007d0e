"""Mitto's webhooks: authenticate a request, store its events, answer 202.

JSON is posted; other requests have a query or a form, with the field names of the template in
Mitto's portal. Rules: docs/rules.md#mitto-webhook-authentication. The fields of an event are in
`event_fields.py`, storing events in `receipts.py`, `replies.py` and `inbox.py`.

The web server calls `answer` in its event loop: Mitto sends thousands of receipts a second, and
Django's request and middleware cost three times what storing one does. The same pages exist as a
Django view, for servers and tests that call only Django.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import re
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

import orjson
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from astronote.common.requests import Answer, BodyLimit, ReadBody, RequestHead, RequestRefused
from contacts.importing.encodings import detect_legacy_encoding_or_empty
from messaging import kept_requests, receipts, replies
from messaging.event_fields import is_reply_rather_than_receipt, unwrap_events_or_none
from messaging.inbox import NewEvent

log = logging.getLogger(__name__)

PREFIX = "/webhooks/mitto/"
ADDRESSES = ("delivery", "inbound")  # the part of the path after the prefix
MAX_BODY_BYTES = 2_000_000
BODY_LIMIT = BodyLimit(MAX_BODY_BYTES, 30)
# A body is read before its sender is known only if it has a signature, and then only so far.
SIGNED_BODY_LIMIT = BodyLimit(65_536, 5)
SMALL_BYTES = 16_384  # a body up to this is read in the event loop, a larger one in a thread
SIGNATURE_HEADERS = ("x-webhook-signature", "x-mitto-signature")
SECRET_PARAMETERS = ("token", "secret")
FORM = "application/x-www-form-urlencoded"
GZIP = 31  # zlib's window for gzip
# Encodings that a body without a charset may be written in, besides UTF-8.
LIKELY_ENCODINGS = ("cp1252", "cp1253", "iso8859_7")
EVENTS_PER_INSERT = 1000
# An integer of more than 64 bits, which orjson reads as a float.
_LONG_INTEGER = re.compile(rb"[\s:,\[]-?[0-9]{19}")
_CHARSET = re.compile(r"charset=[\"']?([\w.:-]+)", re.IGNORECASE)
Event = dict[str, Any]
Result = TypeVar("Result")
_threads = ThreadPoolExecutor(4, thread_name_prefix="webhooks")


async def authenticate_and_store_events_or_refuse(head: RequestHead, read_body: ReadBody) -> Answer:
    """Check a request and store its events; 202 once they are stored.

    The secret comes first: nothing is read of a request that has none.

    Raises:
        RequestRefused: if the request is not valid or not authentic.
    """
    address, limit = _check_secret_and_get_endpoint_and_limit(head)
    body = await read_body(limit) if head.method == "POST" else b""
    _require_signature_unless_secret_sent(head, limit, body)
    kept_requests.keep_request_in_thread_if_watched(head, body, _threads)
    try:
        if len(body) <= SMALL_BYTES and not head.header("content-encoding"):
            new_receipts, new_replies = _split_into_receipts_and_replies_by_shape(
                _parse_events_or_refuse(head, limit, body), address
            )
            await receipts.store_coalesced(new_receipts)
        else:
            new_replies = await _run_in_thread(
                _parse_and_store_receipts_and_get_replies, head, limit, body, address
            )
        if new_replies:
            await _run_in_thread(replies.store_replies, new_replies)
    except DatabaseError as error:
        return _log_and_build_unavailable_answer(error)
    return Answer(HTTPStatus.ACCEPTED)


async def _run_in_thread(function: Callable[..., Result], *arguments: Any) -> Result:
    def run() -> Result:
        close_old_connections()  # as Django does at the beginning of each request
        return function(*arguments)

    return await asyncio.get_running_loop().run_in_executor(_threads, run)


def _log_and_build_unavailable_answer(error: DatabaseError) -> Answer:
    log.error("an event was not stored: %s", type(error).__name__)
    return Answer(HTTPStatus.SERVICE_UNAVAILABLE, b'{"error":"try again"}', retry_after=10)


@csrf_exempt
def answer_webhook_through_django(request: HttpRequest, **url_kwargs: str) -> HttpResponse:
    """The same as a Django view; it reads the path itself."""
    head = RequestHead(
        request.method or "",
        request.path_info,
        request.META.get("QUERY_STRING", ""),
        lambda name: request.headers.get(name, ""),
        request.headers.items,
    )
    try:
        address, limit = _check_secret_and_get_endpoint_and_limit(head)
        body = request.read(limit.size + 1) if head.method == "POST" else b""
        if len(body) > limit.size:
            raise _too_large_error()
        _require_signature_unless_secret_sent(head, limit, body)
        kept_requests.keep_request_in_thread_if_watched(head, body, _threads)
        if new_replies := _parse_and_store_receipts_and_get_replies(head, limit, body, address):
            replies.store_replies(new_replies)
        answer = Answer(HTTPStatus.ACCEPTED)
    except RequestRefused as refused:
        answer = Answer(refused.status, orjson.dumps({"error": refused.error}))
    except DatabaseError as error:
        answer = _log_and_build_unavailable_answer(error)
    return HttpResponse(answer.body, status=answer.status, headers=dict(answer.headers()))


def _check_secret_and_get_endpoint_and_limit(head: RequestHead) -> tuple[str, BodyLimit]:
    """The address that a request goes to, and how much of its body may be read.

    A request without a secret may have a signature of its body. Then little of it is read.

    Raises:
        RequestRefused: if the request is not valid, or has neither.
    """
    address, _, token = head.path.removeprefix(PREFIX).partition("/")
    if address not in ADDRESSES:
        raise RequestRefused(HTTPStatus.NOT_FOUND, "there is no such webhook")
    if head.method not in ("GET", "POST"):
        raise RequestRefused(HTTPStatus.METHOD_NOT_ALLOWED, "use GET or POST")
    offered = [token, head.header("x-webhook-token")]
    if head.query_string:
        query = _parse_filled_form_fields(head.query_string.encode("latin-1", "replace"), "")
        offered += [query.get(name, "") for name in SECRET_PARAMETERS]
    if any(_is_webhook_secret(text) for text in offered if text):
        return address, BODY_LIMIT
    # The signature of a GET's empty body would be valid for every query.
    if head.method == "POST" and any(map(head.header, SIGNATURE_HEADERS)):
        return address, SIGNED_BODY_LIMIT
    raise RequestRefused(HTTPStatus.UNAUTHORIZED, "the secret is missing or wrong")


def _is_webhook_secret(offered: str) -> bool:
    """Whether a text is one of WEBHOOK_SECRET; takes the same time for any text."""
    matches = [
        hmac.compare_digest(offered.encode("utf-8", "replace"), secret.encode())
        for secret in settings.WEBHOOK_SECRET
    ]
    return any(matches)


def _require_signature_unless_secret_sent(head: RequestHead, limit: BodyLimit, body: bytes) -> None:
    """Check the HMAC-SHA256 of the body, if the request has no other proof.

    Raises:
        RequestRefused: if it is wrong.
    """
    if limit is not SIGNED_BODY_LIMIT:
        return
    offered = [head.header(name).encode("utf-8", "replace") for name in SIGNATURE_HEADERS]
    expected = [
        hmac.new(secret.encode(), body, hashlib.sha256).hexdigest().encode()
        for secret in settings.WEBHOOK_SECRET
    ]
    if not any(hmac.compare_digest(one, other) for one in offered for other in expected):
        raise RequestRefused(HTTPStatus.UNAUTHORIZED, "the secret is missing or wrong")


def _parse_and_store_receipts_and_get_replies(
    head: RequestHead, limit: BodyLimit, body: bytes, address: str
) -> list[Event]:
    """Store the receipts of a request; return its replies."""
    events = _parse_events_or_refuse(head, limit, body)
    new_replies: list[Event] = []
    for start in range(0, len(events), EVENTS_PER_INSERT):
        new_receipts, more = _split_into_receipts_and_replies_by_shape(
            events[start : start + EVENTS_PER_INSERT], address
        )
        receipts.insert_receipts_and_enqueue_job(new_receipts)
        new_replies += more
    return new_replies


def _split_into_receipts_and_replies_by_shape(
    events: Sequence[Event], address: str
) -> tuple[list[NewEvent], list[Event]]:
    """The receipts among events, each once, and the replies. Their shape decides."""
    new_receipts: dict[str, NewEvent] = {}
    new_replies = []
    for event in events:
        if is_reply_rather_than_receipt(event, posted_to_reply_address=address == "inbound"):
            new_replies.append(event)
        else:
            receipt = NewEvent.from_receipt_or_failed_if_unreadable(event)
            new_receipts[receipt.event_id] = receipt
    return list(new_receipts.values()), new_replies


def _too_large_error() -> RequestRefused:
    return RequestRefused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {MAX_BODY_BYTES} bytes")


def _unpack_body_or_refuse(coding: str, body: bytes) -> bytes:
    """The body without compression, of at most MAX_BODY_BYTES."""
    coding = coding.strip().lower()
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
        raise _too_large_error()
    if not unpacking.eof:
        raise RequestRefused(HTTPStatus.BAD_REQUEST, "the body is cut")
    return body


def _parse_events_or_refuse(head: RequestHead, limit: BodyLimit, body: bytes) -> list[Event]:
    """The events of a query, a form, or a JSON object or list.

    The fields of the query belong to every event of the body that lacks them. They do not count if
    only the body is signed. Objects without any field are one event together.
    """
    content_type = head.header("content-type")
    charset = match[1] if (match := _CHARSET.search(content_type)) else ""
    query: Event = {}
    if head.query_string and limit is not SIGNED_BODY_LIMIT:
        form = _parse_filled_form_fields(head.query_string.encode("latin-1", "replace"), charset)
        query = {name: value for name, value in form.items() if name not in SECRET_PARAMETERS}
    body = _unpack_body_or_refuse(head.header("content-encoding"), body)
    if head.method == "GET" or (query and not body.strip()):
        return unwrap_events_or_none(query) or []
    is_json = body.lstrip().startswith((b"{", b"["))
    if content_type.strip().lower().startswith(FORM) and not is_json:
        events = unwrap_events_or_none(_parse_filled_form_fields(body, charset))
    else:
        events = unwrap_events_or_none(_parse_json_or_refuse(body, charset))
    if events is None:
        raise RequestRefused(HTTPStatus.BAD_REQUEST, "expected an object or a list of objects")
    filled: list[Event] = [event for event in events if event]
    if len(filled) < len(events):
        filled.append({})
    return [query | event for event in filled] if query else filled


def _parse_filled_form_fields(body: bytes, charset: str) -> dict[str, str]:
    """The filled fields of a form or a query."""
    pairs = [pair.partition(b"=")[::2] for pair in body.replace(b"+", b" ").split(b"&")]
    names_and_values = [unquote_to_bytes(part) for pair in pairs for part in pair]
    encoding = _name_of_utf8_or_likely_encoding(b"\n".join(names_and_values), charset)
    texts = iter([part.decode(encoding, "replace") for part in names_and_values])
    return {name: value for name, value in zip(texts, texts, strict=True) if value}


def _parse_json_or_refuse(body: bytes, charset: str) -> Any:
    if not _LONG_INTEGER.search(body):
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            pass  # the library of Python also takes a byte order mark and halves of characters
    try:
        text = body.decode(_name_of_utf8_or_likely_encoding(body, charset), "replace")
        return json.loads(text.removeprefix("\ufeff"), parse_int=_parse_integer_or_keep_long_text)
    except (ValueError, RecursionError):
        raise RequestRefused(HTTPStatus.BAD_REQUEST, "the body is not JSON") from None


def _parse_integer_or_keep_long_text(digits: str) -> int | str:
    return int(digits) if len(digits) < 19 else digits


def _name_of_utf8_or_likely_encoding(body: bytes, charset: str) -> str:
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
    detected = detect_legacy_encoding_or_empty(body, settings.DEFAULT_PHONE_REGION)
    return detected if detected in LIKELY_ENCODINGS else "latin-1"
