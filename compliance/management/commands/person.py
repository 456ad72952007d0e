"""`manage.py person`: what a person may ask for."""

import json

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from compliance import rights
from contacts.phones import normalise
from contacts.stores import find_store

BY = "command line"


def _changes(pairs: list[str]) -> dict[str, str | None]:
    changes: dict[str, str | None] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or name not in rights.CORRECTABLE:
            raise CommandError(
                f"--set {pair}: expected {' or '.join(rights.CORRECTABLE)}, = and it"
            )
        changes[name] = value or (None if name in ("birthday", "gender") else "")
    if not changes:
        raise CommandError("say what is right: --set first_name=Maria")
    return changes


class Command(BaseCommand):
    help = "Export, correct, erase or opt out everything that is held on a phone number."

    def add_arguments(self, parser):
        parser.add_argument("action", choices=["export", "correct", "erase", "object"])
        parser.add_argument("number", help="with + and country code, or of DEFAULT_PHONE_REGION")
        parser.add_argument("--store", help="e-mail address or id; without it, at every store")
        parser.add_argument(
            "--set", action="append", default=[], metavar="FIELD=VALUE",
            help=f"correct: one of {', '.join(rights.CORRECTABLE)}",
        )  # fmt: skip
        parser.add_argument("--yes", action="store_true", help="erase without asking")

    def handle(self, *, action, number, store, yes, **options):
        phone = normalise(number, settings.DEFAULT_PHONE_REGION)
        if phone is None:
            raise CommandError("this is not a valid phone number")
        owner_id = find_store(store).pk if store else None
        if action == "export":
            held = rights.export(phone, owner_id, by=BY)
            self.stdout.write(json.dumps(held, cls=rights.JSON, ensure_ascii=False, indent=2))
        elif action == "correct":
            changes = _changes(options["set"])
            try:
                done = rights.correct(phone, changes, owner_id, by=BY)
            except ValidationError as error:
                raise CommandError("; ".join(error.messages)) from None
            self.stdout.write(f"corrected at {done} stores")
        elif action == "object":
            self.stdout.write(f"{rights.object_to(phone, owner_id, by=BY)} consents withdrawn")
        else:
            where = f"at {store}" if store else "at every store"
            if not yes and input(f"Erase this number {where} for good? [y/N] ").lower() != "y":
                raise CommandError("nothing was erased")
            for what, count in rights.erase(phone, owner_id, by=BY).items():
                self.stdout.write(f"{what}: {count}")
            left = [] if owner_id else list(rights.columns_with(phone[1:]))
            if left:
                raise CommandError(f"the number is still in {', '.join(left)}")
            if not owner_id:
                self.stdout.write("searched: the number is nowhere any more")
