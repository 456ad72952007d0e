"""Queues, workers and recurring jobs as Redis has them: for the home page, health and metrics."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext
from prometheus_client.core import GaugeMetricFamily, Metric
from redis.exceptions import RedisError, ResponseError
from rq import Worker
from rq.worker.base import BaseWorker

from astronote.queues import jobs
from astronote.queues.catalogue import MINUTE, QUEUES
from astronote.queues.recurring import (
    HEARTBEAT_KEY,
    HEARTBEAT_SECONDS,
    next_runs_of_recurring_jobs,
    recurring_jobs,
)

LATE_SECONDS = 5 * MINUTE


def queue_and_scheduler_problems() -> list[str]:
    """What is wrong with Redis, the scheduler or the workers, each with what to do."""
    if settings.QUEUE_DISABLED:
        return [
            gettext(
                "Queues are off: QUEUE_DISABLED is set, so nothing is sent, imported or updated."
                " Unset it and start the workers."
            )
        ]
    try:
        has_scheduler = jobs.redis_connection().exists(HEARTBEAT_KEY)
        idle = [queue.name for queue in QUEUES if not _living_workers(queue.name)]
    except RedisError as error:
        return [
            gettext(
                "Redis cannot be reached (%(error)s). Nothing is lost: waiting work is in"
                " PostgreSQL and continues once Redis is back."
            )
            % {"error": type(error).__name__}
        ]
    found = []
    if not has_scheduler:
        found.append(
            gettext(
                "No scheduler is running: recurring jobs and delayed work do not start."
                " Run manage.py rqscheduler."
            )
        )
    if len(idle) == len(QUEUES):
        found.append(
            gettext(
                "No workers are running: nothing is sent or imported, and nothing is lost."
                " Run manage.py serve, or manage.py rqworker for each queue."
            )
        )
    elif idle:
        found.append(
            gettext(
                "No worker is running for %(queues)s: that work waits, and"
                " nothing is lost. Run manage.py rqworker %(queue)s."
            )
            % {"queues": _join_names_with_and(idle), "queue": idle[0]}
        )
    return found


def _join_names_with_and(names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    return gettext("%(names)s and %(last)s") % {"names": ", ".join(names[:-1]), "last": names[-1]}


def queues_context_or_empty_without_redis() -> dict[str, Any]:
    """Each queue with its waiting jobs and workers; empty if Redis cannot be reached."""
    try:
        return {"queues": [_queue_row(name.name, str(name.purpose)) for name in QUEUES]}
    except RedisError:
        return {"queues": []}


def _queue_row(queue_name: str, purpose: str) -> dict[str, Any]:
    queue = jobs.get_queue(queue_name)
    workers = _living_workers(queue_name)
    return {
        "name": queue_name,
        "purpose": purpose,
        "waiting": queue.count,
        "oldest": _oldest_job_age_seconds(queue_name),
        "workers": len(workers),
        "busy": sum(worker.get_state() == "busy" for worker in workers),
    }


def _oldest_job_age_seconds(queue_name: str) -> float | None:
    """Seconds that the job waiting longest has waited; None if none waits."""
    first = jobs.get_queue(queue_name).get_jobs(0, 1)
    if not first or first[0].enqueued_at is None:
        return None
    return (timezone.now() - first[0].enqueued_at).total_seconds()


def next_runs_context() -> dict[str, Any]:
    """When each recurring job runs next, and which can be run at once, with its permission."""
    can_run = [(job.name, job.run_now.permission) for job in recurring_jobs() if job.run_now]
    try:
        return {"recurring": next_runs_of_recurring_jobs(), "run_now": can_run}
    except RedisError:
        return {"recurring": [], "run_now": can_run}


def redis_write_problem_or_empty_or_raise() -> str:
    """Health check: whether Redis takes writes; raises if it does not answer."""
    try:
        jobs.redis_connection().set("astronote:probe", 1, ex=60)
    except ResponseError as error:
        return f"refuses writes: {error}"
    return ""


def missing_scheduler_problem_or_empty() -> str:
    """Health check: whether a scheduler runs."""
    heartbeat = jobs.redis_connection().get(HEARTBEAT_KEY)
    return "" if heartbeat else "no heartbeat for a minute: run `manage.py rqscheduler`"


def _living_workers(queue_name: str) -> list[BaseWorker]:
    """Workers on the queue with a heartbeat; RQ lists a killed one for minutes."""
    oldest = timezone.now() - timedelta(seconds=HEARTBEAT_SECONDS)
    return [
        worker
        for worker in Worker.all(queue=jobs.get_queue(queue_name))
        if worker.last_heartbeat and worker.last_heartbeat >= oldest
    ]


def queues_without_worker_problem_or_empty() -> str:
    """Health check: whether every queue has a worker."""
    idle = [queue.name for queue in QUEUES if not _living_workers(queue.name)]
    return f"no worker on {', '.join(idle)}: run `manage.py rqworker QUEUE`" if idle else ""


def late_jobs_problem_or_empty() -> str:
    """Health check: whether a job waits longer than the longest one before it may run."""
    late = []
    for options in QUEUES:
        age = _oldest_job_age_seconds(options.name) or 0
        if age > options.timeout + LATE_SECONDS:
            late.append(f"{options.name} for {age / MINUTE:.0f} min")
    return f"jobs wait on {', '.join(late)}: are there enough workers?" if late else ""


def redis_writable_metric() -> Iterator[Metric]:
    """Whether Redis takes writes."""
    is_writable = not redis_write_problem_or_empty_or_raise()
    yield GaugeMetricFamily(
        "astronote_redis_writable", "Whether Redis takes writes", value=int(is_writable)
    )


def queue_metrics() -> Iterator[Metric]:
    """Waiting jobs, their age and workers by queue, and the scheduler's heartbeat."""
    depth = GaugeMetricFamily("astronote_queue_jobs", "Jobs that wait", labels=["queue"])
    age = GaugeMetricFamily(
        "astronote_queue_oldest_seconds", "Age of the job waiting longest", labels=["queue"]
    )
    workers = GaugeMetricFamily("astronote_workers", "Workers alive", labels=["queue"])
    for options in QUEUES:
        queue = jobs.get_queue(options.name)
        depth.add_metric([options.name], queue.count)
        age.add_metric([options.name], _oldest_job_age_seconds(options.name) or 0)
        workers.add_metric([options.name], len(_living_workers(options.name)))
    yield from (depth, age, workers)
    # By Redis's clock alone: that of the scheduler's machine may differ from ours.
    seconds_left = jobs.redis_connection().ttl(HEARTBEAT_KEY)
    yield GaugeMetricFamily(
        "astronote_scheduler_heartbeat_age_seconds",
        "Time since the scheduler's last heartbeat; -1 without any",
        value=HEARTBEAT_SECONDS - seconds_left if seconds_left >= 0 else -1,
    )
