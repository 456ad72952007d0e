"""`manage.py suppressions`: lists of numbers that must not be marketed to."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from astronote.accounts.lookup import get_store_or_command_error
from astronote.common import audit
from astronote.common.counts import counted_in_english
from astronote.common.private_files import open_for_owner_alone
from contacts import suppressions
from contacts.importing.import_refused import ImportRefused


class Command(BaseCommand):
    help = "Import numbers that must not be marketed to, or export them as keyed hashes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["import", "export"])
        parser.add_argument("file", type=Path, nargs="?", help="export: stdout without it")
        parser.add_argument("--store", help="e-mail address or id; without it, for all stores")
        parser.add_argument("--reason", default="imported list")

    def handle(
        self, *, action: str, file: Path | None, store: str | None, reason: str, **options: Any
    ) -> None:
        owner = get_store_or_command_error(store) if store else None
        if action == "export":
            self._write_suppressions_csv_to_file_or_output(file, owner.pk if owner else None)
            audit.write_entry(
                "suppressions exported", by="command line", owner_id=owner.pk if owner else None
            )
            return
        if file is None or not file.is_file():
            raise CommandError("name a file with one number a line")
        try:
            counts = suppressions.import_suppression_list(
                file, owner, reason=reason, by="command line"
            )
        except ImportRefused as problem:
            raise CommandError(str(problem)) from None
        self.stdout.write(f"{counts['added']:,} added, {counts['known']:,} known before")
        if counts["unreadable_lines"]:
            self.stderr.write(suppressions.describe_unreadable_lines(counts))

    def _write_suppressions_csv_to_file_or_output(
        self, file: Path | None, owner_id: int | None
    ) -> None:
        if file is None:
            suppressions.write_suppressions_csv(self.stdout, owner_id)
            return
        with open_for_owner_alone(file, "w", newline="", encoding="utf-8") as target:
            count = suppressions.write_suppressions_csv(target, owner_id)
        self.stdout.write(f"{counted_in_english(count, 'entry', 'entries')}")
