"""`manage.py import_contacts`: import a customer list from a file."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from astronote.accounts.lookup import get_store_or_command_error
from astronote.common.command_times import time_or_day_argument
from astronote.common.counts import counted_in_english
from astronote.common.progress import wait_with_progress_bar
from astronote.common.store_clock import aware_in_zone_if_naive
from contacts.importing import lifecycle, planning
from contacts.importing.custom_cells import is_custom
from contacts.importing.headings import heading_without_legend
from contacts.importing.import_refused import ImportRefused
from contacts.importing.mapping import (
    FIELDS,
    without_guessed_other_consent_if_consent_is_new,
)
from contacts.models import (
    IMPORT_COUNTERS,
    OPEN_IMPORT_STATUSES,
    ContactImport,
    DateOrder,
    ImportStatus,
)


class Command(BaseCommand):
    help = "Store a file of customers (CSV or .xlsx, also gzipped) and enqueue its import."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("store", help="e-mail address or id of the store")
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="show how it would be imported; write nothing; ends with code 1 if the import "
            "would not start",
        )
        parser.add_argument("--list", default="", help="also add the contacts to this list")
        parser.add_argument(
            "--map",
            action="append",
            metavar="FIELD=COLUMN",
            help="heading or number of the column that holds a field, instead of a guess; may be "
            f"repeated; fields: {', '.join(FIELDS)}, and custom:KEY",
        )
        parser.add_argument(
            "--ignore",
            action="append",
            metavar="COLUMN",
            help="heading or number of a column that speaks of consent and is not to be used; may "
            "be repeated",
        )
        header = parser.add_mutually_exclusive_group()
        header.add_argument(
            "--header", dest="has_header", action="store_true", help="a row holds the headings"
        )
        header.add_argument(
            "--no-header",
            dest="has_header",
            action="store_false",
            help="the first row is a customer",
        )
        parser.set_defaults(has_header=None)
        parser.add_argument(
            "--encoding", default="", help="how the text is encoded, such as cp1253; else detected"
        )
        parser.add_argument("--sheet", default="", help="the sheet of a workbook that is read")
        parser.add_argument(
            "--dates", choices=DateOrder.values, default="", help="how dates are written"
        )
        parser.add_argument(
            "--skip-existing", action="store_true", help="leave known contacts unchanged"
        )
        parser.add_argument(
            "--consent",
            default="",
            metavar="SOURCE",
            help="where these customers agreed to marketing; without it they are stored, but not "
            "marketed to",
        )
        parser.add_argument(
            "--consent-at",
            type=time_or_day_argument,
            help="when they agreed; store-local, or with zone",
        )
        parser.add_argument(
            "--consent-wording",
            default="",
            metavar="TEXT",
            help="what they agreed to, word for word",
        )
        parser.add_argument(
            "--consent-version", default="", metavar="NAME", help="the wording's version"
        )
        parser.add_argument(
            "--welcome", action="store_true", help="new contacts may receive the welcome message"
        )
        parser.add_argument("--wait", action="store_true", help="wait until the import has ended")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(
        self,
        *,
        store: str,
        file: Path,
        dry_run: bool,
        wait: bool,
        **options: Any,
    ) -> None:
        owner = get_store_or_command_error(store)
        try:
            choices = {
                "has_header": options["has_header"],
                "date_order": options["dates"],
                "encoding": options["encoding"],
                "sheet": options["sheet"],
                "file_name": file.name,
            }
            plan = planning.plan_import_or_refuse(file, owner, **choices)
            if options["map"] or options["ignore"]:
                chosen = _merge_mapping_options_into_plan_or_raise(
                    options["map"] or [], options["ignore"] or [], plan
                )
                plan = planning.plan_import_or_refuse(file, owner, chosen=chosen, **choices)
            if dry_run:
                self._print_plan(plan, as_json=options["json"])
                if plan.refusal:
                    raise CommandError(_reason_why_import_does_not_start(plan.refusal))
                return
            if plan.refusal:
                raise plan.refusal
            at = options["consent_at"]
            contact_import = lifecycle.create_import_and_enqueue_or_refuse(
                owner.pk,
                file,
                options["list"],
                layout=plan.layout.as_json_dict(),
                mapping=plan.mapping,
                date_order=plan.date_order or DateOrder.ISO,
                update_existing=not options["skip_existing"],
                welcome=options["welcome"],
                consent_source=options["consent"],
                consent_wording=options["consent_wording"],
                consent_version=options["consent_version"],
                consent_at=at and aware_in_zone_if_naive(at, owner.timezone),
            )
        except ImportRefused as refused:
            raise CommandError(refused.command_line_text()) from None
        except OSError as error:
            raise CommandError(str(error)) from None
        if wait:
            wait_with_progress_bar(
                "Import", None, lambda: _refresh_and_get_rows_read_and_has_ended(contact_import)
            )
        self._print_result(contact_import, as_json=options["json"])
        if contact_import.status == ImportStatus.FAILED:
            raise CommandError(contact_import.error)

    def _print_plan(self, plan: planning.ImportPlan, *, as_json: bool) -> None:
        headings_by_field = {
            field: [plan.layout.headings[position] for position in positions]
            for field, positions in plan.mapping.items()
        }
        if as_json:
            self.stdout.write(
                json.dumps(
                    {
                        "columns": headings_by_field,
                        "dates": plan.date_order,
                        "notes": plan.notes,
                        "problem": plan.refusal.command_line_text() if plan.refusal else "",
                        "rows": [preview._asdict() for preview in plan.preview_rows],
                        "odd_rows": [preview._asdict() for preview in plan.odd_rows],
                        "totals": vars(plan.totals),
                        "unused_columns": [
                            {"heading": column.heading, "example": column.examples[0]}
                            for column in plan.unused_filled_columns
                        ],
                    }
                )
            )
            return
        for field, headings in headings_by_field.items():
            self.stdout.write(f"{field}: {', then '.join(headings)}")
        problems = plan.refusal.command_line_text().splitlines() if plan.refusal else []
        for line in [*plan.notes, *problems]:
            self.stdout.write(f"! {line}")
        for column in plan.unused_filled_columns:
            self.stdout.write(f"not used: {column.heading}, such as {column.examples[0]}")
        for preview in [*plan.preview_rows, *plan.odd_rows]:
            reason = ": ".join(filter(None, [preview.column, preview.reason]))
            reason = f" ({reason})" if reason else ""
            stored = ", ".join(f"{name} {value}" for name, value in preview.stored.items())
            self.stdout.write(
                f"line {preview.line}: {preview.result}{reason}: "
                + (stored or " | ".join(preview.cells))
            )
        if not plan.refusal:
            self._print_totals(plan.totals)

    def _print_totals(self, totals: planning.ImportTotals) -> None:
        first = "" if totals.is_complete else "the first "
        self.stdout.write(
            f"of {first}{counted_in_english(totals.rows, 'row')}: "
            f"{totals.rejected.total():,} rejected, "
            f"{totals.opted_out:,} opted out, {totals.agreeing:,} with a yes of their own, "
            f"{totals.cannot_receive:,} with a number that may not receive SMS"
        )
        for reason, count in (totals.rejected + totals.kept).most_common():
            self.stdout.write(f"  {count:,} × {reason}")

    def _print_result(self, contact_import: ContactImport, *, as_json: bool) -> None:
        columns = ("id", "status", *IMPORT_COUNTERS)
        result = {name: getattr(contact_import, name) for name in columns}
        if as_json:
            self.stdout.write(json.dumps(result))
        else:
            self.stdout.write(", ".join(f"{name} {value}" for name, value in result.items()))


def _reason_why_import_does_not_start(refusal: ImportRefused) -> str:
    if not refusal.questions:
        return "the import does not start, for the reason above"
    count = counted_in_english(len(refusal.questions), "question")
    return f"the import does not start without the answers to {count} above"


def _merge_mapping_options_into_plan_or_raise(
    map_options: list[str], ignore_options: list[str], plan: planning.ImportPlan
) -> dict[str, list[int]]:
    """Positions of columns by field: those of FIELD=COLUMN pairs, and the plan's for other fields.

    A column that a pair names is removed from the plan's fields; so is an ignored one.
    """
    headings = plan.layout.headings
    # A legend above the headings is written into them, and a person reads the file.
    written = list(map(heading_without_legend, headings))
    chosen: dict[str, list[int]] = {}
    map_options = [*map_options, *(f"ignored={column}" for column in ignore_options)]
    for pair in map_options:
        field, _, column = pair.partition("=")
        if field not in FIELDS and not is_custom(field):
            raise CommandError(f"--map {pair}: the fields are {', '.join(FIELDS)}")
        if column in headings:
            position = headings.index(column)
        elif column in written:
            position = written.index(column)
        elif column.isdecimal() and 0 < int(column) <= len(headings):
            position = int(column) - 1
        elif not column:
            chosen[field] = []
            continue
        else:
            raise CommandError(f"--map {pair}: the columns are {', '.join(headings)}")
        chosen.setdefault(field, []).append(position)
    chosen_positions = {position for positions in chosen.values() for position in positions}
    planned = {
        field: [position for position in positions if position not in chosen_positions]
        for field, positions in plan.mapping.items()
        if field not in chosen
    }
    return without_guessed_other_consent_if_consent_is_new(chosen | planned, plan.mapping)


def _refresh_and_get_rows_read_and_has_ended(contact_import: ContactImport) -> tuple[int, bool]:
    """How many rows are read, and whether the import has ended."""
    contact_import.refresh_from_db()
    has_ended = contact_import.status not in OPEN_IMPORT_STATUSES
    return contact_import.processed, has_ended
