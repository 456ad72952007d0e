"""Recurring jobs, and the scheduler that puts them on their queues when they are due."""

from __future__ import annotations

import contextlib
import logging
import signal
import time
from datetime import UTC, datetime
from typing import Any, cast

import django_rq
from django.utils import timezone
from django_rq.queues import DjangoScheduler
from redis.exceptions import RedisError
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq_scheduler.utils import get_next_scheduled_time

from astronote.operations import registry
from astronote.operations.registry import RecurringJob
from astronote.processes.ending import force_exit_after_in_background
from astronote.queues import jobs
from astronote.queues.catalogue import DAY
from astronote.queues.json_jobs import JsonOrRefusedJob
from astronote.queues.redis_retry import RetryInOutermostCallOnly

log = logging.getLogger(__name__)
PREFIX = "recurring-"
REGISTER_SECONDS = 10
HEARTBEAT_KEY = "astronote:scheduler-heartbeat"
HEARTBEAT_SECONDS = 60  # without a heartbeat for so long, no scheduler runs


def recurring_jobs() -> list[RecurringJob]:
    """The recurring jobs that the apps registered, under the present settings."""
    return [job for app in registry.recurring_jobs for job in app.jobs()]


def find_recurring_job(name: str) -> RecurringJob | None:
    """The recurring job of this name, or None."""
    return next((job for job in recurring_jobs() if job.name == name), None)


def sync_recurring_jobs_in_redis(scheduler: RedisLossTolerantScheduler) -> None:
    """Make the scheduler's entries those of `recurring_jobs`; safe to repeat."""
    wanted = {PREFIX + job.name: job for job in recurring_jobs()}
    scheduler.remove_unreadable_entries()
    for job_id in scheduler.connection.zrange(scheduler.scheduled_jobs_key, 0, -1):
        name = job_id.decode()
        if name.startswith(PREFIX) and name not in wanted:
            scheduler.cancel(name)
    for job_id, job in wanted.items():
        scheduled_for = scheduler.connection.zscore(scheduler.scheduled_jobs_key, job_id)
        if job.cron:
            _register_cron_if_changed(scheduler, job_id, job.cron, job, scheduled_for)
        elif job.interval:
            _register_interval_keeping_next_time(
                scheduler, job_id, job.interval, job, scheduled_for
            )


def _register_cron_if_changed(
    scheduler: RedisLossTolerantScheduler,
    job_id: str,
    cron: str,
    job: RecurringJob,
    scheduled_for: float | None,
) -> None:
    next_time = get_next_scheduled_time(cron).timestamp()
    unchanged = scheduled_for is not None and _stored_cron_of_job(scheduler, job_id) == cron
    if unchanged and scheduled_for is not None and scheduled_for <= next_time:
        return
    scheduler.cron(cron, job.task, id=job_id, queue_name=job.queue, result_ttl=-1)


def _register_interval_keeping_next_time(
    scheduler: RedisLossTolerantScheduler,
    job_id: str,
    interval: float,
    job: RecurringJob,
    scheduled_for: float | None,
) -> None:
    now = timezone.now().timestamp()
    # Never further off than its interval: the clock may have been set back since.
    due = now if scheduled_for is None else min(max(scheduled_for, now), now + interval)
    when = datetime.fromtimestamp(due, tz=UTC)
    scheduler.schedule(
        when, job.task, interval=interval, id=job_id, queue_name=job.queue, result_ttl=-1
    )


def next_runs_of_recurring_jobs() -> list[tuple[str, datetime | None]]:
    """When each recurring job is due next; None if the scheduler has not registered it."""
    scheduler = django_rq.get_scheduler("scheduler")
    names = [job.name for job in recurring_jobs()]
    keys = [PREFIX + name for name in names]
    scores = scheduler.connection.zmscore(scheduler.scheduled_jobs_key, keys)
    return [
        (name, None if score is None else datetime.fromtimestamp(score, tz=UTC))
        for name, score in zip(names, scores, strict=True)
    ]


def _stored_cron_of_job(scheduler: RedisLossTolerantScheduler, job_id: str) -> str | None:
    job = JsonOrRefusedJob.fetch(job_id, connection=scheduler.connection)
    return cast("str | None", job.meta.get("cron_string"))


class RedisLossTolerantScheduler(DjangoScheduler):
    """Enqueues a fresh job for each recurrence, so that kept results can be counted.

    A recurrence is skipped while the previous one still waits in its queue. The recurring jobs are
    registered again every REGISTER_SECONDS, in case Redis lost them.
    """

    _registered_at = 0.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.patience = RetryInOutermostCallOnly.one_retry_per_second(
            60
        )  # of the process that runs it

    def _install_signal_handlers(self) -> None:
        """End at SIGTERM although Redis is away."""

        def stop(*_: Any) -> None:
            self.patience.update_retries(0)
            force_exit_after_in_background()
            raise SystemExit

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)

    def register_death(self) -> None:
        """Say that this scheduler has ended; without Redis there is nobody to tell."""
        with contextlib.suppress(RedisError):
            super().register_death()

    def remove_lock(self) -> None:
        """Let another scheduler work; without Redis the lock ends by its lifetime."""
        with contextlib.suppress(RedisError):
            super().remove_lock()

    def enqueue_jobs(self) -> list[Job]:
        """Enqueue what is due; called once per scheduler interval."""
        if time.monotonic() - self._registered_at > REGISTER_SECONDS:
            sync_recurring_jobs_in_redis(self)
            self._registered_at = time.monotonic()
        return cast("list[Job]", super().enqueue_jobs())

    def heartbeat(self) -> None:
        """Tell other processes that a scheduler runs."""
        super().heartbeat()
        self.connection.set(HEARTBEAT_KEY, int(time.time()), ex=HEARTBEAT_SECONDS)

    def remove_unreadable_entries(self) -> None:
        """Remove entries whose job cannot be read; one of them would end the scheduler."""
        for job_id in self.connection.zrange(self.scheduled_jobs_key, 0, -1):
            try:
                JsonOrRefusedJob.fetch(job_id.decode(), connection=self.connection)
            except NoSuchJobError:
                self.connection.zrem(self.scheduled_jobs_key, job_id)
            except Exception:
                log.exception("the scheduled job %s cannot be read and is removed", job_id)
                self.connection.zrem(self.scheduled_jobs_key, job_id)
                self.connection.delete(Job.key_for(job_id.decode()))

    def enqueue_job(self, job: Job) -> None:
        """Enqueue a due job; a recurring one also gets its next time."""
        if not job.id.startswith(PREFIX):
            super().enqueue_job(job)
            return
        # Not `get_queue_for_job`, whose queue does not know the longest run time of its jobs.
        queue = jobs.get_queue(job.origin)
        last_key = f"astronote:{job.id}"
        last_id = self.connection.get(last_key)
        if not last_id or last_id.decode() not in queue.job_ids:
            enqueued = queue.enqueue(cast("str", job.func_name))
            self.connection.set(last_key, enqueued.id, ex=DAY)
        self._reschedule_or_remove(job.id)

    def _reschedule_or_remove(self, job_id: str) -> None:
        self.connection.zrem(self.scheduled_jobs_key, job_id)
        job = find_recurring_job(job_id.removeprefix(PREFIX))
        if job is None:
            return
        if job.interval:
            due = timezone.now().timestamp() + job.interval
            self.connection.zadd(self.scheduled_jobs_key, {job_id: due})
        else:
            self.cron(job.cron, job.task, id=job_id, queue_name=job.queue)


def jobs_run_on_start() -> list[RecurringJob]:
    """Recurring jobs that also run when the scheduler starts."""
    return [job for job in recurring_jobs() if job.on_start]
