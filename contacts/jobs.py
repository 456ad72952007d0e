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

import django_rq
from django.conf import settings
from django.db import transaction
from redis.exceptions import RedisError
from rq import Queue

log = logging.getLogger(__name__)


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

    def put() -> None:
        for start in range(0, len(ids), 500):
            queue(name).enqueue_many(
                [Queue.prepare_data(task, args=(pk,)) for pk in ids[start : start + 500]]
            )

    _after_commit(name, put)


def enqueue_at(name: str, when: datetime, task: str, pk: int, job_id: str) -> None:
    """Put the job on the queue at an aware time; the same `job_id` replaces the earlier one."""
    if when.microsecond:  # rq-scheduler cuts fractions off: the job would come too early
        when = when.replace(microsecond=0) + timedelta(seconds=1)
    _after_commit(name, lambda: _scheduler(name).enqueue_at(when, task, pk, job_id=job_id))


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
        return bool(queue("watchdog").connection.set(key, 1, nx=True, ex=seconds))
    except RedisError:
        return True


def forget(key: str) -> None:
    """Make the next `first_in` of this key true."""
    queue("watchdog").connection.delete(key)
