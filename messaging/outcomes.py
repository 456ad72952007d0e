"""What became of messages: the one place that changes a message's status.

Sending, receipts, polling, the watchdog and operators all record outcomes here, by the set. The
same transaction settles the credits and moves the counters of whoever the messages belong to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import connection, transaction

from messaging import credits
from messaging.models import (
    ACCEPTED,
    NOT_CHARGED,
    MessageStatus,
    OutboundMessage,
    StatusChange,
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
    """So many messages, of so many parts, of one batch changed status."""

    owner_id: int
    batch_id: int
    source_id: int | None
    before: str
    after: str
    count: int
    parts: int


def record(message_class: type[OutboundMessage], outcomes: Sequence[Outcome]) -> int:
    """Apply outcomes of messages of one class; return how many messages changed status.

    Locks are taken in the order messages (by id), reservations and wallets, campaigns.
    """
    if not outcomes:
        return 0
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                RECORD.format(table=message_class._meta.db_table),
                [list(column) for column in zip(*outcomes, strict=True)],
            )
            moved = [Moved(*row) for row in cursor.fetchall()]
        _count_awaiting(moved)
        _settle_credits(moved)
        counts: Counter[tuple[int | None, str, str]] = Counter()
        for row in moved:
            counts[row.source_id, row.before, row.after] += row.count
        if counts:
            message_class.outcomes_changed(
                [StatusChange(*key, count) for key, count in counts.items()]
            )
    return sum(row.count for row in moved)


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
# The provider's final word yields only to a later one about a message that it did take.
_REVISION = _pairs((_D, _F), (_F, _D))

# The messages are found and joined by primary key alone: a condition on status beside it makes
# the planner join the whole batch with itself when its statistics are stale.
RECORD = f"""
    WITH incoming AS (
        SELECT * FROM unnest(
            (%s)::bigint[], (%s)::text[], (%s)::text[], (%s)::text[], (%s)::text[], (%s)::text[],
            (%s)::timestamptz[]
        ) AS t (id, status, provider_message_id, error_code, error, word, at)
    ), judged AS (
        SELECT i.*, m.status AS before,
            (m.status, i.status) IN ({_NEXT}) OR (
                (m.status, i.status) IN ({_REVISION})
                AND m.provider_message_id IS NOT NULL AND i.at > m.delivery_status_at
            ) AS moves,
            i.word <> '' AND (m.delivery_status_at IS NULL OR i.at > m.delivery_status_at) AS newer
        FROM {{table}} m JOIN incoming i ON i.id = m.id
        ORDER BY m.id
        FOR NO KEY UPDATE OF m
    ), changed AS (
        UPDATE {{table}} m SET
            status = CASE WHEN j.moves THEN j.status ELSE m.status END,
            provider_message_id = COALESCE(j.provider_message_id, m.provider_message_id),
            delivery_status = CASE WHEN j.newer THEN j.word ELSE m.delivery_status END,
            delivery_status_at = CASE WHEN j.newer THEN j.at ELSE m.delivery_status_at END,
            error_code = CASE WHEN j.moves THEN j.error_code ELSE m.error_code END,
            last_error = CASE WHEN j.moves THEN j.error ELSE m.last_error END,
            sent_at = CASE WHEN j.moves AND j.status IN ('sent', 'delivered')
                THEN COALESCE(m.sent_at, now()) ELSE m.sent_at END,
            delivered_at = CASE WHEN j.moves AND j.status = 'delivered'
                THEN COALESCE(j.at, now()) ELSE m.delivered_at END,
            failed_at = CASE WHEN j.moves AND j.status = 'failed'
                THEN COALESCE(j.at, now()) ELSE m.failed_at END
        FROM judged j
        WHERE m.id = j.id AND (j.moves OR j.newer)
        RETURNING m.owner_id, m.batch_id, j.before, m.status AS after, m.segments
    )
    SELECT c.owner_id, c.batch_id, b.source_id, c.before, c.after, count(*), sum(c.segments)
    FROM changed c JOIN messaging_batch b ON b.id = c.batch_id
    WHERE c.before <> c.after
    GROUP BY 1, 2, 3, 4, 5
    ORDER BY 1, 2
"""
