"""CSV lines that are safe to open in a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import Any, cast

BOM = "\ufeff"  # tells spreadsheets that it is UTF-8
# A spreadsheet takes a cell that begins with one of these for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class _Echo:
    """A file whose `write` returns the text, so that the writer returns its line."""

    def write(self, text: str) -> str:
        return text


_WRITER = csv.writer(_Echo())


def csv_line_with_escaped_formulas(cells: Iterable[Any]) -> str:
    """The cells as a line of CSV, without formulas; None is an empty cell."""
    texts = ["" if cell is None else str(cell) for cell in cells]
    return cast("str", _WRITER.writerow([escape_formula(text) for text in texts]))


def escape_formula(cell: str) -> str:
    """Put an apostrophe before a cell that a spreadsheet would run; imports remove it."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell
