"""Who gets a batch's messages and when: consent, suppressions, caps, quiet hours and rates."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from astronote.queues import jobs
from campaigns import enqueue
from campaigns.models import CampaignMessage
from campaigns.reports import campaign_report
from contacts.models import Contact, Suppression
from contacts.phones import phone_hash
from messaging import direct_messages, limits, mitto, sending
from messaging.batch_queue import claim_next_batch
from messaging.models import Batch, Wallet
from tests.support.factories import make_campaign, make_list, make_store
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
FIRST = "+306900000000"


def prepared():
    """Whom the next batch goes to, when its worker has read who may be messaged."""
    return [message.to for message in sending.mark_submitting(claim_next_batch())]


def submit():
    """The next batch goes out, and Mitto takes it."""
    batch = claim_next_batch()
    messages = sending.mark_submitting(batch)
    items = [mitto.SentItem(f"id-{message.id}") for message in messages]
    assert (
        sending.settle_halve_or_requeue_batch(batch, messages, mitto.Accepted(items)) == "accepted"
    )


def reasons():
    skipped = CampaignMessage.objects.filter(status="skipped")
    return list(skipped.order_by("pk").values_list("to", "error_code"))


def suppress(store, phone=FIRST):
    Suppression.objects.create(owner=store, phone_hash=phone_hash(phone), reason="test")


def test_a_suppressed_number_still_gets_service_messages():
    store = make_store()
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 2), message_type="service").pk)
    suppress(store)
    assert prepared() == [FIRST, "+306900000001"]


@pytest.mark.parametrize("everywhere", [False, True])
def test_a_number_suppressed_after_the_start_gets_no_marketing(everywhere):
    store = make_store()
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 2)).pk)
    suppress(None if everywhere else store)
    assert prepared() == ["+306900000001"]
    assert reasons() == [(FIRST, "opted_out")]


def test_another_stores_suppression_does_not_count():
    alice, bob = make_store(), make_store("bob")
    enqueue.enqueue_campaign(make_campaign(alice, make_list(alice, 2)).pk)
    suppress(bob)
    assert len(prepared()) == 2


def test_a_contact_that_got_another_number_is_not_messaged_at_the_old_one():
    store = make_store()
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 2)).pk)
    Contact.objects.filter(phone=FIRST).update(phone="+306900000077")
    assert prepared() == ["+306900000001"]
    assert reasons() == [(FIRST, "opted_out")]


def test_a_contact_that_was_deleted_is_not_messaged():
    store = make_store()
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 2)).pk)
    Contact.objects.filter(phone=FIRST).delete()
    assert prepared() == ["+306900000001"]


@pytest.mark.parametrize(
    ("column", "message_type", "gets_it"),
    [
        ("is_subscribed", "marketing", False),
        ("is_subscribed", "service", True),
        ("service_allowed", "marketing", True),
        ("service_allowed", "service", False),
    ],
)
def test_each_type_of_message_has_its_own_consent(column, message_type, gets_it):
    store = make_store()
    enqueue.enqueue_campaign(
        make_campaign(store, make_list(store, 2), message_type=message_type).pk
    )
    Contact.objects.filter(phone=FIRST).update(**{column: False})
    assert (FIRST in prepared()) == gets_it


def test_a_contacts_cap_holds_for_marketing_only(settings):
    settings.CONTACT_MARKETING_PER_DAY = 1
    store = make_store()
    target = make_list(store, 2)
    for message_type in ("service", "marketing", "service"):
        enqueue.enqueue_campaign(make_campaign(store, target, message_type=message_type).pk)
        submit()
    enqueue.enqueue_campaign(make_campaign(store, target).pk)
    assert CampaignMessage.objects.filter(error_code="contact_cap").count() == 2
    assert CampaignMessage.objects.filter(status="sent").count() == 6


def test_messages_that_mitto_refused_do_not_count_for_a_contacts_cap(settings):
    settings.CONTACT_MARKETING_PER_DAY = 1
    store = make_store()
    target = make_list(store, 2)
    enqueue.enqueue_campaign(make_campaign(store, target).pk)
    while batch := claim_next_batch():  # it is halved; then both messages are refused alone
        sending.settle_halve_or_requeue_batch(
            batch,
            sending.mark_submitting(batch),
            mitto.CallRefused(400, "no"),
        )
    assert CampaignMessage.objects.filter(status="failed").count() == 2
    enqueue.enqueue_campaign(make_campaign(store, target).pk)
    assert len(prepared()) == 2


def test_messages_that_are_being_submitted_count_for_a_contacts_cap(settings):
    settings.CONTACT_MARKETING_PER_DAY = 1
    store = make_store()
    target = make_list(store, 2)
    for _ in range(2):
        enqueue.enqueue_campaign(make_campaign(store, target).pk)
    assert [len(prepared()), len(prepared())] == [2, 0]


def test_a_cap_of_two_lets_two_through(settings):
    settings.CONTACT_MARKETING_PER_WEEK = 2
    store = make_store()
    target = make_list(store, 2)
    for _ in range(2):
        enqueue.enqueue_campaign(make_campaign(store, target).pk)
        submit()
    third = enqueue.enqueue_campaign(make_campaign(store, target).pk)
    assert (third.status, third.skipped) == ("completed", 2)


def test_who_a_cap_leaves_out_at_the_start_is_in_the_campaigns_report(settings):
    settings.CONTACT_MARKETING_PER_DAY = 1
    store = make_store()
    target = make_list(store, 3)
    enqueue.enqueue_campaign(make_campaign(store, target).pk)
    submit()
    second = enqueue.enqueue_campaign(make_campaign(store, target).pk)
    assert campaign_report(second).skipped_by_reason == {"contact_cap": 3}
    wallet = Wallet.objects.get()
    assert (wallet.balance, wallet.reserved_balance) == (997, 0)


def beside(function):
    """Run a function in another thread, with a connection of its own."""

    def run():
        try:
            function()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def one_waits_for_a_lock():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return cursor.fetchone()[0] == 1


def test_batches_of_one_store_are_counted_for_its_caps_one_after_the_other(settings):
    """Two at once would each find room for itself."""
    settings.OWNER_SMS_PER_MINUTE = 100
    alice, bob = make_store(), make_store("bob")
    for store in (alice, bob):
        enqueue.enqueue_campaign(make_campaign(store, make_list(store, 1)).pk)
    batches = {batch.owner_id: batch for batch in (claim_next_batch(), claim_next_batch())}
    done = []
    with transaction.atomic():
        limits.lock_store_caps(alice.pk)
        of_bob = beside(lambda: done.append(sending.mark_submitting(batches[bob.pk])))
        of_bob.join(5)
        assert len(done) == 1, "another store does not wait"
        of_alice = beside(lambda: done.append(sending.mark_submitting(batches[alice.pk])))
        wait_until(one_waits_for_a_lock, seconds=5)
    of_alice.join(5)
    assert [len(messages) for messages in done] == [1, 1]


def test_a_store_may_use_its_cap_up_and_no_more(settings):
    settings.SMS_BATCH_SIZE, settings.OWNER_SMS_PER_DAY = 3, 5
    store = make_store()
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 5)).pk)
    submit()
    limits.raise_postponed_if_over_store_cap(claim_next_batch())
    Batch.objects.update(status="pending")
    settings.OWNER_SMS_PER_DAY = 4
    with pytest.raises(limits.Postponed, match="cap of 4 messages a day"):
        limits.raise_postponed_if_over_store_cap(claim_next_batch())


def test_a_campaign_without_caps_counts_nothing(settings):
    assert not limits.is_any_cap_set()
    for name in (
        "OWNER_SMS_PER_MINUTE",
        "OWNER_SMS_PER_DAY",
        "CONTACT_MARKETING_PER_DAY",
        "CONTACT_MARKETING_PER_WEEK",
    ):
        setattr(settings, name, 1)
        assert limits.is_any_cap_set(), name
        setattr(settings, name, 0)


@pytest.fixture
def quiet(settings):
    """Quiet hours from an hour ago until in two hours."""
    now = timezone.now()
    settings.QUIET_HOURS_ENABLED = True
    settings.QUIET_HOURS_START = (now - timedelta(hours=1)).time()
    settings.QUIET_HOURS_END = (now + timedelta(hours=2)).time()


def test_a_test_to_one_number_goes_out_in_quiet_hours(quiet, sandbox):
    direct_messages.get_or_enqueue_direct_message(make_store(), FIRST, "Hello", key="test")
    assert sending.process_next_batch() == "accepted"
    assert sandbox.summary()["accepted"] == 1


def test_the_exemption_of_service_messages_is_not_one_of_marketing(quiet, settings):
    settings.QUIET_HOURS_ALLOW_SERVICE = True
    store = make_store()
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 1)).pk)
    assert sending.process_next_batch() == "postponed"


def test_the_exemption_of_marketing_is_not_one_of_service_messages(quiet, settings):
    settings.QUIET_HOURS_ALLOW_MARKETING = True
    store = make_store()
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 1), message_type="service").pk)
    assert sending.process_next_batch() == "postponed"


def test_a_delay_until_the_end_of_a_batches_life_is_still_a_delay(quiet, settings):
    store = make_store()
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 1)).pk)
    left = timedelta(hours=settings.CAMPAIGN_LIFE_HOURS - 3)
    Batch.objects.update(created_at=timezone.now() - left)
    assert sending.process_next_batch() == "postponed"


def test_a_worker_does_not_sleep_for_longer_than_two_seconds(sandbox, settings):
    settings.SMS_BATCH_SIZE, settings.RATE_LIMIT_TENANT_MAX = 10, 1
    store = make_store()
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 20)).pk)
    assert [
        sending.process_next_batch(),
        sending.process_next_batch(),
    ] == ["accepted", "postponed"]
    assert waits_of(store, after=store) == [10]


@pytest.mark.slow
def test_a_worker_sleeps_for_a_short_wait_and_sends(sandbox, settings):
    settings.SMS_BATCH_SIZE, settings.RATE_LIMIT_TENANT_MAX = 1, 1
    store = make_store()
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 2)).pk)
    assert [
        sending.process_next_batch(),
        sending.process_next_batch(),
    ] == ["accepted", "accepted"]


def test_sending_waits_a_few_seconds_for_a_redis_that_gives_an_error(sandbox):
    jobs.redis_connection().rpush("astronote:rate:calls", "not a number")
    store = make_store()
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 1)).pk)
    began = timezone.now()
    assert sending.process_next_batch() == "postponed"
    assert sandbox.summary()["calls"] == 0
    batch = Batch.objects.get()
    assert "Redis" in batch.waiting_for
    assert timedelta(seconds=5) <= batch.not_before - began < timedelta(seconds=15)


def waits_of(store, *, after):
    """How many seconds after the other store's batch each delayed one goes out, by turn."""
    waiting = Batch.objects.filter(owner=store, status="pending").order_by("turn")
    began = Batch.objects.get(owner=after, status="settled").submitted_at
    return [round((batch.not_before - began).total_seconds(), -1) for batch in waiting]


def test_batches_that_a_rate_delays_line_up_behind_their_own_stores(sandbox, settings):
    settings.SMS_BATCH_SIZE, settings.RATE_LIMIT_TENANT_MAX = 10, 1
    alice, bob = make_store(), make_store("bob")
    enqueue.enqueue_campaign(make_campaign(alice, make_list(alice, 40)).pk)
    assert [sending.process_next_batch() for _ in range(4)] == [
        "accepted",
        *["postponed"] * 3,
    ]
    assert waits_of(alice, after=alice) == [10, 20, 30]
    enqueue.enqueue_campaign(make_campaign(bob, make_list(bob, 20)).pk)
    Batch.objects.filter(owner=bob).update(turn=50)
    assert [sending.process_next_batch() for _ in range(2)] == [
        "accepted",
        "postponed",
    ]
    assert waits_of(bob, after=bob) == [10]


def test_batches_that_the_accounts_rate_delays_line_up_behind_all(sandbox, settings):
    settings.SMS_BATCH_SIZE, settings.RATE_LIMIT_TRAFFIC_ACCOUNT_MAX = 10, 1
    alice, bob = make_store(), make_store("bob")
    enqueue.enqueue_campaign(make_campaign(alice, make_list(alice, 20)).pk)
    assert [sending.process_next_batch() for _ in range(2)] == [
        "accepted",
        "postponed",
    ]
    enqueue.enqueue_campaign(make_campaign(bob, make_list(bob, 10)).pk)
    Batch.objects.filter(owner=bob).update(turn=50)
    assert sending.process_next_batch() == "postponed"
    assert [*waits_of(alice, after=alice), *waits_of(bob, after=alice)] == [10, 20]
