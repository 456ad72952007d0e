"""`manage.py campaign_status`: what a campaign has come to."""

import json

from django.core.management.base import BaseCommand, CommandError

from campaigns.models import Campaign
from campaigns.reporting import report


class Command(BaseCommand):
    help = "Show a campaign's state and counts."

    def add_arguments(self, parser):
        parser.add_argument("id", type=int)
        parser.add_argument("--json", action="store_true")

    def handle(self, *, id, **options):
        campaign = Campaign.objects.filter(pk=id).first()
        if campaign is None:
            raise CommandError(f"there is no campaign {id}")
        answer = report(campaign)
        lines = "\n".join(f"{name}: {value}" for name, value in answer.items())
        self.stdout.write(json.dumps(answer) if options["json"] else lines)
