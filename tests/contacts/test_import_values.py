"""How cells of a customer list are read: dates, names, genders and what speaks of consent."""

import itertools
import time
import unicodedata
from datetime import UTC, date, datetime
from functools import partial

import pytest

from contacts.importing.cells import UnusableCell
from contacts.importing.consent_cells import Consent, ConsentColumn
from contacts.importing.dates import (
    YearlessDate,
    detect_date_order_or_iso_or_refuse,
    has_short_years_first,
    has_spreadsheet_serial_dates,
    parse_birthday_or_raise_unusable,
    parse_datetime_none_if_ambiguous_or_raise,
)
from contacts.importing.genders import GenderColumn
from contacts.importing.import_refused import ImportRefused
from contacts.importing.names import (
    clean_name_or_empty,
    fill_missing_name_part,
    is_placeholder_for_no_value,
    split_into_first_and_last_name,
    writes_family_first,
)
from contacts.importing.validating import ContactRow, Rejection, build_row_validator

TODAY = date(2026, 11, 26)
PHONE = "+306900000001"
SILENT, AGREES, WITHHELD, OPTED_OUT = Consent


def birthday(text, order="iso", **options):
    return parse_birthday_or_raise_unusable(text, order, TODAY, **options)


@pytest.mark.parametrize(
    "text",
    [
        "1990-05-03", "1990-5-3", "1990/05/03", "1990. 05. 03.", "1990 05 03", "19900503",
        "3 May 1990", "May 3, 1990", "3rd of May 1990", "3-May-1990", "03.MAY.1990",
        "Thursday, 3 May 1990", "Thu May 03 1990 00:00:00 GMT+0300 (Eastern European Summer Time)",
        "3 Μαΐου 1990", "3 Μάιος 1990", "Πέμπτη 3 Μαΐου 1990", "3. Mai 1990", "1990 Mai 3",
        "3 mai 1990", "3 de mayo de 1990", "3 maggio 1990", "1990-05-03T22:00:00.000Z",
        "1990-05-03 00:00:00", "1990-05-03T23:30:00-08:00", "1990-05-03 10:00 π.μ.",
        "  1990-05-03 ", "'1990-05-03", '="1990-05-03"',
    ],
)  # fmt: skip
def test_a_date_with_one_reading_is_read_in_every_usual_form(text):
    assert birthday(text) == date(1990, 5, 3)


@pytest.mark.parametrize(
    ("text", "month"),
    [("Januar", 1), ("Jänner", 1), ("févr.", 2), ("März", 3), ("Απριλίου", 4), ("μαι", 5),
     ("juin", 6), ("Juillet", 7), ("août", 8), ("sett", 9), ("οκτ", 10), ("noviembre", 11),
     ("Dez.", 12), ("Δεκ", 12), ("ene", 1), ("lug", 7)],
)  # fmt: skip
def test_names_of_months_and_their_abbreviations_are_known_in_six_languages(text, month):
    assert birthday(f"3 {text} 1990") == date(1990, month, 3)


@pytest.mark.parametrize(
    ("text", "order", "expected"),
    [
        ("3/5/1990", "dmy", date(1990, 5, 3)), ("3/5/1990", "mdy", date(1990, 3, 5)),
        ("03051990", "dmy", date(1990, 5, 3)), ("5/3/1990 12:00:00 AM", "mdy", date(1990, 5, 3)),
        ("25/03/1990", "iso", date(1990, 3, 25)), ("03.05.1990 00:00", "dmy", date(1990, 5, 3)),
        ("3/14/85", "mdy", date(1985, 3, 14)), ("7/1/00", "mdy", date(2000, 7, 1)),
        ("03.05.61", "dmy", date(1961, 5, 3)), ("14-Mar-85", "iso", date(1985, 3, 14)),
        ("Mar 14, 85", "iso", date(1985, 3, 14)), ("5/5/99", "iso", date(1999, 5, 5)),
    ],
)  # fmt: skip
def test_the_order_of_the_column_counts_where_numbers_alone_do_not_tell(text, order, expected):
    assert birthday(text, order) == expected


@pytest.mark.parametrize(
    "text",
    ["", " " * 30_000, "0000-00-00", "0000-00-00 00:00:00", "00:00:00", "00.00.0000", "0",
     "1900-01-01", "1/0/1900", "1899-12-30", "30.12.1899", "0001-01-01T00:00:00", "1601-01-01",
     "9999-12-31"],
)  # fmt: skip
def test_what_programs_write_for_no_date_is_none(text):
    assert birthday(text, "dmy" if "/" not in text else "mdy") is None


@pytest.mark.parametrize(
    "text",
    ["03/05", "3.5.", "--05-03", "3 May", "May 3", "1604-05-03", "0000-07-04", "1900-05-03",
     "1970-01-01", "2002"],
)  # fmt: skip
def test_a_date_without_a_certain_year_is_told_apart(text):
    with pytest.raises(YearlessDate):
        birthday(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("29.02.1989", "no such day"), ("1990-13-05", "no such day"), ("641685600", "not a date"),
        ("1990-05", "not a date"), ("May 1990", "day is missing"), ("3/5/190", "four digits"),
        ("1985-03-25 (25/03)", "not a date"), ("25/03/1985 (περίπου)", "not a date"),
        ("3/5/1990", "day or month first"), ("90 May 3", "four digits"),
        ("5/3/90", "day or month first"), ("3-May-9", "four digits"),
        ("2190-01-01", "not within"), ("1290-01-01", "not within"), ("1885-01-01", "not within"),
        ("spring", "not a date"), ("⓵ May 1990", "not a date"), ("3² May 90", "not a date"),
        ("31131", "not a date"), ("1" + " " * 30_000 + "2", "not a date"),
        ("3 May 1990 June", "not a date"), ("x" * 500, "not a date"),
    ],
)  # fmt: skip
def test_what_is_no_birthday_is_said(text, reason):
    with pytest.raises(UnusableCell, match=reason):
        birthday(text)


def test_days_counted_by_a_spreadsheet_are_read_if_the_column_agrees():
    assert birthday("31131", reads_serials=True) == date(1985, 3, 25)
    assert birthday("31131.0", reads_serials=True) == date(1985, 3, 25)
    assert has_spreadsheet_serial_dates(["1985-03-25", "31131", ""], TODAY)
    assert has_spreadsheet_serial_dates(["31131", "31132", "20000"], TODAY)
    assert not has_spreadsheet_serial_dates(["31131"], TODAY) and not has_spreadsheet_serial_dates(
        ["1985-03-25"], TODAY
    )
    assert not has_spreadsheet_serial_dates(["31131", "1985-03-25", "99999"], TODAY)


def test_short_dates_begin_with_the_year_if_one_of_a_column_can_only_be_a_year():
    column = ["85-03-14", "01-07-03", "", "92.11.27"]
    assert has_short_years_first(column)
    assert birthday("01-07-03", is_year_first=True) == date(2001, 7, 3)
    assert birthday("14.3.1985", is_year_first=True) == date(1985, 3, 14)
    assert detect_date_order_or_iso_or_refuse(column) == "iso"
    assert not has_short_years_first(["01-07-03", "02-05-06"])  # nobody can tell
    assert not has_short_years_first(["85-03-14", "14-03-85"])
    with pytest.raises(ImportRefused):
        detect_date_order_or_iso_or_refuse(["01-07-03", "02-05-06"])


@pytest.mark.parametrize(
    ("cells", "order"),
    [
        (["25/03/1990", "03/04/1990"], "dmy"), (["5/3/1990 12:00:00 AM", "12/31/1980"], "mdy"),
        (["5.3.1990"], "dmy"), (["1990-05-03", "", "3 May 1990"], "iso"), ([" " * 30_000], "iso"),
        (["25/03/1990"] * 21 + ["03/25/1990"], "dmy"), (["25051990"], "dmy"),
    ],
)  # fmt: skip
def test_the_order_of_dates_is_that_of_the_certain_ones(cells, order):
    assert detect_date_order_or_iso_or_refuse(cells) == order


@pytest.mark.parametrize(
    "cells",
    [["5/3/90"], ["3/5/1990", "13/13/1990"], ["5.3.1990", "25.12.1980", "12.31.1975"],
     ["03/04/1990 00:00"]],
)  # fmt: skip
def test_an_order_that_is_open_is_asked_for_with_the_option_that_answers(cells):
    with pytest.raises(ImportRefused) as refused:
        detect_date_order_or_iso_or_refuse(cells)
    assert "--dates" in refused.value.command_line_text() and "--" not in str(refused.value)


def test_the_time_of_an_answer_is_aware_or_unknown():
    noon = datetime(2024, 2, 2, 12, tzinfo=UTC)
    assert parse_datetime_none_if_ambiguous_or_raise("2024-02-02", "iso", UTC) == noon
    assert parse_datetime_none_if_ambiguous_or_raise("2 Feb 2024", "iso", UTC) == noon
    assert parse_datetime_none_if_ambiguous_or_raise(
        "02.02.2024 10:30", "dmy", UTC
    ) == noon.replace(hour=10, minute=30)
    assert (
        parse_datetime_none_if_ambiguous_or_raise("2024-02-02T13:00:00+01:00", "iso", UTC) == noon
    )
    assert parse_datetime_none_if_ambiguous_or_raise("03/02/2024", "iso", UTC) is None
    with pytest.raises(UnusableCell):
        parse_datetime_none_if_ambiguous_or_raise("yes", "iso", UTC)


@pytest.mark.slow
def test_a_cell_of_blanks_takes_no_time():
    headings = ["Phone", "Name", "Email", "Gender", "Born", "SMS", "Stop", "Notes"]
    fields = ("phone", "full_name", "email", "gender", "birthday", "sms_consent", "sms_opt_out")
    mapping = {field: [at] for at, field in enumerate(fields)}
    for filling in (" ", "1 ", "- ", "\u00a0", "a ", "(", "1.", "&", "no ", "stop ", "stop"):
        text = "1" + filling * (30_000 // len(filling)) + "2"
        for at in range(1, 8):
            cells = [PHONE, "", "", "", "", "", "", ""]
            cells[at] = text
            # Processor time of the best of three: a collection of garbage may fall into one.
            assert min(_seconds_to_read(headings, mapping, cells) for _ in range(3)) < 0.1, (
                at,
                filling,
            )


def _seconds_to_read(headings, mapping, cells):
    began = time.thread_time()
    build_row_validator(headings, mapping, "dmy", "GR", sample=[cells])(cells)
    detect_date_order_or_iso_or_refuse([max(cells, key=len)])
    return time.thread_time() - began


@pytest.mark.parametrize(
    ("full", "parts"),
    [
        ("Eleni Stavrou", ("Eleni", "Stavrou")), ("Anna Maria Papa", ("Anna Maria", "Papa")),
        ("Eleni", ("Eleni", "")), ("  Eleni   Stavrou ", ("Eleni", "Stavrou")),
        ("Stavrou,Eleni", ("Eleni", "Stavrou")), ("Stavrou, Eleni", ("Eleni", "Stavrou")),
        ("de la Cruz, Ana", ("Ana", "de la Cruz")), ("Ana de la Cruz", ("Ana", "de la Cruz")),
        ("Ursula von der Leyen", ("Ursula", "von der Leyen")),
        ("VINCENT VAN GOGH", ("VINCENT", "VAN GOGH")), ("Van Morrison", ("Van", "Morrison")),
        ("John Smith, Jr.", ("John", "Smith")), (", Eleni", ("Eleni", "")),
        ("Ada Stone, DTM", ("Ada", "Stone")), ("Stone, Ed", ("Ed", "Stone")),
        ('Anna "Mimi" Papa', ('Anna "Mimi"', "Papa")), ("N/A", ("", "")), ("", ("", "")),
        ("Anna null", ("Anna", "")),
        ("NULL NULL", ("", "")), ("null", ("", "")),
        ("Frau Anna Weber", ("Anna", "Weber")), ("Herr Dr. Jan Kohl", ("Jan", "Kohl")),
        ("κα Ελένη Σταύρου", ("Ελένη", "Σταύρου")), ("Mrs. Mia Hall", ("Mia", "Hall")),
        ("Frau Lang, Eva", ("Eva", "Lang")), ("Weber, Dr. Jan", ("Jan", "Weber")),
        ("Mrs Hall", ("", "Hall")), ("Mme Léa Martin", ("Léa", "Martin")), ("Dr", ("Dr", "")),
        ("Mia Hall 💅", ("Mia", "Hall 💅")), ("⭐ Tom Reed", ("⭐ Tom", "Reed")),
        ("⭐", ("⭐", "")), ("'Anna Weber'", ("Anna", "Weber")),
    ],
)  # fmt: skip
def test_a_full_name_is_divided(full, parts):
    assert split_into_first_and_last_name(full) == parts


@pytest.mark.parametrize(
    ("full", "first", "last", "expected"),
    [
        ("Schäfer", "Jürgen", "", ("Jürgen", "Schäfer")),
        ("Eleni", "", "Stavrou", ("Eleni", "Stavrou")),
        ("Eleni Stavrou", "Eleni", "", ("Eleni", "Stavrou")),
        ("Stavrou Eleni", "Eleni", "", ("Eleni", "Stavrou")),
        ("Stavrou, Eleni", "", "Stavrou", ("Eleni", "Stavrou")),
        ("Anna Maria de la Cruz", "Anna Maria", "", ("Anna Maria", "de la Cruz")),
        ("Eleni", "Eleni", "", ("Eleni", "")), ("NULL", "Eleni", "", ("Eleni", "")),
        ("Eleni Stavrou", "", "", ("Eleni", "Stavrou")),
    ],
)  # fmt: skip
def test_a_full_name_gives_the_part_that_is_missing(full, first, last, expected):
    assert fill_missing_name_part(full, first, last) == expected


@pytest.mark.parametrize(
    ("heading", "cells", "expected"),
    [
        ("Όνομα", ["Σταύρου Ελένη", "Παπαδόπουλος Γιώργος"], True),
        ("Ονοματεπώνυμο", ["Ελένη Σταύρου"], False), ("Πελάτης", ["Γιώργος Παπαδόπουλος"], False),
        ("Πελάτης", ["ΓΕΩΡΓΙΑΔΗΣ ΝΙΚΟΣ", "ΜΑΡΑ ΟΛΓΑ"], True), ("Name, Vorname", [], True),
        ("Nachname Vorname", [], True), ("Nom et prénom", [], True), ("Prénom Nom", [], False),
        ("Apellidos y nombre", [], True), ("Cognome e Nome", [], True), ("Full name", [], False),
        ("First & Last Name", [], False), ("Last name / First name", [], True),
        ("Επώνυμο - Όνομα", [], True), ("Name", ["Anna Papa"], False),
    ],
)  # fmt: skip
def test_a_family_name_that_stands_first_is_known_by_heading_or_greek_endings(
    heading, cells, expected
):
    assert writes_family_first(heading, cells) is expected


def test_a_column_that_writes_the_family_name_first_is_divided_there():
    assert split_into_first_and_last_name("Σταύρου Ελένη", family_first=True) == (
        "Ελένη",
        "Σταύρου",
    )
    assert split_into_first_and_last_name("von der Leyen Ursula", family_first=True) == (
        "Ursula",
        "von der Leyen",
    )
    assert split_into_first_and_last_name("Papa Anna Maria", family_first=True) == (
        "Anna Maria",
        "Papa",
    )


@pytest.mark.parametrize(
    "text", ["NULL", "null", "N/A", "n/a", "-", "--", ".", "none", "unknown", "#N/A", "NaN", "\\N",
             "(null)", "n.a.", "—", "?", "Unbekannt", "άγνωστο"],
)  # fmt: skip
def test_words_for_nothing_are_no_names(text):
    assert clean_name_or_empty(text) == "" and is_placeholder_for_no_value(text)


@pytest.mark.parametrize(
    "text",
    ["Null", "Na", "Nan", "Anna", "ΕΛΕΝΗ", "👩‍👩‍👧", "Ζωή 👩🏽‍🚀", "O'Brien", "नी", "می‌خواهم", "❤️",
     "Zoe\u0308"],
)  # fmt: skip
def test_names_stay_as_they_are(text):
    assert clean_name_or_empty(text) == text and not is_placeholder_for_no_value(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("O&#39;Brien", "O'Brien"), ("M&uuml;ller", "Müller"), ("A&amp;B", "A&B"),
        ("A & B;", "A & B;"),
        ("'=cmd()", "=cmd()"), ('="Anna"', "Anna"), ("Anna\n\tMaria\x07 ", "Anna Maria"),
        ("\u200eAnna\u200b", "Anna"), ("An\x00na", "An na"), ("\ud83dAnna", "Anna"),
    ],
)  # fmt: skip
def test_what_programs_add_to_a_name_is_taken_away(text, expected):
    assert clean_name_or_empty(text) == expected


@pytest.mark.parametrize(
    "cluster",
    ["👩‍👩‍👧‍👦", "e\u0301", "👍🏽", "❤️", "नी"],
)
def test_a_long_name_is_cut_between_characters_as_people_see_them(cluster):
    for ahead in range(112, 121):
        cut = clean_name_or_empty("x" * ahead + cluster + "y" * 30)
        assert len(cut) <= 120
        rest = cut.lstrip("x")
        assert rest == "" or rest.startswith(cluster), (ahead, rest)


def test_letters_of_a_gender_column_are_read_in_its_language():
    spanish = GenderColumn("Sexo", ["Hombre", "H", "V", "Mujer", "Masculino"])
    assert [
        spanish.parse_or_raise_unusable(text) for text in ("H", "V", "Varón", "Sr.", "Sra.", "Otro")
    ] == [
        "male",
        "male",
        "male",
        "male",
        "female",
        "other",
    ]
    assert spanish.parse_or_raise_unusable("M") == "female"
    dutch = GenderColumn("Geslacht", ["man", "M", "V"])
    assert [dutch.parse_or_raise_unusable(text) for text in ("M", "V", "vrouw")] == [
        "male",
        "female",
        "female",
    ]
    assert GenderColumn("Sexo", ["M", "F"]).parse_or_raise_unusable("M") == "male"
    with pytest.raises(UnusableCell):
        GenderColumn("Sexo", ["M"]).parse_or_raise_unusable("M")
    with pytest.raises(UnusableCell):
        GenderColumn("Gender", ["V"]).parse_or_raise_unusable("V")
    german = GenderColumn("Geschlecht", ["m", "w", "d"])
    assert [german.parse_or_raise_unusable(text) for text in "mwd"] == ["male", "female", "other"]
    italian = GenderColumn("Sesso", ["U", "D"])
    assert [italian.parse_or_raise_unusable(text) for text in "UD"] == ["male", "female"]


@pytest.mark.parametrize(
    ("text", "gender"),
    [("M.", "male"), ("Mme", "female"), ("Miss", "female"), ("Mx", "other"), ("Κος", "male"),
     ("Κα", "female"), ("Frau", "female"), ("", None), ("F", "female")],
)  # fmt: skip
def test_salutations_tell_the_gender(text, gender):
    assert GenderColumn("Title", []).parse_or_raise_unusable(text) == gender


def said(text, *, is_opt_out=False, sample=(), order="iso"):
    column = ConsentColumn(sample, is_opt_out=is_opt_out, date_order=order, zone=UTC)
    return column.read(text)


@pytest.mark.parametrize(
    ("heading", "is_opt_out", "answers"),
    [
        ("SMS-Werbung (0=ja, 1=nein)", False, {"0": AGREES, "1": OPTED_OUT}),
        ("SMS marketing (1 = No / 2 = Yes)", False, {"1": OPTED_OUT, "2": AGREES}),
        ("SMS (x = nicht erwünscht)", False, {"x": OPTED_OUT, "": SILENT}),
        ("Stop [1=ναι; 0=όχι]", True, {"1": OPTED_OUT, "0": SILENT}),
        ("SMS (1 = zz)", False, {"1": WITHHELD}),
        ("Rechtsgrundlage", False, {"Einwilligung": AGREES, "keine Einwilligung": OPTED_OUT}),
        ("Autoriza", False, {"Autoriza": AGREES, "No autoriza": OPTED_OUT}),
        ("Do not allow SMS", True, {"Allow": SILENT, "Do Not Allow": WITHHELD}),
        ("DND status", True, {"active": WITHHELD, "inactive": WITHHELD, "yes": OPTED_OUT}),
        ("Status", True, {"active": SILENT, "unsubscribed": OPTED_OUT}),
        ("Status", False, {"active": AGREES, "inactive": OPTED_OUT}),
        ("Unsubscribed from", True, {"SMS": OPTED_OUT, "E-mail & SMS": OPTED_OUT}),
        ("Unsubscribed from", True, {"E-mail": WITHHELD}),
    ],
)
def test_a_heading_says_what_the_codes_and_states_below_it_mean(heading, is_opt_out, answers):
    column = ConsentColumn((), is_opt_out=is_opt_out, heading=heading, date_order="iso", zone=UTC)
    assert {text: column.read(text).consent for text in answers} == answers


@pytest.mark.parametrize(
    ("heading", "region", "n", "o"),
    [
        ("Αποδοχή SMS", "GR", AGREES, OPTED_OUT), ("Αποδοχή SMS", "DE", AGREES, OPTED_OUT),
        ("SMS consent", "CY", WITHHELD, WITHHELD), ("Accord SMS", "FR", OPTED_OUT, AGREES),
    ],
)  # fmt: skip
def test_n_and_o_are_nai_and_ochi_in_greek_and_oui_and_non_in_french(heading, region, n, o):
    column = ConsentColumn(
        ["N", "O"], is_opt_out=False, heading=heading, region=region, date_order="iso", zone=UTC
    )
    assert (column.read("N").consent, column.read("O").consent) == (n, o)


@pytest.mark.parametrize("text", ["07400 123401", "mia@example.com", "12345"])
def test_a_number_or_an_address_is_no_name_and_is_listed(text):
    mapping = {"phone": [0], "full_name": [1], "first_name": [2]}
    validate = build_row_validator(["Mobile", "Name", "First"], mapping, "iso", "GB")
    row = validate(["07400123401", text, ""])
    assert (row.first_name, row.last_name) == ("", "")
    assert [cell.column for cell in row.dropped] == ["Name"]
    row = validate(["07400123401", "", text])
    assert (row.first_name, [cell.column for cell in row.dropped]) == ("", ["First"])


@pytest.mark.parametrize("text", ["Agent 007", "X-1234", "Mia 2", "@mia"])
def test_a_name_may_hold_a_number(text):
    validate = build_row_validator(["Mobile", "Name"], {"phone": [0], "last_name": [1]}, "", "GB")
    row = validate(["07400123401", text])
    assert row.last_name == text and not row.dropped


YES = [
    "yes",
    "Y",
    "TRUE",
    "1",
    "1.0",
    "-1",
    "x",
    "X",
    "✓",
    "✔",
    "✔️",
    "☑",
    "✅",
    "WAHR",
    "VRAI",
    "VERDADERO",
    "VERO",
    "ΑΛΗΘΕΣ",
    "ναι",
    "Ja",
    "oui",
    "sí",
    "Sì",
    "on",
]
NO = [
    "no",
    "N",
    "FALSE",
    "0",
    "0.0",
    "✗",
    "✘",
    "❌",
    "☐",
    "FALSCH",
    "FAUX",
    "FALSO",
    "ΨΕΥΔΕΣ",
    "όχι",
    "Nein",
    "non",
    "off",
]
SUBSCRIBED = ["subscribed", "Opted In", "opted_in", "Subscribed to SMS", "active", "opt-in"]
UNSUBSCRIBED = [
    "unsubscribed",
    "Opted-out",
    "SUPPRESSED",
    "blacklisted",
    "STOP",
    "inactive",
    "Abgemeldet",
    "désabonné",
    "Baja",
    "Διεγραμμένος",
    "unsubscribed (2024)",
    "was unsubscribed by admin",
    "opted out by SMS",
]
BLANK = ["", " ", "-", "--", "—", ".", "N/A", "null", "0000-00-00", "0000-00-00 00:00:00"]
DOUBTFUL = [
    "perhaps",
    "?!",
    "2",
    "42",
    "☒",
    "🤷",
    "SMS",
    "Viber; post",
    "yes and more",
    "maybe yes",
    "x" * 300,
    "s",
    "2099-01-01",
    "641685600",
]
WITHHOLDING = [
    "email only",
    "pending",
    "bounced",
    "cleaned",
    "transactional",
    "unconfirmed",
    "Pending ",
    "Not set",
    "not specified",
    "no response",
    "keine Angabe",
    "non renseigné",
]


@pytest.mark.parametrize("text", [*YES, *SUBSCRIBED, "2024-02-02 10:00:00", "Yes, by SMS"])
def test_only_what_is_known_as_a_yes_gives_consent(text):
    assert said(text).consent == AGREES


@pytest.mark.parametrize(
    "text",
    [*NO, *UNSUBSCRIBED, "did not agree", "no thanks", "kein SMS", "ne pas contacter", "δεν θέλει"],
)
def test_whatever_looks_like_a_no_is_one(text):
    assert said(text).consent == OPTED_OUT


@pytest.mark.parametrize("text", BLANK)
def test_a_blank_says_nothing_in_either_column(text):
    assert said(text).consent == SILENT == said(text, is_opt_out=True).consent


@pytest.mark.parametrize("text", [t for t in DOUBTFUL if t.strip()])
def test_what_is_not_known_withholds_consent_and_is_listed(text):
    assert said(text).consent == WITHHELD and said(text).problem


@pytest.mark.parametrize("text", WITHHOLDING)
def test_a_subscription_that_is_not_in_force_withholds_consent(text):
    assert said(text).consent == WITHHELD and not said(text).problem


@pytest.mark.parametrize(
    "text",
    [*YES, *UNSUBSCRIBED, "2024-02-02 10:00:00", "02/03/2024", "Yes, please", "ja, per SMS"],
)
def test_a_yes_or_a_time_in_a_column_of_opt_outs_is_a_no(text):
    assert said(text, is_opt_out=True).consent == OPTED_OUT


@pytest.mark.parametrize("text", [*NO, *BLANK, "subscribed", "opted in"])
def test_a_no_in_a_column_of_opt_outs_says_nothing(text):
    assert said(text, is_opt_out=True).consent == SILENT


@pytest.mark.parametrize("text", ["asked by phone", "?!", "🤷"])
def test_what_is_not_known_in_a_column_of_opt_outs_withholds_consent(text):
    assert said(text, is_opt_out=True).consent == WITHHELD


def test_the_time_of_an_answer_is_kept_if_it_is_certain():
    at = datetime(2024, 2, 2, 10, tzinfo=UTC)
    assert said("2024-02-02 10:00:00").at == at
    assert said("2024-02-02 10:00:00", is_opt_out=True).at == at
    assert said("02/03/2024").at is None and said("02/03/2024", order="dmy").at.month == 3
    assert said("2099-01-01", is_opt_out=True) == (OPTED_OUT, None, "")


def test_single_letters_count_where_the_column_has_both():
    assert said("S", sample=["S", "N", ""]).consent == AGREES
    assert said("N", sample=["S", "N"]).consent == OPTED_OUT
    assert said("S", sample=["S"]).consent == WITHHELD
    assert said("Ν", sample=["Ν", "Ο"]).consent == AGREES  # Greek letters
    assert said("Ο", sample=["Ν", "Ο"]).consent == OPTED_OUT


@pytest.mark.slow
@pytest.mark.parametrize("separator", [" ", ", ", "/", " - ", "_", " (", ": "])
def test_a_yes_beside_a_no_is_never_a_yes(separator):
    for yes, no in itertools.product([*YES, *SUBSCRIBED], [*NO, *UNSUBSCRIBED, *WITHHOLDING]):
        for text in (yes + separator + no, no + separator + yes):
            assert said(text).consent >= WITHHELD, text
            assert said(text, is_opt_out=True).consent >= WITHHELD, text


@pytest.mark.parametrize("text", ["yes?", "!yes", "~yes", "yes 🤷", "≠ yes", "yes ☒", "1?"])
def test_a_sign_of_doubt_takes_the_yes_away(text):
    assert said(text).consent == WITHHELD


def test_accents_may_be_characters_of_their_own():
    written_apart = partial(unicodedata.normalize, "NFD")
    assert said(written_apart("désabonné")).consent == OPTED_OUT
    assert said(written_apart("sí")).consent == AGREES
    assert birthday(written_apart("3 Μαΐου 1990")) == date(1990, 5, 3)
    assert writes_family_first(written_apart("Nom et prénom"), [])


def answers_of(*values, is_opt_out=False, heading=""):
    """What each value of a column says, which has these and blanks, as letters."""
    column = ConsentColumn(
        [*values, ""], is_opt_out=is_opt_out, heading=heading, date_order="dmy", zone=UTC
    )
    letters = {AGREES: "y", OPTED_OUT: "n", WITHHELD: "?", SILENT: "-"}
    return "".join(letters[column.read(value).consent] for value in values)


@pytest.mark.parametrize(
    "values", ["√x", "Vx", "✓x", "✔️X", "1x", "Yx", "Jx", "vX", "●x", "+X", "●×", "V✗", "✓χ"]
)
def test_a_cross_beside_a_mark_of_yes_is_the_no(values):
    yes, no = values[:-1], values[-1]
    assert answers_of(yes, no) == answers_of(yes.lower(), no.upper()) == "yn"


@pytest.mark.parametrize("yes", ["yes", "ok", "ja", "Ναι", "oui", "sí", "accepted", "erteilt"])
def test_a_cross_beside_a_word_of_yes_is_the_no(yes):
    assert answers_of(yes, "x") == answers_of("X", yes)[::-1] == "yn"


def test_a_cross_is_a_yes_beside_blanks_alone():
    assert answers_of("x") == answers_of("X") == answers_of("×") == "y"
    assert answers_of("x", "-") == answers_of("x", "N/A") == "y-"
    assert answers_of("χ") == "?"  # the Greek letter may stand for `όχι`


@pytest.mark.parametrize(
    "values",
    [("x", "o"), ("x", "no"), ("x", "nein"), ("x", "0"), ("x", "yes", "no"), ("x", "A"),
     ("x", "12/03/2021"), ("x", "pending"), ("x", "~")],
)  # fmt: skip
def test_a_cross_beside_anything_else_is_not_understood(values):
    assert answers_of(*values)[0] == "?"


@pytest.mark.parametrize(
    ("values", "said_of_them"),
    [
        ("+-", "yn"), ("+−", "yn"), ("●○", "yn"), ("⚫⚪", "yn"), ("■□", "yn"), ("🟢🔴", "yn"),
        ("☒☐", "yn"), ("v-", "y-"), ("√-", "y-"), ("●-", "y-"), ("V", "y"), ("√", "y"),
        ("+", "y"), ("●", "y"), ("☒", "?"), ("○", "?"), ("☑☒", "y?"), ("●■", "??"), ("12", "??"),
        ("012", "???"), ("#", "y"), ("AD", "??"), (["1", "-1"], "??"), (["-1", "0"], "yn"),
        ("v1", "?y"), ("vy", "?y"), ("*", "?"), ("vN", "yn"),
    ],
)  # fmt: skip
def test_the_marks_of_a_column_are_read_together(values, said_of_them):
    assert answers_of(*values) == said_of_them


def test_marks_in_a_column_of_opt_outs_are_opt_outs():
    assert answers_of("x", is_opt_out=True) == answers_of("Χ", is_opt_out=True) == "n"
    assert answers_of("+", "-", is_opt_out=True) == "n-"
    assert answers_of("●", "○", is_opt_out=True) == "n-"
    assert answers_of("1", "2", is_opt_out=True)[0] == "n"
    assert "-" not in answers_of("x", "✔️", is_opt_out=True)
    assert "-" not in answers_of("x", "ja", is_opt_out=True)


@pytest.mark.parametrize(
    ("values", "said_of_them"),
    [
        (["SMS, Email", "Email", "SMS", "None"], "y?y-"),
        (["SMS + Mail", "nur Mail", "nur SMS", "keine"], "ynyn"),
        (["Ναι - SMS & Email", "Μόνο Email", "Μόνο SMS", "Ναι, Email"], "yny?"),
        (["SMS;EMAIL;WHATSAPP", "WHATSAPP;EMAIL", "NESSUNO"], "y?n"),
        (["SMS + Courrier", "Courrier", "Aucun"], "y?n"),
        (["All", "SMS only", "Email only"], "yyn"),
        (["SMS", "SMS, fax machine"], "y?"),
        (["SMS: sí | Email: no", "SMS: no | Email: sí", "Email: sí"], "yn?"),
        (["sms=1;email=0", "sms=0;email=1"], "yn"),
        (["SMS yes, Email no", "SMS no, Email yes"], "yn"),
        (['{"sms":true,"email":false}', '{"sms":false,"email":true}', "{}"], "yn-"),
        (["SMS: yes, SMS: no"], "n"), (["Email"], "?"), (["SMS?", "SMS"], "?y"),
    ],
)  # fmt: skip
def test_a_list_of_channels_says_what_it_says_of_sms(values, said_of_them):
    assert answers_of(*values) == said_of_them


GRANTED = """
    granted, agreed, given, signed, confirmed, authorised, erteilt, liegt vor, bestätigt,
    bewilligt, gestattet, unterschrieben, einverstanden, donné, donnée, accordé, accepte, signé,
    autorisée, otorgado, otorgada, concedido, aceptada, firmado, autorizado, dato, data,
    prestato, concesso, rilasciato, firmata, acconsentito, Αποδέχεται, αποδέχθηκε, αποδεκτό,
    συναίνεσε, δόθηκε, Υπέγραψε, υπογεγραμμένο, επιτρέπεται, συμφώνησε, nai
"""
REFUSED = """
    refused, rejected, declined, denied, disagreed, disapproved, verweigert, abgelehnt,
    untersagt, nicht erteilt, liegt nicht vor, refus, refusée, rejeté, interdit, opposée,
    denegado, denegada, rechazada, negado, prohibido, negato, negata, rifiutata, respinto,
    vietato, opposto, αρνήθηκε, άρνηση, απορρίφθηκε, απαγορεύεται, δεν υπέγραψε, δεν αποδέχεται,
    oxi
"""
WITHDRAWN = """
    withdrawn, withdrew, revoked, rescinded, cancelled, deleted, widerrufen, zurückgezogen,
    zurückgenommen, entzogen, widersprochen, gesperrt, abbestellt, gelöscht, révoquée, retiré,
    désabonnée, désinscrite, résilié, bloquée, Revocado, revocada, retirada, cancelada,
    excluido, revocato, revocata, ritirata, disiscritta, cancellata, esclusa, Ανακάλεσε,
    ανακλήθηκε, αποσύρθηκε, διαγράφηκε, απεγγράφηκε, εξαιρέθηκε, αποκλείστηκε
"""
MISSING = """
    missing, expired, lapsed, unknown, unsigned, Never subscribed, never accepted, fehlt,
    fehlend, ausstehend, abgelaufen, noch unbekannt, manquant, absente, expiré, périmée, falta,
    pendiente, caducado, vencido, manca, mancante, assente, scaduto, λείπει, εκκρεμεί, έληξε,
    ελλιπές
"""


def words_in(text):
    return [" ".join(word.split()) for word in text.split(",")]


@pytest.mark.parametrize("word", words_in(GRANTED))
def test_every_form_of_granting_is_a_yes_and_no_denial_of_an_opt_out(word):
    assert said(word).consent == said(word.upper()).consent == AGREES
    assert word == "nai" or said(word, is_opt_out=True).consent != AGREES


@pytest.mark.parametrize("word", words_in(REFUSED))
def test_every_form_of_refusing_is_a_no(word):
    assert said(word).consent == said(word.upper()).consent == OPTED_OUT


@pytest.mark.parametrize("word", words_in(WITHDRAWN))
def test_every_form_of_withdrawing_is_an_opt_out_in_both_columns(word):
    assert said(word).consent == said(word, is_opt_out=True).consent == OPTED_OUT


@pytest.mark.parametrize("word", words_in(MISSING))
def test_a_consent_that_is_missing_or_over_is_neither_yes_nor_opt_out(word):
    assert said(word).consent == WITHHELD and not said(word).problem


def test_the_date_to_which_a_consent_is_valid_decides_whether_it_still_is():
    values = ["31/12/2099", "01/01/2020", "soon"]
    for heading in ("SMS consent expires", "SMS-Einwilligung gültig bis", "Scadenza consenso SMS"):
        assert answers_of(*values, heading=heading) == "y??"
        assert said("31/12/2099", order="dmy").consent == WITHHELD


def test_a_blank_beside_a_yes_withholds_consent_where_an_answer_is_needed():
    for sample in (["ja", ""], ["12/03/2021", "-"], ["x"], ["nein", ""], ["", "-"]):
        column = ConsentColumn(
            sample, is_opt_out=False, needs_answer=True, date_order="dmy", zone=UTC
        )
        blank = WITHHELD if {"ja", "x", "12/03/2021"} & {*sample} else SILENT
        assert column.read("").consent == column.read("-").consent == blank


HEADINGS = ["Phone", "Mobile", "Name", "Email", "Gender", "Born", "SMS", "Offers", "Stop"]
MAPPING = {
    "phone": [1, 0], "full_name": [2], "email": [3], "gender": [4], "birthday": [5],
    "sms_consent": [6, 7], "sms_opt_out": [8],
}  # fmt: skip


def read(**cells):
    row = [cells.get(heading, "") for heading in HEADINGS]
    return build_row_validator(HEADINGS, MAPPING, "dmy", "GR")(row)


def reasons(row):
    return [cell.reason for cell in row.dropped]


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"Email": "eva@example"}, "kept without e-mail address: not a valid"),
        ({"Email": "a@example.com; b@example.com"}, "kept without e-mail address: several"),
        ({"Gender": "robot"}, "kept without gender: not a known gender"),
        ({"Born": "03/05"}, "kept without birthday: the date has no year"),
        ({"Born": "1604-05-03"}, "kept without birthday: the date has no year"),
        ({"SMS": "perhaps"}, "kept without consent: neither yes nor no"),
        ({"Mobile": "12", "Phone": "6900000002"}, "kept without the number of Mobile: not a"),
    ],
)
def test_an_unusable_cell_costs_the_cell_and_is_said(cells, reason):
    row = read(**{"Phone": "6900000001", **cells})
    assert isinstance(row, ContactRow) and reason in reasons(row)[0]
    column, value, _ = row.dropped[0]
    assert cells[column] == value


@pytest.mark.parametrize(
    "cells", [{"Email": "none"}, {"Email": "N/A"}, {"Gender": "-"}, {"Born": "N/A"},
              {"Born": "unknown"}, {"Born": "1900-01-01"}, {"Name": "NULL"}, {"SMS": "-"}],
)  # fmt: skip
def test_a_cell_that_says_nothing_is_not_listed(cells):
    assert reasons(read(Phone="6900000001", **cells)) == []


def test_a_birthday_that_is_none_makes_the_row_suspect():
    for text in ("29.02.1989", "641685600", "1990-05"):
        result = read(Phone="6900000001", Born=text)
        assert isinstance(result, Rejection) and (result.column, result.value) == ("Born", text)


def test_a_cell_is_not_missed_if_another_column_has_it():
    mapping = {"phone": [0], "birthday": [1, 2], "gender": [3, 4]}
    headings = ["Phone", "Day", "Birthday", "Title", "Gender"]
    validate = build_row_validator(headings, mapping, "dmy", "GR")
    row = validate([PHONE, "03/05", "03/05/1990", "Dr.", "F"])
    assert (row.birthday, row.gender, row.dropped) == (date(1990, 5, 3), "female", ())
    row = validate([PHONE, "03/05", "", "Dr.", ""])
    assert [cell.column for cell in row.dropped] == ["Day", "Title"]


def test_a_no_to_other_messages_counts_and_a_yes_does_not():
    validate = build_row_validator(
        ["Phone", "Mail"], {"phone": [0], "other_consent": [1]}, "iso", "GR"
    )
    assert validate([PHONE, "no"]).consent == OPTED_OUT
    assert validate([PHONE, "yes"]).consent == SILENT == validate([PHONE, ""]).consent


def test_an_address_beside_a_name_is_read():
    assert read(Phone=PHONE, Email="Mika <mika@example.com>").email == "mika@example.com"


def test_a_mobile_wins_over_a_landline_and_a_landline_is_not_marketed_to():
    row = read(Mobile="2101234567", Phone="6900000001", SMS="yes")
    assert (row.phone, row.phone_kind, row.consent) == (PHONE, "mobile", AGREES)
    row = read(Phone="2101234567", SMS="yes")
    assert (row.phone, row.phone_kind, row.consent) == ("+302101234567", "landline", WITHHELD)
    assert reasons(row) == ["kept without consent: a landline cannot receive SMS"]
    assert read(Phone="2101234567", SMS="no").consent == OPTED_OUT


@pytest.mark.parametrize(
    ("cells", "consent"),
    [
        ({"SMS": "yes", "Offers": "no"}, OPTED_OUT), ({"SMS": "no", "Offers": "yes"}, OPTED_OUT),
        ({"SMS": "yes", "Offers": ""}, AGREES), ({"SMS": "yes", "Offers": "perhaps"}, WITHHELD),
        ({"SMS": "yes", "Stop": "yes"}, OPTED_OUT), ({"SMS": "yes", "Stop": "no"}, AGREES),
        ({"SMS": "perhaps", "Stop": "2024-02-02"}, OPTED_OUT), ({}, SILENT),
        ({"Stop": "no"}, SILENT),
    ],
)  # fmt: skip
def test_any_no_of_a_row_wins(cells, consent):
    assert read(Phone=PHONE, **cells).consent == consent


def test_a_column_that_a_spreadsheet_has_swapped_in_half_is_refused():
    swapped = ["25/12/1980", "1990-05-03", "1985-02-01", "15/03/1977"]
    with pytest.raises(ImportRefused, match="swapped day and month"):
        detect_date_order_or_iso_or_refuse(swapped)
    assert detect_date_order_or_iso_or_refuse([*swapped, "1988-11-25"]) == "dmy"


def test_one_date_does_not_decide_for_many():
    with pytest.raises(ImportRefused, match="one birthday alone"):
        detect_date_order_or_iso_or_refuse(["01/02/1985"] * 20 + ["02/25/1980"])


def test_the_letter_of_a_gender_is_no_answer():
    column = ConsentColumn(["F", "M", "yes"], is_opt_out=False, date_order="iso", zone=UTC)
    assert column.read("F").consent == Consent.WITHHELD
    letters = ConsentColumn(["T", "F"], is_opt_out=False, date_order="iso", zone=UTC)
    assert letters.read("F").consent == Consent.OPTED_OUT


@pytest.mark.parametrize(("region", "consent"), [("GR", WITHHELD), ("CZ", SILENT)])
def test_ne_under_an_opt_out_gives_no_consent_where_it_may_be_a_greek_yes(region, consent):
    column = ConsentColumn(
        ["ne", ""],
        is_opt_out=True,
        heading="SMS opt-out",
        region=region,
        date_order="iso",
        zone=UTC,
    )
    assert column.read("ne").consent == consent


def test_a_heading_in_polish_tells_that_the_family_name_is_first():
    assert writes_family_first("Nazwisko i imię", [])


def test_a_letter_that_a_column_has_alone_is_read_by_the_other_columns_of_consent():
    headings = ["Cell.", "Consenso trattamento dati", "Consenso marketing"]
    mapping = {"phone": [0], "sms_consent": [2], "other_consent": [1]}
    rows = [["3334400001", "S", "S"], ["3334400002", "S", "N"]]
    validate = build_row_validator(headings, mapping, "dmy", "IT", sample=rows)
    agreed, refused = map(validate, rows)
    assert (agreed.consent, refused.consent) == (Consent.AGREES, Consent.OPTED_OUT)
    assert not agreed.dropped
    alone = build_row_validator(headings, mapping, "dmy", "IT", sample=rows[:1])(rows[0])
    assert alone.consent == Consent.WITHHELD


@pytest.mark.parametrize(
    "answer", ["accord signé le 12/05/2019", "firmado el 03/02/2021", "Einwilligung liegt vor"]
)
def test_an_answer_with_small_words_beside_it_is_a_yes(answer):
    assert said(answer, order="dmy").consent == Consent.AGREES


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3 mei 1990", date(1990, 5, 3)), ("12 oktober 1988", date(1988, 10, 12)),
        ("14 stycznia 1985", date(1985, 1, 14)), ("5. června 1991", date(1991, 6, 5)),
        ("1990. május 3.", date(1990, 5, 3)), ("3 май 1990 г.", date(1990, 5, 3)),
        ("3. toukokuuta 1990", date(1990, 5, 3)), ("1990 m. gegužės 3 d.", date(1990, 5, 3)),
        ("12 Ağustos 1988", date(1988, 8, 12)), ("3 de maio de 1990", date(1990, 5, 3)),
        ("3 Mar 1990", date(1990, 3, 3)),
    ],
)  # fmt: skip
def test_names_of_months_are_known_in_the_languages_of_answers(text, expected):
    assert parse_birthday_or_raise_unusable(text, "dmy", date(2026, 1, 1)) == expected


def test_a_month_of_two_languages_gives_no_birthday_and_no_word_is_nearly_a_month():
    # October in Croatian, November in Polish.
    with pytest.raises(YearlessDate):
        parse_birthday_or_raise_unusable("3 listopada 1990", "dmy", date(2026, 1, 1))
    for text in ("3 Marchand 1990", "3 Berg 1990"):
        with pytest.raises(UnusableCell, match="not a date"):
            parse_birthday_or_raise_unusable(text, "dmy", date(2026, 1, 1))
