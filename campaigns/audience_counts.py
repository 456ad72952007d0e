"""How many contacts an audience or a segment has, and why other contacts are left out.

The contacts are counted by the conditions by which a campaign's start chooses them (`audience.py`,
`segments.py`). Suppressions are hashes, so of a large audience a sample of numbers is compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from django.db.models import Count, F, Func, IntegerField, Q, QuerySet
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from campaigns import segments
from campaigns.audience import (
    campaign_audience_with_consent_and_age,
    contacts_chosen_regardless_of_consent,
    filter_by_consent_and_age,
    local_today,
)
from campaigns.models import AudienceChoice, Campaign, Segment
from campaigns.new_messages import iter_unblocked_chunks
from contacts.ages import ADULT_AGE, is_adult_or_of_unknown_age_q
from contacts.consent import consenting_unrestricted_contacts_q
from contacts.models import Contact, MessageType

# Audiences up to this size are counted whole, of larger ones about so many contacts: half a second,
# and less than a second with 1,000,000 contacts.
MAX_COUNTED = 20_000
SAMPLE_SIZE = 10_000

SUPPRESSED = _("they have a suppressed number, or a reply of theirs waits for a decision")


class LeftOut(NamedTuple):
    """How many contacts of the store are left out, and why: `they have no birthday`."""

    contacts: int
    reason: str


class SegmentCount(NamedTuple):
    """How many contacts match a segment, and how many of them would get marketing now.

    `reachable` is estimated if `is_exact` is false.
    """

    matching: int
    reachable: int
    is_exact: bool
    left_out: list[LeftOut]


def count_or_estimate_segment_and_left_out(segment: Segment) -> SegmentCount:
    """Count a segment, saved or not, and say why others are left out; nothing is written."""
    campaign = Campaign(owner=segment.owner, message_type=MessageType.MARKETING)
    campaign.choose_audience([AudienceChoice(segment=segment)])
    audience = campaign_audience_with_consent_and_age(campaign)
    counts = count_chosen_by_consent_and_age(campaign)
    size = counts.audience
    is_exact = size <= MAX_COUNTED
    drawn = list(
        (audience if is_exact else stable_random_sample(audience, SAMPLE_SIZE / size)).values_list(
            "pk", "phone"
        )
    )
    kept = sum(len(chunk.recipients) for chunk in iter_unblocked_chunks(iter(drawn), campaign))
    suppressed = scale_sample_count_to_size(size, len(drawn), len(drawn) - kept)
    left_out = [*left_out_counts_without_suppressed(campaign, counts)]
    if suppressed:
        left_out.append(LeftOut(suppressed, str(SUPPRESSED)))
    return SegmentCount(counts.chosen, size - suppressed, is_exact or not suppressed, left_out)


class ChosenCounts(NamedTuple):
    """How many contacts were chosen for a campaign, and how many of them are its audience.

    `chosen` has the excluded ones, too. Each of the others is counted once, under the first reason.
    """

    chosen: int
    audience: int
    restricted: int
    opted_out: int
    never_agreed: int
    minors: int
    excluded: int


def count_chosen_by_consent_and_age(campaign: Campaign) -> ChosenCounts:
    """Count the contacts that are chosen for a campaign, by whether they may be messaged.

    They are read once, and a second time if lists or segments are excluded.
    """
    chosen = contacts_chosen_regardless_of_consent(campaign, with_excluded=True)
    consenting = consenting_unrestricted_contacts_q(campaign.message_type)
    adults = is_adult_or_of_unknown_age_q(local_today(campaign.owner))
    without_consent = Q(restricted_at=None) & ~consenting
    counts = chosen.aggregate(
        chosen=Count("pk"),
        audience=Count("pk", filter=consenting & adults),
        restricted=Count("pk", filter=Q(restricted_at__isnull=False)),
        opted_out=Count("pk", filter=without_consent & Q(unsubscribed_at__isnull=False)),
        never_agreed=Count("pk", filter=without_consent & Q(unsubscribed_at=None)),
        minors=Count("pk", filter=consenting & ~adults),
    )
    with_excluded = counts["audience"]
    if any(choice.is_excluded for choice in campaign.audience_choices()):
        counts["audience"] = campaign_audience_with_consent_and_age(campaign).count()
    return ChosenCounts(**counts, excluded=with_excluded - counts["audience"])


def left_out_counts_without_suppressed(
    campaign: Campaign, counts: ChosenCounts
) -> Iterator[LeftOut]:
    """Why contacts are not in a campaign's audience, the reasons that leave somebody out.

    Suppressed numbers are not counted here.

    Args:
        campaign: the campaign.
        counts: from `count_chosen_by_consent_and_age`.
    """
    by_reason = counts._asdict() | _count_lacking_needed_value_by_value_name(campaign)
    for reason, count in by_reason.items():
        if count and reason in LEFT_OUT_REASONS:
            yield LeftOut(count, str(LEFT_OUT_REASONS[reason]))


LEFT_OUT_REASONS = {
    "opted_out": _("they have opted out"),
    "never_agreed": _("they have not agreed to this type of message"),
    "restricted": _("they are restricted"),
    "minors": format_lazy(_("they are younger than {age}"), age=ADULT_AGE),
    "excluded": _("they are on an excluded list or in an excluded segment"),
    "birthday": _("they have no birthday"),
    "gender": _("they have no gender"),
}


def _count_lacking_needed_value_by_value_name(campaign: Campaign) -> dict[str, int]:
    """By value: how many would be chosen and may be messaged, but lack what a segment asks for."""
    today = local_today(campaign.owner)
    counts = dict.fromkeys((needed.name for needed in segments.VALUES_NEEDED), 0)
    contacts = filter_by_consent_and_age(Contact.objects.filter(owner=campaign.owner_id), campaign)
    if campaign.filter_gender or campaign.filter_age_group:
        without_birthday = contacts.filter(birthday=None)
        if campaign.filter_gender:
            without_birthday = without_birthday.filter(gender=campaign.filter_gender)
        counts["birthday"] = without_birthday.count()
    for choice in campaign.audience_choices():
        if choice.is_excluded or choice.segment is None:
            continue
        for needed in segments.VALUES_NEEDED:
            if choice.segment.conditions.keys().isdisjoint(needed.conditions):
                continue
            others = segments.segment_condition_without_store_or_consent(
                choice.segment, today, without=needed.conditions
            )
            counts[needed.name] += contacts.filter(needed.is_missing, others).count()
    return counts


def stable_random_sample(audience: QuerySet[Contact], share: float) -> QuerySet[Contact]:
    """About this share of an audience: the same contacts each time, without regard to their age."""
    draw = Func(F("pk"), function="hashint8", output_field=IntegerField())
    return audience.annotate(draw=draw).filter(draw__lt=int(-(2**31) + share * 2**32))


def scale_sample_count_to_size(audience_size: int, sample_size: int, count_in_sample: int) -> int:
    """How many of `audience_size` there are if `count_in_sample` of `sample_size` ones are such."""
    return round(count_in_sample * audience_size / max(1, sample_size))
