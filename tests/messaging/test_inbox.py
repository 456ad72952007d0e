"""The inboxes of receipts and of customers' messages: what wakes a worker, and what waits."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from astronote.queues import jobs
from campaigns import enqueue
from campaigns.models import CampaignMessage
from contacts.models import Contact
from messaging import mitto, receipts, replies, sending
from messaging.batch_queue import claim_next_batch
from messaging.models import Batch, WebhookEvent
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)
PHONE = "+306900000000"
QUEUE = "delivery_status_poller"
TASKS = {"delivery": "messaging.tasks.apply_receipts", "inbound": "messaging.tasks.apply_replies"}


@pytest.fixture
def post(client):
    def send(events, to="delivery", **options):
        options = {"headers": {"X-Webhook-Token": "sandbox"}} | options
        answer = client.post(
            f"/webhooks/mitto/{to}", json.dumps(events), "application/json", **options
        )
        return answer.status_code

    return send


def campaign_with(answer, name="alice", size=1):
    """A campaign whose only batch was answered so."""
    store = make_store(name)
    campaign = enqueue.enqueue_campaign(make_campaign(store, make_list(store, size)).pk)
    batch = claim_next_batch()
    sending.settle_halve_or_requeue_batch(batch, sending.mark_submitting(batch), answer)
    return campaign


def sent(*ids, name="alice"):
    """Messages of a campaign that Mitto gave these ids."""
    items = [mitto.SentItem(each) for each in ids]
    campaign = campaign_with(mitto.Accepted(items), name, len(ids))
    return list(CampaignMessage.objects.filter(campaign=campaign).order_by("pk"))


def waiting_jobs():
    return [job.func_name for job in jobs.get_queue(QUEUE).get_jobs()]


def ago(**time):
    return timezone.now() - timedelta(**time)


EVENTS = {
    "delivery": ({"messageId": "a", "status": "Sent"}, {"messageId": "b", "status": "Sent"}),
    "inbound": ({"from": PHONE, "text": "Hi"}, {"from": PHONE, "text": "Hello"}),
}


@pytest.mark.parametrize("inbox", ["delivery", "inbound"])
def test_what_comes_in_one_moment_wakes_one_worker(inbox, post):
    first, second = EVENTS[inbox]
    apply = {
        "delivery": receipts.apply_received_receipts,
        "inbound": replies.apply_received_replies,
    }[inbox]
    assert post(first, inbox) == 202
    assert waiting_jobs() == [TASKS[inbox]]
    post(second, inbox)
    assert waiting_jobs() == [TASKS[inbox]]
    apply()
    post(second | {"id": "later"}, inbox)
    assert waiting_jobs() == [TASKS[inbox]] * 2


@pytest.mark.parametrize("inbox", ["delivery", "inbound"])
def test_a_worker_whose_job_was_lost_is_woken_again_after_five_seconds(inbox, post):
    post(EVENTS[inbox][0], inbox)
    [key] = jobs.redis_connection().keys("astronote:*-waiting")
    assert jobs.redis_connection().pttl(key) <= 5000


def test_what_is_known_already_wakes_nobody(post):
    post(EVENTS["delivery"][0])
    receipts.apply_received_receipts()
    jobs.get_queue(QUEUE).empty()
    post(EVENTS["delivery"][0])
    assert waiting_jobs() == []


def make_events(count, event_type, *, retry_at=None):
    """Events of others, which came before."""
    WebhookEvent.objects.bulk_create(
        WebhookEvent(
            event_id=f"other-{n}",
            event_type=event_type,
            retry_at=retry_at,
            provider_message_id=f"other-{n}",
            payload={"from": "+306911111111"},
        )
        for n in range(count)
    )


@pytest.mark.slow
def test_all_receipts_that_wait_are_applied_however_many_they_are(post):
    """More than a chunk."""
    make_events(5001, "dlr", retry_at=timezone.now() + timedelta(hours=1))
    [message] = sent("ours")
    post({"messageId": "ours", "status": "Delivered"})
    assert receipts.apply_received_receipts() == {
        "applied": 1,
        "waiting": 5001,
        "unmatched": 0,
    }
    message.refresh_from_db()
    assert message.status == "delivered"


@pytest.mark.slow
def test_all_that_customers_wrote_is_acted_on_however_much_it_is(post):
    make_events(501, "inbound")
    make_list(make_store(), 1)
    post({"from": PHONE, "text": "stop"}, "inbound")
    assert replies.apply_received_replies()["stop"] == 1
    assert not WebhookEvent.objects.filter(status="received").exists()


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("Delivered DELIVRD completed OK", "delivered"),
        ("Failure failed undelivered UNDELIV undeliverable expired rejected REJECTD deleted error",
         "failed"),
        ("Sent buffered queued accepted whatever", "sent"),
    ],
)  # fmt: skip
def test_each_word_of_mitto_and_the_carriers_is_understood(words, status, post):
    words = words.split()
    messages = sent(*words)
    post([{"messageId": word, "status": f" {word} "} for word in words])
    assert receipts.apply_received_receipts()["applied"] == len(words)
    for message, word in zip(messages, words, strict=True):
        message.refresh_from_db()
        assert (message.status, message.delivery_status) == (status, word.lower())
        assert message.error_code == ("undelivered" if status == "failed" else "")


@pytest.mark.parametrize("when", ["1777637400", "1777637400000", "2026-05-01T12:10:00Z"])
def test_the_providers_time_is_read_in_seconds_milliseconds_and_as_a_date(when, post):
    [message] = sent("a")
    post({"messageId": "a", "status": "Delivered", "timestamp": when})
    receipts.apply_received_receipts()
    message.refresh_from_db()
    assert message.delivered_at == datetime(2026, 5, 1, 12, 10, tzinfo=UTC)


def test_receipts_leave_customers_messages_alone(post):
    post({"from": PHONE, "text": "stop", "id": "a"}, "inbound")
    sent("a")
    assert receipts.apply_received_receipts() == {
        "applied": 0,
        "waiting": 0,
        "unmatched": 0,
    }
    assert WebhookEvent.objects.get().status == "received"


@pytest.mark.parametrize(("waited", "wait"), [(0, 5), (60, 30), (2400, 1200)])
def test_a_receipt_without_a_message_is_looked_for_later_and_later(waited, wait, post):
    post({"messageId": "strange", "status": "Delivered"})
    WebhookEvent.objects.update(received_at=ago(seconds=waited))
    began = timezone.now()
    receipts.apply_received_receipts()
    left = WebhookEvent.objects.get().retry_at - began
    assert wait <= round(left.total_seconds()) < wait + 20


def test_a_receipt_without_a_message_is_looked_for_for_an_hour(post):
    post({"messageId": "strange", "status": "Delivered"})
    for minutes, counts in ((59, (1, 0)), (61, (0, 1))):
        WebhookEvent.objects.update(received_at=ago(minutes=minutes), retry_at=None)
        done = receipts.apply_received_receipts()
        assert (done["waiting"], done["unmatched"]) == counts
    assert WebhookEvent.objects.get().processed_at is not None


@pytest.mark.parametrize("receiver", [PHONE, PHONE[1:], f"00{PHONE[1:]}"])
def test_the_receiver_of_an_unknown_message_is_read_however_it_is_written(receiver, post):
    campaign_with(mitto.Ambiguous("no answer"))
    post({"messageId": "late", "status": "Delivered", "receiver": receiver})
    WebhookEvent.objects.update(received_at=ago(minutes=6))
    Batch.objects.update(submitted_at=ago(minutes=7))
    assert receipts.apply_received_receipts()["applied"] == 1
    message = CampaignMessage.objects.get()
    assert (message.status, message.provider_message_id) == ("delivered", "late")


def test_a_call_has_five_minutes_until_a_receipt_is_taken_for_an_unknown_messages(post):
    campaign_with(mitto.Ambiguous("no answer"))
    post({"messageId": "late", "status": "Delivered", "to": PHONE})
    Batch.objects.update(submitted_at=ago(minutes=9))
    found = []
    for minutes in (4, 6):
        WebhookEvent.objects.update(received_at=ago(minutes=minutes), retry_at=None)
        receipts.apply_received_receipts()
        found.append(CampaignMessage.objects.get().status)
    assert found == ["unknown", "delivered"]


@pytest.mark.parametrize(
    ("number", "status"),
    [
        ("123456", "failed"),
        ("1234567890123456", "failed"),
        ("SHOP", "failed"),
        ("", "failed"),
        ("491700000001", "unmatched"),
        ("+30 690 000 0000", "processed"),
    ],
)
def test_a_reply_belongs_to_a_number_that_is_valid(number, status, post):
    store = make_store()
    make_list(store, 1)
    post({"from": number, "text": "Do you open on Sunday?"}, "inbound")
    replies.apply_received_replies()
    event = WebhookEvent.objects.get()
    assert event.status == status
    assert event.owner == (store if status == "processed" else None)
    assert bool(event.error) == (status == "failed")


def test_the_same_words_are_two_replies_unless_an_id_says_that_they_are_one(post):
    make_list(make_store(), 1)
    for _ in range(2):
        post({"from": PHONE, "text": "Hello"}, "inbound")
        post({"from": PHONE, "text": "Hello", "id": "m-1"}, "inbound")
        post({"from": PHONE, "text": "Hello", "timestamp": "2026-05-01T12:00:00Z"}, "inbound")
    assert WebhookEvent.objects.count() == 4


def test_a_start_on_another_day_is_another_start(post):
    """One of the same day may have been sent again by Mitto."""
    make_list(make_store(), 1)
    for _ in range(2):
        post({"from": PHONE, "text": "START"}, "inbound")
    assert WebhookEvent.objects.count() == 1
    event = WebhookEvent.objects.get()
    today = f"{timezone.now():%Y-%m-%d}"
    WebhookEvent.objects.update(event_id=event.event_id.replace(today, "2020-01-01"))
    post({"from": PHONE, "text": "START"}, "inbound")
    assert WebhookEvent.objects.count() == 2


def test_an_opt_out_is_as_old_as_the_customers_message(post):
    make_list(make_store(), 1)
    post({"from": PHONE, "text": "stop", "timestamp": "2026-01-02T03:04:05Z"}, "inbound")
    replies.apply_received_replies()
    contact = Contact.objects.get()
    assert contact.unsubscribed_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert contact.sms_consent_source == "inbound_stop"


def test_a_large_request_is_taken(post):
    events = [{"messageId": f"id-{n}", "status": "Sent", "text": "x" * 1000} for n in range(1500)]
    assert post(events) == 202
    assert WebhookEvent.objects.count() == 1500


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_a_webhook_takes_get_and_post_only(method, client):
    answer = getattr(client, method)(
        "/webhooks/mitto/delivery", b"[]", headers={"X-Webhook-Token": "sandbox"}
    )
    assert answer.status_code == 405
