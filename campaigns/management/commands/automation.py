"""`manage.py automation`: a store's birthday or welcome message."""

import json

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from astronote.accounts.lookup import (
    get_operator_or_command_error,
    get_store_or_command_error,
)
from astronote.common import audit
from astronote.models import User
from campaigns.automations import switching
from campaigns.models import Automation, AutomationType
from campaigns.service_campaigns import raise_not_permitted_if_may_not_send_type
from messaging.models import MessageTemplate
from messaging.text import count_parts

TYPES = {"birthday": AutomationType.BIRTHDAY, "welcome": AutomationType.WELCOME}


class Command(BaseCommand):
    help = "Switch a store's birthday or welcome message on or off, change its text, or show it."

    def add_arguments(self, parser):
        parser.add_argument("action", choices=["on", "off", "show"])
        parser.add_argument("store", help="e-mail address or id")
        parser.add_argument("type", choices=TYPES)
        parser.add_argument("--text", help="new text; may have tags such as {{first_name}}")
        parser.add_argument("--template", help="name of the template that gives the text")
        parser.add_argument(
            "--hour",
            type=int,
            choices=range(24),
            metavar="HOUR",
            help="from which hour on the day's birthday messages are sent, on the store's clock",
        )
        parser.add_argument("--by", help="operator who does it; service messages need one")
        parser.add_argument("--json", action="store_true")

    def handle(self, *, action, store, type, text, hour, by, **options):
        actor = get_operator_or_command_error(by) if by else "command line"
        if options["template"]:
            text = text or _text_of_template_or_command_error(store, options["template"])
        try:
            automation = _create_change_or_get_automation_and_audit_or_raise(
                get_store_or_command_error(store), type, text, hour, actor
            )
            if action != "show":
                switching.switch_automation_and_audit_or_raise(automation, action == "on", by=actor)
                automation.refresh_from_db()
        except ValueError as error:
            raise CommandError(str(error)) from None
        sample = switching.create_links_and_sample_text(automation)
        answer = {
            "type": type,
            "on": automation.is_active,
            "hour": automation.send_hour,
            "waits_for": automation.block_reason,
            "text": sample,
            "parts": count_parts(sample),
        }
        state = "on" if automation.is_active else "off"
        line = f"{type} message {state}, {answer['parts']} parts:\n{sample}"
        self.stdout.write(json.dumps(answer) if options["json"] else line)


def _text_of_template_or_command_error(store: str, name: str) -> str:
    template = MessageTemplate.objects.filter(
        owner=get_store_or_command_error(store), name=name
    ).first()
    if template is None:
        raise CommandError(f"the store has no message template {name!r}")
    return template.text


def _create_change_or_get_automation_and_audit_or_raise(
    store: User, type_name: str, new_text: str | None, new_hour: int | None, actor: User | str
) -> Automation:
    """The store's automation of a type, after its text and hour were changed, where given.

    With a text it is created, switched off, if there is none.

    Raises:
        NotPermitted: if it sends service messages and `actor` may not change it.
    """
    automation = Automation.objects.filter(owner=store, type=TYPES[type_name]).first()
    if automation is None and new_text is None:
        raise CommandError(f"the store has no {type_name} message yet: give it a --text")
    automation = automation or Automation(owner=store, type=TYPES[type_name], is_active=False)
    if new_text is None and new_hour is None:
        return automation
    raise_not_permitted_if_may_not_send_type(automation.message_type, actor)
    if new_text is not None:
        automation.message_body = new_text
    if new_hour is not None:
        automation.send_hour = new_hour
    try:
        automation.full_clean()
    except ValidationError as error:
        raise CommandError("; ".join(error.messages)) from None
    is_new = automation.pk is None
    automation.save()
    audit.write_entry(
        "added" if is_new else "changed", automation, by=actor, fields=["message_body"]
    )
    return automation
