"""`manage.py generate_docs`: the documents that are written from the code."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from astronote.operations import documents


class Command(BaseCommand):
    help = "Write docs/configuration.md, docs/commands.md and .env.example from the code."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="write nothing; fail if a file is out of date"
        )

    def handle(self, *, check: bool, **options: Any) -> None:
        if not check:
            for path in documents.write_outdated_documents(settings.BASE_DIR):
                self.stdout.write(f"{path} written")
            return
        if outdated := documents.outdated_documents(settings.BASE_DIR):
            names = ", ".join(map(str, outdated))
            raise CommandError(f"out of date: {names}; run `manage.py generate_docs`")
