"""The files of `deploy/` for Prometheus and Grafana against the real `/metrics`."""

import json
import re
import subprocess
import time
from datetime import timedelta

import pytest
from django.utils import timezone
from rq import SimpleWorker
from rq.utils import utcformat

from astronote.environment import ROOT
from astronote.queues import jobs
from astronote.queues.catalogue import QUEUES
from astronote.queues.recurring import HEARTBEAT_KEY
from messaging import call_metrics
from messaging.models import Batch, SendingStop, WebhookEvent
from messaging.statuses import StopReason
from tests.support.factories import make_store
from tests.support.programs import find_program

pytestmark = pytest.mark.django_db(transaction=True)
RULES = ROOT / "deploy/prometheus/astronote.rules.yml"
DASHBOARD = ROOT / "deploy/grafana/astronote.json"
# Written by Prometheus itself.
EXPRESSION_LABELS = {"job", "le"}


def series(client):
    """Each series of `/metrics` with its value."""
    text = client.get("/metrics").text
    return dict(re.findall(r"^(astronote_.+) (\S+)$", text, re.MULTILINE))


def expressions():
    rules = re.findall(r"expr: (.+)", RULES.read_text())
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return rules + [target["expr"] for panel in panels for target in panel["targets"]]


def legends():
    text = RULES.read_text() + DASHBOARD.read_text()
    return set(re.findall(r"\$labels\.(\w+)", text)) | set(re.findall(r"{{(\w+)}}", text))


def start_all():
    """A scheduler and a worker on each queue, as Redis sees them."""
    jobs.redis_connection().set(HEARTBEAT_KEY, int(time.time()), ex=60)
    found = {}
    for queue in QUEUES:
        worker = SimpleWorker([jobs.get_queue(queue.name)], connection=jobs.redis_connection())
        worker.register_birth()
        found[queue.name] = worker
    return found


def test_every_figure_and_label_that_a_rule_or_panel_names_exists(client):
    from astronote.common import audit

    audit.write_entry("released batch", by="watchdog")  # each action has a series of its own
    found = series(client)
    names = {name.split("{")[0] for name in found}
    labels = {label for name in found for label in re.findall(r'(\w+)="', name)}
    for expression in expressions():
        assert set(re.findall(r"astronote_\w+", expression)) <= names, expression
        used = re.findall(r'(\w+)\s*(?:=|!=|=~)\s*"', expression)
        used += [each for group in re.findall(r"by \(([^)]+)\)", expression)
                 for each in group.split(", ")]  # fmt: skip
        assert set(used) <= labels | EXPRESSION_LABELS, expression
    assert legends() <= labels


def firing(before, after, folder):
    """The alerts that fire 13 minutes after the figures went from one scrape to another."""
    lines = ['up{job="astronote"} 1'] + [f"{name} {value}" for name, value in after.items()]
    inputs = "".join(
        f"      - series: '{name}'\n        values: '{before.get(name, '_')}x10 {value}x60'\n"
        for name, value in (line.rsplit(" ", 1) for line in lines)
    )
    test = folder / "alerts.yml"
    test.write_text(
        f"rule_files: [{RULES}]\nevaluation_interval: 30s\ntests:\n  - interval: 30s\n"
        f"    input_series:\n{inputs}    promql_expr_test:\n"
        "      - expr: count by (alertname) (ALERTS{alertstate='firing'})\n"
        "        eval_time: 18m\n        exp_samples: [{labels: '{nothing=\"fires\"}', value: 1}]\n"
    )
    done = subprocess.run(
        [find_program("promtool", "prometheus"), "test", "rules", test],
        capture_output=True,
        text=True,
    )
    said = done.stdout + done.stderr
    assert "got:" in said or "FAILED" in said, said
    return set(re.findall(r'alertname="?\\?"?(\w+)', said))


def test_nothing_fires_while_all_is_well(client, tmp_path):
    start_all()
    now = series(client)
    assert firing(now, now, tmp_path) == set()


def kill_workers(workers):
    long_ago = utcformat(timezone.now() - timedelta(minutes=2))
    jobs.redis_connection().hset(workers["sms"].key, "last_heartbeat", long_ago)


def refuse_writes(workers):
    jobs.redis_connection().execute_command("REPLICAOF", "127.0.0.1", "1")


def refuse_account(workers):
    SendingStop.objects.create(reason=StopReason.ACCOUNT_REFUSED, details="401", by="sms worker")


def end_scheduler(workers):
    jobs.redis_connection().delete(HEARTBEAT_KEY)


def make_receipts_unmatched(workers):
    later = timezone.now() + timedelta(hours=1)
    WebhookEvent.objects.bulk_create(
        WebhookEvent(event_id=f"x{n}", event_type="dlr", retry_at=later) for n in range(101)
    )


def leave_receipts(workers):
    event = WebhookEvent.objects.create(event_id="x", event_type="inbound")
    old = timezone.now() - timedelta(minutes=11)
    WebhookEvent.objects.filter(pk=event.pk).update(received_at=old)


def leave_batch(workers):
    batch = Batch.objects.create(owner=make_store(), kind="campaign", sender="SHOP", size=1)
    old = timezone.now() - timedelta(minutes=16)
    Batch.objects.filter(pk=batch.pk).update(created_at=old)


def leave_job(workers, queue="watchdog"):
    jobs.enqueue_on_commit(queue, "campaigns.tasks.start_due_campaigns")
    (job,) = jobs.get_queue(queue).get_jobs()
    job.enqueued_at -= timedelta(minutes=31)
    job.save()


def get_no_answer(workers):
    counts = {"count:ambiguous:+Inf": 1, "seconds:ambiguous": 30}
    jobs.redis_connection().hset(call_metrics.CALLS_KEY, mapping=counts)


@pytest.mark.parametrize(
    ("break_it", "alerts"),
    [
        (kill_workers, {"AstronoteNoWorker"}),
        (end_scheduler, {"AstronoteNoScheduler"}),
        (refuse_writes, {"AstronoteRedisReadOnly"}),
        (refuse_account, {"AstronoteSendingStopped"}),
        (make_receipts_unmatched, {"AstronoteReceiptsUnmatched"}),
        (leave_receipts, {"AstronoteEventsLate"}),
        (leave_batch, {"AstronoteBatchLate"}),
        (leave_job, {"AstronoteJobLate"}),
        (get_no_answer, {"AstronoteCallsAmbiguous"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_broken_fires_its_alert_and_no_other(client, tmp_path, break_it, alerts):
    workers = start_all()
    before = series(client)
    break_it(workers)
    try:
        after = series(client)
    finally:
        jobs.redis_connection().execute_command("REPLICAOF", "NO", "ONE")
    assert firing(before, after, tmp_path) == alerts


def test_readiness_names_what_has_waited_too_long(client):
    workers = start_all()
    leave_job(workers, "contact_import")  # behind an import, which may take hours
    assert client.get("/readyz").status_code == 200
    leave_batch(workers)
    leave_job(workers)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "16 min" in answer.json()["batches"] and "watchdog for 31 min" in answer.json()["jobs"]
