"""Splitting a batch into two that are sent in calls of their own.

A batch that Mitto refused as a whole is halved until the messages at fault stand alone, and the
probe of a stopped account is one message of a batch (docs/rules.md#mitto-send-answers). Each part
is a batch of its own with a claim, an attempt and a reservation of its own. So what has been put
before Mitto is known before each call, as it is for every batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet

from astronote.common.sql import rows
from messaging import credits
from messaging.batch_queue import (
    enqueue_send_jobs_on_commit,
    return_to_queue,
)
from messaging.models import Batch, MessageId
from messaging.statuses import BatchStatus, MessageStatus

# With halving, 100 parts take at most 199 calls. They isolate 13 messages at fault among 1,000.
MAX_PARTS = 100


def halve_batch(batch: Batch, message_ids: Sequence[MessageId], *, reason: str) -> bool:
    """Return one half of a submitted batch to the queue, and the other half in a new batch.

    Mitto took none of the messages, so the call does not count as an attempt.

    Args:
        batch: as it was claimed; its claim token must still hold.
        message_ids: the messages of the call, two or more.
        reason: what the halves wait for, as operators see it.

    Returns:
        Whether it was halved; not if the claim was lost, or if the batch that they were first in
        has MAX_PARTS parts already.
    """
    if _all_parts_of_halved_batch(batch).count() >= MAX_PARTS:
        return False
    middle = len(message_ids) // 2
    with transaction.atomic():
        if not return_to_queue(
            batch,
            reason=reason,
            due_at=None,
            attempts=batch.attempts - 1,
            # Smaller parts come after larger ones, so that a refusal of everything shows itself
            # before single messages are tried.
            turn=F("turn") + 1,
            size=len(message_ids),
        ):
            return False
        batch.refresh_from_db()
        move_queued_and_credits_to_new_batch(
            batch, message_ids[middle:], halved_from=batch.halved_from or batch.pk
        )
        enqueue_send_jobs_on_commit(1)
    return True


def _all_parts_of_halved_batch(batch: Batch) -> QuerySet[Batch]:
    """The batches that have the messages of the batch that this one was halved from."""
    origin = batch.halved_from or batch.pk
    return Batch.objects.filter(Q(pk=origin) | Q(halved_from=origin))


def was_any_part_accepted_by_mitto(batch: Batch) -> bool:
    """Whether Mitto accepted another part: then it is messages that it refuses, and not all."""
    accepted = _all_parts_of_halved_batch(batch).filter(status=BatchStatus.SETTLED, error="")
    return accepted.filter(submitted_at__isnull=False).exists()


def move_queued_and_credits_to_new_batch(
    batch: Batch, message_ids: Sequence[MessageId], **columns: Any
) -> Batch:
    """Move queued messages of a pending batch, with their credits, to a new pending batch.

    Call it in a transaction that holds the batch's row lock.

    Args:
        batch: keeps at least one message.
        message_ids: queued messages of the batch.
        columns: of the new batch, where it differs from the old one.
    """
    kept = {
        name: getattr(batch, name)
        for name in (
            "owner_id",
            "kind",
            "source_id",
            "message_type",
            "sender",
            "turn",
            "waiting_for",
            "attempts",
            "deferrals",
            "halved_from",
            "created_at",
        )
    }
    new_batch = Batch.objects.create(**kept | columns, size=len(message_ids))
    moved = rows(
        MOVE_MESSAGES.format(table=batch.message_class._meta.db_table),
        [new_batch.pk, list(message_ids), batch.pk, MessageStatus.QUEUED.value],
    )
    assert len(moved) == len(message_ids), "a message of the batch is not queued any more"
    Batch.objects.filter(pk=batch.pk).update(size=F("size") - len(moved))
    credits.move_held_credits_to_new_reservation(
        batch.pk, new_batch.pk, sum(parts for (parts,) in moved)
    )
    return new_batch


MOVE_MESSAGES = """
    UPDATE {table} SET batch_id = %s WHERE id = ANY(%s) AND batch_id = %s AND status = %s
    RETURNING segments
"""
