"""`manage.py store`: what a store is like, and changing it."""

import json

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from contacts import audit
from contacts.stores import find_store
from messaging.credits import wallet_of
from messaging.standing import Blocked, check_store

SETTINGS = ("company", "sender_name", "timezone", "phone_region", "retention_days",
            "business_profile", "subscription_status", "billing_hold", "billing_hold_reason",
            "is_active")  # fmt: skip


class Command(BaseCommand):
    help = f"Show a store, or change it. Its settings: {', '.join(SETTINGS)}."

    def add_arguments(self, parser):
        parser.add_argument("store", help="e-mail address or id")
        parser.add_argument("--set", action="append", default=[], metavar="SETTING=VALUE")
        parser.add_argument("--json", action="store_true")

    def handle(self, *, store, **options):
        owner = find_store(store)
        changes = dict(self._change(given) for given in options["set"])
        try:
            for name, value in changes.items():
                setattr(owner, name, owner._meta.get_field(name).clean(value, owner))
            owner.full_clean(exclude=["password"])
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from None
        if changes:
            owner.save(update_fields=list(changes))
            audit.record("store changed", owner, by="command line", owner_id=owner.pk,
                         settings=sorted(changes))  # fmt: skip
        try:
            sends = f"as {check_store(owner)}"
        except Blocked as blocked:
            sends = f"no: {blocked}"
        wallet = wallet_of(owner.pk)
        answer = {
            "id": owner.pk, "email": owner.email, "sends": sends, "balance": wallet.balance,
            "available": wallet.available, **{name: getattr(owner, name) for name in SETTINGS},
        }  # fmt: skip
        lines = "\n".join(f"{name}: {value}" for name, value in answer.items())
        self.stdout.write(json.dumps(answer) if options["json"] else lines)

    def _change(self, given: str) -> tuple[str, str | None]:
        name, is_there, value = given.partition("=")
        if not is_there or name not in SETTINGS:
            raise CommandError(f"{given}: say SETTING=VALUE, with one of {', '.join(SETTINGS)}")
        return name, value or (None if name == "retention_days" else "")
