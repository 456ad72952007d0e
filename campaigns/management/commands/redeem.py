"""`manage.py redeem`: mark the offer of a message as used."""

import json

from django.core.management.base import BaseCommand, CommandError

from astronote.accounts.lookup import (
    get_operator_or_command_error,
    get_store_or_command_error,
)
from campaigns.signup.redeeming import RedemptionResult, find_offer, redeem


class Command(BaseCommand):
    help = "Mark the offer of a message as used, once, by a link of the message or its code."

    def add_arguments(self, parser):
        parser.add_argument("store", help="e-mail address or id")
        parser.add_argument(
            "code", help="the offer link or opt-out link of the message, or its code"
        )
        parser.add_argument("--by", help="operator who does it")
        parser.add_argument("--json", action="store_true")

    def handle(self, *, store, code, by, **options):
        owner = get_store_or_command_error(store)
        actor = get_operator_or_command_error(by) if by else "command line"
        offer = find_offer(owner.pk, code)
        if offer is None:
            raise CommandError("no message that the store has sent has this code")
        result, redemption = redeem(offer, by=actor)
        at = redemption.redeemed_at.isoformat()
        if options["json"]:
            self.stdout.write(json.dumps({"result": result, "offer": offer.name, "at": at}))
        elif result == RedemptionResult.USED_NOW:
            self.stdout.write(f"{offer.name}: the offer is marked as used")
        else:
            raise CommandError(f"{offer.name}: the offer was used already, at {at}")
