"""Opting out by the link in a message: in the text, on its page, and what it does."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from astronote.accounts.eligibility import SendingBlocked
from astronote.models import User
from campaigns import enqueue
from campaigns.models import CampaignMessage
from campaigns.reports import campaign_report
from contacts.models import ConsentEvent, Contact, Suppression
from messaging import sending
from messaging.links import tracking_id_if_signature_valid
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def campaign():
    store = make_store(company="Anna's shoes")
    return enqueue.enqueue_campaign(make_campaign(store, make_list(store, 2)).pk)


def path_of(campaign):
    text = CampaignMessage.objects.filter(campaign=campaign).order_by("to")[0].text
    return text[text.index("/u/") :]


def first_contact():
    return Contact.objects.order_by("phone")[0]


def test_a_marketing_text_ends_with_the_way_to_opt_out(campaign):
    for message in CampaignMessage.objects.all():
        assert "\nOpt out: http" in message.text
        assert tracking_id_if_signature_valid(message.text.split("/u/")[1]) == message.tracking_id


def test_it_stands_where_the_text_wants_it_or_is_what_the_store_says():
    store = make_store(sender_name="+306900000001")
    target = make_list(store, 1)
    enqueue.enqueue_campaign(
        make_campaign(store, target, message_text="{{unsubscribe_link}} Hi").pk
    )
    User.objects.update(opt_out_line="Reply STOP to opt out")
    store.refresh_from_db()
    enqueue.enqueue_campaign(make_campaign(store, target, message_text="Hi").pk)
    enqueue.enqueue_campaign(
        make_campaign(store, target, message_text="Hi", message_type="service").pk
    )
    texts = list(CampaignMessage.objects.order_by("pk").values_list("text", flat=True))
    assert texts[0].startswith("http") and texts[0].endswith(" Hi")
    assert texts[1:] == ["Hi\nReply STOP to opt out", "Hi"]


def test_a_text_that_leaves_no_room_for_it_is_refused():
    store = make_store()
    target = make_list(store, 1)
    long = make_campaign(store, target, message_text="x" * 1500)
    with pytest.raises(SendingBlocked, match="takes 11 SMS parts"):
        enqueue.enqueue_campaign(long.pk)
    enqueue.enqueue_campaign(make_campaign(store, target, message_text="x" * 1400).pk)


def test_who_has_a_name_too_long_for_it_is_left_out():
    store = make_store(balance=100)
    target = make_list(store, 2)
    Contact.objects.filter(phone="+306900000001").update(first_name="x" * 120)
    campaign = make_campaign(store, target, message_text="x" * 1400 + " {{first_name}}")
    enqueue.enqueue_campaign(campaign.pk)
    assert campaign_report(campaign).skipped_by_reason == {"too_long": 1}


def test_looking_does_nothing_and_asking_opts_out(campaign, client):
    path = path_of(campaign)
    for look in (client.get, client.head, client.get):
        assert look(path).status_code == 200
    assert first_contact().is_subscribed
    answer = client.post(path, {"action": "opt_out"})
    assert "You will get no more offers" in answer.text
    assert "Anna&#x27;s shoes" in answer.text
    assert not answer.cookies
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    contact = first_contact()
    assert not contact.is_subscribed
    event = ConsentEvent.objects.get()
    assert (event.contact, event.source) == (contact, "unsubscribe_page")
    assert Suppression.objects.count() == 1
    assert campaign_report(campaign).opted_out == 1
    client.post(path)
    assert campaign_report(campaign).opted_out == 1, "once more changes nothing"


def test_a_number_that_left_its_contact_is_suppressed(campaign, client):
    path = path_of(campaign)
    Contact.objects.filter(pk=first_contact().pk).update(phone="+306911111111")
    assert "You will get no more offers" in client.post(path).text
    assert Contact.objects.filter(is_subscribed=False).count() == 0
    assert Suppression.objects.count() == 1


def altered(path, campaign):
    return path[:-1] + ("A" if path[-1] != "A" else "B")


def offers(path, campaign):
    """The address of a message's offer, which people forward, is not enough."""
    return path[: len("/u/") + 12]


def others(path, campaign):
    tracking_id = CampaignMessage.objects.order_by("-to")[0].tracking_id
    return "/u/" + tracking_id + path[-8:]


def expired(path, campaign):
    CampaignMessage.objects.update(created_at=timezone.now() - timedelta(days=366))
    return path


def erased(path, campaign):
    CampaignMessage.objects.update(to="", text="")
    return path


@pytest.mark.parametrize("spoil", [altered, offers, others, expired, erased])
def test_a_link_that_does_not_work_helps_and_does_nothing(spoil, campaign, client):
    path = spoil(path_of(campaign), campaign)
    for answer in (client.get(path), client.post(path)):
        assert answer.status_code == 404
        assert "answer the message with STOP" in answer.text
    assert not ConsentEvent.objects.exists()
    assert not Suppression.objects.exists()


def test_links_hold_when_the_key_is_changed(campaign, client, settings):
    path = path_of(campaign)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", [settings.SECRET_KEY]
    assert client.get(path).status_code == 200
    settings.SECRET_KEY_FALLBACKS = []
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    ("language", "words"),
    [("el-GR,el;q=0.9", "Διακοπή"), ("en-GB", "Stop the"), ("fr", "Arrêter"), ("", "Stop the")],
)
def test_it_speaks_the_browsers_language(language, words, campaign, client):
    assert words in client.get(path_of(campaign), headers={"Accept-Language": language}).text


def test_a_customer_opts_out_on_a_phone_and_back_in_by_a_code(campaign, browser, sandbox):
    browser.driver.set_window_size(390, 844)
    browser.open(path_of(campaign))
    browser.click("Stop the messages")
    browser.wait_for("You will get no more offers")
    assert not first_contact().is_subscribed
    browser.click("Get the messages again")
    browser.wait_for("We have sent you an SMS")
    assert not first_contact().is_subscribed
    while sending.process_next_batch() != "none due":
        pass
    (code,) = re.findall(r"\b\d{6}\b", sandbox.messages()[-1]["text"])
    browser.type("code", "000000" if code != "000000" else "111111")
    browser.click("Confirm")
    browser.wait_for("This is not the code")
    browser.type("code", code)
    browser.click("Confirm")
    browser.wait_for("Do you want to stop them")
    assert first_contact().is_subscribed
