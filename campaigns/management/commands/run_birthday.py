"""`manage.py run_birthday`: sends the day's birthday messages now."""

import json

from django.core.management.base import BaseCommand, CommandError

from astronote.common import audit
from astronote.common.command_times import day_argument
from campaigns.automations import birthday


class Command(BaseCommand):
    help = (
        "Send the birthday messages that are due: from each store's hour on, with up to two days"
        " that were missed. Nobody gets two in a year."
    )

    def add_arguments(self, parser):
        parser.add_argument("--date", type=day_argument, help="this day for every store, at once")
        parser.add_argument("--dry-run", action="store_true", help="only count who is due")
        parser.add_argument("--json", action="store_true")

    def handle(self, *, date, dry_run, **options):
        counts = birthday.enqueue_birthday_messages(day_for_all_stores=date, dry_run=dry_run)
        if not counts:
            raise CommandError("another process sends the birthday messages now")
        if not dry_run:
            audit.write_entry("birthday run", by="command line", counts=counts)
        line = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items())
        self.stdout.write(json.dumps(counts) if options["json"] else line)
