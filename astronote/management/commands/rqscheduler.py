"""`manage.py rqscheduler`: registers the timetable and runs delayed and recurring jobs."""

import sys
import time
import warnings
from typing import Any

import django_rq
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from redis.exceptions import ConnectionError as RedisConnectionError

from astronote.common.postgres_server import check_postgres_server
from astronote.queues import recurring


class Command(BaseCommand):
    help = "Run the scheduler: registers the timetable, then moves due jobs to their queues."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("-i", "--interval", type=int, default=1, help="seconds between looks")

    def handle(self, *, interval: int, **options: Any) -> None:
        if settings.QUEUE_DISABLED:
            sys.exit("astronote: QUEUE_DISABLED is set: the scheduler does not start")
        # rq-scheduler asks the crontab library in a way that it will change; in UTC both are one.
        warnings.filterwarnings("ignore", "Version 0.22.0", FutureWarning)
        check_postgres_server()
        scheduler = django_rq.get_scheduler("scheduler", interval=interval)
        scheduler.connection.ping()
        scheduler.connection.set_retry(scheduler.patience)
        for entry in recurring.jobs_run_on_start():
            django_rq.get_queue(entry.queue).enqueue(entry.task)
        self.stdout.write("Scheduler running")
        while True:
            try:
                scheduler.run()
            except RedisConnectionError as error:
                self.stderr.write(f"Redis cannot be reached, trying again: {error}")
                time.sleep(1)
