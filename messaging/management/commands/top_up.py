"""`manage.py top_up`: credits for a store."""

import json
import uuid

from django.core.management.base import BaseCommand, CommandError

from contacts.stores import find_store
from messaging import credits


class Command(BaseCommand):
    help = "Add prepaid credits to a store's wallet."

    def add_arguments(self, parser):
        parser.add_argument("store", help="e-mail address or id")
        parser.add_argument("credits", type=int)
        parser.add_argument("--key", help="the same key adds the credits only once")
        parser.add_argument("--json", action="store_true")

    def handle(self, *, store, key, **options):
        owner = find_store(store)
        try:
            wallet = credits.top_up(
                owner.pk,
                options["credits"],
                reason="top-up by command",
                key=f"top-up:{key or uuid.uuid4()}",
            )
        except ValueError as error:
            raise CommandError(str(error)) from None
        answer = {"balance": wallet.balance, "available": wallet.available}
        line = f"balance {wallet.balance}, available {wallet.available}"
        self.stdout.write(json.dumps(answer) if options["json"] else line)
