"""`manage.py send_campaign`: creates a campaign and starts or schedules it."""

import json
from collections.abc import Sequence
from typing import TypeVar

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from astronote.accounts.eligibility import SendingBlocked
from astronote.accounts.lookup import (
    get_operator_or_command_error,
    get_store_or_command_error,
)
from astronote.common.command_times import time_argument
from astronote.common.counts import counted_in_english
from astronote.common.progress import wait_with_progress_bar
from astronote.models import User
from campaigns import enqueue, schedule
from campaigns.models import (
    FINAL_CAMPAIGN_STATUSES,
    AgeGroup,
    AudienceChoice,
    Campaign,
    CampaignStatus,
    Segment,
)
from campaigns.preview import CampaignPreview, preview_campaign
from campaigns.reports import campaign_counters_and_report_as_dict
from campaigns.service_campaigns import (
    MESSAGE_TYPE_MEANINGS,
    NotPermitted,
    raise_not_permitted_if_may_not_send_type,
)
from contacts.models import Gender, List, MessageType
from messaging import sending_stop
from messaging.models import MessageTemplate

Named = TypeVar("Named", List, MessageTemplate, Segment)


class Command(BaseCommand):
    help = "Send a text to lists and segments, to everybody, or by gender and age group."

    def add_arguments(self, parser):
        parser.add_argument("store", help="e-mail address or id")
        parser.add_argument("--name", required=True)
        parser.add_argument("--text", help="may have tags such as {{first_name}}")
        parser.add_argument("--template", help="name of the template that gives the text")
        parser.add_argument("--list", dest="list_name")
        parser.add_argument("--also-list", action="append", help="a further list; repeatable")
        parser.add_argument("--segment", dest="segments", action="append", help="repeatable")
        parser.add_argument("--without-list", action="append", help="its members get no message")
        parser.add_argument("--without-segment", action="append", help="its contacts get none")
        parser.add_argument(
            "--everybody", action="store_true", help="all who agreed to this type of message"
        )
        parser.add_argument("--gender", choices=Gender.values)
        parser.add_argument("--age-group", choices=AgeGroup.values)
        parser.add_argument(
            "--type",
            choices=MessageType.values,
            default=MessageType.MARKETING,
            help=str(MESSAGE_TYPE_MEANINGS),
        )
        parser.add_argument("--offer", default="", help="address that {{offer_link}} leads to")
        parser.add_argument(
            "--preview", action="store_true", help="only show text, recipients and cost"
        )
        parser.add_argument("--at", type=time_argument, help="store-local, or with zone")
        parser.add_argument("--by", help="operator who does it; service messages need one")
        parser.add_argument("--wait", action="store_true", help="wait until the campaign has ended")
        parser.add_argument("--json", action="store_true")

    def handle(self, *, store, name, text, list_name, at, by, wait, **options):
        owner = get_store_or_command_error(store)
        account = get_operator_or_command_error(by) if by else None
        actor = account or "command line"
        template = None
        if options["template"]:
            template = _get_named_or_command_error(MessageTemplate, owner, options["template"])
            text = text or template.text
        if not text:
            raise CommandError("the text is missing: give --text or --template")
        target = _get_named_or_command_error(List, owner, list_name) if list_name else None
        choices = [
            *_build_unsaved_audience_choices_or_command_error(owner, "list", options["also_list"]),
            *_build_unsaved_audience_choices_or_command_error(
                owner, "segment", options["segments"]
            ),
        ]
        filters = (options["gender"], options["age_group"])
        if not (target or choices or options["everybody"] or any(filters)):
            raise CommandError(
                "the audience is missing: give --list, --segment, --everybody, --gender or"
                " --age-group"
            )
        choices += _build_unsaved_audience_choices_or_command_error(
            owner, "list", options["without_list"], is_excluded=True
        )
        choices += _build_unsaved_audience_choices_or_command_error(
            owner, "segment", options["without_segment"], is_excluded=True
        )
        campaign = Campaign(
            owner=owner,
            created_by=account or owner,
            name=name,
            message_text=text,
            template=template,
            message_type=options["type"],
            offer_url=options["offer"],
            list=target,
            to_everybody=options["everybody"],
            filter_gender=options["gender"],
            filter_age_group=options["age_group"],
        )
        campaign.choose_audience(choices)
        try:
            campaign.full_clean()
        except ValidationError as error:
            raise CommandError("; ".join(dict.fromkeys(error.messages))) from None
        if options["preview"]:
            self._print_preview(preview_campaign(campaign), as_json=options["json"])
            return
        try:
            raise_not_permitted_if_may_not_send_type(campaign.message_type, actor)
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
        answer = campaign_counters_and_report_as_dict(campaign)
        self.stdout.write(
            json.dumps(answer)
            if options["json"]
            else f"campaign {campaign.pk}: {campaign.status},"
            f" {counted_in_english(campaign.total, 'message')}"
        )
        if wait and campaign.status != CampaignStatus.COMPLETED:
            raise CommandError(f"the campaign ended as {campaign.status}")

    def _print_preview(self, preview: CampaignPreview, *, as_json: bool) -> None:
        answer = preview.as_dict()
        lines = "\n".join(f"{name}: {value}" for name, value in answer.items())
        self.stdout.write(json.dumps(answer) if as_json else lines)


def _build_unsaved_audience_choices_or_command_error(
    owner: User, list_or_segment: str, names: Sequence[str] | None, *, is_excluded: bool = False
) -> list[AudienceChoice]:
    """Parts of an audience by the names of lists or segments of the store.

    Args:
        owner: the store.
        list_or_segment: `list` or `segment`.
        names: the names; None if the option was not given.
        is_excluded: whether their contacts are left out.
    """
    choices = []
    for name in dict.fromkeys(names or ()):
        choice = AudienceChoice(is_excluded=is_excluded)
        if list_or_segment == "list":
            choice.list = _get_named_or_command_error(List, owner, name)
        else:
            choice.segment = _get_named_or_command_error(Segment, owner, name)
        choices.append(choice)
    return choices


def _get_named_or_command_error(model: type[Named], owner: User, name: str) -> Named:
    """The list, segment or template of a store by its name."""
    found: Named | None = model._default_manager.filter(owner=owner, name=name).first()
    if found is None:
        raise CommandError(f"the store has no {model._meta.verbose_name} {name!r}")
    return found


def _refresh_and_get_progress(campaign: Campaign) -> tuple[int, bool]:
    campaign.refresh_from_db()
    return campaign.processed, campaign.status in FINAL_CAMPAIGN_STATUSES
