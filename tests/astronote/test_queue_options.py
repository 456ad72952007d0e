"""The options of each queue, as its jobs and workers have them."""

import subprocess
import time

import django_rq
import pytest
from django.conf import settings
from rq.registry import FailedJobRegistry, FinishedJobRegistry, StartedJobRegistry

from astronote.processes import supervisor
from astronote.queues import jobs, workers
from astronote.queues.catalogue import QUEUES

pytestmark = pytest.mark.django_db(transaction=True)
MINUTE, HOUR, DAY = 60, 3600, 86400
LONGEST = {"sms": 10 * MINUTE, "scheduler": HOUR, "contact_import": 6 * HOUR, "birthday": HOUR,
           "status_refresh": 10 * MINUTE, "delivery_status_poller": 10 * MINUTE,
           "watchdog": 10 * MINUTE, "pii_retention": 6 * HOUR, "exports": HOUR}  # fmt: skip
KEPT = {"sms": (HOUR, 7 * DAY, 1000), "scheduler": (0, 7 * DAY, None),
        "contact_import": (HOUR, DAY, None), "birthday": (DAY, 7 * DAY, 100),
        "status_refresh": (0, 7 * DAY, None), "delivery_status_poller": (DAY, 7 * DAY, 100),
        "watchdog": (DAY, 7 * DAY, 100), "pii_retention": (DAY, 7 * DAY, 100),
        "exports": (DAY, 7 * DAY, 100)}  # fmt: skip


def burst(environment, queue):
    done = subprocess.run(
        supervisor.manage_command("rqworker", queue, "--burst"),
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout + done.stderr


def test_a_job_may_run_as_long_as_its_queue_says():
    for name, longest in LONGEST.items():
        jobs.enqueue_on_commit(name, "campaigns.tasks.start_due_campaigns")
        (job,) = jobs.get_queue(name).get_jobs()
        assert job.timeout == longest, name
    assert set(LONGEST) == {queue.name for queue in QUEUES}


def test_jobs_are_kept_as_long_and_as_many_as_their_queue_says():
    assert {
        queue.name: (queue.keep_finished, queue.keep_failed, queue.keep_count) for queue in QUEUES
    } == KEPT


def test_each_queue_that_may_have_several_processes_has_its_variable():
    own = {queue.name: queue.concurrency_variable for queue in QUEUES}
    assert own == {
        "sms": "WORKER_CONCURRENCY", "scheduler": "SCHEDULER_CONCURRENCY",
        "contact_import": "CONTACT_IMPORT_CONCURRENCY", "birthday": None,
        "status_refresh": "STATUS_REFRESH_CONCURRENCY",
        "delivery_status_poller": "DELIVERY_STATUS_POLLER_CONCURRENCY",
        "watchdog": "WATCHDOG_CONCURRENCY", "pii_retention": None,
        "exports": None,
    }  # fmt: skip


def test_the_procfile_starts_all_that_serve_starts():
    lines = (settings.BASE_DIR / "Procfile").read_text().splitlines()
    commands = [line.partition(": ")[2] for line in lines]
    assert sorted(command for command in commands if "manage.py rqworker" in command) == sorted(
        f"python manage.py {'rqworker-pool' if queue.concurrency_variable else 'rqworker'}"
        f" {queue.name}"
        for queue in QUEUES
    )
    others = {"web --bind 0.0.0.0", "rqscheduler", "alerts"}
    assert {f"python manage.py {other}" for other in others} <= set(commands)


def test_queues_for_which_the_overview_names_no_number_have_five_attempts():
    assert {queue.name: queue.attempts for queue in QUEUES} == {
        "sms": 1, "scheduler": 1, "contact_import": 5, "birthday": 5, "status_refresh": 5,
        "delivery_status_poller": 3, "watchdog": 3, "pii_retention": 5, "exports": 5,
    }  # fmt: skip


def test_what_failed_is_tried_again_later_with_its_arguments(environment_of_processes):
    jobs.enqueue_on_commit("watchdog", "campaigns.tasks.no_such_task", 7, "x")
    burst(environment_of_processes, "watchdog")
    ((job, _),) = django_rq.get_scheduler("watchdog").get_jobs(with_times=True)
    assert (job.origin, job.func_name) == ("watchdog", "campaigns.tasks.no_such_task")
    assert job.args == (7, "x") and job.meta["attempt"] == 2
    failed = FailedJobRegistry(queue=jobs.get_queue("watchdog"))
    (failed_id,) = failed.get_job_ids()
    left = jobs.redis_connection().zscore(failed.key, failed_id) - time.time()
    assert 6.9 * DAY < left <= 7 * DAY


def test_a_worker_runs_the_job_of_a_dead_one_again(environment_of_processes):
    dead = jobs.get_queue("scheduler").enqueue("campaigns.tasks.start_campaign", 7)
    jobs.redis_connection().lrem(jobs.get_queue("scheduler").key, 0, dead.id)
    dead.set_status("started")
    registry = StartedJobRegistry(queue=jobs.get_queue("scheduler"))
    jobs.redis_connection().zadd(registry.key, {f"{dead.id}:execution": time.time() - 1})
    said = burst(environment_of_processes, "scheduler")
    assert "a worker died in campaigns.tasks.start_campaign; it is run again" in said
    assert registry.get_expired_job_ids() == []


def test_the_newest_jobs_are_those_that_are_kept():
    queue = jobs.get_queue("watchdog")
    jobs.enqueue_copies_on_commit("watchdog", "campaigns.tasks.start_due_campaigns", 5)
    registry = FinishedJobRegistry(queue=queue)
    finished = queue.get_jobs()
    for age, job in enumerate(finished):
        job.set_status("finished")
        registry.add(job, ttl=3600 - age)
    workers.delete_oldest_jobs_of_registry(registry, 5)
    assert len(registry.get_job_ids()) == 5
    workers.delete_oldest_jobs_of_registry(registry, 2)
    assert set(registry.get_job_ids()) == {job.id for job in finished[:2]}
    assert [bool(jobs.redis_connection().exists(job.key)) for job in finished] == [True] * 2 + [
        False
    ] * 3
