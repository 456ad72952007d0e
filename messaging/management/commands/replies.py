"""`manage.py replies`: list the replies that a person must decide, and decide them."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from messaging.reply_reviews import (
    DecisionRefused,
    decide_review,
    describe_reviews,
    open_reviews,
)

DECISIONS = {"opt-out": True, "not-an-opt-out": False}


class Command(BaseCommand):
    help = (
        "List the replies that may be opt-outs and wait for a person's decision, or decide them. "
        "Until then marketing to their numbers is held back."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["list", *DECISIONS])
        parser.add_argument("replies", nargs="*", type=int, help="ids of the replies to decide")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *, action: str, replies: list[int], **options: Any) -> None:
        if action == "list":
            self._print_open_reviews(as_json=options["json"])
            return
        if not replies:
            raise CommandError("name the replies: manage.py replies list shows their ids")
        try:
            for reply_id in replies:
                decide_review(reply_id, is_opt_out=DECISIONS[action], by="command line")
        except DecisionRefused as refused:
            raise CommandError(str(refused)) from None
        result = {"decided": len(replies)}
        self.stdout.write(json.dumps(result) if options["json"] else f"{len(replies)} decided")

    def _print_open_reviews(self, *, as_json: bool) -> None:
        found = [
            {
                "id": review.id,
                "received": review.reply.received_at.isoformat(timespec="seconds"),
                "stores": review.stores,
                "proposed": "opt-out" if review.proposes_opt_out else "not-an-opt-out",
                "text": review.text,
            }
            for review in describe_reviews(open_reviews())
        ]
        lines = "\n".join("  ".join(map(str, row.values())) for row in found)
        self.stdout.write(json.dumps(found) if as_json else lines or "no reply waits")
