"""`manage.py automation_rules`: a store's rules, their presets, and what they would send."""

import json

from django.core.management.base import BaseCommand, CommandError

from astronote.accounts.lookup import (
    get_operator_or_command_error,
    get_store_or_command_error,
)
from astronote.common.languages import language_of_store_or_country
from astronote.common.store_clock import format_time_with_zone_name
from campaigns.automations import rule_presets, rules
from campaigns.automations.switching import switch_automation_and_audit_or_raise
from campaigns.models import AutomationRule


class Command(BaseCommand):
    help = (
        "List a store's rules, add the presets of its business profile, switch a rule on or off, or"
        " show what rules will send in the next seven days."
    )

    def add_arguments(self, parser):
        parser.add_argument("action", choices=["list", "add-presets", "on", "off", "upcoming"])
        parser.add_argument("store", help="e-mail address or id")
        parser.add_argument("rule", nargs="?", help="on, off: the rule's id or preset")
        parser.add_argument(
            "--language",
            choices=[one.value for one in rule_presets.LANGUAGES],
            help="of presets; without it the store's",
        )
        parser.add_argument("--by", help="operator who does it; service messages need one")
        parser.add_argument("--json", action="store_true")

    def handle(self, *, action, store, rule, language, by, **options):
        owner = get_store_or_command_error(store)
        actor = get_operator_or_command_error(by) if by else "command line"
        if action in ("on", "off"):
            self._switch_rule_or_command_error(owner, rule, action == "on", actor)
        elif action == "add-presets":
            try:
                language = language or language_of_store_or_country(owner)
                rule_presets.add_missing_presets(owner, language, by=actor)
            except ValueError as error:
                raise CommandError(f"{error}: give --language") from None
        found = (
            self._upcoming_messages_as_json_and_text(owner)
            if action == "upcoming"
            else self._rules_as_json_and_text(owner)
        )
        if options["json"]:
            self.stdout.write(json.dumps([answer for answer, _ in found], ensure_ascii=False))
            return
        for _, line in found:
            self.stdout.write(line)

    def _switch_rule_or_command_error(self, owner, key_or_id, on, actor):
        rules_of_store = AutomationRule.objects.filter(owner=owner)
        name = "pk" if key_or_id and key_or_id.isdecimal() else "preset_key"
        rule = rules_of_store.filter(**{name: key_or_id}).first() if key_or_id else None
        if rule is None:
            raise CommandError("name a rule of the store: see the list")
        try:
            switch_automation_and_audit_or_raise(rule, on, by=actor)
        except ValueError as error:
            raise CommandError(str(error)) from None

    def _rules_as_json_and_text(self, owner):
        for rule in AutomationRule.objects.filter(owner=owner).order_by("pk"):
            answer = {
                "id": rule.pk,
                "preset": rule.preset_key,
                "name": rule.name,
                "on": rule.is_active,
                "message_type": rule.message_type,
                "waits_for": rule.block_reason,
                "text": rule.message_body,
            }
            waits = f", waits: {rule.block_reason}" if rule.block_reason else ""
            state = "on" if rule.is_active else "off"
            yield answer, f"{rule.pk} {rule.preset_key} {state}{waits}: {rule.message_body}"

    def _upcoming_messages_as_json_and_text(self, owner):
        for rule, total, first in rules.preview_rule_messages(owner):
            messages = [{"contact": row.contact_id, "at": row.at.isoformat()} for row in first]
            answer = {"id": rule.id, "name": rule.name, "messages": total, "first": messages}
            lines = [
                f"  {format_time_with_zone_name(row.at, rule.timezone)} contact {row.contact_id}"
                for row in first
            ]
            yield answer, "\n".join([f"{rule.name}: {total:,} messages", *lines])
