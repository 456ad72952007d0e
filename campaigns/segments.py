"""Segments: filters of a store's contacts, compiled to one condition of one SQL query.

A segment holds a value for each condition that is set; all of them must hold. The forms and
commands that make segments are in `segment_forms.py`, the counts in `audience_counts.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from astronote.common.store_clock import utc_time_of_hour
from astronote.models import User
from campaigns.custom_conditions import Condition, custom_values_match, write_conditions
from campaigns.models import Campaign, CampaignMessage, OfferViewEvent, Segment
from contacts.ages import years_before
from contacts.models import Contact, CustomField, List, ListMembership
from messaging.models import OutboundMessage, message_classes

CUSTOM_CONDITIONS = "custom_fields"
# When a campaign is marked as finished and when its last messages are marked as sent may differ.
FINISH_MARGIN = timedelta(days=1)


class Scope(NamedTuple):
    """Whose contacts are looked for, and the day on which they have their age."""

    store: User
    day: date


def _gender(value: str, scope: Scope) -> Q:
    return Q(gender=value)


def _age_from(years: int, scope: Scope) -> Q:
    return Q(birthday__lte=years_before(scope.day, years))


def _age_to(years: int, scope: Scope) -> Q:
    return Q(birthday__gt=years_before(scope.day, years + 1))


def _birth_month(month: int, scope: Scope) -> Q:
    return Q(birthday__month=month)


def _calling_code(code: str, scope: Scope) -> Q:
    # No calling code is the beginning of another one (ITU-T E.164).
    return Q(phone__startswith=f"+{code}")


def is_on_any_list(list_ids: Sequence[int]) -> Q:
    """Contacts that are on at least one of these lists."""
    return Q(Exists(ListMembership.objects.filter(list__in=list_ids, contact=OuterRef("pk"))))


def _in_lists(list_ids: Sequence[int], scope: Scope) -> Q:
    return is_on_any_list(list_ids)


def _not_in_lists(list_ids: Sequence[int], scope: Scope) -> Q:
    return ~is_on_any_list(list_ids)


def _joined_since(day: str, scope: Scope) -> Q:
    start = utc_time_of_hour(date.fromisoformat(day), 0, scope.store.timezone)
    return Q(created_at__gte=start)


def _messages_accepted_within_days(
    model: type[OutboundMessage], days: int, scope: Scope
) -> QuerySet[Any]:
    """Messages of a class that Mitto accepted within so many days.

    Of campaigns only those are looked at that can have sent within this time: so the index on
    campaign and contact serves, and old messages are not read.
    """
    since = Now() - timedelta(days=days)
    accepted = Q(owner=scope.store, sent_at__gte=since)
    if model is not CampaignMessage:
        return model.objects.filter(accepted)
    recent = Q(finished_at=None) | Q(finished_at__gte=since - FINISH_MARGIN)
    campaigns = Campaign.objects.filter(recent, owner=scope.store)
    return CampaignMessage.objects.filter(accepted, campaign__in=campaigns.values("pk"))


def _messaged_within_days(days: int, scope: Scope) -> Q:
    found: list[QuerySet[Any]] = [
        _messages_accepted_within_days(model, days, scope).values("contact")
        for model in message_classes()
    ]
    return Q(pk__in=found[0].union(*found[1:], all=True))


def _not_messaged_within_days(days: int, scope: Scope) -> Q:
    condition = Q()
    for model in message_classes():
        messages = _messages_accepted_within_days(model, days, scope)
        condition &= ~Q(Exists(messages.filter(contact=OuterRef("pk"))))
    return condition


def _clicks_within_days(days: int, scope: Scope) -> QuerySet[OfferViewEvent]:
    return OfferViewEvent.objects.filter(
        owner=scope.store, viewed_at__gte=Now() - timedelta(days=days)
    )


def _clicked_within_days(days: int, scope: Scope) -> Q:
    return Q(pk__in=_clicks_within_days(days, scope).values("campaign_message__contact"))


def _not_clicked_within_days(days: int, scope: Scope) -> Q:
    clicks = _clicks_within_days(days, scope)
    return ~Q(Exists(clicks.filter(campaign_message__contact=OuterRef("pk"))))


def _custom_fields(conditions: Sequence[Condition], scope: Scope) -> Q:
    return custom_values_match(conditions)


CONDITIONS: dict[str, Callable[[Any, Scope], Q]] = {
    "gender": _gender,
    "age_from": _age_from,
    "age_to": _age_to,
    "birth_month": _birth_month,
    "calling_code": _calling_code,
    "in_lists": _in_lists,
    "not_in_lists": _not_in_lists,
    "joined_since": _joined_since,
    "messaged_within_days": _messaged_within_days,
    "not_messaged_within_days": _not_messaged_within_days,
    "clicked_within_days": _clicked_within_days,
    "not_clicked_within_days": _not_clicked_within_days,
    CUSTOM_CONDITIONS: _custom_fields,
}
# As people read them beside a value.
CONDITION_NAMES = {
    "gender": _("gender"),
    "age_from": _("age from"),
    "age_to": _("age to"),
    "birth_month": _("birth month"),
    "calling_code": _("calling code"),
    "in_lists": _("in lists"),
    "not_in_lists": _("not in lists"),
    "joined_since": _("joined since"),
    "messaged_within_days": _("messaged within days"),
    "not_messaged_within_days": _("not messaged within days"),
    "clicked_within_days": _("clicked within days"),
    "not_clicked_within_days": _("not clicked within days"),
    CUSTOM_CONDITIONS: _("custom fields"),
}
LIST_CONDITIONS = ("in_lists", "not_in_lists")


class ValueNeeded(NamedTuple):
    """A value of a contact without which conditions cannot hold."""

    name: str
    is_missing: Q
    conditions: tuple[str, ...]


VALUES_NEEDED = (
    ValueNeeded("birthday", Q(birthday=None), ("age_from", "age_to", "birth_month")),
    ValueNeeded("gender", Q(gender=None), ("gender",)),
)


def segment_condition_without_store_or_consent(
    segment: Segment, day: date, *, without: Sequence[str] = ()
) -> Q:
    """The segment as a condition on Contact; it does not ask for the store or for consent.

    Args:
        segment: the segment, saved or not.
        day: the store's own day, on which contacts have their age.
        without: names of conditions that are left out.
    """
    scope = Scope(segment.owner, day)
    condition = Q()
    for name, value in segment.conditions.items():
        if name not in without:
            condition &= CONDITIONS[name](value, scope)
    return condition


def segment_problem(segment: Segment) -> str:
    """Why a segment cannot be used as it is; empty if it can."""
    named = {pk for name in LIST_CONDITIONS for pk in segment.conditions.get(name, ())}
    known = List.objects.filter(owner=segment.owner_id, pk__in=named).count()
    if known < len(named):
        return gettext(
            "the segment %(segment)s names a list that was deleted: choose its lists again"
        ) % {"segment": segment}
    keys = {key for key, *_ in segment.conditions.get(CUSTOM_CONDITIONS, ())}
    fields = CustomField.objects.filter(owner=segment.owner_id, key__in=keys)
    if keys and (gone := keys.difference(fields.values_list("key", flat=True))):
        return gettext(
            "the segment %(segment)s names a custom field that was deleted: %(field)s"
        ) % {"segment": segment, "field": min(gone)}
    if not segment.conditions:
        return gettext("the segment %(segment)s has no condition") % {"segment": segment}
    return ""


def contacts_with_phone_matching_segment(segment: Segment, day: date) -> QuerySet[Contact]:
    """The store's contacts that match a segment, whether they may be messaged or not."""
    return Contact.objects.filter(
        segment_condition_without_store_or_consent(segment, day),
        owner=segment.owner_id,
        phone__isnull=False,
    )


def describe_segment_conditions(segment: Segment) -> str:
    """The conditions of a segment, as one line."""
    conditions = dict(segment.conditions)
    for name in LIST_CONDITIONS:
        if name in conditions:
            found = List.objects.filter(owner=segment.owner_id, pk__in=conditions[name])
            conditions[name] = ", ".join(found.order_by("name").values_list("name", flat=True))
    if CUSTOM_CONDITIONS in conditions:
        text = write_conditions(conditions[CUSTOM_CONDITIONS])
        conditions[CUSTOM_CONDITIONS] = text.replace("\n", ", ")
    return "; ".join(f"{CONDITION_NAMES[name]}: {value}" for name, value in conditions.items())
