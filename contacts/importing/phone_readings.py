"""What the digits of one phone number may mean, and which of these readings is meant.

All readings are computed, and only agreement is accepted (rules.md#numbers-in-a-cell).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from enum import StrEnum
from itertools import chain
from typing import NamedTuple

import phonenumbers
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from phonenumbers import PhoneMetadata, PhoneNumberFormat

from contacts.importing.cells import UnusableCell
from contacts.importing.countries import two_letter_country_or_empty
from contacts.importing.names import is_placeholder_for_no_value
from contacts.phone_patterns import phone_kind_rules
from contacts.phones import (
    PhoneKind,
    e164_of_international_digits,
    e164_of_national_digits,
    phone_kind,
)

MIN_DIGITS = 5
# Shorter cells could be dates, and longer ones two numbers, so they are looked at more closely.
PLAIN_MIN_DIGITS = 9
PLAIN_MAX_DIGITS = 13
READINGS_NAMED = 4
# Mexico wrote a 1 before mobiles, and 01, 044 or 045 at home, until 2019.
_MEXICAN_MOBILE = re.compile(r"(52)1(\d{10})")
_MEXICAN_TRUNK = re.compile(r"(?:01|044|045|1)(\d{10})")
_DOUBLED_CODE = re.compile(r"([1-9]\d{0,2})(?=(?:00)?\1\d{7})")
PLUS_WITHIN = re.compile(r"(?<=\d)(?=[^\d+]*\+)")
_OPTIONAL_ZERO = re.compile(r"[(\[]0[)\]]")
_GROUP = re.compile(r"\d+")
DATE_LIKE_DIGITS = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
_NUMBER_CHARACTERS = frozenset("0123456789+ ()[]-./_'*#")
SIGNS_AROUND_NUMBERS = " -./:_'*#()[]\"\u2019<>!~"
# A bracket may hold a leading zero.
_ENDS_OF_ONE = SIGNS_AROUND_NUMBERS.replace("(", "").replace("[", "")
IS_A_DATE = _("this is a date, not a phone number")
_AREA_CODE_MISSING = _("its area code is missing: write the whole number")


class PhoneConvention(StrEnum):
    """How a column writes numbers without a sign, as its unambiguous cells show."""

    UNKNOWN = ""
    INTERNATIONAL = "international"
    NATIONAL = "national"
    LOCAL = "local"  # without their area codes, which have a column of their own


_WITHOUT_CALLING_CODE = (PhoneConvention.NATIONAL, PhoneConvention.LOCAL)


class Readings(NamedTuple):
    """What the digits of one number may mean, each in E.164, None if that is not valid.

    Args:
        international: with the calling code; certain if the number has a sign.
        national: as dialled in the country of the row or store.
        repaired: the same with the leading zero that a spreadsheet drops.
        elsewhere: as dialled in the store's country, where the row's country is another.
    """

    international: str | None = None
    national: str | None = None
    repaired: str | None = None
    elsewhere: str | None = None


class AmbiguousNumber(UnusableCell):
    """A number that has several readings."""

    def __init__(self, readings: Iterable[str]) -> None:
        super().__init__()
        self.readings = tuple(readings)

    def __str__(self) -> str:
        """The reason, only made where it is shown: cells are also read to guess their column."""
        named = f" {gettext('or')} ".join(self.readings[:READINGS_NAMED])
        return gettext("it could be %(numbers)s: write it with its + sign") % {"numbers": named}


class NoValidNumber(UnusableCell):
    """Digits that are no valid number, read as one of a country."""

    def __init__(self, region: str) -> None:
        super().__init__(region)
        self.region = region

    def __str__(self) -> str:
        """The reason, only made where it is shown: cells are also read to guess their column."""
        return gettext(
            "not a valid phone number (read as one of %(country)s without a country code)"
        ) % {"country": self.region}


class RowCountry(NamedTuple):
    """The country that a row's national numbers belong to."""

    region: str
    store_region: str
    plus_code: str
    named: bool = False  # the row names its country
    by_calling_code: bool = False  # by the calling code, so its number is a national one
    longest_mobile: int = 0  # characters of the country's longest mobile number in E.164
    zero_is_prefix: bool = False  # a zero before national numbers is no part of them
    unknown: str = ""  # what the row says instead of a country
    area_code: str = ""  # digits of a column of their own, as written there


@functools.lru_cache(maxsize=4096)
def build_row_country(country_text: str, store_region: str, area_code: str = "") -> RowCountry:
    """The home of a row, from the texts of its country and its area code."""
    named = two_letter_country_or_empty(country_text)
    region = named or store_region
    metadata = PhoneMetadata.metadata_for_region(region)
    mobile = metadata.mobile if metadata else None
    plus_code = f"+{phonenumbers.country_code_for_region(region)}"
    is_unknown = (
        not named and country_text.strip() and not is_placeholder_for_no_value(country_text)
    )
    return RowCountry(
        region,
        store_region,
        plus_code,
        longest_mobile=len(plus_code) + max(mobile.possible_length if mobile else (), default=0),
        named=bool(named),
        by_calling_code=bool(named) and any(map(str.isdecimal, country_text)),
        zero_is_prefix=metadata is not None and metadata.national_prefix == "0",
        unknown=country_text.strip()[:40] if is_unknown else "",
        area_code=area_code,
    )


def digits_of(number: str) -> str:
    """The digits of a number as written."""
    return "".join(c for c in number if c.isdecimal())


def parse_single_number_or_raise_unusable(
    number: str, row_country: RowCountry, convention: PhoneConvention
) -> str:
    """The one number that a piece means, in E.164.

    Raises:
        UnusableCell: if it means none or several.
    """
    number = number.strip(_ENDS_OF_ONE)
    if not _NUMBER_CHARACTERS.issuperset(number):
        raise NoValidNumber(row_country.region)
    digits = digits_of(number)
    if len(row_country.area_code + digits) < MIN_DIGITS or PLUS_WITHIN.search(number):
        raise NoValidNumber(row_country.region)
    signed = "+" in number
    if digits.startswith("00"):
        signed, digits = True, digits[2:]
        plain = None if "+" in number else "00" + digits
    else:
        plain = None
    optional_zero = _OPTIONAL_ZERO.search(number)
    if optional_zero and any(map(str.isdecimal, number[: optional_zero.start()])):
        readings = _readings_with_and_without_bracketed_zero(number, optional_zero, row_country)
    elif signed:
        international = _e164_with_calling_code_or_doubled_code_or_none(digits)
        # Some countries dial other digits than 00 for abroad, which may go on after zeros.
        dialled = (
            _e164_by_dial_out_prefix_but_00_or_none(plain, row_country.region) if plain else None
        )
        readings = Readings(international, dialled)
        if plain and row_country.area_code:
            return _only_reading_or_raise(
                (*readings, *_readings_behind_area_code(plain, row_country)), row_country
            )
    else:
        return parse_unsigned_number_or_raise_unusable(digits, number, row_country, convention)
    return _only_reading_or_raise(readings, row_country)


def _readings_with_and_without_bracketed_zero(
    number: str, bracketed_zero: re.Match[str], row_country: RowCountry
) -> Readings:
    """The readings of `+44 (0)7400 123456`: the zero in brackets is dialled at home only."""
    without = digits_of(number[: bracketed_zero.start()] + number[bracketed_zero.end() :])
    with_zero = digits_of(number)
    if without.startswith("00"):
        without, with_zero = without[2:], with_zero[2:]
    return Readings(
        _e164_with_calling_code_or_doubled_code_or_none(without),
        _e164_with_calling_code_or_doubled_code_or_none(with_zero),
    )


def _e164_by_dial_out_prefix_but_00_or_none(digits: str, region: str) -> str | None:
    """Digits as a telephone of the region dials them, where that is not `00` and calling code."""
    metadata = PhoneMetadata.metadata_for_region(region)
    if metadata is None or metadata.international_prefix in (None, "00"):
        return None
    try:
        number = phonenumbers.parse(digits, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def _only_reading_or_raise(readings: Iterable[str | None], row_country: RowCountry) -> str:
    found = dict.fromkeys(phone for phone in readings if phone)
    if len(found) > 1:
        raise AmbiguousNumber(found)
    if not found:
        raise NoValidNumber(row_country.region)
    return next(iter(found))


def _e164_with_calling_code_or_doubled_code_or_none(digits: str) -> str | None:
    """The number that begins with a calling code; None if it is not valid.

    A calling code that a form put before the one that was typed counts once.
    """
    phone = e164_of_international_digits(digits) if len(digits) >= MIN_DIGITS else None
    if phone is not None and len(digits) <= PLAIN_MAX_DIGITS:
        return phone
    if match := _MEXICAN_MOBILE.fullmatch(digits):
        return phone or e164_of_international_digits(match[1] + match[2])
    if match := _DOUBLED_CODE.match(digits):
        once = e164_of_international_digits(digits[match.end(1) :].removeprefix("00"))
        if once and phone_kind(once) == PhoneKind.MOBILE:
            is_other_mobile = phone and phone_kind(phone) == PhoneKind.MOBILE
            return phone if is_other_mobile else once if phone is None else None
    return phone


def _e164_of_national_or_mexican_trunk_or_none(digits: str, region: str) -> str | None:
    """The number that the digits dial within a region; None if it is not valid."""
    phone = e164_of_national_digits(digits, region)
    if phone is None and region == "MX" and (match := _MEXICAN_TRUNK.fullmatch(digits)):
        return e164_of_national_digits(match[1], region)
    return phone


def unsigned_readings(digits: str, row_country: RowCountry) -> Readings:
    """What digits without a sign may mean."""
    national = _e164_of_national_or_mexican_trunk_or_none(digits, row_country.region)
    if digits[0] == "0":
        elsewhere = None
        if row_country.region != row_country.store_region:
            elsewhere = _e164_of_national_or_mexican_trunk_or_none(digits, row_country.store_region)
        return Readings(national=national, elsewhere=elsewhere)
    international = _e164_with_calling_code_or_doubled_code_or_none(digits)
    repaired = _e164_of_national_or_mexican_trunk_or_none("0" + digits, row_country.region)
    elsewhere = None
    own = international and international.startswith(row_country.plus_code)
    if row_country.region != row_country.store_region and not (national or repaired or own):
        elsewhere = _e164_of_national_or_mexican_trunk_or_none(digits, row_country.store_region)
    return Readings(international, national, repaired, elsewhere)


def parse_unsigned_number_or_raise_unusable(
    digits: str, written: str, row_country: RowCountry, convention: PhoneConvention
) -> str:
    """The one number that digits without a sign mean, in E.164.

    Args:
        digits: the digits alone.
        written: the same with their blanks and punctuation, which may tell the readings apart.
        row_country: where national numbers belong.
        convention: how the column writes such numbers.

    Raises:
        UnusableCell: if they mean none or several.
    """
    readings = unsigned_readings(digits, row_country)
    if row_country.unknown:
        if readings.international and not (readings.national or readings.repaired):
            return readings.international
        raise UnusableCell(
            gettext(
                "the row's country %(country)s is not known: write a code such as DE, or the"
                " number with its + sign"
            )
            % {"country": row_country.unknown}
        )
    if row_country.area_code:
        return _parse_number_beside_area_code_or_raise_unusable(digits, row_country, convention)
    if digits[0] == "0":
        return _pick_home_or_store_zero_reading_or_raise(readings, row_country)
    readings = _drop_readings_unlikely_in_row_country(readings, row_country)
    found = list(dict.fromkeys(phone for phone in readings if phone))
    if not found:
        raise NoValidNumber(row_country.region)
    if DATE_LIKE_DIGITS.fullmatch(digits) and not any(
        phone and phone_kind(phone) == PhoneKind.MOBILE
        for phone in (readings.national, readings.repaired)
    ):
        raise UnusableCell(IS_A_DATE)
    if len(found) == 1:
        _raise_if_only_reading_is_doubtful(digits, readings, row_country, convention)
        return found[0]
    if grouped := _pick_by_digit_grouping(written, found, readings.international):
        return grouped
    phone = _mobile_if_others_ruled_out(
        found, readings, row_country
    ) or _pick_by_convention_or_country(readings, row_country, convention)
    if phone is None:
        raise AmbiguousNumber(found)
    if phone == readings.international and not phone.startswith(row_country.plus_code):
        _raise_if_may_be_mistyped_home_number(digits, phone, row_country, convention)
    return phone


class ReadingsBesideAreaCode(NamedTuple):
    """What digits beside an area code may mean, each in E.164 and valid.

    Args:
        joined: the digits behind the area code.
        whole: the digits alone, which hold the area code.
        other: the digits alone, as a number of another area or of none.
    """

    joined: tuple[str, ...]
    whole: tuple[str, ...]
    other: tuple[str, ...]


def readings_beside_area_code(digits: str, row_country: RowCountry) -> ReadingsBesideAreaCode:
    """What digits without a sign may mean whose row has an area code."""
    readings = _drop_readings_unlikely_in_row_country(
        unsigned_readings(digits, row_country)._replace(elsewhere=None), row_country
    )
    whole, other = [], []
    for phone in dict.fromkeys(phone for phone in readings if phone):
        if _holds_area_code(phone, row_country.area_code):
            whole.append(phone)
        elif phone.startswith(row_country.plus_code):
            other.append(phone)
    joined = _readings_behind_area_code(digits, row_country)
    if is_any_mobile(whole):
        joined = tuple(phone for phone in joined if not _is_longer_than_any_mobile(phone))
    return ReadingsBesideAreaCode(joined, tuple(whole), tuple(other))


def _readings_behind_area_code(digits: str, row_country: RowCountry) -> tuple[str, ...]:
    """What digits behind their area code mean: as it stands, and with or without its zero."""
    area_code, region = row_country.area_code, row_country.region
    as_written = e164_of_national_digits(area_code + digits, region)
    if area_code[0] == "0":
        changed = e164_of_national_digits(area_code.lstrip("0") + digits, region)
    else:
        changed = e164_of_national_digits("0" + area_code + digits, region)
        if as_written and changed and _is_longer_than_any_mobile(changed):
            changed = None
    return tuple(dict.fromkeys(phone for phone in (as_written, changed) if phone))


def _holds_area_code(phone: str, area_code: str) -> bool:
    """Whether a number in E.164 begins with an area code, behind its calling code."""
    code_length = phone_kind_rules(phone[1:4], len(phone) - 1).code_length
    return phone[1 + code_length :].lstrip("0").startswith(area_code.lstrip("0"))


def _parse_number_beside_area_code_or_raise_unusable(
    digits: str, row_country: RowCountry, convention: PhoneConvention
) -> str:
    """The one number that digits without a sign mean whose row has an area code, in E.164.

    Raises:
        UnusableCell: if they mean none or several.
    """
    joined, whole, other = readings_beside_area_code(digits, row_country)
    found = dict.fromkeys((*joined, *whole))
    has_mobile = is_any_mobile(found)
    is_local = convention == PhoneConvention.LOCAL
    if not whole and not (is_local and has_mobile):
        # A number of another area may be meant as it stands: a mobile without its zero beside the
        # area code of a landline.
        only_mobiles = is_local or has_mobile
        found |= {p: None for p in other if not only_mobiles or phone_kind(p) == PhoneKind.MOBILE}
    if not found:
        raise NoValidNumber(row_country.region)
    if len(found) > 1:
        raise AmbiguousNumber(found)
    return next(iter(found))


def is_any_mobile(phones: Iterable[str]) -> bool:
    """Whether one of these numbers in E.164 is a mobile."""
    return any(phone_kind(phone) == PhoneKind.MOBILE for phone in phones)


def _raise_if_only_reading_is_doubtful(
    digits: str, readings: Readings, row_country: RowCountry, convention: PhoneConvention
) -> None:
    """Refuse the only valid reading where it is hardly the number that is meant.

    Raises:
        UnusableCell: if it is an extension without its zero, a mistyped number of the country, or
            a number that lacks its area code.
    """
    phone = next(phone for phone in readings if phone)
    is_international = phone == readings.international
    if not is_international and _is_longer_than_any_mobile(phone):
        raise NoValidNumber(row_country.region)
    if is_international and not phone.startswith(row_country.plus_code):
        _raise_if_may_be_mistyped_home_number(digits, phone, row_country, convention)
    if convention == PhoneConvention.LOCAL and phone_kind(phone) != PhoneKind.MOBILE:
        raise UnusableCell(_AREA_CODE_MISSING)


def _raise_if_may_be_mistyped_home_number(
    digits: str, phone: str, row_country: RowCountry, convention: PhoneConvention
) -> None:
    """Refuse digits that are a foreign number only if nobody mistyped one of the country.

    Raises:
        UnusableCell: if the column writes national numbers, if a digit more or less makes a mobile
            of the country, or if the foreign number is not the digits as they stand.
    """
    if phone != f"+{digits}":
        raise NoValidNumber(row_country.region)
    if convention == PhoneConvention.INTERNATIONAL:
        return
    if convention in _WITHOUT_CALLING_CODE or _is_one_digit_off_a_mobile(
        digits, row_country.region
    ):
        raise UnusableCell(
            gettext(
                "it could be %(number)s, or a number of %(country)s with a digit too many or too"
                " few: write it with its + sign, or correct it"
            )
            % {"number": phone, "country": row_country.region}
        )


def _is_one_digit_off_a_mobile(digits: str, region: str) -> bool:
    """Whether a mobile of the region has one digit less or one more than these."""
    shorter = (digits[:at] + digits[at + 1 :] for at in range(len(digits)))
    longer = (
        digits[:at] + digit + digits[at:] for at in range(len(digits) + 1) for digit in "0123456789"
    )
    return any(
        phone is not None and phone_kind(phone) == PhoneKind.MOBILE
        for phone in (e164_of_national_digits(near, region) for near in chain(shorter, longer))
    )


def _drop_readings_unlikely_in_row_country(readings: Readings, row_country: RowCountry) -> Readings:
    international, national, repaired, elsewhere = readings
    if elsewhere and international and phone_kind(elsewhere) != PhoneKind.MOBILE:
        readings = readings._replace(elsewhere=None)  # the row names another country
    if (
        row_country.by_calling_code
        and international
        and not international.startswith(row_country.plus_code)
    ):
        readings = readings._replace(international=None)  # the code has a column of its own
    if repaired and national and repaired != national and _is_longer_than_any_mobile(repaired):
        readings = readings._replace(repaired=None)
    return readings


def _mobile_if_others_ruled_out(
    candidates: list[str], readings: Readings, row_country: RowCountry
) -> str | None:
    """The only reading that is a mobile, if all others can be left out beside it."""
    mobiles = [phone for phone in candidates if phone_kind(phone) == PhoneKind.MOBILE]
    if len(mobiles) == 1 and all(
        phone == mobiles[0]
        or _can_rule_out_reading_beside_mobile_reading(phone, mobiles[0], readings, row_country)
        for phone in candidates
    ):
        return mobiles[0]
    return None


def _pick_by_convention_or_country(
    readings: Readings, row_country: RowCountry, convention: PhoneConvention
) -> str | None:
    """The reading that the column's other cells or the row's country ask for."""
    international, national, repaired, elsewhere = readings
    if convention == PhoneConvention.INTERNATIONAL:
        return international
    at_home = {phone for phone in (national, repaired, elsewhere) if phone}
    if len(at_home) != 1:
        return None
    phone = at_home.pop()
    is_home_mobile = phone != elsewhere and phone_kind(phone) == PhoneKind.MOBILE
    if convention in _WITHOUT_CALLING_CODE or (row_country.named and is_home_mobile):
        return phone
    return None


def _pick_home_or_store_zero_reading_or_raise(readings: Readings, row_country: RowCountry) -> str:
    """National digits with their zero: those of the row's country, else of the store's.

    Raises:
        UnusableCell: if they are valid in neither, or a mobile only in the store's country.
    """
    national, elsewhere = readings.national, readings.elsewhere
    elsewhere_mobile = elsewhere and phone_kind(elsewhere) == PhoneKind.MOBILE
    if national:
        if phone_kind(national) != PhoneKind.MOBILE and elsewhere_mobile and elsewhere != national:
            raise AmbiguousNumber(phone for phone in (national, elsewhere) if phone)
        return national
    if elsewhere and elsewhere_mobile:
        return elsewhere
    raise NoValidNumber(row_country.region)


def _can_rule_out_reading_beside_mobile_reading(
    phone: str, mobile: str, readings: Readings, row_country: RowCountry
) -> bool:
    """Whether a reading that is no mobile can be left out beside one that is.

    - A landline that is longer than any mobile of its country is an extension in a company.
    - A foreign landline whose plus was lost is beside a mobile of the row's own country.
    - A landline that lost its zero and whose area code begins with the country's own calling code
      is beside a mobile of that country that is written with its calling code.
    """
    if _is_longer_than_any_mobile(phone):
        return True
    if phone == readings.international:
        return not phone.startswith(row_country.plus_code)
    lost_zero = readings.repaired == phone
    return (
        mobile == readings.international and mobile.startswith(row_country.plus_code) and lost_zero
    )


def _is_longer_than_any_mobile(phone: str) -> bool:
    """Whether a number is no mobile and has more digits than any mobile of its country."""
    digits = phone[1:]
    rules = phone_kind_rules(digits[:3], len(digits))
    return len(digits) - rules.code_length > rules.max_mobile_length and not rules.is_mobile(digits)


def _pick_by_digit_grouping(
    written: str, candidates: list[str], international: str | None
) -> str | None:
    """The only reading whose usual grouping is that of the text, if there is one."""
    groups = _GROUP.findall(written) if not written.isdecimal() else []
    if len(groups) < 2:
        return None
    matching = [
        p for p in candidates if groups in _usual_digit_groups(p, with_code=p == international)
    ]
    if not matching and international and international.startswith("+" + groups[0]):
        code = phone_kind_rules(international[1:4], len(international) - 1).code_length
        matching = [international] if len(groups[0]) == code else []
    return matching[0] if len(matching) == 1 else None


def _usual_digit_groups(phone: str, *, with_code: bool) -> list[list[str]]:
    number = phonenumbers.parse(phone)
    if with_code:
        text = phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)
        return [_GROUP.findall(text)]
    groups = _GROUP.findall(phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL))
    return [groups, [groups[0].lstrip("0"), *groups[1:]]]
