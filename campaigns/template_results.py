"""What campaigns that started from a template came to; read from counters, as reports are."""

from __future__ import annotations

from typing import NamedTuple

from django.db.models import Count, Sum

from campaigns.models import Campaign, CampaignMessage, OfferViewEvent
from messaging.models import MessageTemplate, Tally
from messaging.statuses import TallyEvent


class TemplateResults(NamedTuple):
    """The sums of a template's started campaigns.

    `accepted` counts messages that Mitto took, `people_who_clicked` recipients who opened their
    offer link, `opted_out` those who opted out by an answer or link of such a message.
    """

    campaigns: int
    accepted: int
    delivered: int
    people_who_clicked: int
    opted_out: int

    @property
    def click_rate(self) -> float | None:
        """The share of accepted messages that were clicked, 0 to 1; None if none was accepted."""
        return self.people_who_clicked / self.accepted if self.accepted else None


def template_results(template: MessageTemplate) -> TemplateResults:
    """The results of a template so far."""
    started = Campaign.objects.filter(template=template, started_at__isnull=False)
    sums = started.aggregate(
        campaigns=Count("pk"), sent=Sum("sent", default=0), delivered=Sum("delivered", default=0)
    )
    opted_out = Tally.objects.filter(
        kind=CampaignMessage.batch_kind,
        source_id__in=started.values("pk"),
        event=TallyEvent.OPTED_OUT,
    ).aggregate(count=Sum("count", default=0))["count"]
    people = OfferViewEvent.objects.filter(campaign__in=started).aggregate(
        people=Count("campaign_message", distinct=True)
    )["people"]
    accepted = sums["sent"] + sums["delivered"]
    return TemplateResults(sums["campaigns"], accepted, sums["delivered"], people, opted_out)
