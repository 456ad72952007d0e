"""The contacts a campaign is for (rules.md#audience)."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from astronote.models import User
from campaigns.models import AgeGroup, Campaign
from campaigns.not_reached import contacts_not_reached
from contacts.ages import is_adult, is_not_known_as_minor, years_before
from contacts.consent import consenting_contacts_q
from contacts.models import Contact

# Completed years: from the first, up to but not including the second.
AGE_RANGES: dict[AgeGroup, tuple[int, int | None]] = {
    AgeGroup.AGE_18_24: (18, 25),
    AgeGroup.AGE_25_39: (25, 40),
    AgeGroup.AGE_40_PLUS: (40, None),
}


class LeftOut(NamedTuple):
    """How many contacts, whom the choice of an audience names, may not be messaged, and why."""

    reason: str
    contacts: int


NOBODY = "nobody in the audience may be messaged"


def local_today(store: User) -> date:
    """Today in the store's own time zone."""
    return timezone.now().astimezone(ZoneInfo(store.timezone)).date()


def allowed_campaign_audience(campaign: Campaign) -> QuerySet[Contact]:
    """The contacts of the store whom a campaign is for and who may receive it.

    With a filter, only contacts whose birthday proves 18 years. With a list, all of its contacts
    but those whose birthday shows that they are younger. Likewise with those whom another campaign
    did not reach. With none of these, nobody.
    """
    contacts = Contact.objects.filter(
        consenting_contacts_q(campaign.message_type), owner=campaign.owner_id
    )
    today = local_today(campaign.owner)
    if campaign.not_reached_by_id:
        not_reached = contacts_not_reached(campaign.not_reached_by_id, except_campaign=campaign.pk)
        return contacts.filter(is_not_known_as_minor(today), pk__in=not_reached.values("pk"))
    if campaign.filter_gender or campaign.filter_age_group:
        contacts = contacts.filter(is_adult(today))
        if campaign.filter_gender:
            contacts = contacts.filter(gender=campaign.filter_gender)
        if campaign.filter_age_group:
            contacts = contacts.filter(_is_in_age_group(campaign.filter_age_group, today))
        return contacts
    if campaign.list_id:
        return contacts.filter(is_not_known_as_minor(today), listmembership__list=campaign.list_id)
    return contacts.none()


def _is_in_age_group(age_group: str, today: date) -> Q:
    """Contacts whose birthday is in the age group, as a condition on Contact."""
    min_age, age_limit = AGE_RANGES[AgeGroup(age_group)]
    in_group = Q(birthday__lte=years_before(today, min_age))
    return in_group & Q(birthday__gt=years_before(today, age_limit)) if age_limit else in_group


def audience_problem(campaign: Campaign) -> str:
    """What is wrong with the choice of an audience; empty if nothing is."""
    if campaign.not_reached_by_id:
        return ""
    has_filters = bool(campaign.filter_gender or campaign.filter_age_group)
    if campaign.list_id and has_filters:
        return "choose a list or filters, not both"
    if not (campaign.list_id or has_filters):
        return f"{NOBODY}: choose a list, or a gender or an age"
    return ""


def why_audience_is_empty(campaign: Campaign) -> str:
    """Why no contact of the store is in the audience, as far as it can be told."""
    if problem := audience_problem(campaign):
        return problem
    contacts = Contact.objects.filter(owner=campaign.owner_id)
    if campaign.not_reached_by_id:
        not_reached = contacts_not_reached(campaign.not_reached_by_id, except_campaign=campaign.pk)
        contacts = contacts.filter(pk__in=not_reached.values("pk"))
        if not contacts.exists():
            return f"{NOBODY}: the other campaign has reached everybody that can be reached now"
    elif campaign.list_id:
        contacts = contacts.filter(listmembership__list=campaign.list_id)
        if not contacts.exists():
            return f"{NOBODY}: the list is empty"
    elif campaign.filter_gender:
        contacts = contacts.filter(gender=campaign.filter_gender)
    consenting = contacts.filter(consenting_contacts_q(campaign.message_type))
    count = consenting.count()
    if not count:
        return f"{NOBODY}: {contacts.count():,} contacts match, and none has consent to this type"
    if allowed_campaign_audience(campaign).exists():
        return f"{NOBODY}: all numbers are suppressed, or a reply of theirs waits for a decision"
    if campaign.list_id or campaign.not_reached_by_id:
        return f"{NOBODY}: the birthdays of all {count:,} contacts say that they are under 18"
    if without_birthday := consenting.filter(birthday=None).count():
        return (
            f"{NOBODY}: a gender or an age only reaches contacts whose birthday proves 18 years,"
            f" and {without_birthday:,} of {count:,} have no birthday: add them, or choose a list"
        )
    return f"{NOBODY}: none of {count:,} birthdays is in this age"


def count_left_out(campaign: Campaign) -> list[LeftOut]:
    """Of the contacts whom the choice of an audience names, those who may not be messaged, by why.

    One query, which reads them all: pages ask for it on their own, and nothing waits for it.
    """
    contacts = Contact.objects.filter(owner=campaign.owner_id)
    today = local_today(campaign.owner)
    is_of_age, why_too_young = is_not_known_as_minor(today), "their birthday says under 18"
    if campaign.not_reached_by_id:
        not_reached = contacts_not_reached(campaign.not_reached_by_id, except_campaign=campaign.pk)
        contacts = contacts.filter(pk__in=not_reached.values("pk"))
    elif campaign.filter_gender or campaign.filter_age_group:
        is_of_age, why_too_young = is_adult(today), "no birthday proves that they are 18"
        if campaign.filter_gender:
            contacts = contacts.filter(gender=campaign.filter_gender)
        if campaign.filter_age_group:
            in_group = _is_in_age_group(campaign.filter_age_group, today)
            contacts = contacts.filter(in_group | Q(birthday=None))
    elif campaign.list_id:
        contacts = contacts.filter(listmembership__list=campaign.list_id)
    else:
        return []
    # Each contact counts for the first reason that holds.
    without_number = Q(phone=None)
    restricted = ~without_number & ~Q(restricted_at=None)
    usable = Q(phone__isnull=False, restricted_at=None)
    consenting = consenting_contacts_q(campaign.message_type)
    opted_out = usable & ~consenting & Q(unsubscribed_at__isnull=False)
    never_agreed = usable & ~consenting & Q(unsubscribed_at=None)
    counts = contacts.aggregate(
        without_number=Count("pk", filter=without_number),
        restricted=Count("pk", filter=restricted),
        opted_out=Count("pk", filter=opted_out),
        never_agreed=Count("pk", filter=never_agreed),
        too_young=Count("pk", filter=consenting & ~is_of_age),
    )
    sentences = {
        "without_number": "no number",
        "restricted": "their data may only be stored (GDPR, article 18)",
        "opted_out": "opted out",
        "never_agreed": "no consent to messages of this type",
        "too_young": why_too_young,
    }
    return [LeftOut(sentences[name], count) for name, count in counts.items() if count]
