"""What customers write back, by the webhook, and what it does to their consent."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns import enqueue
from campaigns.models import CampaignMessage
from campaigns.reports import campaign_report
from compliance import rights
from contacts.models import ConsentEvent, Contact, Suppression
from messaging import replies, sending
from messaging.keywords import consent_request_in
from messaging.models import WebhookEvent
from tests.support.factories import make_campaign, make_list, make_store

URL = "/webhooks/mitto/inbound"
PHONE = "+306900000000"


@pytest.mark.parametrize(
    "text",
    ["STOP", " stop. ", "Stop please", "STOP!!", "stopall", "Stop all", "UNSUBSCRIBE", "end",
     "Cancel", "quit", "ΣΤΟΠ", "Διαγραφή", "τέλος", "ΤΕΛΟΣ", "ABMELDEN", "Stopp bitte", "Arrêt",
     "désabonner", "Baja", "CANCELAR", "Basta", "annulla", "“STOP”", "Sto\u0301p"],
)  # fmt: skip
def test_words_that_opt_out(text):
    assert consent_request_in(text) == "stop"


@pytest.mark.parametrize(
    "text",
    ["", "Thanks", "the end of the sale?", "I cancel my order", "τέλος καλό όλα καλά", "nonstop",
     "stop by our new shop in the centre of the town tomorrow", "Ende gut", "1", "✋"],
)  # fmt: skip
def test_words_that_do_not(text):
    assert consent_request_in(text) == ""


@pytest.mark.parametrize("text", ["START", "unstop", "Έναρξη", "ΕΓΓΡΑΦΗ", "alta", "Anmelden!"])
def test_words_that_opt_in_again(text):
    assert consent_request_in(text) == "start"


def write(client, text, sender=PHONE, **more):
    body = json.dumps({"from": sender, "text": text} | more)
    headers = {"X-Webhook-Token": "sandbox"}
    assert client.post(URL, body, "application/json", headers=headers).status_code == 202
    return replies.apply_received_replies()


@pytest.fixture
def messaged(db, sandbox):
    """A store that sent a campaign to its contacts, so many days ago."""

    def send(name, days=0, **store):
        owner = make_store(name, **store)
        campaign = enqueue.enqueue_campaign(make_campaign(owner, make_list(owner, 2)).pk)
        while sending.process_next_batch() != "none due":
            pass
        CampaignMessage.objects.filter(campaign=campaign).update(
            sent_at=timezone.now() - timedelta(days=days)
        )
        return owner

    return send


def subscribed(store, phone=PHONE):
    return Contact.objects.get(owner=store, phone=phone).is_subscribed


pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("number", [PHONE, PHONE[1:], "00" + PHONE[1:]])
def test_stop_opts_the_sender_out_and_nobody_else(number, messaged, client):
    store = messaged("anna")
    assert write(client, "Stop", number)["stop"] == 1
    assert not subscribed(store)
    assert subscribed(store, "+306900000001")
    assert Suppression.objects.filter(owner=store).count() == 1
    event = ConsentEvent.objects.get()
    assert (event.type, event.source) == ("unsubscribed", "inbound_stop")
    campaign = store.campaigns.get()
    assert event.meta["source"] == campaign.pk
    assert campaign_report(campaign).opted_out == 1


def test_the_same_message_twice_is_one(messaged, client):
    messaged("anna")
    write(client, "stop", id="m-1")
    assert write(client, "stop", id="m-1")["stop"] == 0
    assert ConsentEvent.objects.count() == 1


def test_stop_without_saying_to_whom_counts_for_all_that_wrote_lately(messaged, client):
    old, anna, bella = messaged("old", days=91), messaged("anna", days=80), messaged("bella")
    write(client, "stop")
    assert [subscribed(store) for store in (old, anna, bella)] == [True, False, False]


def test_stop_to_a_sender_counts_for_the_store_with_that_sender(messaged, client):
    anna = messaged("anna", sender_name="+302100000001")
    bella = messaged("bella", sender_name="+302100000002")
    write(client, "stop", to="302100000001")
    assert [subscribed(store) for store in (anna, bella)] == [False, True]


def test_stop_long_after_counts_for_all_that_know_the_number(messaged, client):
    anna = messaged("anna", days=400)
    write(client, "stop")
    assert not subscribed(anna)


def test_start_takes_back_a_stop_and_no_other_opt_out(messaged, client):
    anna, bella = messaged("anna"), messaged("bella")
    write(client, "stop")
    Contact.objects.filter(owner=bella).update(sms_consent_source="unsubscribe_page")
    assert write(client, "START")["start"] == 1
    assert [subscribed(store) for store in (anna, bella)] == [True, False]
    assert ConsentEvent.objects.filter(owner=anna).last().type == "resubscribed"
    assert not Suppression.objects.filter(owner=anna).exists()


def test_start_does_not_take_back_an_objection_that_followed_a_stop(messaged, client):
    anna = messaged("anna")
    write(client, "stop")
    rights.withdraw_all_consent(PHONE, anna.pk, by="test")
    assert write(client, "START")["start"] == 1
    assert not subscribed(anna)
    assert Suppression.objects.filter(owner=anna).exists()


def test_a_start_older_than_the_stop_changes_nothing(messaged, client):
    anna = messaged("anna")
    write(client, "stop")
    write(client, "start", timestamp="2020-01-01T00:00:00Z")
    assert not subscribed(anna)


def test_other_texts_are_kept_for_the_store_that_wrote_last(messaged, client):
    messaged("anna", days=3)
    bella = messaged("bella", days=1)
    assert write(client, "Do you open on Sunday?")["other"] == 1
    event = WebhookEvent.objects.get()
    assert (event.owner, event.status) == (bella, "processed")
    assert event.payload["text"] == "Do you open on Sunday?"
    assert subscribed(bella)


@pytest.mark.parametrize("sender", ["+491700000001", "SHOP", ""])
def test_strangers_are_kept_and_shown(sender, messaged, client):
    messaged("anna")
    write(client, "stop", sender)
    assert WebhookEvent.objects.get().status in ("unmatched", "failed")
    assert not ConsentEvent.objects.exists()


def test_the_classic_shape_is_read(messaged, client):
    store = messaged("anna")
    assert client.get(f"{URL}/sandbox", {"msisdn": PHONE, "message": "STOP"}).status_code == 202
    replies.apply_received_replies()
    assert not subscribed(store)
