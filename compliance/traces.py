"""Finding a person in texts: by number, e-mail address and full name, however they are written.

PostgreSQL narrows down which rows to look at, by expressions that are quick and find rather too
much. What names the person is decided here, where what stands around a match can be seen.
"""

from __future__ import annotations

import functools
import re
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

import phonenumbers
from phonenumbers import PhoneMetadata

MASK = "[erased]"
# So many last digits tell a number, whatever stands before them, if they stand alone.
TAIL_DIGITS = 8
MIN_NATIONAL_DIGITS = 7
MIN_NAME_LENGTH = 2
# What may stand between two digits of a number, also as JSON escapes it.
_GAP = r"(?:[\s().\-/_\u00a0\u00ad\u2000-\u2015\u202f\u2060\u2212\ufeff]|\\[nrt]){0,4}"
# The same and more, for PostgreSQL: anything but other digits and most letters.
_SQL_GAP = "[^0-9A-Za-mo-qsu-z]{0,4}"
# What may stand between two parts of a name: in a text, a file name, or the cells of a row.
_BETWEEN_NAMES = r"""[\s,;:"'._|()/\\\[\]-]{1,6}"""
_LETTER = r"[a-zA-Z0-9\u00c0-\u024f\u0370-\u1fff]"
_ACCENTS = "[\u0300-\u036f]*"
_AROUND = " \t\r\n\u00a0'\"=`\u2019"
_PLUS_BEFORE = re.compile(rf"(?:\+|\b00)\(?\d{{1,4}}\)?{_GAP}$")


class Traces:
    """What a person is named by, and where in a text that is.

    Args:
        phone: the number in E.164.
        emails: e-mail addresses.
        names: pairs of first name and last name; a name without one of them tells nobody.
    """

    def __init__(
        self, e164_phone: str, emails: Sequence[str] = (), names: Sequence[tuple[str, str]] = ()
    ) -> None:
        self.phone = e164_phone
        self.emails = [email for email in emails if email]
        self.names = [
            (first, last)
            for first, last in names
            if min(len(first.strip()), len(last.strip())) >= MIN_NAME_LENGTH
        ]
        code, national, region = _calling_code_national_and_region(e164_phone)
        number_pattern = _regex_of_number_with_or_without_calling_code(code, national, region)
        email_patterns = list(map(_unbounded_email_pattern, self.emails))
        name_patterns = [_pattern_of_names_in_either_order(*pair) for pair in self.names]
        self._number = re.compile(number_pattern)
        self._tail = re.compile(
            _pattern_without_adjacent_digits(_pattern_of_digits_with_gaps(national[-TAIL_DIGITS:]))
        )
        others = [rf"(?<![\w.+-])(?:{email})(?![\w-])" for email in email_patterns]
        others += [rf"(?<!{_LETTER})(?:{name})(?!{_LETTER})" for name in name_patterns]
        self._others = re.compile("|".join(others)) if others else None
        # For PostgreSQL: whatever digits of other scripts say is looked at.
        self.sql_number_pattern = (
            f"{_SQL_GAP.join(national[-TAIL_DIGITS:])}|{_non_ascii_digit_class()}"
        )
        self.sql_pattern = "|".join([self.sql_number_pattern, *email_patterns, *name_patterns])

    def spans_naming_person(self, text: str, *, number_only: bool = False) -> list[tuple[int, int]]:
        """Where the text names the person, from left to right."""
        found = [
            match.span()
            for match in self._number.finditer(text)
            if self._begins_with_own_calling_code(match[0])
            or not _PLUS_BEFORE.search(text[max(0, match.start() - 12) : match.start()])
        ]
        if self._others and not number_only:
            found += [match.span() for match in self._others.finditer(text)]
        return sorted(found)

    def has_email_or_full_name(self, text: str) -> bool:
        """Whether an e-mail address or full name of the person is in the text."""
        return bool(self._others and self._others.search(text))

    def _begins_with_own_calling_code(self, written: str) -> bool:
        """Whether a number is written with its calling code, so that no other can precede it."""
        digits = "".join(str(unicodedata.decimal(c)) for c in written if c.isdecimal())
        return digits.removeprefix("00").startswith(self.phone[1:])

    def is_phone_or_its_last_digits(self, text: str) -> bool:
        """Whether the whole text is the person's number, or its last digits."""
        text = text.strip(_AROUND)
        if self._tail.fullmatch(text):
            return True
        text = text.lstrip("(")
        return (0, len(text)) in self.spans_naming_person(text, number_only=True)

    def are_in(self, value: Any, *, number_only: bool = False) -> bool:
        """Whether a text, or JSON at any depth, names the person."""
        return any(
            self.spans_naming_person(leaf, number_only=number_only)
            or self.is_phone_or_its_last_digits(leaf)
            for leaf in iter_texts_numbers_and_keys_in_json(value)
        ) or any(
            self.spans_naming_person(text, number_only=number_only)
            for text in _iter_lists_as_one_text(value)
        )

    def mask_person_in(self, value: Any, mask: str = MASK, *, number_only: bool = False) -> Any:
        """The text or JSON with a mask in place of all that names the person."""
        if isinstance(value, str):
            return self._masked_text(value, mask, number_only=number_only)
        if isinstance(value, list):
            items = [self.mask_person_in(item, mask, number_only=number_only) for item in value]
            if self.spans_naming_person(_join_texts(items), number_only=number_only):
                items = [mask if isinstance(item, str) else item for item in items]
            return items
        if isinstance(value, dict):
            return {
                self._masked_text(key, mask, number_only=number_only): self.mask_person_in(
                    item, mask, number_only=number_only
                )
                for key, item in value.items()
            }
        if isinstance(value, (int, float)) and self.is_phone_or_its_last_digits(
            _write_without_fraction(value)
        ):
            return mask
        return value

    def _masked_text(self, text: str, mask: str, *, number_only: bool) -> str:
        if self.is_phone_or_its_last_digits(text):
            return mask
        pieces, end = [], 0
        for start, stop in self.spans_naming_person(text, number_only=number_only):
            if start >= end:
                pieces += [text[end:start], mask]
                end = stop
        return "".join([*pieces, text[end:]])


def iter_texts_numbers_and_keys_in_json(value: Any) -> Iterator[str]:
    """The texts and numbers in a text or in JSON at any depth, names of keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from iter_texts_numbers_and_keys_in_json(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from iter_texts_numbers_and_keys_in_json(item)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield _write_without_fraction(value)


def _iter_lists_as_one_text(value: Any) -> Iterator[str]:
    """The texts of each list in JSON as one text, since two of them may be one name."""
    if isinstance(value, (list, tuple)):
        yield _join_texts(value)
    items = value.values() if isinstance(value, dict) else value
    if isinstance(value, (list, tuple, dict)):
        for item in items:
            yield from _iter_lists_as_one_text(item)


def _join_texts(items: Sequence[Any]) -> str:
    return " ".join(item for item in items if isinstance(item, str))


def _write_without_fraction(number: float) -> str:
    """A number of JSON as it is written without a fraction."""
    return str(int(number)) if number == number and abs(number) < 1e18 else str(number)


@functools.cache
def _non_ascii_digit_class() -> str:
    """A class of all digits that are not those of ASCII."""
    _, any_digit = _digit_classes_and_all_digits()
    return f"[{''.join(digit for digit in any_digit if not digit.isascii())}]"


@functools.cache
def _digit_classes_and_all_digits() -> tuple[list[str], str]:
    """For each digit the characters that mean it in any script, and all of them together."""
    by_value: list[list[str]] = [[] for _ in range(10)]
    for code in range(sys.maxunicode + 1):
        value = unicodedata.decimal(chr(code), None)
        if value is not None:
            by_value[value].append(chr(code))
    return [f"[{''.join(chars)}]" for chars in by_value], "".join(map("".join, by_value))


def _pattern_of_digits_with_gaps(digits: str) -> str:
    classes, _ = _digit_classes_and_all_digits()
    return _GAP.join(classes[int(digit)] for digit in digits)


def _pattern_without_adjacent_digits(pattern: str) -> str:
    """A pattern of digits with no further digit on either side."""
    _, any_digit = _digit_classes_and_all_digits()
    return f"(?<![{any_digit}])(?:{pattern})(?![{any_digit}])"


def _calling_code_national_and_region(phone: str) -> tuple[str, str, str | None]:
    """Calling code, national number and country of a number; of an unknown code only its digits."""
    try:
        number = phonenumbers.parse(phone)
    except phonenumbers.NumberParseException:
        return "", phone[1:], None
    national = phonenumbers.national_significant_number(number)
    return str(number.country_code), national, phonenumbers.region_code_for_number(number)


def _regex_of_number_with_or_without_calling_code(
    code: str, national: str, region: str | None
) -> str:
    """The number with its calling code, with the prefix of its country, or as it is."""
    metadata = PhoneMetadata.metadata_for_region(region) if region else None
    prefixes = {"0", (metadata.national_prefix if metadata else None) or "0"}
    trunk = "|".join(
        _pattern_of_digits_with_gaps(prefix) for prefix in sorted(prefixes) if prefix.isdecimal()
    )
    zeros, spaced_code = _pattern_of_digits_with_gaps("00"), _pattern_of_digits_with_gaps(code)
    international = rf"(?:\+|{zeros})?{_GAP}\(?{spaced_code}\)?{_GAP}"
    at_home = rf"(?:\(?(?:{trunk})\)?{_GAP})?{_pattern_of_digits_with_gaps(national)}"
    # A few digits without a calling code may be anything.
    may_lack_code = "?" if len(national) >= MIN_NATIONAL_DIGITS else ""
    return _pattern_without_adjacent_digits(rf"(?:{international}){may_lack_code}{at_home}")


def _unbounded_email_pattern(email: str) -> str:
    return "".join(
        f"[{c.lower()}{c.upper()}]" if c.lower() != c.upper() else re.escape(c)
        for c in email.strip()
    )


def _pattern_of_names_in_either_order(first: str, last: str) -> str:
    """Both names in either order, in any case, with or without accents."""
    parts = [_unbounded_pattern_of_any_spelling(first), _unbounded_pattern_of_any_spelling(last)]
    orders = (_BETWEEN_NAMES.join(order) for order in (parts, reversed(parts)))
    return "|".join(orders)


def _unbounded_pattern_of_any_spelling(name: str) -> str:
    words = re.findall(r"\w+", unicodedata.normalize("NFC", name))
    return _BETWEEN_NAMES.join(
        "".join(_regex_class_of_similar_letters(letter) + _ACCENTS for letter in word)
        for word in words
    )


def _regex_class_of_similar_letters(letter: str) -> str:
    alike = _letters_by_base_letter().get(_lowercase_letter_without_accent(letter), {letter})
    return f"[{''.join(sorted(alike | {letter.lower(), letter.upper()}))}]"


@functools.cache
def _letters_by_base_letter() -> dict[str, set[str]]:
    """The letters of European alphabets by what they are without case and accent."""
    alike: dict[str, set[str]] = {}
    for code in range(0x2000):
        if chr(code).isalpha():
            alike.setdefault(_lowercase_letter_without_accent(chr(code)), set()).add(chr(code))
    return alike


def _lowercase_letter_without_accent(letter: str) -> str:
    return unicodedata.normalize("NFD", letter.lower().replace("ς", "σ"))[:1]
