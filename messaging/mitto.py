"""The client of Mitto's messaging API, and what its answers mean.

Rules: docs/rules.md#mitto-send-calls, docs/rules.md#mitto-send-answers and
docs/rules.md#mitto-status-query. What an answer does to a batch is in `sending.py`. Status queries
in bulk are in `polling.py`, webhooks in `webhooks.py`.
"""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import orjson
import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import (
    ConnectTimeoutError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    SSLError,
)
from urllib3.util.retry import Retry

from astronote.common.counts import counted_in_english
from astronote.common.times import parse_time_as_utc_or_none

log = logging.getLogger(__name__)

MAX_RETRY_AFTER_SECONDS = 86400.0
# Of the body of a call. Mitto publishes no limit; about 1 MB is what its users have seen pass.
MAX_CALL_BYTES = 1_000_000
# What a message has in a call beside its text as it is stored: names, number, sender ID, account,
# and what a link and a code add to the text.
MESSAGE_OVERHEAD_BYTES = 300
# Answers to the path of bulk calls by an account or version that has none.
NO_BULK_STATUSES = {404, 405}
# After such an answer bulk calls are not tried for this time: the account may get them meanwhile.
NO_BULK_SECONDS = 900.0
# Single sends in place of a bulk call end after this time: opt-outs wait for them.
MAX_SINGLE_SENDS_SECONDS = 20.0
# Refusals that say nothing about the messages: the key, the funds, the caller's address, a proxy.
ACCOUNT_REFUSALS = {401, 402, 403, 407}
ID_FIELDS = ("messageid", "message_id", "id")
# An answer that was refused has words in one of these; "0" is a code that means no error.
WORD_FIELDS = ("error", "errors", "message", "title", "detail", "description", "code")
MAX_WORDS = 500
# Client errors after which Mitto may still have accepted the call.
AMBIGUOUS_4XX = {408, 425}


class OutgoingSms(NamedTuple):
    """One SMS to be sent: number as E.164, text and sender ID."""

    destination: str
    text: str
    sender: str


class SentItem(NamedTuple):
    """Mitto's answer about one message: its ID, or None and Mitto's words of the refusal.

    Without an ID and without words it is unknown whether Mitto accepted it.
    """

    message_id: str | None
    error: str = ""


@dataclass(frozen=True)
class Accepted:
    """Mitto accepted the call; `items` are in the order of the messages.

    If there are fewer items than messages, the last messages were not submitted.
    """

    items: list[SentItem]
    bulk_id: str | None = None


@dataclass(frozen=True)
class CallRefused:
    """Mitto refused the whole call; nothing was sent."""

    status_code: int
    error: str


@dataclass(frozen=True)
class RetryLater:
    """Mitto did not accept the call; it may be repeated after `retry_after` seconds."""

    error: str
    retry_after: float | None = None


@dataclass(frozen=True)
class Ambiguous:
    """Mitto may have accepted the call; repeating it may repeat the messages."""

    error: str


@dataclass(frozen=True)
class MessageReport:
    """Mitto's answer to a status query."""

    delivery_status: str
    description: str
    updated_at: datetime | None
    # What Mitto knows the message by, where the answer has it.
    text: str = ""
    destination: str = ""
    parts: int | None = None


@dataclass(frozen=True)
class NotFound:
    """Mitto knows no message with this ID."""


class RawAnswer(NamedTuple):
    """An answer of Mitto as it came, for the go-live check."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    def json_or_none(self) -> Any:
        """The body; None if it is not JSON."""
        return _parse_json_or_none(self.content)

    def interpret_as_send_result(self, messages: Sequence[OutgoingSms]) -> SendResult:
        """What it means for the messages that were sent."""
        problem = _problem_of_response(self.status, self.headers, self.content)
        return (
            problem
            if problem is not None
            else _interpret_send_answer(self.json_or_none(), messages)
        )


SendResult = Accepted | CallRefused | RetryLater | Ambiguous
StatusResult = MessageReport | NotFound | CallRefused | RetryLater | Ambiguous


class MittoClient:
    """One HTTP session with Mitto, for one process. It never repeats a call.

    Args:
        connect_timeout: in seconds.
        read_timeout: in seconds.
        proxy: the address of an HTTP proxy; empty for none.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        traffic_account_id: str,
        api_version: str = "v1.1",
        connect_timeout: float = 5.0,
        read_timeout: float = 30.0,
        proxy: str = "",
    ) -> None:
        self._url = f"{base_url.rstrip('/')}/api/{api_version}/Messages"
        self._account = traffic_account_id
        self._timeout = (connect_timeout, read_timeout)
        self._session = requests.Session()
        self._session.trust_env = False
        if proxy:
            self._session.proxies = {"http": proxy, "https": proxy}
        self._no_bulk_until = 0.0  # by time.monotonic()
        self._session.headers.update(
            {"X-Mitto-API-Key": api_key, "Content-Type": "application/json"}
        )
        adapter = HTTPAdapter(max_retries=Retry(total=0, redirect=False))
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def send_bulk_or_singly_if_unsupported(
        self, messages: Sequence[OutgoingSms], *, may_send: Callable[[int], bool] = lambda at: True
    ) -> SendResult:
        """Send up to 5,000 messages in one call.

        If the account's version has no bulk calls, they are sent one by one, for at most
        MAX_SINGLE_SENDS_SECONDS. Then the answer has items for the first messages only. Bulk is
        tried again after NO_BULK_SECONDS.

        Args:
            messages: what to send.
            may_send: called before each further call, with the position of its message; it waits
                for the turn of the call. If it returns false, no further call is made.
        """
        if time.monotonic() >= self._no_bulk_until:
            body = {"messages": [self._build_message_body(message) for message in messages]}
            result = self._post_messages("/sendmessagesbulk", body, messages)
            if not (isinstance(result, CallRefused) and result.status_code in NO_BULK_STATUSES):
                return result
            log.warning(
                "Mitto has no sendmessagesbulk at this version (%s): messages are sent one by one",
                result.status_code,
            )
            self._no_bulk_until = time.monotonic() + NO_BULK_SECONDS
        return self._send_singly_until_refused_unclear_or_time_limit(messages, may_send)

    def _send_singly_until_refused_unclear_or_time_limit(
        self, messages: Sequence[OutgoingSms], may_send: Callable[[int], bool]
    ) -> SendResult:
        """Send messages singly until one may not be sent or is not taken."""
        items: list[SentItem] = []
        until = time.monotonic() + MAX_SINGLE_SENDS_SECONDS
        for at, message in enumerate(messages):
            if items and not may_send(at):
                break
            result = self.send_one(message)
            match result:
                case Accepted():
                    items += result.items
                case CallRefused() if result.status_code in ACCOUNT_REFUSALS | NO_BULK_STATUSES:
                    return Accepted(items) if items else result
                case CallRefused():
                    items.append(SentItem(None, result.error or f"refused ({result.status_code})"))
                case RetryLater():
                    return Accepted(items) if items else result
                case Ambiguous():
                    return Accepted([*items, SentItem(None)])
            if time.monotonic() > until:
                break
        return Accepted(items)

    def prepare_bulk_call(self, messages: Sequence[OutgoingSms]) -> Callable[[], RawAnswer | str]:
        """A bulk call to be made; it returns the answer as it came, or why there is none."""
        body = {"messages": [self._build_message_body(message) for message in messages]}
        return lambda: self._call_and_get_raw_answer_or_problem(
            "POST", "/sendmessagesbulk", orjson.dumps(body)
        )

    def prepare_single_call(self, message: OutgoingSms) -> Callable[[], RawAnswer | str]:
        """The same for a single send."""
        body = orjson.dumps(self._build_message_body(message))
        return lambda: self._call_and_get_raw_answer_or_problem("POST", "/send", body)

    def prepare_status_call(self, message_id: str) -> Callable[[], RawAnswer | str]:
        """The same for a status query."""
        return lambda: self._call_and_get_raw_answer_or_problem("GET", f"/{message_id}", None)

    def _call_and_get_raw_answer_or_problem(
        self, method: str, path: str, data: bytes | None
    ) -> RawAnswer | str:
        answer = self._call_or_get_connection_problem(method, path, data)
        if isinstance(answer, (RetryLater, Ambiguous)):
            return answer.error
        return RawAnswer(answer.status_code, answer.headers, answer.content)

    def send_one(self, message: OutgoingSms) -> SendResult:
        """Send a single message."""
        return self._post_messages("/send", self._build_message_body(message), [message])

    def fetch_message_status(self, message_id: str) -> StatusResult:
        """Ask for the status of a message."""
        answer = self._call_or_get_connection_problem("GET", f"/{message_id}", None)
        if not isinstance(answer, requests.Response):
            return answer
        return interpret_status_response(answer.status_code, answer.headers, answer.content)

    def _build_message_body(self, message: OutgoingSms) -> dict[str, Any]:
        return {
            "trafficAccountId": self._account,
            "destination": message.destination,
            "sms": {"text": message.text, "sender": message.sender},
        }

    def _post_messages(
        self, path: str, body: dict[str, Any], messages: Sequence[OutgoingSms]
    ) -> SendResult:
        answer = self._call_or_get_connection_problem("POST", path, orjson.dumps(body))
        if not isinstance(answer, requests.Response):
            return answer
        problem = _problem_of_response(answer.status_code, answer.headers, answer.content)
        if problem is not None:
            return problem
        return _interpret_send_answer(_parse_json_or_none(answer.content), messages)

    def _call_or_get_connection_problem(
        self, method: str, path: str, data: bytes | None
    ) -> requests.Response | RetryLater | Ambiguous:
        try:
            return self._session.request(
                method,
                self._url + path,
                data=data,
                timeout=self._timeout,
                allow_redirects=False,
            )
        except requests.ConnectionError as error:
            if _failed_before_sending(error):
                return RetryLater("no connection to Mitto")
            return Ambiguous("the connection broke before an answer")
        except requests.Timeout:
            return Ambiguous("no answer in time")
        except requests.RequestException as error:
            return Ambiguous(f"the answer cannot be read ({type(error).__name__})")


def _failed_before_sending(error: requests.ConnectionError) -> bool:
    """Whether the connection failed before any of the request was sent."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    cause: Any = error.args[0] if error.args else None
    if isinstance(cause, MaxRetryError):
        cause = cause.reason
    connecting = (NewConnectionError, NameResolutionError, ConnectTimeoutError)
    # requests raises its own SSLError for the handshake, which precedes the request.
    return isinstance(cause, connecting) or (
        isinstance(cause, SSLError) and isinstance(error, requests.exceptions.SSLError)
    )


def interpret_status_response(
    http_status: int, headers: Mapping[str, str], content: bytes
) -> StatusResult:
    """Read the answer to a status query."""
    if http_status == 404:
        return NotFound()
    problem = _problem_of_response(http_status, headers, content)
    if problem is not None:
        return problem
    body = _parse_json_or_none(content)
    if not isinstance(body, dict):
        return Ambiguous("the answer cannot be read")
    sms = (body.get("requestInfo") or {}).get("sms") or {}
    parts = body.get("messageParts")
    return MessageReport(
        str(body.get("deliveryStatus") or body.get("status") or ""),
        mask_runs_of_7_or_more_digits(error_words_or_empty(body.get("description"))),
        parse_time_as_utc_or_none(str(body.get("updatedAt") or "")),
        text=str(body.get("text") or sms.get("text") or ""),
        destination=str(body.get("destination") or ""),
        parts=parts if isinstance(parts, int) else None,
    )


def _problem_of_response(
    http_status: int, headers: Mapping[str, str], content: bytes
) -> CallRefused | RetryLater | Ambiguous | None:
    """What an HTTP status other than 2xx means; None for 2xx."""
    if 200 <= http_status < 300:
        return None
    retry_after = _retry_after_seconds_0_to_1_day_or_none(headers.get("Retry-After"))
    if http_status == 429 or (http_status == 503 and "Retry-After" in headers):
        return RetryLater(f"asks to wait, {http_status}", retry_after)
    if 400 <= http_status < 500 and http_status not in AMBIGUOUS_4XX:
        return CallRefused(http_status, _error_text_without_phone_numbers(content))
    words = _error_text_without_phone_numbers(content)
    return Ambiguous(f"answered {http_status}{': ' if words else ''}{words}"[:MAX_WORDS])


def _interpret_send_answer(body: Any, messages: Sequence[OutgoingSms]) -> Accepted | Ambiguous:
    """Read the answer to some messages; ambiguous unless it names each once.

    The items are in the order of the messages, unless they name their destinations.
    """
    items = _get_by_lower_case_name(body, "messages") if isinstance(body, dict) else None
    if items is None and isinstance(body, dict) and len(messages) == 1:
        items = [body]
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return _build_ambiguous_with_error_words("the answer cannot be read", body)
    if len(items) != len(messages):
        return _build_ambiguous_with_error_words(
            f"the answer names {counted_in_english(len(items), 'message')} of {len(messages)}", body
        )
    items = _sort_items_by_message_or_none(items, messages)
    if items is None:
        return _build_ambiguous_with_error_words("the answer names other numbers", body)
    sent_items = [_id_or_error_words_of_item(item) for item in items]
    ids = [item.message_id for item in sent_items if item.message_id]
    if len(set(ids)) != len(ids):
        return _build_ambiguous_with_error_words("the answer names a message twice", body)
    bulk_id = body.get("bulkId")
    return Accepted(sent_items, str(bulk_id)[:64] if bulk_id else None)


def _build_ambiguous_with_error_words(problem: str, body: Any) -> Ambiguous:
    words = error_words_or_empty(
        _get_by_lower_case_name(body, "errors") if isinstance(body, dict) else body
    )
    return Ambiguous(
        mask_runs_of_7_or_more_digits(f"{problem}: {words}" if words else problem)[:MAX_WORDS]
    )


def _sort_items_by_message_or_none(
    items: list[dict[str, Any]], messages: Sequence[OutgoingSms]
) -> list[dict[str, Any]] | None:
    """The items in the order of the messages; None if they name other destinations."""
    numbers = [_digits_of_number(item.get("destination") or item.get("to")) for item in items]
    if not all(numbers):
        return items
    wanted = [_digits_of_number(message.destination) for message in messages]
    if numbers == wanted:
        return items
    items_by_number: dict[str, list[dict[str, Any]]] = {}
    for number, item in zip(numbers, items, strict=True):
        items_by_number.setdefault(number, []).append(item)
    if sorted(numbers) != sorted(wanted):
        return None
    return [items_by_number[number].pop(0) for number in wanted]


def _digits_of_number(number: Any) -> str:
    digits = str(number or "").removeprefix("+")
    return digits if digits.isdecimal() else "".join(filter(str.isdecimal, digits))


def _id_or_error_words_of_item(item: Mapping[str, Any]) -> SentItem:
    message_id = item.get("messageId") or next(  # as Mitto documents it; else as it may be
        filter(None, (_get_by_lower_case_name(item, name) for name in ID_FIELDS)), None
    )
    if isinstance(message_id, (str, int)):
        return SentItem(str(message_id))
    return SentItem(None, mask_runs_of_7_or_more_digits(error_words_or_empty(item))[:MAX_WORDS])


def _get_by_lower_case_name(item: Mapping[str, Any], name: str) -> Any:
    if name in item:
        return item[name]
    return next((value for other, value in item.items() if other.lower() == name), None)


def error_words_or_empty(value: Any) -> str:
    """The words of an error in any of its forms; empty if it says that there is none.

    A text, an object with words in one of WORD_FIELDS (problem details among them, with their
    `errors` by field), or a list of these.
    """
    if isinstance(value, Mapping):
        named = [(name, _get_by_lower_case_name(value, name)) for name in WORD_FIELDS]
        found = [
            f"code {text}" if name == "code" else text
            for name, inner in named
            if (text := error_words_or_empty(inner))
        ]
        if not found:  # by field, as in problem details
            found = [
                f"{name}: {text}"
                for name, inner in value.items()
                if isinstance(inner, list) and (text := error_words_or_empty(inner))
            ]
        return "; ".join(dict.fromkeys(found))
    if isinstance(value, list):
        return "; ".join(filter(None, map(error_words_or_empty, value)))
    text = "" if value is None or isinstance(value, bool) else str(value).strip()
    return text if text.strip("0") else ""


def _parse_json_or_none(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None


def _error_text_without_phone_numbers(content: bytes) -> str:
    """The error text of an answer, without phone numbers."""
    body = _parse_json_or_none(content)
    words = error_words_or_empty(body) if body is not None else content.decode(errors="replace")
    return mask_runs_of_7_or_more_digits(words)[:MAX_WORDS]


def _retry_after_seconds_0_to_1_day_or_none(header_value: str | None) -> float | None:
    """Seconds to wait, from the header Retry-After with seconds or a date."""
    if not header_value:
        return None
    try:
        seconds = float(header_value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(header_value) - datetime.now(UTC)).total_seconds()
        except (TypeError, ValueError):
            return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS) if math.isfinite(seconds) else None


def mask_runs_of_7_or_more_digits(text: str) -> str:
    """Replace everything that may be a phone number."""
    return re.sub(r"\+?\d{7,}", "+•••", text)
