"""The RQ worker: one persistent process per slot, with the catalogue's options applied."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import logging
import multiprocessing
import signal
import sys
from datetime import timedelta

import django_rq
from django.conf import settings
from django.db import close_old_connections
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from rq import SimpleWorker
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.job import Job
from rq.registry import BaseRegistry, FailedJobRegistry, FinishedJobRegistry

from astronote.queues import BY_NAME
from contacts import jobs

log = logging.getLogger(__name__)


class Worker(SimpleWorker):
    """Runs jobs in its own process; database connections are kept, and replaced when broken."""

    def __init__(self, *args, **kwargs) -> None:
        kwargs["exception_handlers"] = [jobs.rerun_abandoned]
        super().__init__(*args, **kwargs)

    def work(self, *args, **kwargs) -> bool:
        if settings.QUEUE_DISABLED:
            sys.exit("astronote: QUEUE_DISABLED is set: workers do not start")
        if settings.QUEUE_ATTEMPTS > 1 and "sms" in self.queue_names():
            log.warning(
                "QUEUE_ATTEMPTS=%s: batches that Mitto does not answer are SENT AGAIN, and "
                "customers may get messages twice; set it to 1 to never repeat a message",
                settings.QUEUE_ATTEMPTS,
            )
        if multiprocessing.parent_process():  # of a pool: end with it, however it dies
            ctypes.CDLL(None).prctl(1, int(signal.SIGTERM))
        self.connection.set_retry(Retry(ConstantBackoff(1), 60))
        keep_what_is_loaded()
        return super().work(*args, **kwargs)

    def execute_job(self, job: Job, queue) -> None:
        options = BY_NAME[queue.name]
        job.result_ttl, job.failure_ttl = options.keep_finished, options.keep_failed
        close_old_connections()
        try:
            super().execute_job(job, queue)
        finally:
            close_old_connections()
            if options.keep_count is not None:
                for registry in (FinishedJobRegistry, FailedJobRegistry):
                    trim(registry(queue=queue), options.keep_count)

    def handle_job_failure(self, job: Job, queue, *args, **kwargs) -> None:
        super().handle_job_failure(job, queue, *args, **kwargs)
        options = BY_NAME[queue.name]
        attempt = job.meta.get("attempt", 1)
        if attempt < options.attempts:
            wait = timedelta(milliseconds=options.backoff_ms * 2 ** (attempt - 1))
            # rq's own delayed retries need rq's own scheduler; ours is rq-scheduler.
            django_rq.get_scheduler(queue.name).enqueue_in(
                wait, job.func_name, *job.args, meta={"attempt": attempt + 1}
            )


def keep_what_is_loaded() -> None:
    """Look no more through what is loaded by now for garbage, and through the rest less often.

    Doing so again and again while a batch is in hand takes a tenth of a batch's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)


def trim(registry: BaseRegistry, keep: int) -> None:
    """Delete a registry's oldest jobs above so many; of several workers that do so at once, the one
    that takes a job off deletes it.
    """
    redis = registry.connection
    for job_id in redis.zrange(registry.key, 0, -keep - 1):
        if redis.zrem(registry.key, job_id):
            with contextlib.suppress(NoSuchJobError, InvalidJobOperation):  # it has just expired
                Job.fetch(job_id.decode(), redis).delete(remove_from_queue=False)
