"""`manage.py unknown`: settle messages whose fate is unknown, by hand."""

import json

from django.core.management.base import BaseCommand, CommandError

from messaging import unknown
from messaging.credits import InsufficientCredits
from messaging.models import Batch, MessageStatus

ACTIONS = {
    "delivered": unknown.mark_delivered,
    "failed": unknown.mark_failed,
    "resend": unknown.resend,
}


class Command(BaseCommand):
    help = (
        "Say what became of a batch's messages that Mitto did not answer for: delivered (charged), "
        "failed (credits given back), or resend (which repeats them if Mitto took them after all)."
    )

    def add_arguments(self, parser):
        parser.add_argument("action", choices=ACTIONS)
        parser.add_argument("batch", type=int)
        parser.add_argument("--yes", action="store_true", help="do not ask before sending again")
        parser.add_argument("--json", action="store_true")

    def handle(self, *, action, batch, yes, **options):
        found = Batch.objects.filter(pk=batch).first()
        if found is None:
            raise CommandError(f"there is no batch {batch}")
        model = found.message_class
        ids = list(
            model.objects.filter(batch=found, status=MessageStatus.UNKNOWN).values_list(
                "pk", flat=True
            )
        )
        if action == "resend" and ids and not yes:
            answer = input(f"Send {len(ids)} messages again, perhaps twice? Type yes: ")
            if answer != "yes":
                raise CommandError("nothing was sent")
        try:
            done = ACTIONS[action](model, ids, by="command line")
        except InsufficientCredits as error:
            raise CommandError(str(error)) from None
        self.stdout.write(json.dumps({"messages": done}) if options["json"] else f"{done} messages")
