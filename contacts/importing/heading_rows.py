"""Finding the row of headings: below titles and notes, over one row or two (rules.md#import)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from django.utils.translation import gettext

from contacts.importing.cells import (
    looks_like_date_with_year,
    looks_like_email,
    looks_like_phone,
)
from contacts.importing.code_legends import MAX_LEGEND_LENGTH
from contacts.importing.column_legends import headings_with_legends
from contacts.importing.headings import Meaning, is_answer_of_pair, read_heading
from contacts.importing.import_refused import ImportRefused, Question

MAX_ROWS_ABOVE = 30
MAX_LENGTH = 100
MIN_VALUE_SHARE = 0.6
_NOT_OF_CONTACT = (Meaning.OTHER, Meaning.UNKNOWN, Meaning.NUMBER)


class HeadingRow(NamedTuple):
    """The headings, empty if there are none; how many rows of the sample end with them; notes.

    `titles` are the texts above the headings, each with its line.
    """

    cells: tuple[str, ...]
    end: int
    notes: tuple[str, ...] = ()
    titles: tuple[tuple[int, str], ...] = ()


class _CellKindCounts(NamedTuple):
    fields: int  # cells that are headings of a contact's fields
    others: int  # cells that are other known headings
    dates: int
    values: int  # phone numbers and e-mail addresses
    filled: int

    @property
    def weighted_total(self) -> int:
        return 2 * self.fields + self.others - self.dates


def find_headings_or_refuse(
    numbered_rows: Sequence[tuple[int, list[str]]], *, has_header: bool | None
) -> HeadingRow:
    """Find the headings among the first rows of a file.

    Args:
        numbered_rows: the first rows that are not blank, each with its line.
        has_header: what a person says; None to decide by the cells.

    Raises:
        ImportRefused: if the first row may be headings or a customer.
    """
    if has_header is False:
        return HeadingRow((), 0)
    rows = [cells for _, cells in numbered_rows[:MAX_ROWS_ABOVE]]
    scores = [_count_cell_kinds(row) for row in rows]
    common_width = Counter(score.filled for score in scores).most_common(1)[0][0]
    candidates = [
        at
        for at, score in enumerate(scores)
        if score.fields
        and not score.values
        and score.dates < score.fields
        and (score.filled > 1 or common_width == 1)
    ]
    if not candidates:
        if has_header is None and not _first_row_is_headings_or_refuse(numbered_rows, scores[0]):
            return HeadingRow((), 0)
        return HeadingRow(tuple(rows[0]), 1)
    best = max(candidates, key=lambda at: (scores[at].weighted_total, -at))
    for line, cells in numbered_rows[:best]:
        score = _count_cell_kinds(cells)
        if score.values and score.filled * 2 > common_width:
            raise ImportRefused(
                gettext(
                    "line %(line)s looks like a customer and stands above the headings: remove it,"
                    " or move the headings to the first line"
                )
                % {"line": line}
            )
    end, cells, above = best + 1, list(rows[best]), best
    if (
        best
        and numbered_rows[best - 1][0] == numbered_rows[best][0] - 1
        and _is_row_of_group_headings(scores[best - 1], rows[best - 1])
    ):
        above = best - 1
        cells = _join_group_headings_with_headings_below(rows[above], cells)
    elif end < len(rows) and _fills_gaps_of_heading_row(
        scores[best], rows[best], scores[end], rows[end]
    ):
        cells = _join_group_headings_with_headings_below(cells, rows[end])
        end += 1
    elif best and numbered_rows[best - 1][0] == numbered_rows[best][0] - 1:
        cells = _join_question_with_answers_below(rows[best - 1], cells)
    notes: tuple[str, ...] = ()
    if above:
        first, last = numbered_rows[0][0], numbered_rows[above - 1][0]
        notes = (
            gettext("line %(first)s above the headings: not read") % {"first": first}
            if first == last
            else gettext("lines %(first)s to %(last)s above the headings: not read")
            % {"first": first, "last": last},
        )
    titles = tuple(
        (line, cell.strip()[:MAX_LENGTH])
        for line, row in numbered_rows[:above]
        for cell in row
        if cell.strip()
    )
    legends = [cell.strip()[:MAX_LEGEND_LENGTH] for _, row in numbered_rows[:above] for cell in row]
    cells = headings_with_legends(cells, legends, [row for _, row in numbered_rows[end:]])
    return HeadingRow(tuple(cells), end, notes, titles)


def is_heading_of_contact_field(heading: str) -> bool:
    """Whether a heading is one of a contact's field."""
    return len(heading) <= MAX_LENGTH and read_heading(heading).meaning not in _NOT_OF_CONTACT


def _count_cell_kinds(row: Sequence[str]) -> _CellKindCounts:
    fields = others = dates = values = filled = 0
    for cell in row:
        text = cell.strip("\ufeff \t\r\n")
        if not text:
            continue
        filled += 1
        if looks_like_date_with_year(text):
            dates += 1
        elif looks_like_phone(text) or looks_like_email(text):
            values += 1
        elif len(text) <= MAX_LENGTH:
            meaning = read_heading(text).meaning
            fields += meaning not in _NOT_OF_CONTACT
            others += meaning in (Meaning.OTHER, Meaning.NUMBER)
    return _CellKindCounts(fields, others, dates, values, filled)


def _first_row_is_headings_or_refuse(
    numbered_rows: Sequence[tuple[int, list[str]]], first_score: _CellKindCounts
) -> bool:
    """Whether the first row holds headings of an unknown language, by the cells below them.

    Raises:
        ImportRefused: if the cells below do not tell.
    """
    if first_score.values or first_score.dates:
        return False
    head, rows = numbered_rows[0][1], [cells for _, cells in numbered_rows[1:]]
    has_values = False
    for at in range(max((len(row) for row in rows), default=0)):
        cells = [row[at].strip() for row in rows if len(row) > at and row[at].strip()]
        count = sum(
            looks_like_date_with_year(cell) or looks_like_phone(cell) or looks_like_email(cell)
            for cell in cells
        )
        if cells and count >= MIN_VALUE_SHARE * len(cells):
            has_values = True
            if len(head) > at and head[at].strip():
                return True
    if has_values:
        raise ImportRefused(
            Question(
                gettext("the first row may be headings or a customer: say which"),
                "--header or --no-header",
            )
        )
    return True


def _is_row_of_group_headings(score: _CellKindCounts, row: Sequence[str]) -> bool:
    """Whether a row above the headings names groups of them."""
    return (
        score.filled > 1
        and score.fields > 0
        and not score.values
        and not score.dates
        and any(not cell.strip() for cell in row)
    )


def _fills_gaps_of_heading_row(
    heading_score: _CellKindCounts,
    heading_row: Sequence[str],
    below_score: _CellKindCounts,
    below_row: Sequence[str],
) -> bool:
    """Whether a row below the headings fills their gaps."""
    gaps = [at for at, cell in enumerate(heading_row) if not cell.strip() and len(below_row) > at]
    return (
        bool(gaps)
        and below_score.fields + below_score.others > 0
        and not below_score.values
        and not below_score.dates
        and any(is_heading_of_contact_field(below_row[at]) for at in gaps if below_row[at].strip())
        and heading_score.fields > 0
    )


def _join_question_with_answers_below(above: Sequence[str], below: Sequence[str]) -> list[str]:
    """The headings, of which `Ja` and `Nein` are joined with a question that stands over them.

    The question is the only text of its row, and over the first of the answers.
    """
    filled = [at for at, cell in enumerate(above) if cell.strip()]
    joined = list(below)
    if len(filled) == 1:
        for at in range(filled[0], len(below)):
            if not is_answer_of_pair(below[at]):
                break
            joined[at] = f"{above[filled[0]].strip()} {below[at].strip()}"
    return joined


def _join_group_headings_with_headings_below(
    above: Sequence[str], below: Sequence[str]
) -> list[str]:
    """The headings of two rows; a group stands over its column and the empty ones after it."""
    joined = []
    group = ""
    for at in range(max(len(above), len(below))):
        upper = above[at].strip() if at < len(above) else ""
        lower = below[at].strip() if at < len(below) else ""
        group = upper or group
        if lower:
            joined.append(f"{group} {lower}".strip())
        else:
            joined.append(upper)
            group = ""
    return joined
