"""The queue of batches in PostgreSQL: claiming, turns, holding, releasing, dropping, returning.

Each function may run twice, late or in two workers at once: the batch's row and its claim token
decide who continues. Rules: docs/rules.md#batches. Sending a claimed batch is in `sending.py`,
writing new ones in `batch_writing.py`.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from astronote.common.sql import execute, rows
from astronote.queues import jobs
from messaging import outcomes
from messaging.models import Batch, BatchCount, MessageId
from messaging.outcomes import Outcome
from messaging.statuses import (
    IN_FLIGHT_BATCH_STATUSES,
    UNSENT_BATCH_STATUSES,
    BatchStatus,
    MessageStatus,
)

SEND_NEXT = "messaging.tasks.send_next_batch"
MAX_BACKOFF_SECONDS = 900
HELD = datetime(9999, 1, 1, tzinfo=UTC)  # `not_before` of a held batch


def enqueue_send_jobs_on_commit(batch_count: int) -> None:
    """Enqueue jobs that send the next `batch_count` batches, once the transaction commits."""
    jobs.enqueue_copies_on_commit("sms", SEND_NEXT, batch_count)


def pending_batches_due_now() -> QuerySet[Batch]:
    """The pending batches that wait for a worker and for no time."""
    return Batch.objects.filter(status=BatchStatus.PENDING).exclude(not_before__gt=Now())


def claim_next_batch() -> Batch | None:
    """Claim the due batch with the lowest turn, with a new token.

    None if none is due, or all sending is stopped (`sending_stop.py`). Batches of stores that have
    left are never claimed: off-boarding cancels them.
    """
    return next(iter(Batch.objects.raw(CLAIM_BATCH, [uuid.uuid4()])), None)


# Reads one row of the partial index on turn. Skips batches that other workers are claiming.
CLAIM_BATCH = """
    UPDATE messaging_batch
    SET status = 'claimed', claim_token = %s, claimed_at = now(), waiting_for = ''
    WHERE id = (
        SELECT id FROM messaging_batch
        WHERE status = 'pending' AND (not_before IS NULL OR not_before <= now())
            AND NOT EXISTS (SELECT FROM messaging_sendingstop)
            AND NOT EXISTS (SELECT FROM astronote_user store
                WHERE store.id = owner_id AND store.left_at IS NOT NULL)
        ORDER BY turn, id
        LIMIT 1
        FOR UPDATE SKIP LOCKED)
    RETURNING *
"""


def lowest_due_turn_or_zero() -> int:
    """The turn of a batch that is queued now: the lowest turn that is due.

    A campaign's batches get consecutive turns from here on. So campaigns alternate, and one with a
    thousand batches does not delay another's single batch.
    """
    turn: int = rows(LOWEST_DUE_TURN)[0][0]
    return turn


LOWEST_DUE_TURN = """
    SELECT COALESCE(min(turn), 0) FROM messaging_batch
    WHERE status = 'pending' AND (not_before IS NULL OR not_before <= now())
"""


def release_pending_batches(**filters: Any) -> BatchCount:
    """Make the pending batches that match the filters due now, with new turns in the same order.

    Enqueues a job for each. Returns how many there are.
    """
    with transaction.atomic():
        ids = list(
            Batch.objects.select_for_update()
            .filter(status=BatchStatus.PENDING, **filters)
            .order_by("turn", "pk")
            .values_list("pk", flat=True)
        )
        first_turn = lowest_due_turn_or_zero()
        execute(RELEASE_BATCHES, [ids, list(range(first_turn, first_turn + len(ids)))])
        enqueue_send_jobs_on_commit(len(ids))
    return len(ids)


RELEASE_BATCHES = """
    UPDATE messaging_batch b SET not_before = NULL, waiting_for = '', turn = t.turn
    FROM unnest(%s::bigint[], %s::bigint[]) AS t (id, turn) WHERE b.id = t.id
"""


def hold_pending_batches(reason: str, **filters: Any) -> BatchCount:
    """Hold the pending batches that match the filters until they are released.

    Returns how many there are.
    """
    return Batch.objects.filter(status=BatchStatus.PENDING, **filters).update(
        not_before=HELD, waiting_for=reason[:200]
    )


def cancel_unsent_batches(batch_ids: Sequence[int], *, skip_reason: str) -> BatchCount:
    """Cancel batches that were not sent: skip their messages and release their credits.

    A claimed batch is dropped too, and its worker loses the claim. A batch that is being submitted
    is not changed. Returns how many were dropped.
    """
    dropped = 0
    for batch_id in batch_ids:
        with transaction.atomic():
            unsent = Batch.objects.select_for_update().filter(
                pk=batch_id, status__in=UNSENT_BATCH_STATUSES
            )
            batch = unsent.first()
            if batch is None:
                continue
            queued = batch.message_class.objects.filter(batch=batch, status=MessageStatus.QUEUED)
            outcomes.record_outcomes_and_settle_credits(
                batch.message_class,
                [
                    Outcome(MessageId(pk), MessageStatus.SKIPPED, error_code=skip_reason)
                    for pk in queued.values_list("pk", flat=True)
                ],
                batches_locked=True,
            )
            Batch.objects.filter(pk=batch_id).update(
                status=BatchStatus.CANCELLED, settled_at=Now(), waiting_for=""
            )
            dropped += 1
    return dropped


def exponential_backoff_with_jitter(attempts: int) -> timedelta:
    """QUEUE_BACKOFF_MS, doubled with each attempt, with jitter, at most MAX_BACKOFF_SECONDS."""
    seconds = min(settings.QUEUE_BACKOFF_MS / 1000 * 2 ** min(attempts, 20), MAX_BACKOFF_SECONDS)
    return timedelta(seconds=seconds * random.uniform(0.5, 1.0))


def return_to_queue(
    batch: Batch, *, reason: str, due_at: datetime | None, **changed_columns: Any
) -> bool:
    """Make a claimed batch pending again, due at `due_at` or at once, and enqueue a job for then.

    A batch that is held (`due_at` is HELD) gets no job.

    Args:
        batch: as it was claimed; its claim token must still hold.
        reason: what the batch waits for, as operators see it.
        due_at: when it is due again; None: now.
        changed_columns: further columns to change.

    Returns:
        Whether the worker still had the claim; if not, nothing has changed.
    """
    returned = Batch.objects.filter(
        pk=batch.pk, claim_token=batch.claim_token, status__in=IN_FLIGHT_BATCH_STATUSES
    ).update(
        status=BatchStatus.PENDING,
        claim_token=None,
        claimed_at=None,
        submitted_at=None,
        not_before=due_at,
        waiting_for=reason[:200],
        **changed_columns,
    )
    if returned and due_at is None:
        enqueue_send_jobs_on_commit(1)
    elif returned and due_at is not None and due_at != HELD:
        # The job ID names the attempt: replacing an earlier job of this batch could take the only
        # job of another batch.
        job_id = f"batch-{batch.pk}-{batch.claim_token}"
        jobs.enqueue_delayed_on_commit("sms", due_at, SEND_NEXT, job_id=job_id)
    return bool(returned)
