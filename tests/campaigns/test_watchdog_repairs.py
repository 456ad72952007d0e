"""What each duty of the watchdog mends, leaves alone, and writes down; and that a dry run looks."""

import time
from datetime import timedelta

import pytest
from django.conf import settings as project
from django.db import connection, connections
from django.utils import timezone
from rq.job import JobStatus

from astronote.models import AuditEntry, User
from astronote.operations.watchdog import run_watchdog
from astronote.queues import jobs
from campaigns import actions, enqueue
from campaigns.models import (
    Automation,
    AutomationMessage,
    CampaignMessage,
    ExportRun,
    NfcTag,
    PublicSignupEvent,
)
from contacts.models import ContactImport
from messaging import credits, sending, unknown_messages
from messaging.batch_queue import HELD, SEND_NEXT, claim_next_batch
from messaging.models import Batch, CreditReservation, Wallet
from tests.support.checks import ledger_balances, lock_held_elsewhere, table_fingerprints
from tests.support.factories import make_campaign, make_contact, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def alice():
    return make_store()


@pytest.fixture
def everybody(alice):
    """Alice's list of four contacts."""
    return make_list(alice, 4)


def ago(**span):
    return timezone.now() - timedelta(**span)


def start(store, target, **fields):
    """A campaign that is sending, and its only batch."""
    campaign = enqueue.enqueue_campaign(make_campaign(store, target, **fields).pk)
    return campaign, Batch.objects.get(source_id=campaign.pk, kind="campaign")


def lose_jobs():
    jobs.redis_connection().flushdb()


def change(row, **fields):
    """Change columns of one row, past the model."""
    type(row).objects.filter(pk=row.pk).update(**fields)
    row.refresh_from_db()


def stand_still(campaign, minutes=11):
    change(campaign, updated_at=ago(minutes=minutes))


def orphan(campaign, **fields):
    """Take these messages of a campaign out of their batch, whose credits go back."""
    messages = CampaignMessage.objects.filter(campaign=campaign, **fields)
    messages.update(batch=None)
    Batch.objects.filter(kind="campaign", source_id=campaign.pk).delete()
    Wallet.objects.filter(owner=campaign.owner).update(reserved_balance=0)


def entries(action):
    return AuditEntry.objects.filter(action=action, actor_name="watchdog")


# Every duty at once


def redis_keys():
    redis = jobs.redis_connection()
    return {key: redis.dump(key) for key in redis.scan_iter()}


def abandon_job(name):
    """A job of this queue whose worker died."""
    queue = jobs.get_queue(name)
    job = queue.enqueue("campaigns.tasks.start_campaign", 7)
    queue.empty()
    job.set_status(JobStatus.STARTED)
    job.save()
    registry = queue.started_job_registry.key
    jobs.redis_connection().zadd(registry, {f"{job.id}:execution": time.time() - 1})


@pytest.fixture
def all_stuck(alice, everybody):
    """Something for every duty to mend: one of each."""
    _, claimed = start(alice, everybody)
    change(claimed, status="claimed", claimed_at=ago(minutes=6))
    _, submitting = start(alice, everybody)
    change(submitting, status="submitting", claimed_at=ago(minutes=6), attempts=1)
    _, held = start(alice, everybody)
    change(held, not_before=HELD)
    start(alice, everybody)
    make_campaign(alice, everybody, status="scheduled", scheduled_at=ago(minutes=1))
    cancelled, _ = start(alice, everybody)
    change(cancelled, status="cancelled")
    stuck, settled = start(alice, everybody)
    change(settled, status="settled")
    CreditReservation.objects.filter(batch=settled).update(expires_at=ago(minutes=1))
    stand_still(stuck)
    bob = make_store("bob")
    Wallet.objects.filter(owner=bob).update(balance=7)
    ContactImport.objects.create(owner=alice, file_name="a.csv", file_size=1, file_sha256="")
    gone = make_store("gone")
    make_campaign(gone, None, status="scheduled", scheduled_at=timezone.now() + timedelta(days=1))
    User.objects.filter(pk=gone.pk).update(left_at=timezone.now())
    tag = NfcTag.objects.create(owner=alice, label="Door")
    PublicSignupEvent.objects.create(owner=alice, tag=tag, idempotency_key="form")
    ExportRun.objects.create(owner=alice, content="ledger")
    lose_jobs()
    abandon_job("scheduler")


def test_a_dry_run_of_every_duty_leaves_the_whole_database_and_every_queue_equal(all_stuck):
    rows, keys = table_fingerprints(), redis_keys()
    found = run_watchdog(dry_run=True)
    assert [duty for duty, count in found.items() if not count] == [], "each duty finds something"
    after = table_fingerprints()
    assert [table for table in rows if after[table] != rows[table]] == []
    assert redis_keys() == keys


def test_a_real_run_writes_down_each_thing_that_it_mends_in_the_database(all_stuck):
    run_watchdog()
    assert set(AuditEntry.objects.values_list("actor_name", "action")) >= {
        ("watchdog", action)
        for action in (
            "claim taken back",
            "batch given up as unknown",
            "held batches released",
            "lost jobs of batches enqueued",
            "cancelling finished",
            "stuck campaign repaired",
            "reservation expired",
            "wallet and ledger disagree",
        )
    }
    without_store = AuditEntry.objects.filter(actor_name="watchdog", owner=None)
    actions = set(without_store.values_list("action", flat=True))
    assert actions == {"lost jobs of batches enqueued"}  # of all stores


def test_a_watchdog_does_nothing_while_another_is_at_work(all_stuck):
    rows = table_fingerprints()
    with lock_held_elsewhere("watchdog"):
        assert run_watchdog() == {}
    assert table_fingerprints() == rows
    assert run_watchdog()["claims_taken_back"] == 1


def test_where_nothing_is_stuck_nothing_is_found_or_written(alice, everybody):
    start(alice, everybody)
    found = run_watchdog()
    assert set(found.values()) == {0}
    assert not AuditEntry.objects.exists()


# Claims and calls whose worker died


def test_a_call_under_way_for_less_than_the_limit_is_left_alone(alice, everybody, settings):
    settings.STUCK_LOCKED_MINUTES = 5
    _, batch = start(alice, everybody)
    sending.mark_submitting(claim_next_batch())
    change(batch, claimed_at=ago(minutes=4, seconds=30))
    assert run_watchdog(dry_run=True)["given_up_as_unknown"] == 0
    assert run_watchdog()["given_up_as_unknown"] == 0
    batch.refresh_from_db()
    assert batch.status == "submitting"


def test_a_call_past_the_limit_is_given_up_and_its_credits_stay_held(alice, everybody, settings):
    settings.STUCK_LOCKED_MINUTES = 5
    campaign, batch = start(alice, everybody)
    sending.mark_submitting(claim_next_batch())
    change(batch, claimed_at=ago(minutes=5, seconds=1))
    assert run_watchdog()["given_up_as_unknown"] == 1
    batch.refresh_from_db()
    assert (batch.status, batch.error) == ("settled", "the worker died during the call")
    assert batch.settled_at > ago(minutes=1)
    assert set(CampaignMessage.objects.values_list("status", "error_code", "last_error")) == {
        ("unknown", "no_answer", "the worker died during the call")
    }
    assert Wallet.objects.get().reserved_balance == 4
    entry = entries("batch given up as unknown").get()
    assert (entry.subject, entry.details) == (f"batch {batch.pk}", {"messages": 4})
    campaign.refresh_from_db()
    assert (campaign.status, campaign.unknown) == ("completed", 4)


def test_only_the_messages_of_the_batch_that_was_given_up_are_unknown(alice, everybody):
    _, dead = start(alice, everybody)
    _, waiting = start(alice, everybody)
    change(dead, status="submitting", claimed_at=ago(minutes=6), attempts=1)
    run_watchdog()
    assert set(waiting.campaignmessage_set.values_list("status", flat=True)) == {"queued"}
    assert set(dead.campaignmessage_set.values_list("status", flat=True)) == {"unknown"}


def test_with_attempts_left_a_batch_whose_worker_died_waits_again_at_once(
    alice, everybody, settings
):
    settings.QUEUE_ATTEMPTS = 2
    _, batch = start(alice, everybody)
    sending.mark_submitting(claim_next_batch())
    change(batch, claimed_at=ago(minutes=6))
    assert run_watchdog()["given_up_as_unknown"] == 1
    batch.refresh_from_db()
    assert (batch.status, batch.attempts, batch.claim_token) == ("pending", 1, None)
    assert batch.waiting_for == "attempt 2 (the worker died during the call)"
    assert batch.not_before <= timezone.now()
    entry = entries("batch to be sent again").get()
    assert (entry.subject, entry.details) == (f"batch {batch.pk}", {"attempt": 2})
    sending.mark_submitting(claim_next_batch())
    change(batch, claimed_at=ago(minutes=6))
    run_watchdog()
    batch.refresh_from_db()
    assert batch.status == "settled", "two attempts were made"


def test_a_batch_that_another_connection_holds_is_passed_over(alice, everybody):
    _, batch = start(alice, everybody)
    change(batch, status="submitting", claimed_at=ago(minutes=6), attempts=1)
    other = connections.create_connection("default")
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute("SELECT FROM messaging_batch WHERE id = %s FOR UPDATE", [batch.pk])
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '2s'")
        assert run_watchdog()["given_up_as_unknown"] == 0
    finally:
        other.close()
        connection.close()
    assert run_watchdog()["given_up_as_unknown"] == 1


# Jobs that were lost


def test_only_as_many_jobs_are_enqueued_as_due_batches_lack(alice, everybody):
    for _ in range(3):
        start(alice, everybody)
    _, later = start(alice, everybody)
    change(later, not_before=timezone.now() + timedelta(minutes=1))
    _, claimed = start(alice, everybody)
    change(claimed, status="claimed", claimed_at=timezone.now())
    lose_jobs()
    jobs.enqueue_on_commit("sms", SEND_NEXT)
    assert run_watchdog(dry_run=True)["batches_enqueued"] == 2
    assert run_watchdog()["batches_enqueued"] == 2
    assert jobs.count_waiting_jobs("sms") == 3
    assert {job.func_name for job in jobs.get_queue("sms").get_jobs()} == {SEND_NEXT}
    assert entries("lost jobs of batches enqueued").get().details == {"batches": 2}
    assert run_watchdog()["batches_enqueued"] == 0


def test_more_jobs_than_batches_is_no_matter(alice, everybody):
    start(alice, everybody)
    jobs.enqueue_copies_on_commit("sms", SEND_NEXT, 4)
    assert run_watchdog()["batches_enqueued"] == 0
    assert jobs.count_waiting_jobs("sms") == 5


@pytest.mark.parametrize("name", ["sms", "birthday", "contact_import"])
def test_the_job_of_a_dead_worker_is_run_again(name):
    abandon_job(name)
    assert run_watchdog(dry_run=True)["jobs_of_dead_workers"] == 1
    assert jobs.count_waiting_jobs(name) == 0
    assert run_watchdog()["jobs_of_dead_workers"] == 1
    assert [job.args for job in jobs.get_queue(name).get_jobs()] == [(7,)]
    assert run_watchdog()["jobs_of_dead_workers"] == 0


def test_every_queue_is_looked_at_for_jobs_of_dead_workers():
    for name in project.RQ_QUEUES:
        abandon_job(name)
    assert run_watchdog()["jobs_of_dead_workers"] == len(project.RQ_QUEUES)


@pytest.mark.parametrize(
    ("status", "found"),
    [("pending", 1), ("processing", 1), ("uploaded", 0), ("completed", 0), ("failed", 0),
     ("cancelled", 0)],
)  # fmt: skip
def test_an_import_is_enqueued_again_only_while_it_is_open(alice, status, found):
    one = ContactImport.objects.create(
        owner=alice, file_name="a.csv", file_size=1, file_sha256="", status=status
    )
    assert run_watchdog(dry_run=True)["imports_enqueued"] == found
    assert jobs.count_waiting_jobs("contact_import") == 0
    assert run_watchdog()["imports_enqueued"] == found
    assert [job.args for job in jobs.get_queue("contact_import").get_jobs()] == [(one.pk,)] * found


# Held batches and cancelling


def test_only_batches_held_for_good_of_campaigns_that_go_on_are_released(
    alice, everybody, settings
):
    settings.SMS_BATCH_SIZE = 2
    going_on = enqueue.enqueue_campaign(make_campaign(alice, everybody).pk)
    held, later = Batch.objects.order_by("pk")
    settings.SMS_BATCH_SIZE = 4
    change(held, not_before=HELD, waiting_for="the campaign is paused")
    paused, of_paused = start(alice, everybody)
    change(of_paused, not_before=HELD)
    change(paused, status="paused")
    change(later, not_before=timezone.now() + timedelta(hours=1))
    automatic = Batch.objects.create(
        owner=alice,
        kind="automation",
        source_id=going_on.pk,
        sender="TESTSHOP",
        size=1,
        not_before=HELD,
    )
    lose_jobs()
    assert run_watchdog(dry_run=True)["held_batches_released"] == 1
    assert run_watchdog()["held_batches_released"] == 1
    held.refresh_from_db()
    assert (held.not_before, held.waiting_for) == (None, "")
    left = Batch.objects.exclude(not_before=None).order_by("pk")
    assert list(left) == [later, of_paused, automatic]
    assert jobs.count_waiting_jobs("sms") == 1
    entry = entries("held batches released").get()
    assert entry.subject == f"campaign {going_on.pk}"
    assert run_watchdog()["held_batches_released"] == 0


def test_cancelling_is_finished_only_for_what_was_not_sent(alice, everybody):
    done, waiting = start(alice, everybody)
    change(done, status="cancelled")
    _, of_running = start(alice, everybody)
    called, under_way = start(alice, everybody)
    change(called, status="cancelled")
    change(under_way, status="submitting", claimed_at=timezone.now())
    automatic = Batch.objects.create(
        owner=alice, kind="automation", source_id=done.pk, sender="TESTSHOP", size=1
    )
    assert run_watchdog(dry_run=True)["cancellings_finished"] == 1
    assert run_watchdog()["cancellings_finished"] == 1
    for batch, status in (
        (waiting, "cancelled"), (of_running, "pending"), (under_way, "submitting"),
        (automatic, "pending"),
    ):  # fmt: skip
        batch.refresh_from_db()
        assert batch.status == status
    entry = entries("cancelling finished").get()
    assert (entry.subject, entry.details) == (f"campaign {done.pk}", {"batches": 1})
    assert run_watchdog()["cancellings_finished"] == 0


def test_a_batch_that_a_worker_prepares_is_dropped_when_its_cancelling_is_finished(
    alice, everybody
):
    campaign, batch = start(alice, everybody)
    in_hand = claim_next_batch()
    actions.cancel_campaign(campaign, by="test")
    lose_jobs()
    assert run_watchdog()["cancellings_finished"] == 1
    assert sending.mark_submitting(in_hand) == []
    batch.refresh_from_db()
    assert batch.status == "cancelled"


# Campaigns without progress


def test_skipped_rows_of_a_stuck_campaign_are_not_put_into_a_batch(alice, everybody):
    campaign, _ = start(alice, everybody)
    orphan(campaign)
    leaver = CampaignMessage.objects.order_by("pk")[0]
    change(leaver, status="skipped", error_code="contact_cap")
    stand_still(campaign)
    assert run_watchdog()["campaigns_repaired"] == 1
    assert Batch.objects.get().size == 3
    assert CreditReservation.objects.get().amount == 3
    leaver.refresh_from_db()
    assert (leaver.batch, leaver.status) == (None, "skipped")
    assert entries("stuck campaign repaired").get().details["messages_batched"] == 3


def test_a_new_batch_of_a_stuck_campaign_is_as_a_first_one(alice, everybody, settings, sandbox):
    settings.SMS_BATCH_SIZE = 3
    campaign = enqueue.enqueue_campaign(make_campaign(alice, everybody, message_type="service").pk)
    orphan(campaign)
    lose_jobs()
    stand_still(campaign)
    run_watchdog()
    columns = ("owner", "kind", "source_id", "message_type", "sender", "size", "status")
    assert list(Batch.objects.order_by("pk").values_list(*columns)) == [
        (alice.pk, "campaign", campaign.pk, "service", "TESTSHOP", size, "pending")
        for size in (3, 1)
    ]
    assert jobs.count_waiting_jobs("sms") == 2
    assert Wallet.objects.get().reserved_balance == 4
    assert [sending.process_next_batch() for _ in range(3)] == [
        "accepted",
        "accepted",
        "none due",
    ]
    assert sandbox.summary()["accepted"] == 4
    assert ledger_balances(alice)


def test_messages_in_no_batch_that_cannot_be_paid_stay_queued(alice, everybody):
    campaign, _ = start(alice, everybody)
    orphan(campaign)
    credits_left = Wallet.objects.get()
    change(credits_left, balance=3)
    stand_still(campaign)
    assert run_watchdog()["campaigns_repaired"] == 1
    assert not Batch.objects.exists()
    assert set(CampaignMessage.objects.values_list("status", flat=True)) == {"queued"}
    campaign.refresh_from_db()
    assert campaign.status == "sending"
    assert run_watchdog()["campaigns_repaired"] == 0, "it is looked at again only after the limit"


def test_orphans_of_another_campaign_are_left_to_it(alice, everybody):
    stuck, _ = start(alice, everybody)
    orphan(stuck)
    stand_still(stuck)
    fresh, _ = start(alice, everybody)
    orphan(fresh)
    run_watchdog()
    assert not CampaignMessage.objects.filter(campaign=fresh, batch__isnull=False).exists()
    assert not CampaignMessage.objects.filter(campaign=stuck, batch=None).exists()


@pytest.mark.parametrize("status", ["pending", "claimed", "submitting"])
def test_a_campaign_with_an_open_batch_is_not_stuck(alice, everybody, status):
    campaign, batch = start(alice, everybody)
    change(batch, status=status, claimed_at=timezone.now(), attempts=1)
    stand_still(campaign, minutes=600)
    assert run_watchdog(dry_run=True)["campaigns_repaired"] == 0
    assert run_watchdog()["campaigns_repaired"] == 0


@pytest.mark.parametrize("status", ["draft", "paused", "completed", "failed", "cancelled"])
def test_only_a_campaign_that_is_sending_can_be_stuck(alice, everybody, status):
    campaign = make_campaign(alice, everybody, status=status)
    stand_still(campaign, minutes=600)
    assert run_watchdog(dry_run=True)["campaigns_repaired"] == 0
    assert run_watchdog()["campaigns_repaired"] == 0
    campaign.refresh_from_db()
    assert campaign.status == status


def test_an_automations_batch_of_the_same_number_does_not_hide_a_stuck_campaign(alice, everybody):
    campaign, batch = start(alice, everybody)
    change(batch, status="settled")
    Batch.objects.create(
        owner=alice, kind="automation", source_id=campaign.pk, sender="TESTSHOP", size=1
    )
    stand_still(campaign)
    assert run_watchdog()["campaigns_repaired"] == 1


OUTCOMES = [
    (["failed", "sent", "delivered", "skipped"], "completed"),
    (["failed", "failed", "failed", "failed"], "failed"),
    (["failed", "failed", "failed", "unknown"], "completed"),
]


@pytest.mark.parametrize(("outcomes", "status"), OUTCOMES)
def test_counters_are_set_to_what_the_rows_say(alice, everybody, outcomes, status):
    campaign, batch = start(alice, everybody)
    other, _ = start(alice, everybody)
    change(batch, status="settled")
    rows = CampaignMessage.objects.filter(campaign=campaign).order_by("pk")
    for row, outcome in zip(rows, outcomes, strict=True):
        change(row, status=outcome)
    stand_still(campaign)
    assert run_watchdog()["campaigns_repaired"] == 1
    campaign.refresh_from_db()
    for name in ("sent", "delivered", "failed", "skipped", "unknown"):
        assert getattr(campaign, name) == outcomes.count(name), name
    assert (campaign.status, campaign.total) == (status, 4)
    assert campaign.finished_at > ago(minutes=1)
    entry = entries("stuck campaign repaired").get()
    assert entry.subject == f"campaign {campaign.pk}"
    assert entry.details == {
        "messages_batched": 0, "messages_unknown": 0, "counters_changed": True
    }  # fmt: skip
    other.refresh_from_db()
    assert (other.status, other.processed, other.finished_at) == ("sending", 0, None)


def test_a_repair_says_how_many_messages_became_unknown(alice, everybody):
    campaign, batch = start(alice, everybody)
    change(batch, status="settled")
    stand_still(campaign)
    run_watchdog()
    assert entries("stuck campaign repaired").get().details == {
        "messages_batched": 0, "messages_unknown": 4, "counters_changed": False
    }  # fmt: skip
    reasons = set(CampaignMessage.objects.values_list("error_code", "last_error"))
    assert reasons == {("no_answer", "its batch was settled without it")}


def test_a_repair_leaves_the_queued_messages_of_another_campaign_alone(alice, everybody):
    stuck, first = start(alice, everybody)
    fresh, second = start(alice, everybody)
    change(first, status="settled")
    change(second, status="settled")
    stand_still(stuck)
    run_watchdog()
    fresh.refresh_from_db()
    assert (fresh.status, fresh.queued) == ("sending", 4)


# Credits


def test_a_reservation_expires_once_its_time_is_past_and_not_before(alice, everybody):
    _, batch = start(alice, everybody)
    change(batch, status="settled")
    CreditReservation.objects.update(expires_at=timezone.now() + timedelta(minutes=1))
    assert run_watchdog(dry_run=True)["reservations_expired"] == 0
    assert run_watchdog()["reservations_expired"] == 0
    CreditReservation.objects.update(expires_at=ago(seconds=1))
    assert run_watchdog()["reservations_expired"] == 1
    assert CreditReservation.objects.get().status == "expired"
    assert Wallet.objects.get().reserved_balance == 0
    entry = entries("reservation expired").get()
    assert (entry.subject, entry.owner) == (f"batch {batch.pk}", alice)
    assert entry.details == {"credits": 4}
    assert run_watchdog()["reservations_expired"] == 0


def test_what_a_cancelled_batch_still_holds_expires(alice, everybody):
    _, batch = start(alice, everybody)
    change(batch, status="cancelled")
    CreditReservation.objects.update(expires_at=ago(minutes=1))
    assert run_watchdog()["reservations_expired"] == 1
    assert ledger_balances(alice)


def test_a_reservation_that_was_charged_does_not_expire(alice, everybody, sandbox):
    start(alice, everybody)
    assert sending.process_next_batch() == "accepted"
    CreditReservation.objects.update(expires_at=ago(minutes=1))
    assert run_watchdog(dry_run=True)["reservations_expired"] == 0
    assert run_watchdog()["reservations_expired"] == 0
    assert CreditReservation.objects.get().status == "committed"


def test_a_wallet_whose_reserved_balance_alone_is_wrong_is_reported(alice, everybody):
    start(alice, everybody)
    make_store("bob")
    Wallet.objects.filter(owner=alice).update(reserved_balance=3)
    assert run_watchdog(dry_run=True)["wallets_wrong"] == 1
    assert run_watchdog()["wallets_wrong"] == 1
    entry = entries("wallet and ledger disagree").get()
    assert entry.owner == alice
    assert entry.details == {"figures": [1000, 3, 1000, 4, 0, 0]}
    assert Wallet.objects.get(owner=alice).reserved_balance == 3, "it is reported and left"


def test_a_balance_without_any_ledger_entry_is_reported():
    bob = make_store("bob", balance=0)
    Wallet.objects.create(owner=bob)
    assert run_watchdog()["wallets_wrong"] == 0
    Wallet.objects.update(balance=5)
    assert run_watchdog()["wallets_wrong"] == 1


def test_a_wallet_that_charges_and_holds_at_once_is_right(alice, everybody, sandbox):
    """Of one batch two messages are charged, one is given back and one is still held."""
    start(alice, everybody)
    sandbox.behave(fault="drop_after")
    sending.process_next_batch()
    ids = list(CampaignMessage.objects.order_by("pk").values_list("pk", flat=True))
    unknown_messages.mark_unknown_delivered(CampaignMessage, ids[:2], by="test")
    unknown_messages.mark_unknown_failed(CampaignMessage, ids[2:3], by="test")
    wallet = Wallet.objects.get()
    assert (wallet.balance, wallet.reserved_balance) == (998, 1)
    assert run_watchdog()["wallets_wrong"] == 0


def test_a_wallet_is_compared_with_its_own_stores_ledger(alice):
    bob = make_store("bob", balance=20)
    credits.top_up(alice.pk, 5, reason="test", key="later")
    assert run_watchdog()["wallets_wrong"] == 0
    Wallet.objects.filter(owner=bob).update(balance=1005)
    assert run_watchdog()["wallets_wrong"] == 1
    assert entries("wallet and ledger disagree").get().owner == bob


# Campaigns that are due


@pytest.mark.parametrize(
    ("fields", "found"),
    [({}, 1), ({"status": "cancelled"}, 0), ({"status": "draft"}, 0)],
)
def test_only_a_scheduled_campaign_is_started_when_its_time_has_come(alice, fields, found):
    fields = {"status": "scheduled", "scheduled_at": ago(minutes=1)} | fields
    campaign = make_campaign(alice, None, **fields)
    assert run_watchdog(dry_run=True)["campaigns_started"] == found
    assert jobs.count_waiting_jobs("scheduler") == 0
    assert run_watchdog()["campaigns_started"] == found
    assert [job.args for job in jobs.get_queue("scheduler").get_jobs()] == [(campaign.pk,)] * found


def test_messages_of_automations_in_a_dead_call_become_unknown_too(alice):
    contact = make_contact(alice, "+306900000001")
    welcome = Automation.objects.create(owner=alice, type="welcome_message", is_active=True)
    batch = Batch.objects.create(
        owner=alice,
        kind="automation",
        source_id=welcome.pk,
        sender="TESTSHOP",
        size=1,
        status="submitting",
        claimed_at=ago(minutes=6),
        attempts=1,
    )
    credits.reserve_credits_or_raise([credits.NewBatch(alice.pk, batch.pk, 1)])
    AutomationMessage.objects.create(
        owner=alice,
        batch=batch,
        contact=contact,
        to=contact.phone,
        text="Hi",
        segments=1,
        tracking_id="a" * 12,
        automation=welcome,
        occurrence_key="welcome",
    )
    assert run_watchdog()["given_up_as_unknown"] == 1
    assert AutomationMessage.objects.get().status == "unknown"
