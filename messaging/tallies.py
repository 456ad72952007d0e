"""Counters from which reports are read, so that no report counts messages.

A message's outcome is counted in the five minutes it happened in, by the provider's clock where the
provider says when; an outcome that is revised is taken back from where it was counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from django.db import connection
from django.utils import timezone

SLOT = "5 minutes"
# Upper bounds, in seconds, of the time from sending to delivery; what takes longer comes last.
WAITS = (
    1, 2, 3, 5, 8, 12, 20, 30, 45, 60, 90, 120, 180, 300, 600, 900, 1800, 3600, 7200, 14400, 28800,
    86400, 259200,
)  # fmt: skip


class Place(NamedTuple):
    """Where something is counted: the columns of a Tally that make it one."""

    owner_id: int
    kind: str
    source_id: int | None
    slot: datetime
    what: str
    detail: str


def slot_of(time: datetime) -> datetime:
    """The slot that a time falls in."""
    return datetime.fromtimestamp(time.timestamp() // 300 * 300, UTC)


def slot_sql(time: str) -> str:
    """SQL of the slot that an SQL time falls in."""
    return f"date_bin('{SLOT}', {time}, '2000-01-01+00')"


def wait_sql(sent: str, delivered: str) -> str:
    """SQL of the place among WAITS of the time between two SQL times."""
    return (
        f"COALESCE(width_bucket(extract(epoch FROM {delivered} - {sent})::float8,"
        f" ARRAY[{', '.join(map(str, WAITS))}]::float8[])::text, '')"
    )


def add(counts: Mapping[Place, int]) -> None:
    """Add to the counters, in one statement and in one order, so that two never deadlock."""
    rows = sorted(
        ((*place, count) for place, count in counts.items() if count),
        key=lambda row: (row[1], row[2] or 0, *row[3:6]),
    )
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(ADD, [list(column) for column in zip(*rows, strict=True)])


ADD = """
    INSERT INTO messaging_tally AS t (owner_id, kind, source_id, slot, what, detail, count)
    SELECT * FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::timestamptz[], %s::text[],
        %s::text[], %s::int[])
    ON CONFLICT (kind, source_id, slot, what, detail) DO UPDATE SET count = t.count + EXCLUDED.count
"""


def count_one(owner_id: int, kind: str, source_id: int | None, what: str, detail: str = "") -> None:
    """Count one thing that happens now."""
    add({Place(owner_id, kind, source_id, slot_of(timezone.now()), str(what), detail): 1})
