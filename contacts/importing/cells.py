"""Whether the text of one cell looks like a phone number, an e-mail address or a date."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

MAX_KNOWN_LENGTH = 200

_DATE = re.compile(
    r"(?P<first>\d{1,4})(?P<separator>[-/.] ?)(?P<second>\d{1,2})(?P=separator)(?P<third>\d{1,4})"
    r"\.?(?:[T ].*)?"
)
_DAY_OF_YEAR = re.compile(r"(?:--)?\d{1,2}[-/.]\d{1,2}\.?")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE = re.compile(r"\+?[\d(][\d\s()./-]*")
_IP_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")


def looks_like_phone(text: str) -> bool:
    """Whether the text could be a phone number of any country, as people and programs write it."""
    text = text.strip().lstrip("'=\"").rstrip('"')
    return (
        _PHONE.fullmatch(text) is not None
        and 7 <= sum(map(str.isdigit, text)) <= 15
        and not looks_like_date_with_year(text)
        and _IP_ADDRESS.fullmatch(text) is None
    )


def looks_like_email(text: str) -> bool:
    """Whether the text has the form of an e-mail address."""
    return _EMAIL.fullmatch(text.strip()) is not None


def looks_like_date_with_year(text: str) -> bool:
    """Whether the text is a date with a year of two or four digits, with or without a time."""
    match = _DATE.fullmatch(text.strip())
    return match is not None and sorted(map(len, match.group("first", "third"))) in (
        [1, 2], [2, 2], [1, 4], [2, 4],
    )  # fmt: skip


def looks_like_day_and_month(text: str) -> bool:
    """Whether the text is a day and a month without a year."""
    return _DAY_OF_YEAR.fullmatch(text.strip()) is not None


class UnusableCell(ValueError):
    """A cell cannot be used; the message is a reason for a person."""


class KnownCells(dict[str, T]):
    """What the cells of a column say, by their text; short texts are read once."""

    def __init__(self, read: Callable[[str], T], size: int) -> None:
        """Begin with no text.

        Args:
            read: reads a cell; what it raises is not kept.
            size: the most texts that are kept, the first ones.
        """
        super().__init__()
        self.read, self.size = read, size

    def __missing__(self, text: str) -> T:
        """Read a text that is not kept."""
        value = self.read(text)
        if len(self) < self.size and len(text) <= MAX_KNOWN_LENGTH:
            self[text] = value
        return value


def fold_to_alphanumeric(text: str) -> str:
    """The text in lower case without accents, and only its letters and digits."""
    decomposed = unicodedata.normalize("NFD", text.lower().replace("ς", "σ"))
    return re.sub(r"[\W_]", "", "".join(c for c in decomposed if not unicodedata.combining(c)))
