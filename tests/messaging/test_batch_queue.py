"""A batch from its claim to its end: whose it is, when it is tried again, and in which order."""

import threading
import time
from datetime import UTC, timedelta
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.utils import timezone

from astronote.queues import jobs
from campaigns import actions, enqueue
from campaigns.models import CampaignMessage
from messaging import call_metrics, mitto, sending
from messaging.batch_queue import (
    HELD,
    cancel_unsent_batches,
    claim_next_batch,
    hold_pending_batches,
    lowest_due_turn_or_zero,
    release_pending_batches,
    return_to_queue,
)
from messaging.models import Batch, CreditReservation, Wallet
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def start(settings):
    """Starts a campaign of a store with so many batches of two messages each."""

    def begin(name="alice", batches=1):
        settings.SMS_BATCH_SIZE = 2
        store = make_store(name)
        return enqueue.enqueue_campaign(make_campaign(store, make_list(store, 2 * batches)).pk)

    return begin


def in_order():
    """The waiting batches in the order in which workers would take them."""
    taken = []
    while batch := claim_next_batch():
        taken.append(batch.pk)
    return taken


def take_over(batch):
    """Another worker has the batch now."""
    Batch.objects.filter(pk=batch.pk).update(claim_token=uuid4())


def accepted(*ids):
    return mitto.Accepted([mitto.SentItem(each) for each in ids], "bulk-7")


def statuses():
    return sorted(set(CampaignMessage.objects.values_list("status", flat=True)))


def delayed_jobs():
    """The jobs of the sms queue that wait for a time, each with its time."""
    found = jobs._scheduler("sms").get_jobs(with_times=True)
    return [(job.id, at.replace(tzinfo=UTC)) for job, at in found]


def test_a_worker_that_lost_its_claim_does_not_put_the_batch_back(start):
    start()
    batch = claim_next_batch()
    take_over(batch)
    assert not return_to_queue(batch, reason="test", due_at=timezone.now())
    assert Batch.objects.get().status == "claimed"
    assert delayed_jobs() == []


def test_a_worker_that_lost_its_claim_submits_nothing(start):
    start()
    batch = claim_next_batch()
    take_over(batch)
    assert sending.mark_submitting(batch) == []
    kept = Batch.objects.get()
    assert (kept.status, kept.attempts) == ("claimed", 0)


def test_a_worker_that_lost_its_claim_records_no_answer(start):
    start()
    batch = claim_next_batch()
    messages = sending.mark_submitting(batch)
    take_over(batch)
    assert (
        sending.settle_halve_or_requeue_batch(batch, messages, accepted("a", "b")) == "claim lost"
    )
    assert statuses() == ["queued"]
    assert Batch.objects.get().status == "submitting"


def test_a_worker_that_lost_its_claim_does_not_give_the_batch_up(start):
    start()
    batch = claim_next_batch()
    messages = sending.mark_submitting(batch)
    take_over(batch)
    assert (
        sending.settle_halve_or_requeue_batch(batch, messages, mitto.RetryLater("busy"))
        == "claim lost"
    )
    assert statuses() == ["queued"]
    assert Batch.objects.get().status == "submitting"


def test_a_batch_that_is_settled_is_not_put_back(start):
    start()
    batch = claim_next_batch()
    messages = sending.mark_submitting(batch)
    assert sending.settle_halve_or_requeue_batch(batch, messages, accepted("a", "b")) == "accepted"
    assert not return_to_queue(batch, reason="test", due_at=timezone.now())
    assert Batch.objects.get().status == "settled"


def test_two_workers_claim_two_batches_without_waiting_for_each_other(start):
    start(batches=2)
    claimed = []

    def claim():
        claimed.append(claim_next_batch())
        connection.close()

    with transaction.atomic():
        claimed.append(claim_next_batch())
        beside = threading.Thread(target=claim)
        beside.start()
        beside.join(5)
        assert not beside.is_alive(), "it waits for the batch of the first"
    assert {batch.pk for batch in claimed} == set(Batch.objects.values_list("pk", flat=True))


def test_a_settled_batch_keeps_what_mitto_said_of_it(start, settings):
    start()
    settings.SMS_BATCH_SIZE = 1
    store = make_store("bob")
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 1)).pk)
    for answer in (accepted("a", "b"), mitto.CallRefused(400, "the sender is not valid")):
        batch = claim_next_batch()
        sending.settle_halve_or_requeue_batch(batch, sending.mark_submitting(batch), answer)
    first, second = Batch.objects.order_by("pk")
    assert (first.provider_bulk_id, first.error) == ("bulk-7", "")
    assert (second.provider_bulk_id, second.error) == (None, "the sender is not valid")
    refused = CampaignMessage.objects.filter(batch=second).values_list("error_code", "last_error")
    assert set(refused) == {("refused_400", "the sender is not valid")}


def test_one_refused_message_fails_and_is_not_charged(start):
    start()
    batch = claim_next_batch()
    answer = mitto.Accepted([mitto.SentItem("a"), mitto.SentItem(None, "destination is not E.164")])
    sending.settle_halve_or_requeue_batch(batch, sending.mark_submitting(batch), answer)
    kept = CampaignMessage.objects.order_by("pk").values_list("status", "error_code", "last_error")
    assert list(kept) == [("sent", "", ""), ("failed", "refused", "destination is not E.164")]
    wallet = Wallet.objects.get()
    assert (wallet.balance, wallet.reserved_balance) == (999, 0)


def test_batches_that_are_released_keep_their_order(start):
    campaign = start(batches=4)
    before = list(Batch.objects.order_by("turn", "pk").values_list("pk", flat=True))
    assert hold_pending_batches("a test", source_id=campaign.pk) == 4
    assert claim_next_batch() is None
    jobs.get_queue("sms").empty()
    assert release_pending_batches(source_id=campaign.pk) == 4
    assert jobs.count_waiting_jobs("sms") == 4
    assert set(Batch.objects.values_list("waiting_for", flat=True)) == {""}
    assert in_order() == before


def test_releasing_one_campaign_leaves_another_paused(start):
    alices, bobs = start("alice"), start("bob")
    for campaign in (alices, bobs):
        actions.pause_campaign(campaign, by="test")
    actions.resume_campaign(alices, by="test")
    assert [Batch.objects.get(pk=pk).source_id for pk in in_order()] == [alices.pk]
    assert Batch.objects.get(source_id=bobs.pk).waiting_for == "the campaign is paused"


def test_pausing_one_campaign_does_not_hold_up_another(start):
    alices, bobs = start("alice"), start("bob")
    actions.pause_campaign(alices, by="test")
    assert [Batch.objects.get(pk=pk).source_id for pk in in_order()] == [bobs.pk]


def test_a_new_campaign_does_not_go_before_one_that_is_sending(start):
    paused, sending_one = start("alice", batches=2), start("bob", batches=2)
    actions.pause_campaign(paused, by="test")
    Batch.objects.filter(source_id=sending_one.pk).update(turn=10)
    assert lowest_due_turn_or_zero() == 10


def test_a_batch_that_is_being_submitted_is_not_dropped(start):
    start()
    batch = claim_next_batch()
    sending.mark_submitting(batch)
    assert cancel_unsent_batches([batch.pk], skip_reason="cancelled") == 0
    assert statuses() == ["queued"]
    assert Batch.objects.get().status == "submitting"


def test_a_batch_that_is_being_prepared_is_taken_from_its_worker(start):
    start()
    batch = claim_next_batch()
    assert cancel_unsent_batches([batch.pk], skip_reason="cancelled") == 1
    assert sending.mark_submitting(batch) == []
    kept = Batch.objects.get()
    assert (kept.status, statuses()) == ("cancelled", ["skipped"])
    assert kept.settled_at is not None
    assert cancel_unsent_batches([batch.pk], skip_reason="cancelled") == 0


def test_a_delayed_batch_has_a_job_at_its_time(start):
    start()
    until = timezone.now() + timedelta(hours=1)
    assert return_to_queue(claim_next_batch(), reason="test", due_at=until)
    [(_, at)] = delayed_jobs()
    assert timedelta(0) <= at - until <= timedelta(seconds=1)


def test_each_delay_of_a_batch_has_a_job_of_its_own(start):
    start()
    until = timezone.now() + timedelta(hours=1)
    for _ in range(2):
        return_to_queue(claim_next_batch(), reason="test", due_at=until)
        Batch.objects.update(not_before=None)
    assert len(delayed_jobs()) == 2


def test_a_batch_of_a_paused_campaign_has_no_job(start):
    campaign = start()
    batch = claim_next_batch()
    actions.pause_campaign(campaign, by="test")
    return_to_queue(batch, reason="the campaign is paused", due_at=HELD)
    assert Batch.objects.get().status == "pending"
    assert delayed_jobs() == []


def wait_after(deferrals, answer):
    """For how many seconds a batch waits that was deferred so often before."""
    batch = claim_next_batch()
    Batch.objects.filter(pk=batch.pk).update(deferrals=deferrals)
    batch.deferrals = deferrals
    began = timezone.now()
    assert (
        sending.settle_halve_or_requeue_batch(batch, sending.mark_submitting(batch), answer)
        == "deferred"
    )
    return (Batch.objects.get().not_before - began).total_seconds()


@pytest.mark.parametrize(("deferrals", "longest"), [(0, 1), (3, 8), (12, 900), (5000, 900)])
def test_the_wait_doubles_with_each_deferral_up_to_fifteen_minutes(
    start, settings, deferrals, longest
):
    settings.QUEUE_BACKOFF_MS = 1000
    start()
    wait = wait_after(deferrals, mitto.RetryLater("busy"))
    assert longest / 2 <= wait <= longest + 3


def test_a_longer_wait_that_mitto_asks_for_counts(start):
    start()
    assert 3600 <= wait_after(0, mitto.RetryLater("busy", retry_after=3600)) < 3630


def test_a_deferral_is_counted_and_is_no_attempt(start):
    start()
    for _ in range(2):
        batch = claim_next_batch()
        sending.settle_halve_or_requeue_batch(
            batch,
            sending.mark_submitting(batch),
            mitto.RetryLater("busy"),
        )
        Batch.objects.update(not_before=None)
    batch = Batch.objects.get()
    assert (batch.deferrals, batch.attempts, batch.submitted_at) == (2, 0, None)


def test_a_batch_is_deferred_as_long_as_its_credits_are_held(start):
    start()
    CreditReservation.objects.update(expires_at=timezone.now() + timedelta(hours=2))
    batch = claim_next_batch()
    messages = sending.mark_submitting(batch)
    answer = mitto.RetryLater("busy", retry_after=3 * 3600)
    assert sending.settle_halve_or_requeue_batch(batch, messages, answer) == "given up"
    assert statuses() == ["failed"]
    kept = Batch.objects.get()
    assert (kept.status, kept.error) == ("settled", "busy")


@pytest.fixture
def stopped_worker(monkeypatch):
    """A worker that stands still for so many seconds once it has read who may be messaged."""
    real = time.monotonic
    stood_still = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: real() + stood_still[0])

    def send(seconds):
        def after_reading(execute, sql, params, many, context):
            result = execute(sql, params, many, context)
            if sql.startswith("SELECT") and "campaigns_campaignmessage" in sql:
                stood_still[0] = seconds
            return result

        with connection.execute_wrapper(after_reading):
            word = sending.process_next_batch()
        assert stood_still[0] == seconds
        return word

    return send


def test_a_worker_that_stood_still_for_long_does_not_call_mitto(sandbox, start, stopped_worker):
    """An opt-out may have gone on without it."""
    start()
    assert stopped_worker(1.5) == "deferred"
    assert sandbox.summary()["calls"] == 0
    batch = Batch.objects.get()
    assert (batch.status, batch.attempts, statuses()) == ("pending", 0, ["queued"])
    assert "stopped" in batch.waiting_for


def test_a_worker_that_stood_still_for_a_moment_goes_on(sandbox, start, stopped_worker):
    start()
    assert stopped_worker(0.5) == "accepted"
    assert sandbox.summary()["accepted"] == 2


def test_calls_to_mitto_are_counted_with_how_long_they_took(sandbox, start):
    start(batches=2)
    sandbox.behave(latency_ms=120)
    sending.process_next_batch()
    sandbox.behave(latency_ms=0, fault="bad_request")
    sending.process_next_batch()
    counts, seconds = call_metrics.read_mitto_call_counts_and_seconds()
    assert {
        outcome: sum(n for (name, _), n in counts.items() if name == outcome)
        for outcome, _ in counts
    } == {"accepted": 1, "refused": 1}
    [bound] = [bucket for outcome, bucket in counts if outcome == "accepted"]
    assert float(bound) >= 0.12
    assert 0.12 <= seconds["accepted"] <= float(bound)


def test_a_held_back_batch_of_a_cancelled_campaign_is_dropped(start, sandbox):
    campaign = start()
    actions.cancel_campaign(campaign, by="test")
    assert sending.process_next_batch() == "dropped"
    assert sandbox.summary()["calls"] == 0
    assert statuses() == ["skipped"]
