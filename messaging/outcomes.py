"""What became of messages: the one place that changes a message's status.

Sending, receipts, polling, the watchdog and operators all record outcomes here, by the set. The
same transaction settles the credits and moves the counters of whoever the messages belong to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection, transaction

from messaging import credits, tallies
from messaging.models import (
    ACCEPTED,
    NOT_CHARGED,
    MessageStatus,
    OutboundMessage,
    StatusChange,
    TallyOf,
)


class Outcome(NamedTuple):
    """What became of one message.

    `word` is the provider's own status and `at` its time of it; both are empty for outcomes that
    we decide ourselves. An outcome that the message's status does not allow changes nothing.
    """

    message_id: int
    status: str
    provider_message_id: str | None = None
    error_code: str = ""
    error: str = ""
    word: str = ""
    at: datetime | None = None


class Moved(NamedTuple):
    """So many messages, of so many parts, of one batch that changed in the same way.

    The slots and details are where tallies counted them, and where they do now.
    """

    owner_id: int
    batch_id: int
    source_id: int | None
    before: str
    slot_before: datetime | None
    detail_before: str
    after: str
    slot: datetime | None
    detail: str
    sent_slot: datetime | None  # only if they were not known to be sent before
    count: int
    parts: int


def record(
    message_class: type[OutboundMessage], outcomes: Sequence[Outcome], *, locked: bool = False
) -> int:
    """Apply outcomes of messages of one class; return how many messages changed status.

    Args:
        locked: whether the caller holds the rows of their batches.
    """
    if not outcomes:
        return 0
    return record_from(message_class, *_given(outcomes), locked=locked)


def _given(outcomes: Sequence[Outcome]) -> tuple[str, list[Any]]:
    """SQL of the outcomes as rows, and its values.

    What they have in common is passed once: a thousand times the same word takes as long to write
    down as a thousand different ones.
    """
    columns = list(zip(*outcomes, strict=True))
    shared = {
        name: column[0]
        for name, column in zip(COLUMN_TYPES, columns, strict=True)
        if name != "id" and len(set(column)) == 1
    }
    varied = {
        name: list(column)
        for name, column in zip(COLUMN_TYPES, columns, strict=True)
        if name not in shared
    }
    selected = ", ".join(
        f"(%s)::{kind} AS {name}" if name in shared else name for name, kind in COLUMN_TYPES.items()
    )
    arrays = ", ".join(f"(%s)::{COLUMN_TYPES[name]}[]" for name in varied)
    source = f"SELECT {selected} FROM unnest({arrays}) AS t ({', '.join(varied)})"
    return source, [*shared.values(), *varied.values()]


def record_from(
    message_class: type[OutboundMessage], source: str, values: Sequence, *, locked: bool = False
) -> int:
    """Apply the outcomes that an SQL query selects, with the columns of Outcome, `id` first.

    Of several of one message the one that decides is applied, whatever their order: a final word is
    stronger than another, and the later by the provider's time stronger than the earlier.

    Locks are taken in the order batches (by id, in place of their messages), reservations and
    wallets, campaigns, tallies.
    """
    table = message_class._meta.db_table
    source = source.format(table=table)
    with transaction.atomic(savepoint=False):
        with connection.cursor() as cursor:
            if not locked:
                cursor.execute(LOCK.format(table=table, source=source), values)
            cursor.execute(RECORD.format(table=table, source=source), values)
            changed = [Moved(*row) for row in cursor.fetchall()]
        moved = [row for row in changed if row.before != row.after]
        _count_awaiting(moved)
        _settle_credits(moved)
        counts: Counter[tuple[int | None, str, str]] = Counter()
        for row in moved:
            counts[row.source_id, row.before, row.after] += row.count
        if counts:
            message_class.outcomes_changed(
                [StatusChange(*key, count) for key, count in counts.items()]
            )
        _tally(message_class.batch_kind, changed)
    return sum(row.count for row in moved)


def _tally(kind: str, changed: list[Moved]) -> None:
    """Count messages where they now belong, and no longer where they did."""
    counts: Counter[tallies.Place] = Counter()
    for row in changed:
        of = (row.owner_id, kind, row.source_id)
        if row.sent_slot:
            counts[tallies.Place(*of, row.sent_slot, TallyOf.ACCEPTED.value, "")] += row.count
        if row.slot_before:
            counts[tallies.Place(*of, row.slot_before, row.before, row.detail_before)] -= row.count
        if row.slot:
            counts[tallies.Place(*of, row.slot, row.after, row.detail)] += row.count
    tallies.add(counts)


def _count_awaiting(moved: list[Moved]) -> None:
    """Keep the number of each batch's messages that wait for a receipt."""
    change: Counter[int] = Counter()
    for row in moved:
        change[row.batch_id] += row.count * (
            (row.after == MessageStatus.SENT) - (row.before == MessageStatus.SENT)
        )
    ids = sorted(batch_id for batch_id, delta in change.items() if delta)
    if ids:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE messaging_batch b SET awaiting = b.awaiting + t.delta "
                "FROM unnest(%s::bigint[], %s::int[]) AS t (id, delta) WHERE b.id = t.id",
                [ids, [change[batch_id] for batch_id in ids]],
            )


def _settle_credits(moved: list[Moved]) -> None:
    """Charge what Mitto accepted, give back what will never be sent, hold what is unknown."""
    charge: Counter[tuple[int, int]] = Counter()
    release: Counter[tuple[int, int]] = Counter()
    for row in moved:
        if row.before in NOT_CHARGED and row.after not in NOT_CHARGED:
            which = charge if row.after in ACCEPTED else release
            which[row.owner_id, row.batch_id] += row.parts
    for owner_id, batch_id in sorted(charge.keys() | release.keys()):
        key = (owner_id, batch_id)
        credits.settle(owner_id, batch_id, charge=charge[key], release=release[key])


def _pairs(*pairs: tuple[MessageStatus, MessageStatus]) -> str:
    return ", ".join(f"('{before.value}', '{after.value}')" for before, after in pairs)


_Q, _S, _D, _F, _K, _U = (
    MessageStatus.QUEUED,
    MessageStatus.SENT,
    MessageStatus.DELIVERED,
    MessageStatus.FAILED,
    MessageStatus.SKIPPED,
    MessageStatus.UNKNOWN,
)
# Design, Sending: which status may follow which.
_NEXT = _pairs(
    (_Q, _S), (_Q, _F), (_Q, _K), (_Q, _U), (_S, _D), (_S, _F), (_U, _S), (_U, _D), (_U, _F)
)
FINAL = (_D, _F)
_FINAL = ", ".join(f"'{status.value}'" for status in FINAL)

COLUMN_TYPES = {
    "id": "bigint", "status": "text", "provider_message_id": "text", "error_code": "text",
    "error": "text", "word": "text", "at": "timestamptz",
}  # fmt: skip
# Whoever changes messages holds their batches: that is a row to lock for a thousand, and the
# messages then need no order.
LOCK = """
    SELECT FROM messaging_batch
    WHERE id = ANY(ARRAY(
        SELECT DISTINCT (SELECT batch_id FROM {table} WHERE id = i.id) FROM ({source}) i))
    ORDER BY id
    FOR NO KEY UPDATE
"""
# The messages are found and joined by primary key alone: a condition on status beside it makes
# the planner join the whole batch with itself when its statistics are stale.
# What the provider says of a message that it took is decided by its own time: the latest final word
# holds, whatever came when, and no other word changes it. Of two at once, failed is later.
RECORD = f"""
    WITH incoming AS (
        SELECT DISTINCT ON (id) * FROM ({{source}}) every
        ORDER BY id, status IN ({_FINAL}) DESC, at DESC, status DESC, word DESC, error_code DESC,
            error DESC
    ), judged AS (
        SELECT i.*, m.status AS before, m.sent_at AS sent_before, m.error_code AS code_before,
            m.delivered_at AS delivered_before, m.failed_at AS failed_before,
            (m.status, i.status) IN ({_NEXT}) OR (
                m.status IN ({_FINAL}) AND i.status IN ({_FINAL})
                AND m.provider_message_id IS NOT NULL AND i.word <> ''
                AND (i.at, i.status, i.word, i.error_code, i.error) > (
                    COALESCE(m.delivery_status_at, '-infinity'), m.status, m.delivery_status,
                    m.error_code, m.last_error)
            ) AS moves,
            m.status = 'sent' AND i.status = 'sent' AND i.word <> ''
                AND (i.at, i.word) > (
                    COALESCE(m.delivery_status_at, '-infinity'), m.delivery_status) AS newer
        FROM {{table}} m JOIN incoming i ON i.id = m.id
    ), changed AS (
        UPDATE {{table}} m SET
            status = CASE WHEN j.moves THEN j.status ELSE m.status END,
            provider_message_id = COALESCE(j.provider_message_id, m.provider_message_id),
            delivery_status = CASE WHEN j.word <> '' THEN j.word ELSE m.delivery_status END,
            delivery_status_at = CASE WHEN j.word <> '' THEN j.at ELSE m.delivery_status_at END,
            error_code = CASE WHEN j.moves THEN j.error_code ELSE m.error_code END,
            last_error = CASE WHEN j.moves THEN j.error ELSE m.last_error END,
            sent_at = CASE WHEN j.moves AND j.status IN ('sent', 'delivered')
                THEN COALESCE(m.sent_at, now()) ELSE m.sent_at END,
            delivered_at = CASE WHEN NOT j.moves THEN m.delivered_at
                WHEN j.status = 'delivered' THEN COALESCE(j.at, now()) END,
            failed_at = CASE WHEN NOT j.moves THEN m.failed_at
                WHEN j.status = 'failed' THEN COALESCE(j.at, now()) END
        FROM judged j
        WHERE m.id = j.id AND (j.moves OR j.newer)
        RETURNING m.owner_id, m.batch_id, j.moves, m.segments,
            j.before,
            CASE j.before WHEN 'delivered' THEN j.delivered_before
                WHEN 'failed' THEN j.failed_before END AS ended_before,
            CASE j.before WHEN 'delivered'
                THEN {tallies.wait_sql("j.sent_before", "j.delivered_before")}
                WHEN 'failed' THEN j.code_before ELSE '' END AS detail_before,
            m.status AS after,
            CASE m.status WHEN 'delivered' THEN m.delivered_at WHEN 'failed' THEN m.failed_at
                WHEN 'skipped' THEN now() END AS ended,
            CASE m.status WHEN 'delivered' THEN {tallies.wait_sql("m.sent_at", "m.delivered_at")}
                WHEN 'sent' THEN '' ELSE m.error_code END AS detail,
            CASE WHEN j.sent_before IS NULL THEN m.sent_at END AS first_sent
    )
    SELECT c.owner_id, c.batch_id, b.source_id,
        c.before, {tallies.slot_sql("c.ended_before")}, c.detail_before,
        c.after, {tallies.slot_sql("c.ended")}, c.detail, {tallies.slot_sql("c.first_sent")},
        count(*), sum(c.segments)
    FROM changed c JOIN messaging_batch b ON b.id = c.batch_id
    WHERE c.moves
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
    ORDER BY 1, 2
"""
