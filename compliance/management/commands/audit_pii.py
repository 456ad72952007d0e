"""`manage.py audit_pii`: the record of processing activities (GDPR, article 30)."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterable, Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from compliance import personal_data, record

LISTS = (
    "controllers_processed_for",
    "recipients",
    "transfers",
    "security_measures",
    "rights",
    "kept_after_an_erasure",
)
SAID_OF_EACH = (
    "purpose",
    "legal_ground",
    "period",
    "categories",
    "source",
    "found",
    "erasure",
)


class Command(BaseCommand):
    help = (
        "Print the record of processing (GDPR, article 30): who is responsible, and every column"
        " and place that holds personal data, with purpose, legal ground and period."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true")

    def handle(self, **options: Any) -> None:
        found = record.record_of_processing()
        if options["json"]:
            self.stdout.write(json.dumps(found))
        else:
            self._print_record_of_processing(found)
        if undeclared := list(personal_data.undeclared_columns_of_personal_types()):
            raise CommandError(f"not declared in any declarations.py: {', '.join(undeclared)}")

    def _print_record_of_processing(self, found: Mapping[str, Any]) -> None:
        for what, value in found["controller"].items():
            self.stdout.write(f"{what.replace('_', ' ')}: {value}")
        self.stdout.write(f"role: {found['role']}")
        for what in LISTS:
            self._print_list(what.replace("_", " "), found[what])
        self._print_list("periods", [f"{name}: {text}" for name, text in found["periods"].items()])
        for subjects in dict.fromkeys(row["subjects"] for row in found["tables"]):
            self.stdout.write(f"\nDATA OF {subjects.upper()}")
            for row in found["tables"]:
                if row["subjects"] == subjects:
                    self._print_entry(f"{row['table']}: {', '.join(row['columns'])}", row)
            for row in found["places"]:
                if row["subjects"] == subjects:
                    self._print_entry(f"{row['place']} {row['pattern']}".rstrip(), row)
        self._print_list(
            "columns that by themselves hold no personal data, and why",
            [
                f"{row['table']} ({', '.join(row['columns'])}): {row['why']}"
                for row in found["columns_without_personal_data"]
            ],
        )

    def _print_list(self, heading: str, lines: Iterable[str]) -> None:
        self.stdout.write(f"\n{heading}:")
        for line in lines:
            self.stdout.write(f"- {line}")

    def _print_entry(self, heading: str, row: Mapping[str, Any]) -> None:
        self.stdout.write(f"\n{heading}")
        for what in SAID_OF_EACH:
            if what in row:
                self.stdout.write(f"    {what.replace('_', ' ')}: {row[what]}")
