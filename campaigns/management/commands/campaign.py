"""`manage.py campaign`: what an operator does with a campaign."""

import json
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from astronote.accounts.eligibility import SendingBlocked
from astronote.accounts.lookup import get_operator_or_command_error
from astronote.common.command_times import time_argument
from campaigns import actions, schedule, service_campaigns
from campaigns.models import Campaign
from campaigns.reports import campaign_counters_and_report_as_dict

ACTIONS: dict[str, Callable[..., Any]] = {
    "start": actions.start_now,
    "pause": actions.pause_campaign,
    "resume": actions.resume_campaign,
    "cancel": actions.cancel_campaign,
    "schedule": schedule.schedule_campaign,
    "unschedule": schedule.unschedule_campaign,
    "duplicate": actions.duplicate_as_draft,
    "not-reached": actions.get_or_create_draft_to_not_reached,
    "test": actions.enqueue_test_message,
    "ask": service_campaigns.ask_for_confirmation,
    "confirm": service_campaigns.confirm_campaign,
}


class Command(BaseCommand):
    help = (
        "Start, pause, resume, cancel, schedule, unschedule, duplicate or test a campaign; make a"
        " draft to those whom it did not reach (not-reached); ask a second person to confirm a"
        " service campaign, or confirm it."
    )

    def add_arguments(self, parser):
        parser.add_argument("action", choices=ACTIONS)
        parser.add_argument("id", type=int)
        parser.add_argument("--at", type=time_argument, help="store-local, or with zone")
        parser.add_argument("--to", help="number that gets the test")
        parser.add_argument("--by", help="operator who does it; service messages need one")
        parser.add_argument("--json", action="store_true")

    def handle(self, *, action, id, at, to, by, **options):
        campaign = Campaign.objects.select_related("owner").filter(pk=id).first()
        if campaign is None:
            raise CommandError(f"there is no campaign {id}")
        arguments: list[Any] = []
        if action == "schedule":
            if at is None:
                raise CommandError("the time is missing: --at 2026-12-24T09:00")
            arguments = [at]
        elif action == "test":
            if to is None:
                raise CommandError("the number is missing: --to +306900000000")
            arguments = [to]
        elif action == "confirm":
            arguments = [service_campaigns.settings_digest(campaign)]
        actor = get_operator_or_command_error(by) if by else "command line"
        try:
            result = ACTIONS[action](campaign, *arguments, by=actor)
        except (ValueError, SendingBlocked) as error:
            raise CommandError(str(error)) from None
        if action in ("duplicate", "not-reached"):
            campaign = result
        campaign.refresh_from_db()
        answer = campaign_counters_and_report_as_dict(campaign)
        line = f"campaign {campaign.pk}: {campaign.status}"
        self.stdout.write(json.dumps(answer) if options["json"] else line)
