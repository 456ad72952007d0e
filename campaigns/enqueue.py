"""The start of a campaign: its messages, batches and held credits (rules.md#campaign-start)."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple

from django.db import transaction
from django.utils.translation import gettext

from astronote.accounts.eligibility import (
    SendingBlocked,
    sender_of_store,
)
from astronote.common import audit
from astronote.common.logs import log_context
from astronote.common.prefetch import prefetch_in_one_thread
from astronote.common.sql import database_now
from campaigns import message_text, schedule, service_campaigns
from campaigns.audience import (
    audience_choice_problem_or_empty,
    campaign_audience_with_consent_and_age,
    explain_why_audience_is_empty,
)
from campaigns.models import STARTABLE_STATUSES, Campaign, CampaignMessage, CampaignStatus
from campaigns.new_messages import (
    CHUNK,
    RecipientChunk,
    build_new_or_skipped_messages,
    iter_unblocked_chunks,
    recipient_columns,
)
from messaging import batch_writing, credits, database_age, sending_stop
from messaging.batch_queue import enqueue_send_jobs_on_commit, lowest_due_turn_or_zero

log = logging.getLogger(__name__)

MIN_RETRY_DELAY, MAX_RETRY_DELAY = timedelta(minutes=1), timedelta(hours=1)


class CannotStart(SendingBlocked):
    """The campaign can never start as it is: it has no audience, or its text cannot be sent."""


def enqueue_campaign(campaign_id: int, *, only_if_due: bool = False, by: Any = None) -> Campaign:
    """Start a draft or scheduled campaign: write messages and batches, hold credits, enqueue jobs.

    All of it commits together or not at all. A campaign in another status is left alone.

    Args:
        campaign_id: the campaign.
        only_if_due: leave the campaign alone unless it is scheduled and its time has come.
        by: who starts it; None for the scheduler, since
            `schedule_campaign` asked who may.

    Raises:
        NotPermitted: if it is a service campaign and `by` may not send service messages.
        SendingBlocked: with the reason, after the reason was saved on the campaign.
        CannotStart: likewise, after the campaign was marked failed.
    """
    with log_context(campaign=campaign_id):
        database_age.stop_sending_if_database_is_older()
        try:
            return _lock_and_start_or_return_unchanged(campaign_id, only_if_due, by)
        except SendingBlocked as blocked:
            _save_block_and_fail_if_cannot_start_or_set_retry(campaign_id, blocked)
            raise


def _save_block_and_fail_if_cannot_start_or_set_retry(
    campaign_id: int, blocked: SendingBlocked
) -> None:
    """Save why a campaign did not start; fail it if it never can, else set its next try.

    A scheduled campaign is tried again after as long as it has waited, within limits.
    """
    campaign = Campaign.objects.get(pk=campaign_id)
    now = database_now()
    changes: dict[str, Any] = {"block_reason": str(blocked)[:200], "retry_after": None}
    if isinstance(blocked, CannotStart):
        changes |= {"status": CampaignStatus.FAILED, "finished_at": now}
    elif campaign.status == CampaignStatus.SCHEDULED and campaign.scheduled_at:
        waited = now - campaign.scheduled_at
        changes["retry_after"] = now + min(max(waited, MIN_RETRY_DELAY), MAX_RETRY_DELAY)
    Campaign.objects.filter(pk=campaign_id, status__in=STARTABLE_STATUSES).update(**changes)


@transaction.atomic
def _lock_and_start_or_return_unchanged(campaign_id: int, only_if_due: bool, by: Any) -> Campaign:
    locked = Campaign.objects.select_for_update(of=["self"]).select_related("owner")
    campaign = locked.get(pk=campaign_id)
    if campaign.status not in STARTABLE_STATUSES:
        return campaign
    if only_if_due and not schedule.due_campaigns().filter(pk=campaign_id).exists():
        return campaign
    if by is not None:
        service_campaigns.raise_not_permitted_if_may_not_send_type(campaign.message_type, by)
    if sending_stop.is_stopped_by_old_or_restored_database():
        raise SendingBlocked(
            gettext("after a restore nothing starts until a person lets sending go on")
        )
    sender = sender_of_store(campaign.owner)
    if not campaign.message_text.strip():
        raise CannotStart(gettext("the campaign has no text"))
    if problem := audience_choice_problem_or_empty(campaign):
        raise CannotStart(problem)
    written = _write_messages_and_batches_up_to_one_over_limit(campaign, sender)
    if not written.message_count:
        raise CannotStart(explain_why_audience_is_empty(campaign))
    service_campaigns.raise_blocked_if_over_limit_and_unconfirmed(campaign, written.message_count)
    try:
        credits.reserve_credits_or_raise(written.batches)
    except credits.InsufficientCredits as error:
        raise SendingBlocked(str(error)) from None
    now = database_now()
    campaign.status, campaign.started_at = CampaignStatus.SENDING, now
    campaign.total, campaign.skipped = written.message_count, written.skipped_count
    campaign.block_reason, campaign.retry_after = "", None
    if not written.batches:
        campaign.status, campaign.finished_at = CampaignStatus.COMPLETED, now
    campaign.save()
    details = service_campaigns.audit_details_of_type_and_recipient_count_if_service(campaign)
    if details or by is not None:
        actor = by or schedule.SCHEDULER
        audit.write_entry("start", campaign, by=actor, messages=campaign.total, **details)
    enqueue_send_jobs_on_commit(len(written.batches))
    log.info("%s messages in %s batches", written.message_count, len(written.batches))
    return campaign


class WrittenMessages(NamedTuple):
    """What was written for a campaign; skipped messages count as messages and are in no batch."""

    batches: list[credits.NewBatch]
    message_count: int
    skipped_count: int


def _write_messages_and_batches_up_to_one_over_limit(
    campaign: Campaign, sender: str
) -> WrittenMessages:
    """Write the messages and batches of a campaign, at most one more than it may have.

    The audience is read by a server-side cursor in chunks, so memory does not grow with it.
    """
    try:
        render = message_text.create_links_and_campaign_renderer(campaign)
    except ValueError as error:
        raise CannotStart(str(error)) from None
    limit = service_campaigns.recipient_limit_unless_confirmed(campaign)
    audience = campaign_audience_with_consent_and_age(campaign).order_by("pk")
    recipients = (
        audience[: None if limit is None else limit + 1]
        .values_list(*recipient_columns(campaign))
        .iterator(chunk_size=CHUNK)
    )
    sources = {campaign.pk: batch_writing.BatchSource(sender, campaign.message_type)}
    batches: list[credits.NewBatch] = []
    batch_counts: Counter[int] = Counter()
    first_turn, message_count, skipped_count = lowest_due_turn_or_zero(), 0, 0
    chunks = iter_unblocked_chunks(recipients, campaign)
    # Texts are rendered by a thread while PostgreSQL writes the messages before them.
    rendered = prefetch_in_one_thread(
        (
            partial(_build_messages_with_new_tracking_ids, campaign, render, chunk)
            for chunk in chunks
        ),
        max_ahead=1,
    )
    for messages in rendered:
        batches += batch_writing.insert_batches(
            CampaignMessage,
            messages,
            sources,
            first_turn=first_turn,
            batch_counts_by_source=batch_counts,
        )
        message_count += len(messages)
        skipped_count += sum(1 for message in messages if message.skip_reason)
    return WrittenMessages(batches, message_count, skipped_count)


def _build_messages_with_new_tracking_ids(
    campaign: Campaign, render: message_text.Renderer, chunk: RecipientChunk
) -> list[batch_writing.NewMessage]:
    """The messages of a chunk; runs in a thread and must not query the database."""
    tracking_ids = batch_writing.generate_tracking_ids(len(chunk.recipients))
    return build_new_or_skipped_messages(campaign, render, chunk, tracking_ids)
