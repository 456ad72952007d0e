"""When a campaign starts: scheduling one, and finding those that are due.

The row decides, by PostgreSQL's clock; the delayed job only makes it punctual.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from campaigns.models import STARTABLE, Campaign, CampaignStatus
from contacts import audit, jobs

START_CAMPAIGN = "campaigns.tasks.start_campaign"
DUE_AT_ONCE = 100


def schedule(campaign: Campaign, at: datetime, *, by: Any) -> None:
    """Let a draft or scheduled campaign start at a future time, or at another one.

    Args:
        at: aware, or naive in the store's own time zone.

    Raises:
        ValueError: if the time has passed or the campaign was started already.
    """
    if at.tzinfo is None:
        at = at.replace(tzinfo=ZoneInfo(campaign.owner.timezone))
    if at <= timezone.now():
        raise ValueError(f"{at:%Y-%m-%d %H:%M %Z} has passed: give a time in the future")
    with transaction.atomic():
        updated = Campaign.objects.filter(pk=campaign.pk, status__in=STARTABLE).update(
            status=CampaignStatus.SCHEDULED, scheduled_at=at, block_reason="", retry_after=None
        )
        if not updated:
            raise ValueError("only a draft or scheduled campaign can be scheduled")
        audit.record("schedule", campaign, by=by, at=at.isoformat())
        jobs.enqueue_at("scheduler", at, START_CAMPAIGN, campaign.pk, job_id=_job_id(campaign))


def unschedule(campaign: Campaign, *, by: Any) -> None:
    """Make a scheduled campaign a draft again.

    Raises:
        ValueError: if it is not scheduled.
    """
    with transaction.atomic():
        updated = Campaign.objects.filter(pk=campaign.pk, status=CampaignStatus.SCHEDULED).update(
            status=CampaignStatus.DRAFT, scheduled_at=None, block_reason="", retry_after=None
        )
        if not updated:
            raise ValueError("only a scheduled campaign can be unscheduled")
        audit.record("unschedule", campaign, by=by)
        jobs.cancel("scheduler", _job_id(campaign))


def _job_id(campaign: Campaign) -> str:
    return f"campaign-{campaign.pk}"


def due() -> QuerySet[Campaign]:
    """Scheduled campaigns whose time has come and that do not wait for another try."""
    return Campaign.objects.filter(
        Q(retry_after=None) | Q(retry_after__lte=Now()),
        status=CampaignStatus.SCHEDULED,
        scheduled_at__lte=Now(),
    )


def enqueue_due() -> int:
    """Enqueue the start of each due campaign, a job each, so that none holds up another."""
    ids = list(due().order_by("scheduled_at").values_list("pk", flat=True)[:DUE_AT_ONCE])
    jobs.enqueue_each("scheduler", START_CAMPAIGN, ids)
    return len(ids)
