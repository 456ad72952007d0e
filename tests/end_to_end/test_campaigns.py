"""Whole campaigns through real `rqworker` processes and the sandbox over HTTP."""

import os
import shutil
import signal
import subprocess
import sys

import psycopg
import pytest
from django.db import connection, transaction
from django.utils import timezone

from astronote import environment, environment_variables
from astronote.operations.watchdog import run_watchdog
from astronote.processes import embedded
from astronote.queues import jobs
from campaigns import enqueue, schedule
from campaigns.models import AudienceChoice
from campaigns.segment_forms import create_and_audit_segment_or_validation_error
from contacts.consent import change_consent
from contacts.models import Contact, List, ListMembership
from messaging.batch_queue import SEND_NEXT
from messaging.models import Batch
from tests.support.factories import make_campaign, make_list, make_store
from tests.support.installation import free_port
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def ended(campaign):
    campaign.refresh_from_db()
    return campaign.status == "completed"


def new_campaign(size, settings):
    settings.SMS_BATCH_SIZE = 10
    store = make_store()
    return make_campaign(store, make_list(store, size))


def test_a_campaign_goes_out_through_two_workers(worker, sandbox, settings):
    campaign = enqueue.enqueue_campaign(new_campaign(200, settings).pk)
    for _ in range(2):
        worker("rqworker", "sms")
    wait_until(lambda: ended(campaign))
    assert (campaign.sent, sandbox.summary()["accepted"]) == (200, 200)


def test_redis_flushed_in_the_middle_loses_nothing(worker, sandbox, settings):
    sandbox.behave(latency_ms=100)
    campaign = enqueue.enqueue_campaign(new_campaign(200, settings).pk)
    worker("rqworker", "sms")
    wait_until(lambda: sandbox.summary()["calls"] > 2)
    jobs.get_queue("sms").connection.flushdb()
    run_watchdog()
    wait_until(lambda: ended(campaign))
    summary = sandbox.summary()
    assert (summary["accepted"], summary["duplicates"], campaign.sent) == (200, 0, 200)


def test_a_worker_killed_during_the_call_repeats_nothing(worker, sandbox, settings):
    sandbox.behave(latency_ms=1500)
    campaign = enqueue.enqueue_campaign(new_campaign(30, settings).pk)
    first = worker("rqworker", "sms")
    wait_until(lambda: sandbox.summary()["calls"] == 1)
    first.send_signal(signal.SIGKILL)
    first.wait()
    wait_until(lambda: sandbox.summary()["accepted"] == 10)
    sandbox.behave(latency_ms=0)
    worker("rqworker", "sms")
    wait_until(lambda: Batch.objects.filter(status="settled").count() == 2)
    settings.STUCK_LOCKED_MINUTES = 0
    assert run_watchdog()["given_up_as_unknown"] == 1
    wait_until(lambda: ended(campaign))
    summary = sandbox.summary()
    assert (campaign.sent, campaign.unknown) == (20, 10)
    assert (summary["accepted"], summary["duplicates"]) == (30, 0)


def test_a_worker_killed_after_the_answer_repeats_nothing(worker, sandbox, settings):
    sandbox.behave(latency_ms=700)
    campaign = enqueue.enqueue_campaign(new_campaign(10, settings).pk)
    process = worker("rqworker", "sms")
    wait_until(lambda: sandbox.summary()["calls"] == 1)
    with transaction.atomic():
        # Holds up the worker once it has the answer and wants to write it down.
        Batch.objects.select_for_update().get()
        wait_until(lambda: sandbox.summary()["accepted"] == 10)
        wait_until(lambda: waits_for_a_lock())
        process.send_signal(signal.SIGKILL)
        process.wait()
    sandbox.behave(latency_ms=0)
    worker("rqworker", "sms")
    settings.STUCK_LOCKED_MINUTES = 0
    assert run_watchdog()["given_up_as_unknown"] == 1
    wait_until(lambda: ended(campaign))
    summary = sandbox.summary()
    assert (campaign.unknown, campaign.sent) == (10, 0)
    assert (summary["accepted"], summary["duplicates"]) == (10, 0)


def waits_for_a_lock():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND wait_event_type = 'Lock'"
        )
        return cursor.fetchone()[0]


def test_a_worker_killed_before_the_call_delays_its_batch(worker, sandbox, settings):
    campaign = enqueue.enqueue_campaign(new_campaign(20, settings).pk)
    # The same state as a SIGKILL between claim and call leaves.
    from messaging import sending

    assert sending.claim_next_batch()
    worker("rqworker", "sms")
    wait_until(lambda: Batch.objects.filter(status="settled").count() == 1)
    settings.STUCK_LOCKED_MINUTES = 0
    run_watchdog()
    wait_until(lambda: ended(campaign))
    assert (campaign.sent, sandbox.summary()["duplicates"]) == (20, 0)


def test_the_same_job_twice_sends_once(worker, sandbox, settings):
    campaign = enqueue.enqueue_campaign(new_campaign(20, settings).pk)
    ids = list(Batch.objects.values_list("pk", flat=True))
    jobs.enqueue_copies_on_commit("sms", SEND_NEXT, len(ids))
    process = worker("rqworker", "sms", "--burst")
    assert process.wait(60) == 0
    assert ended(campaign)
    assert sandbox.summary()["accepted"] == 20


def test_a_scheduled_campaign_starts_at_its_time(worker, sandbox, settings):
    campaign = new_campaign(20, settings)
    at = timezone.now() + timezone.timedelta(seconds=6)
    schedule.schedule_campaign(campaign, at, by="test")
    for command in (["rqworker", "scheduler"], ["rqworker", "sms"], ["rqscheduler"]):
        worker(*command)
    wait_until(lambda: ended(campaign))
    assert campaign.started_at >= at
    assert campaign.sent == 20


def test_the_demo_ends_with_every_count_right(tmp_path):
    """In a copy of the project, so that nobody's data is touched."""
    copy = tmp_path / "project"
    ignored = shutil.ignore_patterns(".venv", ".git", ".astronote", ".env", "__pycache__")
    shutil.copytree(environment.ROOT, copy, ignore=ignored)
    for folder in (copy, *list(copy.parents)[:3]):
        folder.chmod(0o755)
    own = {variable.name for variable in environment_variables.variables()} | {
        "DJANGO_SETTINGS_MODULE"
    }
    port = str(free_port())
    done = subprocess.run(
        [sys.executable, "manage.py", "demo", "--once", "--contacts", "500"],
        cwd=copy,
        env={name: value for name, value in os.environ.items() if name not in own} | {"PORT": port},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Starting at http://127.0.0.1:{port}" in done.stdout
    rows = {
        cells[0].strip(): cells[-1].strip()
        for cells in (line.strip("│┃ ").split("│") for line in done.stdout.splitlines())
        if len(cells) == 2
    }
    assert (rows["rows read"], rows["– rejected"], rows["total"]) == ("500", "5", "495")
    assert int(rows["delivered"]) + int(rows["failed"]) == 495
    assert (rows["accepted by Mitto"], rows["accepted twice"]) == ("495", "0")
    left = subprocess.run(["pgrep", "-f", str(copy)], capture_output=True, text=True)
    assert left.stdout == ""
    # Nobody can log in to what it leaves.
    with (
        embedded.EmbeddedServices(copy, redis=False),
        psycopg.connect(
            host=str(embedded.socket_folder(copy)), user="app", dbname="app"
        ) as session,
    ):
        passwords = session.execute("SELECT password FROM astronote_user").fetchall()
    assert passwords and all(password.startswith("!") for (password,) in passwords)


def test_a_campaign_to_a_segment_and_a_list_survives_a_killed_worker(worker, sandbox, settings):
    settings.SMS_BATCH_SIZE = 10
    store = make_store()
    women = make_list(store, 60, gender="female")
    guests = List.objects.create(owner=store, name="guests")
    others = Contact.objects.bulk_create(
        Contact(owner=store, phone=f"+30691{n:07}", is_subscribed=True) for n in range(30)
    )
    ListMembership.objects.bulk_create(ListMembership(list=guests, contact=one) for one in others)
    segment = create_and_audit_segment_or_validation_error(
        store, "women", {"gender": "female"}, by="test"
    )
    campaign = make_campaign(store, guests)
    campaign.choose_audience([AudienceChoice(segment=segment)])
    campaign.save()
    # One who is chosen opts out after the start.
    left = Contact.objects.filter(listmembership__list=women).latest("pk")
    sandbox.behave(latency_ms=500)
    enqueue.enqueue_campaign(campaign.pk)
    change_consent(left.pk, "unsubscribed", source="test")
    first = worker("rqworker", "sms")
    wait_until(lambda: sandbox.summary()["calls"] == 2)
    first.send_signal(signal.SIGKILL)
    first.wait()
    sandbox.behave(latency_ms=0)
    worker("rqworker", "sms")
    wait_until(lambda: Batch.objects.filter(status="settled").count() >= 8)
    settings.STUCK_LOCKED_MINUTES = 0
    run_watchdog()
    wait_until(lambda: ended(campaign))
    assert (campaign.total, campaign.skipped) == (90, 1)
    assert campaign.sent + campaign.unknown == 89
    assert sandbox.summary()["duplicates"] == 0
