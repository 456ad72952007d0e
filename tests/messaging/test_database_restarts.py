"""PostgreSQL ends its sessions while Mitto is being called: the answer is recorded all the same."""

import asyncio
import threading

import pytest
import requests
from django.db import connection

from campaigns import enqueue
from campaigns.models import CampaignMessage
from contacts.consent import change_consent
from contacts.models import Contact
from messaging import receipts, sending
from messaging.inbox import NewEvent
from messaging.models import Batch, Wallet, WebhookEvent
from tests.support.checks import ledger_balances
from tests.support.factories import make_campaign, make_list, make_store
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

END_OTHER_SESSIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@pytest.fixture
def campaign():
    store = make_store()
    return enqueue.enqueue_campaign(make_campaign(store, make_list(store, 5)).pk)


def end_other_sessions():
    with connection.cursor() as cursor:
        cursor.execute(END_OTHER_SESSIONS)
        return len(cursor.fetchall())


def in_thread(function):
    """Run the function in a thread of its own, which has a connection of its own."""
    results = []

    def run():
        try:
            results.append(function())
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, results


def calls_of(sandbox):
    return requests.get(f"{sandbox.url}/_sandbox/summary", timeout=5).json()["calls"]


def outcome_of(campaign):
    campaign.refresh_from_db()
    return campaign.status, campaign.sent, campaign.unknown


@pytest.mark.slow
def test_an_answer_is_recorded_although_the_session_ended_during_the_call(sandbox, campaign):
    sandbox.behave(latency_ms=1000)
    thread, results = in_thread(sending.process_next_batch)
    wait_until(lambda: calls_of(sandbox) == 1)
    assert end_other_sessions() >= 1
    thread.join()
    assert results == ["accepted"]
    assert outcome_of(campaign) == ("completed", 5, 0)
    assert Wallet.objects.get(owner=campaign.owner).balance == 995
    assert ledger_balances(campaign.owner)


@pytest.mark.slow
def test_an_opt_out_does_not_wait_for_a_window_whose_session_ended(sandbox, campaign):
    sandbox.behave(latency_ms=3000)
    leaver = Contact.objects.first()
    thread, results = in_thread(sending.process_next_batch)
    wait_until(lambda: calls_of(sandbox) == 1)
    end_other_sessions()
    change_consent(leaver.pk, "unsubscribed", source="owner_update")
    assert not results  # the call that had begun before is still under way
    thread.join()
    assert results == ["accepted"]
    assert outcome_of(campaign) == ("completed", 5, 0)


def test_a_worker_that_is_told_to_stop_records_the_answer_after_a_restart(
    sandbox, campaign, worker
):
    sandbox.behave(latency_ms=2000)
    process = worker("rqworker", "sms")
    wait_until(lambda: calls_of(sandbox) == 1)
    end_other_sessions()
    process.terminate()
    assert process.wait(30) == 0
    assert outcome_of(campaign) == ("completed", 5, 0)


def test_a_batch_whose_session_ended_before_the_call_is_sent_later(sandbox, campaign):
    """The other session holds the batch's row, so the transaction before the call waits for it."""
    with connection.cursor() as cursor:
        batch = sending.claim_next_batch()
        cursor.execute("BEGIN")
        cursor.execute("SELECT FROM messaging_batch WHERE id = %s FOR UPDATE", [batch.pk])
        thread, results = in_thread(lambda: sending._send_or_raise_postponed(batch))
        wait_until(lambda: end_waiting_session(cursor))
        cursor.execute("COMMIT")
    thread.join()
    assert results == ["postponed"]
    assert (Batch.objects.get().status, Batch.objects.get().attempts) == ("pending", 0)
    assert sending.process_next_batch() == "accepted"
    assert sandbox.summary()["duplicates"] == 0


def end_waiting_session(cursor):
    cursor.execute("SELECT pg_stat_clear_snapshot()")
    cursor.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return cursor.fetchall()


def test_settling_twice_is_the_same_as_settling_once(sandbox, campaign):
    for answer, status in (
        (sending.mitto.RetryLater("busy"), "queued"),
        (sending.mitto.Accepted([sending.mitto.SentItem(f"id{n}") for n in range(5)]), "sent"),
    ):
        Batch.objects.update(not_before=None)
        batch = sending.claim_next_batch()
        messages = sending.mark_submitting(batch)
        sending.settle_halve_or_requeue_batch(batch, messages, answer)
        before = Batch.objects.values().get(), Wallet.objects.values().get()
        sending.settle_halve_or_requeue_batch(batch, messages, answer)
        assert (Batch.objects.values().get(), Wallet.objects.values().get()) == before
        assert set(CampaignMessage.objects.values_list("status", flat=True)) == {status}
    assert ledger_balances(campaign.owner)


def test_a_receipt_is_stored_although_the_connection_was_lost_since_the_last_one():
    def store_one(status):
        event = {"messageId": "m1", "deliveryStatus": status, "updatedAt": "2026-01-01T00:00:00Z"}
        asyncio.run(
            receipts.store_coalesced([NewEvent.from_receipt_or_failed_if_unreadable(event)])
        )

    store_one("Sent")
    assert end_other_sessions() > 0
    store_one("Delivered")
    assert sorted(WebhookEvent.objects.values_list("provider_status", flat=True)) == [
        "delivered",
        "sent",
    ]
