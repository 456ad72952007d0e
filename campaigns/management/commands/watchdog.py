"""`manage.py watchdog`: runs every repair once."""

import json

from django.core.management.base import BaseCommand, CommandError

from astronote.operations.watchdog import run_watchdog


class Command(BaseCommand):
    help = "Find what is stuck and repair it, now."

    def add_arguments(self, parser):
        parser.add_argument("--dry-run", action="store_true", help="only count what is stuck")
        parser.add_argument("--json", action="store_true")

    def handle(self, *, dry_run, **options):
        counts = run_watchdog(dry_run=dry_run)
        if not counts:
            raise CommandError("another process runs the watchdog now")
        lines = "\n".join(f"{name.replace('_', ' ')}: {count}" for name, count in counts.items())
        self.stdout.write(json.dumps(counts) if options["json"] else lines)
