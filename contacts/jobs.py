"""How every app puts a job on a named queue: after commit, with ids as arguments.

Tasks are named by their dotted path, so that the code that enqueues need not import the tasks,
which import it. A job is only a hint that a row is waiting, so a Redis that cannot be reached
delays the work (the watchdog finds the row) and never fails the caller.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any
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

AT_ONCE = 500  # so many jobs in one round trip


@cache
def queue(name: str) -> Queue:
    """The named queue; kept, since each new one opens a connection."""
    return django_rq.get_queue(name, commit_mode="auto")


@cache
def _scheduler(name: str) -> Any:
    return django_rq.get_scheduler(name, queue=queue(name), connection=queue(name).connection)


def enqueue(name: str, task: str, *args: Any) -> None:
    """Put one job on the queue once the transaction commits."""
    _after_commit(name, lambda: queue(name).enqueue(task, *args))


def enqueue_each(name: str, task: str, ids: Sequence[int]) -> None:
    """Put one job per id on the queue once the transaction commits, in few round trips."""
    _after_commit(name, lambda: _put_each(name, task, ids))


def _put_each(name: str, task: str, ids: Sequence[int]) -> None:
    for start in range(0, len(ids), AT_ONCE):
        queue(name).enqueue_many(
            [Queue.prepare_data(task, args=(pk,)) for pk in ids[start : start + AT_ONCE]]
        )


def enqueue_times(name: str, task: str, count: int) -> None:
    """Put so many equal jobs on the queue once the transaction commits."""
    _after_commit(name, lambda: _put_copies(name, task, count))


def _put_copies(name: str, task: str, count: int) -> None:
    """Redis copies the first job: to make each of them here takes ten times as long."""
    for start in range(0, count, AT_ONCE):
        with queue(name).connection.pipeline() as together:
            first = queue(name).enqueue(task, pipeline=together)
            ids = [str(uuid4()) for _ in range(start + 1, min(start + AT_ONCE, count))]
            for job_id in ids:
                together.copy(first.key, Job.key_for(job_id))
            if ids:
                together.rpush(queue(name).key, *ids)
            together.execute()


def enqueue_at(name: str, when: datetime, task: str, *args: Any, job_id: str) -> None:
    """Put the job on the queue at an aware time; the same `job_id` replaces the earlier one."""
    if when.microsecond:  # rq-scheduler cuts fractions off: the job would come too early
        when = when.replace(microsecond=0) + timedelta(seconds=1)
    _after_commit(name, lambda: _scheduler(name).enqueue_at(when, task, *args, job_id=job_id))


def cancel(name: str, job_id: str) -> None:
    """Take back a delayed job once the transaction commits; one that is gone is no matter."""
    _after_commit(name, lambda: _scheduler(name).cancel(job_id))


def waiting(name: str) -> int:
    """How many jobs are on the queue."""
    return 0 if settings.QUEUE_DISABLED else queue(name).count


def rerun_abandoned(job: Job, kind: type, *_: Any) -> bool:
    """An exception handler of workers: the job of a worker that died is put on its queue anew.

    Every task does nothing the second time, so running one again is always safe.
    """
    if issubclass(kind, AbandonedJobError):
        queue(job.origin).enqueue(job.func_name, *job.args)
        log.warning("a worker died in %s; it is run again", job.func_name)
    return True


def abandoned(name: str) -> int:
    """How many jobs of dead workers the queue has."""
    if settings.QUEUE_DISABLED:
        return 0
    return len(queue(name).started_job_registry.get_expired_job_ids())


def clean_up(name: str) -> None:
    """Run the jobs of dead workers on the queue anew."""
    if not settings.QUEUE_DISABLED:
        clean_registries(queue(name), [rerun_abandoned])


def redis() -> Any:
    """The connection to Redis, kept open."""
    return queue("sms").connection


def _after_commit(name: str, put: Callable[[], Any]) -> None:
    if settings.QUEUE_DISABLED:
        return

    def attempt() -> None:
        try:
            put()
        except RedisError as error:
            log.warning(
                "queue %s could not be reached (%s); the watchdog will enqueue what waits",
                name,
                type(error).__name__,
            )

    transaction.on_commit(attempt)


def first_in(key: str, seconds: int) -> bool:
    """Whether nobody said so within the last seconds; True also if Redis cannot be asked."""
    if settings.QUEUE_DISABLED:
        return False
    try:
        return bool(redis().set(key, 1, nx=True, ex=seconds))
    except RedisError:
        return True


def forget(key: str) -> None:
    """Make the next `first_in` of this key true."""
    redis().delete(key)
