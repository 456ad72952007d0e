"""`manage.py create_store`: create a store with an empty wallet."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from astronote.accounts.models import User
from astronote.common import audit
from messaging.credits import get_or_create_wallet


class Command(BaseCommand):
    help = "Create a store."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--company", default="")
        parser.add_argument(
            "--sender",
            default="",
            help="sender ID: 3 to 11 letters, digits and inner spaces, or a number with + and"
            " country code",
        )
        parser.add_argument("--timezone", default="UTC", help="such as Europe/Athens")
        parser.add_argument(
            "--region", default="", help="country of numbers without country code, such as GR"
        )
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *, email: str, **options: Any) -> None:
        try:
            store = User.objects.create_user(
                email,
                company=options["company"],
                sender_name=options["sender"],
                timezone=options["timezone"],
                phone_region=options["region"],
            )
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from None
        audit.write_entry("added", store, by="command line", owner_id=store.pk)
        get_or_create_wallet(store.pk)
        answer = {"id": store.pk, "email": store.email}
        self.stdout.write(json.dumps(answer) if options["json"] else f"store {store.pk} created")
