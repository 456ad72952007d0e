"""Legends of codes that stand outside of the headings: which columns they explain.

A legend may stand in the heading of its column, above the headings, below the table, or on a sheet
of its own. Wherever it stands, it is written into the heading, which is what a column is read by
(rules.md#import).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import NamedTuple

from contacts.importing.cells import fold_to_alphanumeric
from contacts.importing.code_legends import MIN_CODES, meaning_by_code, without_legend
from contacts.importing.heading_words import canonical_heading_words
from contacts.importing.headings import MEANINGS_OF_CONSENT, Meaning, read_heading

MAX_HEADING_LENGTH = 100
MAX_CODE_LENGTH = 3

_OF_CONSENT = MEANINGS_OF_CONSENT | {Meaning.UNCLEAR_CONSENT, Meaning.SMS}


def headings_with_legends(
    headings: Sequence[str], legends: Sequence[str], rows: Sequence[Sequence[str]]
) -> list[str]:
    """The headings, each with the codes that a legend explains for it: `SMS (1 = yes, 2 = no)`.

    A legend belongs to the columns that it names, `SMS: 1 = yes, 2 = no`, else to the only column
    that holds nothing but its codes, or to those of consent among several. Codes may stand in a
    text each.

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
        of_consent = [at for at in fitting if read_heading(headings[at]).meaning in _OF_CONSENT]
        explained = ", ".join(f"{code} = {meant}" for code, meant in legend.items())
        for at in named or (fitting if len(fitting) == 1 else of_consent):
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
        if len(legend) >= MIN_CODES or any(map(_names_consent_or_refusal, legend.values())):
            found.append((text, legend))
        else:
            single |= legend
            others.append(text)
    single = single or meaning_by_code(", ".join(others))  # `1 : oui` in a cell of its own
    return [*found, (" ".join(others), single)] if len(single) >= MIN_CODES else found


def _names_consent_or_refusal(text: str) -> bool:
    """Whether the meaning of a code makes it worth a legend of its own: `x = no SMS`."""
    return read_heading(text).meaning in (Meaning.CONSENT, Meaning.OPT_OUT)


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
