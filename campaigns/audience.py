"""Who a campaign goes to (behaviours, rules 25 and 26)."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet
from django.utils import timezone

from campaigns.models import AgeGroup, Campaign
from contacts.consent import reachable
from contacts.models import Contact

ADULT = 18
# Completed years, from and up to but not including.
AGES = {
    AgeGroup.AGE_18_24: (18, 25),
    AgeGroup.AGE_25_39: (25, 40),
    AgeGroup.AGE_40_PLUS: (40, None),
}


def local_today(owner) -> date:
    """Today in the store's own time zone."""
    return timezone.now().astimezone(ZoneInfo(owner.timezone)).date()


def years_before(day: date, years: int) -> date:
    """The last birthday of those who have completed so many years on the day."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:  # 29 February
        return day.replace(year=day.year - years, day=28)


def audience(campaign: Campaign) -> QuerySet[Contact]:
    """The store's reachable contacts that the campaign is for.

    A filter needs a birthday that proves 18 years; a list is trusted unless a birthday disproves
    it. A campaign with neither has no audience.
    """
    contacts = Contact.objects.filter(reachable(campaign.message_type), owner=campaign.owner_id)
    today = local_today(campaign.owner)
    adult = Q(birthday__lte=years_before(today, ADULT))
    if campaign.filter_gender or campaign.filter_age_group:
        contacts = contacts.filter(adult)
        if campaign.filter_gender:
            contacts = contacts.filter(gender=campaign.filter_gender)
        if campaign.filter_age_group:
            youngest, oldest = AGES[AgeGroup(campaign.filter_age_group)]
            contacts = contacts.filter(birthday__lte=years_before(today, youngest))
            if oldest:
                contacts = contacts.filter(birthday__gt=years_before(today, oldest))
        return contacts
    if campaign.list_id:
        return contacts.filter(adult | Q(birthday=None), listmembership__list=campaign.list_id)
    return contacts.none()
