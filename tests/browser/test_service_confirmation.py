"""A service campaign to many: one operator asks, and a second one confirms what both see."""

import pytest
from django.core.management import call_command
from django.urls import reverse

from campaigns.models import Campaign, ServiceConfirmation
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "a-long-password-of-mine"


def log_in(browser, name, role):
    call_command("create_operator", f"{name}@example.com", role=role, password=PASSWORD)
    browser.driver.delete_all_cookies()
    browser.login(f"{name}@example.com", PASSWORD)


def test_a_second_person_confirms_a_service_campaign_to_many(browser):
    store = make_store(company="Anna's", service_max_recipients=3, timezone="Europe/Athens")
    target = make_list(store, 4, name="waiting for a lamp")
    text = "Your lamp is ready, {{first_name}}"
    campaign = make_campaign(store, target, message_type="service", message_text=text)
    page = reverse("admin:campaigns_campaign_change", args=[campaign.pk])

    log_in(browser, "anna", "service_operator")
    browser.open(page)
    browser.click("Send now")
    browser.wait_for("a second person must confirm a service campaign to more than 3 recipients")
    assert not browser.find("button.primary").is_enabled()
    browser.click("No, go back")
    browser.click("Ask for confirmation")
    browser.wait_for("a second person must confirm it now")
    browser.wait_for("anna@example.com asked for its confirmation")
    assert not browser.all(f"a[href$='/{campaign.pk}/do/confirm/']")

    log_in(browser, "olga", "operator")
    browser.open(page)
    browser.wait_for("only accounts that may send service messages")
    assert "Send now" not in browser.text and "Confirm" not in browser.text

    log_in(browser, "ben", "service_operator")
    browser.open(page)
    browser.click("Confirm")
    browser.wait_for("Your lamp is ready, Name0")
    assert "the list waiting for a lamp" in browser.text
    assert browser.find(".figures").text.split("\n")[6:8] == ["recipients", "4"]
    browser.click("Confirm")
    browser.wait_for("ben@example.com confirmed it at")
    assert ServiceConfirmation.objects.get().confirmed_by.email == "ben@example.com"
    browser.click("Send now")
    browser.wait_for("Sending starts at once")
    browser.click("Send now")
    browser.wait_for("started")
    assert Campaign.objects.get().status == "sending"
    assert "ben@example.com confirmed it at" in browser.text
