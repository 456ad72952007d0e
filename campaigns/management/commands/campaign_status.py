"""`manage.py campaign_status`: what a campaign has come to."""

import json

from django.core.management.base import BaseCommand, CommandError

from campaigns import message_csv
from campaigns.analytics import campaign_csv, of_campaign
from campaigns.models import Campaign
from campaigns.reporting import report


class Command(BaseCommand):
    help = "Show a campaign's state, counts and report."

    def add_arguments(self, parser):
        parser.add_argument("id", type=int)
        form = parser.add_mutually_exclusive_group()
        form.add_argument("--json", action="store_true")
        form.add_argument("--csv", action="store_true", help="also what happened when")
        form.add_argument("--messages", action="store_true", help="each message, as CSV")

    def handle(self, *, id, **options):
        campaign = Campaign.objects.filter(pk=id).first()
        if campaign is None:
            raise CommandError(f"there is no campaign {id}")
        if options["messages"]:
            for line in message_csv.lines(campaign.pk):
                self.stdout.write(line, ending="")
            return
        if options["csv"]:
            self.stdout.write(campaign_csv(of_campaign(campaign)), ending="")
            return
        answer = report(campaign)
        lines = "\n".join(f"{name}: {value}" for name, value in answer.items())
        self.stdout.write(json.dumps(answer) if options["json"] else lines)
