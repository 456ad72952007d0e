"""How a file would be read and mapped, and the verdicts on its first rows; nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings

from contacts.importing import files, mapping, reading
from contacts.importing.reading import ImportRefused, Layout
from contacts.importing.rejected import REASON
from contacts.importing.validating import Rejection, Row, judge_of
from contacts.models import Contact, ContactImport, ImportStatus
from contacts.phones import region_of

SAMPLE_ROWS = 10_000
PREVIEW_ROWS = 20


class Verdict(NamedTuple):
    """What would become of one row: `new`, `known`, `duplicate`, or why it is rejected."""

    line: int
    cells: list[str]
    word: str
    column: str = ""
    reason: str = ""


class Preview(NamedTuple):
    """How a file would be read, and its first rows; `problem` says what must be chosen first."""

    layout: Layout
    mapping: dict[str, list[int]]
    date_order: str
    notes: list[str]
    problem: str
    verdicts: list[Verdict]


def plan(
    path: Path,
    owner: Any,
    *,
    has_header: bool | None = None,
    chosen: Mapping[str, Sequence[int]] | None = None,
    date_order: str = "",
) -> Preview:
    """How a file would be read and mapped, with verdicts on its first rows; nothing is written.

    What is not chosen is what the store last used for the same columns, or else a guess.

    Raises:
        ImportRefused: if the file as a whole cannot be used.
    """
    layout = reading.detect(path, has_header=has_header, largest_bytes=_largest())
    sample = list(islice(reading.Reader(path, layout), SAMPLE_ROWS))
    notes: list[str] = []
    region = region_of(owner)
    found = mapping.guess(layout.headings, [cells for _, cells in sample], region)
    fields, notes = found.fields, list(found.notes)
    if chosen is not None:
        fields = {name: list(positions) for name, positions in chosen.items() if positions}
    elif remembered := _remembered(owner.pk, layout):
        fields, notes = remembered, [*notes, "mapped as in the last import of these columns"]
    problem = ""
    if "phone" not in fields:
        names = ", ".join(heading[:30] for heading in layout.headings[:10])
        problem = f"no column holds the phone number; the file has: {names}"
    elif not date_order:
        try:
            date_order = _date_order(fields, sample)
        except ImportRefused as refused:
            problem = str(refused)
    verdicts = []
    if not problem:
        judge = judge_of(layout.headings, fields, date_order, region)
        verdicts = _verdicts(owner.pk, sample[:PREVIEW_ROWS], judge)
    return Preview(layout, fields, date_order, notes, problem, verdicts)


def look(job: ContactImport, **choices: Any) -> Preview:
    """Plan an uploaded file with the choices of `plan`, and keep the plan on the import."""
    with files.local_copy(job.pk) as path:
        planned = plan(path, job.owner, **choices)
    job.layout, job.mapping = planned.layout.as_json(), planned.mapping
    job.date_order = choices.get("date_order", "")
    job.save(update_fields=["layout", "mapping", "date_order"])
    return planned


def _largest() -> int:
    return settings.IMPORT_MAX_MB * 10_000_000


def _remembered(owner_id: int, layout: Layout) -> dict[str, list[int]] | None:
    headings = list(layout.headings)
    if headings[-1:] == [REASON]:  # rejected rows that were corrected
        headings = headings[:-1]
    earlier = ContactImport.objects.filter(
        owner=owner_id, status=ImportStatus.COMPLETED, layout__headings=headings
    ).order_by("-pk")
    return earlier.values_list("mapping", flat=True).first()


def _date_order(fields: Mapping[str, Sequence[int]], sample: list[tuple[int, list[str]]]) -> str:
    positions = fields.get("birthday", ())
    return mapping.date_order(
        cells[at] for _, cells in sample for at in positions if at < len(cells)
    )


def _verdicts(
    owner_id: int, rows: list[tuple[int, list[str]]], judge: Callable[[list[str]], Row | Rejection]
) -> list[Verdict]:
    judged = [(line, cells, judge(cells)) for line, cells in rows]
    phones = {row.phone for *_, row in judged if isinstance(row, Row)}
    known = set(
        Contact.objects.filter(owner=owner_id, phone__in=phones).values_list("phone", flat=True)
    )
    verdicts, seen = [], set()
    for line, cells, row in judged:
        if isinstance(row, Rejection):
            verdicts.append(Verdict(line, cells, "rejected", row.column, row.reason))
        else:
            word = "known" if row.phone in known else "new"
            verdicts.append(Verdict(line, cells, "duplicate" if row.phone in seen else word))
            seen.add(row.phone)
    return verdicts
