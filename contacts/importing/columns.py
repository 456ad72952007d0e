"""One column of a customer list: its heading, and what kind of cells it holds.

Which field of a contact a column holds is decided in `mapping.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence, Set
from datetime import UTC
from typing import NamedTuple

from contacts.importing.cells import looks_like_date_with_year
from contacts.importing.consent_cells import (
    Consent,
    ConsentColumn,
    channels_if_cell_lists_only_channels,
)
from contacts.importing.headings import Heading, Meaning
from contacts.importing.names import is_placeholder_for_no_value
from contacts.models import DateOrder

CONTENT_SAMPLE_ROWS = 200
# The share of a column's cells that must look like values of a field.
MIN_VALUE_SHARE = 0.6
MAX_NAME_LENGTH = 60
MAX_ANSWER_WORDS = 2
MAX_STATES = 12
MAX_CODE_LENGTH = 2
YEAR_IN_CELL = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")


class Column(NamedTuple):
    """A column of a file, with what its heading means and the cells of the first rows."""

    position: int
    text: str
    heading: Heading
    cells: list[str]  # filled ones of the first rows
    all_cells: list[str]  # filled ones of the sample
    rows: list[str]  # one for each row of the sample

    @property
    def meaning(self) -> Meaning:
        """What the column holds by its heading."""
        return self.heading.meaning

    def matching_share(self, matches: Callable[[str], object]) -> float:
        """Which share of the cells matches, from 0 to 1."""
        return sum(1 for cell in self.cells if matches(cell)) / max(1, len(self.cells))

    def consent_answer_share(self, *, also: Callable[[str], object] = lambda cell: False) -> float:
        """Which share of the cells answers a question or matches; S and N do beside each other."""
        is_opt_out = self.meaning == Meaning.OPT_OUT
        reader = build_consent_reader(self.cells, heading=self.text, is_opt_out=is_opt_out)
        return self.matching_share(lambda cell: also(cell) or is_consent_answer(cell, reader))

    def row_indexes_matching(self, matches: Callable[[str], object]) -> set[int]:
        """The rows of the sample whose cell is filled and matches."""
        return {at for at, cell in enumerate(self.rows) if cell and matches(cell)}


def repeats_few_values(column: Column) -> bool:
    """Whether the cells are a few values again and again: kinds of customers, not notes."""
    values = set(column.all_cells)
    return len(values) <= MAX_STATES and len(values) * 2 <= len(column.all_cells)


def is_filled_and_not_placeholder(cell: str) -> bool:
    """Whether the cell is neither empty nor says that there is nothing, such as `N/A`."""
    return bool(cell) and not (
        is_placeholder_for_no_value(cell) and CONSENT_READER.read(cell).consent == Consent.SILENT
    )


def holds_mostly_answers_in_words(column: Column) -> bool:
    """Whether the cells answer an unknown question: yes, no, a tick; no numbers, no sentences."""
    reader = build_consent_reader(column.cells)

    def is_short_answer(cell: str) -> bool:
        is_short = len(cell.split()) <= MAX_ANSWER_WORDS and not cell.isdigit()
        if channels_if_cell_lists_only_channels(cell):
            return False
        return is_short and is_consent_answer(cell, reader)

    return bool(column.cells) and column.matching_share(is_short_answer) >= MIN_VALUE_SHARE


def is_word_but_no_answer(cell: str) -> bool:
    """Whether the cell has letters and answers no question of consent."""
    return has_letters(cell) and not is_consent_answer(cell)


def has_letters(cell: str) -> bool:
    """Whether the cell has a letter of any script."""
    return any(map(str.isalpha, cell))


def build_consent_reader(
    cells: Sequence[str] = (), *, heading: str = "", is_opt_out: bool = False
) -> ConsentColumn:
    """A reader of answers, of which no time is stored, by the cells and the heading of a column."""
    return ConsentColumn(
        cells,
        is_opt_out=is_opt_out,
        heading=heading,
        date_order=DateOrder.DMY,
        zone=UTC,
        reads_polite_words=bool(heading),
    )


def is_consent_answer(cell: str, reader: ConsentColumn | None = None) -> bool:
    """Whether the cell answers a question of consent: yes, no, subscribed … but no date."""
    return (
        not looks_like_date_with_year(cell) and (reader or CONSENT_READER).read(cell).problem == ""
    )


def has_any_answer_and_not_only_yes(cells: Set[str]) -> bool:
    """Whether some cell is an answer such as `active`, and not all that are filled say yes."""
    if len(cells) > CONTENT_SAMPLE_ROWS / 2:
        return False
    said = {
        CONSENT_READER.read(cell).consent if is_consent_answer(cell) else None for cell in cells
    } - {Consent.SILENT}
    return bool(said - {None}) and said != {Consent.AGREES}


CONSENT_READER, OPT_OUT_READER = build_consent_reader(), build_consent_reader(is_opt_out=True)


def columns_with_rank_of_first(columns: Sequence[Column]) -> list[Column]:
    """Columns of the preferred rank, of which the first that is filled counts in each row."""
    return [column for column in columns if column.heading.rank == columns[0].heading.rank]
