"""`manage.py import_contacts`: a customer list from a file."""

import json
from datetime import datetime
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from contacts.importing import planning, run
from contacts.importing.mapping import FIELDS
from contacts.importing.reading import ImportRefused
from contacts.models import IMPORT_OPEN, ContactImport, DateOrder, ImportStatus
from contacts.progress import follow
from contacts.stores import find_store

COUNTERS = ("processed", "created", "updated", "unchanged", "duplicate", "rejected")


class Command(BaseCommand):
    help = "Store a file of customers (CSV or .xlsx, also gzipped) and enqueue its import."

    def add_arguments(self, parser):
        parser.add_argument("store", help="e-mail address or id of the store")
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--dry-run", action="store_true", help="show how it would be read; write nothing"
        )
        parser.add_argument("--list", default="", help="also put the contacts on this list")
        parser.add_argument(
            "--map", action="append", metavar="FIELD=COLUMN",
            help=f"heading or number of the column that holds a field, instead of a guess; again "
            f"for more; fields: {', '.join(FIELDS)}",
        )  # fmt: skip
        parser.add_argument("--no-header", action="store_true", help="the first row is a customer")
        parser.add_argument(
            "--dates", choices=DateOrder.values, default="", help="how dates are written"
        )
        parser.add_argument(
            "--skip-existing", action="store_true", help="leave customers alone that are known"
        )
        parser.add_argument(
            "--consent", default="", metavar="SOURCE",
            help="where these customers agreed to marketing; without it they are stored, but not "
            "marketed to",
        )  # fmt: skip
        parser.add_argument("--consent-at", type=datetime.fromisoformat, help="when they agreed")
        parser.add_argument(
            "--welcome", action="store_true", help="new contacts may get the welcome message"
        )
        parser.add_argument("--wait", action="store_true", help="until the import has ended")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *, store, file, dry_run, no_header, wait, **options):
        owner = find_store(store)
        try:
            planned = planning.plan(
                file, owner, has_header=False if no_header else None, date_order=options["dates"]
            )
            if options["map"]:
                planned = planning.plan(
                    file, owner, has_header=planned.layout.has_header, date_order=options["dates"],
                    chosen=_chosen(options["map"], planned),
                )  # fmt: skip
            if dry_run:
                self._show(planned, as_json=options["json"])
                return
            if planned.problem:
                raise CommandError(planned.problem)
            at = options["consent_at"]
            job = run.store_file(
                owner.pk, file, options["list"], layout=planned.layout.as_json(),
                mapping=planned.mapping, date_order=planned.date_order or DateOrder.ISO,
                update_existing=not options["skip_existing"], welcome=options["welcome"],
                consent_source=options["consent"],
                consent_at=timezone.make_aware(at) if at and at.tzinfo is None else at,
            )  # fmt: skip
        except (ImportRefused, OSError) as error:
            raise CommandError(str(error)) from None
        if wait:
            follow("Import", None, lambda: _progress(job))
        result = {name: getattr(job, name) for name in ("id", "status", *COUNTERS)}
        if options["json"]:
            self.stdout.write(json.dumps(result))
        else:
            self.stdout.write(", ".join(f"{name} {value}" for name, value in result.items()))
        if job.status == ImportStatus.FAILED:
            raise CommandError(job.error)

    def _show(self, planned: planning.Preview, *, as_json: bool) -> None:
        columns = {
            field: [planned.layout.headings[at] for at in positions]
            for field, positions in planned.mapping.items()
        }
        if as_json:
            self.stdout.write(
                json.dumps(
                    {"columns": columns, "dates": planned.date_order, "notes": planned.notes,
                     "problem": planned.problem,
                     "rows": [verdict._asdict() for verdict in planned.verdicts]}
                )
            )  # fmt: skip
            return
        for field, names in columns.items():
            self.stdout.write(f"{field}: {', then '.join(names)}")
        for line in filter(None, [*planned.notes, planned.problem]):
            self.stdout.write(f"! {line}")
        for verdict in planned.verdicts:
            why = f" ({verdict.column}: {verdict.reason})" if verdict.reason else ""
            cells = " | ".join(verdict.cells)
            self.stdout.write(f"line {verdict.line}: {verdict.word}{why}: {cells}")


def _chosen(pairs: list[str], planned: planning.Preview) -> dict[str, list[int]]:
    """Columns by field: those of FIELD=COLUMN pairs, and of the plan what these do not touch."""
    headings = planned.layout.headings
    chosen: dict[str, list[int]] = {}
    for pair in pairs:
        field, _, column = pair.partition("=")
        if field not in FIELDS:
            raise CommandError(f"--map {pair}: the fields are {', '.join(FIELDS)}")
        if column in headings:
            position = headings.index(column)
        elif column.isdigit() and 0 < int(column) <= len(headings):
            position = int(column) - 1
        elif not column:
            chosen[field] = []
            continue
        else:
            raise CommandError(f"--map {pair}: the columns are {', '.join(headings)}")
        chosen.setdefault(field, []).append(position)
    taken = {at for places in chosen.values() for at in places}
    rest = {
        field: [at for at in places if at not in taken]
        for field, places in planned.mapping.items()
        if field not in chosen
    }
    return chosen | rest


def _progress(job: ContactImport) -> tuple[int, bool]:
    job.refresh_from_db()
    return job.processed, job.status not in IMPORT_OPEN
