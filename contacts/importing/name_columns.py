"""Columns of names: whose they are by their headings, and what their cells look like."""

from __future__ import annotations

from collections.abc import Sequence, Set

from contacts.importing.cells import (
    fold_to_alphanumeric,
    looks_like_date_with_year,
    looks_like_email,
    looks_like_phone,
)
from contacts.importing.columns import (
    MAX_NAME_LENGTH,
    MIN_VALUE_SHARE,
    Column,
    holds_mostly_answers_in_words,
)
from contacts.importing.given_names import is_usual_given_name
from contacts.importing.heading_words import CONCEPTS_BY_WORD, canonical_heading_words
from contacts.importing.headings import Meaning, read_heading
from contacts.importing.names import without_titles_before
from contacts.importing.refusing_cells import without_remark_refusing_contact

MIN_SHARE_OF_NAMES_APART = 0.9
MIN_SHARE_OF_HALVES = 0.8


def person_words_in_heading(column: Column) -> frozenset[str]:
    """The words of a heading that say whose a column is: its number, `buyer`, `attendee`."""
    return frozenset(
        word
        for word in canonical_heading_words(column.text)
        if word.isdigit() or "person" in CONCEPTS_BY_WORD.get(word, ())
    )


def non_customer_words_in_heading(heading: str) -> list[str]:
    """The words of a heading for persons who are not customers, such as `parent`."""
    return [
        word
        for word in canonical_heading_words(heading)
        if "other_person" in CONCEPTS_BY_WORD.get(word, ())
    ]


def names_only_another_person(column: Column) -> bool:
    """Whether a column such as `Parent/guardian` holds names."""
    words = canonical_heading_words(column.text)
    return (
        len(words) == len(non_customer_words_in_heading(column.text))
        and column.matching_share(is_short_text_of_letters) >= MIN_VALUE_SHARE
    )


def meaning_without_words(heading: str, words: Set[str]) -> Meaning:
    """What a heading means without some of its words."""
    kept = [word for word in canonical_heading_words(heading) if word not in words]
    return read_heading(" ".join(kept)).meaning


def is_short_text_of_letters(cell: str) -> bool:
    """Whether the cell could be a name: letters, and marks that names have."""
    plain = cell.translate(_NAME_MARKS)
    return len(cell) <= MAX_NAME_LENGTH and plain.isalpha()


def two_numbered_halves_of_names(plain: Sequence[Column]) -> list[Column]:
    """Two columns such as `NAME1` and `NAME2` that hold one half of each name, by their cells.

    Where the first holds full names or companies, the second adds something else to some.
    """
    filled = [column for column in plain if column.cells]
    if len(filled) != 2:
        return []
    words = [canonical_heading_words(column.text) for column in filled]
    numbers = [[word for word in heading if word.isdigit()] for heading in words]
    without_numbers = [[word for word in heading if not word.isdigit()] for heading in words]
    if without_numbers[0] != without_numbers[1] or numbers not in ([["1"], ["2"]], [[], ["2"]]):
        return []
    both = [(one, two) for one, two in zip(filled[0].rows, filled[1].rows, strict=True) if one]
    in_pairs = sum(
        bool(two) and all(map(is_short_text_of_letters, (one, two))) for one, two in both
    )
    are_halves = (
        in_pairs >= MIN_SHARE_OF_HALVES * len(both)
        and filled[0].matching_share(has_several_words) < MIN_VALUE_SHARE
    )
    return filled if are_halves else []


def has_several_words(cell: str) -> bool:
    """Whether the cell has two words or more."""
    return len(cell.split()) > 1


def unknown_words_in_heading(heading: str) -> frozenset[str]:
    """The words of a heading that nobody knows."""
    return frozenset(
        word
        for word in canonical_heading_words(heading)
        if not word.isdigit() and word not in CONCEPTS_BY_WORD
    )


def is_name_with_or_without_remark(cell: str) -> bool:
    """Whether the cell could be a name, with a remark that refuses contact or without."""
    return is_short_text_of_letters(without_remark_refusing_contact(cell))


def has_only_given_names(cell: str) -> bool:
    """Whether each word of the cell is a usual given name."""
    words = without_titles_before(cell.split())
    return bool(words) and all(map(is_usual_given_name, words))


def is_given_beside_other_name(cell: str) -> bool:
    """Whether the cell begins or ends with a usual given name, and has others: `Anna Berg`."""
    words = without_titles_before(without_remark_refusing_contact(cell).split())
    are_given = list(map(is_usual_given_name, words))
    return len(words) > 1 and (are_given[0] or are_given[-1]) and not all(are_given)


def looks_like_full_name(cell: str) -> bool:
    """Whether the cell is two names or more, and no `Victoria Street`."""
    words = canonical_heading_words(cell)
    return (
        len(cell.split()) > 1
        and is_short_text_of_letters(cell)
        and not any("place" in CONCEPTS_BY_WORD.get(word, ()) for word in words[-1:])
    )


_NAME_MARKS = {ord(mark): None for mark in " .,'’-&+"}


def given_name_share(column: Column) -> float:
    """Which share of the cells has a usual given name as its first or last word."""
    return column.matching_share(
        lambda cell: any(map(is_usual_given_name, {cell.split()[0], cell.split()[-1]}))
    )


def heading_names_company(heading: str) -> bool:
    """Whether a heading has a word for a company."""
    return any("company" in CONCEPTS_BY_WORD.get(w, ()) for w in canonical_heading_words(heading))


def holds_no_phones_emails_dates_or_answers(column: Column) -> bool:
    """Whether the cells are not all numbers, addresses or dates."""
    return (
        not column.cells
        or column.matching_share(
            lambda cell: (
                looks_like_phone(cell) or looks_like_email(cell) or looks_like_date_with_year(cell)
            )
        )
        < MIN_VALUE_SHARE
    ) and not holds_mostly_answers_in_words(column)


def full_names_contain_parts(full_column: Column, part_column: Column) -> bool:
    """Whether the cells of a name column mostly contain those of a first or a last name."""
    pairs = [
        (fold_to_alphanumeric(whole), fold_to_alphanumeric(part))
        for whole, part in zip(full_column.rows, part_column.rows, strict=True)
        if whole and part
    ]
    return (
        bool(pairs)
        and sum(part in whole and part != whole for whole, part in pairs) >= len(pairs) / 2
    )
