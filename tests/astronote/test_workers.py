"""Workers, scheduler and supervisor as real processes, each option of the overview in force."""

import os
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import requests
from crontab import CronTab
from django.utils import timezone
from rq import Worker
from rq.job import Job
from rq.registry import FailedJobRegistry, FinishedJobRegistry

from astronote.operations.watchdog import run_watchdog
from astronote.processes import supervisor
from astronote.queues import jobs, recurring, workers
from astronote.queues.catalogue import QUEUES, QUEUES_BY_NAME
from campaigns import enqueue, schedule
from campaigns.models import Campaign
from tests.support.factories import make_campaign, make_list, make_store
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
NOTHING = "campaigns.tasks.start_due_campaigns"
FAILS = "campaigns.tasks.no_such_task"


def burst(environment, queue, **variables):
    done = subprocess.run(
        supervisor.manage_command("rqworker", queue, "--burst"),
        env=environment | variables,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout + done.stderr


def test_the_queues_keep_jobs_as_the_overview_says():
    options = {
        name: (q.attempts, q.backoff_ms, q.keep_finished, q.keep_failed, q.keep_count)
        for name, q in QUEUES_BY_NAME.items()
    }
    hour, day = 3600, 86400
    assert options["scheduler"][0] == 1 and options["scheduler"][2] == 0
    assert options["contact_import"][2:4] == (hour, day)
    assert options["status_refresh"][2] == 0
    for name in ("delivery_status_poller", "watchdog"):
        assert options[name][:2] == (3, 5000) and options[name][4] == 100
    assert options["sms"][0] == 1


@pytest.mark.parametrize("count", [0, 1, 500, 501, 1000])
def test_so_many_equal_jobs_are_put_on_the_queue_each_of_its_own(environment_of_processes, count):
    jobs.enqueue_copies_on_commit("watchdog", NOTHING, count)
    put = jobs.get_queue("watchdog").jobs
    assert len({job.id for job in put}) == len(put) == count
    assert all(job.func_name == NOTHING and job.get_status() == "queued" for job in put)


def test_finished_jobs_are_kept_by_age_and_by_count(environment_of_processes):
    jobs.enqueue_copies_on_commit("watchdog", NOTHING, 103)
    jobs.enqueue_on_commit("scheduler", NOTHING)
    jobs.enqueue_on_commit("contact_import", NOTHING)
    for queue in ("watchdog", "scheduler", "contact_import"):
        burst(environment_of_processes, queue)
    finished = {
        name: FinishedJobRegistry(queue=jobs.get_queue(name)).get_job_ids()
        for name in ("watchdog", "scheduler", "contact_import")
    }
    assert len(finished["watchdog"]) == 100 and finished["scheduler"] == []
    kept = jobs.redis_connection().ttl(f"rq:job:{finished['contact_import'][0]}")
    assert 3500 < kept <= 3600


def test_workers_that_trim_the_same_jobs_at_once_do_not_get_in_each_others_way(
    environment_of_processes,
):
    jobs.enqueue_copies_on_commit("watchdog", NOTHING, 300)
    registry = FinishedJobRegistry(queue=jobs.get_queue("watchdog"))
    finished = jobs.get_queue("watchdog").jobs
    for age, job in enumerate(finished):
        job.set_status("finished")
        registry.add(job, ttl=3600 - age)
    jobs.get_queue("watchdog").connection.delete(jobs.get_queue("watchdog").key)
    with ThreadPoolExecutor(4) as together:
        list(
            together.map(
                lambda keep: workers.delete_oldest_jobs_of_registry(registry, keep), [100] * 4
            )
        )
    kept = registry.get_job_ids()
    assert set(kept) == {job.id for job in finished[:100]}
    assert sum(Job.exists(job.id, jobs.redis_connection()) for job in finished) == 100


def test_failed_jobs_are_kept_for_their_time(environment_of_processes):
    jobs.enqueue_on_commit("contact_import", FAILS)
    burst(environment_of_processes, "contact_import")
    registry = FailedJobRegistry(queue=jobs.get_queue("contact_import"))
    (job_id,) = registry.get_job_ids()
    left = jobs.redis_connection().zscore(registry.key, job_id) - time.time()
    assert 23 * 3600 < left <= 24 * 3600


@pytest.mark.parametrize(("queue", "attempts"), [("watchdog", 3), ("scheduler", 1)])
def test_a_job_that_fails_is_tried_as_often_as_its_queue_says(
    environment_of_processes, queue, attempts
):
    import django_rq

    scheduler = django_rq.get_scheduler(queue)
    jobs.enqueue_on_commit(queue, FAILS)
    waits = []
    for _ in range(5):
        burst(environment_of_processes, queue)
        delayed = list(scheduler.get_jobs(with_times=True))
        if not delayed:
            break
        ((job, due),) = delayed
        waits.append((due - timezone.now().replace(tzinfo=None)).total_seconds())
        scheduler.enqueue_job(job)
    assert len(waits) == attempts - 1
    for wait, expected in zip(waits, (5, 10), strict=False):
        assert expected - 3 < wait <= expected + 1
    failed = FailedJobRegistry(queue=jobs.get_queue(queue)).count
    assert failed == attempts


def test_the_job_of_a_killed_worker_is_run_again(worker, sandbox):
    """The task blocks in PostgreSQL while its worker is killed."""
    from django.db import connection

    from astronote.common.locks import advisory_lock

    with advisory_lock("receipts"):
        jobs.enqueue_on_commit("delivery_status_poller", "messaging.tasks.apply_receipts")
        process = worker("rqworker", "delivery_status_poller")
        wait_until(lambda: _waits_for_advisory_lock(connection))
        process.send_signal(signal.SIGKILL)
        process.wait()
    queue = jobs.get_queue("delivery_status_poller")
    for key in jobs.redis_connection().zrange(queue.started_job_registry.key, 0, -1):
        jobs.redis_connection().zadd(queue.started_job_registry.key, {key: time.time() - 1})
    assert run_watchdog()["jobs_of_dead_workers"] == 1
    assert [job.func_name for job in queue.get_jobs()] == ["messaging.tasks.apply_receipts"]


def _waits_for_advisory_lock(connection):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database"
            " WHERE locktype = 'advisory' AND NOT granted AND d.datname = current_database()"
        )
        return cursor.fetchone()[0]


def test_more_than_one_attempt_is_said_loudly_at_start(environment_of_processes):
    assert "SENT AGAIN" in burst(environment_of_processes, "sms", QUEUE_ATTEMPTS="2")
    assert "SENT AGAIN" not in burst(environment_of_processes, "sms")


@pytest.mark.parametrize(
    "command", [("rqworker", "sms"), ("rqworker-pool", "sms"), ("rqscheduler",)]
)
def test_with_queues_disabled_workers_say_so_and_end(environment_of_processes, command):
    done = subprocess.run(
        supervisor.manage_command(*command),
        env=environment_of_processes | {"QUEUE_DISABLED": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1 and "QUEUE_DISABLED is set" in done.stderr


def test_a_scheduler_that_never_reached_redis_ends_at_once(worker):
    process = worker("rqscheduler", REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")
    assert process.wait(30) == 1


@pytest.mark.parametrize("command", ["rqworker", "rqworker-pool"])
@pytest.mark.parametrize(
    ("queues", "problem"), [((), "name a queue"), (("sms", "smss"), "there is no queue smss")]
)
def test_a_worker_without_a_known_queue_names_those_there_are(
    environment_of_processes, command, queues, problem
):
    done = subprocess.run(
        supervisor.manage_command(command, *queues),
        env=environment_of_processes,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"{problem}; the queues are sms, scheduler, contact_import" in done.stderr


@pytest.mark.parametrize(("arguments", "count"), [((), 3), (("--num-workers", "2"), 2)])
def test_a_pool_is_as_large_as_its_variable_says(worker, arguments, count):
    queue = jobs.get_queue("watchdog")
    pool = worker("rqworker-pool", "watchdog", *arguments, WATCHDOG_CONCURRENCY="3")
    # A worker that is stopped while it starts leaves its entry to its lifetime in Redis.
    wait_until(lambda: sum(one.get_state() == "idle" for one in Worker.all(queue=queue)) >= count)
    assert Worker.count(queue=queue) == count
    pool.terminate()
    assert pool.wait(60) == 0 and Worker.count(queue=queue) == 0


def test_the_home_page_says_that_queues_are_off(settings, admin_client):
    settings.QUEUE_DISABLED = True
    assert "Queues are off: QUEUE_DISABLED is set" in admin_client.get("/admin/").text


def test_what_waits_while_queues_are_disabled_is_picked_up_later(settings, sandbox):

    settings.QUEUE_DISABLED = True
    store = make_store()
    campaign = enqueue.enqueue_campaign(make_campaign(store, make_list(store, 3)).pk)
    assert campaign.status == "sending" and jobs.redis_connection().dbsize() == 0
    settings.QUEUE_DISABLED = False
    run_watchdog()
    assert jobs.count_waiting_jobs("sms") == 1


def recurring_jobs_with(settings, **variables):
    for name, value in variables.items():
        setattr(settings, name, value)
    return {entry.name: entry for entry in recurring.recurring_jobs()}


@pytest.mark.parametrize(
    ("variable", "value", "name", "expected"),
    [
        ("STATUS_REFRESH_INTERVAL", 120_000, "status_refresh", 120),
        ("WATCHDOG_INTERVAL", 60_000, "watchdog", 60),
        ("SCHEDULE_SWEEP_INTERVAL_MS", 30_000, "due_campaigns", 30),
        ("DELIVERY_POLL_INTERVAL_MS", 90_000, "delivery_status_poller", 90),
    ],
)
def test_intervals_are_those_of_their_variables(settings, variable, value, name, expected):
    assert recurring_jobs_with(settings, **{variable: value})[name].interval == expected


def test_times_are_those_of_their_variables(settings):
    found = recurring_jobs_with(settings, PII_RETENTION_CRON="7 5 * * *")
    assert found["pii_retention"].cron == "7 5 * * *"


def test_the_birthday_job_runs_at_midnight_utc_and_each_quarter_of_an_hour(settings):
    cron = CronTab(recurring_jobs_with(settings)["birthday"].cron)
    midnight = datetime(2026, 5, 17, tzinfo=UTC)
    for minutes in range(0, 24 * 60, 15):
        at = midnight + timedelta(minutes=minutes)
        before = at - timedelta(seconds=1)
        assert before + timedelta(seconds=cron.next(now=before, default_utc=True)) == at


def test_status_refresh_can_be_switched_off(settings):
    assert "status_refresh" in recurring_jobs_with(settings)
    assert "status_refresh" not in recurring_jobs_with(settings, STATUS_REFRESH_ENABLED=False)


def entries():
    import django_rq

    key = django_rq.get_scheduler("scheduler").scheduled_jobs_key
    return {job_id.decode() for job_id in jobs.redis_connection().zrange(key, 0, -1)}


def test_a_flushed_redis_gets_its_timetable_back(worker):
    worker("rqscheduler")
    expected = {recurring.PREFIX + entry.name for entry in recurring.recurring_jobs()}
    wait_until(lambda: expected <= entries())
    jobs.redis_connection().flushdb()
    wait_until(lambda: expected <= entries())


def test_a_clock_set_back_does_not_hold_up_what_recurs(worker):
    """Its entries then lie as far in the future as the clock was set back."""
    import django_rq

    key = django_rq.get_scheduler("scheduler").scheduled_jobs_key
    first = worker("rqscheduler")
    names = [recurring.PREFIX + entry.name for entry in recurring.recurring_jobs()]
    wait_until(lambda: set(names) <= entries())
    first.kill()
    first.wait()
    # One that it was just taking in hand is not there.
    now = timezone.now().timestamp()
    before = {name: jobs.redis_connection().zscore(key, name) or now for name in names}
    for name, due in before.items():
        jobs.redis_connection().zadd(key, {name: due + 2 * 86400})
    worker("rqscheduler")
    far = float("inf")
    wait_until(
        lambda: all(
            (jobs.redis_connection().zscore(key, n) or far) < before[n] + 86400 for n in names
        )
    )


def test_a_clock_that_runs_ahead_starts_no_campaign_early(worker):
    store = make_store()
    campaign = make_campaign(store, make_list(store, 1))
    schedule.schedule_campaign(campaign, timezone.now() + timezone.timedelta(hours=1), by="test")
    jobs.enqueue_on_commit(
        "scheduler", schedule.START_CAMPAIGN, campaign.pk
    )  # as it would come too early
    assert worker("rqworker", "scheduler", "--burst").wait(60) == 0
    campaign.refresh_from_db()
    assert campaign.status == "scheduled"
    Campaign.objects.update(scheduled_at=timezone.now())
    assert schedule.enqueue_start_of_some_due_campaigns() == 1


def test_two_schedulers_run_a_recurring_job_once(worker):
    for _ in range(2):
        worker("rqscheduler", STATUS_REFRESH_INTERVAL="3000")
    waiting = jobs.get_queue("status_refresh")
    wait_until(lambda: waiting.count)
    wait_until(lambda: jobs.redis_connection().get(recurring.HEARTBEAT_KEY))
    seen, began = set(), time.monotonic()
    while time.monotonic() < began + 8:  # taken off at once, as a worker would
        seen.update(waiting.job_ids)
        waiting.empty()
        time.sleep(0.1)
    assert 2 <= len(seen) <= 4


def test_a_changed_interval_takes_effect_at_the_next_start(worker):
    import django_rq

    def interval():
        for job in django_rq.get_scheduler("scheduler").get_jobs():
            if job.id == "recurring-status_refresh":
                return job.meta.get("interval")
        return None

    worker("rqscheduler", STATUS_REFRESH_INTERVAL="600000")
    wait_until(lambda: interval() == 600)
    worker("rqscheduler", STATUS_REFRESH_INTERVAL="5000")
    wait_until(lambda: interval() == 5)


def test_a_corrupt_scheduled_job_does_not_end_the_scheduler(worker):
    import django_rq

    scheduler = django_rq.get_scheduler("scheduler")
    jobs.redis_connection().zadd(scheduler.scheduled_jobs_key, {"broken": time.time()})
    jobs.redis_connection().hset("rq:job:broken", mapping={"data": b"\x00", "created_at": "never"})
    process = worker("rqscheduler")
    wait_until(lambda: "recurring-watchdog" in entries())
    assert process.poll() is None and "broken" not in entries()


@pytest.mark.parametrize(
    ("variable", "queue"),
    [("RUN_BIRTHDAY_ON_START", "birthday"), ("RUN_PII_RETENTION_ON_START", "pii_retention")],
)
def test_run_on_start_runs_at_the_start_only_if_asked(worker, variable, queue):
    worker("rqscheduler")
    wait_until(lambda: jobs.redis_connection().get(recurring.HEARTBEAT_KEY))
    wait_until(lambda: "recurring-watchdog" in entries())
    tasks = {
        "birthday": "campaigns.tasks.run_birthdays",
        "pii_retention": "compliance.tasks.run_pii_retention",
    }

    def enqueued():
        return tasks[queue] in [job.func_name for job in jobs.get_queue(queue).get_jobs()]

    assert not enqueued()
    worker("rqscheduler", **{variable: "1"})
    wait_until(enqueued)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.fixture
def serve(worker):
    """Starts `manage.py serve` and returns its process and address once the web answers."""

    def start(**variables):
        few = {queue.concurrency_variable: "1" for queue in QUEUES if queue.concurrency_variable}
        port = free_port()
        process = worker("serve", **few | {"PORT": port, "WEB_CONCURRENCY": "1"} | variables)
        url = f"http://127.0.0.1:{port}"

        def up():
            try:
                return requests.get(f"{url}/healthz", timeout=5).text == "ok\n"
            except requests.RequestException:
                return False

        wait_until(up)
        return process, url

    return start


def count(queue):
    return Worker.count(queue=jobs.get_queue(queue))


def test_serve_runs_as_many_workers_as_the_variables_say_and_replaces_the_dead(serve, sandbox):
    process, url = serve(
        WORKER_CONCURRENCY="2",
        SCHEDULER_CONCURRENCY="2",
        CONTACT_IMPORT_CONCURRENCY="2",
        STATUS_REFRESH_CONCURRENCY="2",
        DELIVERY_STATUS_POLLER_CONCURRENCY="2",
        WATCHDOG_CONCURRENCY="2",
    )
    for queue in QUEUES:
        expected = 2 if queue.concurrency_variable else 1
        wait_until(lambda: count(queue.name) == expected, seconds=90)  # noqa: B023
    wait_until(lambda: requests.get(f"{url}/readyz", timeout=5).status_code == 200)
    victim = Worker.all(queue=jobs.get_queue("sms"))[0]
    os.kill(victim.pid, signal.SIGKILL)
    names = {found.name for found in Worker.all(queue=jobs.get_queue("sms"))}
    wait_until(
        lambda: {w.name for w in Worker.all(queue=jobs.get_queue("sms"))} - names, seconds=60
    )
    figures = requests.get(f"{url}/metrics", timeout=5).text
    assert 'astronote_workers{queue="scheduler"} 2.0' in figures

    sandbox.behave(latency_ms=1500)
    store = make_store()
    campaign = enqueue.enqueue_campaign(make_campaign(store, make_list(store, 4)).pk)
    wait_until(lambda: sandbox.summary()["calls"] == 1)
    process.terminate()
    assert process.wait(60) == 0
    campaign.refresh_from_db()
    assert (campaign.status, campaign.sent) == ("completed", 4)
    assert not [
        w for w in Worker.all(connection=jobs.redis_connection()) if w.pid and _alive(w.pid)
    ]


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("variables", [{"START_WORKER": "0"}, {"QUEUE_DISABLED": "1"}])
def test_serve_can_run_the_web_alone(serve, variables):
    process, url = serve(**variables)
    assert (
        subprocess.run(
            ["pgrep", "-P", str(process.pid), "-f", "rqworker|rqscheduler"], capture_output=True
        ).stdout
        == b""
    )
    assert requests.get(f"{url}/admin/login/", timeout=5).status_code == 200
    assert Campaign.objects.count() == 0
