"""`manage.py erasures`: the erasures of the audit trail, and making them again after a restore."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from compliance.repeated_erasures import iter_recorded_erasures, repeat_missing_erasures


class Command(BaseCommand):
    help = (
        "List the erasures of the audit trail, by hashes that only PHONE_HASH_KEY can tell, to be"
        " kept beside the backups; or, after a backup was restored, repeat those that it does not"
        " know."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=("list", "repeat"))
        parser.add_argument("--from", type=Path, dest="source", metavar="FILE")

    def handle(self, *, action: str, source: Path | None, **options: Any) -> None:
        if action == "list":
            for erasure in iter_recorded_erasures():
                self.stdout.write(json.dumps(erasure))
            return
        if source is None:
            raise CommandError("name the list with --from FILE")
        try:
            with open(source) as lines:
                erased, missing = repeat_missing_erasures(lines, by="command line")
        except OSError as error:
            raise CommandError(f"{source} cannot be read: {error.strerror}") from None
        except (ValueError, KeyError, TypeError):
            raise CommandError(f"{source} is no list of `manage.py erasures list`") from None
        self.stdout.write(f"{missing:,} erasures are younger than the backup; {erased:,} repeated")
