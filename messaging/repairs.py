"""The watchdog's repairs of batches, reservations and wallets (docs/rules.md#watchdog).

Each finds rows by their state, returns how many, and writes an audit entry for what it repaired. A
dry run only counts. Repairs of campaigns are in `campaigns/repairs.py`; what runs them all is
`astronote/operations/watchdog.py`.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now

from astronote.common import audit
from astronote.common.sql import database_now, rows
from astronote.operations.watchdog import NAME
from astronote.queues import jobs
from messaging import batch_queue, credits, outcomes, sending_stop
from messaging.models import Batch, CreditReservation, MessageCount, OutboundMessage
from messaging.outcomes import Outcome
from messaging.statuses import (
    ENDED_BATCH_STATUSES,
    BatchStatus,
    MessageStatus,
    Reason,
    ReservationStatus,
)

log = logging.getLogger(__name__)

CHUNK = 1000


def _latest_abandoned_claim_time() -> CombinedExpression:
    """By PostgreSQL's clock, by which claims are made: a worker's own may be ahead of it."""
    return Now() - timedelta(minutes=settings.STUCK_LOCKED_MINUTES)


def reset_stale_claims(dry_run: bool) -> int:
    """Make batches pending again whose worker died before the call."""
    stale = Batch.objects.filter(
        status=BatchStatus.CLAIMED, claimed_at__lt=_latest_abandoned_claim_time()
    )
    if dry_run:
        return stale.count()
    returned = 0
    for batch in stale[:CHUNK]:
        with transaction.atomic():
            if stale.filter(pk=batch.pk).update(
                status=BatchStatus.PENDING, claim_token=None, claimed_at=None
            ):
                audit.write_entry("claim taken back", batch, by=NAME)
                returned += 1
    return returned


def resend_or_give_up_unanswered_batches(dry_run: bool) -> int:
    """Mark messages as unknown whose worker died during the call, and settle their batches.

    While QUEUE_ATTEMPTS allows another attempt, the batch returns to the queue instead.
    """
    stale = Batch.objects.filter(
        status=BatchStatus.SUBMITTING, claimed_at__lt=_latest_abandoned_claim_time()
    )
    if dry_run:
        return stale.count()
    batch_ids = list(stale.values_list("pk", flat=True)[:CHUNK])
    return sum(_resend_or_give_up_if_stale(batch_id) for batch_id in batch_ids)


@transaction.atomic
def _resend_or_give_up_if_stale(batch_id: int) -> bool:
    """Return whether the batch was still stale; one that is locked is being settled."""
    stale = Batch.objects.select_for_update(skip_locked=True).filter(
        pk=batch_id, status=BatchStatus.SUBMITTING, claimed_at__lt=_latest_abandoned_claim_time()
    )
    batch = stale.first()
    if batch is None:
        return False
    error = "the worker died during the call"
    if batch.attempts < settings.QUEUE_ATTEMPTS:
        batch_queue.return_to_queue(
            batch, reason=f"attempt {batch.attempts + 1} ({error})", due_at=database_now()
        )
        audit.write_entry("batch to be sent again", batch, by=NAME, attempt=batch.attempts + 1)
        return True
    unknown = mark_queued_as_unknown(batch.message_class, Q(batch=batch), error)
    Batch.objects.filter(pk=batch_id).update(
        status=BatchStatus.SETTLED, settled_at=Now(), error=error
    )
    audit.write_entry("batch given up as unknown", batch, by=NAME, messages=unknown)
    return True


def mark_queued_as_unknown(model: type[OutboundMessage], condition: Q, error: str) -> MessageCount:
    """Mark the queued messages that meet the condition as unknown; return how many."""
    queued = model.objects.filter(condition, status=MessageStatus.QUEUED)
    return outcomes.record_outcomes_and_settle_credits(
        model,
        [
            Outcome(pk, MessageStatus.UNKNOWN, None, Reason.NO_ANSWER, error)
            for pk in queued.values_list("pk", flat=True)
        ],
    )


def enqueue_missing_batch_jobs(dry_run: bool) -> int:
    """Enqueue jobs for due batches that have none, as after a loss of Redis.

    While all sending is stopped, that is one job for a probe that is due. One job too many is
    harmless: it finds no batch.
    """
    missing = max(
        0, sending_stop.count_due_batches_allowed_by_stop() - jobs.count_waiting_jobs("sms")
    )
    if missing and not dry_run:
        batch_queue.enqueue_send_jobs_on_commit(missing)
        audit.write_entry("lost jobs of batches enqueued", by=NAME, batches=missing)
    return missing


def release_overdue_credits(dry_run: bool) -> int:
    """Release credits of unknown messages whose reservation has expired.

    Reservations of open batches do not expire.
    """
    overdue = CreditReservation.objects.filter(
        status=ReservationStatus.RESERVED,
        expires_at__lt=Now(),
        batch__status__in=ENDED_BATCH_STATUSES,
    ).order_by("pk")
    if dry_run:
        return overdue.count()
    expired = credits.expire_overdue_reservations(
        list(overdue.values_list("batch_id", flat=True)[:CHUNK])
    )
    for owner_id, batch_id, amount in expired:
        audit.write_entry(
            "reservation expired", Batch(pk=batch_id), by=NAME, owner_id=owner_id, credits=amount
        )
    return len(expired)


def report_inconsistent_wallets(dry_run: bool) -> int:
    """Report wallets that differ from their ledger or reservations; nothing is changed."""
    wrong = rows(WRONG_WALLETS)
    for owner_id, *figures in wrong:
        log.error("store %s: wallet and ledger disagree: %s", owner_id, figures)
        if not dry_run:
            audit.write_entry(
                "wallet and ledger disagree", by=NAME, owner_id=owner_id, figures=figures
            )
    return len(wrong)


# The newest ledger entry has the balance after it; open reservations are few.
WRONG_WALLETS = """
    SELECT w.owner_id, w.balance, w.reserved_balance, last.balance_after, held.amount,
        w.allowance_balance, last.allowance_after
    FROM messaging_wallet w
    LEFT JOIN LATERAL (
        SELECT balance_after, allowance_after FROM messaging_credittransaction t
        WHERE t.owner_id = w.owner_id ORDER BY id DESC LIMIT 1) last ON true
    LEFT JOIN (
        SELECT owner_id, sum(amount - charged - released) AS amount
        FROM messaging_creditreservation WHERE status = 'reserved' GROUP BY 1) held
        ON held.owner_id = w.owner_id
    WHERE w.balance <> COALESCE(last.balance_after, 0)
        OR w.allowance_balance <> COALESCE(last.allowance_after, 0)
        OR w.reserved_balance <> COALESCE(held.amount, 0)
"""
