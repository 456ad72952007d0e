"""Delivery receipts: the door they come in by, and the state they end in whatever their order."""

import hashlib
import hmac
import json
import random
import threading
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from django.db import connection, transaction
from django.utils import timezone

from campaigns import enqueue
from campaigns.models import Campaign, CampaignMessage
from messaging import mitto, polling, receipts, sending
from messaging.inbox import NewEvent
from messaging.models import Batch, CreditReservation, Tally, Wallet, WebhookEvent
from messaging.outcomes import record_outcomes_and_settle_credits
from messaging.polling import StatusQuery
from messaging.tallies import (
    delivery_wait_bound_index_sql,
    five_minute_slot_start,
    five_minute_slot_start_sql,
)
from tests.support.factories import make_campaign, make_list, make_store
from tests.support.waiting import one_waits_for_a_lock, wait_until

pytestmark = pytest.mark.django_db(transaction=True)
URL = "/webhooks/mitto/delivery"
BEGAN = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def post(client, events, **options):
    options.setdefault("headers", {"X-Webhook-Token": "sandbox"})
    return client.post(URL, json.dumps(events), "application/json", **options)


def sent_campaign(name="alice", size=3):
    store = make_store(name)
    campaign = enqueue.enqueue_campaign(make_campaign(store, make_list(store, size)).pk)
    while sending.process_next_batch() != "none due":
        pass
    return campaign


def event(message, word, minutes=0.0, **more):
    at = BEGAN + timedelta(minutes=minutes)
    return {
        "messageId": message.provider_message_id,
        "deliveryStatus": word,
        "updatedAt": at.isoformat().replace("+00:00", "Z"),
        **more,
    }


WORDS = ["Sent", "Buffered", "Queued", "whatever", "Delivered", "DELIVRD", "Failure", "expired"]


def random_history(draw):
    """What the provider says of one message: words, minutes and codes, in the order it happened."""
    events = [
        (draw.choice(WORDS), draw.choice([1, 2, 2, 3, 4, 5, 6]), draw.choice(["", "7", "21"]))
        for _ in range(draw.randrange(7))
    ]
    return sorted(events, key=lambda e: e[1])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_any_order_of_receipts_and_polls_ends_in_the_same_state(seed, sandbox, client):
    draw = random.Random(seed)
    histories = [random_history(draw) for _ in range(1000)]
    ordered, shuffled = sent_campaign("anna", 1000), sent_campaign("bella", 1000)
    # Sent at one time, so that the waits until delivery can be compared too.
    CampaignMessage.objects.update(sent_at=BEGAN)

    messages = messages_of(ordered)
    for turn in range(max(map(len, histories))):
        post(
            client,
            [
                event(message, *history[turn][:2], errorcode=history[turn][2])
                for message, history in zip(messages, histories, strict=True)
                if turn < len(history)
            ],
        )
        receipts.apply_received_receipts()

    messages = messages_of(shuffled)
    by_receipt, by_poll = [], []
    for message, history in zip(messages, histories, strict=True):
        finals = [
            e for e in history if receipts.message_status_or_sent_if_not_final(e[0]) != "sent"
        ]
        lost = draw.random() < 0.2  # every final receipt; then a poll brings the last word
        for each in history:
            if not (lost and each in finals):
                by_receipt += [(message, each)] * draw.choice([1, 1, 1, 2, 3])
            elif each in strongest(finals):
                by_poll.append((message, each))
            if draw.random() < 0.1:
                by_poll.append((message, each))
    draw.shuffle(by_receipt)
    draw.shuffle(by_poll)
    while by_receipt or by_poll:
        some, by_receipt = by_receipt[:700], by_receipt[700:]
        post(client, [event(m, *e[:2], errorcode=e[2]) for m, e in some])
        if draw.random() < 0.7:
            receipts.apply_received_receipts()
        for message, (word, minutes, code) in by_poll[:50]:
            report = mitto.MessageReport(word, "", BEGAN + timedelta(minutes=minutes))
            question = StatusQuery(message.pk, message.provider_message_id, "")
            if receipts.message_status_or_sent_if_not_final(word) != "failed" or code == "":
                polling.record_status_answers(CampaignMessage, [question], [report], new_counts())
            else:  # polls carry no code; the receipt does
                post(client, [event(message, word, minutes, errorcode=code)])
        by_poll = by_poll[50:]
    receipts.apply_received_receipts()

    assert state(ordered) == state(shuffled)
    for campaign in (ordered, shuffled):
        assert_tallies_are_true(campaign)
        wallet = Wallet.objects.get(owner=campaign.owner_id)
        assert (wallet.balance, wallet.reserved_balance) == (0, 0)


def strongest(finals):
    """The final words that decide: the latest, the later in our order of several at once."""

    def strength(e):
        status = receipts.message_status_or_sent_if_not_final(e[0])
        return e[1], str(status), e[0].lower(), (e[2] or "undelivered") * (status == "failed")

    return [max(finals, key=strength)]


def new_counts():
    return {"asked": 0, "final": 0, "not_found": 0, "unanswered": 0}


def messages_of(campaign):
    return list(CampaignMessage.objects.filter(campaign=campaign).order_by("to"))


def state(campaign):
    """Everything that receipts decide."""
    columns = (
        "to",
        "status",
        "delivery_status",
        "delivery_status_at",
        "delivered_at",
        "failed_at",
        "error_code",
        "last_error",
    )
    rows = list(
        CampaignMessage.objects.filter(campaign=campaign).order_by("to").values_list(*columns)
    )
    campaign = Campaign.objects.get(pk=campaign.pk)
    counters = (campaign.sent, campaign.delivered, campaign.failed, campaign.unknown)
    tallies = Tally.objects.filter(source_id=campaign.pk, count__gt=0).exclude(event="accepted")
    return rows, counters, sorted(tallies.values_list("slot", "event", "detail", "count"))


def assert_tallies_are_true(campaign):
    """Each tally is what counting the messages gives."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {five_minute_slot_start_sql("COALESCE(delivered_at, failed_at)")}, status,
                CASE status WHEN 'delivered'
                    THEN {delivery_wait_bound_index_sql("sent_at", "delivered_at")}
                    ELSE error_code END, count(*)
            FROM campaigns_campaignmessage
            WHERE campaign_id = %s AND status IN ('delivered', 'failed') GROUP BY 1, 2, 3
            """,
            [campaign.pk],
        )
        counted = sorted(cursor.fetchall())
    tallies = Tally.objects.filter(source_id=campaign.pk, event__in=["delivered", "failed"])
    kept = tallies.exclude(count=0).values_list("slot", "event", "detail", "count")
    assert sorted(kept) == counted
    accepted = Tally.objects.filter(source_id=campaign.pk, event="accepted")
    assert sum(accepted.values_list("count", flat=True)) == campaign.total
    waiting = CampaignMessage.objects.filter(campaign=campaign, status="sent").count()
    awaiting = Batch.objects.filter(source_id=campaign.pk).values_list("awaiting", flat=True)
    assert sum(awaiting) == waiting


def test_a_late_sent_changes_nothing_and_a_late_failure_does(sandbox, client):
    campaign = sent_campaign(size=2)
    first, second = messages_of(campaign)
    post(client, [event(first, "Delivered", 1), event(second, "Delivered", 1)])
    receipts.apply_received_receipts()
    post(
        client,
        [
            event(first, "Sent", 9),
            event(second, "Failure", 2, errorcode="5", description="no answer from +306900000001"),
        ],
    )
    receipts.apply_received_receipts()
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, first.delivery_status) == ("delivered", "delivered")
    assert first.delivery_status_at == BEGAN + timedelta(minutes=1)
    assert (second.status, second.error_code) == ("failed", "5")
    assert second.last_error == "no answer from +•••"
    assert second.delivered_at is None


def test_each_change_is_kept_with_where_it_came_from(sandbox, client):
    campaign = sent_campaign(size=1)
    [message] = messages_of(campaign)
    sandbox.behave(receipt_delay_ms=10**9)
    Batch.objects.update(settled_at=timezone.now() - timedelta(minutes=11))
    polling.poll_recent_messages_unless_running()
    polling.poll_recent_messages_unless_running()
    post(client, event(message, "Delivered", 1))
    receipts.apply_received_receipts()
    kept = WebhookEvent.objects.order_by("pk").values_list(
        "event_type", "provider_status", "status"
    )
    assert list(kept) == [("poll", "sent", "processed"), ("dlr", "delivered", "processed")]
    starts = {e.split(":")[0] for e in WebhookEvent.objects.values_list("event_id", flat=True)}
    assert starts == {message.provider_message_id}


CLASSIC = {
    "msgid": "ID",
    "status": "DELIVERED",
    "errorcode": "0",
    "receiver": "306900000000",
    "sendtimestamp": "1777637400",
}


def classic_get(client, values):
    return client.get(f"{URL}/sandbox", values)


def classic_form(client, values):
    form = "application/x-www-form-urlencoded"
    return client.post(f"{URL}/sandbox", urlencode(values), form)


def relayed_json(client, values):
    return post(
        client,
        {
            "messageId": values["msgid"],
            "status": values["status"],
            "errorcode": "0",
            "sendtimestamp": values["sendtimestamp"],
        },
    )


@pytest.mark.parametrize("shape", [classic_get, classic_form, relayed_json])
def test_the_shapes_of_the_classic_family_are_read(shape, sandbox, client):
    [message] = messages_of(sent_campaign(size=1))
    assert shape(client, CLASSIC | {"msgid": message.provider_message_id}).status_code == 202
    receipts.apply_received_receipts()
    message.refresh_from_db()
    assert message.status == "delivered"
    # `sendtimestamp` is when it was sent: the delivery counts from the arrival of the receipt.
    assert message.delivered_at == WebhookEvent.objects.get().received_at


def signature(body, secret="sandbox"):
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


BODY = b'{"messageId":"x","status":"Sent"}'


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (URL, {}, 401),
        (URL, {"X-Webhook-Token": "sandbox"}, 202),
        (URL, {"X-Webhook-Token": "older"}, 202),
        (URL, {"X-Webhook-Token": "sandboxx"}, 401),
        (URL, {"X-Webhook-Token": ""}, 401),
        (URL, {"X-Webhook-Signature": signature(BODY)}, 202),
        (URL, {"X-Mitto-Signature": signature(BODY, "older")}, 202),
        (URL, {"X-Webhook-Signature": signature(BODY + b" ")}, 401),
        (URL, {"X-Webhook-Signature": "ä"}, 401),
        (f"{URL}/sandbox", {}, 202),
        (f"{URL}/wrong", {}, 401),
    ],
)
def test_only_who_has_a_secret_is_heard(path, headers, status, client, settings):
    settings.WEBHOOK_SECRET = ["sandbox", "older"]
    answer = client.post(path, BODY, "application/json", headers=headers)
    assert answer.status_code == status
    assert WebhookEvent.objects.count() == (status == 202)


def test_without_a_secret_the_door_is_shut(client, settings):
    settings.WEBHOOK_SECRET = []
    headers = {"X-Webhook-Token": "", "X-Webhook-Signature": signature(BODY, "")}
    assert client.post(URL, BODY, "application/json", headers=headers).status_code == 401


def test_a_signature_does_not_open_a_get(client):
    """That of its empty body would open it for ever, whatever the query says."""
    headers = {"X-Webhook-Signature": signature(b"")}
    assert client.get(URL, CLASSIC, headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[1]", 400),
        (b'"text"', 400),
        (b"[]", 202),
        (b"{}", 202),
        (b'{"messageId":null,"status":["x"]}', 202),
        (b'{"messageId":"a\\u0000b","status":"Sent","x":{"\\u0000":["\\u0000"]}}', 202),
        (b'{"messageId":"a\\ud800","status":"Sent"}', 202),
        (b'{"messageId":"a\xed\xa0\x80","status":"Sent"}', 202),
        (b'{"messageId":"a","status":"Sent","updatedAt":"0001-01-01T00:00:00+14:00"}', 202),
        (b'{"messageId":"a","status":"Sent","timestamp":99999999999999999999}', 202),
        (b"[" + b" " * 2_000_000 + b"]", 413),
    ],
)
def test_whatever_is_posted_gets_an_answer(body, status, client):
    assert client.post(f"{URL}/sandbox", body, "application/json").status_code == status
    receipts.apply_received_receipts()


def test_a_receipt_that_cannot_be_stored_is_asked_for_again(client):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE messaging_webhookevent RENAME TO elsewhere")
    try:
        answer = post(client, {"messageId": "a", "status": "Sent"})
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE elsewhere RENAME TO messaging_webhookevent")
    assert (answer.status_code, answer["Retry-After"]) == (503, "10")


def test_the_same_receipt_twice_is_one(sandbox, client):
    [message] = messages_of(sent_campaign(size=1))
    for _ in range(2):
        post(client, [event(message, "Delivered", 1)] * 2)
    assert WebhookEvent.objects.count() == 1


def test_storing_a_receipt_is_one_statement(client, django_assert_num_queries):
    with django_assert_num_queries(1):
        post(client, [{"messageId": str(n), "status": "Sent"} for n in range(50)])


def test_a_receipt_that_comes_before_its_answer_waits_for_it(sandbox, client):
    post(client, {"messageId": "early-1", "status": "Delivered"})
    assert receipts.apply_received_receipts() == {
        "applied": 0,
        "waiting": 1,
        "unmatched": 0,
    }
    [message] = messages_of(sent_campaign(size=1))
    CampaignMessage.objects.update(provider_message_id="early-1")
    assert receipts.apply_received_receipts()["waiting"] == 1, "it is not looked for at every run"
    WebhookEvent.objects.update(retry_at=timezone.now())
    assert receipts.apply_received_receipts()["applied"] == 1
    message.refresh_from_db()
    assert message.status == "delivered"


def test_a_receipt_that_no_message_has_is_kept_and_shown_after_an_hour(client):
    post(client, {"messageId": "strange", "status": "Delivered"})
    receipts.apply_received_receipts()
    WebhookEvent.objects.update(retry_at=None, received_at=timezone.now() - timedelta(minutes=61))
    assert receipts.apply_received_receipts() == {
        "applied": 0,
        "waiting": 0,
        "unmatched": 1,
    }
    assert WebhookEvent.objects.get().status == "unmatched"


@pytest.fixture
def unknown_message(sandbox):
    """One message of a call that Mitto took and did not answer."""
    sandbox.behave(fault="error_after")
    campaign = sent_campaign(size=1)
    assert Campaign.objects.get().unknown == 1
    return campaign


def let_time_pass(minutes=6):
    ago = timedelta(minutes=minutes)
    for row in WebhookEvent.objects.all():
        WebhookEvent.objects.filter(pk=row.pk).update(
            received_at=row.received_at - ago, retry_at=None
        )
    for batch in Batch.objects.all():
        Batch.objects.filter(pk=batch.pk).update(submitted_at=batch.submitted_at - ago)


def test_a_receipt_that_names_its_receiver_settles_an_unknown_message(
    unknown_message, sandbox, client
):
    [taken] = sandbox.messages()
    post(
        client,
        {"messageId": taken["id"], "deliveryStatus": "Sent", "destination": taken["destination"]},
    )
    receipts.apply_received_receipts()
    assert CampaignMessage.objects.get().status == "unknown", "a call may still be under way"
    let_time_pass()
    assert receipts.apply_received_receipts()["applied"] == 1
    message = CampaignMessage.objects.get()
    assert (message.status, message.provider_message_id) == ("sent", taken["id"])
    assert CreditReservation.objects.get().charged == 1
    post(client, event(message, "Delivered", 1))
    receipts.apply_received_receipts()
    assert Campaign.objects.get().delivered == 1


def test_it_does_not_if_it_may_be_another_messages(unknown_message, sandbox, client):
    [taken] = sandbox.messages()
    for provider_id in (taken["id"], "another"):
        post(
            client,
            {"messageId": provider_id, "status": "Delivered", "destination": taken["destination"]},
        )
    let_time_pass()
    receipts.apply_received_receipts()
    assert CampaignMessage.objects.get().status == "unknown"


def test_it_does_not_if_two_stores_wait_for_such_a_receipt(unknown_message, sandbox, client):
    sent_campaign("bella", 1)
    taken = sandbox.messages()[0]
    post(
        client,
        {"messageId": taken["id"], "status": "Delivered", "destination": taken["destination"]},
    )
    let_time_pass()
    receipts.apply_received_receipts()
    assert set(CampaignMessage.objects.values_list("status", flat=True)) == {"unknown"}


def test_it_does_not_if_it_came_before_the_call(sandbox, client):
    post(client, {"messageId": "older", "status": "Delivered", "destination": "+306900000000"})
    let_time_pass()
    sandbox.behave(fault="error_after")
    sent_campaign(size=1)
    WebhookEvent.objects.update(retry_at=None)
    receipts.apply_received_receipts()
    assert CampaignMessage.objects.get().status == "unknown"


def test_a_receipt_whose_message_gets_its_id_meanwhile_is_applied_later(sandbox, client):
    sent_campaign("alice", 1)
    sent_campaign("bella", 1)
    ours, other = CampaignMessage.objects.order_by("pk")
    post(client, [event(ours, "Delivered"), event(other, "Delivered")])
    provider_id = other.provider_message_id
    CampaignMessage.objects.filter(pk=other.pk).update(provider_message_id=None)

    def apply():
        receipts.apply_received_receipts()
        connection.close()

    applying = threading.Thread(target=apply)
    with transaction.atomic():
        CampaignMessage.objects.select_for_update().get(pk=ours.pk)
        applying.start()
        wait_until(one_waits_for_a_lock)
        CampaignMessage.objects.filter(pk=other.pk).update(provider_message_id=provider_id)
    applying.join()
    WebhookEvent.objects.update(retry_at=None)
    receipts.apply_received_receipts()
    assert set(CampaignMessage.objects.values_list("status", flat=True)) == {"delivered"}


@pytest.mark.parametrize("word", ["Delivered", "Failure"])
def test_a_receipt_counts_once_if_a_poll_records_the_message_meanwhile(word, sandbox, client):
    campaign = sent_campaign(size=2)
    message, _ = messages_of(campaign)
    post(client, [event(message, word, 2)])

    def apply():
        receipts.apply_received_receipts()
        connection.close()

    applying = threading.Thread(target=apply)
    with transaction.atomic():
        polled = NewEvent.from_receipt_or_failed_if_unreadable(
            event(message, "Delivered", 1)
        ).outcome(message.pk)
        record_outcomes_and_settle_credits(CampaignMessage, [polled])
        applying.start()
        wait_until(one_waits_for_a_lock)
    applying.join()
    campaign.refresh_from_db()
    ended = (1, 0) if word == "Delivered" else (0, 1)
    assert (campaign.sent, campaign.delivered, campaign.failed) == (1, *ended)
    assert not WebhookEvent.objects.exclude(status="processed").exists()
    assert_tallies_are_true(campaign)


def test_a_message_counts_as_accepted_once_and_when_mitto_took_it(sandbox, client):
    campaign = sent_campaign(size=1)
    message = messages_of(campaign)[0]
    for word, minutes in (("Delivered", 1), ("Failure", 2), ("Delivered", 3)):
        post(client, [event(message, word, minutes)])
        receipts.apply_received_receipts()
    accepted = Tally.objects.filter(event="accepted").values_list("slot", "count")
    assert list(accepted) == [(five_minute_slot_start(message.sent_at), 1)]
