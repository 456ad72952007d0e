"""Counters of message events, so that reports need not count messages (docs/rules.md#tallies).

An event is counted in the five minutes in which it happened, by Mitto's clock where Mitto gives a
time. An outcome that is revised is subtracted from the counter that had it. Reports that read the
counters are in `campaigns/reports.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from astronote.accounts.models import StoreId
from astronote.common.sql import database_now, execute
from messaging.statuses import TallyEvent

SLOT_SECONDS = 300
# Upper bounds, in seconds, of the time from sending to delivery; longer times have the last index.
WAIT_BOUNDS = (
    1,
    2,
    3,
    5,
    8,
    12,
    20,
    30,
    45,
    60,
    90,
    120,
    180,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    14400,
    28800,
    86400,
    259200,
)


class TallyKey(NamedTuple):
    """The columns that identify a counter."""

    owner_id: StoreId
    kind: str
    source_id: int | None
    slot: datetime
    event: str
    detail: str


def five_minute_slot_start(time: datetime) -> datetime:
    """The start of the slot of an aware time."""
    return datetime.fromtimestamp(time.timestamp() // SLOT_SECONDS * SLOT_SECONDS, UTC)


def five_minute_slot_start_sql(time_expression: str) -> str:
    """SQL for the start of the slot of a time, given as an SQL expression."""
    return f"date_bin('{SLOT_SECONDS} seconds', {time_expression}, '2000-01-01+00')"


def delivery_wait_bound_index_sql(sent_expression: str, delivered_expression: str) -> str:
    """SQL for the index in WAIT_BOUNDS of the time between two SQL times, as text."""
    bounds = ", ".join(map(str, WAIT_BOUNDS))
    return (
        f"COALESCE(width_bucket(extract(epoch FROM {delivered_expression} - {sent_expression})"
        f"::float8, ARRAY[{bounds}]::float8[])::text, '')"
    )


def add_to_tallies(counts: Mapping[TallyKey, int]) -> None:
    """Add to counters, in one statement; rows are locked in one order, so calls cannot deadlock."""
    rows = sorted(
        ((*key, count) for key, count in counts.items() if count),
        key=lambda row: (row[1], row[2] or 0, *row[3:6], row[0]),
    )
    if rows:
        execute(ADD_COUNTS, [list(column) for column in zip(*rows, strict=True)])


ADD_COUNTS = """
    INSERT INTO messaging_tally AS t (owner_id, kind, source_id, slot, event, detail, count)
    SELECT * FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::timestamptz[], %s::text[],
        %s::text[], %s::int[])
    ON CONFLICT (kind, source_id, slot, event, detail, owner_id)
        DO UPDATE SET count = t.count + EXCLUDED.count
"""


def add_one_to_tally_of_now(
    owner_id: int, kind: str, source_id: int | None, event: TallyEvent
) -> None:
    """Count one event of a campaign or automation, now."""
    slot = five_minute_slot_start(database_now())
    add_to_tallies({TallyKey(StoreId(owner_id), kind, source_id, slot, event.value, ""): 1})
