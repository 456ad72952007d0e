"""`manage.py create_store`: a store's account."""

import json

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from astronote.models import SENDER_MEANS
from messaging.credits import wallet_of


class Command(BaseCommand):
    help = "Create a store."

    def add_arguments(self, parser):
        parser.add_argument("email")
        parser.add_argument("--company", default="")
        parser.add_argument("--sender", default="", help=f"sender ID: {SENDER_MEANS}")
        parser.add_argument("--timezone", default="UTC", help="such as Europe/Athens")
        parser.add_argument("--region", default="", help="country of national numbers, such as GR")
        parser.add_argument("--json", action="store_true")

    def handle(self, *, email, **options):
        try:
            store = get_user_model().objects.create_user(
                email,
                company=options["company"],
                sender_name=options["sender"],
                timezone=options["timezone"],
                phone_region=options["region"],
            )
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from None
        wallet_of(store.pk)
        answer = {"id": store.pk, "email": store.email}
        self.stdout.write(json.dumps(answer) if options["json"] else f"store {store.pk} created")
