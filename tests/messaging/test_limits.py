"""Rate limits, turns, quiet hours and caps: what delays a batch, and what leaves a contact out."""

import time
from datetime import UTC, datetime, timedelta
from datetime import time as clock

import pytest
from django.utils import timezone

from astronote.queues import jobs
from campaigns import enqueue
from contacts.models import Contact
from messaging import limits, rate_limits, sending
from messaging.models import Batch
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)


def started(store, size, name="all", **fields):
    return enqueue.enqueue_campaign(
        make_campaign(store, make_list(store, size, name=name), **fields).pk
    )


def grants(costs, seconds, longest_ms=10_000):
    """When calls were let through, in seconds from the first, as one process sees it."""
    began, times = time.monotonic(), []
    while (now := time.monotonic()) - began < seconds:
        wait = rate_limits.reserve_slots_if_soon_and_get_wait_ms(costs, longest_ms)
        if wait > longest_ms:
            break
        times.append(now - began + wait / 1000)
        time.sleep(wait / 1000)
    return times


@pytest.mark.slow
def test_no_window_sees_more_calls_than_the_limit():
    times = grants({"calls": 1000 / 20}, seconds=1.5)
    for first in times:
        assert sum(first <= at < first + 0.95 for at in times) <= 20
    assert len(times) >= 25


def test_a_refusal_uses_nothing_up():
    rate_limits.reserve_slots_if_soon_and_get_wait_ms({"a": 5000}, 100)
    for _ in range(5):
        assert (
            rate_limits.reserve_slots_if_soon_and_get_wait_ms({"a": 1000, "b": 60_000}, 100) > 4000
        )
    assert rate_limits.reserve_slots_if_soon_and_get_wait_ms({"b": 1000}, 100) == 0


@pytest.mark.slow
def test_calls_of_several_workers_together_keep_queue_rate_max(sandbox, settings):
    settings.QUEUE_RATE_MAX, settings.QUEUE_RATE_DURATION_MS = 2, 1000
    settings.SMS_BATCH_SIZE = 1
    started(make_store(), 4)
    began = time.monotonic()
    assert [sending.process_next_batch() for _ in range(4)] == ["accepted"] * 4
    assert time.monotonic() - began >= 1.5
    settings.QUEUE_RATE_DURATION_MS = 1
    jobs.redis_connection().flushdb()
    started(make_store("bob"), 4)
    began = time.monotonic()
    assert [sending.process_next_batch() for _ in range(4)] == ["accepted"] * 4
    assert time.monotonic() - began < 1.5


def test_a_stores_rate_delays_its_next_batch_and_no_others(sandbox, settings):
    settings.SMS_BATCH_SIZE, settings.RATE_LIMIT_TENANT_MAX = 10, 1
    alice, bob = make_store(), make_store("bob", sender_name="BOBSHOP")
    started(alice, 20)
    assert sending.process_next_batch() == "accepted"
    assert sending.process_next_batch() == "postponed"
    delayed = Batch.objects.get(status="pending")
    assert "rate limit" in delayed.waiting_for
    assert timedelta(seconds=8) < delayed.not_before - timezone.now() < timedelta(seconds=21)
    started(bob, 10)
    assert sending.process_next_batch() == "accepted"


def test_the_accounts_rate_delays_everybody(sandbox, settings):
    settings.SMS_BATCH_SIZE, settings.RATE_LIMIT_TRAFFIC_ACCOUNT_MAX = 10, 1
    started(make_store(), 10)
    started(make_store("bob"), 10)
    assert [
        sending.process_next_batch(),
        sending.process_next_batch(),
    ] == ["accepted", "postponed"]


@pytest.mark.slow
def test_without_redis_sending_waits(sandbox, settings, monkeypatch, tmp_path):
    from redis import Redis

    started(make_store(), 3)
    nobody = Redis(unix_socket_path=f"{tmp_path}/none.sock")
    monkeypatch.setattr(jobs, "redis_connection", lambda: nobody)
    assert sending.process_next_batch() == "postponed"
    assert sandbox.summary()["calls"] == 0
    assert "Redis" in Batch.objects.get().waiting_for


def test_a_long_campaign_does_not_hold_up_a_short_one(sandbox, settings):
    settings.SMS_BATCH_SIZE = 1
    settings.QUEUE_RATE_MAX = 1000
    alice, bob = make_store(), make_store("bob", sender_name="BOBSHOP")
    started(alice, 60)
    for _ in range(10):
        sending.process_next_batch()
    started(bob, 5)
    for _ in range(10):
        sending.process_next_batch()
    senders = [m["sender"] for m in sandbox.messages()]
    assert senders[:10] == ["TESTSHOP"] * 10
    assert senders[10:].count("BOBSHOP") == 5


@pytest.mark.parametrize(
    ("local", "expected"),
    [("21:59", None), ("22:00", "next 09:00"), ("03:00", "same 09:00"), ("09:00", None)],
)
def test_quiet_hours_go_past_midnight_in_the_stores_zone(local, expected):
    hour, minute = map(int, local.split(":"))
    from zoneinfo import ZoneInfo

    now = datetime(2026, 7, 1, hour, minute, tzinfo=ZoneInfo("Europe/Athens")).astimezone(UTC)
    until = limits.quiet_hours_end_or_none(now, "Europe/Athens", clock(22), clock(9))
    if expected is None:
        assert until is None
    else:
        day = 2 if expected.startswith("next") else 1
        assert until == datetime(2026, 7, day, 9, tzinfo=ZoneInfo("Europe/Athens"))
    assert limits.quiet_hours_end_or_none(now, "Europe/Athens", clock(9), clock(9)) is None


def quiet_now(settings):
    """Quiet hours from an hour ago until in two hours."""
    now = timezone.now()
    settings.QUIET_HOURS_ENABLED = True
    settings.QUIET_HOURS_START = (now - timedelta(hours=1)).time()
    settings.QUIET_HOURS_END = (now + timedelta(hours=2)).time()


def test_quiet_hours_delay_a_batch_and_fail_nothing(sandbox, settings):
    quiet_now(settings)
    campaign = started(make_store(), 3)
    assert sending.process_next_batch() == "postponed"
    batch = Batch.objects.get()
    assert "quiet hours" in batch.waiting_for
    assert timedelta(minutes=110) < batch.not_before - timezone.now() < timedelta(minutes=121)
    campaign.refresh_from_db()
    assert (campaign.status, campaign.queued) == ("sending", 3)
    Batch.objects.update(not_before=None)
    settings.QUIET_HOURS_ALLOW_MARKETING = True
    assert sending.process_next_batch() == "accepted"


def test_service_messages_have_their_own_exemption(sandbox, settings):
    quiet_now(settings)
    settings.QUIET_HOURS_ALLOW_SERVICE = True
    started(make_store(), 3, message_type="service")
    assert sending.process_next_batch() == "accepted"


def test_quiet_hours_are_off_unless_enabled(sandbox, settings):
    quiet_now(settings)
    settings.QUIET_HOURS_ENABLED = False
    started(make_store(), 3)
    assert sending.process_next_batch() == "accepted"


def test_what_cannot_go_out_within_its_life_is_skipped_and_not_charged(sandbox, settings):
    store = make_store()
    quiet_now(settings)
    campaign = started(store, 3)
    Batch.objects.update(created_at=timezone.now() - timedelta(hours=settings.CAMPAIGN_LIFE_HOURS))
    assert sending.process_next_batch() == "too late"
    campaign.refresh_from_db()
    store.wallet.refresh_from_db()
    assert (campaign.status, campaign.skipped) == ("completed", 3)
    assert (store.wallet.balance, store.wallet.reserved_balance) == (1000, 0)
    assert set(campaign.campaignmessage_set.values_list("error_code", flat=True)) == {"too_late"}


@pytest.mark.parametrize("variable", ["OWNER_SMS_PER_MINUTE", "OWNER_SMS_PER_DAY"])
def test_a_stores_cap_delays_what_is_over_it(sandbox, settings, variable):
    setattr(settings, variable, 5)
    started(make_store(), 10)
    assert sorted(Batch.objects.values_list("size", flat=True)) == [5, 5]
    assert [
        sending.process_next_batch(),
        sending.process_next_batch(),
    ] == ["accepted", "postponed"]
    window = timedelta(minutes=1) if "MINUTE" in variable else timedelta(days=1)
    waiting = Batch.objects.get(status="pending")
    first = Batch.objects.get(status="settled")
    assert waiting.not_before == first.submitted_at + window
    started(make_store("bob"), 5)
    assert sending.process_next_batch() == "accepted"
    Batch.objects.filter(pk=first.pk).update(submitted_at=timezone.now() - window)
    Batch.objects.filter(pk=waiting.pk).update(not_before=None)
    assert sending.process_next_batch() == "accepted"


@pytest.mark.parametrize("variable", ["CONTACT_MARKETING_PER_DAY", "CONTACT_MARKETING_PER_WEEK"])
def test_a_contacts_cap_leaves_it_out_at_enqueue(sandbox, settings, variable):
    store = make_store()
    target = make_list(store, 3)
    setattr(settings, variable, 1)
    enqueue.enqueue_campaign(make_campaign(store, target).pk)
    sending.process_next_batch()
    second = enqueue.enqueue_campaign(make_campaign(store, target).pk)
    assert (second.status, second.skipped, second.total) == ("completed", 3, 3)
    assert sandbox.summary()["accepted"] == 3
    window = timedelta(days=1 if "DAY" in variable else 7)
    Batch.objects.update(submitted_at=timezone.now() - window)
    third = enqueue.enqueue_campaign(make_campaign(store, target).pk)
    assert third.queued == 3


def test_a_contacts_cap_leaves_it_out_at_sending(sandbox, settings):
    store = make_store()
    target = make_list(store, 3)
    settings.CONTACT_MARKETING_PER_DAY = 1
    first = enqueue.enqueue_campaign(make_campaign(store, target).pk)
    second = enqueue.enqueue_campaign(make_campaign(store, target).pk)
    assert (first.queued, second.queued) == (3, 3)
    assert [
        sending.process_next_batch(),
        sending.process_next_batch(),
    ] == [
        "accepted",
        "nothing to send",
    ]
    second.refresh_from_db()
    assert (second.status, second.skipped) == ("completed", 3)
    store.wallet.refresh_from_db()
    assert (store.wallet.balance, store.wallet.reserved_balance) == (997, 0)
    assert Contact.objects.count() == 3
