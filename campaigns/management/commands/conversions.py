"""`manage.py conversions`: attribute purchases to the campaigns' messages before them."""

import json
from datetime import timedelta

from django.core.management.base import BaseCommand, CommandError

from astronote.common import audit
from campaigns.conversions import MONTH, attribute_changed_purchases


class Command(BaseCommand):
    help = (
        "Attribute the purchases that were recorded or changed in the last days to the campaigns'"
        " messages before them, as jobs do every 10 minutes and every night."
    )

    def add_arguments(self, parser):
        parser.add_argument("--days", type=int, default=MONTH.days)
        parser.add_argument("--json", action="store_true")

    def handle(self, *, days, **options):
        if not 0 < days <= 3660:
            raise CommandError("the days are between 1 and 3660")
        counts = attribute_changed_purchases(timedelta(days=days))
        if not counts:
            raise CommandError("a job does this now: wait for its end")
        written, deleted = counts["written"], counts["deleted"]
        audit.write_entry(
            "conversions attributed", by="command line", written=written, deleted=deleted
        )
        if options["json"]:
            self.stdout.write(json.dumps(counts))
        else:
            self.stdout.write(f"{written:,} written, {deleted:,} deleted")
