"""What operators do all day, from the login on, in a real browser with the sandbox behind it.

Each test also fails on a console error, a request to another host and whatever axe-core finds.
"""

import csv
import json
import zipfile
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from astronote.common import audit
from astronote.models import User
from astronote.queues import jobs
from campaigns import enqueue
from campaigns.models import Automation, Campaign, CampaignMessage
from contacts.models import Contact, Suppression
from messaging import receipts, replies, sending
from messaging.models import CreditTransaction
from tests.support.factories import make_campaign, make_list, make_store
from tests.support.receipts import store_receipts
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "a-long-password-of-mine"


@pytest.fixture
def operator(browser):
    """Logged in with the role that most have."""
    call_command("create_operator", "operator@example.com", role="operator", password=PASSWORD)
    browser.login("operator@example.com", PASSWORD)
    return User.objects.get(email="operator@example.com")


def campaign_page(campaign, name="change", *more):
    return reverse(f"admin:campaigns_campaign_{name}", args=[campaign.pk, *more])


def test_the_home_page_shows_what_goes_on_and_updates_itself(browser, sandbox, worker, settings):
    settings.SMS_BATCH_SIZE = 10
    store = make_store(company="Anna's", balance=60)
    make_campaign(
        store,
        None,
        status="scheduled",
        name="Later",
        scheduled_at=timezone.now() + timedelta(days=1),
    )
    sandbox.behave(latency_ms=300)
    target = make_list(store, 50)
    running = enqueue.enqueue_campaign(make_campaign(store, target).pk)
    sending.process_next_batch()
    sent = CampaignMessage.objects.filter(status="sent").first()
    store_receipts(
        [{"messageId": sent.provider_message_id, "deliveryStatus": "Failure", "statusCode": "21"}]
    )
    receipts.apply_received_receipts()
    audit.write_entry("enqueued waiting batches", by="watchdog")
    call_command("create_operator", "operator@example.com", role="operator", password=PASSWORD)
    browser.login("operator@example.com", PASSWORD)
    browser.wait_for("10 of 50 (20 %)")
    for text in (
        "Later",
        "Anna's",
        "wallets running low",
        "enqueued waiting batches",
        "No scheduler is running",
        "failures since yesterday",
    ):
        assert text.lower() in browser.text.lower(), text
    browser.wait_until(lambda: browser.drawn_bars() > 0)
    worker("rqworker", "sms")
    worker("rqscheduler")
    browser.wait_for("No campaign is being sent")
    browser.wait_until(lambda: "No scheduler is running" not in browser.text)
    assert "not registered" not in browser.text
    running.refresh_from_db()
    assert running.status == "completed"


def test_what_a_recurring_job_would_do_is_shown_before_it_is_run(browser, operator):
    browser.click("watchdog")
    browser.wait_for("It would look for what is stuck")
    browser.click("Run now")
    browser.wait_for("watchdog: enqueued")
    assert jobs.count_waiting_jobs("watchdog") == 1
    browser.open("/admin/run/pii_retention/")
    assert "403" in browser.text
    browser.problems()  # the refusal is one


def test_a_campaign_from_the_first_word_to_the_last_receipt(
    browser, operator, sandbox, worker, settings, tmp_path
):
    store = make_store(company="Anna's", timezone="Europe/Athens", balance=500)
    target = make_list(store, 40, name="regulars")
    browser.open(reverse("admin:campaigns_campaign_add"))
    browser.choose_found("owner", "alice")
    browser.type("name", "Spring sale")
    browser.type("message_text", "Γειά {{first_name}}, {{code}}")
    browser.choose_found("list", "regulars")
    browser.wait_for("{{code}} is no tag")
    browser.wait_for("UCS-2")
    browser.type("message_text", "Hello {{first_name}}, all is half price")
    browser.wait_until(lambda: "is no tag" not in browser.text)
    browser.wait_for("Hello Name0, all is half price")
    figures = dict(
        zip(*(texts(browser, f"#campaign-preview {tag}") for tag in ("dt", "dd")), strict=True)
    )
    assert (figures["SMS parts"], figures["recipients"]) == ("1", "40")
    assert (figures["credits"], figures["available credits"]) == ("40", "500")
    browser.click("Save")
    browser.wait_for("saved as a draft")
    campaign = Campaign.objects.get()
    assert (campaign.created_by, campaign.list) == (operator, target)

    browser.click("Send a test")
    browser.type("to", "690 000 0099")
    browser.click("Send a test")
    browser.wait_for("a test is on its way")

    browser.click("Schedule")
    at = timezone.now().astimezone(ZoneInfo("Europe/Athens")) + timedelta(days=2)
    browser.set_value("at", f"{at:%Y-%m-%dT09:30}")
    browser.click("Schedule")
    browser.wait_for("scheduled")
    campaign.refresh_from_db()
    local = campaign.scheduled_at.astimezone(ZoneInfo("Europe/Athens"))
    assert f"{local:%H:%M}" == "09:30"
    browser.click("Unschedule")
    browser.wait_for("a draft again")

    browser.click("Send now")
    browser.wait_for("Sending starts at once")
    assert Campaign.objects.get().status == "draft"
    browser.click("Send now")
    browser.wait_for("started")
    browser.click("Pause")
    browser.wait_for("paused")
    browser.click("Resume")
    browser.wait_for("resumed")
    worker("rqworker", "sms")
    browser.wait_for("40 of 40 done")
    browser.wait_for("completed")
    assert sandbox.summary()["accepted"] == 41
    messages = CampaignMessage.objects.order_by("contact")
    store_receipts(
        [{"messageId": m.provider_message_id, "deliveryStatus": "Delivered"} for m in messages[:30]]
    )
    receipts.apply_received_receipts()
    browser.open(campaign_page(campaign))
    browser.wait_for("75.0 %")
    browser.type("q", messages[0].to)
    browser.click("Find")
    browser.wait_for(messages[0].to)
    assert messages[1].to not in browser.text
    browser.open(campaign_page(campaign))
    browser.click("Download the messages as CSV")
    file = tmp_path / f"campaign-{campaign.pk}-messages.csv"
    wait_until(file.exists)
    rows = list(csv.DictReader(file.read_text("utf-8-sig").splitlines()))
    assert [row["to"] for row in rows] == [f"'{m.to}" for m in messages]
    assert sum(row["status"] == "delivered" for row in rows) == 30
    browser.click("Duplicate")
    browser.wait_for("copied")
    assert Campaign.objects.filter(status="draft", list=target).count() == 1


def test_a_running_campaign_is_cancelled_only_after_a_question(browser, operator, sandbox):
    store = make_store()
    campaign = enqueue.enqueue_campaign(make_campaign(store, make_list(store, 20)).pk)
    browser.open(campaign_page(campaign))
    browser.click("Cancel")
    browser.wait_for("This cannot be undone")
    browser.click("No, go back")
    browser.wait_for("sending")
    browser.click("Cancel")
    browser.click("Cancel")
    browser.wait_for("cancelled")
    campaign.refresh_from_db()
    assert campaign.status == "cancelled"


def test_a_campaign_that_the_wallet_cannot_pay_says_so(browser, operator):
    store = make_store(balance=5)
    campaign = make_campaign(store, make_list(store, 20))
    browser.open(campaign_page(campaign, "action", "start"))
    browser.wait_for("The wallet lacks 15 credits")
    assert not browser.find("button.primary").is_enabled()


def test_a_contact_is_known_exported_and_erased(browser, sandbox, tmp_path):
    User.objects.create_superuser("root@example.com", PASSWORD)
    store = make_store()
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 2)).pk)
    sending.process_next_batch()
    contact = Contact.objects.first()
    browser.login("root@example.com", PASSWORD)
    browser.open("/admin/contacts/contact/")
    browser.type("q", contact.phone)
    browser.find("[name=q]").submit()
    browser.wait_for(contact.phone)
    browser.open(reverse("admin:contacts_contact_change", args=[contact.pk]))
    browser.wait_for("Hello Name0")
    browser.click("Export personal data")
    packed = tmp_path / "personal-data.zip"
    wait_until(packed.exists)
    with zipfile.ZipFile(packed) as file:
        held = json.loads(file.read(f"contact-{contact.pk}.json"))
    assert held["number"] == contact.phone
    browser.click("Opt out of all messages")
    browser.wait_for("2 consents withdrawn")
    browser.open(reverse("admin:contacts_contact_change", args=[contact.pk]))
    browser.wait_for("Unsubscribed")
    browser.click("Erase")
    browser.wait_for("Erase 1 person")
    browser.click("Erase 1")
    browser.wait_for("1 person erased")
    assert not Contact.objects.filter(pk=contact.pk).exists()


def test_a_store_is_topped_up_and_its_birthday_message_switched_on(browser):
    User.objects.create_superuser("root@example.com", PASSWORD)
    store = make_store(company="Anna's", balance=10)
    automation = Automation.objects.create(
        owner=store,
        type="birthday_message",
        message_body="Happy birthday {{first_name}}!",
        is_active=False,
    )
    browser.login("root@example.com", PASSWORD)
    browser.open(reverse("admin:astronote_user_change", args=[store.pk]))
    browser.wait_for("Happy birthday Maria!")
    assert "as TESTSHOP" in browser.text
    browser.type("credits", "500")
    browser.click("Top up")
    browser.wait_for("Add 500 credits")
    browser.click("Top up")
    browser.wait_for("510 credits available")
    assert CreditTransaction.objects.filter(type="credit", amount=500).count() == 1
    browser.click("Switch on")
    browser.wait_for("switched on")
    automation.refresh_from_db()
    assert automation.is_active
    browser.press("[name=billing_hold]")
    browser.click("Save and continue editing")
    browser.wait_for("the store is on billing hold")


def test_a_list_of_suppressions_is_imported(browser, operator, tmp_path):
    path = tmp_path / "never.csv"
    path.write_text("number\n+306900000001\nnonsense\n")
    browser.open("/admin/contacts/suppression/")
    browser.click("Import a list")
    browser.type("file", str(path))
    browser.click("Import")
    browser.wait_for("1 added")
    assert "1 line holds no number: 3" in browser.text
    assert Suppression.objects.get().owner is None


def test_a_reply_is_decided_from_the_home_page(browser, operator):
    make_list(make_store(company="Anna's"), 1)
    replies.store_replies([{"from": "+306900000000", "text": "you again..."}])
    replies.apply_received_replies()
    browser.open("/admin/")
    browser.wait_for("likely an opt-out")
    browser.press("[aria-labelledby=reply-reviews] a")
    browser.wait_for("Does the customer want no more marketing?")
    assert "you again..." in browser.text and "meant for Anna's" in browser.text
    browser.click("Opt out")
    browser.wait_for("Opt out: 1 decided")
    assert not Contact.objects.get().is_subscribed
    browser.open("/admin/")
    browser.wait_for("Replies to decide")
    assert "you again..." not in browser.text


def texts(browser, selector):
    return [each.text for each in browser.all(selector)]


def test_what_is_typed_is_sent_and_not_what_was_saved_before(browser, operator):
    store = make_store()
    campaign = make_campaign(store, make_list(store, 3), message_text="The old text")
    browser.open(campaign_page(campaign))
    browser.wait_for("The old text")
    browser.type("message_text", "The new text")
    browser.click("Send now")
    browser.wait_for("Sending starts at once")
    assert "The new text" in browser.text and "The old text" not in browser.text
    campaign.refresh_from_db()
    assert (campaign.status, campaign.message_text) == ("draft", "The new text")

    browser.open(campaign_page(campaign))
    browser.type("message_text", "A text with {{nothing}}")
    browser.click("Send now")
    browser.wait_for("{{nothing}} is no tag")
    # What could not be saved is not sent either.
    browser.click("Send now")
    browser.wait_for("{{nothing}} is no tag")
    campaign.refresh_from_db()
    assert campaign.message_text == "The new text"


def test_a_page_that_no_longer_updates_says_so(browser, operator):
    browser.wait_for("updates by itself")
    network = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    browser.driver.execute_cdp_cmd("Network.enable", {})
    browser.driver.execute_cdp_cmd("Network.emulateNetworkConditions", network | {"offline": True})
    browser.wait_for("This page cannot be updated")
    browser.driver.execute_cdp_cmd("Network.emulateNetworkConditions", network | {"offline": False})
    browser.wait_until(lambda: "This page cannot be updated" not in browser.text)
    browser.problems()  # the failed requests are some
