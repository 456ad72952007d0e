"""`manage.py suppressions`: lists of numbers that must not be marketed to."""

import sys
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from contacts import audit, suppressions
from contacts.phones import region_of
from contacts.stores import find_store


class Command(BaseCommand):
    help = "Import numbers that must not be marketed to, or export them as keyed hashes."

    def add_arguments(self, parser):
        parser.add_argument("action", choices=["import", "export"])
        parser.add_argument("file", type=Path, nargs="?", help="export: stdout without it")
        parser.add_argument("--store", help="e-mail address or id; without it, for every store")
        parser.add_argument("--reason", default="imported list")

    def handle(self, *, action, file, store, reason, **options):
        owner = find_store(store) if store else None
        owner_id = owner.pk if owner else None
        if action == "export":
            if file is None:
                suppressions.take_out(self.stdout, owner_id)
                return
            with file.open("w", newline="", encoding="utf-8") as target:
                self.stdout.write(f"{suppressions.take_out(target, owner_id)} entries")
            return
        if file is None or not file.is_file():
            raise CommandError("name a file with a number a line")
        region = region_of(owner) if owner else settings.DEFAULT_PHONE_REGION
        with file.open(newline="", encoding="utf-8-sig") as source:
            counts = suppressions.bring_in(source, owner_id, region=region, reason=reason)
        unreadable = counts.pop("unreadable_lines")
        audit.record("suppressions imported", by="command line", owner_id=owner_id, **counts)
        self.stdout.write(f"{counts['added']} added, {counts['known']} known before")
        if unreadable:
            shown = ", ".join(map(str, unreadable[:20]))
            print(f"{len(unreadable)} lines hold no number: {shown}", file=sys.stderr)
