"""CSV lines that are safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable
from typing import Any, cast

BOM = "\ufeff"  # tells spreadsheets that it is UTF-8
# A spreadsheet takes a cell that begins with one of these for a formula; spreadsheets of East Asian
# languages also the wide and small forms of the same characters.
_FORMULA_CHARACTERS = frozenset(
    character
    for character in map(chr, range(0x20000))  # above are ideographs, tags and private use only
    if unicodedata.normalize("NFKC", character) in ("=", "+", "-", "@", "\u2212")
)
# Where a cell begins, also for a spreadsheet that separates by semicolon or tab: our quotes then
# stand within a cell and protect nothing.
_SEPARATORS = ";\t\r\n"
# The begin of a cell, and what a spreadsheet skips before a formula; other cells may begin in it.
# It is matched as a whole: looking on from each begin takes an hour for a text of blank lines.
_CELL_BEGINS = re.compile(rf"(?:^|[{_SEPARATORS}])['\"\s]*")


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
    return _CELL_BEGINS.sub(lambda found: _escape_or_unescape_formula_starts(found, "'"), cell)


def unescape_formula(cell: str) -> str:
    """The cell before `escape_formula`; imports read it so."""
    return _CELL_BEGINS.sub(lambda found: _escape_or_unescape_formula_starts(found, ""), cell)


def _escape_or_unescape_formula_starts(found: re.Match[str], escape: str) -> str:
    """What was found, with `escape` where a cell begins with a formula; without one there if ""."""
    text = found.group()
    begins = [0] if found.start() == 0 and text[:1] != ";" else []
    begins += [at + 1 for at, character in enumerate(text) if character in _SEPARATORS]
    # Tabs and carriage returns begin a formula, too.
    last = max(text.rfind("\t"), text.rfind("\r"))
    if found.string[found.end() : found.end() + 1] in _FORMULA_CHARACTERS:
        last = len(text)
    begins = [at for at in begins if at <= last]
    pieces = [text[start:end] for start, end in zip([0, *begins], [*begins, None], strict=True)]
    if not escape:
        pieces[1:] = [piece.removeprefix("'") for piece in pieces[1:]]
    return escape.join(pieces)
