"""Area codes in a column of their own: whose numbers they begin, and whether these lack them.

A number without its area code is no number, or another person's. Whether the cells of a phone
column lack their area codes is decided by all of them (rules.md#numbers-in-a-cell).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from contacts.importing.heading_words import CONCEPTS_BY_WORD, canonical_heading_words
from contacts.importing.phone_cells import number_needs_area_code

# The share of the rows with number and area code that must lack the code, where another phone
# column is nearer to the column of area codes.
MIN_SHARE_IN_NEED = 0.6
MAX_ROWS_LOOKED_AT = 1000

_AREA_CODE = re.compile(r"[('\[]{0,2}(0?[1-9]\d{0,4})[)\]]?[/-]?(?:[.,]0{1,2})?")


def area_code_digits_or_empty(cell_text: str) -> str:
    """The digits of an area code as written, with or without its zero; empty if it is none.

    Args:
        cell_text: such as `11`, `(0171)`, `030/` or, of a spreadsheet, `11.0`.
    """
    match = _AREA_CODE.fullmatch(cell_text.strip())
    return match[1] if match else ""


class AreaCodeColumn(NamedTuple):
    """The column of area codes of a phone column.

    `is_nearest` is whether no other phone column is nearer to it.
    """

    position: int
    is_nearest: bool


class NeedOfAreaCodes(NamedTuple):
    """How many rows have a number and an area code.

    `in_need` are those whose number lacks it, `complete` those whose number is one without it.
    """

    rows: int = 0
    in_need: int = 0
    complete: int = 0

    @property
    def is_common(self) -> bool:
        """Whether most numbers lack their area codes."""
        return self.in_need > 0 and self.in_need >= self.rows * MIN_SHARE_IN_NEED


def area_code_column_by_phone_position(
    headings: Sequence[str], phone_positions: Iterable[int], area_code_positions: Iterable[int]
) -> dict[int, AreaCodeColumn]:
    """The column of area codes of each phone column that may have one.

    It is the one whose heading has the words of the phone's (`Mobile area code`), else the nearest
    on its left, else the nearest on its right.

    Args:
        headings: those of all columns.
        phone_positions: of the columns with phone numbers.
        area_code_positions: of the columns with area codes.
    """
    phones = sorted(phone_positions)
    found = {}
    for phone in phones:
        named = [at for at in area_code_positions if _heading_names_phone(headings, at, phone)]
        candidates = named or [
            at
            for at in area_code_positions
            if not any(_heading_names_phone(headings, at, other) for other in phones)
        ]
        if not candidates:
            continue
        nearest = min(candidates, key=lambda at: (at > phone, abs(at - phone)))
        has_nearer = (
            nearest + 1 in phones
            if nearest > phone
            else bool(set(phones) & set(range(nearest, phone)))
        )
        found[phone] = AreaCodeColumn(nearest, is_nearest=bool(named) or not has_nearer)
    return found


def _heading_names_phone(headings: Sequence[str], area_code_at: int, phone_at: int) -> bool:
    """Whether the heading of area codes has a word for one phone column: `mobile`, `2`."""
    words = canonical_heading_words(headings[phone_at])
    concepts = {concept for word in words for concept in CONCEPTS_BY_WORD.get(word, ())}
    telling = [
        (word, known)
        for word in canonical_heading_words(headings[area_code_at])
        for known in [CONCEPTS_BY_WORD.get(word, _GLUE)]
        if word.isdigit() or not _OF_ANY_AREA_CODE & known
    ]
    return bool(telling) and all(
        word in words or (not word.isdigit() and known & concepts) for word, known in telling
    )


_GLUE = {"glue"}
_OF_ANY_AREA_CODE = frozenset({"area", "area_code", "calling", "id", "number", "glue", "phone"})


def count_numbers_in_need_of_area_codes(
    rows: Iterable[tuple[str, str, str]], region: str
) -> NeedOfAreaCodes:
    """How many numbers lack their area codes.

    Args:
        rows: number, country and area code of each row, as they stand in the file.
        region: two-letter country of the store.
    """
    count = in_need = complete = 0
    for number, country, area_code_text in rows:
        area_code = area_code_digits_or_empty(area_code_text)
        if not (area_code and number):
            continue
        count += 1
        needs = number_needs_area_code(number, country, area_code, region)
        in_need += needs is True
        complete += needs is False
        if count == MAX_ROWS_LOOKED_AT:
            break
    return NeedOfAreaCodes(count, in_need, complete)


def needs_by_phone_position(
    columns: Mapping[int, AreaCodeColumn],
    rows: Sequence[Sequence[str]],
    countries: Sequence[str],
    region: str,
) -> dict[int, NeedOfAreaCodes]:
    """The need of each phone column that lacks area codes.

    Args:
        columns: see `area_code_column_by_phone_position`.
        rows: cells of the file's first rows.
        countries: the country of each of these rows, or empty.
        region: two-letter country of the store.
    """
    found = {}
    for phone, area_code in columns.items():
        width = max(phone, area_code.position)
        need = count_numbers_in_need_of_area_codes(
            (
                (row[phone].strip(), country, row[area_code.position])
                for row, country in zip(rows, countries, strict=True)
                if len(row) > width
            ),
            region,
        )
        if need.in_need and (area_code.is_nearest or need.is_common):
            found[phone] = need
    return found
