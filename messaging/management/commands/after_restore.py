"""`manage.py after_restore`: what to run after a backup was restored, before the workers start."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from redis.exceptions import RedisError

from messaging.database_age import stop_and_mark_unknown_after_restore
from messaging.sending_stop import WAYS_ON
from messaging.statuses import StopReason


class Command(BaseCommand):
    help = (
        "Run after a backup of PostgreSQL was restored, or a replica took over: stops all sending,"
        " and marks as unknown the messages that may have been sent since. Redis must be reachable:"
        " it knows which batches were submitted. If it does not know all of them, every open batch"
        " counts."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--all",
            action="store_true",
            dest="everything",
            help="Redis lost data, too, or was restored: every open batch may have been sent",
        )
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *, everything: bool, **options: Any) -> None:
        try:
            restored = stop_and_mark_unknown_after_restore(
                by="command line", every_open_batch=everything
            )
        except RedisError as error:
            raise CommandError(
                f"Redis cannot be reached ({type(error).__name__}): nothing has changed. Start it,"
                " empty if it is lost."
            ) from None
        self.stdout.write(
            json.dumps(restored._asdict())
            if options["json"]
            else f"{restored.sentence}; all sending is stopped. {WAYS_ON[StopReason.RESTORED]}"
        )
