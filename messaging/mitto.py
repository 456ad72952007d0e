"""The client of Mitto's messaging API; what its answers mean for a batch is in `sending.py`."""

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

LONGEST_RETRY_AFTER = 86400.0
# Statuses whose meaning is "perhaps": the call may have been taken.
AMBIGUOUS_4XX = {408, 425}


class OutgoingSms(NamedTuple):
    destination: str
    text: str
    sender: str


class Item(NamedTuple):
    """Mitto's answer about one message: its id, or the words of a refusal."""

    message_id: str | None
    error: str = ""


@dataclass(frozen=True)
class Accepted:
    """Mitto took the call; `items` are in the order of the messages."""

    items: list[Item]
    bulk_id: str | None = None


@dataclass(frozen=True)
class Refused:
    """A definite no; nothing was sent."""

    status_code: int
    error: str


@dataclass(frozen=True)
class NotTaken:
    """Certainly not taken; may be tried again after so many seconds."""

    error: str
    retry_after: float | None = None


@dataclass(frozen=True)
class Ambiguous:
    """Mitto may have taken it; it must not be sent again by itself."""

    error: str


@dataclass(frozen=True)
class MessageReport:
    """What Mitto knows of a message."""

    delivery_status: str
    description: str
    updated_at: datetime | None


@dataclass(frozen=True)
class NotFound:
    """Mitto knows no message of this id."""


SendResult = Accepted | Refused | NotTaken | Ambiguous
StatusResult = MessageReport | NotFound | Refused | NotTaken | Ambiguous


class MittoClient:
    """One HTTP session with Mitto; use one per process. It never repeats a call by itself.

    Args:
        connect_timeout, read_timeout: seconds.
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
        self._messages = f"{base_url.rstrip('/')}/api/{api_version}/Messages"
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
        """Send up to 5,000 messages in one call (mitto-api, section 3)."""
        body = {"messages": [self._body(message) for message in messages]}
        return self._send("/sendmessagesbulk", body, len(messages))

    def send_one(self, message: OutgoingSms) -> SendResult:
        """Send a single message."""
        return self._send("/send", self._body(message), 1)

    def message_status(self, message_id: str) -> StatusResult:
        """Ask what became of a message."""
        answer = self._call("GET", f"/{message_id}", None)
        if not isinstance(answer, requests.Response):
            return answer
        return read_status(answer.status_code, answer.headers, answer.content)

    def _body(self, message: OutgoingSms) -> dict[str, Any]:
        return {
            "trafficAccountId": self._account,
            "destination": message.destination,
            "sms": {"text": message.text, "sender": message.sender},
        }

    def _send(self, path: str, body: dict[str, Any], count: int) -> SendResult:
        answer = self._call("POST", path, orjson.dumps(body))
        if not isinstance(answer, requests.Response):
            return answer
        problem = _problem(answer.status_code, answer.headers, answer.content)
        return problem if problem is not None else _read_items(_json(answer.content), count)

    def _call(
        self, method: str, path: str, data: bytes | None
    ) -> requests.Response | NotTaken | Ambiguous:
        try:
            return self._session.request(
                method, self._messages + path, data=data, timeout=self._timeout,
                allow_redirects=False,
            )  # fmt: skip
        except requests.ConnectionError as error:
            if _before_sending(error):
                return NotTaken("no connection to Mitto")
            return Ambiguous("the connection broke before an answer")
        except requests.Timeout:
            return Ambiguous("no answer in time")
        except requests.RequestException as error:
            return Ambiguous(f"the answer cannot be read ({type(error).__name__})")


def _before_sending(error: requests.ConnectionError) -> bool:
    """Whether the failure came before a byte of the request was sent."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    cause: Any = error.args[0] if error.args else None
    if isinstance(cause, MaxRetryError):
        cause = cause.reason
    early = (NewConnectionError, NameResolutionError, ConnectTimeoutError)
    # A TLS failure is early only while no certificate was agreed on, which is before the request.
    return isinstance(cause, early) or (
        isinstance(cause, SSLError) and isinstance(error, requests.exceptions.SSLError)
    )


def read_status(code: int, headers: Mapping[str, str], content: bytes) -> StatusResult:
    """What an answer to a status query means."""
    if code == 404:
        return NotFound()
    problem = _problem(code, headers, content)
    if problem is not None:
        return problem
    body = _json(content)
    if not isinstance(body, dict):
        return Ambiguous("the answer cannot be read")
    return MessageReport(
        str(body.get("deliveryStatus") or ""),
        mask(str(body.get("description") or "")),
        parse_time(str(body.get("updatedAt") or "")),
    )


def _problem(
    code: int, headers: Mapping[str, str], content: bytes
) -> Refused | NotTaken | Ambiguous | None:
    if code == 200:
        return None
    retry_after = _retry_after(headers.get("Retry-After"))
    if code == 429 or (code == 503 and "Retry-After" in headers):
        return NotTaken(f"asks to wait, {code}", retry_after)
    if 400 <= code < 500 and code not in AMBIGUOUS_4XX:
        return Refused(code, _words(content))
    return Ambiguous(f"answered {code}")


def _read_items(body: Any, count: int) -> Accepted | Ambiguous:
    items = body.get("messages") if isinstance(body, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return Ambiguous("the answer cannot be read")
    if len(items) != count:
        return Ambiguous(f"the answer names {len(items)} messages of {count}")
    read = [
        Item(str(item["messageId"])) if item.get("messageId")
        else Item(None, mask(str(item.get("error") or item.get("message") or "refused"))[:500])
        for item in items
    ]  # fmt: skip
    ids = [item.message_id for item in read if item.message_id]
    if len(set(ids)) != len(ids):
        return Ambiguous("the answer names a message twice")
    bulk_id = body.get("bulkId")
    return Accepted(read, str(bulk_id)[:64] if bulk_id else None)


def _json(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None


def _words(content: bytes) -> str:
    body = _json(content)
    if isinstance(body, dict):
        words = body.get("message") or body.get("error") or body.get("errors") or ""
    else:
        words = content.decode(errors="replace")
    return mask(str(words))[:500]


def _retry_after(value: str | None) -> float | None:
    """Seconds to wait, from either form of the header."""
    if not value:
        return None
    try:
        wait = float(value)
    except ValueError:
        try:
            wait = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
        except (TypeError, ValueError):
            return None
    return min(max(wait, 0.0), LONGEST_RETRY_AFTER)


def mask(text: str) -> str:
    """Hide anything like a phone number."""
    return re.sub(r"\+?\d{7,}", "+•••", text)


def parse_time(text: str) -> datetime | None:
    """A provider's time, with any number of decimals, as an aware one."""
    match = re.fullmatch(r"(.+T\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)?", text)
    if not match:
        return None
    base, fraction, zone = match.groups()
    try:
        time = datetime.fromisoformat(base + (fraction or "")[:7] + (zone or "Z"))
        return time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
