"""The contacts a campaign is for (rules.md#audience)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from astronote.common.counts import format_count
from astronote.models import User
from campaigns import segments
from campaigns.models import AgeGroup, AudienceChoice, Campaign
from campaigns.not_reached import contacts_not_reached_nor_tried_again
from contacts.ages import is_adult_or_of_unknown_age_q, is_known_adult_q, years_before
from contacts.consent import consenting_unrestricted_contacts_q
from contacts.models import Contact

# Completed years: from the first, up to but not including the second.
AGE_RANGES: dict[AgeGroup, tuple[int, int | None]] = {
    AgeGroup.AGE_18_24: (18, 25),
    AgeGroup.AGE_25_39: (25, 40),
    AgeGroup.AGE_40_PLUS: (40, None),
}


def local_today(store: User) -> date:
    """Today in the store's own time zone."""
    return timezone.localdate(timezone=ZoneInfo(store.timezone))


def campaign_audience_with_consent_and_age(campaign: Campaign) -> QuerySet[Contact]:
    """The contacts of the store whom a campaign is for and who may receive it.

    With a filter, only contacts whose birthday proves 18 years. With lists and segments, or to
    everybody, all but those whose birthday shows that they are younger. Likewise with those whom
    another campaign did not reach. With none of these, nobody.
    """
    return filter_by_consent_and_age(contacts_chosen_regardless_of_consent(campaign), campaign)


def filter_by_consent_and_age(contacts: QuerySet[Contact], campaign: Campaign) -> QuerySet[Contact]:
    """Of these contacts, those who may receive the campaign by consent and age."""
    return contacts.filter(
        consenting_unrestricted_contacts_q(campaign.message_type),
        is_adult_or_of_unknown_age_q(local_today(campaign.owner)),
    )


def contacts_chosen_regardless_of_consent(
    campaign: Campaign, *, with_excluded: bool = False
) -> QuerySet[Contact]:
    """The contacts of the store whom a campaign is for, whether they may receive it or not.

    Args:
        campaign: the campaign.
        with_excluded: also those whom an excluded list or segment leaves out.
    """
    contacts = Contact.objects.filter(owner=campaign.owner_id, phone__isnull=False)
    choices = campaign.audience_choices()
    sources = list(_alternative_conditions_of_audience(campaign, choices))
    if not sources:
        return contacts.none()
    if len(sources) == 1:
        chosen = contacts.filter(sources[0])
    else:
        # A union of queries uses an index for each of them; a disjunction would use none.
        ids = [contacts.filter(source).values("pk") for source in sources]
        chosen = contacts.filter(pk__in=ids[0].union(*ids[1:], all=True))
    if with_excluded:
        return chosen
    today = local_today(campaign.owner)
    excluded_lists = [choice.list_id for choice in choices if choice.is_excluded and choice.list_id]
    if excluded_lists:
        chosen = chosen.filter(~segments.is_on_any_list(excluded_lists))
    for choice in choices:
        if choice.is_excluded and choice.segment:
            # Not the negated condition: it is neither true nor false of a contact without a value.
            matching = segments.contacts_with_phone_matching_segment(choice.segment, today).filter(
                pk=OuterRef("pk")
            )
            chosen = chosen.filter(~Exists(matching))
    return chosen


def _alternative_conditions_of_audience(
    campaign: Campaign, choices: Sequence[AudienceChoice]
) -> Iterator[Q]:
    """The conditions on a contact of which one must hold; none if there is no audience."""
    today = local_today(campaign.owner)
    if campaign.not_reached_by_id:
        not_reached = contacts_not_reached_nor_tried_again(
            campaign.not_reached_by_id, except_campaign_id=campaign.pk
        )
        yield Q(pk__in=not_reached.values("pk"))
        return
    if campaign.to_everybody:
        yield Q()
        return
    if campaign.filter_gender or campaign.filter_age_group:
        yield _condition_for_adults_of_gender_and_age_group(campaign, today)
        return
    lists = [choice.list_id for choice in choices if choice.list_id and not choice.is_excluded]
    if campaign.list_id:
        lists.append(campaign.list_id)
    if lists:
        yield segments.is_on_any_list(lists)
    for choice in choices:
        if choice.segment and not choice.is_excluded:
            yield segments.segment_condition_without_store_or_consent(choice.segment, today)


def _condition_for_adults_of_gender_and_age_group(campaign: Campaign, today: date) -> Q:
    condition = is_known_adult_q(today)
    if campaign.filter_gender:
        condition &= Q(gender=campaign.filter_gender)
    if campaign.filter_age_group:
        min_age, age_limit = AGE_RANGES[AgeGroup(campaign.filter_age_group)]
        condition &= Q(birthday__lte=years_before(today, min_age))
        if age_limit:
            condition &= Q(birthday__gt=years_before(today, age_limit))
    return condition


def audience_choice_problem_or_empty(campaign: Campaign) -> str:
    """What is wrong with the choice of an audience; empty if nothing is."""
    choices = campaign.audience_choices()
    for choice in choices:
        if choice.segment and (problem := segments.segment_problem(choice.segment)):
            return problem
    if campaign.not_reached_by_id:
        return ""
    has_filters = bool(campaign.filter_gender or campaign.filter_age_group)
    if campaign.list_id and has_filters:
        return gettext("choose a list or filters, not both")
    has_parts = bool(campaign.list_id) or any(not choice.is_excluded for choice in choices)
    ways = [campaign.to_everybody, has_filters, has_parts]
    if sum(ways) > 1:
        return gettext("choose everybody, or lists and segments, or a gender or an age")
    if not any(ways):
        return gettext(
            "nobody in the audience may be messaged: choose a list, or a gender or an age, or"
            " segments, or everybody"
        )
    return ""


def explain_why_audience_is_empty(campaign: Campaign) -> str:
    """Why no contact of the store is in the audience, as far as it can be told."""
    if problem := audience_choice_problem_or_empty(campaign):
        return problem
    has_filters = bool(campaign.filter_gender or campaign.filter_age_group)
    if has_filters:
        contacts = Contact.objects.filter(owner=campaign.owner_id)
        if campaign.filter_gender:
            contacts = contacts.filter(gender=campaign.filter_gender)
    else:
        contacts = contacts_chosen_regardless_of_consent(campaign)
        if not contacts.exists():
            return _explain_empty_choice_without_filters(campaign)
    consenting = contacts.filter(consenting_unrestricted_contacts_q(campaign.message_type))
    count = consenting.count()
    if not count:
        matching = contacts.count()
        return ngettext(
            "nobody in the audience may be messaged: %(count)s contact matches, and none has"
            " consent to this type",
            "nobody in the audience may be messaged: %(count)s contacts match, and none has"
            " consent to this type",
            matching,
        ) % {"count": format_count(matching)}
    if campaign_audience_with_consent_and_age(campaign).exists():
        return gettext(
            "nobody in the audience may be messaged: all numbers are suppressed, or a reply of"
            " theirs waits for a decision"
        )
    if not has_filters:
        return gettext(
            "nobody in the audience may be messaged: the birthdays of all %(count)s contacts say"
            " that they are under 18"
        ) % {"count": format_count(count)}
    if without_birthday := consenting.filter(birthday=None).count():
        return gettext(
            "nobody in the audience may be messaged: a gender or an age only reaches contacts"
            " whose birthday proves 18 years, and %(without_birthday)s of %(count)s have no"
            " birthday: add them, or choose a list"
        ) % {
            "without_birthday": format_count(without_birthday),
            "count": format_count(count),
        }
    return gettext(
        "nobody in the audience may be messaged: none of %(count)s birthdays is in this age"
    ) % {
        "count": format_count(count),
    }


def _explain_empty_choice_without_filters(campaign: Campaign) -> str:
    """Why no contact is chosen for a campaign without a gender or an age."""
    if campaign.not_reached_by_id:
        return gettext(
            "nobody in the audience may be messaged: the other campaign has reached everybody that"
            " can be reached now"
        )
    if campaign.to_everybody:
        return gettext("nobody in the audience may be messaged: the store has no contacts")
    if contacts_chosen_regardless_of_consent(campaign, with_excluded=True).exists():
        return gettext(
            "nobody in the audience may be messaged: all of the chosen contacts are on excluded"
            " lists or in excluded segments"
        )
    is_one_list = bool(campaign.list_id) and not campaign.audience_choices()
    if is_one_list:
        return gettext("nobody in the audience may be messaged: the list is empty")
    return gettext(
        "nobody in the audience may be messaged: no contact is on these lists or in the segments"
    )
