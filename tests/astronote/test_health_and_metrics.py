"""What `/readyz` finds missing and what `/metrics` counts, one figure at a time."""

import os
import re
import subprocess
import sys
import time
from datetime import timedelta

import pytest
from django.utils import timezone
from rq import SimpleWorker
from rq.utils import utcformat

from astronote.common import audit
from astronote.queues import jobs
from astronote.queues.catalogue import QUEUES
from astronote.queues.recurring import HEARTBEAT_KEY, HEARTBEAT_SECONDS
from messaging import call_metrics
from messaging.models import Batch
from tests.support.factories import make_campaign, make_store

pytestmark = pytest.mark.django_db(transaction=True)
TASK = "campaigns.tasks.start_due_campaigns"
OLDEST = "astronote_oldest_due_batch_seconds"


def figures(client):
    """The value of each figure by its name and labels."""
    text = client.get("/metrics").text
    return {
        name: float(value)
        for name, value in re.findall(r"^(astronote_.+) (\S+)$", text, re.MULTILINE)
    }


def make_batch(store, *, minutes_old=0, **fields):
    batch = Batch.objects.create(owner=store, kind="campaign", sender="TESTSHOP", size=1, **fields)
    made = timezone.now() - timedelta(minutes=minutes_old)
    Batch.objects.filter(pk=batch.pk).update(created_at=made)
    return batch


def worker_on(*names):
    """A worker that is alive for Redis and takes no job."""
    queues = [jobs.get_queue(name) for name in names]
    worker = SimpleWorker(queues, connection=jobs.redis_connection())
    worker.register_birth()
    return worker


def test_ready_means_a_scheduler_and_a_worker_on_every_queue(client):
    worker_on(*(queue.name for queue in QUEUES))
    jobs.redis_connection().set(HEARTBEAT_KEY, int(time.time()))
    answer = client.get("/readyz")
    assert answer.status_code == 200
    names = {
        "postgresql", "migrations", "redis", "scheduler", "workers", "jobs", "sending", "batches",
        "replies",
        "suppressions",
    }  # fmt: skip
    assert answer.json() == dict.fromkeys(names, "ok")


def test_one_queue_without_a_worker_is_named_and_no_other(client):
    worker_on(*(queue.name for queue in QUEUES if queue.name != "birthday"))
    jobs.redis_connection().set(HEARTBEAT_KEY, int(time.time()))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    problem = "no worker on birthday: run `manage.py rqworker QUEUE`"
    assert answer.json()["workers"] == problem and answer.json()["scheduler"] == "ok"


def test_a_scheduler_without_a_heartbeat_is_missing(client):
    worker_on(*(queue.name for queue in QUEUES))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["scheduler"].startswith("no heartbeat for a minute")
    assert answer.json()["workers"] == "ok"


def test_a_batch_that_is_held_back_is_delayed_and_not_late(client):
    later = timezone.now() + timedelta(hours=1)
    make_batch(make_store("alice"), minutes_old=120, not_before=later)
    found = figures(client)
    assert found[OLDEST] == 0
    assert found['astronote_open_batches{status="delayed"}'] == 1
    assert found['astronote_open_batches{status="pending"}'] == 1


def test_the_oldest_batch_that_could_go_out_is_the_late_one(client):
    alice, bob = make_store("alice"), make_store("bob")
    make_batch(alice, minutes_old=3)
    make_batch(bob, minutes_old=10, not_before=timezone.now() - timedelta(minutes=1))
    make_batch(bob, minutes_old=99, status="claimed")
    make_batch(bob, minutes_old=99, status="settled")
    make_batch(bob, minutes_old=99, not_before=timezone.now() + timedelta(hours=1))
    found = figures(client)
    assert 600 <= found[OLDEST] < 620
    assert {
        name: found[f'astronote_open_batches{{status="{name}"}}']
        for name in ("pending", "claimed", "submitting", "delayed")
    } == {"pending": 3, "claimed": 1, "submitting": 0, "delayed": 1}
    assert 'astronote_open_batches{status="settled"}' not in found


def test_messages_of_all_campaigns_are_counted_by_status(client):
    make_campaign(make_store("alice"), None, total=10, sent=1, delivered=2, failed=1)
    make_campaign(make_store("bob"), None, total=5, skipped=2, unknown=1)
    found = figures(client)
    assert {
        name: found[f'astronote_campaign_messages{{status="{name}"}}']
        for name in ("sent", "delivered", "failed", "skipped", "unknown", "queued")
    } == {"sent": 1, "delivered": 2, "failed": 1, "skipped": 2, "unknown": 1, "queued": 8}


def test_only_what_the_watchdog_did_counts_as_mended(client):
    for _ in range(2):
        audit.write_entry("released batch", by="watchdog")
    audit.write_entry("recounted campaign", by="watchdog")
    audit.write_entry("start", by="command line")
    found = figures(client)
    mended = {name: n for name, n in found.items() if "watchdog_actions" in name}
    assert mended == {
        'astronote_watchdog_actions_total{action="released batch"}': 2,
        'astronote_watchdog_actions_total{action="recounted campaign"}': 1,
    }


def test_jobs_and_workers_are_counted_by_queue(client):
    jobs.enqueue_copies_on_commit("sms", TASK, 3)
    old = jobs.get_queue("sms").get_jobs()[0]
    old.enqueued_at -= timedelta(minutes=2)
    old.save()
    worker_on("watchdog")
    worker_on("watchdog")
    found = figures(client)
    assert found['astronote_queue_jobs{queue="sms"}'] == 3
    assert found['astronote_queue_jobs{queue="watchdog"}'] == 0
    assert 120 <= found['astronote_queue_oldest_seconds{queue="sms"}'] < 140
    assert found['astronote_queue_oldest_seconds{queue="watchdog"}'] == 0
    assert found['astronote_workers{queue="watchdog"}'] == 2
    assert found['astronote_workers{queue="sms"}'] == 0
    assert found["astronote_redis_up"] == 1


def test_the_age_of_the_heartbeat_is_shown_or_that_there_is_none(client):
    name = "astronote_scheduler_heartbeat_age_seconds"
    assert figures(client)[name] == -1
    jobs.redis_connection().set(HEARTBEAT_KEY, "", ex=HEARTBEAT_SECONDS - 30)
    assert 30 <= figures(client)[name] < 40


def test_calls_are_counted_up_to_each_duration(client):
    counts = {
        "count:accepted:0.1": 2,
        "count:accepted:2.5": 3,
        "count:accepted:+Inf": 1,
        "seconds:accepted": 70.5,
        "count:refused:0.05": 4,
        "seconds:refused": 0.1,
    }
    jobs.redis_connection().hset(call_metrics.CALLS_KEY, mapping=counts)
    found = figures(client)
    bucket = 'astronote_mitto_call_seconds_bucket{{le="{}",outcome="{}"}}'.format
    expected = {"0.05": 0, "0.1": 2, "0.25": 2, "1.0": 2, "2.5": 5, "30.0": 5, "+Inf": 6}
    assert {bound: found[bucket(bound, "accepted")] for bound in expected} == expected
    assert found['astronote_mitto_call_seconds_sum{outcome="accepted"}'] == 70.5
    assert found['astronote_mitto_call_seconds_count{outcome="refused"}'] == 4


def test_a_worker_without_a_heartbeat_for_a_minute_is_dead(client):
    worker = worker_on(*(queue.name for queue in QUEUES))
    jobs.redis_connection().set(HEARTBEAT_KEY, int(time.time()))
    long_ago = utcformat(timezone.now() - timedelta(seconds=61))
    jobs.redis_connection().hset(worker.key, "last_heartbeat", long_ago)
    answer = client.get("/readyz")
    assert answer.status_code == 503 and "no worker on sms" in answer.json()["workers"]
    assert figures(client)['astronote_workers{queue="sms"}'] == 0


def test_a_redis_that_refuses_writes_is_not_ready(client):
    redis = jobs.redis_connection()
    redis.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        answer = client.get("/readyz")
    finally:
        redis.execute_command("REPLICAOF", "NO", "ONE")
    assert answer.status_code == 503 and "refuses writes" in answer.json()["redis"]


def test_a_web_process_serves_while_workers_and_redis_are_missing(client):
    answer = client.get("/readyz/web")
    assert (answer.status_code, answer.json()) == (200, {"postgresql": "ok", "migrations": "ok"})


@pytest.mark.parametrize("page", ["healthz", "readyz", "readyz/web", "metrics"])
def test_a_probe_asks_by_any_host_and_without_https(client, settings, page):
    settings.ALLOWED_HOSTS, settings.SECURE_SSL_REDIRECT = ["sms.example.com"], True
    assert client.get(f"/{page}", headers={"Host": "10.1.2.3:8000"}).status_code in (200, 503)
    assert client.get("/u/x", headers={"Host": "10.1.2.3:8000"}).status_code == 400


@pytest.mark.slow
def test_metrics_answer_with_what_is_there_when_postgresql_is_away():
    script = (
        "import django; django.setup(); from django.test import Client;"
        "print(Client().get('/metrics').text)"
    )
    away = {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/x",
            "DJANGO_SETTINGS_MODULE": "astronote.settings"}  # fmt: skip
    done = subprocess.run([sys.executable, "-c", script], env=os.environ | away,
                          capture_output=True, text=True)  # fmt: skip
    assert "astronote_postgresql_up 0.0" in done.stdout, done.stderr
    assert "astronote_redis_up 1.0" in done.stdout
    assert 'astronote_queue_jobs{queue="sms"}' in done.stdout
