"""What an operator does with a campaign; each action can be taken at any moment and is audited."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from typing import Any

from django.db import transaction
from django.utils.translation import gettext

from astronote.accounts.eligibility import SendingBlocked
from astronote.accounts.models import StoreId
from astronote.common import audit
from astronote.common.sql import database_now
from astronote.queues import jobs
from campaigns import enqueue, schedule, service_campaigns
from campaigns.audience import campaign_audience_with_consent_and_age
from campaigns.message_text import SAMPLE_CODE, SAMPLE_CONTACT, create_links_and_campaign_renderer
from campaigns.models import (
    FINAL_CAMPAIGN_STATUSES,
    RUNNING_STATUSES,
    STARTABLE_STATUSES,
    AudienceChoice,
    Campaign,
    CampaignMessage,
    CampaignStatus,
)
from contacts.importing.phone_cells import parse_phone_to_e164_or_raise_unusable
from contacts.phones import phone_region_of_store_or_default
from messaging import batch_queue, direct_messages, links, unknown_messages
from messaging.credits import InsufficientCredits
from messaging.models import Batch, DirectMessage
from messaging.statuses import UNSENT_BATCH_STATUSES, Reason

TEST_KEY_PREFIX = "test:"
FINISH_CANCELLING = "campaigns.tasks.drop_cancelled_batches"


def start_now(campaign: Campaign, *, by: Any) -> None:
    """Start a campaign now; a refusal is written to the audit trail.

    Raises:
        SendingBlocked: with the reason.
        NotPermitted: if it is a service campaign and `by` may not send service messages.
    """
    try:
        enqueue.enqueue_campaign(campaign.pk, by=by)
    except SendingBlocked:
        audit.write_entry("start refused", campaign, by=by)  # the reason is on the campaign
        raise


def pause_campaign(campaign: Campaign, *, by: Any) -> None:
    """Stop a sending campaign and hold its batches; batches being submitted still go out.

    Raises:
        ValueError: if it is not sending.
    """
    with transaction.atomic():
        _change_and_refresh_status_or_raise_value_error(
            campaign,
            [CampaignStatus.SENDING],
            CampaignStatus.PAUSED,
            gettext("campaign %(number)s is not sending: it is %(status)s"),
        )
        audit.write_entry("pause", campaign, by=by)
        batch_queue.hold_pending_batches(
            "the campaign is paused", **_kind_and_source_kwargs_of_campaign_batches(campaign)
        )


def resume_campaign(campaign: Campaign, *, by: Any) -> None:
    """Let a paused campaign go on and release its batches.

    Raises:
        ValueError: if it is not paused.
    """
    with transaction.atomic():
        _change_and_refresh_status_or_raise_value_error(
            campaign,
            [CampaignStatus.PAUSED],
            CampaignStatus.SENDING,
            gettext("campaign %(number)s is not paused: it is %(status)s"),
        )
        audit.write_entry("resume", campaign, by=by)
        batch_queue.release_pending_batches(
            **_kind_and_source_kwargs_of_campaign_batches(campaign), not_before=batch_queue.HELD
        )


def cancel_campaign(campaign: Campaign, *, by: Any) -> None:
    """End a campaign; a job skips the messages that were not sent and releases their credits.

    Batches being submitted still go out.

    Raises:
        ValueError: if it has ended already.
    """
    with transaction.atomic():
        _change_and_refresh_status_or_raise_value_error(
            campaign,
            [*STARTABLE_STATUSES, *RUNNING_STATUSES],
            CampaignStatus.CANCELLED,
            gettext("campaign %(number)s has ended already: it is %(status)s"),
            finished_at=database_now(),
        )
        audit.write_entry("cancel", campaign, by=by)
        jobs.cancel_delayed_on_commit("scheduler", schedule.start_job_id(campaign))
        jobs.enqueue_on_commit("scheduler", FINISH_CANCELLING, campaign.pk)


def cancel_batches_of_cancelled_campaign(campaign_id: int) -> int:
    """Drop the unsent batches of a cancelled campaign; return how many.

    Their messages are skipped and their credits released.
    """
    if not Campaign.objects.filter(pk=campaign_id, status=CampaignStatus.CANCELLED).exists():
        return 0
    unsent = Batch.objects.filter(
        kind=CampaignMessage.batch_kind,
        source_id=campaign_id,
        status__in=UNSENT_BATCH_STATUSES,
    )
    return batch_queue.cancel_unsent_batches(
        list(unsent.values_list("pk", flat=True)), skip_reason=Reason.CANCELLED
    )


def ids_of_cancelled_campaigns_with_unsent_batches() -> list[int]:
    """The ids of cancelled campaigns that still have unsent batches."""
    unsent = Batch.objects.filter(kind=CampaignMessage.batch_kind, status__in=UNSENT_BATCH_STATUSES)
    return list(
        Campaign.objects.filter(
            status=CampaignStatus.CANCELLED, pk__in=unsent.values("source_id")
        ).values_list("pk", flat=True)
    )


def duplicate_as_draft(campaign: Campaign, *, by: Any) -> Campaign:
    """Create a draft with the same text and audience.

    Raises:
        NotPermitted: if it is a service campaign and `by` may not send service messages.
    """
    service_campaigns.raise_not_permitted_if_may_not_send_type(campaign.message_type, by)
    copy = Campaign(
        owner_id=campaign.owner_id,
        created_by_id=getattr(by, "pk", campaign.created_by_id),
        name=gettext("%(name)s (copy)") % {"name": campaign.name[:190]},
        message_text=campaign.message_text,
        template_id=campaign.template_id,
        offer_url=campaign.offer_url,
        message_type=campaign.message_type,
        list_id=campaign.list_id,
        filter_gender=campaign.filter_gender,
        filter_age_group=campaign.filter_age_group,
        to_everybody=campaign.to_everybody,
        not_reached_by_id=campaign.not_reached_by_id,
    )
    copy.choose_audience(
        AudienceChoice(list=choice.list, segment=choice.segment, is_excluded=choice.is_excluded)
        for choice in campaign.audience_choices()
    )
    copy.save()
    audit.write_entry("duplicate", campaign, by=by, copy=copy.pk)
    return copy


def build_copy_to_not_reached(campaign: Campaign) -> Campaign:
    """The draft, not saved, with a campaign's text, to those whom the campaign did not reach."""
    return Campaign(
        owner=campaign.owner,
        created_by_id=campaign.created_by_id,
        name=gettext("%(name)s (not reached)") % {"name": campaign.name[:185]},
        message_text=campaign.message_text,
        template_id=campaign.template_id,
        offer_url=campaign.offer_url,
        message_type=campaign.message_type,
        not_reached_by=campaign,
    )


@transaction.atomic
def get_or_create_draft_to_not_reached(campaign: Campaign, *, by: Any) -> Campaign:
    """Create a draft to those whom an ended campaign did not reach; nothing is sent yet.

    If there is one already that was not started, that one is returned.

    Raises:
        ValueError: if the campaign has not ended, or there is nobody to be reached.
        NotPermitted: if it is a service campaign and `by` may not send service messages.
    """
    service_campaigns.raise_not_permitted_if_may_not_send_type(campaign.message_type, by)
    # Of two presses at one moment the second waits here, and finds the draft of the first.
    statuses = Campaign.objects.select_for_update().values_list("status", flat=True)
    if statuses.get(pk=campaign.pk) not in FINAL_CAMPAIGN_STATUSES:
        raise ValueError(gettext("campaign %(number)s has not ended") % {"number": campaign.pk})
    drafts = Campaign.objects.filter(not_reached_by=campaign, status__in=STARTABLE_STATUSES)
    if existing := drafts.order_by("pk").first():
        return existing
    draft = build_copy_to_not_reached(campaign)
    if not campaign_audience_with_consent_and_age(draft).exists():
        raise ValueError(
            gettext(
                "there is nobody whom it did not reach and who may be messaged; unknown messages"
                " count once their reservation has expired"
            )
        )
    draft.created_by_id = getattr(by, "pk", campaign.created_by_id)
    draft.save()
    audit.write_entry("send to those not reached", campaign, by=by, campaign=draft.pk)
    return draft


def settle_unknown_as_delivered_and_charge(campaign: Campaign, *, by: Any) -> int:
    """Mark all unknown messages of a campaign as delivered and charge them; return how many."""
    return _resolve_unknown_messages_of_campaign(
        unknown_messages.mark_unknown_delivered, campaign, by
    )


def settle_unknown_as_failed(campaign: Campaign, *, by: Any) -> int:
    """Mark all unknown messages of a campaign as failed; release their credits; return how many."""
    return _resolve_unknown_messages_of_campaign(unknown_messages.mark_unknown_failed, campaign, by)


def resend_unknown(campaign: Campaign, *, by: Any) -> int:
    """Send all unknown messages of a campaign again; return how many.

    Those that Mitto did accept are repeated. Whoever has got a message of a campaign to those not
    reached is left out.

    Raises:
        SendingBlocked: if the store cannot pay all of them; those before are sent again.
        ValueError: if the campaign is cancelled, or nobody is left.
    """
    try:
        count = _resolve_unknown_messages_of_campaign(
            unknown_messages.requeue_unknown, campaign, by
        )
    except InsufficientCredits as error:
        raise SendingBlocked(
            gettext("not all messages are sent again: %(error)s") % {"error": error}
        ) from None
    if not count:
        raise ValueError(
            gettext("all of them have got a message of a campaign to those not reached")
        )
    return count


def _resolve_unknown_messages_of_campaign(
    resolve: unknown_messages.Resolve, campaign: Campaign, by: Any
) -> int:
    return unknown_messages.resolve_unknown_in_transaction_per_batch(
        resolve, CampaignMessage, by=by, campaign_id=campaign.pk
    )


def enqueue_test_message(campaign: Campaign, phone_as_written: str, *, by: Any) -> DirectMessage:
    """Send the campaign's text, filled with sample fields, to one number; the store pays.

    Raises:
        ValueError: if the number is not valid or has two readings, or the text cannot be sent.
        SendingBlocked: if the store may not send or cannot pay.
    """
    region = phone_region_of_store_or_default(campaign.owner)
    phone = parse_phone_to_e164_or_raise_unusable(phone_as_written, region)
    # A test has no message of the campaign, so a shared link to the offer replaces its own link.
    offer = links.OwnedText(StoreId(campaign.owner_id), campaign.pk, campaign.offer_url)
    own_url, shared_url = (
        links.short_url(SAMPLE_CODE),
        links.create_links_and_shorten_long_urls({0: offer})[0],
    )
    text = create_links_and_campaign_renderer(campaign)(SAMPLE_CONTACT, SAMPLE_CODE).replace(
        own_url, shared_url
    )
    message = direct_messages.get_or_enqueue_direct_message(
        campaign.owner, phone, text, key=f"{TEST_KEY_PREFIX}{secrets.token_hex(8)}"
    )
    audit.write_entry("test", campaign, by=by, message=message.pk)
    return message


def _kind_and_source_kwargs_of_campaign_batches(campaign: Campaign) -> dict[str, Any]:
    return {"kind": CampaignMessage.batch_kind, "source_id": campaign.pk}


def _change_and_refresh_status_or_raise_value_error(
    campaign: Campaign,
    allowed_statuses: Collection[str],
    status: CampaignStatus,
    problem_text: str,
    **changes: Any,
) -> None:
    """Change the status of a campaign, and other columns, if its status is an allowed one.

    `problem_text` has placeholders for the campaign's `number` and `status`.
    """
    changed = Campaign.objects.filter(pk=campaign.pk, status__in=allowed_statuses).update(
        status=status, **changes
    )
    campaign.refresh_from_db()
    if not changed:
        raise ValueError(
            problem_text % {"number": campaign.pk, "status": campaign.get_status_display()}
        )
