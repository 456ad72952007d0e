"""The client of Mitto's messaging API, and what its answers mean.

Rules: docs/rules.md#mitto-send-calls, docs/rules.md#mitto-send-answers and
docs/rules.md#mitto-status-query. What an answer does to a batch is in `sending.py`. Status queries
in bulk are in `polling.py`, webhooks in `webhooks.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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

MAX_RETRY_AFTER_SECONDS = 86400.0
# Client errors after which Mitto may still have accepted the call.
AMBIGUOUS_4XX = {408, 425}


class OutgoingSms(NamedTuple):
    """One SMS to be sent: number as E.164, text and sender ID."""

    destination: str
    text: str
    sender: str


class SentItem(NamedTuple):
    """Mitto's answer about one message: its ID, or None and the reason of the refusal."""

    message_id: str | None
    error: str = ""


@dataclass(frozen=True)
class Accepted:
    """Mitto accepted the call; `items` are in the order of the messages."""

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


@dataclass(frozen=True)
class NotFound:
    """Mitto knows no message with this ID."""


SendResult = Accepted | CallRefused | RetryLater | Ambiguous
StatusResult = MessageReport | NotFound | CallRefused | RetryLater | Ambiguous


class MittoClient:
    """One HTTP session with Mitto, for one process. It never repeats a call.

    Args:
        connect_timeout: in seconds.
        read_timeout: in seconds.
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
    ) -> None:
        self._url = f"{base_url.rstrip('/')}/api/{api_version}/Messages"
        self._account = traffic_account_id
        self._timeout = (connect_timeout, read_timeout)
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.update(
            {"X-Mitto-API-Key": api_key, "Content-Type": "application/json"}
        )
        adapter = HTTPAdapter(max_retries=Retry(total=0, redirect=False))
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def send_bulk(self, messages: Sequence[OutgoingSms]) -> SendResult:
        """Send up to 5,000 messages in one call."""
        body = {"messages": [self._build_message_body(message) for message in messages]}
        return self._post_messages("/sendmessagesbulk", body, len(messages))

    def send_one(self, message: OutgoingSms) -> SendResult:
        """Send a single message."""
        return self._post_messages("/send", self._build_message_body(message), 1)

    def fetch_message_status(self, message_id: str) -> StatusResult:
        """Ask for the status of a message."""
        answer = self._call_or_get_problem("GET", f"/{message_id}", None)
        if not isinstance(answer, requests.Response):
            return answer
        return interpret_status_response(answer.status_code, answer.headers, answer.content)

    def _build_message_body(self, message: OutgoingSms) -> dict[str, Any]:
        return {
            "trafficAccountId": self._account,
            "destination": message.destination,
            "sms": {"text": message.text, "sender": message.sender},
        }

    def _post_messages(self, path: str, body: dict[str, Any], message_count: int) -> SendResult:
        answer = self._call_or_get_problem("POST", path, orjson.dumps(body))
        if not isinstance(answer, requests.Response):
            return answer
        problem = _problem_of_response(answer.status_code, answer.headers, answer.content)
        return (
            problem
            if problem is not None
            else _read_items(_parse_json_or_none(answer.content), message_count)
        )

    def _call_or_get_problem(
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
    return MessageReport(
        str(body.get("deliveryStatus") or ""),
        mask_phone_numbers(str(body.get("description") or "")),
        parse_time(str(body.get("updatedAt") or "")),
    )


def _problem_of_response(
    http_status: int, headers: Mapping[str, str], content: bytes
) -> CallRefused | RetryLater | Ambiguous | None:
    """What an HTTP status other than 200 means; None for 200."""
    if http_status == 200:
        return None
    retry_after = _retry_after_seconds(headers.get("Retry-After"))
    if http_status == 429 or (http_status == 503 and "Retry-After" in headers):
        return RetryLater(f"asks to wait, {http_status}", retry_after)
    if 400 <= http_status < 500 and http_status not in AMBIGUOUS_4XX:
        return CallRefused(http_status, _error_text_without_phone_numbers(content))
    return Ambiguous(f"answered {http_status}")


def _read_items(body: Any, expected_count: int) -> Accepted | Ambiguous:
    """Read the answer to some messages; ambiguous unless it names each once, in order."""
    items = body.get("messages") if isinstance(body, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return Ambiguous("the answer cannot be read")
    if len(items) != expected_count:
        return Ambiguous(f"the answer names {len(items)} messages of {expected_count}")
    sent_items = [_read_item(item) for item in items]
    ids = [item.message_id for item in sent_items if item.message_id]
    if len(set(ids)) != len(ids):
        return Ambiguous("the answer names a message twice")
    bulk_id = body.get("bulkId")
    return Accepted(sent_items, str(bulk_id)[:64] if bulk_id else None)


def _read_item(item: Mapping[str, Any]) -> SentItem:
    if item.get("messageId"):
        return SentItem(str(item["messageId"]))
    error = str(item.get("error") or item.get("message") or "refused")
    return SentItem(None, mask_phone_numbers(error)[:500])


def _parse_json_or_none(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None


def _error_text_without_phone_numbers(content: bytes) -> str:
    """The error text of an answer, without phone numbers."""
    body = _parse_json_or_none(content)
    if isinstance(body, dict):
        text = body.get("message") or body.get("error") or body.get("errors") or ""
    else:
        text = content.decode(errors="replace")
    return mask_phone_numbers(str(text))[:500]


def _retry_after_seconds(header_value: str | None) -> float | None:
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
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def mask_phone_numbers(text: str) -> str:
    """Replace everything that may be a phone number."""
    return re.sub(r"\+?\d{7,}", "+•••", text)


def parse_time(text: str) -> datetime | None:
    """Read a time of Mitto, with any number of decimals, as UTC; None if it cannot be read."""
    match = re.fullmatch(r"(.+T\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)?", text)
    if not match:
        return None
    base, fraction, zone = match.groups()
    try:
        time = datetime.fromisoformat(base + (fraction or "")[:7] + (zone or "Z"))
        return time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
