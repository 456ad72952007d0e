"""Reading a cell with a phone number: every reading is computed, and only agreement is accepted.

A file may write one number in many ways, and the same digits may be numbers of two persons: with
the calling code but without its plus, or national without the zero that a spreadsheet drops.
Where readings differ, what cannot be a customer's number is left out, then the other cells of the
column decide. What is still open is rejected with both readings (rules.md#import).
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import module_from_spec, spec_from_file_location
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import phonenumbers
from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    SUPPORTED_REGIONS,
    PhoneMetadata,
    PhoneNumberFormat,
)

from contacts.importing.cells import UnusableCell, fold_to_alphanumeric, looks_like_date_with_year
from contacts.importing.names import is_placeholder_for_no_value
from contacts.phone_patterns import phone_kind_rules
from contacts.phones import (
    PhoneKind,
    e164_of_international_digits,
    e164_of_national_digits,
    is_certainly_mobile_e164,
    phone_kind,
)

LANGUAGES = ("en", "el", "de", "fr", "es", "it")
MIN_DIGITS = 5
MAX_CELL_LENGTH = 1000
# Shorter cells could be dates, and longer ones two numbers, so they are looked at more closely.
PLAIN_MIN_DIGITS = 9
PLAIN_MAX_DIGITS = 13
# How many separators may part numbers, and how many ways to part them are looked at.
MAX_SEPARATORS = 24
MAX_WAYS = 8
READINGS_NAMED = 4
MAX_NATIONAL_DIGITS = 11  # of what is read at once; longer digits may begin with a code twice

# Words that say what a number is, in English, Greek, German, French, Spanish and Italian, as
# `fold_to_alphanumeric` writes them.
_LABEL_WORDS = (
    "tel telephone phone ph number no num nr mobile mob cell cellphone cellular sms text gsm "
    "home work office business main primary other private personal landline whatsapp wa viber "
    "signal telegram imessage iphone msisdn callto call contact p "
    "τηλ τηλέφωνο κινητό κιν σταθερό σπίτι οικία εργασία δουλειά γραφείο αρ αριθμός "
    "telefon telefonnummer rufnummer handy handynummer mobil mobilnummer mobiltelefon "
    "mobilfunk festnetz privat priv dienstlich geschäftlich gesch arbeit büro zuhause zentrale "
    "tél téléphone portable port fixe domicile maison bureau travail pro perso numéro "
    "teléfono telf tlf móvil celular fijo casa trabajo oficina particular número principal "
    "telefono cellulare fisso ufficio lavoro abitazione numero privato principale"
)
_FAX_WORDS = "fax telefax φαξ φαχ télécopie"
_EXTENSION_WORDS = (
    "ext extn extension x εσωτ εσωτερικό dw durchwahl nst nebenstelle apparat poste int interno "
    "anexo extensión"
)
_SEPARATOR_WORDS = "or and oder und ή και ou et o y e oppure ed"
LABELS = frozenset(map(fold_to_alphanumeric, _LABEL_WORDS.split()))
# Labels of one letter need a colon or full stop, because a letter alone may be anything.
LETTER_LABELS = frozenset("mtphwcκτ")
FAX_LABELS = frozenset(map(fold_to_alphanumeric, _FAX_WORDS.split()))
EXTENSIONS = frozenset(map(fold_to_alphanumeric, _EXTENSION_WORDS.split()))
SEPARATORS = frozenset(map(fold_to_alphanumeric, _SEPARATOR_WORDS.split()))

_SCIENTIFIC = re.compile(r"(\+?)(\d)(?:[.,](\d+))?[eE]\+?(\d{1,2})")
# Mexico wrote a 1 before mobiles, and 01, 044 or 045 at home, until 2019.
_MEXICAN_MOBILE = re.compile(r"(52)1(\d{10})")
_MEXICAN_TRUNK = re.compile(r"(?:01|044|045|1)(\d{10})")
_DOUBLED_CODE = re.compile(r"([1-9]\d{0,2})(?=(?:00)?\1\d{7})")
_FLOAT = re.compile(r"(\+?\d{5,15})[.,]0{1,6}")
_THOUSANDS = re.compile(r"(\+?\d{1,3}(?:,\d{3}){2,})(?:\.0{1,6})?")
_THOUSANDS_WITH_DOTS = re.compile(r"(\+?\d{1,3}(?:\.\d{3}){2,}),0{1,6}")
_WHATSAPP_LINK = re.compile(
    r"(?:https?://)?(?:www\.)?(?:wa\.me/|(?:api|web)\.whatsapp\.com/send/?\?phone=)"
    r"(?:\+|%2B)?(\d{7,15})/?",
    re.IGNORECASE,
)
_WHATSAPP_ID = re.compile(r"(\d{7,15})(?::\d{1,3})?@(?:c\.us|s\.whatsapp\.net)")
_WORD = re.compile(r"[^\W\d_]+")
_EXTENSION_DIGITS = re.compile(r"[.:=\s]{0,4}\d{1,7}(?!\d)")
_HASH_EXTENSION = re.compile(r"(?<=\d)\s{0,3}#\s{0,3}\d{1,5}$")
_STRONG_SEPARATORS = re.compile(r"[;,|&\n]|:::")
_WEAK_SEPARATORS = re.compile(r"/|(?<=\s)-(?=\s)")
_BLANKS_AND_DASHES = re.compile(r"[\s-]+")
_SECOND_BEGINS = re.compile(r"[\s/-][(\[]?(?:\+|0(?![)\]]))")
_PLUS_WITHIN = re.compile(r"(?<=\d)(?=[^\d+]*\+)")
_OPTIONAL_ZERO = re.compile(r"[(\[]0[)\]]")
_GROUP = re.compile(r"\d+")
_DATE_LIKE = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
_CALLING_CODE = re.compile(r"(?:\+|00)?([1-9]\d{0,3})(?:\.0)?")
_ARTICLE = re.compile(
    r"^(?:the|la|le|les|el|los|las|die|der|das|il|gli|η|ο|το|οι|τα)\s+", re.IGNORECASE
)

_NUMBER_CHARACTERS = frozenset("0123456789+ ()[]-./_'*#")
_ENDS = " -./:_'*#()[]\"\u2019<>!~"
_ENDS_OF_ONE = _ENDS.replace("(", "").replace("[", "")  # a bracket may hold a leading zero
# Punctuation of usual cells; a slash may part two numbers.
_PLAIN_PUNCTUATION = str.maketrans("", "", " -.()\u00a0")

_BOUNDARY = "\0"  # where a label stood
_A_DATE = "this is a date, not a phone number"
_MISSING = "the phone number is missing"
_AREA_CODE_MISSING = "its area code is missing: write the whole number"
_CUT_SHORT = "a spreadsheet has cut the number short: format the column as text and export again"


class PhoneConvention(StrEnum):
    """How a column writes numbers without a sign, as its unambiguous cells show."""

    UNKNOWN = ""
    INTERNATIONAL = "international"
    NATIONAL = "national"
    LOCAL = "local"  # without their area codes, which have a column of their own


_WITHOUT_CALLING_CODE = (PhoneConvention.NATIONAL, PhoneConvention.LOCAL)


@dataclass(slots=True)
class ParsedPhone:
    """The number that a cell holds, in E.164, and its kind."""

    phone: str
    kind: PhoneKind


class _Readings(NamedTuple):
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


class PhoneReader:
    """Reads the cells of a column of phone numbers."""

    def __init__(self, region: str, convention: PhoneConvention = PhoneConvention.UNKNOWN) -> None:
        """Prepare reading.

        Args:
            region: two-letter country of the store.
            convention: how the column writes numbers without a sign, by `detect_phone_convention`.
        """
        self.region, self.convention = region, convention
        self._row_country = _build_row_country("", region)

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
            _build_row_country(country_text, self.region, area_code)
            if country_text or area_code
            else self._row_country
        )
        phone = self._parse_plain_or_none_raise_if_unclear(cell_text, row_country)
        if phone:
            return ParsedPhone(phone, phone_kind(phone))
        numbers: dict[str, None] = {}
        problem = None
        for piece in _iter_numbers_or_raise_unusable(cell_text, row_country):
            try:
                numbers[
                    _parse_single_number_or_raise_unusable(piece, row_country, self.convention)
                ] = None
            except UnusableCell as error:
                problem = problem or error
        if problem and (not numbers or isinstance(problem, _Ambiguous)):
            raise problem
        if not numbers:
            raise UnusableCell(_MISSING)
        mobiles = [phone for phone in numbers if phone_kind(phone) == PhoneKind.MOBILE]
        if len(numbers) > 1 and len(mobiles) != 1:
            raise UnusableCell(f"the cell holds several numbers: {', '.join(numbers)}: keep one")
        phone = mobiles[0] if mobiles else next(iter(numbers))
        return ParsedPhone(phone, phone_kind(phone))

    def find_all_possible_numbers(
        self, cell_text: str, country_text: str = "", area_code: str = ""
    ) -> list[str]:
        """All numbers that a cell may hold, in E.164, among any other words.

        For lists of numbers not to message: where two readings are possible, both are meant.
        For arguments see `parse_or_raise_unusable`.
        """
        row_country = _build_row_country(country_text, self.region, area_code)
        numbers: dict[str, None] = {}
        try:
            phone = self._parse_plain_or_none_raise_if_unclear(cell_text, row_country)
            if phone:
                return [phone]
        except UnusableCell:
            pass  # both readings are found below
        try:
            for piece in _iter_numbers_or_raise_unusable(
                cell_text, row_country, allow_unknown_words=True
            ):
                try:
                    numbers[
                        _parse_single_number_or_raise_unusable(piece, row_country, self.convention)
                    ] = None
                except _Ambiguous as problem:
                    numbers.update(dict.fromkeys(problem.readings))
                except UnusableCell:
                    continue
        except _Ambiguous as problem:
            numbers.update(dict.fromkeys(problem.readings))
        except UnusableCell:
            pass  # no number, or no more of them
        return list(numbers)

    def _parse_plain_or_none_raise_if_unclear(
        self, text: str, row_country: _RowCountry
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
            return _parse_unsigned_number_or_raise_unusable(
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
        not written.isdecimal() or len(digits) < 7 or _DATE_LIKE.match(digits)
    ):
        return None
    if len(digits) > PLAIN_MAX_DIGITS or not (digits.isascii() and digits.isdecimal()):
        return None
    return digits


def _parse_digits_if_unambiguous(digits: str, row_country: _RowCountry) -> str | None:
    """What `_parse_unsigned_number_or_raise_unusable` makes of digits with one reading, or None."""
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


class _Ambiguous(UnusableCell):
    """A number that has several readings."""

    def __init__(self, readings: Iterable[str]) -> None:
        self.readings = tuple(readings)
        named = " or ".join(self.readings[:READINGS_NAMED])
        super().__init__(f"it could be {named}: write it with its + sign")


class _RowCountry(NamedTuple):
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
def _build_row_country(country_text: str, store_region: str, area_code: str = "") -> _RowCountry:
    """The home of a row, from the texts of its country and its area code."""
    named = two_letter_country_or_empty(country_text)
    region = named or store_region
    metadata = PhoneMetadata.metadata_for_region(region)
    mobile = metadata.mobile if metadata else None
    plus_code = f"+{phonenumbers.country_code_for_region(region)}"
    is_unknown = (
        not named and country_text.strip() and not is_placeholder_for_no_value(country_text)
    )
    return _RowCountry(
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
        row_country = _build_row_country(country, region)
        try:
            for piece in (
                (text,) if text.isdecimal() else _iter_numbers_or_raise_unusable(text, row_country)
            ):
                convention = _convention_of_number_or_unknown(piece, row_country)
                if convention:
                    found.add(convention)
        except UnusableCell:
            continue
        if len(found) > 1:
            return PhoneConvention.UNKNOWN
    return found.pop() if found else PhoneConvention.UNKNOWN


def _is_national_with_zero(text: str) -> bool:
    """Whether a number begins with the zero of national numbers: `0151 …`, and not `0049 …`."""
    return (
        text.startswith("0")
        and not text.startswith("00")
        and len(_digits_of(text)) >= MIN_NATIONAL_DIGITS
    )


def _convention_of_number_or_unknown(piece: str, row_country: _RowCountry) -> PhoneConvention:
    """How one number is written; unknown if it has a sign, or both readings."""
    digits = _digits_of(piece)
    if not digits or piece.lstrip(_ENDS)[:1] == "+" or digits[0] == "0":
        return PhoneConvention.UNKNOWN
    readings = _unsigned_readings(digits, row_country)
    try:
        phone = _parse_unsigned_number_or_raise_unusable(
            digits, piece, row_country, PhoneConvention.UNKNOWN
        )
    except UnusableCell:
        return PhoneConvention.UNKNOWN
    if phone == readings.international:
        # In North America the 1 may be the calling code or the prefix of a national number.
        tells = not (row_country.plus_code == "+1" and phone == readings.national)
        return PhoneConvention.INTERNATIONAL if tells else PhoneConvention.UNKNOWN
    return PhoneConvention.NATIONAL


def two_letter_country_or_empty(text: str) -> str:
    """The two-letter country that a cell names; empty if it names none.

    Of countries that share a calling code it is the main one, whose numbering plan they share.

    Args:
        text: an ISO code, a calling code such as `+44`, `0049` or `1`, or a name in English, Greek,
            German, French, Spanish or Italian.
    """
    return _cached_two_letter_country_or_empty(text) if text else ""


@functools.lru_cache(maxsize=4096)
def _cached_two_letter_country_or_empty(text: str) -> str:
    text = _strip_spreadsheet_quoting(_normalize_digits_blanks_dashes(text[:MAX_CELL_LENGTH]))
    region = _region_by_code_or_name_or_empty(text)
    if region:
        return region
    # "Germany (DE)", "GR - Greece", "el_GR": what can be read must agree.
    parts = [_region_by_code_or_name_or_empty(part) for part in re.split(r"[()\[\]/,;_:-]", text)]
    if re.fullmatch(r"[a-z]{2,3}[-_][A-Z]{2}", text):
        parts = parts[1:]  # a language and its country
    found = {region for region in parts if region}
    return found.pop() if len(found) == 1 else ""


def _region_by_code_or_name_or_empty(text: str) -> str:
    text = text.strip()
    code = text.upper()
    if code in SUPPORTED_REGIONS:
        return code
    if match := _CALLING_CODE.fullmatch(text.replace(" ", "").replace("-", "")):
        return _region_of_calling_code_or_empty(match[1])
    return _region_by_folded_name().get(fold_to_alphanumeric(text), "")


def _region_of_calling_code_or_empty(digits: str) -> str:
    """The main country of a calling code; of `1684` and others of North America the one meant."""
    if len(digits) == 4 and digits[0] == "1":
        for region in COUNTRY_CODE_TO_REGION_CODE[1]:
            metadata = PhoneMetadata.metadata_for_region(region)
            leading_digits = metadata.leading_digits if metadata else None
            if leading_digits and re.fullmatch(leading_digits, digits[1:]):
                return region
        return ""
    region = COUNTRY_CODE_TO_REGION_CODE.get(int(digits), ("",))[0]
    return region if region in SUPPORTED_REGIONS else ""


def _load_region_names_by_language() -> dict[str, dict[str, str]]:
    """The library's names of regions by language; importing its package takes 100 MB more."""
    path = Path(phonenumbers.__file__).parent / "geodata" / "locale.py"
    spec = spec_from_file_location("phonenumbers.geodata.locale", path)
    assert spec is not None and spec.loader is not None  # the file is part of the library
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.LOCALE_DATA


@functools.cache
def _region_by_folded_name() -> dict[str, str]:
    """Regions by their names and usual abbreviations, as `fold_to_alphanumeric` writes them."""
    names: dict[str, str] = {}
    locale_data = _load_region_names_by_language()
    for region, others in OTHER_COUNTRY_NAMES.items():
        names |= {fold_to_alphanumeric(name): region for name in others.split("|")}
    for languages in (LANGUAGES, None):  # the six languages before all others
        for region in sorted(SUPPORTED_REGIONS):
            by_language = locale_data.get(region, {})
            for language in languages or by_language:
                name = by_language.get(language, "")
                if not name.startswith("*"):  # a reference to another language
                    names.setdefault(fold_to_alphanumeric(name), region)
                    names.setdefault(fold_to_alphanumeric(_ARTICLE.sub("", name)), region)
                elif languages:
                    names.setdefault(fold_to_alphanumeric(by_language.get(name[1:], "")), region)
    names.pop("", None)
    return names


# What the library's names lack: usual abbreviations, short and older names in the six languages,
# codes of three letters, and the letters on vehicles, which lists in German use.
OTHER_COUNTRY_NAMES = {
    "AL": "ALB", "AR": "ARG", "AU": "AUS",
    "AT": "A|AUT|Oesterreich",
    "BA": "BIH|Bosnia|Bosnien|Bosnie",
    "BE": "B|BEL", "BG": "BGR|BUL", "BR": "BRA", "CA": "CAN", "CN": "CHN",
    "CH": "CHE|SUI", "CY": "CYP",
    "CZ": "CZE|Czech Republic|Czechia|Tschechien|Tchéquie|Chequia|Cechia|Τσεχία",
    "DE": "D|DEU|GER|BRD|Federal Republic of Germany|Bundesrepublik Deutschland",
    "DK": "DNK|DEN", "EE": "EST", "ES": "E|ESP", "FI": "FIN", "FR": "F|FRA",
    "GB": "UK|GBR|Great Britain|Britain|England|Scotland|Wales|Northern Ireland|Großbritannien|"
    "Grande-Bretagne|Angleterre|Gran Bretaña|Inglaterra|Gran Bretagna|Inghilterra|"
    "Μεγάλη Βρετανία|Αγγλία",
    "GR": "GRC|GRE|EL|Hellas|Ελλάς|Hellenic Republic",
    "HR": "HRV|CRO", "HU": "H|HUN", "IE": "IRL|Eire|Republic of Ireland", "IN": "IND",
    "IT": "I|ITA", "KR": "KOR|South Korea|Südkorea|Corée du Sud|Corea del Sur|Corea del Sud",
    "LI": "LIE", "LT": "LTU", "LU": "L|LUX", "LV": "LVA", "MT": "MLT", "MX": "MEX",
    "MK": "MKD|North Macedonia|Macedonia|Nordmazedonien|Βόρεια Μακεδονία",
    "NL": "NLD|NED|Holland|The Netherlands|Holanda|Olanda|Hollande|Ολλανδία",
    "NO": "N|NOR", "PL": "POL", "PT": "P|PRT|POR", "RO": "ROU|ROM", "RS": "SRB",
    "RU": "RUS|Russia|Russland|Russie|Rusia|Ρωσία|Russian Federation",
    "SE": "S|SWE", "SI": "SVN|SLO", "SK": "SVK|Slovak Republic",
    "TR": "TUR|Türkiye", "UA": "UKR",
    "US": "USA|U.S.|U.S.A.|United States of America|America|Vereinigte Staaten von Amerika|"
    "Stati Uniti d'America|Estados Unidos de América|États-Unis d'Amérique|ΗΠΑ|EE. UU.",
    "ZA": "ZAF|RSA",
}  # fmt: skip


def _normalize_digits_blanks_dashes(text: str) -> str:
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


def _strip_spreadsheet_quoting(text: str) -> str:
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


def _iter_numbers_or_raise_unusable(
    text: str, row_country: _RowCountry, *, allow_unknown_words: bool = False
) -> Iterator[str]:
    """The parts of a cell that are one number each, without labels and extensions.

    Args:
        text: the cell.
        row_country: where national numbers belong; tells whether digits are one number or two.
        allow_unknown_words: whether words that are no known label are left out, too.

    Raises:
        UnusableCell: if the cell is not numbers with known labels, or lost digits.
    """
    if len(text) > MAX_CELL_LENGTH and len(text.strip()) > MAX_CELL_LENGTH:
        raise UnusableCell(_no_valid_number_message(row_country))
    text = _strip_spreadsheet_quoting(_normalize_digits_blanks_dashes(text))
    if not text:
        raise UnusableCell(_MISSING)
    if looks_like_date_with_year(text) and (
        ":" in text or len(_digits_of(text)) < PLAIN_MIN_DIGITS
    ):
        raise UnusableCell(_A_DATE)
    number = _number_in_spreadsheet_form_or_none_or_raise_cut_short(text)
    if number:
        yield number
        return
    text = _strip_labels_extensions_and_fax_or_raise(text, allow_unknown_words=allow_unknown_words)
    parts = [part for part in _STRONG_SEPARATORS.split(text) if any(map(str.isdecimal, part))]
    if not parts:
        raise UnusableCell(_no_valid_number_message(row_country))
    for part in parts:
        part = _HASH_EXTENSION.sub("", part.strip())
        for labelled in part.split(_BOUNDARY):
            for number in _PLUS_WITHIN.split(labelled):
                if any(map(str.isdecimal, number)):
                    yield from _split_adjacent_or_raise_ambiguous(number.strip(_ENDS), row_country)


def _number_in_spreadsheet_form_or_none_or_raise_cut_short(text: str) -> str | None:
    """The number of a cell that a spreadsheet or WhatsApp wrote in a form of its own, if it did.

    Raises:
        UnusableCell: if a spreadsheet has cut digits off.
    """
    if match := _SCIENTIFIC.fullmatch(text):
        return _expand_scientific_or_raise(match)
    for pattern in (_FLOAT, _THOUSANDS, _THOUSANDS_WITH_DOTS):
        if match := pattern.fullmatch(text):
            return re.sub(r"[.,]", "", match[1])
    if match := _WHATSAPP_LINK.fullmatch(text) or _WHATSAPP_ID.fullmatch(text):
        return "+" + match[1]
    return None


def _expand_scientific_or_raise(match: re.Match[str]) -> str:
    """The digits of `3.06944000235E+11`.

    Raises:
        UnusableCell: if digits were lost.
    """
    sign, integer, fraction, exponent = match.groups()
    fraction = fraction or ""
    while len(fraction) > int(exponent) and fraction.endswith("0"):
        fraction = fraction[:-1]
    if len(fraction) != int(exponent):
        raise UnusableCell(_CUT_SHORT)
    return sign + integer + fraction


def _strip_labels_extensions_and_fax_or_raise(text: str, *, allow_unknown_words: bool) -> str:
    """The text without labels, and without extensions and fax numbers.

    Raises:
        UnusableCell: if a word is no known label, unless any words are allowed.
    """
    kept = []
    end = 0
    fax_end = -1
    for match in _WORD.finditer(text):
        if match.start() < end:
            continue
        between = text[end : match.start()]
        kept.append(between)
        word = fold_to_alphanumeric(match[0])
        after = text[match.end() : match.end() + 1]
        touches = text[match.start() - 1 : match.start()].isdecimal()
        end = match.end()
        extension = _EXTENSION_DIGITS.match(text, end)
        if word in EXTENSIONS and extension and any(map(str.isdecimal, "".join(kept))):
            end = extension.end()
            kept.append(_BOUNDARY)
        elif word in SEPARATORS and not touches and not after.isdecimal():
            kept.append(";")
        elif word in FAX_LABELS and not touches:
            fax_end = len(kept)
            kept.append(_BOUNDARY)
        elif not touches and (
            word in LABELS or (word in LETTER_LABELS and after and after in ":.")
        ):
            kept.append(_BOUNDARY)
        elif allow_unknown_words:
            # A letter within digits leaves no number on either side.
            kept.append("?" if touches or after.isdecimal() else _BOUNDARY)
        else:
            raise UnusableCell("not a valid phone number, but other words: leave only the number")
    kept.append(text[end:])
    if fax_end >= 0 and not allow_unknown_words:
        before = "".join(kept[:fax_end])
        after_fax = "".join(kept[fax_end + 1 :])
        if any(map(str.isdecimal, before)) and any(map(str.isdecimal, after_fax)):
            following = re.split(r"[;,|\n\0]", after_fax.lstrip(" .:\0"), maxsplit=1)
            return before + ";" + (following[1] if len(following) > 1 else "")
        raise UnusableCell("this is a fax number")
    return "".join(kept)


def _split_adjacent_or_raise_ambiguous(number: str, row_country: _RowCountry) -> Iterator[str]:
    """The number, or the several numbers that slashes, dashes or blanks part.

    The parts are meant if each is valid and the whole is not.

    Raises:
        UnusableCell: if the whole is valid, and so are parts that begin as numbers do, or if there
            are several ways to part it.
    """
    number = "(" + number if ")" in number and "(" not in number.split(")")[0] else number
    if len(_digits_of(number)) < 2 * MIN_DIGITS + 2:
        yield number
        return
    whole = _has_valid_reading(number, row_country)
    if whole and not _SECOND_BEGINS.search(number):
        yield number
        return
    for separator in (_WEAK_SEPARATORS, _BLANKS_AND_DASHES):
        ways = _valid_ways_to_split(number, separator, row_country)
        if whole:
            ways = [way for way in ways if all(part[:1] in ("0", "+") for part in way[1:])]
        if len(ways) == 1 and not whole:
            yield from ways[0]
            return
        if ways:
            numbers = [number] * whole + [part for way in ways for part in way]
            raise _Ambiguous(dict.fromkeys(_all_readings_or_raise_unusable(numbers, row_country)))
        first, _, rest = number.partition("/")
        # "210 1234567 / 68" names the last digits of another number.
        if (
            not whole
            and 0 < len(_digits_of(rest)) < MIN_DIGITS
            and _has_valid_reading(first, row_country)
        ):
            yield first
            return
    yield number


def _valid_ways_to_split(
    number: str, separator: re.Pattern[str], row_country: _RowCountry
) -> list[list[str]]:
    """All ways to part a number at some of its separators into two or more valid numbers."""
    places = [match.span() for match in separator.finditer(number)]
    if len(places) > MAX_SEPARATORS:
        return []
    starts = [0, *(end for _, end in places)]
    ends = [*(start for start, _ in places), len(number)]
    # The ways to part what begins at each start, the last one first.
    ways: list[list[list[str]]] = [[] for _ in starts] + [[[]]]
    for first in reversed(range(len(starts))):
        for last in range(first, len(ends)):
            part = number[starts[first] : ends[last]].strip(_ENDS)
            digit_count = len(_digits_of(part))
            if digit_count > PLAIN_MAX_DIGITS + 2:
                break
            if (
                ways[last + 1]
                and digit_count > MIN_DIGITS
                and _has_valid_reading(part, row_country)
            ):
                ways[first] += [[part, *others] for others in ways[last + 1]][:MAX_WAYS]
    return [way for way in ways[0] if len(way) > 1]


def _all_readings_or_raise_unusable(
    valid_numbers: Iterable[str], row_country: _RowCountry
) -> Iterator[str]:
    """All readings of numbers that are valid."""
    for number in valid_numbers:
        try:
            yield _parse_single_number_or_raise_unusable(
                number, row_country, PhoneConvention.UNKNOWN
            )
        except _Ambiguous as problem:
            yield from problem.readings


def _has_valid_reading(number: str, row_country: _RowCountry) -> bool:
    try:
        _parse_single_number_or_raise_unusable(number, row_country, PhoneConvention.UNKNOWN)
    except _Ambiguous:
        return True
    except UnusableCell:
        return False
    return True


def _digits_of(number: str) -> str:
    return "".join(c for c in number if c.isdecimal())


def _parse_single_number_or_raise_unusable(
    number: str, row_country: _RowCountry, convention: PhoneConvention
) -> str:
    """The one number that a piece means, in E.164.

    Raises:
        UnusableCell: if it means none or several.
    """
    number = number.strip(_ENDS_OF_ONE)
    if not _NUMBER_CHARACTERS.issuperset(number):
        raise UnusableCell(_no_valid_number_message(row_country))
    digits = _digits_of(number)
    if len(row_country.area_code + digits) < MIN_DIGITS or _PLUS_WITHIN.search(number):
        raise UnusableCell(_no_valid_number_message(row_country))
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
        readings = _Readings(international, dialled)
        if plain and row_country.area_code:
            return _only_reading_or_raise(
                (*readings, *_readings_behind_area_code(plain, row_country)), row_country
            )
    else:
        return _parse_unsigned_number_or_raise_unusable(digits, number, row_country, convention)
    return _only_reading_or_raise(readings, row_country)


def _readings_with_and_without_bracketed_zero(
    number: str, bracketed_zero: re.Match[str], row_country: _RowCountry
) -> _Readings:
    """The readings of `+44 (0)7400 123456`: the zero in brackets is dialled at home only."""
    without = _digits_of(number[: bracketed_zero.start()] + number[bracketed_zero.end() :])
    with_zero = _digits_of(number)
    if without.startswith("00"):
        without, with_zero = without[2:], with_zero[2:]
    return _Readings(
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


def _only_reading_or_raise(readings: Iterable[str | None], row_country: _RowCountry) -> str:
    found = dict.fromkeys(phone for phone in readings if phone)
    if len(found) > 1:
        raise _Ambiguous(found)
    if not found:
        raise UnusableCell(_no_valid_number_message(row_country))
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


def _unsigned_readings(digits: str, row_country: _RowCountry) -> _Readings:
    national = _e164_of_national_or_mexican_trunk_or_none(digits, row_country.region)
    if digits[0] == "0":
        elsewhere = None
        if row_country.region != row_country.store_region:
            elsewhere = _e164_of_national_or_mexican_trunk_or_none(digits, row_country.store_region)
        return _Readings(national=national, elsewhere=elsewhere)
    international = _e164_with_calling_code_or_doubled_code_or_none(digits)
    repaired = _e164_of_national_or_mexican_trunk_or_none("0" + digits, row_country.region)
    elsewhere = None
    own = international and international.startswith(row_country.plus_code)
    if row_country.region != row_country.store_region and not (national or repaired or own):
        elsewhere = _e164_of_national_or_mexican_trunk_or_none(digits, row_country.store_region)
    return _Readings(international, national, repaired, elsewhere)


def _parse_unsigned_number_or_raise_unusable(
    digits: str, written: str, row_country: _RowCountry, convention: PhoneConvention
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
    readings = _unsigned_readings(digits, row_country)
    if row_country.unknown:
        if readings.international and not (readings.national or readings.repaired):
            return readings.international
        raise UnusableCell(
            f"the row's country {row_country.unknown} is not known: write a code such as DE, "
            "or the number with its + sign"
        )
    if row_country.area_code:
        return _parse_number_beside_area_code_or_raise_unusable(digits, row_country, convention)
    if digits[0] == "0":
        return _pick_home_or_store_zero_reading_or_raise(readings, row_country)
    readings = _drop_readings_unlikely_in_row_country(readings, row_country)
    found = list(dict.fromkeys(phone for phone in readings if phone))
    if not found:
        raise UnusableCell(_no_valid_number_message(row_country))
    if _DATE_LIKE.fullmatch(digits) and not any(
        phone and phone_kind(phone) == PhoneKind.MOBILE
        for phone in (readings.national, readings.repaired)
    ):
        raise UnusableCell(_A_DATE)
    if len(found) == 1:
        _raise_if_only_reading_is_doubtful(digits, readings, row_country, convention)
        return found[0]
    if grouped := _pick_by_digit_grouping(written, found, readings.international):
        return grouped
    phone = _mobile_if_others_ruled_out(
        found, readings, row_country
    ) or _pick_by_convention_or_country(readings, row_country, convention)
    if phone is None:
        raise _Ambiguous(found)
    if phone == readings.international and not phone.startswith(row_country.plus_code):
        _raise_if_may_be_mistyped_home_number(digits, phone, row_country, convention)
    return phone


class _ReadingsBesideAreaCode(NamedTuple):
    """What digits beside an area code may mean, each in E.164 and valid.

    Args:
        joined: the digits behind the area code.
        whole: the digits alone, which hold the area code.
        other: the digits alone, as a number of another area or of none.
    """

    joined: tuple[str, ...]
    whole: tuple[str, ...]
    other: tuple[str, ...]


def _readings_beside_area_code(digits: str, row_country: _RowCountry) -> _ReadingsBesideAreaCode:
    readings = _drop_readings_unlikely_in_row_country(
        _unsigned_readings(digits, row_country)._replace(elsewhere=None), row_country
    )
    whole, other = [], []
    for phone in dict.fromkeys(phone for phone in readings if phone):
        if _holds_area_code(phone, row_country.area_code):
            whole.append(phone)
        elif phone.startswith(row_country.plus_code):
            other.append(phone)
    joined = _readings_behind_area_code(digits, row_country)
    if _has_mobile(whole):
        joined = tuple(phone for phone in joined if not _is_longer_than_any_mobile(phone))
    return _ReadingsBesideAreaCode(joined, tuple(whole), tuple(other))


def _readings_behind_area_code(digits: str, row_country: _RowCountry) -> tuple[str, ...]:
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
    digits: str, row_country: _RowCountry, convention: PhoneConvention
) -> str:
    """The one number that digits without a sign mean whose row has an area code, in E.164.

    Raises:
        UnusableCell: if they mean none or several.
    """
    joined, whole, other = _readings_beside_area_code(digits, row_country)
    found = dict.fromkeys((*joined, *whole))
    has_mobile = _has_mobile(found)
    is_local = convention == PhoneConvention.LOCAL
    if not whole and not (is_local and has_mobile):
        # A number of another area may be meant as it stands: a mobile without its zero beside the
        # area code of a landline.
        only_mobiles = is_local or has_mobile
        found |= {p: None for p in other if not only_mobiles or phone_kind(p) == PhoneKind.MOBILE}
    if not found:
        raise UnusableCell(_no_valid_number_message(row_country))
    if len(found) > 1:
        raise _Ambiguous(found)
    return next(iter(found))


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
    row_country = _build_row_country(country_text, region, area_code)
    try:
        pieces = list(_iter_numbers_or_raise_unusable(cell_text, row_country))
    except UnusableCell:
        return None
    if len(pieces) != 1 or "+" in pieces[0] or row_country.unknown:
        return None
    digits = _digits_of(pieces[0])
    if digits.startswith("00") or len(digits) < MIN_LOCAL_DIGITS:
        return None
    joined, whole, other = _readings_beside_area_code(digits, row_country)
    if joined and not whole and (not other or (_has_mobile(joined) and not _has_mobile(other))):
        return True
    return False if other and not (joined or whole) else None


def _has_mobile(phones: Iterable[str]) -> bool:
    return any(phone_kind(phone) == PhoneKind.MOBILE for phone in phones)


def _raise_if_only_reading_is_doubtful(
    digits: str, readings: _Readings, row_country: _RowCountry, convention: PhoneConvention
) -> None:
    """Refuse the only valid reading where it is hardly the number that is meant.

    Raises:
        UnusableCell: if it is an extension without its zero, a mistyped number of the country, or
            a number that lacks its area code.
    """
    phone = next(phone for phone in readings if phone)
    is_international = phone == readings.international
    if not is_international and _is_longer_than_any_mobile(phone):
        raise UnusableCell(_no_valid_number_message(row_country))
    if is_international and not phone.startswith(row_country.plus_code):
        _raise_if_may_be_mistyped_home_number(digits, phone, row_country, convention)
    if convention == PhoneConvention.LOCAL and phone_kind(phone) != PhoneKind.MOBILE:
        raise UnusableCell(_AREA_CODE_MISSING)


def _raise_if_may_be_mistyped_home_number(
    digits: str, phone: str, row_country: _RowCountry, convention: PhoneConvention
) -> None:
    """Refuse digits that are a foreign number only if nobody mistyped one of the country.

    Raises:
        UnusableCell: if the column writes national numbers, if a digit more or less makes a mobile
            of the country, or if the foreign number is not the digits as they stand.
    """
    if phone != f"+{digits}":
        raise UnusableCell(_no_valid_number_message(row_country))
    if convention == PhoneConvention.INTERNATIONAL:
        return
    if convention in _WITHOUT_CALLING_CODE or _is_one_digit_off_a_mobile(
        digits, row_country.region
    ):
        raise UnusableCell(
            f"it could be {phone}, or a number of {row_country.region} with a digit too many or "
            "too few: write it with its + sign, or correct it"
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


def _drop_readings_unlikely_in_row_country(
    readings: _Readings, row_country: _RowCountry
) -> _Readings:
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
    candidates: list[str], readings: _Readings, row_country: _RowCountry
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
    readings: _Readings, row_country: _RowCountry, convention: PhoneConvention
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


def _pick_home_or_store_zero_reading_or_raise(readings: _Readings, row_country: _RowCountry) -> str:
    """National digits with their zero: those of the row's country, else of the store's.

    Raises:
        UnusableCell: if they are valid in neither, or a mobile only in the store's country.
    """
    national, elsewhere = readings.national, readings.elsewhere
    elsewhere_mobile = elsewhere and phone_kind(elsewhere) == PhoneKind.MOBILE
    if national:
        if phone_kind(national) != PhoneKind.MOBILE and elsewhere_mobile and elsewhere != national:
            raise _Ambiguous(phone for phone in (national, elsewhere) if phone)
        return national
    if elsewhere and elsewhere_mobile:
        return elsewhere
    raise UnusableCell(_no_valid_number_message(row_country))


def _can_rule_out_reading_beside_mobile_reading(
    phone: str, mobile: str, readings: _Readings, row_country: _RowCountry
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


def _no_valid_number_message(row_country: _RowCountry) -> str:
    return f"not a valid phone number (read as one of {row_country.region} without a country code)"
