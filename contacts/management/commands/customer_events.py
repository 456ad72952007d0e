"""`manage.py customer_events`: recording a store's appointments, stays, purchases and the like."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from astronote.accounts.lookup import (
    get_operator_or_command_error,
    get_store_or_command_error,
)
from contacts.customer_events import (
    EventFile,
    WrittenEvent,
    read_written_event_or_raise_unusable,
    record_customer_events_and_audit,
)
from contacts.importing.cells import UnusableCell
from contacts.importing.import_refused import ImportRefused
from contacts.importing.phone_cells import PhoneReader
from contacts.phones import phone_region_of_store_or_default


class Command(BaseCommand):
    help = (
        "Record events of a store's customers: one, or those of a file with the headings phone,"
        " type, start, end, status, external_ref and value. Lines that are not used are listed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("store", help="e-mail address or id")
        parser.add_argument("file", type=Path, nargs="?", help="CSV or .xlsx")
        parser.add_argument("--number", help="of the customer, for one event")
        parser.add_argument("--type", default="", help="appointment, stay, purchase, …")
        parser.add_argument("--start", default="", help="2026-05-17 10:00, on the store's clock")
        parser.add_argument("--end", default="", help="likewise")
        parser.add_argument("--status", default="", help="scheduled, completed, cancelled, no_show")
        parser.add_argument(
            "--external-ref", default="", help="an event with the same one is replaced"
        )
        parser.add_argument("--value", default="", help="of a purchase, such as 12.50")
        parser.add_argument("--by", help="operator who does it")
        parser.add_argument("--json", action="store_true")

    def handle(
        self, *, store: str, file: Path | None, number: str | None, by: str | None, **options: Any
    ) -> None:
        owner = get_store_or_command_error(store)
        actor = get_operator_or_command_error(by) if by else "command line"
        if (file is None) == (number is None):
            raise CommandError("give a file, or --number with the event")
        rejected = 0

        def reject(line: int, reason: str) -> None:
            nonlocal rejected
            rejected += 1
            self.stderr.write(f"line {line}: {reason}" if line else reason)

        try:
            if file is not None:
                source = EventFile(file, owner)
                if source.unused:
                    self.stderr.write(f"columns that are not read: {', '.join(source.unused)}")
                events = source.iter_events_rejecting_unusable_lines(reject)
            else:
                texts = {name: options[name] for name in WrittenEvent._fields[1:]}
                written = WrittenEvent(str(number), **texts)
                phones = PhoneReader(phone_region_of_store_or_default(owner))
                events = iter([read_written_event_or_raise_unusable(written, owner, phones)])
            counts = record_customer_events_and_audit(owner, events, by=actor, reject=reject)
        except FileNotFoundError:
            raise CommandError(f"there is no file {file}") from None
        except (ImportRefused, UnusableCell) as problem:
            raise CommandError(str(problem)) from None
        answer = counts._asdict() | {"rejected": rejected}
        line = ", ".join(f"{count:,} {name}" for name, count in answer.items())
        self.stdout.write(json.dumps(answer) if options["json"] else line)
