"""`manage.py sending`: why sending is stopped, and letting it go on."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from astronote.accounts.lookup import get_operator_or_command_error
from astronote.common.counts import counted_in_english
from messaging import sending_stop
from messaging.models import SendingStop
from messaging.statuses import StopReason


class Command(BaseCommand):
    help = (
        "Say whether all sending is stopped, since when, why, what waits and what it is worth; or "
        "let it go on. While Mitto refuses the account it goes on at once, without waiting until "
        "Mitto accepts a probe."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["status", "go-on"], nargs="?", default="status")
        parser.add_argument(
            "reason",
            choices=StopReason.values,
            nargs="?",
            help="which stop ends; account_refused if it is the only one",
        )
        parser.add_argument("--by", help="operator who does it")
        parser.add_argument("--json", action="store_true", help="print the status as JSON")

    def handle(self, *, action: str, reason: str | None, by: str | None, **options: Any) -> None:
        if action == "go-on":
            try:
                _end_named_or_only_account_stop_or_raise(reason, by=by)
            except sending_stop.CannotGoOn as error:
                raise CommandError(str(error)) from None
        waiting = sending_stop.count_waiting_messages_and_credits()
        if options["json"]:
            stops = SendingStop.objects.order_by("since").values("reason", "since", "by", "details")
            status = {
                "stopped": list(stops),
                "waiting_messages": waiting.messages,
                "waiting_credits": waiting.credits,
            }
            self.stdout.write(json.dumps(status, default=str))
        else:
            wait = counted_in_english(
                waiting.messages, "message waits for its", "messages wait for their"
            )
            stopped = "\n".join(sending_stop.describe_stops())
            self.stdout.write(stopped or f"Sending is not stopped; {wait} turn.")


def _end_named_or_only_account_stop_or_raise(reason: str | None, *, by: str | None) -> None:
    """End the stop that is named.

    Without a name only that of a refused account ends, and only if no other stands: the others need
    a look at what was restored.
    """
    actor = get_operator_or_command_error(by) if by else "command line"
    if reason:
        sending_stop.resume_sending(StopReason(reason), by=actor)
    elif others := SendingStop.objects.exclude(reason=StopReason.ACCOUNT_REFUSED):
        names = ", ".join(sorted(stop.reason for stop in others))
        raise sending_stop.CannotGoOn(f"name the reason; sending is stopped for: {names}")
    else:
        sending_stop.end_stop(StopReason.ACCOUNT_REFUSED, by=actor)
