"""Enqueueing jobs on named queues: after commit, with ids as arguments.

Tasks are named by their dotted path, so that the code that enqueues need not import the tasks,
which import it. A job is only a hint that a row is waiting. If Redis cannot be reached, the work is
delayed until the watchdog finds the row; the caller never fails.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, cast
from uuid import uuid4

import django_rq
from django.conf import settings
from django.db import transaction
from redis.exceptions import RedisError
from rq import Queue
from rq.exceptions import AbandonedJobError
from rq.job import Job
from rq.registry import clean_registries

log = logging.getLogger(__name__)

JOBS_PER_ROUND_TRIP = 500


@cache
def get_queue(queue_name: str) -> Queue:
    """The named queue; cached, since each new one opens a connection."""
    return django_rq.get_queue(queue_name, commit_mode="auto")


@cache
def _scheduler(queue_name: str) -> Any:
    return django_rq.get_scheduler(
        queue_name, queue=get_queue(queue_name), connection=get_queue(queue_name).connection
    )


def enqueue_on_commit(queue_name: str, task_path: str, *args: Any) -> None:
    """Put one job on the queue once the transaction commits."""
    _on_commit_unless_disabled_and_log_redis_errors(
        queue_name, lambda: get_queue(queue_name).enqueue(task_path, *args)
    )


def enqueue_each_on_commit(queue_name: str, task_path: str, ids: Sequence[int]) -> None:
    """Put one job per id on the queue once the transaction commits, in few round trips."""
    _on_commit_unless_disabled_and_log_redis_errors(
        queue_name, lambda: _enqueue_each_now(queue_name, task_path, ids)
    )


def _enqueue_each_now(queue_name: str, task_path: str, ids: Sequence[int]) -> None:
    for start in range(0, len(ids), JOBS_PER_ROUND_TRIP):
        get_queue(queue_name).enqueue_many(
            [
                Queue.prepare_data(task_path, args=(pk,))
                for pk in ids[start : start + JOBS_PER_ROUND_TRIP]
            ]
        )


def enqueue_copies_on_commit(queue_name: str, task_path: str, count: int) -> None:
    """Put `count` equal jobs on the queue once the transaction commits."""
    _on_commit_unless_disabled_and_log_redis_errors(
        queue_name, lambda: _enqueue_copies_now(queue_name, task_path, count)
    )


def _enqueue_copies_now(queue_name: str, task_path: str, count: int) -> None:
    """Let Redis copy the first job; creating each job here takes ten times as long."""
    for start in range(0, count, JOBS_PER_ROUND_TRIP):
        with get_queue(queue_name).connection.pipeline() as pipeline:
            first = get_queue(queue_name).enqueue(task_path, pipeline=pipeline)
            ids = [str(uuid4()) for _ in range(start + 1, min(start + JOBS_PER_ROUND_TRIP, count))]
            for job_id in ids:
                pipeline.copy(first.key, Job.key_for(job_id))
            if ids:
                pipeline.rpush(get_queue(queue_name).key, *ids)
            pipeline.execute()


def enqueue_delayed_on_commit(
    queue_name: str, when: datetime, task_path: str, *args: Any, job_id: str
) -> None:
    """Put the job on the queue at an aware time; the same `job_id` replaces the earlier one."""
    if when.microsecond:  # rq-scheduler cuts fractions off: the job would come too early
        when = when.replace(microsecond=0) + timedelta(seconds=1)
    _on_commit_unless_disabled_and_log_redis_errors(
        queue_name, lambda: _scheduler(queue_name).enqueue_at(when, task_path, *args, job_id=job_id)
    )


def cancel_delayed_on_commit(queue_name: str, job_id: str) -> None:
    """Cancel a delayed job once the transaction commits; a missing job is ignored."""
    _on_commit_unless_disabled_and_log_redis_errors(
        queue_name, lambda: _scheduler(queue_name).cancel(job_id)
    )


def count_waiting_jobs(queue_name: str) -> int:
    """How many jobs are on the queue."""
    return 0 if settings.QUEUE_DISABLED else get_queue(queue_name).count


def requeue_abandoned_job_handler(job: Job, exception_type: type, *_: Any) -> bool:
    """Exception handler of workers: put the job of a dead worker on its queue again.

    Every task does nothing the second time, so running one again is always safe.
    """
    if issubclass(exception_type, AbandonedJobError):
        get_queue(job.origin).enqueue(cast("str", job.func_name), *job.args)
        log.warning("a worker died in %s; it is run again", job.func_name)
    return True


def count_abandoned_jobs(queue_name: str) -> int:
    """How many jobs of dead workers the queue has."""
    if settings.QUEUE_DISABLED:
        return 0
    return len(get_queue(queue_name).started_job_registry.get_expired_job_ids())


def requeue_abandoned_jobs(queue_name: str) -> None:
    """Put the jobs of dead workers on the queue again."""
    if not settings.QUEUE_DISABLED:
        clean_registries(get_queue(queue_name), [requeue_abandoned_job_handler])


def redis_connection() -> Any:
    """The connection to Redis, kept open."""
    return get_queue("sms").connection


def _on_commit_unless_disabled_and_log_redis_errors(
    queue_name: str, enqueue_now: Callable[[], Any]
) -> None:
    if settings.QUEUE_DISABLED:
        return

    def attempt() -> None:
        try:
            enqueue_now()
        except RedisError as error:
            log.warning(
                "queue %s could not be reached (%s); the watchdog will enqueue what waits",
                queue_name,
                type(error).__name__,
            )

    transaction.on_commit(attempt)


def start_debounce(key: str, seconds: int) -> bool:
    """Start a debounce period of `seconds` for a key; return whether none was running.

    Of many callers within the period only the first gets True. True also if Redis cannot be asked.
    """
    if settings.QUEUE_DISABLED:
        return False
    try:
        return bool(redis_connection().set(key, 1, nx=True, ex=seconds))
    except RedisError:
        return True


def end_debounce(key: str) -> None:
    """End the debounce period of a key, so that the next start of one returns True."""
    redis_connection().delete(key)
