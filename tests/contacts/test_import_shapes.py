"""Exports of shops, tills and spreadsheets as they come, and what becomes of each of their rows."""

from datetime import date
from itertools import islice
from pathlib import Path

import pytest

from contacts.importing import mapping
from contacts.importing.consent_cells import Consent
from contacts.importing.dates import detect_date_order_or_iso_or_refuse
from contacts.importing.import_refused import ImportRefused
from contacts.importing.reading import FileReader, detect_layout_or_refuse
from contacts.importing.validating import Rejection, build_row_validator
from contacts.models import DateOrder

DATA = Path(__file__).parent.parent / "data" / "imports"
ANNA, MARK, LEON = "+306900000001", "+306900000002", "+306900000004"
FEBRUARY, NOVEMBER, DECEMBER = date(1990, 2, 28), date(1984, 11, 5), date(1978, 12, 31)
MISSING = "the phone number is missing"
GREEK = {ANNA: ("Άννα", "Παππά"), MARK: ("Μάρκος", "Δεληγιάννης")}


def read(name):
    """The file's columns by field, notes, and each row as a contact or a reason."""
    path = DATA / name
    layout = detect_layout_or_refuse(path, largest_bytes=10_000_000)
    records = [cells for _, cells in FileReader(path, layout)]
    found = mapping.guess_columns_and_questions(layout.headings, records, "GR")
    born = found.fields.get("birthday", [])
    order = detect_date_order_or_iso_or_refuse(
        row[at] for row in records for at in born if at < len(row)
    )
    judge = build_row_validator(layout.headings, found.fields, order, "GR")
    columns = {
        field: [layout.headings[at] for at in places] for field, places in found.fields.items()
    }
    return columns, found.notes, [judge(row) for row in records]


def brief(rows):
    return [
        row.reason if isinstance(row, Rejection) else (row.phone, row.first_name, row.last_name)
        for row in rows
    ]


@pytest.mark.parametrize(
    ("name", "phone", "expected"),
    [
        ("shopify_customers.csv", ["Phone", "Default Address Phone"],
         [(ANNA, "Άννα", "Παππά"), (MARK, "Μάρκος", "Δεληγιάννης"), MISSING,
          (LEON, "Leon", "Winter"), ("+306900000005", "Ελένη", "Καραμάνη")]),
        ("woocommerce_customers.csv", ["billing_phone"],
         [(ANNA, "Άννα", "Παππά"), (MARK, "", ""), MISSING, (LEON, "Leon", "Winter")]),
        ("square_customers.csv", ["Phone Number"],
         [(ANNA, "Anna", "Pappa"), (MARK, "Mark", "Deli"), MISSING, (LEON, "Leon", "")]),
        ("lightspeed_customers.csv", ["Mobile", "Phone"],
         [(ANNA, "Άννα", "Παππά"), (MARK, "Mark", "van der Linden"), MISSING,
          ("+306900000014", "Leon", "Winter")]),
        ("mailchimp_audience.csv", ["Phone Number"],
         [(ANNA, "Anna", "Pappa"), (MARK, "Mark", "Deli"), MISSING, (LEON, "Leon", "Winter")]),
        ("klaviyo_profiles.csv", ["Phone Number"],
         [(ANNA, "Anna", "Pappa"), (MARK, "Mark", "Deli"), MISSING, (LEON, "Leon", "Winter")]),
        ("brevo_contacts.csv", ["SMS", "WHATSAPP", "LANDLINE_NUMBER"],
         [(ANNA, "Άννα", "Παππά"), (MARK, "Mark", "Deli"), MISSING, (LEON, "Leon", "Winter")]),
        ("hubspot_contacts.csv", ["Mobile Phone Number", "Phone Number"],
         [(ANNA, "Anna", "Pappa"), (MARK, "Mark", "Deli"), MISSING, (LEON, "Leon", "Winter")]),
        ("excel_german.csv", ["Handy", "Telefon"],
         [(ANNA, "Jürgen", "Groß"), (MARK, "Käthe", "Weißgärber"),
          ("+306900000003", "Åsa", "Müller-Lüdenscheidt"), (LEON, "Zoë", "Vogel; geb. Jäger")]),
        ("excel_unicode.txt", ["Telephone"],
         [(ANNA, "Άννα", "Παππά"), (MARK, "Mark", "Deli"), MISSING,
          (LEON, "Léon", "Winter")]),
        ("greek_iso.csv", ["Κινητό"],
         [(ANNA, *GREEK[ANNA]), (MARK, *GREEK[MARK]), MISSING,
          (LEON, "Άγγελος", "Ρήγας; ο νεότερος")]),
        ("greek_windows.csv", ["Κινητό"],
         [(ANNA, *GREEK[ANNA]), (MARK, *GREEK[MARK]), MISSING,
          (LEON, "Άγγελος", "Ρήγας; ο νεότερος")]),
        ("sep_line.csv", ["Τηλέφωνο"],
         [(ANNA, "Άννα", "Παππά"), (MARK, "Δεληγιάννης", "Μάρκος"), MISSING,
          (LEON, "Λέων", "Χειμώνας")]),
        ("no_header.csv", ["column 2"],
         [(ANNA, "Anna", "Pappa"), (MARK, "Mark", "Deli"), MISSING, (LEON, "Leon", "Winter")]),
    ],
)  # fmt: skip
def test_an_export_is_read_without_editing(name, phone, expected):
    columns, _, rows = read(name)
    assert columns["phone"] == phone
    assert brief(rows) == expected


@pytest.mark.parametrize(
    ("name", "born"),
    [
        ("square_customers.csv", {ANNA: FEBRUARY}), ("klaviyo_profiles.csv", {ANNA: FEBRUARY}),
        ("lightspeed_customers.csv", {ANNA: FEBRUARY, MARK: NOVEMBER}),
        ("hubspot_contacts.csv", {ANNA: FEBRUARY}),
        ("brevo_contacts.csv", {ANNA: FEBRUARY, LEON: DECEMBER}),
        ("excel_german.csv", {ANNA: FEBRUARY, MARK: NOVEMBER, LEON: DECEMBER}),
        ("excel_unicode.txt", {ANNA: FEBRUARY, MARK: NOVEMBER, LEON: DECEMBER}),
        ("no_header.csv", {ANNA: FEBRUARY, MARK: NOVEMBER, LEON: DECEMBER}),
    ],
)  # fmt: skip
def test_its_birthdays_are_read(name, born):
    *_, rows = read(name)
    found = {row.phone: row.birthday for row in rows if not isinstance(row, Rejection)}
    assert {phone: day for phone, day in found.items() if day} == born


@pytest.mark.parametrize(
    ("name", "said_by_mark"),
    [
        ("shopify_customers.csv", Consent.OPTED_OUT),
        ("klaviyo_profiles.csv", Consent.WITHHELD),  # he never subscribed, which is no refusal
    ],
)
def test_what_customers_said_to_sms_marketing_is_taken_over(name, said_by_mark):
    columns, _, rows = read(name)
    assert len(columns["sms_consent"]) == 1 and "SMS" in columns["sms_consent"][0]
    said = {row.phone: row.consent for row in rows if not isinstance(row, Rejection)}
    assert (said[ANNA], said[MARK]) == (Consent.AGREES, said_by_mark)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        # support.omnisend.com, "Import from the file - define your contacts' subscription
        # statuses": no opt-in date is no subscription, the latest opt-out date ends one.
        ("omnisend_contacts.csv", ["AGREES", "OPTED_OUT", "SILENT", "AGREES"]),
        # Headings of an export; support.wix.com, "Changing a contact's subscription status".
        ("wix_contacts.csv", ["AGREES", "OPTED_OUT", "WITHHELD", "SILENT"]),
        # help.shore.com, "Kundendaten importieren": only the newsletter is asked about.
        ("shore_customers.csv", ["SILENT", "OPTED_OUT", "SILENT"]),
    ],
)  # fmt: skip
def test_what_a_program_means_by_its_dates_and_states_is_taken_over(name, said):
    columns, _, rows = read(name)
    assert [row.consent.name for row in rows] == said
    assert (rows[0].phone, rows[0].birthday, rows[0].gender or "female") == (
        ANNA, FEBRUARY, "female",
    )  # fmt: skip
    # Who says nothing is marketed to only where no column asks for consent to SMS.
    assert bool(columns.get("sms_consent")) == (name != "shore_customers.csv")


def test_birthdays_without_a_year_are_left_out_with_a_note():
    columns, notes, _ = read("mailchimp_audience.csv")
    assert "birthday" not in columns
    assert notes == ["Birthday: the dates have no year, so they are not used"]


@pytest.mark.parametrize(
    ("heading", "field"),
    [
        ("Κινητό τηλέφωνο", "phone"), ("MOBILE_NUMBER", "phone"), ("Numéro de téléphone", "phone"),
        ("Teléfono móvil", "phone"), ("Cellulare", "phone"), ("Customer Phone", "phone"),
        ("Prénom", "first_name"), ("Nachname", "last_name"), ("Apellidos", "last_name"),
        ("Cognome", "last_name"), ("Ημερομηνία γέννησης", "birthday"),
        ("Fecha de nacimiento", "birthday"), ("Data di nascita", "birthday"),
        ("Geschlecht", "gender"), ("Sexe", "gender"), ("Correo electrónico", "email"),
        ("Accepts SMS Marketing", "sms_consent"), ("Accepts Email Marketing", "other_consent"),
        ("Notes", None),
    ],
)  # fmt: skip
def test_headings_of_several_languages_are_known(heading, field):
    found = mapping.guess_columns_and_questions(
        [heading, "Phone"], [["x", "+306900000001"]], "GR"
    ).fields
    assert [name for name, places in found.items() if 0 in places] == ([field] if field else [])


@pytest.mark.parametrize(
    ("dates", "order"),
    [
        (["1990-12-31", ""], DateOrder.ISO), (["31/12/1990", "1/2/1990"], DateOrder.DMY),
        (["1/2/1990", "12/31/1990"], DateOrder.MDY), (["1.2.1990"], DateOrder.DMY),
        (["5/5/1990"], DateOrder.ISO),
        (["31/12/1990"] * 30 + ["1/13/1990"], DateOrder.DMY), (["spring"], DateOrder.ISO),
    ],
)  # fmt: skip
def test_the_order_of_dates_is_decided_per_file(dates, order):
    assert detect_date_order_or_iso_or_refuse(dates) == order


@pytest.mark.parametrize(
    ("dates", "words"),
    [(["1/2/1990"], "may be March or April"), (["31/12/1990", "12/31/1990"], "both orders")],
)
def test_an_order_that_nobody_can_tell_is_refused(dates, words):
    with pytest.raises(ImportRefused, match=words):
        detect_date_order_or_iso_or_refuse(dates)


def test_a_workbook_goes_the_same_way(tmp_path):
    from tests.support.workbook import write_workbook

    path = tmp_path / "customers.xlsx"
    rows = [["Handy", "Vorname", "Geburtstag"], [306900000001.0, "Anna", FEBRUARY], ["12", "Bad"]]
    write_workbook(path, enumerate(rows, 1))
    layout = detect_layout_or_refuse(path, largest_bytes=10_000_000)
    records = list(islice(FileReader(path, layout), 10))
    judge = build_row_validator(
        layout.headings, {"phone": [0], "first_name": [1], "birthday": [2]}, "iso", "GR"
    )
    assert [line for line, _ in records] == [2, 3]
    anna, bad = (judge(cells) for _, cells in records)
    assert (anna.phone, anna.first_name, anna.birthday) == (ANNA, "Anna", FEBRUARY)
    assert (bad.column, bad.value) == ("Handy", "12")
