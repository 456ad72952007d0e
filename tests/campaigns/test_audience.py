"""Who a campaign goes to: its store's reachable contacts, by filter or by list."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse
from django.utils import timezone

from astronote.models import User
from campaigns import enqueue
from campaigns.audience import campaign_audience_with_consent_and_age, local_today, years_before
from campaigns.enqueue import CannotStart
from campaigns.preview import preview_campaign
from contacts.models import Contact, List, ListMembership
from tests.support.factories import make_campaign, make_contact, make_list, make_store

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return make_store()


def born(years, days=0):
    """The birthday of somebody who is so many years old, and so many days."""
    return years_before(timezone.now().date(), years) - timedelta(days=days)


def contact(store, number=1, **fields):
    fields = {"birthday": born(30), "gender": "female"} | fields
    return make_contact(store, f"+30690{number:07}", **fields)


def to_women(store, **fields):
    return campaign_audience_with_consent_and_age(
        make_campaign(store, None, filter_gender="female", **fields)
    )


def test_a_filter_by_gender_takes_that_gender_alone(alice):
    woman = contact(alice, 1)
    contact(alice, 2, gender="male")
    contact(alice, 3, gender=None)
    assert list(to_women(alice)) == [woman]


def test_another_stores_contacts_are_not_messaged(alice):
    contact(make_store("bob"))
    assert not to_women(alice).exists()


@pytest.mark.parametrize(
    ("group", "ages"),
    [("age_18_24", (18, 24)), ("age_25_39", (25, 39)), ("age_40_plus", (40, 90))],
)
def test_an_age_group_has_its_first_and_its_last_year(alice, group, ages):
    youngest, oldest = ages
    first = contact(alice, 1, birthday=born(youngest))
    last = contact(alice, 2, birthday=born(oldest + 1, days=-1))
    contact(alice, 3, birthday=born(youngest, days=-1))
    if oldest < 90:
        contact(alice, 4, birthday=born(oldest + 1))
    contact(alice, 5, birthday=None)
    found = campaign_audience_with_consent_and_age(
        make_campaign(alice, None, filter_age_group=group)
    )
    assert set(found) == {first, last}


def test_a_filter_by_gender_needs_a_birthday_that_proves_eighteen_years(alice):
    adult = contact(alice, 1, birthday=born(18))
    contact(alice, 2, birthday=born(18, days=-1))
    contact(alice, 3, birthday=None)
    assert list(to_women(alice)) == [adult]


def test_both_filters_hold_together(alice):
    both = contact(alice, 1, birthday=born(20))
    contact(alice, 2, birthday=born(20), gender="male")
    contact(alice, 3, birthday=born(50))
    assert list(to_women(alice, filter_age_group="age_18_24")) == [both]


def test_a_list_is_trusted_unless_a_birthday_disproves_it(alice):
    target = List.objects.create(owner=alice, name="regulars")
    known, unknown, child, _ = (
        contact(alice, 1), contact(alice, 2, birthday=None), contact(alice, 3, birthday=born(17)),
        contact(alice, 4),
    )  # fmt: skip
    for one in (known, unknown, child):
        ListMembership.objects.create(list=target, contact=one)
    assert set(campaign_audience_with_consent_and_age(make_campaign(alice, target))) == {
        known,
        unknown,
    }


def test_a_member_of_another_list_is_not_messaged(alice):
    make_list(alice, 3)
    empty = List.objects.create(owner=alice, name="nobody")
    assert not campaign_audience_with_consent_and_age(make_campaign(alice, empty)).exists()


def test_without_filter_and_list_there_is_no_audience(alice):
    contact(alice)
    assert not campaign_audience_with_consent_and_age(make_campaign(alice, None)).exists()


@pytest.mark.parametrize(
    ("kind", "consents", "reached"),
    [("marketing", {"is_subscribed": False}, False), ("service", {"is_subscribed": False}, True),
     ("marketing", {"service_allowed": False}, True),
     ("service", {"service_allowed": False}, False)],
)  # fmt: skip
def test_each_type_of_campaign_asks_for_its_own_consent(alice, kind, consents, reached):
    contact(alice, **consents)
    assert to_women(alice, message_type=kind).exists() == reached


def test_who_was_anonymised_has_no_number_to_message(alice):
    one = contact(alice)
    Contact.objects.filter(pk=one.pk).update(phone=None, anonymised_at=timezone.now())
    assert not to_women(alice, message_type="service").exists()


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Midway"])
def test_who_is_eighteen_is_decided_by_the_stores_own_day(zone):
    """The two zones are never on the same day."""
    store = make_store(timezone=zone)
    today = datetime.now(ZoneInfo(zone)).date()
    assert local_today(store) == today
    adult = contact(store, 1, birthday=years_before(today, 18))
    contact(store, 2, birthday=years_before(today, 18) + timedelta(days=1))
    assert list(to_women(store)) == [adult]


def test_on_29_february_years_are_completed_by_those_of_28_february():
    assert years_before(date(2028, 2, 29), 18) == date(2010, 2, 28)
    assert years_before(date(2028, 2, 29), 20) == date(2008, 2, 29)


def test_an_audience_without_birthdays_says_so():
    store = make_store()
    make_list(store, 4, gender="female")
    campaign = make_campaign(store, None, filter_gender="female")
    assert "4 of 4 have no birthday" in preview_campaign(campaign).problem
    with pytest.raises(CannotStart, match="whose birthday proves 18 years, and 4 of 4 have no"):
        enqueue.enqueue_campaign(campaign.pk)


@pytest.mark.parametrize(
    ("contacts", "fields", "says"),
    [({}, {"filter_gender": "male"}, "0 contacts match"),
     ({"gender": "male", "birthday": date(1990, 1, 1)},
      {"filter_gender": "male", "filter_age_group": "age_18_24"}, "is in this age"),
     ({"is_subscribed": False}, {"by_list": True}, "none has consent"),
     ({"birthday": date(2024, 1, 1)}, {"by_list": True}, "under 18")],
)  # fmt: skip
def test_an_empty_audience_says_why(contacts, fields, says):
    store = make_store()
    target = make_list(store, 2, **contacts)
    fields = dict(fields)
    target = target if fields.pop("by_list", False) else None
    campaign = make_campaign(store, target, **fields)
    assert says in preview_campaign(campaign).problem
    with pytest.raises(CannotStart, match=says):
        enqueue.enqueue_campaign(campaign.pk)


def test_a_list_together_with_a_gender_says_that_one_is_too_many(client):
    store = make_store()
    target = make_list(store, 2)
    campaign = make_campaign(store, target, filter_gender="male")
    assert preview_campaign(campaign).problem == "Choose a list or filters, not both."
    with pytest.raises(CannotStart, match="not both"):
        enqueue.enqueue_campaign(campaign.pk)
    client.force_login(User.objects.create_superuser("root@example.com"))
    answer = client.post(
        reverse("admin:campaigns_campaign_preview"),
        {"owner": store.pk, "name": "", "message_type": "marketing", "message_text": "Hi",
         "list": target.pk, "filter_gender": "male"},
    )  # fmt: skip
    assert "Choose a list or filters, not both." in answer.text
    assert "choose a list, or" not in answer.text
