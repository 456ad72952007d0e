"""Rejected rows as CSV: safe to open in a spreadsheet, to be corrected and imported again."""

from __future__ import annotations

from collections.abc import Iterator

from contacts.models import ContactImport, RejectedRow
from contacts.spreadsheet import BOM, csv_line

REASON = "reason"


def lines(job: ContactImport) -> Iterator[str]:
    """The heading of the imported file with a last column `reason`, then each rejected row."""
    headings = (job.layout or {}).get("headings", [])
    yield BOM + csv_line([*headings, REASON])
    rows = RejectedRow.objects.filter(contact_import=job).order_by("line")
    for cells, column, reason in rows.values_list("row", "column", "reason").iterator():
        padded = [*cells, *[""] * (len(headings) - len(cells))]
        yield csv_line([*padded, f"{column}: {reason}" if column else reason])
