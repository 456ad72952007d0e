"""The pages for probes and Prometheus, and the lines of the log."""

import json
import logging

import pytest
from django.db import connection

from astronote.common.logs import (
    NumberMaskingJsonFormatter,
    NumberMaskingTextFormatter,
    log_context,
)
from astronote.environment import ROOT
from campaigns import enqueue
from messaging import sending
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)


def test_healthz_answers(client):
    assert client.get("/healthz", secure=True).content == b"ok\n"


def test_readyz_names_what_is_missing(client):
    answer = client.get("/readyz", secure=True)
    state = answer.json()
    assert answer.status_code == 503
    assert (state["postgresql"], state["migrations"], state["redis"]) == ("ok", "ok", "ok")
    assert "no heartbeat" in state["scheduler"] and "sms" in state["workers"]


def test_each_check_is_explained(client):
    explained = (ROOT / "docs/operations.md").read_text()
    assert [
        name for name in client.get("/readyz").json() if f"| `{name}` | " not in explained
    ] == []


def test_readyz_without_queues_does_not_ask_for_workers(client, settings):
    settings.QUEUE_DISABLED = True
    assert client.get("/readyz", secure=True).status_code == 200


def test_readyz_sees_migrations_that_are_not_applied(client, settings):
    settings.QUEUE_DISABLED = True
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'compliance' RETURNING name")
        names = cursor.fetchall()
        try:
            answer = client.get("/readyz", secure=True)
        finally:
            cursor.executemany(
                "INSERT INTO django_migrations (app, name, applied)"
                " VALUES ('compliance', %s, now())",
                names,
            )
    assert answer.status_code == 503 and "manage.py migrate" in answer.json()["migrations"]


def test_metrics_count_messages_calls_and_batches(client, sandbox, settings):
    settings.SMS_BATCH_SIZE = 3
    store = make_store()
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 6)).pk)
    sending.process_next_batch()
    text = client.get("/metrics", secure=True).content.decode()
    for line in (
        'astronote_campaign_messages{status="sent"} 3.0',
        'astronote_campaign_messages{status="queued"} 3.0',
        'astronote_open_batches{status="pending"} 1.0',
        'astronote_mitto_call_seconds_count{outcome="accepted"} 1.0',
        'astronote_queue_jobs{queue="sms"} 2.0',
        "astronote_redis_up 1.0",
    ):
        assert line in text, text


def line(formatter):
    record = logging.LogRecord("messaging", logging.INFO, "", 0, "to %s", ("+306900000001",), None)
    with log_context(batch=7, store=3), log_context(campaign=12):
        return formatter.format(record)


def test_log_lines_name_batch_campaign_and_store_and_no_number():
    text = line(NumberMaskingTextFormatter())
    assert "batch=7 store=3 campaign=12" in text and "6900" not in text
    parsed = json.loads(line(NumberMaskingJsonFormatter()))
    assert (parsed["batch"], parsed["store"], parsed["campaign"]) == (7, 3, 12)
    assert parsed["message"] == "to +•••"
