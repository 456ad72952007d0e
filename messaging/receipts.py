"""Delivery receipts: the inbox that webhooks write to, and applying it in bulk."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import orjson
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from contacts import jobs
from contacts.locks import only_one
from messaging import outcomes
from messaging.mitto import mask, parse_time
from messaging.models import (
    BatchStatus,
    MessageStatus,
    OutboundMessage,
    ReservationStatus,
    WebhookEvent,
    WebhookEventStatus,
    WebhookEventType,
    message_classes,
)
from messaging.outcomes import Outcome
from messaging.together import Together

log = logging.getLogger(__name__)

APPLY_RECEIPTS = "messaging.tasks.apply_receipts"
CHUNK = 5000
WAKE_KEY, WAKE_SECONDS = "astronote:receipts-waiting", 5
GATHER_SECONDS = 0.5
# A receipt may overtake the answer that tells us its message's id, and that answer may be late.
FIRST_RETRY, GIVE_UP = timedelta(seconds=5), timedelta(hours=1)
# By then every call that was under way has ended, and its messages have their ids.
CALLS_ARE_OVER = timedelta(minutes=5)

# Mitto's words and those of carriers that it passes on (behaviours, rules 17 and 19). A word in
# neither set is not final.
DELIVERED_WORDS = {"delivered", "delivrd", "completed", "ok"}
FAILED_WORDS = {
    "failure",
    "failed",
    "undelivered",
    "undeliv",
    "undeliverable",
    "expired",
    "rejected",
    "rejectd",
    "deleted",
    "error",
}
# Names of a field in the messaging family's JSON and in templates of the classic one (Mitto,
# sections 3 and 6).
ID_FIELDS = ("messageId", "id", "msgid")
WORD_FIELDS = ("deliveryStatus", "status")
TIME_FIELDS = ("updatedAt", "timestamp", "sendtimestamp", "sendtime")
CODE_FIELDS = ("errorcode", "errorCode")
REASON_FIELDS = ("description", "error")
RECEIVER_FIELDS = ("destination", "receiver", "to")


def status_of(word: str) -> str:
    """The message status that a provider's word stands for."""
    word = word.strip().lower()
    if word in DELIVERED_WORDS:
        return MessageStatus.DELIVERED
    if word in FAILED_WORDS:
        return MessageStatus.FAILED
    return MessageStatus.SENT


def field(event: Mapping[str, Any], names: Sequence[str]) -> str:
    """The first of these fields that the event has, as text; empty if none."""
    for name in names:
        value = event.get(name)
        if isinstance(value, (str, int)) and value != "":
            return str(value).strip()
    return ""


def time_of(event: Mapping[str, Any]) -> datetime | None:
    """The provider's time of an event: ISO, or seconds or milliseconds since 1970."""
    text = field(event, TIME_FIELDS)
    if text.isascii() and text.isdigit() and len(text) in (10, 13):
        return datetime.fromtimestamp(int(text) / (1 if len(text) == 10 else 1000), UTC)
    return parse_time(text)


def as_json(event: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """The event and its JSON, without the NUL characters that PostgreSQL cannot keep."""
    body = orjson.dumps(event, option=orjson.OPT_SORT_KEYS).decode()
    if r"\u0000" in body:
        event = _without_nul(event)
        body = orjson.dumps(event, option=orjson.OPT_SORT_KEYS).decode()
    return event, body


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, list):
        return [_without_nul(each) for each in value]
    if isinstance(value, dict):
        return {_without_nul(name): _without_nul(each) for name, each in value.items()}
    return value


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class InboxRow(NamedTuple):
    """A receipt as it is stored."""

    event_id: str
    provider_message_id: str
    word: str
    occurred_at: datetime | None
    error_code: str
    error: str
    payload: str
    status: str

    @classmethod
    def read(cls, event: Mapping[str, Any]) -> InboxRow:
        """What an event says, whichever family's names it uses."""
        event, body = as_json(event)
        provider_id, word = field(event, ID_FIELDS)[:64], field(event, WORD_FIELDS).lower()[:40]
        when = field(event, TIME_FIELDS)[:40]
        which = when or digest(body)[:16]
        if not (provider_id and word):
            return cls(
                f"unreadable:{digest(body)}", provider_id, word, None, "",
                "no message id or no status", body, WebhookEventStatus.FAILED.value,
            )  # fmt: skip
        failed = status_of(word) == MessageStatus.FAILED
        code = (field(event, CODE_FIELDS)[:40] or "undelivered") if failed else ""
        return cls(
            f"{provider_id}:{word}:{which}:{code}",
            provider_id,
            word,
            time_of(event),
            code,
            mask(field(event, REASON_FIELDS))[:200] if failed else "",
            body,
            WebhookEventStatus.RECEIVED.value,
        )

    def outcome(self, message_id: int) -> Outcome:
        """What it makes of a message."""
        return Outcome(
            message_id, status_of(self.word), None, self.error_code, self.error, self.word,
            self.occurred_at,
        )  # fmt: skip


def store(events: Iterable[Mapping[str, Any]]) -> None:
    """Keep delivery receipts as they came, each once.

    One insert, whatever their number, and one for all requests of a moment; a job that applies them
    is enqueued.
    """
    rows = [InboxRow.read(event) for event in events]
    if rows:
        _store_together(rows)


def _store(rows: list[InboxRow]) -> None:
    if insert(rows, WebhookEventType.RECEIPT) and jobs.first_in(WAKE_KEY, WAKE_SECONDS):
        jobs.enqueue("delivery_status_poller", APPLY_RECEIPTS)


_store_together = Together(_store)


def insert(rows: Sequence[InboxRow], event_type: WebhookEventType) -> int:
    """Write rows that are not known yet; return how many."""
    if not rows:
        return 0
    # As one JSON text: eight arrays cost the client more than the server saves.
    body = orjson.dumps([row._asdict() | {"payload": orjson.Fragment(row.payload)} for row in rows])
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [event_type.value, body.decode()])
        return cursor.rowcount


INSERT = """
    INSERT INTO messaging_webhookevent
        (provider, event_type, event_id, provider_message_id, word, occurred_at, error_code, error,
        payload, status)
    SELECT 'mitto', %s, t.*
    FROM jsonb_to_recordset(%s::jsonb) AS t (
        event_id text, provider_message_id text, word text, occurred_at timestamptz,
        error_code text, error text, payload jsonb, status text)
    ON CONFLICT (provider, event_id) DO NOTHING
"""


def apply_waiting() -> dict[str, int]:
    """Apply every receipt that waits; those whose message is not known yet are tried again later.

    Returns:
        Counts of receipts applied, still waiting and given up as unmatched.
    """
    counts = {"applied": 0, "waiting": 0, "unmatched": 0}
    # One at a time: two would wait for each other's messages and counters.
    with only_one("receipts", wait=True):
        jobs.forget(WAKE_KEY)
        last_id, size = 0, CHUNK
        # What comes while a chunk that was not full is applied has a job of its own by now.
        while size == CHUNK:
            last_id, size = _apply_chunk(after=last_id, counts=counts)
    return counts


class Receipt(NamedTuple):
    """A receipt that no message has claimed yet."""

    id: int
    provider_message_id: str
    word: str
    at: datetime
    error_code: str
    error: str
    received_at: datetime

    def outcome(self, message_id: int) -> Outcome:
        """What it makes of a message that had no provider's id."""
        return Outcome(
            message_id, status_of(self.word), self.provider_message_id, self.error_code, self.error,
            self.word, self.at,
        )  # fmt: skip


def _apply_chunk(*, after: int, counts: dict[str, int]) -> tuple[int, int]:
    """Apply the next receipts in one transaction; return the last one's id, and how many."""
    now = timezone.now()
    with transaction.atomic():
        waiting = WebhookEvent.objects.filter(
            status=WebhookEventStatus.RECEIVED, event_type=WebhookEventType.RECEIPT, pk__gt=after
        )
        ids = list(waiting.order_by("pk").values_list("pk", flat=True)[:CHUNK])
        if not ids:
            return after, 0
        due = {"after": after, "last": ids[-1], "now": now}
        for model in message_classes():
            outcomes.record_from(model, DUE, due)
        with connection.cursor() as cursor:
            cursor.execute(MARK_APPLIED.format(has_message=_has_message()), due)
            applied = cursor.rowcount
        counts["applied"] += applied
        if applied < len(ids):
            _keep_strangers(waiting.filter(pk__lte=ids[-1]), now, counts)
    return ids[-1], len(ids)


def _words(words: Iterable[str]) -> str:
    return ", ".join(f"'{word}'" for word in sorted(words))


# Receipts of a class's messages, as outcomes; what they say is read at the door. LIMIT has each
# message looked up by its id. Joined, they are found by reading all that have one while statistics
# are older than the campaign: those count its messages when none had.
DUE = f"""
    SELECT m.id, CASE WHEN e.word IN ({_words(DELIVERED_WORDS)}) THEN 'delivered'
            WHEN e.word IN ({_words(FAILED_WORDS)}) THEN 'failed' ELSE 'sent' END AS status,
        NULL::text AS provider_message_id, e.error_code, e.error, e.word,
        COALESCE(e.occurred_at, e.received_at) AS at
    FROM messaging_webhookevent e, LATERAL (
        SELECT id FROM {{table}} WHERE provider_message_id = e.provider_message_id LIMIT 1) m
    WHERE e.status = 'received' AND e.event_type = 'dlr' AND e.id > %(after)s AND e.id <= %(last)s
        AND (e.retry_at IS NULL OR e.retry_at <= %(now)s)
"""
MARK_APPLIED = """
    UPDATE messaging_webhookevent e SET status = 'processed', processed_at = now()
    WHERE e.status = 'received' AND e.event_type = 'dlr' AND e.id > %(after)s AND e.id <= %(last)s
        AND (e.retry_at IS NULL OR e.retry_at <= %(now)s) AND ({has_message})
"""


def _has_message() -> str:
    """SQL of whether any class has the message of receipt e; looked up, as in DUE."""
    return " OR ".join(
        f"(SELECT true FROM {model._meta.db_table}"
        " WHERE provider_message_id = e.provider_message_id)"
        for model in message_classes()
    )


def _keep_strangers(left: QuerySet[WebhookEvent], now: datetime, counts: dict[str, int]) -> None:
    """What becomes of receipts that no message has claimed; those not due simply wait."""
    rows = left.filter(Q(retry_at=None) | Q(retry_at__lte=now)).values_list(
        "pk", "provider_message_id", "word", Coalesce("occurred_at", "received_at"), "error_code",
        "error", "received_at",
    )  # fmt: skip
    strange = [Receipt(*row) for row in rows]
    known = _apply_to_unknown([r for r in strange if r.received_at < now - CALLS_ARE_OVER])
    strange = [receipt for receipt in strange if receipt.id not in known]
    given_up = [receipt.id for receipt in strange if receipt.received_at < now - GIVE_UP]
    _mark(sorted(known), WebhookEventStatus.PROCESSED)
    _mark(given_up, WebhookEventStatus.UNMATCHED)
    _try_again([receipt.id for receipt in strange if receipt.received_at >= now - GIVE_UP])
    counts["applied"] += len(known)
    counts["unmatched"] += len(given_up)
    counts["waiting"] += left.count()


def _apply_to_unknown(strange: Sequence[Receipt]) -> set[int]:
    """Apply receipts of messages whose call had no answer, so that we never learnt their ids.

    A receipt that names its receiver belongs to the one unknown message to that number that was
    being sent before; if there are several, or several such ids, nobody can say. Returns the ids
    of the receipts applied.
    """
    applied: set[int] = set()
    if not strange:
        return applied
    of_id: dict[str, list[Receipt]] = {}
    for receipt in strange:
        of_id.setdefault(receipt.provider_message_id, []).append(receipt)
    ids_to: dict[str, set[str]] = {}
    payloads = WebhookEvent.objects.filter(pk__in=[receipt.id for receipt in strange])
    for provider_id, payload in payloads.values_list("provider_message_id", "payload"):
        digits = field(payload or {}, RECEIVER_FIELDS).removeprefix("+").removeprefix("00")
        if digits.isascii() and digits.isdigit():
            ids_to.setdefault(f"+{digits}", set()).add(provider_id)
    certain = {to: next(iter(ids)) for to, ids in ids_to.items() if len(ids) == 1}
    messages: dict[str, list[tuple[type[OutboundMessage], int, datetime]]] = {}
    for model in message_classes():
        for pk, to, since in (
            unknown(model).filter(to__in=certain).values_list("pk", "to", "batch__submitted_at")
        ):
            messages.setdefault(to, []).append((model, pk, since))
    for to, candidates in messages.items():
        receipts = of_id[certain[to]]
        model, pk, since = candidates[0]
        if len(candidates) > 1 or min(receipt.received_at for receipt in receipts) < since:
            continue
        outcomes.record(model, [receipt.outcome(pk) for receipt in receipts])
        applied.update(receipt.id for receipt in receipts)
    return applied


def unknown(model: type[OutboundMessage]):
    """The messages of a class whose fate nobody knows, found through the credits they hold."""
    return model.objects.filter(
        status=MessageStatus.UNKNOWN,
        batch__status=BatchStatus.SETTLED,
        batch__creditreservation__status=ReservationStatus.RESERVED,
    )


def _mark(ids: Sequence[int], status: WebhookEventStatus) -> None:
    if ids:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE messaging_webhookevent SET status = %s, processed_at = now()"
                " WHERE id = ANY(%s)",
                [status.value, list(ids)],
            )


def _try_again(ids: Sequence[int]) -> None:
    """Later and later: after half as long again as the receipt has waited."""
    if ids:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE messaging_webhookevent"
                " SET retry_at = now() + greatest(%s, (now() - received_at) / 2)"
                " WHERE id = ANY(%s)",
                [FIRST_RETRY, list(ids)],
            )
