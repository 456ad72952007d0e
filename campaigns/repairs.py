"""The watchdog's repairs of campaigns (rules.md#watchdog).

Each looks at the state of rows and returns how many it found. What it changes is written to the
audit trail. A dry run only counts.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from astronote.accounts.models import StoreId
from astronote.common import audit
from astronote.common.sql import rows
from astronote.operations.watchdog import NAME
from campaigns import actions, schedule
from campaigns.models import Campaign, CampaignMessage, CampaignStatus
from messaging import batch_queue, credits
from messaging.models import Batch, BatchId
from messaging.repairs import mark_queued_as_unknown
from messaging.statuses import (
    COUNTED_STATUSES,
    OPEN_BATCH_STATUSES,
    BatchStatus,
    MessageStatus,
)

log = logging.getLogger(__name__)

CHUNK = 1000


def release_held_batches(dry_run: bool) -> int:
    """Release batches that were put on hold while their campaign was being resumed."""
    sending = Campaign.objects.filter(status=CampaignStatus.SENDING, pk=OuterRef("source_id"))
    held = Batch.objects.filter(
        Exists(sending),
        status=BatchStatus.PENDING,
        not_before=batch_queue.HELD,
        kind=CampaignMessage.batch_kind,
    )
    if dry_run:
        return held.count()
    campaigns = list(Campaign.objects.filter(pk__in=held.values("source_id")).order_by("pk"))
    released = 0
    for campaign in campaigns:
        released += batch_queue.release_pending_batches(
            kind=CampaignMessage.batch_kind, source_id=campaign.pk, not_before=batch_queue.HELD
        )
        audit.write_entry("held batches released", campaign, by=NAME)
    return released


def enqueue_due_campaigns(dry_run: bool) -> int:
    """Enqueue the start of due campaigns whose job was lost, or whose next try is due."""
    if dry_run:
        return schedule.due_campaigns().count()
    return schedule.enqueue_start_of_some_due_campaigns()


def cancel_leftover_batches(dry_run: bool) -> int:
    """Drop the unsent batches of cancelled campaigns."""
    ids = actions.ids_of_cancelled_campaigns_with_unsent_batches()
    if dry_run:
        return len(ids)
    for campaign in Campaign.objects.filter(pk__in=ids).order_by("pk"):
        batch_count = actions.cancel_batches_of_cancelled_campaign(campaign.pk)
        audit.write_entry("cancelling finished", campaign, by=NAME, batches=batch_count)
    return len(ids)


def repair_stuck_campaigns(dry_run: bool) -> int:
    """Repair campaigns that are sending, unchanged for STUCK_SENDING_MINUTES, without open batches.

    Queued messages without a batch are put into new batches. Those that a settled batch left queued
    become unknown. Counters are set to what the rows say, which ends a complete campaign.
    """
    unchanged_since = Now() - timedelta(minutes=settings.STUCK_SENDING_MINUTES)
    open_batches = Batch.objects.filter(
        kind=CampaignMessage.batch_kind,
        source_id=OuterRef("pk"),
        status__in=OPEN_BATCH_STATUSES,
    )
    stuck = Campaign.objects.filter(
        ~Exists(open_batches), status=CampaignStatus.SENDING, updated_at__lt=unchanged_since
    )
    if dry_run:
        return stuck.count()
    ids = list(stuck.values_list("pk", flat=True)[:CHUNK])
    for campaign_id in ids:
        _lock_repair_and_audit_messages_and_counters_if_sending(campaign_id)
    return len(ids)


@transaction.atomic
def _lock_repair_and_audit_messages_and_counters_if_sending(campaign_id: int) -> None:
    campaign = Campaign.objects.select_for_update().get(pk=campaign_id)
    if campaign.status != CampaignStatus.SENDING:
        return
    own_batch = Batch.objects.filter(pk=OuterRef("batch_id"))
    without_batch = CampaignMessage.objects.filter(
        ~Exists(own_batch), campaign=campaign, status=MessageStatus.QUEUED
    )
    batched_count = _put_into_paid_batches_and_enqueue_while_credits_last(campaign, without_batch)
    unknown_count = mark_queued_as_unknown(
        CampaignMessage,
        Q(campaign=campaign) & Q(Exists(own_batch.filter(status=BatchStatus.SETTLED))),
        "its batch was settled without it",
    )
    counters_changed = recount_end_if_complete_and_tell_if_wrong(campaign_id)
    audit.write_entry(
        "stuck campaign repaired",
        campaign,
        by=NAME,
        messages_batched=batched_count,
        messages_unknown=unknown_count,
        counters_changed=counters_changed,
    )


def _put_into_paid_batches_and_enqueue_while_credits_last(
    campaign: Campaign, without_batch: QuerySet[CampaignMessage]
) -> int:
    """Put messages into new batches, hold their credits and enqueue jobs; return how many.

    It stops where the store cannot pay; those messages stay queued.
    """
    batched_count = 0
    while chunk := list(without_batch.values_list("pk", "segments")[: settings.SMS_BATCH_SIZE]):
        batch = Batch.objects.create(
            owner_id=campaign.owner_id,
            kind=CampaignMessage.batch_kind,
            source_id=campaign.pk,
            message_type=campaign.message_type,
            sender=_sender_id_of_store_or_default(campaign),
            size=len(chunk),
            turn=batch_queue.lowest_due_turn_or_zero(),
        )
        try:
            part_count = sum(parts for _, parts in chunk)
            credits.reserve_credits_or_raise(
                [credits.NewBatch(StoreId(campaign.owner_id), BatchId(batch.pk), part_count)]
            )
        except credits.InsufficientCredits as error:
            batch.delete()
            log.error(
                "campaign %s: messages without a batch cannot be paid: %s", campaign.pk, error
            )
            break
        CampaignMessage.objects.filter(pk__in=[pk for pk, _ in chunk]).update(batch=batch)
        batch_queue.enqueue_send_jobs_on_commit(1)
        batched_count += len(chunk)
    return batched_count


def _sender_id_of_store_or_default(campaign: Campaign) -> str:
    """The sender ID of the store, eligible or not: the campaign was started already."""
    return campaign.owner.sender_name or settings.MITTO_SENDER


def recount_end_if_complete_and_tell_if_wrong(campaign_id: int) -> bool:
    """Set a campaign's counters to what its messages say; end it if all have an outcome.

    Returns:
        Whether a counter was wrong.
    """
    return rows(RECOUNT_CAMPAIGN, [campaign_id, campaign_id])[0][0]


_COUNTS = ", ".join(
    f"count(*) FILTER (WHERE status = '{name}') AS {name}" for name in COUNTED_STATUSES
)
_ASSIGNMENTS = ", ".join(f"{name} = rows.{name}" for name in COUNTED_STATUSES)
_OLD = ", ".join(f"old.{name}" for name in COUNTED_STATUSES)
_NEW = ", ".join(f"rows.{name}" for name in COUNTED_STATUSES)
# The total keeps its value from the start: retention may have deleted messages since.
RECOUNT_CAMPAIGN = f"""
    WITH rows AS (
        SELECT {_COUNTS}, count(*) FILTER (WHERE status = 'queued') AS queued
        FROM campaigns_campaignmessage WHERE campaign_id = %s
    )
    UPDATE campaigns_campaign c SET {_ASSIGNMENTS},
        status = CASE WHEN rows.queued > 0 THEN c.status
            WHEN rows.failed = c.total THEN 'failed' ELSE 'completed' END,
        finished_at = CASE WHEN rows.queued > 0 THEN c.finished_at ELSE now() END,
        updated_at = now()
    FROM rows, campaigns_campaign old
    WHERE c.id = %s AND old.id = c.id
    RETURNING ({_OLD}) IS DISTINCT FROM ({_NEW})
"""
