"""Reading a cell with a phone number: every reading is computed, and only agreement is accepted.

A file may write one number in many ways, and the same digits may be numbers of two persons: with
the calling code but without its plus, or national without the zero that a spreadsheet drops.
Where readings differ, what cannot be a customer's number is left out, then the other cells of the
column decide. What is still open is rejected with both readings (rules.md#import).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext

from contacts.importing.cells import UnusableCell
from contacts.importing.phone_cell_parts import NUMBER_MISSING, iter_numbers_or_raise_unusable
from contacts.importing.phone_readings import (
    DATE_LIKE_DIGITS,
    PLAIN_MAX_DIGITS,
    PLAIN_MIN_DIGITS,
    SIGNS_AROUND_NUMBERS,
    AmbiguousNumber,
    PhoneConvention,
    RowCountry,
    build_row_country,
    digits_of,
    is_any_mobile,
    parse_single_number_or_raise_unusable,
    parse_unsigned_number_or_raise_unusable,
    readings_beside_area_code,
    unsigned_readings,
)
from contacts.phones import (
    PhoneKind,
    e164_of_international_digits,
    e164_of_national_digits,
    is_certainly_mobile_e164,
    phone_kind,
)

MAX_NATIONAL_DIGITS = 11  # of what is read at once; longer digits may begin with a code twice
# Punctuation of usual cells; a slash may part two numbers.
_PLAIN_PUNCTUATION = str.maketrans("", "", " -.()\u00a0")


@dataclass(slots=True)
class ParsedPhone:
    """The number that a cell holds, in E.164, and its kind."""

    phone: str
    kind: PhoneKind


class PhoneReader:
    """Reads the cells of a column of phone numbers."""

    def __init__(self, region: str, convention: PhoneConvention = PhoneConvention.UNKNOWN) -> None:
        """Prepare reading.

        Args:
            region: two-letter country of the store.
            convention: how the column writes numbers without a sign, by `detect_phone_convention`.
        """
        self.region, self.convention = region, convention
        self._row_country = build_row_country("", region)

    def parse_or_raise_unusable(
        self, cell_text: str, country_text: str = "", area_code: str = ""
    ) -> ParsedPhone:
        """Return the number that a cell holds.

        Args:
            cell_text: the cell.
            country_text: the row's country, as `two_letter_country_or_empty` reads it, or empty.
            area_code: what the row has in the column of area codes, as
                `area_code_digits_or_empty` reads it, or empty.

        Raises:
            UnusableCell: if there is no number, none that is valid, or more than one.
        """
        if is_certainly_mobile_e164(cell_text):
            return ParsedPhone(cell_text, PhoneKind.MOBILE)
        row_country = (
            build_row_country(country_text, self.region, area_code)
            if country_text or area_code
            else self._row_country
        )
        phone = self._parse_plain_or_none_raise_if_unclear(cell_text, row_country)
        if phone:
            return ParsedPhone(phone, phone_kind(phone))
        numbers: dict[str, None] = {}
        problem = None
        for piece in iter_numbers_or_raise_unusable(cell_text, row_country):
            try:
                numbers[
                    parse_single_number_or_raise_unusable(piece, row_country, self.convention)
                ] = None
            except UnusableCell as error:
                problem = problem or error
        if problem and (not numbers or isinstance(problem, AmbiguousNumber)):
            raise problem
        if not numbers:
            raise UnusableCell(NUMBER_MISSING)
        mobiles = [phone for phone in numbers if phone_kind(phone) == PhoneKind.MOBILE]
        if len(numbers) > 1 and len(mobiles) != 1:
            raise UnusableCell(
                gettext("the cell holds several numbers: %(numbers)s: keep one")
                % {"numbers": ", ".join(numbers)}
            )
        phone = mobiles[0] if mobiles else next(iter(numbers))
        return ParsedPhone(phone, phone_kind(phone))

    def find_all_possible_numbers(
        self, cell_text: str, country_text: str = "", area_code: str = ""
    ) -> list[str]:
        """All numbers that a cell may hold, in E.164, among any other words.

        For lists of numbers not to message: where two readings are possible, both are meant.
        For arguments see `parse_or_raise_unusable`.
        """
        row_country = build_row_country(country_text, self.region, area_code)
        numbers: dict[str, None] = {}
        try:
            phone = self._parse_plain_or_none_raise_if_unclear(cell_text, row_country)
            if phone:
                return [phone]
        except UnusableCell:
            pass  # both readings are found below
        try:
            for piece in iter_numbers_or_raise_unusable(
                cell_text, row_country, allow_unknown_words=True
            ):
                try:
                    numbers[
                        parse_single_number_or_raise_unusable(piece, row_country, self.convention)
                    ] = None
                except AmbiguousNumber as problem:
                    numbers.update(dict.fromkeys(problem.readings))
                except UnusableCell:
                    continue
        except AmbiguousNumber as problem:
            numbers.update(dict.fromkeys(problem.readings))
        except UnusableCell:
            pass  # no number, or no more of them
        return list(numbers)

    def _parse_plain_or_none_raise_if_unclear(
        self, text: str, row_country: RowCountry
    ) -> str | None:
        """The number of a usual cell; None if it must be looked at more closely.

        Raises:
            UnusableCell: if the cell holds nothing but digits, and they are no one number.
        """
        written = text.strip()
        digits = _digits_after_plus_or_none_if_unusual(written)
        if digits is None:
            return None
        if written[0] == "+":
            return e164_of_international_digits(digits)
        if row_country.area_code or self.convention == PhoneConvention.LOCAL:
            return None
        if digits[0] == "0":
            if digits[1] == "0" or row_country.unknown:
                return None
            phone = e164_of_national_digits(digits, row_country.region)
            if row_country.region == row_country.store_region:
                return phone
            return phone if phone and phone_kind(phone) == PhoneKind.MOBILE else None
        phone = _parse_digits_if_unambiguous(digits, row_country)
        if phone:
            return phone
        try:
            return parse_unsigned_number_or_raise_unusable(
                digits, written, row_country, self.convention
            )
        except UnusableCell:
            if written.isdecimal():
                raise
            return None


def _digits_after_plus_or_none_if_unusual(written: str) -> str | None:
    """The digits of a usual cell without its sign; None if it must be looked at more closely."""
    digits = written[written[:1] == "+" :]
    if not digits.isdecimal():
        digits = digits.translate(_PLAIN_PUNCTUATION)
        if "(0" in written or written.count(".") == 1:
            return None
    # Fewer digits are plain only without a sign, and if they are no date.
    if len(digits) < PLAIN_MIN_DIGITS and (
        not written.isdecimal() or len(digits) < 7 or DATE_LIKE_DIGITS.match(digits)
    ):
        return None
    if len(digits) > PLAIN_MAX_DIGITS or not (digits.isascii() and digits.isdecimal()):
        return None
    return digits


def _parse_digits_if_unambiguous(digits: str, row_country: RowCountry) -> str | None:
    """What `parse_unsigned_number_or_raise_unusable` makes of digits with one reading, or None."""
    if row_country.unknown:
        return None
    international = e164_of_international_digits(digits)
    national = e164_of_national_digits(digits, row_country.region)
    if international is None:
        is_certain = (
            national is not None
            and len(digits) <= MAX_NATIONAL_DIGITS
            and len(national) <= row_country.longest_mobile
            and (
                row_country.zero_is_prefix
                or e164_of_national_digits("0" + digits, row_country.region) in (None, national)
            )
        )
        return national if is_certain else None
    if not international.startswith(row_country.plus_code) or not row_country.zero_is_prefix:
        return None
    # A reading that is longer than any mobile is left out beside one that is a mobile.
    other = None if national == international else national
    if (other is None or len(other) > row_country.longest_mobile) and (
        phone_kind(international) == PhoneKind.MOBILE
    ):
        return international
    return None


def parse_phone_to_e164_or_raise_unusable(text: str, region: str) -> str:
    """The number that a person typed, in E.164, read as a cell of an import is.

    Args:
        text: the number as written.
        region: two-letter country of national forms.

    Raises:
        UnusableCell: if there is no number, none that is valid, or more than one.
    """
    return PhoneReader(region).parse_or_raise_unusable(text).phone


MIN_NATIONAL_DIGITS = 7
MIN_LOCAL_DIGITS = 4  # of a number without its area code


def detect_phone_convention(cells: Iterable[tuple[str, str]], region: str) -> PhoneConvention:
    """How a column writes numbers without a sign; unknown if its cells disagree or do not tell.

    Args:
        cells: text and country text of the column's cells.
        region: two-letter country of the store.
    """
    found = set()
    for text, country in cells:
        if _is_national_with_zero(text):
            found.add(PhoneConvention.NATIONAL)
            continue
        if text[:1] in ("+", "0", ""):
            continue
        row_country = build_row_country(country, region)
        try:
            for piece in (
                (text,) if text.isdecimal() else iter_numbers_or_raise_unusable(text, row_country)
            ):
                convention = _convention_of_number_or_unknown(piece, row_country)
                if convention:
                    found.add(convention)
        except UnusableCell:
            continue
        if len(found) > 1:
            break
    return found.pop() if len(found) == 1 else PhoneConvention.UNKNOWN


def _is_national_with_zero(text: str) -> bool:
    """Whether a number begins with the zero of national numbers: `(0151) …`, and not `0049 …`."""
    text = text.lstrip(SIGNS_AROUND_NUMBERS)
    return (
        text.startswith("0")
        and not digits_of(text[:3]).startswith("00")
        and len(digits_of(text)) >= MIN_NATIONAL_DIGITS
    )


def _convention_of_number_or_unknown(piece: str, row_country: RowCountry) -> PhoneConvention:
    """How one number is written; unknown if it has a sign, or both readings."""
    digits = digits_of(piece)
    if not digits or piece.lstrip(SIGNS_AROUND_NUMBERS)[:1] == "+" or digits[0] == "0":
        return PhoneConvention.UNKNOWN
    readings = unsigned_readings(digits, row_country)
    try:
        phone = parse_unsigned_number_or_raise_unusable(
            digits, piece, row_country, PhoneConvention.UNKNOWN
        )
    except UnusableCell:
        return PhoneConvention.UNKNOWN
    if phone == readings.international:
        # In North America the 1 may be the calling code or the prefix of a national number.
        tells = not (row_country.plus_code == "+1" and phone == readings.national)
        return PhoneConvention.INTERNATIONAL if tells else PhoneConvention.UNKNOWN
    return PhoneConvention.NATIONAL


def number_needs_area_code(
    cell_text: str, country_text: str, area_code: str, region: str
) -> bool | None:
    """Whether a cell is a number only behind the area code of its row.

    Args:
        cell_text: the cell of the phone column.
        country_text: the row's country, or empty.
        area_code: digits of the row's area code.
        region: two-letter country of the store.

    Returns:
        None if the cell does not tell: it holds the area code, or is a number with and without it,
        or none at all.
    """
    row_country = build_row_country(country_text, region, area_code)
    try:
        pieces = list(iter_numbers_or_raise_unusable(cell_text, row_country))
    except UnusableCell:
        return None
    if len(pieces) != 1 or "+" in pieces[0] or row_country.unknown:
        return None
    digits = digits_of(pieces[0])
    if digits.startswith("00") or len(digits) < MIN_LOCAL_DIGITS:
        return None
    joined, whole, other = readings_beside_area_code(digits, row_country)
    if joined and not whole and (not other or (is_any_mobile(joined) and not is_any_mobile(other))):
        return True
    return False if other and not (joined or whole) else None
