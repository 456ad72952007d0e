"""`manage.py send_messages`: direct messages from a file of numbers and texts."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from astronote.accounts.eligibility import SendingBlocked
from astronote.accounts.lookup import (
    get_operator_or_command_error,
    get_store_or_command_error,
)
from campaigns.direct_files import FilePlan, PriceChanged, plan_file, send_file
from campaigns.service_campaigns import NotPermitted
from contacts.importing.import_refused import ImportRefused
from contacts.models import MessageType


class Command(BaseCommand):
    help = (
        "Send direct messages from a file with the headings number and text, and perhaps key. Shows"
        " the price and asks first. A line is sent once, by its key or by the file and its line."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("store", help="e-mail address or id")
        parser.add_argument("file", type=Path, help="CSV or .xlsx")
        parser.add_argument("--type", choices=MessageType.values, default=MessageType.MARKETING)
        parser.add_argument("--encoding", default="", help="such as cp1253; else detected")
        parser.add_argument("--dry-run", action="store_true", help="only show what it would cost")
        parser.add_argument("--yes", action="store_true", help="do not ask")
        parser.add_argument("--by", help="operator who does it; service messages need one")
        parser.add_argument("--json", action="store_true")

    def handle(self, *, store: str, file: Path, type: str, by: str | None, **options: Any) -> None:
        owner = get_store_or_command_error(store)
        actor = get_operator_or_command_error(by) if by else "command line"
        try:
            plan = plan_file(owner, file, type, options["encoding"])
            self._show(plan, as_json=options["json"])
            if options["dry_run"]:
                return
            if plan.problem:
                raise CommandError(plan.problem)
            question = f"Send {len(plan.messages):,} messages for {plan.credits:,} credits? [y/N] "
            if not options["yes"] and input(question).lower() != "y":
                raise CommandError("nothing was sent")
            send_file(
                owner,
                file,
                type,
                by=actor,
                encoding=options["encoding"],
                shown_credits=plan.credits,
            )
        except FileNotFoundError:
            raise CommandError(f"there is no file {file}") from None
        except (ImportRefused, NotPermitted, PriceChanged, SendingBlocked) as problem:
            raise CommandError(str(problem)) from None

    def _show(self, plan: FilePlan, *, as_json: bool) -> None:
        for line, reason in plan.rejected:
            self.stderr.write(f"line {line}: {reason}")
        counts = {
            "messages": len(plan.messages),
            "credits": plan.credits,
            "sent before": plan.known,
            "rejected": len(plan.rejected),
        }
        told = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        self.stdout.write(json.dumps(counts) if as_json else told)
