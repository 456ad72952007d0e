"""`manage.py rqworker-pool QUEUE`: django-rq's command, as large as the environment says."""

from importlib import import_module
from typing import Any

from django.core.management.base import CommandParser

from astronote.queues.workers import configured_worker_count, raise_if_worker_cannot_start

rqworker_pool = import_module("django_rq.management.commands.rqworker-pool")


class Command(rqworker_pool.Command):  # type: ignore[name-defined]  # its file name has a hyphen
    help = "Run several workers on the queues that are named."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(num_workers=None)
        for action in parser._actions:
            if action.dest == "num_workers":
                action.help = "number of workers; without it, as the queue's variable says"

    def handle(self, *queue_names: str, **options: Any) -> None:
        raise_if_worker_cannot_start(queue_names)
        if options["num_workers"] is None:
            options["num_workers"] = configured_worker_count(queue_names)
        super().handle(*queue_names, **options)
