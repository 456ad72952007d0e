"""Validating a row of a customer list: a contact to write, or the reason why it is rejected."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from phonenumbers import SUPPORTED_REGIONS

from contacts.importing.cells import is_day_of_year
from contacts.models import DateOrder, Gender
from contacts.phones import to_e164

MAX_NAME_LENGTH = 120
MAX_EMAIL_LENGTH = 320
MAX_AGE_YEARS = 150

GENDER_WORDS = {
    Gender.MALE: "m male man mr ανδρας αντρας αρρεν α herr mann mannlich homme h monsieur masculin "
    "hombre masculino varon uomo maschio signore",
    Gender.FEMALE: "f female woman mrs ms γυναικα θηλυ γ θ frau weiblich w femme madame feminin "
    "mujer femenino donna femmina signora",
    Gender.OTHER: "other o diverse divers d nonbinary autre otro altro x αλλο",
    Gender.PREFER_NOT_TO_SAY: "prefernottosay na unknown unspecified notspecified undisclosed "
    "unbekannt inconnu desconocido",
}  # fmt: skip
CONSENT_WORDS = {
    True: "1 y yes true t on x subscribed optin optedin ναι ja oui si active aktiv",
    False: "0 n no false f off unsubscribed optout optedout notsubscribed neversubscribed "
    "nonsubscribed nein non οχι inactive",
}
_SPACES_AND_CONTROLS = re.compile(
    r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]+"
)
_SIMPLE_EMAIL = re.compile(
    r"[A-Za-z0-9_+%-]+(?:\.[A-Za-z0-9_+%-]+)*@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+"
    r"[A-Za-z]{2,63}"
)
_SCIENTIFIC = re.compile(r"(\d)[.,]?(\d*)[eE]\+?(\d{1,2})")
_DIGITS = re.compile(r"\d{7,15}")
_ISO_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[T ].*)?")
_DATE = re.compile(r"(\d{1,4})\s*[./\- ]\s*(\d{1,2})\s*[./\- ]\s*(\d{1,4})\.?(?:[T ]+\d.*)?")


class ContactRow(NamedTuple):
    """A valid row. `consents` is its own consent column: yes, no, or None if it is empty."""

    phone: str
    email: str
    first_name: str
    last_name: str
    gender: str | None
    birthday: date | None
    consents: bool | None


class Rejection(NamedTuple):
    """Why a row is rejected: the heading and text of the cell, and a reason for a person."""

    column: str
    value: str
    reason: str


class UnusableCell(ValueError):
    """A cell cannot be used; the message is a reason for a person."""


def fold_text(text: str) -> str:
    """The text in lower case without accents, and only its letters and digits."""
    decomposed = unicodedata.normalize("NFD", text.lower().replace("ς", "σ"))
    return re.sub(r"[\W_]", "", "".join(c for c in decomposed if not unicodedata.combining(c)))


_GENDER_BY_WORD = {
    fold_text(word): gender.value
    for gender, words in GENDER_WORDS.items()
    for word in words.split()
}
_CONSENT_BY_WORD = {
    fold_text(word): answer for answer, words in CONSENT_WORDS.items() for word in words.split()
}


def row_validator(  # noqa: C901 - counts the function within
    headings: Sequence[str], mapping: Mapping[str, Sequence[int]], date_order: str, region: str
) -> Callable[[list[str]], ContactRow | Rejection]:
    """A function that turns one row's cells into a contact or a rejection.

    Args:
        headings: one for each column.
        mapping: positions of columns by field; of several the first that is filled counts.
        date_order: the order of the file's birthdays, a DateOrder.
        region: two-letter country of national phone numbers in rows without a country.
    """
    width = len(headings)
    phone_at, email_at = mapping["phone"], mapping.get("email", ())
    first_at, last_at = mapping.get("first_name", ()), mapping.get("last_name", ())
    full_at, gender_at = mapping.get("full_name", ()), mapping.get("gender", ())
    birthday_at, consent_at = mapping.get("birthday", ()), mapping.get("sms_consent", ())
    country_at = mapping.get("country", ())
    today = date.today()

    # One loop a field and few calls, for speed: it runs for every row of the file.
    def validate_row(cells: list[str]) -> ContactRow | Rejection:  # noqa: C901
        if len(cells) < width:
            cells = cells + [""] * (width - len(cells))
        elif len(cells) > width and any(cell.strip() for cell in cells[width:]):
            return Rejection(
                "",
                "",
                f"the row has {len(cells)} cells, the heading {width}: "
                "put quotation marks around a cell that holds the separator",
            )
        at = phone_at[0]
        try:
            row_region = region
            for at in country_at:
                code = cells[at].strip().upper()
                if code in SUPPORTED_REGIONS:
                    row_region = code
            text = ""
            for at in phone_at:
                text = cells[at].strip()
                if text:
                    break
            else:
                at = phone_at[0]
            phone = _read_phone(text, row_region)
            email = ""
            for at in email_at:
                email = cells[at].strip()
                if email:
                    if len(email) > MAX_EMAIL_LENGTH or not _SIMPLE_EMAIL.fullmatch(email):
                        email = _checked_email(email)
                    break
            first = last = ""
            for at in first_at:
                first = first or _clean_name(cells[at])
            for at in last_at:
                last = last or _clean_name(cells[at])
            if not first and not last:
                for at in full_at:
                    first, last = _split_full_name(cells[at])
            gender = birthday = consents = None
            for at in gender_at:
                gender = gender or _read_gender(cells[at])
            for at in birthday_at:
                birthday = birthday or _read_birthday(cells[at].strip(), date_order, today)
            for at in consent_at:
                consents = _read_consent(cells[at])
        except UnusableCell as problem:
            return Rejection(headings[at][:200], cells[at].strip()[:200], str(problem))
        return ContactRow(phone, email, first, last, gender, birthday, consents)

    return validate_row


def _read_phone(text: str, region: str) -> str:
    """The number in E.164; what a spreadsheet did to it is repaired if no digit was lost.

    Raises:
        UnusableCell: if it is missing, not valid, has two readings, or has lost digits.
    """
    if not text:
        raise UnusableCell("the phone number is missing")
    phone = to_e164(text, region)
    if phone:
        return phone
    text = text.lstrip("'").strip()
    if match := _SCIENTIFIC.fullmatch(text):
        integer, fraction, exponent = match.groups()
        if len(fraction) != int(exponent):
            raise UnusableCell(
                "a spreadsheet has cut the number short: format the column as text and export again"
            )
        text = integer + fraction
    elif text.endswith((".0", ",0")):
        text = text[:-2]
    phone = to_e164(text, region)
    if not phone and _DIGITS.fullmatch(text):  # a lost plus, or a lost leading zero
        international, national = to_e164("+" + text, region), to_e164("0" + text, region)
        if international and national:
            raise UnusableCell(
                f"it could be {international} or {national}: write it with its + sign"
            )
        phone = international or national
    if not phone:
        raise UnusableCell(
            f"not a valid phone number (read as one of {region} without a country code)"
        )
    return phone


def _checked_email(text: str) -> str:
    try:
        if not text.isprintable():
            raise ValidationError("control characters")
        validate_email(text)
    except ValidationError:
        raise UnusableCell("not a valid e-mail address") from None
    return text


def _clean_name(text: str) -> str:
    """A name on one line, without control characters, cut at MAX_NAME_LENGTH."""
    text = text.strip()
    if text.startswith(("'=", "'+", "'-", "'@")):  # escaped by `escape_formula`
        text = text[1:]
    if not text.isprintable() or "  " in text:
        text = _SPACES_AND_CONTROLS.sub(" ", text).strip()
    return text[:MAX_NAME_LENGTH]


def _split_full_name(text: str) -> tuple[str, str]:
    first, _, last = _clean_name(text).rpartition(" ")
    return (first, last) if first else (last, "")


def _read_gender(text: str) -> str | None:
    word = fold_text(text)
    if not word:
        return None
    if word not in _GENDER_BY_WORD:
        raise UnusableCell("not a known gender: male, female, other")
    return _GENDER_BY_WORD[word]


def _read_consent(text: str) -> bool | None:
    word = fold_text(text)
    if not word:
        return None
    if word not in _CONSENT_BY_WORD:
        raise UnusableCell("neither yes nor no")
    return _CONSENT_BY_WORD[word]


def _read_birthday(text: str, order: str, today: date) -> date | None:
    """The date as written, in no time zone; None for an empty cell or a date without a year."""
    if not text or not text.strip("0./- :") or is_day_of_year(text):
        return None
    if match := _ISO_DATE.fullmatch(text):
        year, month, day = match.groups()
    else:
        match = _DATE.fullmatch(text)
        if not match:
            raise UnusableCell("not a date such as 1990-12-31")
        first, second, third = match.groups()
        if len(first) == 4:
            year, month, day = first, second, third
        elif len(third) != 4:
            raise UnusableCell("give the year with four digits")
        elif order == DateOrder.MDY:
            month, day, year = first, second, third
        elif order == DateOrder.DMY or first == second:
            day, month, year = first, second, third
        else:
            raise UnusableCell(
                "day or month first? The file's other dates are written as 1990-12-31"
            )
    try:
        birthday = date(int(year), int(month), int(day))
    except ValueError:
        raise UnusableCell("no such day") from None
    if birthday > today or birthday.year < today.year - MAX_AGE_YEARS:
        raise UnusableCell(f"not within the last {MAX_AGE_YEARS} years")
    return birthday
