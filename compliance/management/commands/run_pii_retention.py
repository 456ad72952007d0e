"""`manage.py run_pii_retention`: run retention now."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from compliance import retention


class Command(BaseCommand):
    help = (
        "Anonymise or delete contacts that are past their period, and remove addresses, payloads"
        " and rejected rows older than PII_RETENTION_DAYS."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="only count what would be removed"
        )
        parser.add_argument("--json", action="store_true")

    def handle(self, *, dry_run: bool, **options: Any) -> None:
        columns = [TextColumn("Removing"), BarColumn(), MofNCompleteColumn(), TextColumn("rows")]
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("", total=None)
            try:
                run = retention.run_retention_or_raise_if_running(
                    dry_run=dry_run,
                    progress=lambda row_count: bar.advance(task, row_count),
                    by="command line",
                )
            except RuntimeError as error:
                raise CommandError(str(error)) from None
        if options["json"]:
            self.stdout.write(json.dumps(run.counts))
            return
        self.stdout.write(f"run {run.pk}{' (dry run: nothing was changed)' if dry_run else ''}")
        for table, count in run.counts.items():
            self.stdout.write(f"{table}: {count:,}")
        if not run.counts:
            self.stdout.write("nothing is due")
