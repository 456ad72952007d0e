"""Purchases after a campaign's message: which message they belong to, and what they come to."""

from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns import reports
from campaigns.conversions import MONTH, RECENT, attribute_changed_purchases
from campaigns.models import CampaignMessage, ConversionEvent, OfferViewEvent
from contacts.models import Contact, CustomerEvent
from messaging.models import Tally
from tests.support.factories import make_campaign, make_contact, make_store

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def store():
    return make_store()


@pytest.fixture
def contact(store):
    return make_contact(store)


def days_ago(days):
    return timezone.now() - timedelta(days=days)


def message_of(contact, *, delivered=None, name="Spring", status="delivered"):
    campaign = make_campaign(contact.owner, None, name=name)
    return CampaignMessage.objects.create(
        owner=contact.owner,
        campaign=campaign,
        contact=contact,
        to=contact.phone,
        segments=1,
        tracking_id=f"c{campaign.pk}",
        status=status,
        sent_at=delivered,
        delivered_at=delivered,
    )


def purchase_of(contact, *, at=None, value="20.50", status="completed", kind="purchase"):
    return CustomerEvent.objects.create(
        owner=contact.owner,
        contact=contact,
        event_type=kind,
        status=status,
        start_at=at or timezone.now(),
        meta={"value": value} if value else None,
    )


def clicked(message, at):
    OfferViewEvent.objects.create(
        campaign_message=message, campaign=message.campaign, owner=message.owner, viewed_at=at
    )


def attribute(within=RECENT):
    return tuple(attribute_changed_purchases(within).values())


def test_a_purchase_belongs_to_the_last_message_that_was_delivered_before_it(contact):
    message_of(contact, delivered=days_ago(5), name="Before")
    last = message_of(contact, delivered=days_ago(2))
    message_of(contact, delivered=days_ago(-1), name="After")
    message_of(contact, delivered=days_ago(1), name="Not delivered", status="failed")
    purchase = purchase_of(contact)
    assert attribute() == (1, 0)
    conversion = ConversionEvent.objects.get()
    assert (conversion.campaign_message, conversion.campaign) == (last, last.campaign)
    assert (conversion.customer_event, f"{conversion.value}") == (purchase, "20.50")
    last.campaign.refresh_from_db()
    assert last.campaign.conversions == 1
    assert attribute() == attribute(MONTH) == (0, 0), "a second run changes nothing"


@pytest.mark.parametrize(("days", "conversions"), [(6.9, 1), (7.1, 0)])
def test_a_message_counts_for_seven_days_after_its_delivery_or_a_click(contact, days, conversions):
    message = message_of(contact, delivered=days_ago(days))
    purchase_of(contact)
    assert attribute() == (conversions, 0)
    clicked(message, days_ago(1))
    assert attribute() == (1 - conversions, 0)
    assert ConversionEvent.objects.get().campaign_message == message


def test_a_click_after_a_later_message_counts_more_than_its_delivery(contact):
    opened = message_of(contact, delivered=days_ago(3), name="Opened")
    message_of(contact, delivered=days_ago(2), name="Later")
    clicked(opened, days_ago(1))
    purchase_of(contact)
    attribute()
    assert ConversionEvent.objects.get().campaign_message == opened


def test_only_completed_purchases_of_the_messages_own_contact_count(store, contact):
    message_of(contact, delivered=days_ago(1))
    purchase_of(contact, kind="visit")
    purchase_of(contact, status="scheduled")
    purchase_of(make_contact(store, "+306900000002"))
    restricted = make_contact(store, "+306900000003", restricted_at=timezone.now())
    message_of(restricted, delivered=days_ago(1))
    purchase_of(restricted)
    assert attribute() == (0, 0)


def test_a_purchase_that_is_changed_or_cancelled_takes_its_conversion_along(contact):
    message = message_of(contact, delivered=days_ago(1))
    purchase = purchase_of(contact)
    attribute()
    purchase.meta = {"value": "9"}
    purchase.save()
    assert attribute() == (1, 0)
    assert ConversionEvent.objects.get().value == 9
    purchase.status = "canceled"
    purchase.save()
    assert attribute() == (0, 1)
    message.campaign.refresh_from_db()
    assert message.campaign.conversions == 0 and not ConversionEvent.objects.exists()


def test_a_value_that_is_no_amount_is_none_and_stops_nothing(contact):
    message = message_of(contact, delivered=days_ago(1))
    for value in ("1e9", "-5", "12.345", "a lot", "", "1" * 10):
        purchase_of(contact, value=value)
    assert attribute() == (6, 0)
    assert set(ConversionEvent.objects.values_list("value", flat=True)) == {None}
    assert reports.campaign_report(message.campaign).revenue == 0


def test_the_report_has_purchases_and_what_they_come_to_per_message(contact):
    message = message_of(contact, delivered=days_ago(1))
    clicked(message, days_ago(1))
    for value in ("20.50", "9.50"):
        purchase_of(contact, value=value)
    attribute()
    Tally.objects.create(
        owner=contact.owner, kind="campaign", source_id=message.campaign_id, event="accepted",
        slot=timezone.now().replace(minute=0, second=0, microsecond=0), count=4,
    )  # fmt: skip
    figures = reports.campaign_report(message.campaign).as_dict()
    shown = ("clicks", "conversions", "revenue", "revenue_per_message")
    assert [figures[name] for name in shown] == [1, 2, 30.0, 7.5]


def test_an_erased_contacts_purchases_are_no_conversions_any_more(contact):
    message_of(contact, delivered=days_ago(1))
    purchase_of(contact)
    attribute()
    Contact.objects.all().delete()
    assert not ConversionEvent.objects.exists()
    assert attribute() == (0, 0)
