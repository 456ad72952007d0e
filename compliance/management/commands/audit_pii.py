"""`manage.py audit_pii`: where personal data is, what for, and how long."""

import json

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from compliance import personal_data


class Command(BaseCommand):
    help = "List every column that holds personal data, its purpose and its period."

    def add_arguments(self, parser):
        parser.add_argument("--json", action="store_true")

    def handle(self, **options):
        rows = [
            {"table": apps.get_model(held.model)._meta.db_table, "column": field,
             "purpose": held.purpose, "period": held.period}
            for held in personal_data.PERSONAL for field in held.fields.split()
        ]  # fmt: skip
        if options["json"]:
            self.stdout.write(json.dumps(rows))
        else:
            table = Table("table", "column", "purpose", "period")
            for row in rows:
                table.add_row(*row.values())
            Console(file=self.stdout._out, width=max(120, Console().width)).print(table)
        if missing := list(personal_data.undeclared()):
            raise CommandError(f"not declared in compliance/personal_data.py: {', '.join(missing)}")
