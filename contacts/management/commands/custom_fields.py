"""`manage.py custom_fields`: what a store knows of its contacts besides the usual."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from astronote.accounts.lookup import get_store_or_command_error
from astronote.common import audit
from contacts.custom_fields import fields_of_store, fill_from_file
from contacts.importing.import_refused import ImportRefused
from contacts.models import CustomField, CustomFieldType

BY = "command line"


class Command(BaseCommand):
    help = "List or add custom fields of a store, or fill them from a file of numbers and values."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        listing = actions.add_parser("list", help="the fields of a store")
        adding = actions.add_parser("add", help="define a field")
        filling = actions.add_parser("fill", help="fill fields from a file")
        for one in (listing, adding, filling):
            one.add_argument("store", help="e-mail address or id")
        adding.add_argument("key", help="such as city")
        adding.add_argument("--label", help="default: the key")
        adding.add_argument("--type", choices=CustomFieldType.values, default=CustomFieldType.TEXT)
        filling.add_argument("--encoding", default="", help="such as cp1253; else detected")
        filling.add_argument("file", type=Path, help="CSV or .xlsx: number, and keys of fields")

    def handle(self, *, action: str, store: str, **options: Any) -> None:
        owner = get_store_or_command_error(store)
        try:
            getattr(self, f"_{action}")(owner, **options)
        except FileNotFoundError:
            raise CommandError(f"there is no file {options['file']}") from None
        except ImportRefused as problem:
            raise CommandError(str(problem)) from None
        except ValidationError as problem:
            raise CommandError("; ".join(problem.messages)) from None

    def _list(self, owner: Any, **_: Any) -> None:
        for field in fields_of_store(owner):
            self.stdout.write(f"{field.key}: {field.label}, {field.type}")

    def _add(self, owner: Any, *, key: str, label: str | None, type: str, **_: Any) -> None:
        field = CustomField(owner=owner, key=key, label=label or key, type=type)
        field.full_clean()
        with transaction.atomic():
            field.save()
            audit.write_entry("added", field, by=BY)
        self.stdout.write(f"{field.key}: {field.label}, {field.type}")

    def _fill(self, owner: Any, *, file: Path, encoding: str, **_: Any) -> None:
        rejected = 0

        def reject(line: int, reason: str) -> None:
            nonlocal rejected
            rejected += 1
            self.stderr.write(f"line {line}: {reason}")

        counts = fill_from_file(owner, file, by=BY, encoding=encoding, reject=reject)
        self.stdout.write(
            f"{counts.updated:,} changed, {counts.unchanged:,} as they were, {rejected:,} rejected"
        )
