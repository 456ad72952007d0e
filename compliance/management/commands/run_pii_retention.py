"""`manage.py run_pii_retention`: remove personal data that is past its time, now."""

import json

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from compliance import retention


class Command(BaseCommand):
    help = (
        "Anonymise or delete customers past their retention, and remove addresses, payloads and"
        " rejected rows older than PII_RETENTION_DAYS."
    )

    def add_arguments(self, parser):
        parser.add_argument("--dry-run", action="store_true", help="only say what would go")
        parser.add_argument("--json", action="store_true")

    def handle(self, *, dry_run, **options):
        columns = [TextColumn("Removing"), BarColumn(), MofNCompleteColumn(), TextColumn("rows")]
        with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
            task = shown.add_task("", total=None)
            try:
                run = retention.run(dry_run=dry_run, progress=lambda n: shown.advance(task, n))
            except RuntimeError as error:
                raise CommandError(str(error)) from None
        if options["json"]:
            self.stdout.write(json.dumps(run.counts))
            return
        self.stdout.write(f"run {run.pk}{', dry: nothing was changed' if dry_run else ''}")
        for table, count in run.counts.items() or [("nothing is due", "")]:
            self.stdout.write(f"{table}: {count}" if count else table)
