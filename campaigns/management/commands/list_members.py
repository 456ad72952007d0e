"""`manage.py list_members`: adds contacts to a list, or removes them from it."""

import json

from django.core.management.base import BaseCommand, CommandError

from astronote.accounts.lookup import (
    get_operator_or_command_error,
    get_store_or_command_error,
)
from campaigns import list_members
from campaigns.audience import local_today
from campaigns.models import Campaign, Segment
from campaigns.segments import contacts_with_phone_matching_segment, segment_problem
from contacts.models import List


class Command(BaseCommand):
    help = "Add contacts to a list or remove them: by number, by segment or by a campaign's result."

    def add_arguments(self, parser):
        parser.add_argument("action", choices=["add", "remove"])
        parser.add_argument("store", help="e-mail address or id")
        parser.add_argument("list_name", help="add: created if the store has none of this name")
        parser.add_argument("--number", action="append", help="of a contact; repeatable")
        parser.add_argument("--segment", help="all contacts that match it now")
        parser.add_argument("--campaign", type=int, help="id; with --result")
        parser.add_argument("--result", choices=list_members.CampaignResult.values)
        parser.add_argument("--by", help="operator who does it")
        parser.add_argument("--json", action="store_true")

    def handle(self, *, action, store, list_name, by, **options):
        owner = get_store_or_command_error(store)
        actor = get_operator_or_command_error(by) if by else "command line"
        contacts, problems = self._find_contacts_and_problems_or_command_error(owner, options)
        target = List.objects.filter(owner=owner, name=list_name).first()
        if target is None and action == "remove":
            raise CommandError(f"the store has no list {list_name!r}")
        target = target or List.objects.create(owner=owner, name=list_name)
        change = {
            "add": list_members.add_members,
            "remove": list_members.remove_contacts_from_list_and_audit,
        }[action]
        count = change(target, contacts, by=actor)
        for problem in problems:
            self.stderr.write(problem)
        answer = {"list": target.pk, "changed": count, "not_used": len(problems)}
        done = {"add": "added", "remove": "removed"}[action]
        self.stdout.write(json.dumps(answer) if options["json"] else f"{count:,} {done}")

    def _find_contacts_and_problems_or_command_error(self, owner, options):
        """The contacts that the options name, and what was not used."""
        sources = ("number", "segment", "campaign")
        if sum(bool(options[name]) for name in sources) != 1:
            raise CommandError("give one of --number, --segment and --campaign")
        if options["number"]:
            found = list_members.find_contacts_by_written_numbers(owner, options["number"])
            problems = [f"{one}: no contact of the store" for one in found.unknown]
            problems += [f"{one}: no number, or one with two readings" for one in found.unreadable]
            return found.contacts, problems
        if options["segment"]:
            segment = Segment.objects.filter(owner=owner, name=options["segment"]).first()
            if segment is None:
                raise CommandError(f"the store has no segment {options['segment']!r}")
            if problem := segment_problem(segment):
                raise CommandError(problem)
            return contacts_with_phone_matching_segment(segment, local_today(owner)), []
        campaign = Campaign.objects.filter(owner=owner, pk=options["campaign"]).first()
        if campaign is None or not options["result"]:
            raise CommandError("name a campaign of the store, and --result")
        return list_members.contacts_with_campaign_result(campaign, options["result"]), []
