"""Mitto refuses the account, or a call because of one number, while real workers send."""

import os
import signal

import pytest

from astronote.operations.watchdog import run_watchdog
from campaigns import enqueue
from campaigns.models import CampaignMessage
from messaging import sending_stop
from messaging.models import Batch, SendingStop
from tests.support.checks import ledger_balances
from tests.support.factories import make_campaign, make_list, make_store
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def started(size, batch_size, settings):
    settings.SMS_BATCH_SIZE = batch_size
    store = make_store(balance=10_000)
    return enqueue.enqueue_campaign(make_campaign(store, make_list(store, size)).pk)


def completed(campaign):
    campaign.refresh_from_db()
    return campaign.status == "completed"


def test_a_key_revoked_in_the_middle_and_restored_costs_no_message(worker, sandbox, settings):
    sandbox.behave(latency_ms=100)
    campaign = started(400, 10, settings)
    for command in (["rqworker", "sms"], ["rqworker", "sms"], ["rqscheduler"]):
        worker(*command, QUEUE_BACKOFF_MS="500")
    wait_until(lambda: sandbox.summary()["accepted"] >= 100)
    sandbox.behave(account_status=401)
    wait_until(lambda: SendingStop.objects.filter(probes__gte=2).exists())
    campaign.refresh_from_db()
    assert (campaign.status, campaign.failed, campaign.unknown) == ("sending", 0, 0)
    assert "401" in sending_stop.describe_stops()[0]
    calls_while_refused = sandbox.summary()["calls"] - sandbox.summary()["accepted"] / 10
    assert calls_while_refused < 10
    sandbox.behave(account_status=0)
    wait_until(lambda: completed(campaign))
    assert (campaign.sent, campaign.failed, campaign.unknown) == (400, 0, 0)
    assert (sandbox.summary()["accepted"], sandbox.summary()["duplicates"]) == (400, 0)
    assert sending_stop.describe_stops() == []
    assert ledger_balances(campaign.owner)


def test_workers_find_the_bad_numbers_of_a_batch(worker, sandbox, settings):
    campaign = started(1000, 1000, settings)
    bad = {"+306900000007", "+306900000500", "+306900000993"}
    sandbox.behave(bad_numbers=",".join(bad))
    for _ in range(2):
        worker("rqworker", "sms")
    wait_until(lambda: completed(campaign))
    assert (campaign.sent, campaign.failed) == (997, 3)
    failed = CampaignMessage.objects.filter(status="failed")
    assert set(failed.values_list("to", flat=True)) == bad
    summary = sandbox.summary()
    assert (summary["accepted"], summary["duplicates"]) == (997, 0)
    assert summary["calls"] <= 70
    assert ledger_balances(campaign.owner)


def test_workers_killed_while_a_batch_is_halved_repeat_and_lose_nothing(worker, sandbox, settings):
    settings.STUCK_LOCKED_MINUTES = 0
    sandbox.behave(latency_ms=60, bad_numbers="+306900000007,+306900000151")
    campaign = started(200, 200, settings)
    for kills in range(6):
        calls = sandbox.summary()["calls"]
        process = worker("rqworker", "sms")
        # Later in each round, so that the kills hit different steps.
        wait_until(lambda: sandbox.summary()["calls"] > calls + kills or completed(campaign))  # noqa: B023
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        # The call of a dead worker reaches Mitto all the same.
        wait_until(lambda: not sessions_of_workers())
        run_watchdog()
    worker("rqworker", "sms")
    wait_until(lambda: run_watchdog() and completed(campaign))
    summary = sandbox.summary()
    assert summary["duplicates"] == 0
    assert campaign.sent + campaign.failed + campaign.unknown == 200
    assert campaign.failed <= 2
    assert campaign.sent <= summary["accepted"] <= campaign.sent + campaign.unknown
    assert not Batch.objects.exclude(status="settled").exists()
    assert ledger_balances(campaign.owner)


def sessions_of_workers():
    """Sessions of workers, dead or alive; autovacuum also has sessions, of a minute or more."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name LIKE 'astronote rqworker%'"
        )
        return cursor.fetchone()[0]
