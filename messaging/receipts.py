"""Delivery receipts: storing them, and applying them to their messages (docs/rules.md#receipts).

What a receipt says is read in `inbox.py`; which receipt decides a message's status is in
`outcomes.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce

from astronote.common.locks import advisory_lock
from astronote.common.sql import CONNECTION_ERRORS, database_now, execute, rows
from astronote.queues import jobs
from messaging import outcomes
from messaging.event_fields import RECEIVER_FIELDS, first_filled_field_as_text_or_empty
from messaging.inbox import (
    NewEvent,
    insert_events_not_stored_yet,
    message_status_or_sent_if_not_final,
)
from messaging.models import (
    MessageId,
    OutboundMessage,
    WebhookEvent,
    message_class,
    message_classes,
)
from messaging.outcomes import Outcome
from messaging.statuses import (
    DELIVERED_PROVIDER_STATUSES,
    FAILED_PROVIDER_STATUSES,
    BatchStatus,
    MessageStatus,
    ReservationStatus,
    WebhookEventStatus,
    WebhookEventType,
)
from messaging.write_coalescer import WriteCoalescer

log = logging.getLogger(__name__)

APPLY_RECEIPTS = "messaging.tasks.apply_receipts"
CHUNK_RECEIPTS = 5000
DEBOUNCE_KEY, DEBOUNCE_SECONDS = "astronote:receipts-waiting", 5
# A receipt may arrive before the answer with its message's ID, and that answer may be late.
MIN_RETRY_DELAY, MAX_RETRY_AGE = timedelta(seconds=5), timedelta(hours=1)
# After this time the call of a receipt's message has ended, and its answer has been recorded.
MAX_CALL_DURATION = timedelta(minutes=5)


def insert_receipts_and_enqueue_job(new_events: Sequence[NewEvent]) -> None:
    """Store receipts, each once, and enqueue a job that applies them."""
    if insert_events_not_stored_yet(new_events, WebhookEventType.RECEIPT) and jobs.start_debounce(
        DEBOUNCE_KEY, DEBOUNCE_SECONDS
    ):
        jobs.enqueue_on_commit("delivery_status_poller", APPLY_RECEIPTS)


def _insert_and_reconnect_once_if_lost(new_events: list[NewEvent]) -> None:
    try:
        insert_receipts_and_enqueue_job(new_events)
    except CONNECTION_ERRORS:
        # The connection was lost since the last call: asking each time costs another statement.
        connection.close()
        insert_receipts_and_enqueue_job(new_events)


# Stores receipts as `insert_receipts_and_enqueue_job` does; concurrent calls share one insert.
store_coalesced = WriteCoalescer(_insert_and_reconnect_once_if_lost)


def apply_received_receipts() -> dict[str, int]:
    """Apply the waiting receipts; schedule a retry of those whose message is not known yet.

    Waits while another process does the same.

    Returns:
        Counts of receipts applied, waiting for a retry and given up as unmatched.
    """
    counts = {"applied": 0, "waiting": 0, "unmatched": 0}
    # One process at a time: two would wait for each other's row locks.
    with advisory_lock("receipts", wait=True):
        jobs.end_debounce(DEBOUNCE_KEY)
        last_id, chunk_size = 0, CHUNK_RECEIPTS
        # A receipt that arrives while the last chunk is applied enqueues another job.
        while chunk_size == CHUNK_RECEIPTS:
            last_id, chunk_size = _apply_next_receipts(after_id=last_id, counts=counts)
    return counts


class UnmatchedReceipt(NamedTuple):
    """A receipt for which no message with its ID is known."""

    id: int
    provider_message_id: str
    provider_status: str
    at: datetime
    error_code: str
    error: str
    received_at: datetime

    def outcome(self, message_id: MessageId) -> Outcome:
        """The outcome that the receipt reports for a message whose provider ID is not known."""
        return Outcome(
            message_id,
            message_status_or_sent_if_not_final(self.provider_status),
            self.provider_message_id,
            self.error_code,
            self.error,
            self.provider_status,
            self.at,
        )


class AppliedChunk(NamedTuple):
    """A chunk of receipts that were applied: the ID of its last one, and how many it had."""

    last_id: int
    size: int


def _apply_next_receipts(*, after_id: int, counts: dict[str, int]) -> AppliedChunk:
    """Apply the next receipts in one transaction and add to `counts`."""
    now = database_now()
    with transaction.atomic():
        groups = [
            NextReceipts(*row)
            for row in rows(
                NEXT_RECEIPTS.format(messages=_messages_of_receipt_e_sql()),
                {"after": after_id, "now": now, "count": CHUNK_RECEIPTS},
            )
        ]
        if not groups:
            return AppliedChunk(after_id, 0)
        last_id = max(group.last_id for group in groups)
        # Exactly these are applied and marked: another receipt's message may get its ID meanwhile.
        for group in groups:
            if group.batch_kind is not None:
                _lock_batches_apply_and_mark_processed(group)
                counts["applied"] += group.size
        if any(group.batch_kind is None for group in groups):
            unmatched = WebhookEvent.objects.filter(
                status=WebhookEventStatus.RECEIVED,
                event_type=WebhookEventType.RECEIPT,
                pk__gt=after_id,
                pk__lte=last_id,
            )
            _apply_retry_or_give_up_unmatched(unmatched, now, counts)
    return AppliedChunk(last_id, sum(group.size for group in groups))


class NextReceipts(NamedTuple):
    """Receipts whose messages are of one class; of those with the kind None none is known.

    The IDs are PostgreSQL's arrays as text: thousands go back in other statements as they came.
    """

    batch_kind: str | None
    size: int
    last_id: int
    ids: str
    message_ids: str
    batch_ids: str


def _lock_batches_apply_and_mark_processed(receipts: NextReceipts) -> None:
    assert receipts.batch_kind is not None
    execute(LOCK_BATCHES_BY_ID, [receipts.batch_ids])
    outcomes.record_sql_outcomes_and_settle_credits(
        message_class(receipts.batch_kind),
        MATCHED_RECEIPTS,
        {"ids": receipts.ids, "message_ids": receipts.message_ids},
        batches_locked=True,
    )
    execute(MARK_EVENTS, [WebhookEventStatus.PROCESSED.value, receipts.ids])


def _quoted_list_sql(values: Iterable[str]) -> str:
    return ", ".join(f"'{value}'" for value in sorted(values))


# The next receipts, each that is due with its message. LIMIT 1 makes PostgreSQL look up each
# message by its ID. A plain join may read all: statistics older than the campaign say that no
# message has an ID.
NEXT_RECEIPTS = """
    WITH next AS (
        SELECT e.id, m.kind, m.id AS message_id, m.batch_id
        FROM messaging_webhookevent e LEFT JOIN LATERAL ({messages} LIMIT 1) m
            ON e.retry_at IS NULL OR e.retry_at <= %(now)s
        WHERE e.status = 'received' AND e.event_type = 'dlr' AND e.id > %(after)s
        ORDER BY e.id LIMIT %(count)s
    )
    SELECT kind, count(*), max(id), array_agg(id)::text, array_agg(message_id)::text,
        array_agg(DISTINCT batch_id)::text
    FROM next GROUP BY kind ORDER BY kind
"""
LOCK_BATCHES_BY_ID = """
    SELECT FROM messaging_batch WHERE id = ANY(%s::bigint[]) ORDER BY id FOR NO KEY UPDATE
"""
# Receipts as outcomes for their messages of one class. ANY makes PostgreSQL look up each event: it
# would read them all to join them with a list of IDs.
MATCHED_RECEIPTS = f"""
    SELECT t.message_id AS id,
        CASE WHEN e.provider_status IN ({_quoted_list_sql(DELIVERED_PROVIDER_STATUSES)})
                THEN 'delivered'
            WHEN e.provider_status IN ({_quoted_list_sql(FAILED_PROVIDER_STATUSES)}) THEN 'failed'
            ELSE 'sent' END AS status,
        NULL::text AS provider_message_id, e.error_code, e.error, e.provider_status,
        COALESCE(e.occurred_at, e.received_at) AS at
    FROM unnest(%(ids)s::bigint[], %(message_ids)s::bigint[]) AS t (event_id, message_id)
    JOIN messaging_webhookevent e ON e.id = t.event_id
    WHERE e.id = ANY(%(ids)s::bigint[])
"""


def _messages_of_receipt_e_sql() -> str:
    """SQL for the messages of any class that have the ID of receipt e."""
    return " UNION ALL ".join(
        f"SELECT '{model.batch_kind}' AS kind, id, batch_id FROM {model._meta.db_table}"
        " WHERE provider_message_id = e.provider_message_id"
        for model in message_classes()
    )


def _apply_retry_or_give_up_unmatched(
    unmatched: QuerySet[WebhookEvent], now: datetime, counts: dict[str, int]
) -> None:
    """Apply unmatched receipts to unknown messages, give up old ones, retry the others later.

    Receipts whose retry is not due yet are not changed.
    """
    due_rows = unmatched.filter(Q(retry_at=None) | Q(retry_at__lte=now)).values_list(
        "pk",
        "provider_message_id",
        "provider_status",
        Coalesce("occurred_at", "received_at"),
        "error_code",
        "error",
        "received_at",
    )
    due = [UnmatchedReceipt(*row) for row in due_rows]
    applied = _apply_to_unknown_by_number_if_unambiguous(
        [r for r in due if r.received_at < now - MAX_CALL_DURATION]
    )
    still_unmatched = [receipt for receipt in due if receipt.id not in applied]
    oldest_retried = now - MAX_RETRY_AGE
    given_up = [r.id for r in still_unmatched if r.received_at < oldest_retried]
    _mark_events_processed_with_status(sorted(applied), WebhookEventStatus.PROCESSED)
    _mark_events_processed_with_status(given_up, WebhookEventStatus.UNMATCHED)
    _schedule_retry_after_half_of_age(
        [r.id for r in still_unmatched if r.received_at >= oldest_retried]
    )
    counts["applied"] += len(applied)
    counts["unmatched"] += len(given_up)
    counts["waiting"] += unmatched.count()


class UnknownMessage(NamedTuple):
    """An unknown message, and when its batch was submitted."""

    model: type[OutboundMessage]
    id: MessageId
    submitted_at: datetime


def _apply_to_unknown_by_number_if_unambiguous(unmatched: Sequence[UnmatchedReceipt]) -> set[int]:
    """Apply receipts to unknown messages, whose provider IDs we do not know.

    A receipt that names its receiver belongs to the unknown message to that number, if that message
    was submitted before. If there are several such messages, or receipts with several IDs, they
    cannot be told apart and nothing is applied. Returns the IDs of the receipts applied.
    """
    applied: set[int] = set()
    if not unmatched:
        return applied
    receipts_by_provider_id: dict[str, list[UnmatchedReceipt]] = {}
    for receipt in unmatched:
        receipts_by_provider_id.setdefault(receipt.provider_message_id, []).append(receipt)
    provider_ids_by_number: dict[str, set[str]] = {}
    payloads = WebhookEvent.objects.filter(pk__in=[receipt.id for receipt in unmatched])
    for provider_id, payload in payloads.values_list("provider_message_id", "payload"):
        digits = (
            first_filled_field_as_text_or_empty(payload or {}, RECEIVER_FIELDS)
            .removeprefix("+")
            .removeprefix("00")
        )
        if digits.isascii() and digits.isdigit():
            provider_ids_by_number.setdefault(f"+{digits}", set()).add(provider_id)
    provider_id_by_number = {
        number: next(iter(ids)) for number, ids in provider_ids_by_number.items() if len(ids) == 1
    }
    messages_by_number: dict[str, list[UnknownMessage]] = {}
    for model in message_classes():
        for pk, number, submitted_at in (
            unknown_messages_holding_credits(model)
            .filter(to__in=provider_id_by_number)
            .values_list("pk", "to", "batch__submitted_at")
        ):
            assert submitted_at is not None  # a message is unknown only after a call
            messages_by_number.setdefault(number, []).append(
                UnknownMessage(model, pk, submitted_at)
            )
    for number, messages in messages_by_number.items():
        receipts = receipts_by_provider_id[provider_id_by_number[number]]
        message = messages[0]
        first_received_at = min(receipt.received_at for receipt in receipts)
        if len(messages) > 1 or first_received_at < message.submitted_at:
            continue
        outcomes.record_outcomes_and_settle_credits(
            message.model, [receipt.outcome(message.id) for receipt in receipts]
        )
        applied.update(receipt.id for receipt in receipts)
    return applied


def unknown_messages_holding_credits(model: type[OutboundMessage]) -> QuerySet[OutboundMessage]:
    """The unknown messages of a class whose credits are still held.

    The reservations make the query fast: few are open, and messages have no index on status.
    """
    return model.objects.filter(
        status=MessageStatus.UNKNOWN,
        batch__status=BatchStatus.SETTLED,
        batch__creditreservation__status=ReservationStatus.RESERVED,
    )


def _mark_events_processed_with_status(
    event_ids: Sequence[int], status: WebhookEventStatus
) -> None:
    if event_ids:
        execute(MARK_EVENTS, [status.value, list(event_ids)])


MARK_EVENTS = """
    UPDATE messaging_webhookevent SET status = %s, processed_at = now() WHERE id = ANY(%s::bigint[])
"""


def _schedule_retry_after_half_of_age(event_ids: Sequence[int]) -> None:
    """Retry receipts after half of their age, at least MIN_RETRY_DELAY."""
    if event_ids:
        execute(SCHEDULE_RETRY, [MIN_RETRY_DELAY, list(event_ids)])


SCHEDULE_RETRY = """
    UPDATE messaging_webhookevent
    SET retry_at = now() + greatest(%s, (now() - received_at) / 2)
    WHERE id = ANY(%s)
"""
