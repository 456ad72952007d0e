"""`manage.py top_up`: add credits to a store's wallet."""

from __future__ import annotations

import json
import uuid
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from astronote.accounts.lookup import get_store_or_command_error
from messaging import credits


class Command(BaseCommand):
    help = "Add prepaid credits to a store's wallet."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("store", help="e-mail address or id")
        parser.add_argument("credits", type=int)
        parser.add_argument("--key", help="credits are added once for each key")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *, store: str, key: str | None, **options: Any) -> None:
        owner = get_store_or_command_error(store)
        try:
            wallet = credits.top_up_and_audit_once(
                owner,
                options["credits"],
                reason="top-up by command",
                key=f"top-up:{key or uuid.uuid4()}",
                by="command line",
            )
        except ValueError as error:
            raise CommandError(str(error)) from None
        answer = {"balance": wallet.balance, "available": wallet.available}
        line = f"balance {wallet.balance}, available {wallet.available}"
        self.stdout.write(json.dumps(answer) if options["json"] else line)
