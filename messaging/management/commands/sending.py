"""`manage.py sending`: whether sending is stopped, and letting it go on."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from messaging import sending_stop


class Command(BaseCommand):
    help = (
        "Say whether all sending is stopped, since when, why, what waits and what it is worth; or "
        "let it go on at once, without waiting until Mitto accepts a probe."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["status", "go-on"])
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *, action: str, **options: Any) -> None:
        if action == "go-on":
            was_stopped = sending_stop.go_on(by="command line")
            text = "sending goes on" if was_stopped else "sending was not stopped"
            self.stdout.write(json.dumps({"was_stopped": was_stopped}) if options["json"] else text)
            return
        stop, waiting = sending_stop.current_stop(), sending_stop.count_waiting()
        if not options["json"]:
            self.stdout.write(
                sending_stop.describe_stop()
                or f"sending is not stopped; {waiting.messages:,} messages wait for their turn"
            )
            return
        state = {
            "stopped_at": stop.stopped_at.isoformat() if stop and stop.stopped_at else None,
            "reason": stop.reason if stop else "",
            "waiting_messages": waiting.messages,
            "waiting_credits": waiting.credits,
        }
        self.stdout.write(json.dumps(state))
