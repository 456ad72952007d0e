"""What a campaign has come to and what it waits for, for commands, the admin and the demo."""

from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import Case, F, OuterRef, QuerySet, Subquery, Sum, When
from django.utils import timezone

from campaigns import analytics
from campaigns.models import Campaign, CampaignMessage, CampaignStatus
from messaging.models import Batch, BatchStatus
from messaging.sending import FOREVER


def report(campaign: Campaign) -> dict:
    """The campaign's state, counts by status, and what it came to."""
    campaign = with_next_batch(Campaign.objects.select_related("owner")).get(pk=campaign.pk)
    return {
        "id": campaign.pk,
        "name": campaign.name,
        "status": campaign.status,
        "waits_for": waits_for(campaign),
        **{
            name: getattr(campaign, name)
            for name in (
                "total", "queued", "sent", "delivered", "failed", "skipped", "unknown",
            )
        },
        **analytics.of_campaign(campaign).as_dict(),
    }  # fmt: skip


class Progress(NamedTuple):
    """How far a campaign is; `per_second` is that of the last minute, None: nothing went out."""

    campaign: Campaign
    percent: int
    per_second: float | None
    seconds_left: int | None
    waits_for: str


RECENT = timedelta(minutes=1)


def progress_of(campaigns: QuerySet[Campaign]) -> list[Progress]:
    """How far each campaign is, in two queries."""
    found = list(with_next_batch(campaigns.select_related("owner")))
    now = timezone.now()
    recent = Batch.objects.filter(
        kind=CampaignMessage.batch_kind, source_id__in=[c.pk for c in found],
        settled_at__gt=now - RECENT,
    )  # fmt: skip
    done = dict(recent.values_list("source_id").annotate(Sum("size")).order_by())
    return [_progress(campaign, done.get(campaign.pk, 0), now) for campaign in found]


def _progress(campaign: Campaign, done: int, now: datetime) -> Progress:
    running = campaign.status == CampaignStatus.SENDING
    began = campaign.started_at or now
    seconds = min(RECENT, max(now - began, timedelta(seconds=1))).total_seconds()
    rate = done / seconds if done and running else None
    return Progress(
        campaign,
        round(100 * campaign.processed / campaign.total) if campaign.total else 0,
        rate,
        round(campaign.queued / rate) if rate else None,
        waits_for(campaign),
    )


def with_next_batch(campaigns: QuerySet[Campaign]) -> QuerySet[Campaign]:
    """Campaigns with the time and the reason of the batch that is next to go out."""
    following = Batch.objects.filter(
        kind=CampaignMessage.batch_kind, source_id=OuterRef("pk"), status=BatchStatus.PENDING
    ).order_by(F("not_before").asc(nulls_first=True))

    def of_next(field: str) -> Case:
        return Case(When(status=CampaignStatus.SENDING, then=Subquery(following.values(field)[:1])))

    return campaigns.annotate(next_at=of_next("not_before"), next_reason=of_next("waiting_for"))


def waits_for(campaign: Campaign) -> str:
    """What keeps a campaign of `with_next_batch` from going on, and until when; empty: nothing.

    Times are the store's own.
    """
    now = timezone.now()
    zone = ZoneInfo(campaign.owner.timezone)

    def clock(time) -> str:
        local = time.astimezone(zone)
        today = local.date() == now.astimezone(zone).date()
        return f"{local:%H:%M}" if today else f"{local:%Y-%m-%d %H:%M}"

    if campaign.block_reason:
        again = f"; tried again at {clock(campaign.retry_after)}" if campaign.retry_after else ""
        return campaign.block_reason + again
    if campaign.next_at and now < campaign.next_at < FOREVER:
        return f"waiting for {campaign.next_reason} until {clock(campaign.next_at)}"
    return ""
