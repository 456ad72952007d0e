"""Writing messages and their batches, by COPY; called in the transaction that decides to send."""

from __future__ import annotations

import base64
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django.db import connection
from django.utils import timezone

from messaging import guards, tallies
from messaging.models import MessageStatus, OutboundMessage, TallyOf

TRACKING_BYTES, TRACKING_LENGTH = 9, 12
ALIKE = 2


class Line(NamedTuple):
    """A message to be written; with a `skip` code it is written as skipped, in no batch."""

    owner_id: int
    source_id: int
    contact_id: int
    to: str
    text: str
    segments: int
    tracking_id: str
    skip: str = ""


def new_tracking_ids(count: int) -> list[str]:
    """So many codes of 72 random bits, 60 of them their own: nobody guesses another's links.

    Codes made together begin alike, and so are neighbours in the index: among 20,000,000 older ones
    they touch a few of its pages and not one each.
    """
    drawn = base64.urlsafe_b64encode(secrets.token_bytes(TRACKING_BYTES * count)).decode()
    return [
        drawn[:ALIKE] + drawn[start + ALIKE : start + TRACKING_LENGTH]
        for start in range(0, len(drawn), TRACKING_LENGTH)
    ]


class Source(NamedTuple):
    """What the batches of one campaign or automation have in common."""

    sender: str
    message_type: str


class NewBatch(NamedTuple):
    owner_id: int
    id: int
    parts: int


def write(
    model: type[OutboundMessage],
    lines: Sequence[Line],
    sources: Mapping[int, Source],
    *,
    first_turn: int,
    made: Counter[int],
    extra: Mapping[str, Any] | None = None,
) -> list[NewBatch]:
    """Write messages in batches and return these; lines of one source must be neighbours.

    Args:
        first_turn: the turn of each source's first batch.
        made: how many batches each source has had; counted on.
        extra: columns that are the same for every message.
    """
    largest = guards.largest_batch()
    groups: list[list[Line]] = []
    skipped = [line for line in lines if line.skip]
    for line in lines:
        if line.skip:
            continue
        if not groups or groups[-1][0].source_id != line.source_id or len(groups[-1]) == largest:
            groups.append([])
        groups[-1].append(line)
    ids = _new_ids(len(groups))
    batches = []
    with connection.cursor() as cursor:
        with cursor.copy(BATCHES) as copy:
            for batch_id, group in zip(ids, groups, strict=True):
                owner_id, source_id = group[0][:2]
                source = sources[source_id]
                turn = first_turn + made[source_id]
                made[source_id] += 1
                copy.write_row(
                    (batch_id, owner_id, model.batch_kind, source_id, source.message_type,
                     source.sender, len(group), "pending", turn, 0, 0)
                )  # fmt: skip
                batches.append(NewBatch(owner_id, batch_id, sum(line.segments for line in group)))
        names, values = list(extra or {}), tuple((extra or {}).values())
        columns = ["owner_id", model.source_column, "contact_id", '"to"', "text", "segments",
                   "batch_id", "status", "error_code", "tracking_id", *names]  # fmt: skip
        with cursor.copy(
            f"COPY {model._meta.db_table} ({', '.join(columns)}) FROM STDIN"
        ) as copy:  # fmt: skip
            for batch_id, group in zip(ids, groups, strict=True):
                for line in group:
                    row = (*line[:6], batch_id, MessageStatus.QUEUED.value, "")
                    copy.write_row((*row, line.tracking_id, *values))
            for line in skipped:
                row = (*line[:6], None, MessageStatus.SKIPPED.value, line.skip)
                copy.write_row((*row, line.tracking_id, *values))
    slot = tallies.slot_of(timezone.now())
    tallies.add(
        Counter(
            tallies.Place(line.owner_id, model.batch_kind, line.source_id, slot,
                          TallyOf.SKIPPED.value, line.skip)
            for line in skipped
        )
    )  # fmt: skip
    return batches


BATCHES = (
    "COPY messaging_batch (id, owner_id, kind, source_id, message_type, sender, size, status, "
    "turn, attempts, deferrals) FROM STDIN"
)


def _new_ids(count: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence('messaging_batch', 'id')) "
            "FROM generate_series(1, %s)",
            [count],
        )
        return [row[0] for row in cursor.fetchall()]
