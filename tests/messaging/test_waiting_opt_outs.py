"""An opt-out is written and answered at once; no call that begins later has the person in it."""

import json
import threading

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from campaigns import enqueue
from campaigns.models import Campaign, CampaignMessage
from contacts.models import ConsentEvent, Contact, Suppression
from contacts.sending_window import sending_window
from messaging import mitto, rate_limits, replies, sending, waiting_stops
from messaging.batch_queue import cancel_unsent_batches
from messaging.models import Batch, WebhookEvent
from tests.support.factories import make_campaign, make_list, make_store
from tests.support.holding import Holding, locked_contact
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
FIRST, SECOND = "+306900000000", "+306900000001"


@pytest.fixture
def campaign():
    store = make_store(company="Anna's shoes")
    return enqueue.enqueue_campaign(make_campaign(store, make_list(store, 2)).pk)


def link_of(phone, **filters):
    text = CampaignMessage.objects.get(to=phone, **filters).text
    return text[text.index("/u/") :]


def write(client, text, sender=FIRST):
    body = json.dumps({"from": sender, "text": text})
    headers = {"X-Webhook-Token": "sandbox"}
    assert (
        client.post(
            "/webhooks/mitto/inbound", body, "application/json", headers=headers
        ).status_code
        == 202
    )


def held(campaign, what):
    if what == "a call to Mitto":
        return Holding(lambda: sending_window(campaign.owner_id))
    if what == "an import":
        return Holding(lambda: locked_contact(FIRST))
    return Holding(lambda: replies.advisory_lock(replies.REPLIES_LOCK, wait=True))


@pytest.mark.parametrize("what", ["a call to Mitto", "an import", "the job of replies"])
def test_a_press_is_answered_while_something_holds_the_store(campaign, client, sandbox, what):
    with held(campaign, what):
        answer = client.post(link_of(FIRST), {"action": "opt_out"}, REMOTE_ADDR="192.0.2.7")
        assert "You will get no more offers" in answer.text
        assert "You will get no more offers" in client.get(link_of(FIRST)).text, "it is written"
        assert Contact.objects.get(phone=FIRST).is_subscribed, "it is not applied"
        assert sending.process_next_batch() == "deferred"
        assert sandbox.summary()["calls"] == 0
    counts = replies.apply_received_replies()
    assert counts["stop"] == 1
    assert not Contact.objects.get(phone=FIRST).is_subscribed
    event = ConsentEvent.objects.get()
    assert (event.source, event.meta["ip_address"]) == ("unsubscribe_page", "192.0.2.7")
    assert Suppression.objects.count() == 1
    wait_until(lambda: sending.process_next_batch() == "accepted")
    assert [m["destination"] for m in sandbox.messages()] == [SECOND]


def test_a_press_that_waits_is_not_one_at_another_store(campaign, client):
    other = make_store("bella")
    theirs = enqueue.enqueue_campaign(make_campaign(other, make_list(other, 1)).pk)
    ours = link_of(FIRST, campaign=campaign)
    with held(campaign, "the job of replies"):
        client.post(ours, {"action": "opt_out"})
        assert "You will get no more offers" in client.get(ours).text
        assert "You will get no more offers" not in client.get(link_of(FIRST, campaign=theirs)).text


def test_every_batch_waits_while_too_many_stops_wait_to_be_read(
    campaign, client, sandbox, monkeypatch
):
    monkeypatch.setattr(waiting_stops, "MOST_READ", 1)
    write(client, "STOP", sender="+306900000008")
    write(client, "STOP", sender="+306900000009")
    assert sending.process_next_batch() == "deferred"
    assert sandbox.summary()["calls"] == 0


def test_a_press_that_waits_for_nothing_is_applied_at_once(campaign, client):
    client.post(link_of(FIRST))
    assert not Contact.objects.get(phone=FIRST).is_subscribed
    assert replies.apply_received_replies()["stop"] == 0
    client.post(link_of(FIRST))
    assert WebhookEvent.objects.count() == 1, "nothing is left to change"


def test_a_stop_that_is_written_and_not_applied_is_heeded(campaign, client, sandbox):
    write(client, "STOP")
    assert sending.process_next_batch() == "deferred"
    assert sandbox.summary()["calls"] == 0
    assert Batch.objects.get().attempts == 0
    replies.apply_received_replies()
    wait_until(lambda: sending.process_next_batch() == "accepted")
    assert [m["destination"] for m in sandbox.messages()] == [SECOND]


def test_what_may_be_a_stop_is_heeded_too_and_other_replies_are_not(campaign, client, sandbox):
    write(client, "Thanks!")
    write(client, "leave me alone", sender="+306900000009")
    assert sending.process_next_batch() == "accepted"
    enqueue.enqueue_campaign(make_campaign(campaign.owner, campaign.list).pk)
    write(client, "wrong number")
    assert sending.process_next_batch() == "deferred"
    assert sandbox.summary()["calls"] == 1


def test_no_single_call_begins_after_an_opt_out(campaign, client, sandbox, monkeypatch):
    """Where Mitto has no calls for many messages, those of a batch go out over minutes."""
    sandbox.behave(without_bulk=404)
    monkeypatch.setattr(sending, "mitto_client", lambda: fresh_client(sandbox))
    second = link_of(SECOND)

    def opt_out_between_the_calls():
        thread = threading.Thread(target=press)
        thread.start()
        thread.join(20)

    def press():
        Client().post(second)
        connection.close()

    monkeypatch.setattr(rate_limits, "sleep_for_rate_of_one_call", opt_out_between_the_calls)
    assert sending.process_next_batch() == "deferred"
    assert [m["destination"] for m in sandbox.messages()] == [FIRST]
    replies.apply_received_replies()
    sending.process_next_batch()
    assert sandbox.summary()["accepted"] == 1
    assert Campaign.objects.get().status == "completed"
    assert CampaignMessage.objects.get(to=SECOND).error_code == "opted_out"


def fresh_client(sandbox):
    return mitto.MittoClient(base_url=sandbox.url, api_key="sandbox", traffic_account_id="sandbox")


def press_that_cannot_be_applied():
    """An opt-out whose message is of a kind that no app has."""
    return WebhookEvent.objects.create(
        provider="opt_out_page",
        event_id="broken",
        event_type="inbound",
        owner=Contact.objects.get(phone=FIRST).owner,
        consent_request="stop",
        payload={"from": FIRST, "kind": "gone", "message": 0},
    )


def test_an_opt_out_that_cannot_be_applied_holds_up_no_other(campaign, client, sandbox):
    broken = press_that_cannot_be_applied()
    write(client, "STOP", sender=SECOND)
    counts = replies.apply_received_replies()
    assert (counts["set_aside"], counts["stop"]) == (1, 1)
    assert not Contact.objects.get(phone=SECOND).is_subscribed
    broken.refresh_from_db()
    assert broken.status == "received"
    assert broken.error.startswith("LookupError: no message class")
    assert FIRST[1:] not in broken.error
    assert sending.process_next_batch() == "nothing to send", "the opt-out is heeded all the same"
    assert sandbox.summary()["calls"] == 0
    assert replies.apply_received_replies()["set_aside"] == 0, "not in the same minute"


def test_only_the_message_to_the_person_waits_for_an_opt_out_that_cannot_be_applied(
    campaign, client, sandbox
):
    press_that_cannot_be_applied()
    replies.apply_received_replies()
    assert sending.process_next_batch() == "accepted"
    assert [m["destination"] for m in sandbox.messages()] == [SECOND]
    skipped = CampaignMessage.objects.get(to=FIRST)
    assert (skipped.status, skipped.error_code) == ("skipped", "awaits_review")
    assert Campaign.objects.get().status == "completed"


def test_an_opt_out_that_cannot_be_applied_at_one_store_skips_no_message_of_another(
    campaign, sandbox
):
    press_that_cannot_be_applied()
    replies.apply_received_replies()
    cancel_unsent_batches(list(Batch.objects.values_list("pk", flat=True)), skip_reason="cancelled")
    other = make_store("bella")
    enqueue.enqueue_campaign(make_campaign(other, make_list(other, 1)).pk)
    assert sending.process_next_batch() == "accepted"
    assert [m["destination"] for m in sandbox.messages()] == [FIRST]


def test_operators_see_the_opt_outs_that_cannot_be_applied(campaign, admin_client, client):
    press_that_cannot_be_applied()
    replies.apply_received_replies()
    home = admin_client.get("/admin/").text
    assert "1 reply could not be applied" in home
    assert "no message class" in home
    assert "could not be applied" in client.get("/readyz").text


def test_an_opt_out_that_could_not_be_applied_is_tried_again(campaign):
    broken = press_that_cannot_be_applied()
    replies.apply_received_replies()
    message = CampaignMessage.objects.get(to=FIRST)
    WebhookEvent.objects.filter(pk=broken.pk).update(
        payload={"from": FIRST, "kind": message.batch_kind, "message": message.pk},
        retry_at=timezone.now(),
    )
    assert replies.apply_received_replies()["stop"] == 1
    assert not Contact.objects.get(phone=FIRST).is_subscribed
    broken.refresh_from_db()
    assert (broken.status, broken.error, broken.retry_at) == ("processed", "", None)
