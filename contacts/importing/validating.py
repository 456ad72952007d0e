"""What a row of a customer list says: a contact to be written, or why it cannot be one."""

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
from contacts.phones import normalise

LONGEST_NAME, LONGEST_EMAIL, OLDEST_YEARS = 120, 320, 150

GENDERS = {
    Gender.MALE: "m male man mr ανδρας αντρας αρρεν α herr mann mannlich homme h monsieur masculin "
    "hombre masculino varon uomo maschio signore",
    Gender.FEMALE: "f female woman mrs ms γυναικα θηλυ γ θ frau weiblich w femme madame feminin "
    "mujer femenino donna femmina signora",
    Gender.OTHER: "other o diverse divers d nonbinary autre otro altro x αλλο",
    Gender.PREFER_NOT_TO_SAY: "prefernottosay na unknown unspecified notspecified undisclosed "
    "unbekannt inconnu desconocido",
}  # fmt: skip
CONSENTS = {
    True: "1 y yes true t on x subscribed optin optedin ναι ja oui si active aktiv",
    False: "0 n no false f off unsubscribed optout optedout notsubscribed neversubscribed "
    "nonsubscribed nein non οχι inactive",
}
_SPECIAL = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]+")
_EVERYDAY_EMAIL = re.compile(
    r"[A-Za-z0-9_+%-]+(?:\.[A-Za-z0-9_+%-]+)*@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+"
    r"[A-Za-z]{2,63}"
)
_SCIENTIFIC = re.compile(r"(\d)[.,]?(\d*)[eE]\+?(\d{1,2})")
_DIGITS = re.compile(r"\d{7,15}")
_ISO_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[T ].*)?")
_DATE = re.compile(r"(\d{1,4})\s*[./\- ]\s*(\d{1,2})\s*[./\- ]\s*(\d{1,4})\.?(?:[T ]+\d.*)?")


class Row(NamedTuple):
    """A valid row; `consents` is what the person said to marketing by SMS, None if nothing."""

    phone: str
    email: str
    first_name: str
    last_name: str
    gender: str | None
    birthday: date | None
    consents: bool | None


class Rejection(NamedTuple):
    column: str
    value: str
    reason: str


class Unusable(ValueError):
    """A cell cannot be used; the message is the reason, for a person."""


def simplified(text: str) -> str:
    """Lower case, no accents, letters and digits only."""
    plain = unicodedata.normalize("NFD", text.lower().replace("ς", "σ"))
    return re.sub(r"[\W_]", "", "".join(c for c in plain if not unicodedata.combining(c)))


_GENDER_OF = {
    simplified(word): gender.value for gender, words in GENDERS.items() for word in words.split()
}
_CONSENT_OF = {simplified(word): said for said, words in CONSENTS.items() for word in words.split()}


def judge_of(
    headings: Sequence[str], mapping: Mapping[str, Sequence[int]], date_order: str, region: str
) -> Callable[[list[str]], Row | Rejection]:
    """A function that judges one row's cells.

    Args:
        mapping: field to positions of its columns; of several the first that is filled counts.
        date_order: of the file's birthdays, a DateOrder.
        region: two-letter country of national phone numbers of rows that name none.
    """
    width = len(headings)
    phone_at, email_at = mapping["phone"], mapping.get("email", ())
    first_at, last_at = mapping.get("first_name", ()), mapping.get("last_name", ())
    full_at, gender_at = mapping.get("full_name", ()), mapping.get("gender", ())
    birthday_at, consent_at = mapping.get("birthday", ()), mapping.get("sms_consent", ())
    country_at = mapping.get("country", ())
    today = date.today()

    def judge(cells: list[str]) -> Row | Rejection:
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
            place = region
            for at in country_at:
                code = cells[at].strip().upper()
                if code in SUPPORTED_REGIONS:
                    place = code
            text = ""
            for at in phone_at:
                text = cells[at].strip()
                if text:
                    break
            else:
                at = phone_at[0]
            phone = _phone(text, place)
            email = ""
            for at in email_at:
                email = cells[at].strip()
                if email:
                    if len(email) > LONGEST_EMAIL or not _EVERYDAY_EMAIL.fullmatch(email):
                        email = _unusual_email(email)
                    break
            first = last = ""
            for at in first_at:
                first = first or _name(cells[at])
            for at in last_at:
                last = last or _name(cells[at])
            if not first and not last:
                for at in full_at:
                    first, last = _split(cells[at])
            gender = birthday = consents = None
            for at in gender_at:
                gender = gender or _gender(cells[at])
            for at in birthday_at:
                birthday = birthday or _birthday(cells[at].strip(), date_order, today)
            for at in consent_at:
                consents = _consents(cells[at])
        except Unusable as problem:
            return Rejection(headings[at][:200], cells[at].strip()[:200], str(problem))
        return Row(phone, email, first, last, gender, birthday, consents)

    return judge


def _phone(text: str, region: str) -> str:
    """The number in E.164; damage done by a spreadsheet is repaired where nothing was lost.

    Raises:
        Unusable: if it is missing, not valid, or was cut short.
    """
    if not text:
        raise Unusable("the phone number is missing")
    phone = normalise(text, region)
    if phone:
        return phone
    text = text.lstrip("'").strip()
    if match := _SCIENTIFIC.fullmatch(text):
        whole, fraction, exponent = match.groups()
        if len(fraction) != int(exponent):
            raise Unusable(
                "a spreadsheet has cut the number short: format the column as text and export again"
            )
        text = whole + fraction
    elif text.endswith((".0", ",0")):
        text = text[:-2]
    phone = normalise(text, region)
    if not phone and _DIGITS.fullmatch(text):  # a lost plus, or a lost leading zero
        abroad, at_home = normalise("+" + text, region), normalise("0" + text, region)
        if abroad and at_home:
            raise Unusable(f"it could be {abroad} or {at_home}: write it with its + sign")
        phone = abroad or at_home
    if not phone:
        raise Unusable(f"not a valid phone number (country if none is given: {region})")
    return phone


def _unusual_email(text: str) -> str:
    try:
        if not text.isprintable():
            raise ValidationError("control characters")
        validate_email(text)
    except ValidationError:
        raise Unusable("not a valid e-mail address") from None
    return text


def _name(text: str) -> str:
    """A name on one line, without control characters, of at most LONGEST_NAME."""
    text = text.strip()
    if text.startswith(("'=", "'+", "'-", "'@")):  # made harmless for a spreadsheet
        text = text[1:]
    if not text.isprintable() or "  " in text:
        text = _SPECIAL.sub(" ", text).strip()
    return text[:LONGEST_NAME]


def _split(text: str) -> tuple[str, str]:
    first, _, last = _name(text).rpartition(" ")
    return (first, last) if first else (last, "")


def _gender(text: str) -> str | None:
    word = simplified(text)
    if not word:
        return None
    if word not in _GENDER_OF:
        raise Unusable("not a gender we know: male, female, other")
    return _GENDER_OF[word]


def _consents(text: str) -> bool | None:
    word = simplified(text)
    if not word:
        return None
    if word not in _CONSENT_OF:
        raise Unusable("neither yes nor no")
    return _CONSENT_OF[word]


def _birthday(text: str, order: str, today: date) -> date | None:
    """The date as written, never moved by a time zone; None for an empty cell or without a year."""
    if not text or not text.strip("0./- :") or is_day_of_year(text):
        return None
    if match := _ISO_DATE.fullmatch(text):
        year, month, day = match.groups()
    else:
        match = _DATE.fullmatch(text)
        if not match:
            raise Unusable("not a date such as 1990-12-31")
        first, second, third = match.groups()
        if len(first) == 4:
            year, month, day = first, second, third
        elif len(third) != 4:
            raise Unusable("give the year with four digits")
        elif order == DateOrder.MDY:
            month, day, year = first, second, third
        elif order == DateOrder.DMY or first == second:
            day, month, year = first, second, third
        else:
            raise Unusable("day or month first? The file's other dates are as 1990-12-31")
    try:
        birthday = date(int(year), int(month), int(day))
    except ValueError:
        raise Unusable("no such day") from None
    if birthday > today or birthday.year < today.year - OLDEST_YEARS:
        raise Unusable(f"not within the last {OLDEST_YEARS} years")
    return birthday
