"""Jobs on the named queues: put after commit, delayed, taken back, and run again."""

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import django_rq
import pytest
from django.db import transaction
from django.utils import timezone
from rq.exceptions import AbandonedJobError
from rq.registry import StartedJobRegistry

from astronote.queues import jobs
from astronote.queues.json_jobs import JsonOrRefusedJob
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
TASK = "campaigns.tasks.start_campaign"
SOON = datetime(2126, 11, 24, 9, 30, tzinfo=UTC)


def delayed():
    """The delayed jobs: id, due time in seconds and arguments."""
    key = django_rq.get_scheduler("scheduler").scheduled_jobs_key
    return {
        job_id.decode(): (
            due,
            JsonOrRefusedJob.fetch(job_id.decode(), connection=jobs.redis_connection()).args,
        )
        for job_id, due in jobs.redis_connection().zrange(key, 0, -1, withscores=True)
    }


def started(queue, *args, seconds_ago):
    """A job whose worker took it and should have given a sign of life so many seconds ago."""
    job = jobs.get_queue(queue).enqueue(TASK, *args)
    jobs.redis_connection().lrem(jobs.get_queue(queue).key, 0, job.id)
    job.set_status("started")
    jobs.redis_connection().zadd(
        StartedJobRegistry(queue=jobs.get_queue(queue)).key,
        {f"{job.id}:execution": time.time() - seconds_ago},
    )
    return job


def test_a_job_is_put_on_its_queue_only_when_the_transaction_commits():
    with transaction.atomic():
        jobs.enqueue_on_commit("scheduler", TASK, 7)
        assert jobs.count_waiting_jobs("scheduler") == 0
    (job,) = jobs.get_queue("scheduler").get_jobs()
    assert (job.func_name, job.args) == (TASK, (7,))
    assert jobs.count_waiting_jobs("scheduler") == 1 and jobs.count_waiting_jobs("sms") == 0
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        jobs.enqueue_on_commit("scheduler", TASK, 8)
        raise ZeroDivisionError
    assert jobs.count_waiting_jobs("scheduler") == 1


@pytest.mark.parametrize("count", [0, 1, 500, 501, 1001])
def test_each_id_has_a_job_of_its_own(count):
    jobs.enqueue_each_on_commit("scheduler", TASK, range(1, count + 1))
    put = jobs.get_queue("scheduler").get_jobs()
    assert [job.args for job in put] == [(n,) for n in range(1, count + 1)]
    assert {job.func_name for job in put} <= {TASK}


def test_a_delayed_job_never_comes_before_its_time():
    at = SOON + timedelta(microseconds=1)
    jobs.enqueue_delayed_on_commit("scheduler", at, TASK, 7, job_id="a")
    jobs.enqueue_delayed_on_commit("scheduler", SOON, TASK, 8, job_id="b")
    jobs.enqueue_delayed_on_commit(
        "scheduler", SOON + timedelta(milliseconds=999), TASK, 9, job_id="c"
    )
    second = SOON.timestamp()
    assert delayed() == {"a": (second + 1, (7,)), "b": (second, (8,)), "c": (second + 1, (9,))}


def test_a_delayed_job_goes_to_the_queue_it_was_meant_for():
    jobs.enqueue_delayed_on_commit("birthday", SOON, TASK, 7, job_id="a")
    (job,) = django_rq.get_scheduler("scheduler").get_jobs()
    assert job.origin == "birthday"


def test_a_delayed_job_is_put_and_taken_back_only_when_the_transaction_commits():
    with transaction.atomic():
        jobs.enqueue_delayed_on_commit("scheduler", SOON, TASK, 7, job_id="a")
        assert delayed() == {}
    jobs.enqueue_delayed_on_commit("scheduler", SOON, TASK, 8, job_id="b")
    with transaction.atomic():
        jobs.cancel_delayed_on_commit("scheduler", "a")
        assert set(delayed()) == {"a", "b"}
    assert set(delayed()) == {"b"}
    jobs.cancel_delayed_on_commit("scheduler", "gone")


def test_a_delayed_job_of_the_same_name_replaces_the_earlier_one():
    jobs.enqueue_delayed_on_commit("scheduler", SOON, TASK, 7, job_id="a")
    jobs.enqueue_delayed_on_commit("scheduler", SOON + timedelta(days=1), TASK, 7, job_id="a")
    assert delayed() == {"a": ((SOON + timedelta(days=1)).timestamp(), (7,))}


def test_the_job_of_a_dead_worker_is_run_again_with_its_arguments():
    dead = started("scheduler", 7, seconds_ago=1)
    started("scheduler", 8, seconds_ago=-60)
    assert jobs.count_abandoned_jobs("scheduler") == 1
    jobs.requeue_abandoned_jobs("scheduler")
    (job,) = jobs.get_queue("scheduler").get_jobs()
    assert (job.func_name, job.args, job.origin) == (TASK, (7,), "scheduler")
    assert job.id != dead.id
    assert jobs.count_abandoned_jobs("scheduler") == 0


def test_a_job_that_failed_by_itself_is_not_run_again():
    job = JsonOrRefusedJob.create(
        TASK, args=(7,), connection=jobs.redis_connection(), origin="scheduler"
    )
    assert jobs.requeue_abandoned_job_handler(job, ValueError, ValueError(), None)
    assert jobs.count_waiting_jobs("scheduler") == 0
    assert jobs.requeue_abandoned_job_handler(job, AbandonedJobError, AbandonedJobError(), None)
    assert jobs.count_waiting_jobs("scheduler") == 1


def test_with_queues_disabled_nothing_is_put_counted_or_cleaned(settings):
    jobs.enqueue_on_commit("scheduler", TASK, 7)
    started("watchdog", 7, seconds_ago=1)
    before = jobs.redis_connection().dbsize()
    settings.QUEUE_DISABLED = True
    jobs.enqueue_on_commit("scheduler", TASK, 8)
    jobs.enqueue_each_on_commit("scheduler", TASK, [8])
    jobs.enqueue_copies_on_commit("scheduler", TASK, 2)
    jobs.enqueue_delayed_on_commit("scheduler", timezone.now(), TASK, 8, job_id="a")
    jobs.requeue_abandoned_jobs("watchdog")
    assert not jobs.start_debounce("key", 60)
    assert (jobs.count_waiting_jobs("scheduler"), jobs.count_abandoned_jobs("watchdog")) == (0, 0)
    assert jobs.redis_connection().dbsize() == before


@pytest.mark.slow
def test_something_is_first_once_in_its_time_or_until_it_is_forgotten():
    assert jobs.start_debounce("key", 60)
    assert not jobs.start_debounce("key", 60)
    assert jobs.start_debounce("other", 60)
    assert 50 < jobs.redis_connection().ttl("key") <= 60
    jobs.end_debounce("key")
    assert jobs.start_debounce("key", 60)
    assert jobs.start_debounce("short", 1)
    wait_until(lambda: jobs.start_debounce("short", 1), seconds=5)


@pytest.mark.slow
def test_without_redis_nobody_fails_and_everybody_is_first(tmp_path):
    """In a process of its own, since its Redis is one that does not answer."""
    script = """
import django; django.setup()
from astronote.queues import jobs
jobs.enqueue_on_commit("sms", "messaging.tasks.send_next_batch")
now = __import__("datetime").datetime.now()
jobs.enqueue_delayed_on_commit("sms", now, "x", job_id="a")
print(jobs.start_debounce("key", 60))
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env=os.environ
        | {
            "REDIS_URL": f"unix://{tmp_path}/none.sock?db=0",
            "DJANGO_SETTINGS_MODULE": "astronote.settings",
        },
    )
    assert done.stdout == "True\n", done.stderr
    assert done.stderr.count("queue sms could not be reached") == 2
    assert "the watchdog will enqueue what waits" in done.stderr
