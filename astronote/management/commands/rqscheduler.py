"""`manage.py rqscheduler`: registers the timetable and runs delayed and recurring jobs."""

import sys
import time
from typing import Any

import django_rq
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from astronote.common.postgres_version import raise_if_postgres_too_old
from astronote.queues import recurring


class Command(BaseCommand):
    help = "Run the scheduler: registers the timetable, then moves due jobs to their queues."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("-i", "--interval", type=int, default=1, help="seconds between looks")

    def handle(self, *, interval: int, **options: Any) -> None:
        if settings.QUEUE_DISABLED:
            sys.exit("astronote: QUEUE_DISABLED is set: the scheduler does not start")
        raise_if_postgres_too_old()
        scheduler = django_rq.get_scheduler("scheduler", interval=interval)
        scheduler.connection.ping()
        scheduler.connection.set_retry(Retry(ConstantBackoff(1), 60))
        for entry in recurring.jobs_run_on_start():
            django_rq.get_queue(entry.queue).enqueue(entry.task)
        self.stdout.write("Scheduler running")
        while True:
            try:
                scheduler.run()
            except RedisConnectionError as error:
                self.stderr.write(f"Redis cannot be reached, trying again: {error}")
                time.sleep(1)
