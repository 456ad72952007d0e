"""Writing messages and their batches by COPY, in the caller's transaction.

Holding credits for the batches is in `credits.py`, enqueueing jobs in `batch_queue.py`. What to
write is decided in `campaigns/enqueue.py` and `campaigns/automations/`.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from django.db import connection

from astronote.accounts.models import StoreId
from astronote.common.sql import database_now, rows
from messaging import limits, mitto, tallies
from messaging.codes import alphanumeric_code
from messaging.credits import NewBatch
from messaging.models import BatchId, OutboundMessage
from messaging.statuses import BatchStatus, MessageStatus, TallyEvent

TRACKING_LENGTH = 12
SHARED_PREFIX_LENGTH = 2


class NewMessage(NamedTuple):
    """A message to be written. With a `skip_reason` it is written as skipped, in no batch.

    `extra_values` are those of its class's `extra_columns`.
    """

    owner_id: StoreId
    source_id: int
    contact_id: int
    to: str
    text: str
    segments: int
    tracking_id: str
    skip_reason: str = ""
    extra_values: tuple[Any, ...] = ()


class BatchSource(NamedTuple):
    """What the batches of one campaign or automation have in common."""

    sender: str
    message_type: str


def generate_tracking_ids(count: int) -> list[str]:
    """Create tracking IDs of 71 random bits, of which 12 are shared by all of this call.

    With a common prefix they are neighbours in the index. So inserting them touches few of its
    pages instead of one for each.
    """
    characters = ""
    while len(characters) < TRACKING_LENGTH * count:
        characters += alphanumeric_code(secrets.token_bytes(TRACKING_LENGTH * count + 64))
    prefix = characters[:SHARED_PREFIX_LENGTH]
    return [
        prefix + characters[start + SHARED_PREFIX_LENGTH : start + TRACKING_LENGTH]
        for start in range(0, TRACKING_LENGTH * count, TRACKING_LENGTH)
    ]


def insert_batches(
    model: type[OutboundMessage],
    messages: Sequence[NewMessage],
    source_by_id: Mapping[int, BatchSource],
    *,
    first_turn: int,
    batch_counts_by_source: Counter[int],
) -> list[NewBatch]:
    """Write messages and their batches, and count skipped messages in tallies.

    Args:
        model: the class of the messages.
        messages: ordered so that messages of one source are neighbours.
        source_by_id: by ID of the campaign or automation.
        first_turn: the turn of each source's first batch.
        batch_counts_by_source: how many batches each source has already; increased by this call.

    Returns:
        The batches, without those of skipped messages, which have none.
    """
    skipped = [message for message in messages if message.skip_reason]
    groups = _group_by_source_within_caps_and_call_bytes(
        [message for message in messages if not message.skip_reason]
    )
    batch_ids = _take_batch_ids_from_sequence(len(groups))
    with connection.cursor() as cursor:
        with cursor.copy(COPY_BATCHES) as copy:
            for batch_id, group in zip(batch_ids, groups, strict=True):
                owner_id, source_id = group[0][:2]
                source = source_by_id[source_id]
                turn = first_turn + batch_counts_by_source[source_id]
                batch_counts_by_source[source_id] += 1
                copy.write_row(
                    (
                        batch_id,
                        owner_id,
                        model.batch_kind,
                        source_id,
                        source.message_type,
                        source.sender,
                        len(group),
                        BatchStatus.PENDING.value,
                        turn,
                        0,
                        0,
                    )
                )
        columns = [
            "owner_id",
            model.source_column,
            "contact_id",
            '"to"',
            "text",
            "segments",
            "batch_id",
            "status",
            "error_code",
            "tracking_id",
            *model.extra_columns,
        ]
        copy_messages = f"COPY {model._meta.db_table} ({', '.join(columns)}) FROM STDIN"
        with cursor.copy(copy_messages) as copy:
            for batch_id, group in zip(batch_ids, groups, strict=True):
                batch = (batch_id, MessageStatus.QUEUED.value, "")
                for message in group:
                    copy.write_row(
                        (*message[:6], *batch, message.tracking_id, *message.extra_values)
                    )
            for message in skipped:
                no_batch = (None, MessageStatus.SKIPPED.value, message.skip_reason)
                copy.write_row(
                    (*message[:6], *no_batch, message.tracking_id, *message.extra_values)
                )
    _add_skipped_to_tallies(model, skipped)
    return [
        NewBatch(group[0].owner_id, batch_id, sum(message.segments for message in group))
        for batch_id, group in zip(batch_ids, groups, strict=True)
    ]


COPY_BATCHES = (
    "COPY messaging_batch (id, owner_id, kind, source_id, message_type, sender, size, status, "
    "turn, attempts, deferrals) FROM STDIN"
)


def _group_by_source_within_caps_and_call_bytes(
    messages: Sequence[NewMessage],
) -> list[list[NewMessage]]:
    """Group neighbouring messages of one source into batches that fit into one call each.

    A batch has at most as many messages as the caps allow, and its call a body of MAX_CALL_BYTES.
    """
    max_size = limits.max_batch_size_within_store_caps()
    groups: list[list[NewMessage]] = []
    call_bytes = 0
    for message in messages:
        message_bytes = len(orjson.dumps(message.text)) + mitto.MESSAGE_OVERHEAD_BYTES
        if (
            not groups
            or groups[-1][0].source_id != message.source_id
            or len(groups[-1]) == max_size
            or call_bytes + message_bytes > mitto.MAX_CALL_BYTES
        ):
            groups.append([])
            call_bytes = 0
        groups[-1].append(message)
        call_bytes += message_bytes
    return groups


def _take_batch_ids_from_sequence(count: int) -> list[BatchId]:
    return [batch_id for (batch_id,) in rows(NEW_BATCH_IDS, [count])]


NEW_BATCH_IDS = """
    SELECT nextval(pg_get_serial_sequence('messaging_batch', 'id')) FROM generate_series(1, %s)
"""


def _add_skipped_to_tallies(model: type[OutboundMessage], skipped: Sequence[NewMessage]) -> None:
    slot = tallies.five_minute_slot_start(database_now())
    event = TallyEvent.SKIPPED.value
    tallies.add_to_tallies(
        Counter(
            tallies.TallyKey(
                message.owner_id,
                model.batch_kind,
                message.source_id,
                slot,
                event,
                message.skip_reason,
            )
            for message in skipped
        )
    )
