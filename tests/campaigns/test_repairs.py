"""Each duty of the watchdog: it mends what is stuck, leaves the rest, and says what it did."""

import json
import re
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from astronote.models import AuditEntry
from astronote.operations.watchdog import run_watchdog
from astronote.queues import jobs
from campaigns import enqueue, schedule
from campaigns.models import Campaign, CampaignMessage
from contacts.importing.lifecycle import create_import_and_enqueue_or_refuse
from messaging import sending
from messaging.models import Batch, CreditReservation, Wallet
from tests.support.checks import ledger_balances
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)


def started(size=5, **fields):
    store = make_store()
    campaign = enqueue.enqueue_campaign(make_campaign(store, make_list(store, size), **fields).pk)
    return store, campaign, Batch.objects.get(source_id=campaign.pk)


def ago(**time):
    return timezone.now() - timedelta(**time)


@pytest.mark.parametrize("minutes", [5, 9])
def test_stuck_locked_minutes_decides_when_a_claim_is_stale(settings, minutes):
    settings.STUCK_LOCKED_MINUTES = minutes
    _, _, batch = started()
    sending.claim_next_batch()
    Batch.objects.update(claimed_at=ago(minutes=minutes - 1))
    assert run_watchdog()["claims_taken_back"] == 0
    Batch.objects.update(claimed_at=ago(minutes=minutes, seconds=1))
    assert run_watchdog(dry_run=True)["claims_taken_back"] == 1
    batch.refresh_from_db()
    assert batch.status == "claimed"
    assert run_watchdog()["claims_taken_back"] == 1
    entry = AuditEntry.objects.get(action="claim taken back")
    assert (entry.actor_name, entry.subject) == ("watchdog", f"batch {batch.pk}")


@pytest.mark.parametrize("minutes", [10, 25])
def test_stuck_sending_minutes_decides_when_a_campaign_is_looked_at(settings, sandbox, minutes):
    settings.STUCK_SENDING_MINUTES = minutes
    _, campaign, _ = started()
    sending.process_next_batch()
    # As if the last batch had been settled without its campaign hearing of it.
    Campaign.objects.update(
        status="sending", sent=0, finished_at=None, updated_at=ago(minutes=minutes - 1)
    )
    assert run_watchdog()["campaigns_repaired"] == 0
    Campaign.objects.update(updated_at=ago(minutes=minutes, seconds=1))
    assert run_watchdog()["campaigns_repaired"] == 1
    campaign.refresh_from_db()
    assert (campaign.status, campaign.sent) == ("completed", 5)
    assert AuditEntry.objects.get(action="stuck campaign repaired").details["counters_changed"]


def test_messages_without_a_batch_get_one(sandbox):
    store, campaign, batch = started()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM messaging_creditreservation")
        cursor.execute("DELETE FROM messaging_batch")
    Wallet.objects.update(reserved_balance=0)
    Campaign.objects.update(updated_at=ago(minutes=11))
    assert run_watchdog()["campaigns_repaired"] == 1
    assert sending.process_next_batch() == "accepted"
    campaign.refresh_from_db()
    assert (campaign.status, campaign.sent) == ("completed", 5)
    assert ledger_balances(store)


def test_messages_that_a_settled_batch_left_queued_are_unknown_not_sent(sandbox):
    store, campaign, batch = started()
    Batch.objects.update(status="settled")
    Campaign.objects.update(updated_at=ago(minutes=11))
    run_watchdog()
    campaign.refresh_from_db()
    assert (campaign.status, campaign.unknown) == ("completed", 5)
    assert sandbox.summary()["calls"] == 0


def test_a_campaign_with_batches_under_way_is_left_alone():
    _, campaign, _ = started()
    Campaign.objects.update(updated_at=ago(hours=5))
    assert run_watchdog()["campaigns_repaired"] == 0


def test_an_expired_reservation_goes_back_unless_its_batch_is_in_flight(sandbox, settings):
    settings.SMS_BATCH_SIZE = 5
    store = make_store()
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 15)).pk)
    sandbox.behave(fault="drop_after")
    sending.process_next_batch()
    sending.mark_submitting(sending.claim_next_batch())
    states = set(Batch.objects.values_list("status", flat=True))
    assert states == {"settled", "submitting", "pending"}
    assert run_watchdog()["reservations_expired"] == 0
    CreditReservation.objects.update(expires_at=ago(minutes=1))
    assert run_watchdog(dry_run=True)["reservations_expired"] == 1
    assert run_watchdog()["reservations_expired"] == 1
    assert Wallet.objects.get().reserved_balance == 10
    assert ledger_balances(store)


def test_a_receipt_after_the_reservation_expired_is_still_charged(sandbox):
    from messaging import unknown_messages

    store, campaign, _ = started()
    sandbox.behave(fault="drop_after")
    sending.process_next_batch()
    CreditReservation.objects.update(expires_at=ago(minutes=1))
    run_watchdog()
    ids = list(CampaignMessage.objects.values_list("pk", flat=True))
    unknown_messages.mark_unknown_delivered(CampaignMessage, ids, by="test")
    wallet = Wallet.objects.get()
    assert (wallet.balance, wallet.reserved_balance) == (995, 0)
    assert ledger_balances(store)


def test_an_overdue_campaign_is_started_although_its_job_is_lost():
    store = make_store()
    campaign = make_campaign(store, make_list(store, 2))
    schedule.schedule_campaign(campaign, timezone.now() + timedelta(hours=1), by="test")
    jobs.redis_connection().flushdb()
    Campaign.objects.update(scheduled_at=ago(minutes=1))
    assert run_watchdog()["campaigns_started"] == 1
    assert jobs.get_queue("scheduler").get_jobs()[0].args == (campaign.pk,)


def test_an_import_whose_job_is_lost_is_enqueued_again(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("phone\n+306900000001\n")
    job = create_import_and_enqueue_or_refuse(make_store().pk, path)
    jobs.redis_connection().flushdb()
    assert run_watchdog()["imports_enqueued"] == 1
    assert jobs.get_queue("contact_import").get_jobs()[0].args == (job.pk,)
    assert run_watchdog()["imports_enqueued"] == 0


def test_a_wallet_that_disagrees_with_its_ledger_is_reported_and_left():
    store, _, _ = started()
    assert run_watchdog()["wallets_wrong"] == 0
    Wallet.objects.update(balance=5000)
    assert run_watchdog()["wallets_wrong"] == 1
    assert Wallet.objects.get().balance == 5000
    assert AuditEntry.objects.filter(action="wallet and ledger disagree").exists()


def test_with_more_attempts_an_unanswered_batch_is_sent_again(sandbox, settings):
    settings.QUEUE_ATTEMPTS, settings.QUEUE_BACKOFF_MS = 2, 0
    _, campaign, batch = started()
    sandbox.behave(fault="drop_after", fault_count=1)
    assert sending.process_next_batch() == "resend queued"
    batch.refresh_from_db()
    assert "attempt 2" in batch.waiting_for
    Batch.objects.update(not_before=None)
    assert sending.process_next_batch() == "accepted"
    assert sandbox.summary()["duplicates"] == 5


def test_attempts_come_to_an_end(sandbox, settings):
    settings.QUEUE_ATTEMPTS = 2
    _, campaign, _ = started()
    sandbox.behave(fault="error_before")
    assert sending.process_next_batch() == "resend queued"
    Batch.objects.update(not_before=None)
    assert sending.process_next_batch() == "unknown"


@pytest.mark.parametrize("backoff_ms", [100, 60_000])
def test_queue_backoff_ms_decides_how_long_a_deferred_batch_waits(sandbox, settings, backoff_ms):
    settings.QUEUE_BACKOFF_MS = backoff_ms
    started()
    sandbox.behave(fault="too_many", retry_after_s=0)
    sending.process_next_batch()
    wait = (Batch.objects.get().not_before - timezone.now()).total_seconds()
    assert backoff_ms / 1000 * 0.5 - 1 < wait <= backoff_ms / 1000


def test_retry_after_is_honoured_and_the_wait_is_shown(sandbox, admin_client):
    _, campaign, _ = started()
    sandbox.behave(fault="too_many", retry_after_s=90)
    sending.process_next_batch()
    batch = Batch.objects.get()
    assert 85 < (batch.not_before - timezone.now()).total_seconds() <= 90
    until = f"{batch.not_before.astimezone(ZoneInfo(campaign.owner.timezone)):%H:%M}"
    for page in ("", f"{campaign.pk}/change/"):
        html = admin_client.get(f"/admin/campaigns/campaign/{page}").content.decode()
        # Shortly before midnight the day stands before the time.
        assert re.search(rf"waiting for Mitto \(asks to wait, 429\) until [^<]*{until}", html)


def test_deferral_ends_with_the_reservations_life(sandbox):
    store, campaign, _ = started()
    CreditReservation.objects.update(expires_at=timezone.now())
    sandbox.behave(fault="too_many")
    assert sending.process_next_batch() == "given up"
    campaign.refresh_from_db()
    assert (campaign.status, campaign.failed) == ("failed", 5)
    assert ledger_balances(store)


def test_the_command_counts_without_mending(capsys):
    _, _, batch = started()
    jobs.redis_connection().flushdb()
    call_command("watchdog", dry_run=True, json=True)
    assert json.loads(capsys.readouterr().out)["batches_enqueued"] == 1
    assert jobs.count_waiting_jobs("sms") == 0
