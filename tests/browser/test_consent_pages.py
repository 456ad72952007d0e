"""Consent as people meet it: recorded by an operator, and confirmed by a customer."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from contacts.models import ConsentEvent
from tests.support.factories import make_contact, make_store

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "a-long-password-of-mine"


@pytest.fixture
def operator(browser):
    call_command("create_operator", "operator@example.com", role="operator", password=PASSWORD)
    browser.login("operator@example.com", PASSWORD)


def contact_page(contact):
    return reverse("admin:contacts_contact_change", args=[contact.pk])


def test_an_operator_records_a_consent_on_paper_and_later_an_opt_out(browser, operator):
    store = make_store(company="Anna's", timezone="Europe/Athens")
    contact = make_contact(store, first_name="Nina", is_subscribed=False)
    browser.open(contact_page(contact))
    browser.click("Record a consent")
    browser.wait_for("When (in Europe/Athens)")
    yesterday = timezone.now().astimezone(ZoneInfo("Europe/Athens")) - timedelta(days=1)
    browser.choose("channel", "paper")
    browser.set_value("given_at", "2099-01-01T10:00")
    browser.type("place", "the shop in Ermou street")
    browser.type("wording", "I want offers by SMS.")
    browser.type("document", "binder 3, form 118")
    browser.click("Record the consent")
    browser.wait_for("The time cannot be true")
    browser.set_value("given_at", f"{yesterday:%Y-%m-%dT%H:%M}")
    browser.click("Record the consent")
    browser.wait_for("The consent is recorded")
    browser.wait_for("binder 3, form 118")
    contact.refresh_from_db()
    assert contact.is_subscribed
    event = ConsentEvent.objects.get()
    assert f"{event.decided_at.astimezone(yesterday.tzinfo):%Y-%m-%d %H:%M}" == (
        f"{yesterday:%Y-%m-%d %H:%M}"
    )
    browser.click("Opt out of marketing")
    browser.wait_for("1 opted out of marketing messages")
    contact.refresh_from_db()
    assert (contact.is_subscribed, contact.service_allowed) == (False, True)
