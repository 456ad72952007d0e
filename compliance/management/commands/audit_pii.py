"""`manage.py audit_pii`: the record of processing activities (GDPR, article 30)."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from compliance import personal_data, record

MIN_TABLE_WIDTH = 160
TABLES = ("table", "columns", "purpose", "legal_ground", "period", "categories", "erasure")
PLACES = ("place", "pattern", "purpose", "legal_ground", "period", "categories", "erasure")


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
        if undeclared := list(personal_data.undeclared_columns()):
            raise CommandError(f"not declared in any operations.py: {', '.join(undeclared)}")

    def _print_record_of_processing(self, found: Mapping[str, Any]) -> None:
        text = StringIO()
        console = Console(
            file=text,
            width=max(MIN_TABLE_WIDTH, Console().width),
            force_terminal=self.stdout.isatty(),
            highlight=False,
        )
        for what, value in found["controller"].items():
            console.print(f"{what.replace('_', ' ')}: {value}")
        console.print(f"role: {found['role']}")
        for what in ("recipients", "transfers", "security_measures"):
            console.print(f"\n{what.replace('_', ' ')}:")
            for line in found[what]:
                console.print(f"- {line}")
        console.print("\nperiods:")
        for name, period in found["periods"].items():
            console.print(f"- {name}: {period}")
        for subjects in dict.fromkeys(row["subjects"] for row in found["tables"]):
            console.print(f"\n{subjects}, in PostgreSQL:")
            rows = [row | {"columns": ", ".join(row["columns"])} for row in found["tables"]]
            console.print(_build_table_of_subjects(TABLES, rows, subjects))
            console.print(f"\n{subjects}, elsewhere:")
            console.print(_build_table_of_subjects(PLACES, found["places"], subjects))
        self.stdout.write(text.getvalue())


def _build_table_of_subjects(
    headings: Sequence[str], rows: Iterable[Mapping[str, str]], subjects: str
) -> Table:
    table = Table()
    for at, heading in enumerate(headings):
        table.add_column(heading.replace("_", " "), no_wrap=at == 0)
    for row in rows:
        if row["subjects"] == subjects:
            table.add_row(*(row[heading] for heading in headings))
    return table
