"""Rejected rows as CSV: safe to open in a spreadsheet, to be corrected and imported again."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from contacts.models import ContactImport, RejectedRow

REASON = "reason"
# A spreadsheet would take a cell that begins so for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, text: str) -> str:
        return text


def lines(job: ContactImport) -> Iterator[str]:
    """The heading of the imported file with a last column `reason`, then each rejected row."""
    headings = (job.layout or {}).get("headings", [])
    writer = csv.writer(_Echo())
    yield "\ufeff" + writer.writerow([*map(harmless, headings), REASON])
    rows = RejectedRow.objects.filter(contact_import=job).order_by("line")
    for cells, column, reason in rows.values_list("row", "column", "reason").iterator():
        padded = [*cells, *[""] * (len(headings) - len(cells))]
        why = f"{column}: {reason}" if column else reason
        yield writer.writerow([*map(harmless, padded), why])


def harmless(cell: str) -> str:
    """The cell with an apostrophe before what a spreadsheet would run; imports take it off."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell
