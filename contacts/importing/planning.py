"""Planning an import: layout, mapping and a preview of the first rows; no contact is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings

from astronote.accounts.models import User
from contacts.importing import files, mapping, reading
from contacts.importing.reading import ImportRefused, Layout
from contacts.importing.rejected import REASON_HEADING
from contacts.importing.validating import ContactRow, Rejection, row_validator
from contacts.models import Contact, ContactImport, ImportStatus
from contacts.phones import phone_region_of

SAMPLE_ROWS = 10_000
PREVIEW_ROWS = 20
# IMPORT_MAX_MB limits the file as it was uploaded. A compressed file or a workbook may unpack to
# this many times as much: more than a customer list needs, and still a bound on a worker's time.
MAX_UNPACKED_FACTOR = 10


class RowResult(StrEnum):
    """What an import would do with a row."""

    NEW = "new"
    KNOWN = "known"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"


class RowPreview(NamedTuple):
    """What an import would do with one row; a rejected row has the heading and the reason."""

    line: int
    cells: list[str]
    result: RowResult
    column: str = ""
    reason: str = ""


class ImportPlan(NamedTuple):
    """How a file would be imported; `problem` says what a person must choose first.

    `mapping` has positions of columns by field. `date_order` is a DateOrder, or "" if unknown.
    """

    layout: Layout
    mapping: dict[str, list[int]]
    date_order: str
    notes: list[str]
    problem: str
    preview_rows: list[RowPreview]


def plan_import(
    path: Path,
    owner: User,
    *,
    has_header: bool | None = None,
    chosen: Mapping[str, Sequence[int]] | None = None,
    date_order: str = "",
) -> ImportPlan:
    """Plan how a file would be read and mapped, with a preview of its first rows.

    What is not chosen is taken from the store's last import of the same columns, or guessed.

    Args:
        path: the file.
        owner: the store.
        has_header: whether the first row holds headings; None to decide by its cells.
        chosen: positions of columns by field, instead of a guess.
        date_order: the order of birthdays, a DateOrder; "" to detect it.

    Raises:
        ImportRefused: if the file as a whole cannot be used.
    """
    layout = reading.detect_layout(path, has_header=has_header, largest_bytes=_max_unpacked_bytes())
    sample = list(islice(reading.FileReader(path, layout), SAMPLE_ROWS))
    region = phone_region_of(owner)
    guess = mapping.guess_columns(layout.headings, [cells for _, cells in sample], region)
    fields, notes = guess.fields, list(guess.notes)
    if chosen is not None:
        fields = {name: list(positions) for name, positions in chosen.items() if positions}
    elif last_used := _last_used_mapping(owner.pk, layout):
        fields, notes = last_used, [*notes, "mapped as in the last import of these columns"]
    problem = ""
    if "phone" not in fields:
        names = ", ".join(heading[:30] for heading in layout.headings[:10])
        problem = f"no column holds the phone number; the file has: {names}"
    elif not date_order:
        try:
            date_order = _detect_date_order(fields, sample)
        except ImportRefused as error:
            problem = str(error)
    preview_rows = []
    if not problem:
        validate_row = row_validator(layout.headings, fields, date_order, region)
        preview_rows = _preview_rows(owner.pk, sample[:PREVIEW_ROWS], validate_row)
    return ImportPlan(layout, fields, date_order, notes, problem, preview_rows)


def plan_upload(contact_import: ContactImport, **choices: Any) -> ImportPlan:
    """Plan an uploaded file and store the plan on the import.

    Args:
        contact_import: the import.
        choices: keyword arguments of `plan_import`.
    """
    with files.local_copy(contact_import.pk) as path:
        plan = plan_import(path, contact_import.owner, **choices)
    contact_import.layout, contact_import.mapping = plan.layout.as_json(), plan.mapping
    contact_import.date_order = choices.get("date_order", "")
    contact_import.save(update_fields=["layout", "mapping", "date_order"])
    return plan


def _max_unpacked_bytes() -> int:
    return settings.IMPORT_MAX_MB * files.BYTES_PER_MB * MAX_UNPACKED_FACTOR


def _last_used_mapping(owner_id: int, layout: Layout) -> dict[str, list[int]] | None:
    """The mapping of the store's last completed import with the same headings."""
    headings = list(layout.headings)
    if headings[-1:] == [REASON_HEADING]:  # a download of rejected rows
        headings = headings[:-1]
    completed = ContactImport.objects.filter(
        owner=owner_id, status=ImportStatus.COMPLETED, layout__headings=headings
    ).order_by("-pk")
    return completed.values_list("mapping", flat=True).first()


def _detect_date_order(
    fields: Mapping[str, Sequence[int]], sample: list[tuple[int, list[str]]]
) -> str:
    positions = fields.get("birthday", ())
    return mapping.detect_date_order(
        cells[position] for _, cells in sample for position in positions if position < len(cells)
    )


def _preview_rows(
    owner_id: int,
    rows: list[tuple[int, list[str]]],
    validate_row: Callable[[list[str]], ContactRow | Rejection],
) -> list[RowPreview]:
    validated = [(line, cells, validate_row(cells)) for line, cells in rows]
    phones = {row.phone for *_, row in validated if isinstance(row, ContactRow)}
    known_phones = set(
        Contact.objects.filter(owner=owner_id, phone__in=phones).values_list("phone", flat=True)
    )
    previews: list[RowPreview] = []
    seen_phones: set[str] = set()
    for line, cells, row in validated:
        if isinstance(row, Rejection):
            previews.append(RowPreview(line, cells, RowResult.REJECTED, row.column, row.reason))
            continue
        if row.phone in seen_phones:
            result = RowResult.DUPLICATE
        else:
            result = RowResult.KNOWN if row.phone in known_phones else RowResult.NEW
        previews.append(RowPreview(line, cells, result))
        seen_phones.add(row.phone)
    return previews
