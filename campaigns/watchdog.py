"""Finds what is stuck and sets it going again (overview, section 8).

Every duty looks at the state of rows, never at a window of time that a standstill could outlast.
Each thing mended is kept in the audit trail.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from campaigns import birthday, control, schedule
from campaigns.models import COUNTED, Campaign, CampaignMessage, CampaignStatus
from contacts import audit, jobs
from contacts.importing.run import IMPORT_CONTACTS
from contacts.locks import only_one
from contacts.models import IMPORT_OPEN, ContactImport
from messaging import credits, outcomes, sending
from messaging.models import (
    Batch,
    BatchStatus,
    CreditReservation,
    MessageStatus,
    OutboundMessage,
    ReservationStatus,
)
from messaging.outcomes import Outcome
from messaging.sending import SEND_NEXT

log = logging.getLogger(__name__)

CHUNK = 1000
NAME = "watchdog"


def run(*, dry_run: bool = False) -> dict[str, int]:
    """Do every duty once; return how many of each were found. A dry run changes nothing."""
    with only_one(NAME) as mine:
        if not mine:
            return {}
        counts = {name: duty(dry_run) for name, duty in DUTIES.items()}
    if any(counts.values()):
        log.warning("watchdog%s: %s", " (dry run)" if dry_run else "", counts)
    return counts


def _locked_since():
    return timezone.now() - timedelta(minutes=settings.STUCK_LOCKED_MINUTES)


def take_back_stale_claims(dry_run: bool) -> int:
    """A worker died before its call: nothing was sent, so the batch waits again."""
    stale = Batch.objects.filter(status=BatchStatus.CLAIMED, claimed_at__lt=_locked_since())
    if dry_run:
        return stale.count()
    taken = 0
    for batch in stale[:CHUNK]:
        with transaction.atomic():
            if stale.filter(pk=batch.pk).update(
                status=BatchStatus.PENDING, claim_token=None, claimed_at=None
            ):
                audit.record("claim taken back", batch, by=NAME)
                taken += 1
    return taken


def give_up_unanswered(dry_run: bool) -> int:
    """A worker died during its call: perhaps it was taken, so the messages become unknown.

    With QUEUE_ATTEMPTS above 1 the batch is sent again, as it would be without an answer.
    """
    stale = Batch.objects.filter(status=BatchStatus.SUBMITTING, claimed_at__lt=_locked_since())
    if dry_run:
        return stale.count()
    return sum(_give_up(batch_id) for batch_id in list(stale.values_list("pk", flat=True)[:CHUNK]))


@transaction.atomic
def _give_up(batch_id: int) -> bool:
    held = Batch.objects.select_for_update(skip_locked=True).filter(
        pk=batch_id, status=BatchStatus.SUBMITTING, claimed_at__lt=_locked_since()
    )
    batch = held.first()
    if batch is None:
        return False
    error = "the worker died during the call"
    if batch.attempts < settings.QUEUE_ATTEMPTS:
        sending.put_back(
            batch, reason=f"attempt {batch.attempts + 1} ({error})", until=timezone.now()
        )
        audit.record("batch to be sent again", batch, by=NAME, attempt=batch.attempts + 1)
        return True
    unknown = mark_unknown(batch.message_class, Q(batch=batch), error)
    Batch.objects.filter(pk=batch_id).update(
        status=BatchStatus.SETTLED, settled_at=timezone.now(), error=error
    )
    audit.record("batch given up as unknown", batch, by=NAME, messages=unknown)
    return True


def mark_unknown(model: type[OutboundMessage], which: Q, error: str) -> int:
    """Queued messages of which nobody can say whether they went out."""
    queued = model.objects.filter(which, status=MessageStatus.QUEUED)
    return outcomes.record(
        model,
        [
            Outcome(pk, MessageStatus.UNKNOWN, None, "no_answer", error)
            for pk in queued.values_list("pk", flat=True)
        ],
    )


def enqueue_waiting_batches(dry_run: bool) -> int:
    """Pending batches whose job was lost with Redis; a job too many does nothing."""
    due = Batch.objects.filter(status=BatchStatus.PENDING).exclude(not_before__gt=timezone.now())
    missing = max(0, due.count() - jobs.waiting("sms"))
    if missing and not dry_run:
        jobs.enqueue_times("sms", SEND_NEXT, missing)
        audit.record("lost jobs of batches enqueued", by=NAME, batches=missing)
    return missing


def release_held_batches(dry_run: bool) -> int:
    """Batches that were put on hold just as their campaign was resumed."""
    going_on = Campaign.objects.filter(status=CampaignStatus.SENDING, pk=OuterRef("source_id"))
    held = Batch.objects.filter(
        Exists(going_on), status=BatchStatus.PENDING, not_before=sending.FOREVER,
        kind=CampaignMessage.batch_kind,
    )  # fmt: skip
    sources = list(held.values_list("source_id", flat=True).distinct())
    if dry_run:
        return held.count()
    released = 0
    for source_id in sources:
        released += sending.release(
            kind=CampaignMessage.batch_kind, source_id=source_id, not_before=sending.FOREVER
        )
        audit.record("held batches released", Campaign(pk=source_id), by=NAME)
    return released


def enqueue_due_campaigns(dry_run: bool) -> int:
    """A campaign whose scheduled job was lost, or that is to be tried again."""
    if dry_run:
        return schedule.due().count()
    return schedule.enqueue_due()


def finish_cancelling(dry_run: bool) -> int:
    """Cancelled campaigns of which some batches still wait."""
    ids = control.half_cancelled()
    if dry_run:
        return len(ids)
    for campaign_id in ids:
        dropped = control.finish_cancelling(campaign_id)
        audit.record("cancelling finished", Campaign(pk=campaign_id), by=NAME, batches=dropped)
    return len(ids)


def repair_stuck_campaigns(dry_run: bool) -> int:
    """Campaigns sending without progress for STUCK_SENDING_MINUTES, and nothing in their way.

    Messages without a batch get one; those that a settled batch left queued become unknown; wrong
    counters are put right, which also ends a campaign that should have ended.
    """
    before = timezone.now() - timedelta(minutes=settings.STUCK_SENDING_MINUTES)
    open_batches = Batch.objects.filter(
        kind=CampaignMessage.batch_kind, source_id=OuterRef("pk"),
        status__in=[BatchStatus.PENDING, BatchStatus.CLAIMED, BatchStatus.SUBMITTING],
    )  # fmt: skip
    stuck = Campaign.objects.filter(
        ~Exists(open_batches), status=CampaignStatus.SENDING, updated_at__lt=before
    )
    if dry_run:
        return stuck.count()
    ids = list(stuck.values_list("pk", flat=True)[:CHUNK])
    for campaign_id in ids:
        _repair(campaign_id)
    return len(ids)


@transaction.atomic
def _repair(campaign_id: int) -> None:
    campaign = Campaign.objects.select_for_update().get(pk=campaign_id)
    if campaign.status != CampaignStatus.SENDING:
        return
    known = Batch.objects.filter(pk=OuterRef("batch_id"))
    orphans = CampaignMessage.objects.filter(
        ~Exists(known), campaign=campaign, status=MessageStatus.QUEUED
    )
    batched = _batch_orphans(campaign, orphans)
    left = mark_unknown(
        CampaignMessage, Q(campaign=campaign) & Q(Exists(known.filter(status="settled"))),
        "its batch was settled without it",
    )  # fmt: skip
    counters = recount(campaign_id)
    audit.record(
        "stuck campaign repaired", campaign, by=NAME, messages_batched=batched,
        messages_unknown=left, counters_changed=counters,
    )  # fmt: skip


def _batch_orphans(campaign: Campaign, orphans) -> int:
    """Put messages that are in no batch into new ones, and hold their credits."""
    batched = 0
    while rows := list(orphans.values_list("pk", "segments")[: settings.SMS_BATCH_SIZE]):
        batch = Batch.objects.create(
            owner_id=campaign.owner_id, kind=CampaignMessage.batch_kind, source_id=campaign.pk,
            message_type=campaign.message_type, sender=_sender(campaign), size=len(rows),
            turn=sending.next_turn(),
        )  # fmt: skip
        try:
            credits.reserve([(campaign.owner_id, batch.pk, sum(parts for _, parts in rows))])
        except credits.InsufficientCredits as error:
            batch.delete()
            log.error("campaign %s: messages in no batch cannot be paid: %s", campaign.pk, error)
            break
        CampaignMessage.objects.filter(pk__in=[pk for pk, _ in rows]).update(batch=batch)
        jobs.enqueue("sms", SEND_NEXT)
        batched += len(rows)
    return batched


def _sender(campaign: Campaign) -> str:
    return campaign.owner.sender_name or settings.MITTO_SENDER


def recount(campaign_id: int) -> bool:
    """Set a campaign's counters to what its rows say, and end it if all have an outcome."""
    with connection.cursor() as cursor:
        cursor.execute(RECOUNT, [campaign_id, campaign_id])
        return cursor.fetchone()[0]


_SUMS = ", ".join(f"count(*) FILTER (WHERE status = '{name}') AS {name}" for name in COUNTED)
_SET = ", ".join(f"{name} = rows.{name}" for name in COUNTED)
_OLD = ", ".join(f"old.{name}" for name in COUNTED)
_NEW = ", ".join(f"rows.{name}" for name in COUNTED)
# The total is frozen at the start: retention may take rows away since.
RECOUNT = f"""
    WITH rows AS (
        SELECT {_SUMS}, count(*) FILTER (WHERE status = 'queued') AS queued
        FROM campaigns_campaignmessage WHERE campaign_id = %s
    )
    UPDATE campaigns_campaign c SET {_SET},
        status = CASE WHEN rows.queued > 0 THEN c.status
            WHEN rows.failed = c.total THEN 'failed' ELSE 'completed' END,
        finished_at = CASE WHEN rows.queued > 0 THEN c.finished_at ELSE now() END,
        updated_at = now()
    FROM rows, campaigns_campaign old
    WHERE c.id = %s AND old.id = c.id
    RETURNING ({_OLD}) IS DISTINCT FROM ({_NEW})
"""


def expire_reservations(dry_run: bool) -> int:
    """Credits held for messages that stayed unknown until the reservation ran out.

    Never of a batch that is in flight or still to be sent.
    """
    old = CreditReservation.objects.filter(
        status=ReservationStatus.RESERVED, expires_at__lt=timezone.now(),
        batch__status__in=[BatchStatus.SETTLED, BatchStatus.CANCELLED],
    ).order_by("pk")  # fmt: skip
    if dry_run:
        return old.count()
    expired = credits.expire(list(old.values_list("batch_id", flat=True)[:CHUNK]))
    for owner_id, batch_id, amount in expired:
        audit.record(
            "reservation expired", Batch(pk=batch_id), by=NAME, owner_id=owner_id, credits=amount
        )
    return len(expired)


def check_wallets(dry_run: bool) -> int:
    """Wallets that do not equal their ledger and reservations: reported, never changed."""
    with connection.cursor() as cursor:
        cursor.execute(WRONG_WALLETS)
        wrong = cursor.fetchall()
    for owner_id, *figures in wrong:
        log.error("store %s: wallet and ledger disagree: %s", owner_id, figures)
        if not dry_run:
            audit.record("wallet and ledger disagree", by=NAME, owner_id=owner_id, figures=figures)
    return len(wrong)


# The last ledger entry carries the balance after it; open reservations are few.
WRONG_WALLETS = """
    SELECT w.owner_id, w.balance, w.reserved_balance, last.balance_after, held.amount
    FROM messaging_wallet w
    LEFT JOIN LATERAL (
        SELECT balance_after FROM messaging_credittransaction t
        WHERE t.owner_id = w.owner_id ORDER BY id DESC LIMIT 1) last ON true
    LEFT JOIN (
        SELECT owner_id, sum(amount - charged - released) AS amount
        FROM messaging_creditreservation WHERE status = 'reserved' GROUP BY 1) held
        ON held.owner_id = w.owner_id
    WHERE w.balance <> COALESCE(last.balance_after, 0)
        OR w.reserved_balance <> COALESCE(held.amount, 0)
"""


def enqueue_stopped_imports(dry_run: bool) -> int:
    """Imports whose job was lost; one that is being read takes no second reader."""
    waiting = ContactImport.objects.filter(status__in=IMPORT_OPEN)
    if dry_run or jobs.waiting("contact_import"):
        return waiting.count() if dry_run else 0
    ids = list(waiting.values_list("pk", flat=True))
    jobs.enqueue_each("contact_import", IMPORT_CONTACTS, ids)
    return len(ids)


def enqueue_missed_birthdays(dry_run: bool) -> int:
    """A day's birthday run whose job was lost."""
    missed = birthday.missed()
    if missed and not dry_run:
        jobs.enqueue("birthday", birthday.RUN_BIRTHDAYS)
        audit.record("missed birthday run enqueued", by=NAME)
    return int(missed)


def rerun_jobs_of_dead_workers(dry_run: bool) -> int:
    """RQ notices a dead worker only when somebody looks."""
    found = sum(jobs.abandoned(name) for name in settings.RQ_QUEUES)
    if not dry_run:
        for name in settings.RQ_QUEUES:
            jobs.clean_up(name)
    return found


DUTIES: dict[str, Callable[[bool], int]] = {
    "jobs_of_dead_workers": rerun_jobs_of_dead_workers,
    "claims_taken_back": take_back_stale_claims,
    "given_up_as_unknown": give_up_unanswered,
    "held_batches_released": release_held_batches,
    "batches_enqueued": enqueue_waiting_batches,
    "campaigns_started": enqueue_due_campaigns,
    "cancellings_finished": finish_cancelling,
    "campaigns_repaired": repair_stuck_campaigns,
    "reservations_expired": expire_reservations,
    "wallets_wrong": check_wallets,
    "imports_enqueued": enqueue_stopped_imports,
    "birthday_runs_enqueued": enqueue_missed_birthdays,
}
