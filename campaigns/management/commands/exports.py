"""`manage.py exports`: files of a store's contacts, messages, visits of offers or ledger."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import date
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from astronote.accounts.lookup import (
    get_operator_or_command_error,
    get_store_or_command_error,
)
from astronote.common.command_times import day_argument
from astronote.common.private_files import open_for_owner_alone
from campaigns import exports
from campaigns.models import ExportContent, ExportRun

SHOWN = 50


class Command(BaseCommand):
    help = "Request an export of a store's data, list exports, or save the file of one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--by", help="operator who does it")
        actions = parser.add_subparsers(dest="action", required=True)
        request = actions.add_parser("request", help="have a job write a file")
        request.add_argument("store", help="e-mail address or id")
        request.add_argument("content", choices=ExportContent.values)
        request.add_argument("--first", type=day_argument, help="first day, on the store's clock")
        request.add_argument("--last", type=day_argument, help="last day")
        listing = actions.add_parser("list", help=f"the newest {SHOWN} exports of a store")
        listing.add_argument("store", help="e-mail address or id")
        save = actions.add_parser("save", help="save the file of an export")
        save.add_argument("id", type=int)
        save.add_argument("file", type=Path)

    def handle(self, *, action: str, by: str | None, **options: Any) -> None:
        actor = get_operator_or_command_error(by) if by else "command line"
        try:
            getattr(self, f"_{action}")(actor, **options)
        except (ValidationError, exports.ExportUnavailable) as problem:
            messages = getattr(problem, "messages", [str(problem)])
            raise CommandError("; ".join(messages)) from None

    def _request(
        self, by: Any, *, store: str, content: str, first: date | None, last: date | None, **_: Any
    ) -> None:
        owner = get_store_or_command_error(store)
        run = exports.request_export(owner, content, exports.Days(first, last), by=by)
        self.stdout.write(f"export {run.pk} is being made")

    def _list(self, by: Any, *, store: str, **_: Any) -> None:
        owner = get_store_or_command_error(store)
        for run in ExportRun.objects.filter(owner=owner).order_by("-pk")[:SHOWN]:
            size = "" if run.lines is None else f", {run.lines:,} rows"
            until = exports.available_until(run)
            kept = f", until {until:%Y-%m-%d %H:%M %Z}" if until else ""
            self.stdout.write(f"{run.pk}: {exports.file_name(run)}, {run.status}{size}{kept}")

    def _save(self, by: Any, *, id: int, file: Path, **_: Any) -> None:
        run = ExportRun.objects.filter(pk=id).first()
        if run is None:
            raise CommandError(f"there is no export {id}")
        chunks = exports.open_file(run, by=by)
        with open_for_owner_alone(file, "wb") as target:
            target.writelines(chunks)
        self.stdout.write(f"{file}: {file.stat().st_size:,} bytes")
