"""`manage.py import_contacts`: a customer list from a file."""

import json
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from contacts import csv_import
from contacts.models import ContactImport, ImportStatus
from contacts.progress import follow
from contacts.stores import find_store

COUNTERS = ("processed", "created", "updated", "unchanged", "duplicate", "rejected")
OPEN = (ImportStatus.PENDING, ImportStatus.PROCESSING)


class Command(BaseCommand):
    help = "Store a CSV file of customers and enqueue its import."

    def add_arguments(self, parser):
        parser.add_argument("store", help="e-mail address or id of the store")
        parser.add_argument("file", type=Path)
        parser.add_argument("--list", dest="list_name", help="also put the contacts on this list")
        parser.add_argument(
            "--welcome", action="store_true", help="new contacts may get the welcome message"
        )
        parser.add_argument("--wait", action="store_true", help="until the import has ended")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *, store, file, list_name, welcome, wait, **options):
        owner = find_store(store)
        try:
            job = csv_import.store_file(owner.pk, file, list_name, welcome=welcome)
        except (csv_import.ImportRefused, OSError) as error:
            raise CommandError(str(error)) from None
        if wait:
            follow("Import", None, lambda: _progress(job))
        result = {name: getattr(job, name) for name in ("id", "status", *COUNTERS)}
        if options["json"]:
            self.stdout.write(json.dumps(result))
        else:
            self.stdout.write(", ".join(f"{name} {value}" for name, value in result.items()))
        if job.status == ImportStatus.FAILED:
            raise CommandError(job.error)


def _progress(job: ContactImport) -> tuple[int, bool]:
    job.refresh_from_db()
    return job.processed, job.status not in OPEN
