"""The timetable of recurring jobs, and the scheduler that turns its entries into jobs."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import django_rq
from django.conf import settings
from django.utils import timezone
from django_rq.queues import DjangoScheduler
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq_scheduler.utils import get_next_scheduled_time

log = logging.getLogger(__name__)
PREFIX = "recurring-"
REGISTER_SECONDS = 10
HEARTBEAT = "astronote:scheduler-heartbeat"


@dataclass(frozen=True)
class Recurring:
    """A job that recurs, by `cron` (UTC) or every `interval` seconds."""

    name: str
    queue: str
    task: str
    interval: float | None = None
    cron: str | None = None


def timetable() -> list[Recurring]:
    """What recurs, and when, under the present settings."""
    env = settings.ENV
    entries = [
        Recurring("watchdog", "watchdog", "campaigns.tasks.run_watchdog",
                  interval=env["WATCHDOG_INTERVAL"] / 1000),
        Recurring("due_campaigns", "scheduler", "campaigns.tasks.start_due_campaigns",
                  interval=env["SCHEDULE_SWEEP_INTERVAL_MS"] / 1000),
        Recurring("apply_receipts", "delivery_status_poller", "messaging.tasks.apply_receipts",
                  interval=60),
        Recurring("apply_inbound", "delivery_status_poller", "messaging.tasks.apply_inbound",
                  interval=60),
        Recurring("delivery_status_poller", "delivery_status_poller",
                  "messaging.tasks.poll_delivery_status",
                  interval=env["DELIVERY_POLL_INTERVAL_MS"] / 1000),
        Recurring("birthday", "birthday", "campaigns.tasks.run_birthdays",
                  cron=env["BIRTHDAY_AUTOMATION_CRON"]),
        Recurring("welcome", "birthday", "campaigns.tasks.run_welcomes", interval=60),
        Recurring("import_files", "contact_import", "contacts.tasks.delete_import_files",
                  interval=3600),
        Recurring("pii_retention", "pii_retention", "compliance.tasks.run_pii_retention",
                  cron=env["PII_RETENTION_CRON"]),
    ]  # fmt: skip
    if env["STATUS_REFRESH_ENABLED"]:
        entries.append(
            Recurring("status_refresh", "status_refresh", "messaging.tasks.refresh_status",
                      interval=env["STATUS_REFRESH_INTERVAL"] / 1000)
        )  # fmt: skip
    return entries


def register(scheduler: Scheduler) -> None:
    """Make the scheduler's recurring entries those of the timetable; safe to repeat."""
    wanted = {PREFIX + entry.name: entry for entry in timetable()}
    scheduler.remove_unreadable()
    for job_id in scheduler.connection.zrange(scheduler.scheduled_jobs_key, 0, -1):
        name = job_id.decode()
        if name.startswith(PREFIX) and name not in wanted:
            scheduler.cancel(name)
    for job_id, entry in wanted.items():
        common = {"id": job_id, "queue_name": entry.queue, "result_ttl": -1}
        present = scheduler.connection.zscore(scheduler.scheduled_jobs_key, job_id)
        if entry.cron:
            following = get_next_scheduled_time(entry.cron).timestamp()
            if present is None or present > following or _cron_of(scheduler, job_id) != entry.cron:
                scheduler.cron(entry.cron, entry.task, **common)
            continue
        # Never further off than its interval: the clock may have been set back since.
        now = timezone.now().timestamp()
        due = now if present is None else min(max(present, now), now + entry.interval)
        when = datetime.fromtimestamp(due, tz=UTC)
        scheduler.schedule(when, entry.task, interval=entry.interval, **common)


def next_runs() -> list[tuple[str, datetime | None]]:
    """When each entry of the timetable is due next; None: the scheduler has not registered it."""
    scheduler = django_rq.get_scheduler("scheduler")
    entries = timetable()
    keys = [PREFIX + entry.name for entry in entries]
    scores = scheduler.connection.zmscore(scheduler.scheduled_jobs_key, keys)
    return [
        (entry.name, None if score is None else datetime.fromtimestamp(score, tz=UTC))
        for entry, score in zip(entries, scores, strict=True)
    ]


def _cron_of(scheduler: Scheduler, job_id: str) -> str | None:
    return Job.fetch(job_id, connection=scheduler.connection).meta.get("cron_string")


class Scheduler(DjangoScheduler):
    """Each recurrence becomes a job of its own, so that kept results can be counted.

    One that still waits in its queue is not doubled. The timetable is registered again every
    REGISTER_SECONDS, in case Redis lost it.
    """

    _registered_at = 0.0

    def enqueue_jobs(self) -> list[Job]:
        if time.monotonic() - self._registered_at > REGISTER_SECONDS:
            register(self)
            self._registered_at = time.monotonic()
        return super().enqueue_jobs()

    def heartbeat(self) -> None:
        super().heartbeat()
        self.connection.set(HEARTBEAT, int(time.time()), ex=60)

    def remove_unreadable(self) -> None:
        """Take out entries whose job cannot be read, which would end the scheduler."""
        for job_id in self.connection.zrange(self.scheduled_jobs_key, 0, -1):
            try:
                Job.fetch(job_id.decode(), connection=self.connection)
            except NoSuchJobError:
                self.connection.zrem(self.scheduled_jobs_key, job_id)
            except Exception:
                log.exception("the scheduled job %s cannot be read and is removed", job_id)
                self.connection.zrem(self.scheduled_jobs_key, job_id)
                self.connection.delete(Job.key_for(job_id.decode()))

    def enqueue_job(self, job: Job) -> None:
        if not job.id.startswith(PREFIX):
            super().enqueue_job(job)
            return
        queue = self.get_queue_for_job(job)
        waiting_key = f"astronote:{job.id}"
        waiting = self.connection.get(waiting_key)
        if not waiting or waiting.decode() not in queue.job_ids:
            fresh = queue.enqueue(job.func_name)
            self.connection.set(waiting_key, fresh.id, ex=86400)
        entry = {PREFIX + entry.name: entry for entry in timetable()}.get(job.id)
        self.connection.zrem(self.scheduled_jobs_key, job.id)
        if entry is None:
            return
        if entry.interval:
            due = timezone.now().timestamp() + entry.interval
            self.connection.zadd(self.scheduled_jobs_key, {job.id: due})
        else:
            self.cron(entry.cron, entry.task, id=job.id, queue_name=entry.queue)


def run_on_start() -> list[Recurring]:
    """Recurring jobs that also run when the scheduler starts, by their variables."""
    flags = {
        "pii_retention": "RUN_PII_RETENTION_ON_START",
        "birthday": "RUN_BIRTHDAY_ON_START",
    }
    return [e for e in timetable() if e.name in flags and settings.ENV[flags[e.name]]]
