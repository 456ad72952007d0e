"""`manage.py decisions`: what persons and stores decided, made so again after a restore."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from compliance.decisions import (
    iter_decisions_of_audit_trail_then_opt_outs,
    repeat_unknown_decisions_and_audit,
)


class Command(BaseCommand):
    help = (
        "List the erasures, restrictions, opt-outs and off-boardings, by hashes that only"
        " PHONE_HASH_KEY can tell, to be kept beside the backups; or, after a backup was restored,"
        " repeat those that it does not know."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=("list", "repeat"))
        parser.add_argument("--from", type=Path, dest="source", metavar="FILE")

    def handle(self, *, action: str, source: Path | None, **options: Any) -> None:
        if action == "list":
            for decision in iter_decisions_of_audit_trail_then_opt_outs():
                self.stdout.write(json.dumps(decision))
            return
        if source is None:
            raise CommandError("name the list with --from FILE")
        try:
            with open(source) as lines:
                repeated = repeat_unknown_decisions_and_audit(lines, by="command line")
        except OSError as error:
            raise CommandError(f"{source} cannot be read: {error.strerror}") from None
        except (ValueError, KeyError, TypeError):
            raise CommandError(f"{source} is no list of `manage.py decisions list`") from None
        counts = ", ".join(f"{decision}: {count:,}" for decision, count in repeated.items())
        self.stdout.write(f"decisions younger than the backup: {counts or 'none'}")
