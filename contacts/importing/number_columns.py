"""Lists of numbers: which columns hold them, and every number that a row may mean.

Such a list says no for the people on it, so that of a number with several readings each counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from contacts.importing.area_codes import (
    area_code_column_by_phone_position,
    area_code_digits_or_empty,
    needs_by_phone_position,
)
from contacts.importing.headings import Meaning, heading_names_calling_code, read_heading
from contacts.importing.phone_cells import PhoneReader, detect_phone_convention
from contacts.importing.reading import Layout

# A column without a telling heading holds numbers if so many of its cells do.
MIN_NUMBER_SHARE = 0.6
# What a heading may say of a column that holds numbers nevertheless.
POSSIBLE_NUMBERS = (Meaning.UNKNOWN, Meaning.NUMBER, Meaning.PERSON, Meaning.OPT_OUT)


class NumberColumns:
    """The columns of a list of numbers that hold them, and how they write them.

    `positions` are columns of numbers. Where no heading names them, a row may have its number in
    one of `others`.
    """

    def __init__(
        self,
        layout: Layout,
        sample: Sequence[tuple[int, Sequence[str]]],
        region: str,
        *,
        is_number_of_another_kind: Callable[[str], bool] = lambda cell: False,
    ) -> None:
        """Choose the columns by their headings, else by their cells.

        Args:
            layout: of the list.
            sample: the first rows, with their lines.
            region: two-letter country of numbers without a country code.
            is_number_of_another_kind: whether a cell stands for a number, such as its hash.
        """
        meanings = [
            read_heading(heading).meaning if layout.has_header else Meaning.UNKNOWN
            for heading in layout.headings
        ]
        cells = [
            [row[at] for _, row in sample if at < len(row) and row[at].strip()]
            for at in range(len(meanings))
        ]
        known = [at for at, each in enumerate(meanings) if each in (Meaning.PHONE, Meaning.SMS)]
        self.country_at = [at for at, each in enumerate(meanings) if each == Meaning.COUNTRY]
        self.area_code_at = self._area_code_column_by_phone(
            layout.headings, known, meanings, [row for _, row in sample], region
        )
        area_codes_at = set(self.area_code_at.values())
        self.country_at = [at for at in self.country_at if at not in area_codes_at]
        countries = [self._first_country_cell_or_empty(row) for _, row in sample]
        self.readers: dict[int, PhoneReader] = {}
        for at in range(len(meanings)):
            pairs = [
                (row[at], country)
                for (_, row), country in zip(sample, countries, strict=True)
                if at < len(row)
            ]
            self.readers[at] = PhoneReader(region, detect_phone_convention(pairs, region))
        self.positions = known or [
            at
            for at, each in enumerate(meanings)
            if each in POSSIBLE_NUMBERS
            and cells[at]
            and sum(
                is_number_of_another_kind(cell)
                or bool(self.readers[at].find_all_possible_numbers(cell.strip(), "", ""))
                for cell in cells[at]
            )
            >= MIN_NUMBER_SHARE * len(cells[at])
        ]
        self.others = [
            at
            for at, each in enumerate(meanings)
            if not known and each in POSSIBLE_NUMBERS and at not in self.positions
        ]

    def find_all_possible_numbers(self, position: int, cells: Sequence[str]) -> list[str]:
        """The numbers in E.164 in one cell of a row; of a number with several readings each."""
        cell = cells[position].strip() if position < len(cells) else ""
        if not cell:
            return []
        return self.readers[position].find_all_possible_numbers(
            cell,
            self._first_country_cell_or_empty(cells),
            self._area_code_of_phone_or_empty(position, cells),
        )

    def find_all_possible_numbers_of_row(self, cells: Sequence[str]) -> list[str]:
        """The numbers in E.164 in the columns of numbers; if there are none, in the others."""
        for positions in (self.positions, self.others):
            if found := [
                phone for at in positions for phone in self.find_all_possible_numbers(at, cells)
            ]:
                return found
        return []

    def _area_code_column_by_phone(
        self,
        headings: Sequence[str],
        phones: Sequence[int],
        meanings: Sequence[Meaning],
        rows: Sequence[Sequence[str]],
        region: str,
    ) -> dict[int, int]:
        """The columns of area codes that numbers lack, by the columns of these numbers."""
        named = [
            at
            for at, meaning in enumerate(meanings)
            if meaning == Meaning.AREA_CODE or heading_names_calling_code(headings[at])
        ]
        columns = area_code_column_by_phone_position(headings, phones, named)
        found = {}
        for phone, area_code in columns.items():
            countries = [
                next(
                    (
                        row[at]
                        for at in self.country_at
                        if at < len(row) and at != area_code.position
                    ),
                    "",
                )
                for row in rows
            ]
            if needs_by_phone_position({phone: area_code}, rows, countries, region):
                found[phone] = area_code.position
        return found

    def _area_code_of_phone_or_empty(self, phone_at: int, cells: Sequence[str]) -> str:
        at = self.area_code_at.get(phone_at, len(cells))
        return area_code_digits_or_empty(cells[at]) if at < len(cells) else ""

    def _first_country_cell_or_empty(self, cells: Sequence[str]) -> str:
        return next((cells[at] for at in self.country_at if at < len(cells)), "")
