"""`manage.py run_pii_retention`: remove personal data that is past its time, now."""

import json

from django.core.management.base import BaseCommand

from compliance import retention


class Command(BaseCommand):
    help = "Anonymise contacts who opted out more than PII_RETENTION_DAYS ago."

    def add_arguments(self, parser):
        parser.add_argument("--json", action="store_true")

    def handle(self, **options):
        run = retention.run()
        line = f"run {run.pk}: {run.counts['contacts']} contacts anonymised"
        self.stdout.write(json.dumps(run.counts) if options["json"] else line)
