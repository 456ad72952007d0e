"""`manage.py rqworker QUEUE`: django-rq's command, which refuses what cannot work."""

from typing import Any

from django_rq.management.commands import rqworker

from astronote.queues.workers import raise_if_worker_cannot_start


class Command(rqworker.Command):
    help = "Run one worker on the queues that are named."

    def handle(self, *queue_names: str, **options: Any) -> None:
        raise_if_worker_cannot_start(queue_names)
        super().handle(*queue_names, **options)
