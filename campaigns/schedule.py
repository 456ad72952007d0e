"""When a campaign starts: scheduling one, and finding those that are due (rules.md#schedule).

The row decides, by PostgreSQL's clock. The delayed job only makes the start punctual.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from astronote.common import audit
from astronote.common.sql import database_now
from astronote.common.store_clock import (
    format_time_with_zone_name,
    local_to_aware,
)
from astronote.queues import jobs
from campaigns import message_text, service_campaigns
from campaigns.models import STARTABLE_STATUSES, Campaign, CampaignStatus

SCHEDULER = "scheduler"  # in the audit trail
START_CAMPAIGN = "campaigns.tasks.start_campaign"
MAX_STARTS_PER_SWEEP = 100
MAX_AHEAD = timedelta(days=366)
TOO_FAR_AHEAD = _("the time is more than a year away: check the year")


def schedule_campaign(campaign: Campaign, start_at: datetime, *, by: Any) -> None:
    """Schedule a draft for a future time, or a scheduled campaign for another one.

    Args:
        campaign: the campaign.
        start_at: aware, or naive in the store's own time zone.
        by: who does it, for the audit trail.

    Raises:
        ValueError: if the time has passed, is more than a year away, does not exist or comes twice
            in the store's time zone; if the campaign was started already, or its text cannot be
            sent.
        NotPermitted: if it is a service campaign and `by` may not send service messages.
        SendingBlocked: if it needs the confirmation of a second person.
    """
    now = database_now()
    # First, since the first and the last years cannot be converted to another time zone.
    if start_at.year > now.year + 1:
        raise ValueError(TOO_FAR_AHEAD)
    if start_at.year < now.year - 1:
        raise ValueError(
            gettext("the year %(year)s has passed: give a time in the future")
            % {"year": start_at.year}
        )
    if start_at.tzinfo is None:
        start_at = local_to_aware(start_at, campaign.owner.timezone)
    if start_at <= now:
        shown = format_time_with_zone_name(start_at, campaign.owner.timezone)
        raise ValueError(
            gettext("%(time)s has passed: give a time in the future") % {"time": shown}
        )
    if start_at > now + MAX_AHEAD:
        raise ValueError(TOO_FAR_AHEAD)
    with transaction.atomic():
        locked = Campaign.objects.select_for_update(of=["self"]).select_related("owner")
        current = locked.get(pk=campaign.pk)
        if current.status not in STARTABLE_STATUSES:
            raise ValueError(gettext("only a draft or scheduled campaign can be scheduled"))
        service_campaigns.raise_not_permitted_if_may_not_send_type(current.message_type, by)
        message_text.build_full_text(current)
        details = service_campaigns.audit_details_of_type_and_recipient_count_if_service(current)
        service_campaigns.raise_blocked_if_over_limit_and_unconfirmed(
            current, details.get("recipients", 0)
        )
        Campaign.objects.filter(pk=campaign.pk).update(
            status=CampaignStatus.SCHEDULED,
            scheduled_at=start_at,
            block_reason="",
            retry_after=None,
        )
        audit.write_entry("schedule", campaign, by=by, at=start_at.isoformat(), **details)
        jobs.enqueue_delayed_on_commit(
            "scheduler", start_at, START_CAMPAIGN, campaign.pk, job_id=start_job_id(campaign)
        )


def unschedule_campaign(campaign: Campaign, *, by: Any) -> None:
    """Make a scheduled campaign a draft again.

    Raises:
        ValueError: if it is not scheduled.
    """
    with transaction.atomic():
        updated = Campaign.objects.filter(pk=campaign.pk, status=CampaignStatus.SCHEDULED).update(
            status=CampaignStatus.DRAFT, scheduled_at=None, block_reason="", retry_after=None
        )
        if not updated:
            raise ValueError(gettext("only a scheduled campaign can be unscheduled"))
        audit.write_entry("unschedule", campaign, by=by)
        jobs.cancel_delayed_on_commit("scheduler", start_job_id(campaign))


def start_job_id(campaign: Campaign) -> str:
    """The id of the delayed job that starts a scheduled campaign."""
    return f"campaign-{campaign.pk}"


def due_campaigns() -> QuerySet[Campaign]:
    """Scheduled campaigns whose time has come and that do not wait for their next try."""
    return Campaign.objects.filter(
        Q(retry_after=None) | Q(retry_after__lte=Now()),
        status=CampaignStatus.SCHEDULED,
        scheduled_at__lte=Now(),
    )


def enqueue_start_of_some_due_campaigns() -> int:
    """Enqueue a job for each due campaign, so that none delays another; return how many."""
    due = due_campaigns().order_by("scheduled_at").values_list("pk", flat=True)
    ids = list(due[:MAX_STARTS_PER_SWEEP])
    jobs.enqueue_each_on_commit("scheduler", START_CAMPAIGN, ids)
    return len(ids)
