"""CSV that is safe to open in a spreadsheet, a line at a time."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import Any

BOM = "\ufeff"  # tells spreadsheets that it is UTF-8
# A spreadsheet would take a cell that begins so for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, text: str) -> str:
        return text


_WRITER = csv.writer(_Echo())


def csv_line(cells: Iterable[Any]) -> str:
    """The cells as a line, each harmless."""
    return _WRITER.writerow([harmless("" if cell is None else str(cell)) for cell in cells])


def harmless(cell: str) -> str:
    """The cell with an apostrophe before what a spreadsheet would run; imports take it off."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell
