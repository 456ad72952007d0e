"""`manage.py create_segment`: stores a filter of a store's contacts, and counts it."""

import json

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from astronote.accounts.lookup import (
    get_operator_or_command_error,
    get_store_or_command_error,
)
from campaigns import segment_forms
from campaigns.audience_counts import count_or_estimate_segment_and_left_out
from campaigns.segments import CONDITIONS, LIST_CONDITIONS


class Command(BaseCommand):
    help = "Create a segment: a filter of a store's contacts. All conditions must hold."

    def add_arguments(self, parser):
        parser.add_argument("store", help="e-mail address or id")
        parser.add_argument("name")
        for name in CONDITIONS:
            field = segment_forms.ConditionFields.base_fields[name]
            is_list = name in LIST_CONDITIONS
            parser.add_argument(
                f"--{name.replace('_', '-')}",
                dest=name,
                action="append" if is_list else "store",
                metavar="NAME" if is_list else "VALUE",
                help=f"{field.label}{'; may be repeated' if is_list else ''}",
            )
        parser.add_argument("--count", action="store_true", help="only count; store nothing")
        parser.add_argument("--by", help="operator who does it")
        parser.add_argument("--json", action="store_true")

    def handle(self, *, store, name, count, by, **options):
        owner = get_store_or_command_error(store)
        actor = get_operator_or_command_error(by) if by else "command line"
        values = {condition: options[condition] for condition in CONDITIONS if options[condition]}
        try:
            if count:
                segment = segment_forms.build_segment(owner, name, values)
            else:
                segment = segment_forms.create_and_audit_segment_or_validation_error(
                    owner, name, values, by=actor
                )
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from None
        counted = count_or_estimate_segment_and_left_out(segment)
        if options["json"]:
            left_out = [one._asdict() for one in counted.left_out]
            self.stdout.write(
                json.dumps({"segment": segment.pk, **counted._asdict(), "left_out": left_out})
            )
            return
        about = "" if counted.is_exact else "about "
        self.stdout.write(
            f"{name}: {counted.matching:,} match, {about}{counted.reachable:,} get marketing"
        )
        for one in counted.left_out:
            self.stdout.write(f"{one.contacts:,} left out: {one.reason}")
