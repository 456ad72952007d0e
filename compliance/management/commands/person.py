"""`manage.py person`: the rights of a person."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from astronote.accounts.lookup import get_store_or_command_error
from astronote.common.counts import counted_in_english
from astronote.common.private_files import open_for_owner_alone
from compliance import access, rights
from contacts.importing.cells import UnusableCell
from contacts.importing.phone_cells import parse_phone_to_e164_or_raise_unusable

BY = "command line"
ACTIONS = ("export", "correct", "restrict", "lift", "erase", "object")


class Command(BaseCommand):
    help = (
        "Export, correct, restrict or erase the data held on a phone number, or opt it out of"
        " everything."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=ACTIONS)
        parser.add_argument("number", help="with + and country code, or of DEFAULT_PHONE_REGION")
        parser.add_argument("--store", help="e-mail address or id; without it, at all stores")
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="FIELD=VALUE",
            help=f"correct: one of {', '.join(rights.CORRECTABLE_FIELDS)}",
        )
        parser.add_argument(
            "--html", type=Path, metavar="FILE", help="export: write a page, instead of JSON"
        )
        parser.add_argument("--reason", default="", help="restrict: why; it is stored")
        parser.add_argument("--yes", action="store_true", help="erase without asking")

    def handle(
        self, *, action: str, number: str, store: str | None, yes: bool, **options: Any
    ) -> None:
        try:
            phone = parse_phone_to_e164_or_raise_unusable(number, settings.DEFAULT_PHONE_REGION)
        except UnusableCell as problem:
            raise CommandError(str(problem)) from None
        owner_id = get_store_or_command_error(store).pk if store else None
        if action == "export":
            held = rights.collect_held_data_of_person_and_audit(phone, owner_id, by=BY)
            if path := options["html"]:
                with open_for_owner_alone(path, "w", encoding="utf-8") as file:
                    file.write(access.held_data_as_html_page(held))
                self.stdout.write(f"{path} written")
            else:
                self.stdout.write(access.held_data_as_json(held))
        elif action == "correct":
            changes = _parse_field_changes(options["set"])
            try:
                count = rights.correct_contacts_with_phone_and_audit(
                    phone, changes, owner_id, by=BY
                )
            except ValidationError as error:
                raise CommandError("; ".join(error.messages)) from None
            self.stdout.write(f"corrected at {counted_in_english(count, 'store')}")
        elif action == "object":
            count = rights.withdraw_all_consent(phone, owner_id, by=BY)
            self.stdout.write(
                f"{counted_in_english(count, 'consent')} withdrawn; the number is suppressed"
            )
        elif action == "restrict":
            if not options["reason"]:
                raise CommandError("say why with --reason, such as --reason 'disputes the data'")
            count = rights.restrict_contacts_with_phone(
                phone, owner_id, reason=options["reason"], by=BY
            )
            self.stdout.write(f"restricted at {counted_in_english(count, 'store')}")
        elif action == "lift":
            count = rights.lift_restrictions_of_contacts_with_phone(phone, owner_id, by=BY)
            self.stdout.write(f"no longer restricted at {counted_in_english(count, 'store')}")
        else:
            self._confirm_erase_and_verify(
                phone, owner_id, f"at {store}" if store else "at all stores", yes=yes
            )

    def _confirm_erase_and_verify(
        self, e164_phone: str, owner_id: int | None, scope_text: str, *, yes: bool
    ) -> None:
        """Erase after a confirmation, and say what a search for the person still finds."""
        if not yes and input(f"Erase this number {scope_text} for good? [y/N] ").lower() != "y":
            raise CommandError("nothing was erased")
        erasure = rights.erase_or_restrict_person_by_phone(e164_phone, owner_id, by=BY)
        for kind, count in erasure.counts.items():
            self.stdout.write(f"{kind}: {count}")
        for owner in erasure.restricted:
            self.stdout.write(
                f"store {owner}: not erased, because its contact is under a legal hold; the contact"
                " is restricted instead"
            )
        for trace in erasure.left:
            if trace.reason:
                self.stdout.write(f"kept: {trace}")
        if erasure.traces_left_without_reason:
            raise CommandError(
                f"still in {', '.join(map(str, erasure.traces_left_without_reason))}"
            )
        self.stdout.write(
            "searched every table and column, uploaded and temporary files, sessions and Redis for"
            " number, e-mail address and full name: nothing else is left"
        )


def _parse_field_changes(pairs: list[str]) -> dict[str, str | None]:
    """New values by field, from FIELD=VALUE pairs; an empty value empties the field."""
    changes: dict[str, str | None] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or name not in rights.CORRECTABLE_FIELDS:
            fields = " or ".join(rights.CORRECTABLE_FIELDS)
            raise CommandError(f"--set {pair}: expected {fields}, then = and the value")
        changes[name] = value or (None if name in ("birthday", "gender") else "")
    if not changes:
        raise CommandError("name the correct values, such as --set first_name=Maria")
    return changes
