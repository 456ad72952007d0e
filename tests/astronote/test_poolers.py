"""PgBouncer between the processes and PostgreSQL, and the names that connections have."""

import subprocess

import pytest
from django.db import connection

from astronote.common.locks import advisory_lock
from astronote.operations.watchdog import run_watchdog
from astronote.processes import supervisor
from astronote.queues import jobs
from campaigns import enqueue
from tests.support.factories import make_campaign, make_list, make_store
from tests.support.pgbouncer import pgbouncer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def run(environment, *command):
    return subprocess.run(
        supervisor.manage_command(*command),
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_campaign_goes_out_through_pgbouncer_in_session_mode(
    environment_of_processes, sandbox, tmp_path, settings
):
    settings.SMS_BATCH_SIZE = 5
    store = make_store()
    campaign = enqueue.enqueue_campaign(make_campaign(store, make_list(store, 20)).pk)
    with pgbouncer(environment_of_processes["DATABASE_URL"], tmp_path, "session") as url:
        environment = environment_of_processes | {"DATABASE_URL": url}
        done = run(environment, "rqworker", "sms", "--burst")
        watchdog = run(environment, "watchdog")
    assert (done.returncode, watchdog.returncode) == (0, 0), done.stderr + watchdog.stderr
    campaign.refresh_from_db()
    assert (campaign.status, campaign.sent) == ("completed", 20)
    assert run_watchdog()  # no lock was left behind


@pytest.mark.parametrize("mode", ["transaction", "statement"])
@pytest.mark.parametrize(
    "command", [("rqworker", "sms", "--burst"), ("rqscheduler",), ("serve",), ("watchdog",)]
)
def test_through_shared_sessions_nothing_starts(environment_of_processes, tmp_path, mode, command):
    with pgbouncer(environment_of_processes["DATABASE_URL"], tmp_path, mode) as url:
        done = run(environment_of_processes | {"DATABASE_URL": url}, *command)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert "pool_mode = session" in line and line.endswith("DATABASE_URL names the server.")


@pytest.mark.parametrize("direct", [True, False])
def test_postgresql_knows_each_process_by_its_work(
    environment_of_processes, worker, tmp_path, direct
):
    def names():
        with connection.cursor() as cursor:
            cursor.execute("SELECT application_name FROM pg_stat_activity")
            return {name for (name,) in cursor.fetchall()}

    with pgbouncer(environment_of_processes["DATABASE_URL"], tmp_path, "session") as url:
        own = {} if direct else {"DATABASE_URL": url}
        with advisory_lock("receipts"):  # holds the worker up
            jobs.enqueue_on_commit("delivery_status_poller", "messaging.tasks.apply_receipts")
            worker("rqworker", "delivery_status_poller", **own)
            wait_until(lambda: "astronote rqworker delivery_status_poller" in names())


def test_a_name_holds_the_command_and_no_person(monkeypatch):
    from astronote.processes.names import running_command_and_queue_name

    for arguments, name in (
        (["manage.py", "rqworker", "sms", "--burst"], "astronote rqworker sms"),
        (["manage.py", "person", "export", "+306900000001"], "astronote person"),
        (["/x/astronote/processes/web.py"], "astronote web"),
    ):
        monkeypatch.setattr("sys.argv", arguments)
        assert running_command_and_queue_name() == name
