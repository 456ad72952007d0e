"""Outcomes of messages: the only code that changes a message's status.

Sending, receipts, status queries, repairs and operators record outcomes here, many at a time. The
same transaction settles credits, updates tallies and reports to the message class. What decides an
outcome is in `sending.py`, `receipts.py`, `polling.py` and `unknown_messages.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import transaction

from astronote.accounts.models import StoreId
from astronote.common.sql import Parameters, array_literal, execute, rows
from messaging import credits, tallies
from messaging.models import BatchId, MessageCount, MessageId, OutboundMessage, StatusChange
from messaging.statuses import (
    ACCEPTED_STATUSES,
    FINAL_STATUSES,
    UNCHARGED_STATUSES,
    MessageStatus,
    TallyEvent,
)


class Outcome(NamedTuple):
    """What became of one message.

    `provider_status` is Mitto's status and `at` Mitto's time of it; both are empty for outcomes
    that we decide. An outcome whose transition is not allowed changes nothing.
    """

    message_id: MessageId
    status: str
    provider_message_id: str | None = None
    error_code: str = ""
    error: str = ""
    provider_status: str = ""
    at: datetime | None = None


class ChangedMessages(NamedTuple):
    """Messages of one batch that changed in the same way: how many, and their parts in total.

    The status may be the same before and after: a later receipt can change its time or error code.
    Slots and details are the tallies that count the messages before and after.
    """

    owner_id: StoreId
    batch_id: BatchId
    source_id: int | None
    status_before: str
    slot_before: datetime | None
    detail_before: str
    status: str
    slot: datetime | None
    detail: str
    accepted_slot: datetime | None  # only if they are accepted for the first time
    messages: int
    parts: int


def record_outcomes_and_settle_credits(
    message_class: type[OutboundMessage],
    outcomes: Sequence[Outcome],
    *,
    batches_locked: bool = False,
) -> MessageCount:
    """Record outcomes and settle their credits and counters.

    Args:
        message_class: the class of all the messages.
        outcomes: in any order; a message may have several.
        batches_locked: whether the caller holds the row locks of the messages' batches.

    Returns:
        How many messages changed status.
    """
    if not outcomes:
        return 0
    return record_sql_outcomes_and_settle_credits(
        message_class, *_build_query_of_outcomes(outcomes), batches_locked=batches_locked
    )


def record_mostly_first_outcomes_and_settle_credits(
    message_class: type[OutboundMessage], outcomes: Sequence[Outcome]
) -> MessageCount:
    """Record outcomes of queued messages, and settle their credits and counters.

    Costs less than `record_outcomes_and_settle_credits`. The caller holds the row locks of the
    messages' batches.

    Args:
        message_class: the class of all the messages.
        outcomes: one a message, without a status of Mitto. Those of messages that are not queued
            any more are recorded as any others.

    Returns:
        How many messages changed status.
    """
    if not outcomes:
        return 0
    query, params = _build_query_of_outcomes(outcomes)
    changed = _record_and_get_changed(RECORD_FIRST_OUTCOMES, message_class, query, params)
    count = _settle_credits_and_counters(message_class, changed)
    if count < len(outcomes):
        count += record_sql_outcomes_and_settle_credits(
            message_class, query, params, batches_locked=True
        )
    return count


def _build_query_of_outcomes(outcomes: Sequence[Outcome]) -> tuple[str, list[Any]]:
    """An SQL query that selects the outcomes, and its parameters.

    A value that all outcomes share is passed once: repeating it costs as much as passing different
    values.
    """
    columns = list(zip(*outcomes, strict=True))
    shared = {
        name: column[0]
        for name, column in zip(OUTCOME_COLUMNS, columns, strict=True)
        if name != "id" and len(set(column)) == 1
    }
    arrays = {
        name: array_literal(column)
        for name, column in zip(OUTCOME_COLUMNS, columns, strict=True)
        if name not in shared
    }
    selected = ", ".join(
        f"(%s)::{sql_type} AS {name}" if name in shared else name
        for name, sql_type in OUTCOME_COLUMNS.items()
    )
    unnested = ", ".join(f"(%s)::{OUTCOME_COLUMNS[name]}[]" for name in arrays)
    query = f"SELECT {selected} FROM unnest({unnested}) AS t ({', '.join(arrays)})"
    return query, [*shared.values(), *arrays.values()]


# The columns of Outcome, with their SQL types.
OUTCOME_COLUMNS = {
    "id": "bigint",
    "status": "text",
    "provider_message_id": "text",
    "error_code": "text",
    "error": "text",
    "provider_status": "text",
    "at": "timestamptz",
}


def record_sql_outcomes_and_settle_credits(
    message_class: type[OutboundMessage],
    outcomes_query: str,
    params: Parameters,
    *,
    batches_locked: bool = False,
) -> MessageCount:
    """Record the outcomes that an SQL query selects and settle their credits and counters.

    Of several outcomes of one message, one is recorded, whatever their order: a final status wins
    over another, then the later by Mitto's time. Rows are locked in this order: batches (by ID,
    instead of their messages), reservations, wallets, campaigns, tallies.

    Args:
        message_class: the class of all the messages.
        outcomes_query: selects OUTCOME_COLUMNS; `{table}` in it stands for the class's table.
        params: its parameters.
        batches_locked: whether the caller holds the row locks of the messages' batches.

    Returns:
        How many messages changed status.
    """
    table = message_class._meta.db_table
    query = outcomes_query.format(table=table)
    with transaction.atomic(savepoint=False):
        if not batches_locked:
            execute(LOCK_BATCHES.format(table=table, query=query), params)
        changed = _record_and_get_changed(RECORD_OUTCOMES, message_class, query, params)
        return _settle_credits_and_counters(message_class, changed)


def _record_and_get_changed(
    statement: str, message_class: type[OutboundMessage], query: str, params: Parameters
) -> list[ChangedMessages]:
    statement = statement.format(table=message_class._meta.db_table, query=query)
    return [ChangedMessages(*row) for row in rows(statement, params)]


def _settle_credits_and_counters(
    message_class: type[OutboundMessage], changed: list[ChangedMessages]
) -> MessageCount:
    """Settle the credits and counters of changed messages; return how many changed status."""
    moved = [group for group in changed if group.status_before != group.status]
    _update_awaiting_receipt_counts_of_batches(moved)
    _charge_accepted_and_release_unsent(moved)
    _notify_message_class_of_changes(message_class, moved)
    _move_between_tallies(message_class.batch_kind, changed)
    return sum(group.messages for group in moved)


def _update_awaiting_receipt_counts_of_batches(moved: list[ChangedMessages]) -> None:
    """Update each batch's number of sent messages that have no final receipt."""
    deltas: Counter[BatchId] = Counter()
    for group in moved:
        deltas[group.batch_id] += group.messages * (
            (group.status == MessageStatus.SENT) - (group.status_before == MessageStatus.SENT)
        )
    ids = sorted(batch_id for batch_id, delta in deltas.items() if delta)
    if ids:
        execute(UPDATE_AWAITING, [ids, [deltas[batch_id] for batch_id in ids]])


UPDATE_AWAITING = """
    UPDATE messaging_batch b SET awaiting = b.awaiting + t.delta
    FROM unnest(%s::bigint[], %s::int[]) AS t (id, delta) WHERE b.id = t.id
"""


def _charge_accepted_and_release_unsent(moved: list[ChangedMessages]) -> None:
    """Charge what Mitto accepted and release what will not be sent; unknown messages stay held."""
    charges: Counter[tuple[StoreId, BatchId]] = Counter()
    releases: Counter[tuple[StoreId, BatchId]] = Counter()
    for group in moved:
        if group.status_before in UNCHARGED_STATUSES and group.status not in UNCHARGED_STATUSES:
            parts = charges if group.status in ACCEPTED_STATUSES else releases
            parts[group.owner_id, group.batch_id] += group.parts
    for key in sorted(charges.keys() | releases.keys()):
        credits.settle_reservation(*key, charge=charges[key], release=releases[key])


def _notify_message_class_of_changes(
    message_class: type[OutboundMessage], moved: list[ChangedMessages]
) -> None:
    """Report the status changes to the message class, which has counters of its own."""
    messages: Counter[tuple[int | None, str, str]] = Counter()
    for group in moved:
        messages[group.source_id, group.status_before, group.status] += group.messages
    if messages:
        message_class.on_outcomes_changed(
            [StatusChange(*key, count) for key, count in messages.items()]
        )


def _move_between_tallies(kind: str, changed: list[ChangedMessages]) -> None:
    """Count the messages in their new tallies and subtract them from their earlier ones."""
    counts: Counter[tallies.TallyKey] = Counter()
    for group in changed:
        source = (group.owner_id, kind, group.source_id)
        if group.accepted_slot:
            accepted = TallyEvent.ACCEPTED.value
            counts[tallies.TallyKey(*source, group.accepted_slot, accepted, "")] += group.messages
        if group.slot_before:
            before = (group.slot_before, group.status_before, group.detail_before)
            counts[tallies.TallyKey(*source, *before)] -= group.messages
        if group.slot:
            after = (group.slot, group.status, group.detail)
            counts[tallies.TallyKey(*source, *after)] += group.messages
    tallies.add_to_tallies(counts)


# docs/rules.md#message-status-transitions. Between final statuses Mitto's time decides, below.
ALLOWED_TRANSITIONS = {
    MessageStatus.QUEUED: (
        MessageStatus.SENT,
        MessageStatus.FAILED,
        MessageStatus.SKIPPED,
        MessageStatus.UNKNOWN,
    ),
    MessageStatus.SENT: (MessageStatus.DELIVERED, MessageStatus.FAILED),
    MessageStatus.UNKNOWN: (MessageStatus.SENT, MessageStatus.DELIVERED, MessageStatus.FAILED),
}
_TRANSITIONS = ", ".join(
    f"('{before.value}', '{after.value}')"
    for before, allowed in ALLOWED_TRANSITIONS.items()
    for after in allowed
)
_FIRST = ", ".join(f"'{status.value}'" for status in ALLOWED_TRANSITIONS[MessageStatus.QUEUED])
_FINAL = ", ".join(f"'{status.value}'" for status in FINAL_STATUSES)

# Code that changes messages locks their batches: one row instead of up to a thousand, and the
# messages need no order.
LOCK_BATCHES = """
    SELECT FROM messaging_batch
    WHERE id = ANY(ARRAY(
        SELECT DISTINCT (SELECT batch_id FROM {table} WHERE id = o.id) FROM ({query}) o))
    ORDER BY id
    FOR NO KEY UPDATE
"""
# A queued message has no time and no ID of Mitto yet, so what it was before need not be read.
RECORD_FIRST_OUTCOMES = f"""
    WITH changed AS (
        UPDATE {{table}} m SET
            status = o.status,
            provider_message_id = o.provider_message_id,
            error_code = o.error_code,
            last_error = o.error,
            sent_at = CASE o.status WHEN 'sent' THEN now() END,
            failed_at = CASE o.status WHEN 'failed' THEN now() END
        FROM ({{query}}) o
        WHERE m.id = o.id AND m.status = 'queued' AND o.status IN ({_FIRST})
        RETURNING m.owner_id, m.batch_id, m.status, m.error_code, m.segments
    ), counted AS (
        SELECT owner_id, batch_id, status, error_code,
            count(*) AS messages, sum(segments) AS parts
        FROM changed
        GROUP BY 1, 2, 3, 4
    )
    SELECT c.owner_id, c.batch_id, b.source_id, 'queued', NULL, '', c.status,
        CASE WHEN c.status IN ('failed', 'skipped')
            THEN {tallies.five_minute_slot_start_sql("now()")} END,
        c.error_code,
        CASE c.status WHEN 'sent' THEN {tallies.five_minute_slot_start_sql("now()")} END,
        c.messages, c.parts
    FROM counted c JOIN messaging_batch b ON b.id = c.batch_id
    ORDER BY 1, 2
"""
# Messages are found and joined by primary key only: with a condition on status as well, the planner
# joins the whole batch with itself when its statistics are stale.
# Between statuses that Mitto reported, Mitto's time decides, whatever the order of arrival: the
# latest final status holds, and no other status changes it. At equal times `failed` wins.
RECORD_OUTCOMES = f"""
    WITH incoming AS (
        SELECT DISTINCT ON (id) * FROM ({{query}}) o
        ORDER BY id, status IN ({_FINAL}) DESC, at DESC, status DESC, provider_status DESC,
            error_code DESC, error DESC
    ), compared AS (
        SELECT i.*, m.status AS status_before, m.sent_at AS sent_before,
            m.error_code AS code_before, m.delivered_at AS delivered_before,
            m.failed_at AS failed_before,
            (m.status, i.status) IN ({_TRANSITIONS}) OR (
                m.status IN ({_FINAL}) AND i.status IN ({_FINAL})
                AND m.provider_message_id IS NOT NULL AND i.provider_status <> ''
                AND (i.at, i.status, i.provider_status, i.error_code, i.error) > (
                    COALESCE(m.delivery_status_at, '-infinity'), m.status, m.delivery_status,
                    m.error_code, m.last_error)
            ) AS is_outcome,
            m.status = 'sent' AND i.status = 'sent' AND i.provider_status <> ''
                AND (i.at, i.provider_status) > (
                    COALESCE(m.delivery_status_at, '-infinity'), m.delivery_status
                ) AS is_later_report
        FROM {{table}} m JOIN incoming i ON i.id = m.id
    ), changed AS (
        UPDATE {{table}} m SET
            status = CASE WHEN c.is_outcome THEN c.status ELSE m.status END,
            provider_message_id = COALESCE(c.provider_message_id, m.provider_message_id),
            delivery_status = CASE WHEN c.provider_status <> ''
                THEN c.provider_status ELSE m.delivery_status END,
            delivery_status_at = CASE WHEN c.provider_status <> ''
                THEN c.at ELSE m.delivery_status_at END,
            error_code = CASE WHEN c.is_outcome THEN c.error_code ELSE m.error_code END,
            last_error = CASE WHEN c.is_outcome THEN c.error ELSE m.last_error END,
            sent_at = CASE WHEN c.is_outcome AND c.status IN ('sent', 'delivered')
                THEN COALESCE(m.sent_at, now()) ELSE m.sent_at END,
            delivered_at = CASE WHEN NOT c.is_outcome THEN m.delivered_at
                WHEN c.status = 'delivered' THEN COALESCE(c.at, now()) END,
            failed_at = CASE WHEN NOT c.is_outcome THEN m.failed_at
                WHEN c.status = 'failed' THEN COALESCE(c.at, now()) END
        FROM compared c
        WHERE m.id = c.id AND (c.is_outcome OR c.is_later_report)
        RETURNING m.owner_id, m.batch_id, c.is_outcome, m.segments,
            c.status_before,
            CASE c.status_before WHEN 'delivered' THEN c.delivered_before
                WHEN 'failed' THEN c.failed_before END AS ended_before,
            CASE c.status_before WHEN 'delivered'
                THEN {tallies.delivery_wait_bound_index_sql("c.sent_before", "c.delivered_before")}
                WHEN 'failed' THEN c.code_before ELSE '' END AS detail_before,
            m.status,
            CASE m.status WHEN 'delivered' THEN m.delivered_at WHEN 'failed' THEN m.failed_at
                WHEN 'skipped' THEN now() END AS ended,
            CASE m.status
                WHEN 'delivered'
                    THEN {tallies.delivery_wait_bound_index_sql("m.sent_at", "m.delivered_at")}
                WHEN 'sent' THEN '' ELSE m.error_code END AS detail,
            CASE WHEN c.sent_before IS NULL THEN m.sent_at END AS first_sent
    ), counted AS (
        SELECT owner_id, batch_id,
            status_before, {tallies.five_minute_slot_start_sql("ended_before")} AS slot_before,
            detail_before,
            status, {tallies.five_minute_slot_start_sql("ended")} AS slot, detail,
            {tallies.five_minute_slot_start_sql("first_sent")} AS accepted_slot,
            count(*) AS messages, sum(segments) AS parts
        FROM changed
        WHERE is_outcome
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
    )
    SELECT c.owner_id, c.batch_id, b.source_id, c.status_before, c.slot_before, c.detail_before,
        c.status, c.slot, c.detail, c.accepted_slot, c.messages, c.parts
    FROM counted c JOIN messaging_batch b ON b.id = c.batch_id
    ORDER BY 1, 2
"""
