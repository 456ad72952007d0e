"""`manage.py campaign`: what an operator does with a campaign."""

import json
from datetime import datetime

from django.core.management.base import BaseCommand, CommandError

from campaigns import control, schedule
from campaigns.models import Campaign
from campaigns.reporting import report
from messaging.standing import Blocked

ACTIONS = {
    "start": lambda campaign, by, **_: control.start(campaign, by=by),
    "pause": lambda campaign, by, **_: control.pause(campaign, by=by),
    "resume": lambda campaign, by, **_: control.resume(campaign, by=by),
    "cancel": lambda campaign, by, **_: control.cancel(campaign, by=by),
    "schedule": lambda campaign, by, at, **_: schedule.schedule(campaign, at, by=by),
    "unschedule": lambda campaign, by, **_: schedule.unschedule(campaign, by=by),
    "duplicate": lambda campaign, by, **_: control.duplicate(campaign, by=by),
    "test": lambda campaign, by, to, **_: control.send_test(campaign, to, by=by),
}
BY = "command line"


class Command(BaseCommand):
    help = "Start, pause, resume, cancel, schedule, unschedule, duplicate or test a campaign."

    def add_arguments(self, parser):
        parser.add_argument("action", choices=ACTIONS)
        parser.add_argument("id", type=int)
        parser.add_argument("--at", type=datetime.fromisoformat, help="store-local, or with zone")
        parser.add_argument("--to", help="number that gets the test")
        parser.add_argument("--json", action="store_true")

    def handle(self, *, action, id, at, to, **options):
        campaign = Campaign.objects.select_related("owner").filter(pk=id).first()
        if campaign is None:
            raise CommandError(f"there is no campaign {id}")
        if action == "schedule" and at is None:
            raise CommandError("say when: --at 2031-12-24T09:00")
        if action == "test" and to is None:
            raise CommandError("say to whom: --to +306900000000")
        try:
            made = ACTIONS[action](campaign, BY, at=at, to=to)
        except (ValueError, Blocked) as error:
            raise CommandError(str(error)) from None
        if action == "duplicate":
            campaign = made
        campaign.refresh_from_db()
        answer = report(campaign)
        line = f"campaign {campaign.pk}: {campaign.status}"
        self.stdout.write(json.dumps(answer) if options["json"] else line)
