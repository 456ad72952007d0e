"""A campaign from enqueue to settle against the real sandbox, with every kind of answer."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from astronote.accounts.eligibility import SendingBlocked
from astronote.operations.watchdog import run_watchdog
from campaigns import enqueue
from contacts.consent import change_consent
from contacts.models import Contact
from messaging import receipts, sending
from messaging.models import Batch, Wallet
from tests.support.checks import ledger_balances
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)


def started(size=5, **fields):
    store = make_store()
    campaign = enqueue.enqueue_campaign(make_campaign(store, make_list(store, size), **fields).pk)
    return store, campaign, Batch.objects.get(source_id=campaign.pk)


def test_an_accepted_batch_is_sent_and_charged_once(sandbox):
    store, campaign, batch = started()
    assert Wallet.objects.get(owner=store).reserved_balance == 5
    assert sending.process_next_batch() == "accepted"
    assert sending.process_next_batch() == "none due"
    campaign.refresh_from_db()
    assert (campaign.status, campaign.sent, sandbox.summary()["accepted"]) == ("completed", 5, 5)
    wallet = Wallet.objects.get(owner=store)
    assert (wallet.balance, wallet.reserved_balance) == (995, 0)
    assert ledger_balances(store)
    texts = sorted(m["text"].split("\n")[0] for m in sandbox.messages())
    assert texts == [f"Hello Name{n}" for n in range(5)]


@pytest.mark.parametrize(
    ("fault", "word", "status", "accepted", "held"),
    [
        ("unauthorized", "account refused", "queued", 0, 5),
        ("bad_request", "halved", "queued", 0, 5),
        ("too_many", "deferred", "queued", 0, 5),
        ("too_many_bare", "deferred", "queued", 0, 5),
        ("unavailable", "deferred", "queued", 0, 5),
        ("unavailable_bare", "unknown", "unknown", 0, 5),
        ("error_before", "unknown", "unknown", 0, 5),
        ("unavailable_after", "unknown", "unknown", 5, 5),
        ("error_after", "unknown", "unknown", 5, 5),
        ("drop_before", "unknown", "unknown", 0, 5),
        ("drop_after", "unknown", "unknown", 5, 5),
        ("timeout_after", "unknown", "unknown", 5, 5),
        ("not_json", "unknown", "unknown", 5, 5),
        ("missing_items", "unknown", "unknown", 5, 5),
        ("extra_items", "unknown", "unknown", 5, 5),
        ("no_bulk_id", "accepted", "sent", 5, 0),
    ],
)
def test_each_answer_of_mitto_has_its_outcome(
    sandbox, settings, fault, word, status, accepted, held
):
    settings.MITTO_READ_TIMEOUT = 1.0
    store, campaign, batch = started()
    sandbox.behave(fault=fault)
    assert sending.process_next_batch() == word
    statuses = set(campaign.campaignmessage_set.values_list("status", flat=True))
    assert statuses == {status}
    assert sandbox.summary()["accepted"] == accepted
    assert Wallet.objects.get(owner=store).reserved_balance == held
    assert ledger_balances(store)
    campaign.refresh_from_db()
    assert getattr(campaign, status) == 5


def test_no_connection_defers_the_batch(settings):
    settings.MITTO_API_BASE = "http://127.0.0.1:1"
    _, _, batch = started()
    assert sending.process_next_batch() == "deferred"
    batch.refresh_from_db()
    assert batch.status == "pending" and batch.not_before and batch.attempts == 0


def test_nobody_is_messaged_after_opting_out(sandbox):
    store, campaign, batch = started()
    leaver = Contact.objects.filter(owner=store).first()
    change_consent(leaver.pk, "unsubscribed", source="owner_update")
    sending.process_next_batch()
    assert leaver.phone not in [m["destination"] for m in sandbox.messages()]
    campaign.refresh_from_db()
    assert (campaign.skipped, campaign.sent, campaign.status) == (1, 4, "completed")
    assert ledger_balances(store)


def test_a_claim_whose_worker_died_before_the_call_is_sent_again(sandbox, settings):
    settings.STUCK_LOCKED_MINUTES = 0
    _, campaign, batch = started()
    assert sending.claim_next_batch()
    assert run_watchdog()["claims_taken_back"] == 1
    assert sending.process_next_batch() == "accepted"
    assert sandbox.summary()["duplicates"] == 0


def test_a_batch_whose_worker_died_during_the_call_is_never_sent_again(sandbox, settings):
    settings.STUCK_LOCKED_MINUTES = 0
    store, campaign, batch = started()
    claimed = sending.claim_next_batch()
    messages = sending.mark_submitting(claimed)
    assert run_watchdog()["given_up_as_unknown"] == 1
    assert sending.process_next_batch() == "none due"
    campaign.refresh_from_db()
    assert (campaign.unknown, campaign.status) == (5, "completed")
    # The answer that comes late is still the truth.
    late = sending.mitto.Accepted([sending.mitto.SentItem(f"id{n}") for n in range(5)])
    assert sending.settle_halve_or_requeue_batch(claimed, messages, late) == "accepted"
    campaign.refresh_from_db()
    assert (campaign.unknown, campaign.sent) == (0, 5)
    assert ledger_balances(store)


def test_a_batch_whose_job_is_lost_is_enqueued_again():
    from astronote.queues import jobs

    _, _, batch = started()
    assert run_watchdog()["batches_enqueued"] == 0
    jobs.get_queue("sms").connection.flushdb()
    assert run_watchdog()["batches_enqueued"] == 1
    assert jobs.count_waiting_jobs("sms") == 1
    assert sending.claim_next_batch() == batch


def test_a_campaign_that_cannot_pay_leaves_no_messages():
    store = make_store(balance=3)
    campaign = make_campaign(store, make_list(store, 5))
    with pytest.raises(SendingBlocked, match="top up at least 2"):
        enqueue.enqueue_campaign(campaign.pk)
    campaign.refresh_from_db()
    assert campaign.status == "draft" and "5 credits" in campaign.block_reason
    assert not Batch.objects.exists() and ledger_balances(store)


def test_receipts_settle_messages_by_the_providers_time(sandbox, client):
    _, campaign, batch = started()
    sending.process_next_batch()
    ids = list(campaign.campaignmessage_set.values_list("provider_message_id", flat=True))
    events = [
        {"messageId": ids[0], "deliveryStatus": "Delivered", "updatedAt": "2026-01-01T00:00:02Z"},
        {"messageId": ids[0], "deliveryStatus": "Sent", "updatedAt": "2026-01-01T00:00:01Z"},
        {"messageId": ids[1], "deliveryStatus": "Failure", "updatedAt": "2026-01-01T00:00:02Z"},
        {"messageId": "stranger", "deliveryStatus": "Sent", "updatedAt": "2026-01-01T00:00:02Z"},
    ]
    url = "/webhooks/mitto/delivery"
    kind = "application/json"
    assert client.post(url, events, kind, secure=True).status_code == 401
    for _ in range(2):
        answer = client.post(url, events, kind, secure=True, headers={"X-Webhook-Token": "sandbox"})
        assert answer.status_code == 202
    assert receipts.apply_received_receipts() == {
        "applied": 3,
        "waiting": 1,
        "unmatched": 0,
    }
    campaign.refresh_from_db()
    assert (campaign.delivered, campaign.failed, campaign.sent) == (1, 1, 3)


def test_two_stores_with_the_same_customers_stay_apart(sandbox):
    campaigns = []
    for name in ("alice", "bob"):
        store = make_store(name, sender_name=name.upper())
        campaigns.append(enqueue.enqueue_campaign(make_campaign(store, make_list(store, 3)).pk))
    for _ in campaigns:
        sending.process_next_batch()
    senders = sorted(m["sender"] for m in sandbox.messages())
    assert senders == ["ALICE"] * 3 + ["BOB"] * 3
    assert [w.balance for w in Wallet.objects.all()] == [997, 997]


@pytest.mark.parametrize("size", [1, 400])
def test_a_batch_takes_few_statements_whatever_its_size(sandbox, size):
    """Transactions' own BEGIN and COMMIT included."""
    started(size)
    with CaptureQueriesContext(connection) as captured:
        assert sending.process_next_batch() == "accepted"
    # One of them looks for opt-outs just before the call.
    assert len(captured) <= 20, [query["sql"][:80] for query in captured]
