"""`manage.py unknown`: mark unknown messages of a batch, or send them again."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from messaging import unknown_messages
from messaging.credits import InsufficientCredits
from messaging.models import Batch
from messaging.statuses import MessageStatus

ACTIONS = {
    "delivered": unknown_messages.mark_delivered,
    "failed": unknown_messages.mark_failed,
    "resend": unknown_messages.requeue_unknown_in_new_batches,
}


class Command(BaseCommand):
    help = (
        "Mark the unknown messages of a batch as delivered (they are charged) or failed (their "
        "credits are released), or send them again (which repeats those that Mitto accepted)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=ACTIONS)
        parser.add_argument("batch", type=int, help="id of the batch")
        parser.add_argument("--yes", action="store_true", help="do not ask before sending again")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *, action: str, batch: int, yes: bool, **options: Any) -> None:
        found = Batch.objects.filter(pk=batch).first()
        if found is None:
            raise CommandError(f"there is no batch {batch}")
        model = found.message_class
        unknown = model.objects.filter(batch=found, status=MessageStatus.UNKNOWN)
        ids = list(unknown.values_list("pk", flat=True))
        if action == "resend" and ids and not yes:
            answer = input(f"Send {len(ids)} messages again? Some may arrive twice. Type yes: ")
            if answer != "yes":
                raise CommandError("nothing was sent")
        try:
            count = ACTIONS[action](model, ids, by="command line")
        except InsufficientCredits as error:
            raise CommandError(str(error)) from None
        self.stdout.write(
            json.dumps({"messages": count}) if options["json"] else f"{count} messages"
        )
