"""`manage.py audit_pii`: where personal data is, what for, and how long."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from io import StringIO
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from astronote.operations import registry
from compliance import personal_data

MIN_TABLE_WIDTH = 120


class Command(BaseCommand):
    help = "List every column that holds personal data, with its purpose and its period."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true")

    def handle(self, **options: Any) -> None:
        rows = [
            {
                "table": apps.get_model(declaration.model)._meta.db_table,
                "column": field,
                "purpose": declaration.purpose,
                "period": declaration.period,
            }
            for declaration in registry.personal_data
            for field in declaration.fields
        ]
        if options["json"]:
            self.stdout.write(json.dumps(rows))
        else:
            table = Table("table", "column", "purpose", "period")
            for row in rows:
                table.add_row(*row.values())
            text = StringIO()
            width = max(MIN_TABLE_WIDTH, Console().width)
            Console(file=text, width=width, force_terminal=self.stdout.isatty()).print(table)
            self.stdout.write(text.getvalue())
        if undeclared := list(personal_data.undeclared_columns()):
            raise CommandError(f"not declared in any operations.py: {', '.join(undeclared)}")
