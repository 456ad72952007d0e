"""Consent as people meet it: recorded by an operator, and confirmed by a customer."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone
from selenium.webdriver.common.keys import Keys

from campaigns.audience import campaign_audience_with_consent_and_age
from contacts.models import ConsentEvent, Contact
from messaging import replies
from messaging.opt_in_requests import get_or_send_opt_in_request
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
    browser.wait_for("double opt in")
    campaign = make_campaign(store, None, filter_gender="female")
    assert not campaign_audience_with_consent_and_age(campaign).exists(), (
        "no birthday proves 18 years"
    )
    Contact.objects.update(gender="female", birthday="1990-05-17")
    assert campaign_audience_with_consent_and_age(campaign).get() == contact


def test_a_customer_agrees_in_greek_and_by_keyboard(browser, sandbox):
    store = make_store(double_opt_in=True, opt_in_wording="Θέλετε προσφορές με SMS;")
    contact = make_contact(store, is_subscribed=False)
    request = get_or_send_opt_in_request(contact, by="test")
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


def test_an_operator_decides_a_doubtful_reply(browser, operator):
    store = make_store(company="Anna's", sender_name="+306944444444")
    contact = make_contact(store, first_name="Nina")
    replies.store_replies(
        [{"from": contact.phone, "to": "+306944444444", "text": "You have the wrong number"}]
    )
    replies.apply_received_replies()
    browser.open("/admin/")
    browser.wait_for("Marketing to these numbers waits for your decision")
    browser.press("section[aria-labelledby='reply-reviews'] li a")
    browser.wait_for("Does the customer want no more marketing?")
    browser.click("Opt out")
    browser.wait_for("opt-out")
    contact.refresh_from_db()
    assert not contact.is_subscribed
    event = ConsentEvent.objects.get()
    assert (event.type, event.source) == ("unsubscribed", "reply_review")
    browser.open("/admin/")
    browser.wait_for("Replies to decide")
    assert "wrong number" not in browser.text


def test_an_operator_restricts_a_contact_and_lifts_it(browser, operator):
    contact = make_contact(make_store(company="Anna's"), first_name="Nina")
    browser.open(contact_page(contact))
    browser.click("Restrict")
    browser.wait_for("is then stored and not used")
    browser.type("reason", "disputes the data")
    browser.click("Restrict")
    browser.wait_for("restricted")
    contact.refresh_from_db()
    assert contact.restricted_reason == "disputes the data"
    browser.open(contact_page(contact))
    browser.wait_for("disputes the data")
    browser.click("Lift the restriction")
    browser.wait_for("no longer restricted")
    contact.refresh_from_db()
    assert contact.restricted_at is None
