"""An export through a real worker that is killed in the middle."""

import signal

import pytest
from django.db import connection, transaction

from astronote.common.sql import execute, rows
from astronote.operations.watchdog import run_watchdog
from campaigns import exports
from campaigns.models import ExportFileChunk, ExportRun
from tests.support.factories import make_store
from tests.support.volume import make_contacts
from tests.support.waiting import one_waits_for_a_lock, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def no_work_is_locked():
    return not rows(
        "SELECT FROM pg_locks WHERE locktype = 'advisory' AND database ="
        " (SELECT oid FROM pg_database WHERE datname = current_database())"
    )


def test_of_an_export_whose_worker_is_killed_nothing_is_there_until_another_wrote_it(worker):
    store = make_store()
    make_contacts(store, 20_000)
    run = exports.request_export(store, "contacts", by="test")
    with transaction.atomic():
        # Killed in the middle: its first chunks are written, and the next one waits.
        execute(f"LOCK TABLE {ExportFileChunk._meta.db_table} IN EXCLUSIVE MODE")
        first = worker("rqworker", "exports")
        wait_until(one_waits_for_a_lock)
        first.send_signal(signal.SIGKILL)
        first.wait()
    wait_until(no_work_is_locked)
    run.refresh_from_db()
    assert (run.status, run.attempts) == ("pending", 1)
    assert not ExportFileChunk.objects.exists()
    with pytest.raises(exports.ExportUnavailable):
        exports.open_file(run, by="test")
    assert run_watchdog()["exports_enqueued"] == 1
    worker("rqworker", "exports")
    wait_until(lambda: ExportRun.objects.get().status == "completed")
    text = b"".join(exports.open_file(ExportRun.objects.get(), by="test")).decode()
    assert text.count("\r\n") == 20_001
    connection.close()
