"""Dividing a cell into the phone numbers that it holds, without labels and extensions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from django.utils.translation import gettext_lazy as _

from contacts.importing.cells import (
    MAX_CELL_LENGTH,
    UnusableCell,
    fold_to_alphanumeric,
    looks_like_date_with_year,
    normalize_digits_blanks_dashes,
    strip_spreadsheet_quoting,
)
from contacts.importing.phone_readings import (
    IS_A_DATE,
    MIN_DIGITS,
    PLAIN_MAX_DIGITS,
    PLAIN_MIN_DIGITS,
    PLUS_WITHIN,
    SIGNS_AROUND_NUMBERS,
    AmbiguousNumber,
    NoValidNumber,
    PhoneConvention,
    RowCountry,
    digits_of,
    parse_single_number_or_raise_unusable,
)

# How many separators may part numbers, and how many ways to part them are looked at.
MAX_SEPARATORS = 24
MAX_WAYS = 8
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
_BOUNDARY = "\0"  # where a label stood
NUMBER_MISSING = _("the phone number is missing")
_CUT_SHORT = _("a spreadsheet has cut the number short: format the column as text and export again")
_OTHER_WORDS = _("not a valid phone number, but other words: leave only the number")
_A_FAX_NUMBER = _("this is a fax number")


def iter_numbers_or_raise_unusable(
    text: str, row_country: RowCountry, *, allow_unknown_words: bool = False
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
        raise NoValidNumber(row_country.region)
    text = strip_spreadsheet_quoting(normalize_digits_blanks_dashes(text))
    if not text:
        raise UnusableCell(NUMBER_MISSING)
    if looks_like_date_with_year(text) and (":" in text or len(digits_of(text)) < PLAIN_MIN_DIGITS):
        raise UnusableCell(IS_A_DATE)
    number = _number_in_spreadsheet_form_or_none_or_raise_cut_short(text)
    if number:
        yield number
        return
    text = _strip_labels_extensions_and_fax_or_raise(text, allow_unknown_words=allow_unknown_words)
    parts = [part for part in _STRONG_SEPARATORS.split(text) if any(map(str.isdecimal, part))]
    if not parts:
        raise NoValidNumber(row_country.region)
    for part in parts:
        part = _HASH_EXTENSION.sub("", part.strip())
        for labelled in part.split(_BOUNDARY):
            for number in PLUS_WITHIN.split(labelled):
                if any(map(str.isdecimal, number)):
                    yield from _split_adjacent_or_raise_ambiguous(
                        number.strip(SIGNS_AROUND_NUMBERS), row_country
                    )


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
            raise UnusableCell(_OTHER_WORDS)
    kept.append(text[end:])
    if fax_end >= 0 and not allow_unknown_words:
        before = "".join(kept[:fax_end])
        after_fax = "".join(kept[fax_end + 1 :])
        if any(map(str.isdecimal, before)) and any(map(str.isdecimal, after_fax)):
            following = re.split(r"[;,|\n\0]", after_fax.lstrip(" .:\0"), maxsplit=1)
            return before + ";" + (following[1] if len(following) > 1 else "")
        raise UnusableCell(_A_FAX_NUMBER)
    return "".join(kept)


def _split_adjacent_or_raise_ambiguous(number: str, row_country: RowCountry) -> Iterator[str]:
    """The number, or the several numbers that slashes, dashes or blanks part.

    The parts are meant if each is valid and the whole is not.

    Raises:
        UnusableCell: if the whole is valid, and so are parts that begin as numbers do, or if there
            are several ways to part it.
    """
    number = "(" + number if ")" in number and "(" not in number.split(")")[0] else number
    if len(digits_of(number)) < 2 * MIN_DIGITS + 2:
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
            raise AmbiguousNumber(
                dict.fromkeys(_all_readings_or_raise_unusable(numbers, row_country))
            )
        first, _, rest = number.partition("/")
        # "210 1234567 / 68" names the last digits of another number.
        if (
            not whole
            and 0 < len(digits_of(rest)) < MIN_DIGITS
            and _has_valid_reading(first, row_country)
        ):
            yield first
            return
    yield number


def _valid_ways_to_split(
    number: str, separator: re.Pattern[str], row_country: RowCountry
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
            part = number[starts[first] : ends[last]].strip(SIGNS_AROUND_NUMBERS)
            digit_count = len(digits_of(part))
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
    valid_numbers: Iterable[str], row_country: RowCountry
) -> Iterator[str]:
    """All readings of numbers that are valid."""
    for number in valid_numbers:
        try:
            yield parse_single_number_or_raise_unusable(
                number, row_country, PhoneConvention.UNKNOWN
            )
        except AmbiguousNumber as problem:
            yield from problem.readings


def _has_valid_reading(number: str, row_country: RowCountry) -> bool:
    try:
        parse_single_number_or_raise_unusable(number, row_country, PhoneConvention.UNKNOWN)
    except AmbiguousNumber:
        return True
    except UnusableCell:
        return False
    return True
