"""Asking Mitto about messages whose receipt has not come."""

import json
import time
from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns import enqueue
from campaigns.models import CampaignMessage
from messaging import polling, receipts, sending
from messaging.models import Batch, SendingStop
from tests.support.factories import make_campaign, make_list, make_store
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sent(sandbox, settings):
    """A campaign whose messages were sent so many minutes ago, without any receipt."""

    def send(size=5, minutes=11, batch_size=1000):
        settings.SMS_BATCH_SIZE = batch_size
        settings.QUEUE_RATE_MAX = 1000
        store = make_store()
        campaign = enqueue.enqueue_campaign(make_campaign(store, make_list(store, size)).pk)
        while sending.process_next_batch() != "none due":
            pass
        Batch.objects.update(settled_at=timezone.now() - timedelta(minutes=minutes))
        return campaign

    return send


def test_young_messages_are_asked_about_after_ten_minutes(sent, sandbox):
    sandbox.behave(receipt_delay_ms=0)
    campaign = sent()
    Batch.objects.update(settled_at=timezone.now() - timedelta(minutes=9))
    assert polling.poll_recent_messages_unless_running()["asked"] == 0
    Batch.objects.update(settled_at=timezone.now() - timedelta(minutes=11))
    assert polling.poll_recent_messages_unless_running() == {
        "asked": 5,
        "final": 5,
        "not_found": 0,
        "unanswered": 0,
    }
    campaign.refresh_from_db()
    assert campaign.delivered == 5
    assert Batch.objects.get().awaiting == 0
    assert polling.poll_recent_messages_unless_running()["asked"] == 0


def test_status_refresh_asks_about_the_long_tail_and_ends_after_72_hours(sent):
    sent(minutes=180)
    assert polling.poll_recent_messages_unless_running()["asked"] == 0
    assert polling.poll_older_messages_unless_running()["asked"] == 5
    Batch.objects.update(settled_at=timezone.now() - timedelta(hours=73), checked_at=None)
    assert polling.poll_older_messages_unless_running()["asked"] == 0


def test_the_intervals_between_questions_grow_with_age(sent, sandbox):
    sandbox.behave(receipt_delay_ms=10**9)
    sent(minutes=12 * 60)
    assert polling.poll_older_messages_unless_running()["asked"] == 5
    assert polling.poll_older_messages_unless_running()["asked"] == 0
    Batch.objects.update(checked_at=timezone.now() - timedelta(hours=1, minutes=59))
    assert polling.poll_older_messages_unless_running()["asked"] == 0
    Batch.objects.update(checked_at=timezone.now() - timedelta(hours=2, minutes=1))
    assert polling.poll_older_messages_unless_running()["asked"] == 5


def test_the_batch_asked_least_recently_comes_first(sent, sandbox, monkeypatch):
    sandbox.behave(receipt_delay_ms=10**9)
    sent(size=6, batch_size=2)
    monkeypatch.setattr(polling, "MAX_BATCHES", 1)
    for _ in range(3):
        polling.poll_recent_messages_unless_running()
    assert Batch.objects.filter(checked_at=None).count() == 0


def test_a_message_mitto_does_not_know_yet_is_not_failed(sent, sandbox):
    campaign = sent()
    sandbox.behave(status_404_share=1.0)
    assert polling.poll_recent_messages_unless_running()["not_found"] == 5
    campaign.refresh_from_db()
    assert campaign.sent == 5
    assert set(CampaignMessage.objects.values_list("delivery_status", flat=True)) == {"not_found"}
    sandbox.behave(status_404_share=0.0)
    wait_until(lambda: polling.poll_recent_messages_unless_running()["final"])
    campaign.refresh_from_db()
    assert campaign.delivered == 5


def test_a_receipt_leaves_nothing_to_ask(sent, client):
    campaign = sent(size=1)
    message = CampaignMessage.objects.get()
    event = {
        "messageId": message.provider_message_id,
        "deliveryStatus": "Delivered",
        "updatedAt": "2026-01-01T00:00:00Z",
    }
    client.post(
        "/webhooks/mitto/delivery",
        json.dumps(event),
        "application/json",
        secure=True,
        headers={"X-Webhook-Token": "sandbox"},
    )
    receipts.apply_received_receipts()
    assert Batch.objects.get().awaiting == 0
    assert polling.poll_recent_messages_unless_running()["asked"] == 0
    campaign.refresh_from_db()
    assert campaign.delivered == 1


def test_questions_go_out_many_at_a_time_within_their_rate(sent, sandbox, settings):
    sent(size=60)
    sandbox.behave(status_latency_ms=100)
    settings.STATUS_RATE_MAX = 100_000
    began = time.monotonic()
    assert polling.poll_recent_messages_unless_running()["asked"] == 60
    assert time.monotonic() - began < 3  # one at a time takes six


def test_a_mitto_that_does_not_answer_changes_nothing(sent, settings):
    campaign = sent()
    settings.MITTO_API_BASE = "http://127.0.0.1:1"
    assert polling.poll_recent_messages_unless_running()["unanswered"] == 5
    campaign.refresh_from_db()
    assert campaign.sent == 5


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_query_refused_for_the_account_stops_sending_and_changes_no_message(
    sent, sandbox, status
):
    campaign = sent()
    sandbox.behave(account_status=status)
    assert polling.poll_recent_messages_unless_running()["unanswered"] == 5
    assert str(status) in SendingStop.objects.get(reason="account_refused").details
    campaign.refresh_from_db()
    assert (campaign.sent, campaign.failed) == (5, 0)


def test_a_message_that_mitto_does_not_know_stops_nothing(sent, sandbox):
    sent()
    sandbox.behave(status_404_share=1.0)
    assert polling.poll_recent_messages_unless_running()["not_found"] == 5
    assert not SendingStop.objects.exists()
