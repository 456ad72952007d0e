"""Which messages Mitto is asked about, how many at a time, and what is kept of its answers."""

import threading
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from astronote.common.locks import advisory_lock
from campaigns import enqueue
from campaigns.models import CampaignMessage
from messaging import mitto, polling, rate_limits, sending
from messaging.models import Batch, WebhookEvent
from messaging.polling import StatusQuery
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)


def ago(**time):
    return timezone.now() - timedelta(**time)


def make_batches(count, *, awaiting=1, minutes=11):
    """Batches that were settled so long ago, with so many messages that wait for a receipt."""
    store = make_store()
    return Batch.objects.bulk_create(
        Batch(
            owner=store,
            kind="campaign",
            sender="TESTSHOP",
            size=awaiting,
            status="settled",
            awaiting=awaiting,
            settled_at=ago(minutes=minutes),
        )
        for _ in range(count)
    )


def asked_about():
    return Batch.objects.filter(checked_at__isnull=False).count()


@pytest.mark.parametrize(("minutes", "asked"), [(9, 0), (11, 1), (119, 1), (121, 0)])
def test_the_poller_asks_between_ten_minutes_and_two_hours(minutes, asked):
    make_batches(1, minutes=minutes)
    polling.poll_recent_messages_unless_running()
    assert asked_about() == asked


@pytest.mark.parametrize(("hours", "asked"), [(1.9, 0), (2.1, 1), (71, 1), (73, 0)])
def test_the_refresh_asks_between_two_hours_and_three_days(hours, asked):
    make_batches(1, minutes=hours * 60)
    polling.poll_older_messages_unless_running()
    assert asked_about() == asked


def test_a_batch_whose_messages_all_have_a_receipt_is_not_asked_about():
    make_batches(1, awaiting=1)
    Batch.objects.update(awaiting=0)
    polling.poll_recent_messages_unless_running()
    assert asked_about() == 0


def test_one_run_asks_about_two_hundred_batches():
    make_batches(201)
    polling.poll_recent_messages_unless_running()
    assert asked_about() == 200
    polling.poll_recent_messages_unless_running()
    assert asked_about() == 201, "those that were left out come first"


def test_one_run_asks_about_five_thousand_messages():
    make_batches(7, awaiting=1000)
    polling.poll_recent_messages_unless_running()
    assert asked_about() == 5


@pytest.mark.parametrize(
    ("work", "poll", "minutes"),
    [("delivery status poller", polling.poll_recent_messages_unless_running, 11),
     ("status refresh", polling.poll_older_messages_unless_running, 180)],
)  # fmt: skip
def test_two_runs_do_not_ask_at_the_same_time(work, poll, minutes):
    make_batches(1, minutes=minutes)
    under_way, over = threading.Event(), threading.Event()

    def run_beside():
        with advisory_lock(work):
            under_way.set()
            over.wait(10)
        connection.close()

    beside = threading.Thread(target=run_beside)
    beside.start()
    assert under_way.wait(10)
    try:
        assert poll() == {}
        assert asked_about() == 0
    finally:
        over.set()
        beside.join(10)
    poll()
    assert asked_about() == 1


@pytest.fixture
def sent(sandbox):
    """The messages of a campaign that went out eleven minutes ago."""

    def send(size, name="alice"):
        store = make_store(name)
        campaign = enqueue.enqueue_campaign(make_campaign(store, make_list(store, size)).pk)
        assert sending.process_next_batch() == "accepted"
        Batch.objects.update(settled_at=ago(minutes=11))
        return list(CampaignMessage.objects.filter(campaign=campaign).order_by("pk"))

    return send


@pytest.mark.slow
def test_questions_wait_for_their_rate(sent, settings):
    """The first hundred go out at once, the next two seconds later."""
    sent(101)
    settings.STATUS_RATE_MAX = 50
    began = time.monotonic()
    assert polling.poll_recent_messages_unless_running()["asked"] == 101
    assert time.monotonic() - began >= 2.0


def test_questions_use_up_the_rate_that_all_processes_share(sent, settings):
    sent(60)
    settings.STATUS_RATE_MAX = 1
    assert polling.poll_recent_messages_unless_running()["asked"] == 60
    assert 30_000 < rate_limits.reserve_slots_if_soon_and_get_wait_ms({"status": 1}, 0) <= 60_000


def answer(*answers):
    """Record what Mitto answers about each message, in order."""
    rows = [
        StatusQuery(message.pk, message.provider_message_id, message.delivery_status)
        for message in CampaignMessage.objects.order_by("pk")
    ]
    counts = {"asked": 0, "final": 0, "not_found": 0, "unanswered": 0}
    polling.record_status_answers(CampaignMessage, rows, list(answers), counts)
    return counts


def words():
    found = CampaignMessage.objects.order_by("pk")
    return list(found.values_list("status", "delivery_status"))


def test_a_message_that_mitto_does_not_find_keeps_the_word_we_have_of_it(sent):
    sent(2)
    buffered = mitto.MessageReport("Buffered", "", timezone.now())
    assert answer(buffered, mitto.NotFound())["not_found"] == 1
    assert words() == [("sent", "buffered"), ("sent", "not_found")]
    assert answer(mitto.NotFound(), mitto.NotFound())["not_found"] == 2
    assert words() == [("sent", "buffered"), ("sent", "not_found")]


def test_each_answer_is_counted_and_its_time_kept(sent):
    sent(4)
    now = timezone.now()
    counts = answer(
        mitto.MessageReport("Delivered", "", now),
        mitto.MessageReport("Failure", "no answer from +306900000001", now),
        mitto.MessageReport("", "", now),
        mitto.Ambiguous("no answer in time"),
    )
    assert counts == {"asked": 4, "final": 2, "not_found": 0, "unanswered": 2}
    assert words() == [
        ("delivered", "delivered"),
        ("failed", "failure"),
        ("sent", ""),
        ("sent", ""),
    ]
    failed = CampaignMessage.objects.get(status="failed")
    assert (failed.error_code, failed.last_error) == ("undelivered", "no answer from +•••")
    assert failed.failed_at == now
    assert not CampaignMessage.objects.filter(delivery_last_checked_at=None).exists()


def test_an_answer_that_says_nothing_new_is_not_kept(sent):
    sent(1)
    for word in ("Buffered", "Buffered", "Delivered"):
        answer(mitto.MessageReport(word, "", timezone.now()))
    kept = WebhookEvent.objects.order_by("pk").values_list(
        "event_type", "provider_status", "status"
    )
    assert list(kept) == [("poll", "buffered", "processed"), ("poll", "delivered", "processed")]


def test_an_answer_without_a_time_counts_from_now(sent):
    sent(1)
    answer(mitto.MessageReport("Delivered", "", None))
    message = CampaignMessage.objects.get()
    assert timedelta(0) <= timezone.now() - message.delivered_at < timedelta(minutes=1)
    assert message.delivery_status_at == message.delivered_at


def test_only_messages_of_the_batches_that_have_no_final_word_are_asked_about(sent):
    first, second = sent(2)
    sent(1, "bob")
    CampaignMessage.objects.filter(pk=first.pk).update(status="delivered")
    asked = polling.all_unknown_then_sent_messages_of_batches(CampaignMessage, [first.batch_id])
    assert [row.pk for row in asked] == [second.pk]


def test_messages_asked_least_recently_come_first(sent):
    messages = sent(3)
    for message, minutes in zip(messages, (5, None, 9), strict=True):
        message.delivery_last_checked_at = minutes and ago(minutes=minutes)
        message.save()
    asked = polling.all_unknown_then_sent_messages_of_batches(
        CampaignMessage, [messages[0].batch_id]
    )
    assert [row.pk for row in asked] == [messages[1].pk, messages[2].pk, messages[0].pk]


@pytest.mark.parametrize("named", ["text", "destination"])
def test_either_another_text_or_another_number_is_another_message(sent, named):
    for message in sent(2):
        CampaignMessage.objects.filter(pk=message.pk).update(text=f"To  {message.pk}\nHello")
    same, other = CampaignMessage.objects.order_by("pk")
    report = mitto.MessageReport("Delivered", "", timezone.now())
    if named == "text":  # Mitto may write spaces otherwise
        reports = [replace(report, text=f"To {same.pk} Hello"), replace(report, text="To 7 Hello")]
    else:
        reports = [replace(report, destination=same.to.lstrip("+")),
                   replace(report, destination=f"00{same.to[1:]}")]  # fmt: skip
    assert answer(*reports)["mismatched"] == 1
    assert words() == [("delivered", "delivered"), ("sent", "")]
