"""`manage.py contact_import`: start, cancel or show an uploaded import."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from astronote.common import audit
from astronote.common.sql import database_now
from contacts.importing import lifecycle, rejected
from contacts.models import ContactImport

BY = "command line"


class Command(BaseCommand):
    help = "Start or cancel an import, show how far it is, or print its rejected rows as CSV."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["start", "cancel", "status", "rejected"])
        parser.add_argument("id", type=int)
        parser.add_argument("--json", action="store_true")

    def handle(self, *, action: str, id: int, **options: Any) -> None:
        contact_import = ContactImport.objects.filter(pk=id).first()
        if contact_import is None:
            raise CommandError(f"there is no import {id}")
        if action == "rejected":
            audit.write_entry("rejected rows exported", contact_import, by=BY)
            for line in rejected.rejected_csv_lines_with_bom_and_heading(contact_import):
                sys.stdout.write(line)
            return
        try:
            if action == "start":
                lifecycle.start_import_audit_and_enqueue_or_raise(contact_import, by=BY)
            elif action == "cancel":
                lifecycle.cancel_import_and_audit_or_raise_ended(contact_import, by=BY)
        except ValueError as error:
            raise CommandError(str(error)) from None
        progress = lifecycle.import_progress(contact_import, database_now())
        line = ", ".join(f"{name} {value}" for name, value in progress.items())
        self.stdout.write(json.dumps(progress) if options["json"] else line)
