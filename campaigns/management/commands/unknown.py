"""`manage.py unknown`: mark the unknown messages of a campaign, or send them again."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from astronote.common.counts import counted_in_english
from campaigns.models import Campaign, CampaignMessage
from messaging import unknown_messages
from messaging.credits import InsufficientCredits
from messaging.models import Batch, OutboundMessage
from messaging.statuses import MessageStatus

ACTIONS = {
    "delivered": unknown_messages.mark_unknown_delivered,
    "failed": unknown_messages.mark_unknown_failed,
    "resend": unknown_messages.requeue_unknown,
}


class Command(BaseCommand):
    help = (
        "Mark the unknown messages of a campaign as delivered (they are charged) or failed (their "
        "credits are released), or send them again (which repeats those that Mitto accepted)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=ACTIONS)
        parser.add_argument("id", type=int, help="id of the campaign")
        parser.add_argument(
            "--batch",
            action="store_true",
            help="the id is that of a batch, as for messages of automations and tests",
        )
        parser.add_argument("--yes", action="store_true", help="do not ask before sending again")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *, action: str, id: int, batch: bool, yes: bool, **options: Any) -> None:
        model: type[OutboundMessage] = CampaignMessage
        filters = {"campaign_id": id}
        if batch:
            found = Batch.objects.filter(pk=id).first()
            if found is None:
                raise CommandError(f"there is no batch {id}")
            model, filters = found.message_class, {"batch": id}
        elif not Campaign.objects.filter(pk=id).exists():
            raise CommandError(f"there is no campaign {id}")
        count = model.objects.filter(status=MessageStatus.UNKNOWN, **filters).count()
        if action == "resend" and count and not yes:
            answer = input(
                f"Send {counted_in_english(count, 'message')} again?"
                " Some may arrive twice. Type yes: "
            )
            if answer != "yes":
                raise CommandError("nothing was sent")
        try:
            count = unknown_messages.resolve_unknown_in_transaction_per_batch(
                ACTIONS[action], model, by="command line", **filters
            )
        except InsufficientCredits as error:
            raise CommandError(f"not all messages are sent again: {error}") from None
        except unknown_messages.CannotSendAgain as error:
            raise CommandError(f"{error}") from None
        self.stdout.write(
            json.dumps({"messages": count})
            if options["json"]
            else counted_in_english(count, "message")
        )
