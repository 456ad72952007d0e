"""`manage.py message_log`: the messages of campaigns, automations and rules, and single ones."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from astronote.accounts.lookup import get_store_or_command_error
from astronote.common import audit
from astronote.common.command_times import day_argument
from messaging.message_log import LogFilter, log_csv_lines
from messaging.models import message_classes
from messaging.statuses import MessageStatus


class Command(BaseCommand):
    help = "Print messages of all kinds, newest first, as CSV."

    def add_arguments(self, parser: ArgumentParser) -> None:
        kinds = sorted(model.batch_kind for model in message_classes())
        parser.add_argument("--store", help="e-mail address or id; default: all stores")
        parser.add_argument("--first", type=day_argument, help="first day, on the store's clock")
        parser.add_argument("--last", type=day_argument, help="last day")
        parser.add_argument("--status", default="", choices=MessageStatus.values)
        parser.add_argument("--kind", default="", choices=kinds)
        parser.add_argument("--number", default="", help="to this number, in any form")

    def handle(self, *, store: str | None, **options: Any) -> None:
        owner = get_store_or_command_error(store) if store else None
        chosen = LogFilter(owner, **{name: options[name] for name in LogFilter._fields[1:]})
        audit.write_entry(
            "messages exported", by="command line", owner_id=owner.pk if owner else None
        )
        for line in log_csv_lines(chosen):
            self.stdout.write(line, ending="")
