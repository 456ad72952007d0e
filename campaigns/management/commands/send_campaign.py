"""`manage.py send_campaign`: creates a campaign and starts or schedules it."""

import json
from datetime import datetime

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from astronote.accounts.eligibility import SendingBlocked
from astronote.accounts.lookup import get_operator_or_command_error, get_store_or_command_error
from astronote.common.progress import wait_with_progress_bar
from campaigns import enqueue, schedule
from campaigns.models import FINAL_CAMPAIGN_STATUSES, AgeGroup, Campaign, CampaignStatus
from campaigns.preview import CampaignPreview, preview_campaign
from campaigns.reports import campaign_summary
from campaigns.service_campaigns import (
    MESSAGE_TYPE_MEANINGS,
    NotPermitted,
    require_permission_to_send_type,
)
from contacts.models import Gender, List, MessageType
from messaging import sending_stop


class Command(BaseCommand):
    help = "Send a text to a list, or to contacts by gender and age group."

    def add_arguments(self, parser):
        parser.add_argument("store", help="e-mail address or id")
        parser.add_argument("--name", required=True)
        parser.add_argument("--text", required=True, help="may have tags such as {{first_name}}")
        parser.add_argument("--list", dest="list_name")
        parser.add_argument("--gender", choices=Gender.values)
        parser.add_argument("--age-group", choices=AgeGroup.values)
        parser.add_argument(
            "--type",
            choices=MessageType.values,
            default=MessageType.MARKETING,
            help=MESSAGE_TYPE_MEANINGS,
        )
        parser.add_argument("--offer", default="", help="address that {{offer_link}} leads to")
        parser.add_argument(
            "--preview", action="store_true", help="only show text, recipients and cost"
        )
        parser.add_argument("--at", type=datetime.fromisoformat, help="store-local, or with zone")
        parser.add_argument("--by", help="operator who does it; service messages need one")
        parser.add_argument("--wait", action="store_true", help="wait until the campaign has ended")
        parser.add_argument("--json", action="store_true")

    def handle(self, *, store, name, text, list_name, at, by, wait, **options):
        owner = get_store_or_command_error(store)
        account = get_operator_or_command_error(by) if by else None
        actor = account or "command line"
        target = None
        if list_name:
            target = List.objects.filter(owner=owner, name=list_name).first()
            if target is None:
                raise CommandError(f"the store has no list {list_name!r}")
        elif not (options["gender"] or options["age_group"]):
            raise CommandError("the audience is missing: give --list, --gender or --age-group")
        campaign = Campaign(
            owner=owner,
            created_by=account or owner,
            name=name,
            message_text=text,
            message_type=options["type"],
            offer_url=options["offer"],
            list=target,
            filter_gender=options["gender"],
            filter_age_group=options["age_group"],
        )
        try:
            campaign.full_clean()
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from None
        if options["preview"]:
            self._print_preview(preview_campaign(campaign), as_json=options["json"])
            return
        try:
            require_permission_to_send_type(campaign.message_type, actor)
        except NotPermitted as error:
            raise CommandError(str(error)) from None
        campaign.save()
        try:
            if at:
                schedule.schedule_campaign(campaign, at, by=actor)
            else:
                enqueue.enqueue_campaign(campaign.pk, by=actor)
        except (SendingBlocked, ValueError) as error:
            raise CommandError(f"campaign {campaign.pk} was not started: {error}") from None
        campaign.refresh_from_db()
        for stop in sending_stop.describe_stops():
            self.stderr.write(stop)
        if wait:
            wait_with_progress_bar(
                "Sending", campaign.total or None, lambda: _refresh_and_get_progress(campaign)
            )
        answer = campaign_summary(campaign)
        self.stdout.write(
            json.dumps(answer)
            if options["json"]
            else f"campaign {campaign.pk}: {campaign.status}, {campaign.total} messages"
        )
        if wait and campaign.status != CampaignStatus.COMPLETED:
            raise CommandError(f"the campaign ended as {campaign.status}")

    def _print_preview(self, preview: CampaignPreview, *, as_json: bool) -> None:
        answer = preview.as_dict()
        lines = "\n".join(f"{name}: {value}" for name, value in answer.items())
        self.stdout.write(json.dumps(answer) if as_json else lines)


def _refresh_and_get_progress(campaign: Campaign) -> tuple[int, bool]:
    campaign.refresh_from_db()
    return campaign.processed, campaign.status in FINAL_CAMPAIGN_STATUSES
