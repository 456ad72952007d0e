"""`manage.py contact_import`: what an operator does with an uploaded import."""

import json
import sys

from django.core.management.base import BaseCommand, CommandError

from contacts.importing import rejected, run
from contacts.models import ContactImport

BY = "command line"


class Command(BaseCommand):
    help = "Start or cancel an import, show how far it is, or print its rejected rows as CSV."

    def add_arguments(self, parser):
        parser.add_argument("action", choices=["start", "cancel", "status", "rejected"])
        parser.add_argument("id", type=int)
        parser.add_argument("--json", action="store_true")

    def handle(self, *, action, id, **options):
        job = ContactImport.objects.filter(pk=id).first()
        if job is None:
            raise CommandError(f"there is no import {id}")
        if action == "rejected":
            for line in rejected.lines(job):
                sys.stdout.write(line)
            return
        try:
            if action in ("start", "cancel"):
                getattr(run, action)(job, by=BY)
        except ValueError as error:
            raise CommandError(str(error)) from None
        state = run.progress(job)
        line = ", ".join(f"{name} {value}" for name, value in state.items())
        self.stdout.write(json.dumps(state) if options["json"] else line)
