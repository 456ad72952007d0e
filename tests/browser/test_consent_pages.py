"""Consent as people meet it: recorded by an operator, and confirmed by a customer."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone
from selenium.webdriver.common.keys import Keys

from campaigns.audience import allowed_campaign_audience
from contacts.models import ConsentEvent, Contact
from messaging.opt_in_requests import ask_for_consent
from messaging.opt_in_secrets import signed_confirm_url
from tests.support.browser import DESKTOP, PHONE
from tests.support.factories import link_in, make_campaign, make_contact, make_store
from tests.support.waiting import wait_until

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


def test_a_customer_who_is_asked_by_sms_agrees_by_one_press(browser, operator, sandbox, worker):
    store = make_store(company="Anna's", double_opt_in=True)
    contact = make_contact(store, first_name="Nina", is_subscribed=False)
    browser.open(contact_page(contact))
    browser.click("Ask for consent by SMS")
    browser.wait_for("1 asked. Each can answer for 72 hours.")
    worker("rqworker", "sms")
    wait_until(sandbox.messages)
    (message,) = sandbox.messages()
    assert message["destination"] == contact.phone
    browser.driver.set_window_size(*PHONE)
    browser.open(link_in(message["text"], "/c/"))
    browser.wait_for("Anna's: may we send you offers by SMS?")
    contact.refresh_from_db()
    assert not contact.is_subscribed
    browser.click("Yes, I agree")
    browser.wait_for("Thank you. You will get offers from this shop by SMS.")
    contact.refresh_from_db()
    assert contact.is_subscribed
    browser.driver.set_window_size(*DESKTOP)
    browser.open(contact_page(contact))
    browser.wait_for("double_opt_in")
    campaign = make_campaign(store, None, filter_gender="female")
    assert not allowed_campaign_audience(campaign).exists(), "no birthday proves 18 years"
    Contact.objects.update(gender="female", birthday="1990-05-17")
    assert allowed_campaign_audience(campaign).get() == contact


def test_a_customer_agrees_in_greek_and_by_keyboard(browser, sandbox):
    store = make_store(double_opt_in=True, opt_in_wording="Θέλετε προσφορές με SMS;")
    contact = make_contact(store, is_subscribed=False)
    request = ask_for_consent(contact, by="test")
    address = signed_confirm_url(request.tracking_id)
    browser.driver.execute_cdp_cmd(
        "Network.setExtraHTTPHeaders", {"headers": {"Accept-Language": "el"}}
    )
    browser.open(address[address.index("/c/") :])
    browser.wait_for("Θέλετε προσφορές με SMS;")
    browser.find("button").send_keys(Keys.ENTER)
    browser.wait_for("Ευχαριστούμε")
    contact.refresh_from_db()
    assert contact.is_subscribed
