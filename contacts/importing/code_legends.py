"""Legends of codes: `SMS (0 = ja, 1 = nein)`, wherever a file explains them (rules.md#import).

A legend may stand in the heading of its column, above the headings, below the table, or on a sheet
of its own. Wherever it stands, it is written into the heading, which is what a column is read by.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import NamedTuple

from contacts.importing.cells import fold_to_alphanumeric
from contacts.importing.heading_words import canonical_heading_words

MAX_HEADING_LENGTH = 100
MAX_LEGEND_LENGTH = 1000  # a legend may be a sentence
MAX_CODE_LENGTH = 3
MIN_CODES = 2  # one `n = 5` explains no column

_EQUATION = re.compile(
    r"\b(\w{1,3})\s{0,3}=\s{0,3}([^,;/|()\[\]=]+?)(?=\s+\w{1,3}\s{0,3}=|[,;/|()\[\]=]|\s*$)"
)
# A colon may mean anything after a word, so the code is a number or a letter, and comes again.
_CODE_AND_ARROW = r"(\d{1,2}|[^\W\d_])\s{0,3}(?::|->|→|⇒)"
_LISTED_CODE = re.compile(
    rf"(?<![\w:]){_CODE_AND_ARROW}\s{{0,3}}([^\W\d_][^,;/|()\[\]=:→⇒>]*?)"
    rf"(?=\s+[-–]\s|\s+{_CODE_AND_ARROW.replace('(', '(?:', 1)}|[,;/|()\[\]]|\s*$)"
)


def meaning_by_code(text: str) -> dict[str, str]:
    """What the codes mean that a text explains; nothing if it explains none.

    Args:
        text: such as `SMS (1 = yes, 2 = no)` or `1 : oui / 2 : non`.
    """
    text = text[:MAX_LEGEND_LENGTH]
    if found := {code: meant.strip() for code, meant in _EQUATION.findall(text)}:
        return found
    found = {code: meant.strip() for code, meant in _LISTED_CODE.findall(text)}
    return found if len(found) >= MIN_CODES else {}


def without_legend(text: str) -> str:
    """A text without the codes that it explains.

    Args:
        text: see `meaning_by_code`.
    """
    if not meaning_by_code(text):
        return text
    stripped = _EQUATION.sub(" ", text)
    return stripped if stripped != text else _LISTED_CODE.sub(" ", text)


def headings_with_legends(
    headings: Sequence[str], legends: Sequence[str], rows: Sequence[Sequence[str]]
) -> list[str]:
    """The headings, each with the codes that a legend explains for it: `SMS (1 = yes, 2 = no)`.

    A legend belongs to the columns that it names, `SMS: 1 = yes, 2 = no`, else to the only column
    that holds nothing but its codes. Codes may stand in a text each.

    Args:
        headings: those of all columns.
        legends: texts that stand elsewhere in the file.
        rows: the first rows below the headings.
    """
    result = list(headings)
    for text, legend in _joined_legends(legends):
        codes = set(map(fold_to_alphanumeric, legend))
        fitting = [
            at
            for at, heading in enumerate(headings)
            if heading.strip()
            and _holds_only_codes(
                [row[at] for row in rows if at < len(row) and row[at] not in (heading, text)], codes
            )
        ]
        named_words = set(canonical_heading_words(without_legend(text)))
        named = [
            at for at in fitting if named_words.issuperset(canonical_heading_words(headings[at]))
        ]
        explained = ", ".join(f"{code} = {meant}" for code, meant in legend.items())
        for at in named or (fitting if len(fitting) == 1 else ()):
            heading = f"{headings[at].strip()} ({explained})"
            if len(heading) <= MAX_HEADING_LENGTH and not meaning_by_code(headings[at]):
                result[at] = heading
    return result


def _joined_legends(texts: Iterable[str]) -> list[tuple[str, Mapping[str, str]]]:
    """The texts that explain codes, with what each code means; those of one code are joined."""
    found: list[tuple[str, Mapping[str, str]]] = []
    single: dict[str, str] = {}
    others = []
    for text in texts:
        legend = meaning_by_code(text)
        if len(legend) >= MIN_CODES:
            found.append((text, legend))
        else:
            single |= legend
            others.append(text)
    single = single or meaning_by_code(", ".join(others))  # `1 : oui` in a cell of its own
    return [*found, (" ".join(others), single)] if len(single) >= MIN_CODES else found


def _holds_only_codes(cells: Sequence[str], codes: Set[str]) -> bool:
    filled = {fold_to_alphanumeric(cell) for cell in cells if cell.strip()}
    return bool(filled) and filled <= codes


class TableAndLegends(NamedTuple):
    """The rows of a table, and the texts below or beside it that may explain codes."""

    rows: list[Sequence[str]]
    legends: list[str]


def divide_rows_and_legends(rows: Iterable[Sequence[str]]) -> TableAndLegends:
    """Tell the rows of a table from those that explain codes.

    A legend is the only text of its row, or has a row for each code with what it means beside it.

    Args:
        rows: rows of a sheet, below its headings.
    """
    table: list[Sequence[str]] = []
    legends: list[str] = []
    for row in rows:
        filled = [cell.strip() for cell in row if cell.strip()]
        if len(filled) == 1 and meaning_by_code(filled[0]):
            legends.append(filled[0])
        elif len(filled) == 2 and _is_code_and_meaning(*filled):
            legends.append(f"{filled[0]} = {filled[1]}")
        else:
            table.append(row)
    return TableAndLegends(table, legends)


def _is_code_and_meaning(code: str, meaning: str) -> bool:
    return (
        len(code) <= MAX_CODE_LENGTH
        and code.isalnum()
        and any(map(str.isalpha, meaning))
        and not any(map(str.isdecimal, meaning))
    )
