"""Mapping columns of a customer list to fields of a contact, by their headings or cells."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from contacts.importing.cells import is_day_of_year, is_email
from contacts.importing.reading import ImportRefused
from contacts.importing.validating import fold_text
from contacts.models import DateOrder
from contacts.phones import to_e164

# The headings of each field, preferred first, in English, Greek, German, French, Spanish and
# Italian, as `fold_text` writes them.
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
_HEADING_RANKS = {
    field: {fold_text(heading): rank for rank, heading in enumerate(names.split())}
    for field, names in HEADINGS.items()
}
# Prefixes of headings that do not change what the column holds.
_PREFIXES = re.compile(r"^(customer|client|contact|primary|default|defaultaddress|address|kunden)+")
_DATE = re.compile(r"(\d{1,4})\s*[./\- ]\s*(\d{1,2})\s*[./\- ]\s*(\d{1,4})(?:\D.*)?")

# Where the dates of one order are this many times as many as those of the other, the latter are
# mistakes.
DATE_ORDER_MAJORITY = 20
CONTENT_SAMPLE_ROWS = 200
# The shares of a column's cells that must look like values of a field, and like names.
MIN_VALUE_SHARE = 0.6
MIN_NAME_SHARE = 0.8


class ColumnGuess(NamedTuple):
    """Positions of columns by field, preferred first, and notes for the person who imports."""

    fields: dict[str, list[int]]
    notes: list[str]


def guess_columns(
    headings: Sequence[str], sample: Sequence[Sequence[str]], region: str
) -> ColumnGuess:
    """Guess which columns hold the fields of a contact.

    Args:
        headings: one for each column.
        sample: cells of the first rows.
        region: two-letter country of national phone numbers.
    """
    ranked_positions: dict[str, list[tuple[int, int]]] = {}
    for position, heading in enumerate(headings):
        folded = fold_text(heading)
        without_prefix = _PREFIXES.sub("", folded)
        for field, ranks in _HEADING_RANKS.items():
            rank = ranks.get(folded, ranks.get(without_prefix))
            if rank is not None:
                # Of two headings with the same meaning, the one without a prefix comes first.
                rank = rank * 2 + (folded not in ranks)
                ranked_positions.setdefault(field, []).append((rank, position))
                break
    fields = {
        field: [position for _, position in sorted(ranked)]
        for field, ranked in ranked_positions.items()
    }
    for field in fields.keys() - {"phone"}:
        fields[field] = fields[field][:1]
    if "first_name" in fields or "last_name" in fields:
        fields.pop("full_name", None)
    if "phone" not in fields:
        used_positions = {position for positions in fields.values() for position in positions}
        fields |= _guess_by_cells(sample[:CONTENT_SAMPLE_ROWS], used_positions, region)
    return _drop_yearless_birthdays(fields, headings, sample)


def _guess_by_cells(
    sample: Sequence[Sequence[str]], used_positions: set[int], region: str
) -> dict[str, list[int]]:
    """Columns whose cells are mostly phone numbers, e-mail addresses, dates or names."""
    fields: dict[str, list[int]] = {}
    name_columns: list[int] = []
    for position in range(max((len(row) for row in sample), default=0)):
        cells = [row[position].strip() for row in sample if len(row) > position]
        cells = [cell for cell in cells if cell]
        if position in used_positions or not cells:
            continue
        for field, matches in (
            ("birthday", _DATE.fullmatch), ("email", is_email),
            ("phone", lambda cell: to_e164(cell, region)),
        ):  # fmt: skip
            if sum(1 for cell in cells if matches(cell)) >= MIN_VALUE_SHARE * len(cells):
                fields.setdefault(field, [position])
                break
        else:
            name_count = sum(1 for cell in cells if cell.replace(" ", "").isalpha())
            if name_count >= MIN_NAME_SHARE * len(cells):
                name_columns.append(position)
    if "phone" in fields and not used_positions and name_columns:
        fields["first_name"] = name_columns[:1]
        if len(name_columns) > 1:
            fields["last_name"] = name_columns[1:2]
    return fields


def _drop_yearless_birthdays(
    fields: dict[str, list[int]], headings: Sequence[str], sample: Sequence[Sequence[str]]
) -> ColumnGuess:
    notes = []
    for position in fields.get("birthday", []):
        cells = [row[position].strip() for row in sample if len(row) > position]
        cells = [cell for cell in cells if cell]
        if cells and all(map(is_day_of_year, cells)):
            notes.append(f"{headings[position]}: the dates have no year, so they are not used")
            fields = {
                field: positions for field, positions in fields.items() if field != "birthday"
            }
    return ColumnGuess(fields, notes)


def detect_date_order(values: Iterable[str]) -> str:
    """The order of day and month in a file's dates, a DateOrder; ISO if no value shows it.

    Raises:
        ImportRefused: if every date can be read in both orders, or both orders are common.
    """
    day_first = month_first = ambiguous = 0
    for value in values:
        match = _DATE.fullmatch(value.strip())
        if not match or len(match[1]) == 4:
            continue
        first, second = int(match[1]), int(match[2])
        # Countries that write dots put the day first.
        day_first += (first > 12 or "." in value) and second <= 12
        month_first += second > 12 >= first
        ambiguous += first <= 12 and second <= 12 and first != second and "." not in value
    advice = "choose how dates are written (--dates dmy for 31/12/1990, --dates mdy for 12/31/1990)"
    if 0 < min(day_first, month_first) * DATE_ORDER_MAJORITY > max(day_first, month_first):
        raise ImportRefused(f"the file writes birthdays in both orders: {advice}")
    if ambiguous and not day_first and not month_first:
        raise ImportRefused(f"birthdays such as 3/4/1990 may be March or April: {advice}")
    if day_first or month_first:
        return DateOrder.DMY if day_first > month_first else DateOrder.MDY
    return DateOrder.ISO
