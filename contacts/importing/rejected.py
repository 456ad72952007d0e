"""Rejected rows as CSV, to be corrected in a spreadsheet and imported again."""

from __future__ import annotations

from collections.abc import Iterator

from astronote.common.spreadsheet_csv import BOM, csv_line_with_escaped_formulas
from contacts.importing.headings import REJECTION_HEADING
from contacts.models import ContactImport, RejectedRow


def rejected_csv_lines_with_bom_and_heading(contact_import: ContactImport) -> Iterator[str]:
    """The heading of the imported file with a last column that says why, then the rejected rows."""
    headings = (contact_import.layout or {}).get("headings", [])
    yield BOM + csv_line_with_escaped_formulas([*headings, REJECTION_HEADING])
    rows = RejectedRow.objects.filter(contact_import=contact_import).order_by("line")
    for cells, column, reason in rows.values_list("row", "column", "reason").iterator():
        padded = [*cells, *[""] * (len(headings) - len(cells))]
        yield csv_line_with_escaped_formulas([*padded, f"{column}: {reason}" if column else reason])
