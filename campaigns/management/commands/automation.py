"""`manage.py automation`: a store's birthday or welcome message."""

import json

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from campaigns import automations
from campaigns.models import Automation, AutomationType
from contacts.stores import find_store
from messaging.text import parts

TYPES = {"birthday": AutomationType.BIRTHDAY, "welcome": AutomationType.WELCOME}


class Command(BaseCommand):
    help = "Switch a store's birthday or welcome message on or off, word it, or look at it."

    def add_arguments(self, parser):
        parser.add_argument("action", choices=["on", "off", "show"])
        parser.add_argument("store", help="e-mail address or id")
        parser.add_argument("type", choices=TYPES)
        parser.add_argument("--text", help="its new text; may hold {{first_name}} and the like")
        parser.add_argument("--json", action="store_true")

    def handle(self, *, action, store, type, text, **options):
        owner = find_store(store)
        automation = Automation.objects.filter(owner=owner, type=TYPES[type]).first()
        if automation is None and text is None:
            raise CommandError(f"the store has no {type} message yet: give it a --text")
        if text is not None:
            automation = automation or Automation(owner=owner, type=TYPES[type], is_active=False)
            automation.message_body = text
            try:
                automation.full_clean()
            except ValidationError as error:
                raise CommandError("; ".join(error.messages)) from None
            automation.save()
        if action != "show":
            automations.switch(automation, action == "on", by="command line")
            automation.refresh_from_db()
        sample = automations.sample(automation)
        answer = {"type": type, "on": automation.is_active, "text": sample, "parts": parts(sample)}
        state = "on" if automation.is_active else "off"
        line = f"{type} message {state}, {answer['parts']} parts:\n{sample}"
        self.stdout.write(json.dumps(answer) if options["json"] else line)
