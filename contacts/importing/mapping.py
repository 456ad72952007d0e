"""Which column of a customer list holds what: guessed from its headings, or from its cells."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from contacts.importing.cells import is_day_of_year, is_email
from contacts.importing.reading import ImportRefused
from contacts.importing.validating import simplified
from contacts.models import DateOrder
from contacts.phones import normalise

# For each field the headings that name it, the preferred first, in English, Greek, German, French,
# Spanish and Italian, as `simplified` writes them.
HEADINGS = {
    "phone": "sms mobile mobilephone mobilenumber mobilephonenumber cell cellphone cellphonenumber "
    "handy handynummer mobil mobilnummer mobiltelefon κινητο κινητοτηλεφωνο portable "
    "telephoneportable movil telefonomovil celular cellulare telefonocellulare whatsapp "
    "phone phonenumber smsphonenumber telephone telephonenumber tel telno msisdn "
    "τηλεφωνο telefon telefonnummer rufnummer telefono numerotelefono "
    "numerodetelephone numerodetelefono numeroditelefono billingphone shippingphone "
    "addressphone phone1 phone2",
    "first_name": "firstname first givenname forename name1 ονομα μικροονομα vorname prenom nombre "
    "nome billingfirstname fname",
    "last_name": "lastname last surname familyname επωνυμο επιθετο nachname familienname nom "
    "nomdefamille apellido apellidos cognome billinglastname lname",
    "full_name": "name fullname customername clientname displayname ονοματεπωνυμο vollername "
    "nomcomplet nombrecompleto nomecompleto kunde client cliente πελατης",
    "email": "email emailaddress mail mailaddress emailadresse adressemail adresseemail correo "
    "correoelectronico indirizzoemail courriel billingemail ηλεκτρονικηδιευθυνση",
    "gender": "gender sex φυλο geschlecht sexe genre sexo genero sesso "
    "genere",
    "birthday": "birthday birthdate dateofbirth dob birth γενεθλια ημερομηνιαγεννησης ημγεννησης "
    "geburtstag geburtsdatum datedenaissance naissance anniversaire fechadenacimiento nacimiento "
    "cumpleanos datadinascita compleanno",
    "sms_consent": "acceptssmsmarketing smsconsent smsmarketingconsent smsmarketing smsoptin "
    "smssubscriptionstatus smsconsentstatus smssubscribed subscribed issubscribed optin "
    "marketingconsent smspermission smsstatus",
    "country": "countrycode countryiso addresscountrycode billingcountry billingcountrycode "
    "country χωρα land pays pais paese",
}  # fmt: skip
FIELDS = tuple(HEADINGS)
_RANK = {
    field: {simplified(heading): rank for rank, heading in enumerate(names.split())}
    for field, names in HEADINGS.items()
}
# Words before a heading that do not change what the column holds.
_PREFIXES = re.compile(r"^(customer|client|contact|primary|default|defaultaddress|address|kunden)+")
_DATE = re.compile(r"(\d{1,4})\s*[./\- ]\s*(\d{1,2})\s*[./\- ]\s*(\d{1,4})(?:\D.*)?")

# So many times more dates must be of one order than of the other, which are then mistakes.
CLEARLY = 20
CONTENT_ROWS = 200


class Guess(NamedTuple):
    """Columns by field, of several the preferred first; `notes` say what a person should know."""

    fields: dict[str, list[int]]
    notes: list[str]


def guess(headings: Sequence[str], sample: Sequence[Sequence[str]], region: str) -> Guess:
    """Find the columns that hold the fields we know; the region is that of national numbers."""
    found: dict[str, list[tuple[int, int]]] = {}
    for position, heading in enumerate(headings):
        word = simplified(heading)
        bare = _PREFIXES.sub("", word)
        for field, ranks in _RANK.items():
            rank = ranks.get(word, ranks.get(bare))
            if rank is not None:
                # Of two headings that mean the same, the one without a prefix comes first.
                found.setdefault(field, []).append((rank * 2 + (word not in ranks), position))
                break
    fields = {field: [at for _, at in sorted(places)] for field, places in found.items()}
    for field in fields.keys() - {"phone"}:
        fields[field] = fields[field][:1]
    if "first_name" in fields or "last_name" in fields:
        fields.pop("full_name", None)
    if "phone" not in fields:
        taken = {at for places in fields.values() for at in places}
        fields |= _by_content(sample[:CONTENT_ROWS], taken, region)
    return _without_yearless(fields, headings, sample)


def _by_content(
    sample: Sequence[Sequence[str]], taken: set[int], region: str
) -> dict[str, list[int]]:
    """Columns whose cells mostly are phone numbers, addresses, dates or names."""
    fields: dict[str, list[int]] = {}
    texts: list[int] = []
    for position in range(max((len(row) for row in sample), default=0)):
        cells = [row[position].strip() for row in sample if len(row) > position]
        cells = [cell for cell in cells if cell]
        if position in taken or not cells:
            continue
        for field, fits in (
            ("birthday", _DATE.fullmatch), ("email", is_email),
            ("phone", lambda cell: normalise(cell, region)),
        ):  # fmt: skip
            if sum(1 for cell in cells if fits(cell)) >= 0.6 * len(cells):
                fields.setdefault(field, [position])
                break
        else:
            if sum(1 for cell in cells if cell.replace(" ", "").isalpha()) >= 0.8 * len(cells):
                texts.append(position)
    if "phone" in fields and not taken and texts:
        fields["first_name"] = texts[:1]
        if len(texts) > 1:
            fields["last_name"] = texts[1:2]
    return fields


def _without_yearless(
    fields: dict[str, list[int]], headings: Sequence[str], sample: Sequence[Sequence[str]]
) -> Guess:
    notes = []
    for at in fields.get("birthday", []):
        cells = [row[at].strip() for row in sample if len(row) > at and row[at].strip()]
        if cells and all(map(is_day_of_year, cells)):
            notes.append(f"{headings[at]}: the dates have no year, so they are not used")
            fields = {field: places for field, places in fields.items() if field != "birthday"}
    return Guess(fields, notes)


def date_order(values: Iterable[str]) -> str:
    """In which order a file writes its dates, a DateOrder; ISO if no value tells.

    Raises:
        ImportRefused: if day and month cannot be told apart, or are written in both orders.
    """
    day_first = month_first = either = 0
    for value in values:
        match = _DATE.fullmatch(value.strip())
        if not match or len(match[1]) == 4:
            continue
        first, second = int(match[1]), int(match[2])
        # Dots are written where the day comes first.
        day_first += (first > 12 or "." in value) and second <= 12
        month_first += second > 12 >= first
        either += first <= 12 and second <= 12 and first != second and "." not in value
    choose = "choose how dates are written (--dates dmy for 31/12/1990, --dates mdy for 12/31/1990)"
    if 0 < min(day_first, month_first) * CLEARLY > max(day_first, month_first):
        raise ImportRefused(f"the file writes birthdays in both orders: {choose}")
    if either and not day_first and not month_first:
        raise ImportRefused(f"birthdays such as 3/4/1990 may be March or April: {choose}")
    if day_first or month_first:
        return DateOrder.DMY if day_first > month_first else DateOrder.MDY
    return DateOrder.ISO
