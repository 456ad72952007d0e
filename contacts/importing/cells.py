"""The text of one cell: made plain, and whether it looks like a number, an address or a date."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

MAX_CELL_LENGTH = 1000
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


def normalize_digits_blanks_dashes(text: str) -> str:
    """The text with digits, blanks and dashes of other scripts as ASCII, and nothing invisible."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_normalize_character, text))


@functools.lru_cache(maxsize=1024)
def _normalize_character(character: str) -> str:
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    category = unicodedata.category(character)
    if character in "\r\n\u2028\u2029":
        return "\n"
    if category == "Zs" or character in "\t\v\f":
        return " "
    if category == "Pd" or character == "\u2212":
        return "-"
    if category in ("Cf", "Cc", "Mn", "So", "Sk"):
        return ""  # invisible marks, accents' remains and pictures
    if "\uff01" <= character <= "\uff5e":
        return chr(ord(character) - 0xFEE0)  # full width
    return character


def strip_spreadsheet_quoting(text: str) -> str:
    """The text without what keeps a spreadsheet from calculating: `'…` and `="…"`."""
    text = text.strip()
    while True:
        inner = text
        if len(inner) >= 2 and inner[0] == inner[-1] == '"':
            inner = inner[1:-1]
        inner = inner.lstrip("='\"`\u2018\u2019\u00b4").rstrip("'\"`\u2019").strip()
        if inner == text:
            return text
        text = inner
