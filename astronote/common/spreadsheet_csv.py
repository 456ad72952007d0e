"""CSV lines that are safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import re
import sys
import unicodedata
from collections.abc import Iterable
from typing import Any, cast

BOM = "\ufeff"  # tells spreadsheets that it is UTF-8
# A spreadsheet takes a cell that begins with one of these for a formula; spreadsheets of East Asian
# languages also the wide and small forms of the same characters.
_FORMULA_CHARACTERS = "".join(
    re.escape(character)
    for character in map(chr, range(sys.maxunicode + 1))
    if unicodedata.normalize("NFKC", character) in ("=", "+", "-", "@", "\u2212")
)
# Where a cell begins, also for a spreadsheet that separates by semicolon or tab: our quotes then
# stand within a cell and protect nothing.
_CELL_BEGINS = r"(^|[;\t\r\n])"
_IS_FORMULA = rf"(?=['\"\s]*[\t\r{_FORMULA_CHARACTERS}])"
_UNESCAPED = re.compile(_CELL_BEGINS + _IS_FORMULA)
_ESCAPED = re.compile(f"{_CELL_BEGINS}'{_IS_FORMULA}")


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
    """Put an apostrophe before whatever a spreadsheet would run; `unescape_formula` removes it."""
    return _UNESCAPED.sub(r"\1'", cell)


def unescape_formula(cell: str) -> str:
    """The cell before `escape_formula`; imports read it so."""
    return _ESCAPED.sub(r"\1", cell)
