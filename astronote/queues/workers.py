"""The RQ worker: one persistent process per slot, with the catalogue's options applied."""

from __future__ import annotations

import contextlib
import gc
import logging
import multiprocessing
import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from types import FrameType
from typing import Any, cast

import django_rq
from django.conf import settings
from django.core.management.base import CommandError
from django.db import close_old_connections
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.job import Job
from rq.registry import BaseRegistry, FailedJobRegistry, FinishedJobRegistry

from astronote.common.postgres_server import check_postgres_server
from astronote.processes.ending import (
    end_with_parent,
    force_exit_after_in_background,
)
from astronote.queues import jobs
from astronote.queues.catalogue import QUEUES_BY_NAME
from astronote.queues.json_jobs import JsonOrRefusedJob
from astronote.queues.redis_retry import RetryInOutermostCallOnly

log = logging.getLogger(__name__)
RETRIES_WHILE_ENDING = 2  # a second apart
HEARTBEAT_INTERVAL = 15  # seconds; health takes a worker for dead after 60


def raise_if_worker_cannot_start(queue_names: Sequence[str]) -> None:
    """Refuse a worker that could not work.

    Raises:
        CommandError: if no queue or an unknown one is named, or queues are disabled.
        NotSupportedError: if PostgreSQL is too old.
        RedisError: if Redis does not answer.
    """
    unknown = [name for name in queue_names if name not in QUEUES_BY_NAME]
    if unknown or not queue_names:
        problem = f"there is no queue {', '.join(unknown)}" if unknown else "name a queue"
        raise CommandError(f"{problem}; the queues are {', '.join(QUEUES_BY_NAME)}")
    if settings.QUEUE_DISABLED:
        raise CommandError("QUEUE_DISABLED is set: workers do not start")
    check_postgres_server()
    jobs.redis_connection().ping()


def configured_worker_count(queue_names: Sequence[str]) -> int:
    """How many worker processes the environment asks for on these queues together."""
    variables = [QUEUES_BY_NAME[name].concurrency_variable for name in queue_names]
    return sum(getattr(settings, variable) if variable else 1 for variable in variables)


class Worker(SimpleWorker):
    """Runs jobs in its own process; reuses its database connection and replaces a broken one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["exception_handlers"] = [jobs.requeue_abandoned_job_handler]
        self._patience = RetryInOutermostCallOnly.one_retry_per_second(60)
        super().__init__(*args, **kwargs)

    def work(self, *args: Any, **kwargs: Any) -> bool:
        """Run jobs until a signal."""
        if settings.QUEUE_ATTEMPTS > 1 and "sms" in self.queue_names():
            log.warning(
                "QUEUE_ATTEMPTS=%s: batches that Mitto does not answer are SENT AGAIN, and "
                "customers may get messages twice; set it to 1 to never repeat a message",
                settings.QUEUE_ATTEMPTS,
            )
        if multiprocessing.parent_process():  # a pool's worker ends with its pool
            end_with_parent()
        # A pool asks for rq's own scheduler, a process more; delayed jobs are rq-scheduler's.
        kwargs["with_scheduler"] = False
        self.connection.set_retry(self._patience)
        tune_garbage_collection()
        threading.Thread(target=self._send_heartbeats_forever, daemon=True).start()
        return super().work(*args, **kwargs)

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """End after the job in hand, and soon although a server is away (a signal handler)."""
        self._patience.update_retries(RETRIES_WHILE_ENDING)
        force_exit_after_in_background()
        super().request_stop(signum, frame)

    def set_shutdown_requested_date(self) -> None:
        """Note for others that this worker is ending; it happens in the middle of a job."""
        with contextlib.suppress(RedisError):
            super().set_shutdown_requested_date()

    def _send_heartbeats_forever(self) -> None:
        """Say that this process is alive, also during a long job; RQ says so between jobs only."""
        while True:
            time.sleep(HEARTBEAT_INTERVAL)
            with contextlib.suppress(RedisError):
                self.heartbeat()

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Run one job with the options of its queue."""
        options = QUEUES_BY_NAME[queue.name]
        job.result_ttl, job.failure_ttl = options.keep_finished, options.keep_failed
        close_old_connections()
        try:
            super().execute_job(job, queue)
        finally:
            close_old_connections()
            if options.keep_count is not None:
                for registry in (FinishedJobRegistry, FailedJobRegistry):
                    delete_oldest_jobs_of_registry(registry(queue=queue), options.keep_count)

    def handle_job_failure(self, job: Job, queue: Queue, *args: Any, **kwargs: Any) -> None:
        """Record the failure, and enqueue another attempt later if the queue allows one."""
        super().handle_job_failure(job, queue, *args, **kwargs)
        options = QUEUES_BY_NAME[queue.name]
        attempt = job.meta.get("attempt", 1)
        if attempt < options.attempts:
            wait = timedelta(milliseconds=options.backoff_ms * 2 ** (attempt - 1))
            # rq's own delayed retries need rq's own scheduler; ours is rq-scheduler.
            django_rq.get_scheduler(queue.name).enqueue_in(
                wait, job.func_name, *job.args, meta={"attempt": attempt + 1}
            )


def tune_garbage_collection() -> None:
    """Exclude the loaded modules from garbage collection, and collect the rest less often.

    Collecting while a batch is sent takes a tenth of the batch's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)


def delete_oldest_jobs_of_registry(registry: BaseRegistry, keep: int) -> None:
    """Delete a registry's oldest jobs, down to `keep`.

    Several workers may do so at once: the one that removes a job from the registry deletes it.
    """
    redis = registry.connection
    oldest = cast("list[bytes]", redis.zrange(registry.key, 0, -keep - 1))
    for job_id in oldest:
        if redis.zrem(registry.key, job_id):
            with contextlib.suppress(NoSuchJobError, InvalidJobOperation):  # it has just expired
                JsonOrRefusedJob.fetch(job_id.decode(), redis).delete(remove_from_queue=False)
