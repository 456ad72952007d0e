"""`manage.py campaign_status`: the status, counters and report of a campaign."""

import json

from django.core.management.base import BaseCommand, CommandError

from astronote.common import audit
from campaigns import message_csv
from campaigns.models import Campaign
from campaigns.reports import (
    campaign_counters_and_report_as_dict,
    campaign_report,
    campaign_report_as_csv,
)
from messaging import sending_stop


class Command(BaseCommand):
    help = "Show a campaign's status, counters and report."

    def add_arguments(self, parser):
        parser.add_argument("id", type=int)
        output = parser.add_mutually_exclusive_group()
        output.add_argument("--json", action="store_true")
        output.add_argument("--csv", action="store_true", help="the report with counts over time")
        output.add_argument("--messages", action="store_true", help="each message, as CSV")

    def handle(self, *, id, **options):
        campaign = Campaign.objects.filter(pk=id).first()
        if campaign is None:
            raise CommandError(f"there is no campaign {id}")
        if options["messages"]:
            audit.write_entry("messages exported", campaign, by="command line")
            for line in message_csv.stream_message_csv_heading_and_lines(campaign.pk):
                self.stdout.write(line, ending="")
            return
        if options["csv"]:
            audit.write_entry("report exported", campaign, by="command line")
            self.stdout.write(campaign_report_as_csv(campaign_report(campaign)), ending="")
            return
        for stop in sending_stop.describe_stops():
            self.stderr.write(stop)
        answer = campaign_counters_and_report_as_dict(campaign)
        lines = "\n".join(f"{name}: {value}" for name, value in answer.items())
        self.stdout.write(json.dumps(answer) if options["json"] else lines)
