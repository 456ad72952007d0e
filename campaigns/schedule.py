"""Scheduled campaigns: setting the time, and starting what is due."""

from __future__ import annotations

import logging
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.utils import timezone

from campaigns.enqueue import START_CAMPAIGN
from campaigns.models import STARTABLE, Campaign, CampaignStatus
from contacts import jobs

log = logging.getLogger(__name__)


def schedule(campaign: Campaign, at: datetime) -> None:
    """Let a draft or scheduled campaign start at a future time.

    Args:
        at: aware, or naive in the store's own time zone.

    Raises:
        ValueError: if the time has passed or the campaign was started already.
    """
    if at.tzinfo is None:
        at = at.replace(tzinfo=ZoneInfo(campaign.owner.timezone))
    if at <= timezone.now():
        raise ValueError(f"{at:%Y-%m-%d %H:%M %Z} has passed: give a time in the future")
    updated = Campaign.objects.filter(pk=campaign.pk, status__in=STARTABLE).update(
        status=CampaignStatus.SCHEDULED, scheduled_at=at, block_reason="", retry_after=None
    )
    if not updated:
        raise ValueError("only a draft or scheduled campaign can be scheduled")
    jobs.enqueue_at("scheduler", at, START_CAMPAIGN, campaign.pk, job_id=f"campaign-{campaign.pk}")


def is_due(campaign_id: int) -> bool:
    """Whether a scheduled campaign's time has come."""
    return due().filter(pk=campaign_id).exists()


def due():
    """Scheduled campaigns whose time has come and that do not wait for another try."""
    now = timezone.now()
    return Campaign.objects.filter(
        Q(retry_after=None) | Q(retry_after__lte=now),
        status=CampaignStatus.SCHEDULED,
        scheduled_at__lte=now,
    )
