"""The inbox of events from Mitto: reading what they say, and storing each once.

Receipts, replies and answers to status queries are stored here. Applying them is in `receipts.py`,
`replies.py` and `polling.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from astronote.common.sql import execute
from astronote.common.times import (
    EARLIEST_BELIEVED_TIME,
    MAX_CLOCK_ADVANCE,
    parse_time_as_utc_or_none,
)
from messaging.event_fields import (
    CODE_FIELDS,
    ID_FIELDS,
    REASON_FIELDS,
    STATUS_FIELDS,
    TIME_FIELDS,
    first_filled_field_as_text_or_empty,
)
from messaging.mitto import mask_runs_of_7_or_more_digits
from messaging.models import MessageId
from messaging.outcomes import Outcome
from messaging.statuses import (
    DELIVERED_PROVIDER_STATUSES,
    FAILED_PROVIDER_STATUSES,
    MessageStatus,
    Reason,
    WebhookEventStatus,
    WebhookEventType,
)

MAX_DEPTH = 50  # of lists and objects in an event


def message_status_or_sent_if_not_final(provider_status: str) -> MessageStatus:
    """The message status that corresponds to a provider status, in any case."""
    provider_status = provider_status.strip().lower()
    if provider_status in DELIVERED_PROVIDER_STATUSES:
        return MessageStatus.DELIVERED
    if provider_status in FAILED_PROVIDER_STATUSES:
        return MessageStatus.FAILED
    return MessageStatus.SENT


def strip_unstorable_and_dump_json(event: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """The event and its JSON, without what PostgreSQL or the JSON writer cannot store."""
    try:
        body = orjson.dumps(event, option=orjson.OPT_SORT_KEYS).decode()
    except orjson.JSONEncodeError:
        body = ""
    if not body or r"\u0000" in body:
        event = _without_nul_and_deep_nesting(event, MAX_DEPTH)
        body = orjson.dumps(event, option=orjson.OPT_SORT_KEYS).decode()
    return event, body


def _without_nul_and_deep_nesting(value: Any, depth: int) -> Any:
    """The value without NUL, halves of characters, and what is nested deeper than `depth`."""
    if isinstance(value, str):
        # Not `?`, which would make a question of it.
        whole = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return whole.replace("\0", "")
    if isinstance(value, list) and depth:
        return [_without_nul_and_deep_nesting(item, depth - 1) for item in value]
    if isinstance(value, dict) and depth:
        items = value.items()
        return {
            _without_nul_and_deep_nesting(name, 0): _without_nul_and_deep_nesting(item, depth - 1)
            for name, item in items
        }
    return None if isinstance(value, (list, dict)) else value


def sha256_hex(text: str) -> str:
    """The SHA-256 of a text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


class NewEvent(NamedTuple):
    """An event to be stored; its fields are columns of WebhookEvent."""

    event_id: str
    provider_message_id: str
    provider_status: str
    occurred_at: datetime | None
    error_code: str
    error: str
    payload: str
    status: str
    consent_request: str = ""  # of a reply: `stop`, `start` or empty

    @classmethod
    def from_receipt_or_failed_if_unreadable(cls, event: Mapping[str, Any]) -> NewEvent:
        """Read a receipt; without a message ID or a status its status is `failed`."""
        event, body = strip_unstorable_and_dump_json(event)
        provider_id = first_filled_field_as_text_or_empty(event, ID_FIELDS)[:64]
        provider_status = first_filled_field_as_text_or_empty(event, STATUS_FIELDS).lower()[:40]
        if not (provider_id and provider_status):
            return cls(
                f"unreadable:{sha256_hex(body)}",
                provider_id,
                provider_status,
                None,
                "",
                "no message id or no status",
                body,
                WebhookEventStatus.FAILED.value,
            )
        time = first_filled_field_as_text_or_empty(event, TIME_FIELDS)
        time_or_digest = time[:40] or sha256_hex(body)[:16]
        error_code = error = ""
        if message_status_or_sent_if_not_final(provider_status) == MessageStatus.FAILED:
            code = first_filled_field_as_text_or_empty(event, CODE_FIELDS)[:40]
            error_code = code if code.strip("0") else Reason.UNDELIVERED.value
            error = mask_runs_of_7_or_more_digits(
                first_filled_field_as_text_or_empty(event, REASON_FIELDS)
            )[:200]
        return cls(
            f"{provider_id}:{provider_status}:{time_or_digest}:{error_code}",
            provider_id,
            provider_status,
            parse_time_as_utc_or_none(time) if time else None,
            error_code,
            error,
            body,
            WebhookEventStatus.RECEIVED.value,
        )

    def outcome(self, message_id: MessageId) -> Outcome:
        """The outcome that the receipt reports for a message."""
        return Outcome(
            message_id,
            message_status_or_sent_if_not_final(self.provider_status),
            None,
            self.error_code,
            self.error,
            self.provider_status,
            self.occurred_at,
        )


def insert_events_not_stored_yet(events: Sequence[NewEvent], event_type: WebhookEventType) -> int:
    """Store events that are not stored yet; return how many.

    The times of replies are kept as claimed, those of receipts only if they are plausible.
    """
    if not events:
        return 0
    # One JSON text: encoding an array for each column costs more than it saves the server.
    body = orjson.dumps(
        [event._asdict() | {"payload": orjson.Fragment(event.payload)} for event in events]
    )
    return execute(
        INSERT_EVENTS,
        {
            "type": event_type.value,
            "keep_times": event_type == WebhookEventType.INBOUND,
            "earliest": EARLIEST_BELIEVED_TIME,
            "advance": MAX_CLOCK_ADVANCE,
            "events": body.decode(),
        },
    )


# What `is_plausible_time` says, by PostgreSQL's clock, which also gives the time of arrival.
INSERT_EVENTS = """
    INSERT INTO messaging_webhookevent
        (provider, event_type, event_id, provider_message_id, provider_status, occurred_at,
        error_code, error, payload, status, consent_request)
    SELECT 'mitto', %(type)s, event_id, provider_message_id, provider_status,
        CASE WHEN %(keep_times)s OR occurred_at BETWEEN %(earliest)s AND now() + %(advance)s
            THEN occurred_at END,
        error_code, error, payload, status, consent_request
    FROM jsonb_to_recordset(%(events)s::jsonb) AS t (
        event_id text, provider_message_id text, provider_status text, occurred_at timestamptz,
        error_code text, error text, payload jsonb, status text, consent_request text)
    ON CONFLICT (provider, event_id) DO NOTHING
"""
