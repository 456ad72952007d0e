"""Finds what is stuck and sets it going again (overview, section 8)."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from campaigns.enqueue import START_CAMPAIGN
from campaigns.models import Campaign, CampaignStatus
from campaigns.schedule import due
from contacts import jobs
from messaging import outcomes
from messaging.models import Batch, BatchStatus, MessageStatus
from messaging.outcomes import Outcome
from messaging.sending import SEND_BATCH

log = logging.getLogger(__name__)


def run() -> dict[str, int]:
    """Do every duty once; return how many of each were found."""
    counts = {
        "claims_taken_back": take_back_stale_claims(),
        "given_up_as_unknown": give_up_unanswered(),
        "batches_enqueued": enqueue_waiting_batches(),
        "campaigns_started": enqueue_due_campaigns(),
    }
    if any(counts.values()):
        log.warning("watchdog: %s", counts)
    return counts


def _stale():
    return timezone.now() - timedelta(minutes=settings.STUCK_LOCKED_MINUTES)


def take_back_stale_claims() -> int:
    """A worker died before its call: nothing was sent, so the batch waits again."""
    return Batch.objects.filter(status=BatchStatus.CLAIMED, claimed_at__lt=_stale()).update(
        status=BatchStatus.PENDING, claim_token=None, claimed_at=None
    )


def give_up_unanswered() -> int:
    """A worker died during its call: perhaps it was taken, so the messages become unknown."""
    ids = Batch.objects.filter(status=BatchStatus.SUBMITTING, claimed_at__lt=_stale())
    given_up = 0
    for batch_id in list(ids.values_list("pk", flat=True)):
        with transaction.atomic():
            batch = (
                Batch.objects.select_for_update(skip_locked=True)
                .filter(pk=batch_id, status=BatchStatus.SUBMITTING, claimed_at__lt=_stale())
                .first()
            )
            if batch is None:
                continue
            queued = batch.message_class.objects.filter(batch=batch, status=MessageStatus.QUEUED)
            error = "the worker died during the call"
            outcomes.record(
                batch.message_class,
                [
                    Outcome(pk, MessageStatus.UNKNOWN, None, "no_answer", error)
                    for pk in queued.values_list("pk", flat=True)
                ],
            )
            batch.status, batch.settled_at = BatchStatus.SETTLED, timezone.now()
            batch.error = error
            batch.save()
            given_up += 1
    return given_up


def enqueue_waiting_batches() -> int:
    """A pending batch may have lost its job with Redis; one job too many does nothing."""
    now = timezone.now()
    running = Campaign.objects.filter(status=CampaignStatus.SENDING).values("pk")
    waiting = Batch.objects.filter(status=BatchStatus.PENDING).exclude(not_before__gt=now)
    ids = waiting.filter(kind="campaign", source_id__in=running) | waiting.exclude(kind="campaign")
    lost = sorted(set(ids.values_list("pk", flat=True)) - _enqueued("sms"))
    jobs.enqueue_each("sms", SEND_BATCH, lost)
    return len(lost)


def _enqueued(name: str) -> set[int]:
    """Ids that the jobs of a queue carry."""
    if settings.QUEUE_DISABLED:
        return set()
    waiting = jobs.queue(name).get_jobs()
    return {job.args[0] for job in waiting if job.args}


def enqueue_due_campaigns() -> int:
    """A campaign whose scheduled job was lost, or that is to be tried again."""
    ids = list(due().values_list("pk", flat=True))
    jobs.enqueue_each("scheduler", START_CAMPAIGN, ids)
    return len(ids)
