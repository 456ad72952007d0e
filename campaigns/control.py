"""What an operator does with a campaign; each is safe at any moment, and who did it is kept."""

from __future__ import annotations

import secrets
from typing import Any

from django.db import transaction
from django.utils import timezone

from campaigns import enqueue
from campaigns.models import RUNNING, STARTABLE, Campaign, CampaignMessage, CampaignStatus
from campaigns.wording import SAMPLE, SAMPLE_CODE, filler_of
from contacts import audit, jobs
from contacts.phones import normalise, region_of
from messaging import direct, links, sending
from messaging.models import BATCH_OPEN, Batch, BatchStatus, DirectMessage

FINISH_CANCELLING = "campaigns.tasks.finish_cancelling"


def start(campaign: Campaign, *, by: Any) -> None:
    """Start a campaign now.

    Raises:
        Blocked: with the reason.
    """
    before = campaign.status
    started = enqueue.start(campaign.pk)
    if started.status != before:
        audit.record("start", campaign, by=by, messages=started.total)


def pause(campaign: Campaign, *, by: Any) -> None:
    """Stop a sending campaign; batches that are being submitted still go out.

    Raises:
        ValueError: if it is not sending.
    """
    with transaction.atomic():
        _move(campaign, [CampaignStatus.SENDING], CampaignStatus.PAUSED, "is not sending")
        audit.record("pause", campaign, by=by)
        sending.hold("the campaign is paused", **_batches_of(campaign))


def resume(campaign: Campaign, *, by: Any) -> None:
    """Let a paused campaign go on.

    Raises:
        ValueError: if it is not paused.
    """
    with transaction.atomic():
        _move(campaign, [CampaignStatus.PAUSED], CampaignStatus.SENDING, "is not paused")
        audit.record("resume", campaign, by=by)
        sending.release(**_batches_of(campaign), not_before=sending.FOREVER)


def cancel(campaign: Campaign, *, by: Any) -> None:
    """End a campaign for good: what was not sent is skipped and not charged.

    Batches that are being submitted still go out. The skipping is done by a job.

    Raises:
        ValueError: if it has ended already.
    """
    with transaction.atomic():
        _move(
            campaign,
            [*STARTABLE, *RUNNING],
            CampaignStatus.CANCELLED,
            "has ended already",
            finished_at=timezone.now(),
        )
        audit.record("cancel", campaign, by=by)
        jobs.cancel("scheduler", f"campaign-{campaign.pk}")
        jobs.enqueue("scheduler", FINISH_CANCELLING, campaign.pk)


def finish_cancelling(campaign_id: int) -> int:
    """Skip what a cancelled campaign has not sent; return how many batches that were."""
    if not Campaign.objects.filter(pk=campaign_id, status=CampaignStatus.CANCELLED).exists():
        return 0
    waiting = Batch.objects.filter(
        kind=CampaignMessage.batch_kind, source_id=campaign_id,
        status__in=[BatchStatus.PENDING, BatchStatus.CLAIMED],
    )  # fmt: skip
    return sending.drop(list(waiting.values_list("pk", flat=True)), code="cancelled")


def half_cancelled() -> list[int]:
    """Cancelled campaigns that still have batches which were not sent."""
    open_batches = Batch.objects.filter(
        kind=CampaignMessage.batch_kind, status__in=[s for s in BATCH_OPEN if s != "submitting"]
    )
    return list(
        Campaign.objects.filter(
            status=CampaignStatus.CANCELLED, pk__in=open_batches.values("source_id")
        ).values_list("pk", flat=True)
    )


def duplicate(campaign: Campaign, *, by: Any) -> Campaign:
    """A new draft with the same text and audience."""
    copy = Campaign.objects.create(
        owner_id=campaign.owner_id,
        created_by_id=getattr(by, "pk", campaign.created_by_id),
        name=f"{campaign.name[:190]} (copy)",
        message_text=campaign.message_text,
        offer_url=campaign.offer_url,
        message_type=campaign.message_type,
        list_id=campaign.list_id,
        filter_gender=campaign.filter_gender,
        filter_age_group=campaign.filter_age_group,
    )
    audit.record("duplicate", campaign, by=by, copy=copy.pk)
    return copy


def send_test(campaign: Campaign, to: str, *, by: Any) -> DirectMessage:
    """Send the campaign's text, filled for an invented customer, to one number; charged.

    Raises:
        ValueError: if the number is not valid, or the text cannot be filled.
        Blocked: if the store may not send or cannot pay.
    """
    region = region_of(campaign.owner)
    phone = normalise(to, region)
    if phone is None:
        raise ValueError(f"{to} is not a valid phone number (country if none is given: {region})")
    # The offer's link leads there, though there is no recipient to count.
    offer = links.Wording(campaign.owner_id, campaign.pk, campaign.offer_url)
    own, shared = links.address(SAMPLE_CODE), links.shorten({0: offer})[0]
    text = filler_of(campaign)(SAMPLE, SAMPLE_CODE).replace(own, shared)
    message = direct.send_one(campaign.owner, phone, text, key=f"test:{secrets.token_hex(8)}")
    audit.record("test", campaign, by=by, message=message.pk)
    return message


def _batches_of(campaign: Campaign) -> dict[str, Any]:
    return {"kind": CampaignMessage.batch_kind, "source_id": campaign.pk}


def _move(campaign: Campaign, before: list, after: str, problem: str, **changes: Any) -> None:
    changed = Campaign.objects.filter(pk=campaign.pk, status__in=before).update(
        status=after, **changes
    )
    campaign.refresh_from_db()
    if not changed:
        raise ValueError(f"campaign {campaign.pk} {problem}: it is {campaign.status}")
