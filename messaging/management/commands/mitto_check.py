"""`manage.py mitto_check`: the test before an installation goes live with Mitto."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from astronote.common import audit
from contacts.phones import to_e164_or_none
from messaging.go_live_check import GoLiveCheck
from messaging.sending import mitto_client


class Command(BaseCommand):
    help = (
        "Send three messages to your own phones, show what Mitto answers word for word (numbers"
        " masked), and say what works, what is now known and what to set. Mitto charges for two"
        " messages; no wallet is touched. Webhook requests about them are kept in Redis for a day."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("numbers", nargs="+", metavar="NUMBER", help="phones of your own")
        parser.add_argument("--sender", default="", help="sender ID; MITTO_SENDER if left out")
        parser.add_argument(
            "--wait", type=float, default=120, help="seconds to wait for receipts and a reply"
        )

    def handle(self, **options: Any) -> None:
        numbers = [
            to_e164_or_none(number, settings.DEFAULT_PHONE_REGION) for number in options["numbers"]
        ]
        if not all(numbers):
            raise CommandError("Give numbers with their country code, such as +306900000001.")
        sender = options["sender"] or settings.MITTO_SENDER
        if not sender:
            raise CommandError("Give --sender, or set MITTO_SENDER.")
        audit.write_entry("test messages of mitto_check", by="command line", numbers=len(numbers))
        check = GoLiveCheck(
            mitto_client(), [number for number in numbers if number], sender, options["wait"]
        )
        for line in check.send_test_messages_and_report():
            self.stdout.write(line)
        if not check.passed:
            raise CommandError("Not ready: see what is MISSING.")
        self.stdout.write("Ready.")
