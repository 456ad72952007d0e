"""What a row of a customer list becomes: a contact, or a reason that a person understands."""

from datetime import date

import pytest

from contacts.importing.cells import KnownCells
from contacts.importing.consent_cells import Consent
from contacts.importing.validating import Rejection, build_row_validator

HEADINGS = ["Phone", "Mobile", "First", "Last", "Name", "Email", "Gender", "Born", "SMS", "Country"]
MAPPING = {
    "phone": [1, 0], "first_name": [2], "last_name": [3], "full_name": [4], "email": [5],
    "gender": [6], "birthday": [7], "sms_consent": [8], "country": [9],
}  # fmt: skip


def judged(region="GR", date_order="dmy", **cells):
    row = [cells.get(heading, "") for heading in HEADINGS]
    return build_row_validator(HEADINGS, MAPPING, date_order, region)(row)


def phone(text, region="GR"):
    result = judged(region, Phone=text)
    return result.reason if isinstance(result, Rejection) else result.phone


@pytest.mark.parametrize(
    ("text", "region", "expected"),
    [
        ("690 000 0001", "GR", "+306900000001"),
        ("0030 690 0000001", "GR", "+306900000001"),
        ("'+306900000001", "GR", "+306900000001"),
        ("07400 123456", "GB", "+447400123456"),
        ("06 12 34 56 78", "FR", "+33612345678"),
        # Damage that a spreadsheet does.
        ("306900000001", "GR", "+306900000001"),
        ("447400123456", "GR", "+447400123456"),
        ("7400123456", "GB", "+447400123456"),
        ("612345678", "FR", "+33612345678"),
        ("306900000001.0", "GR", "+306900000001"),
        ("3.06900000001E+11", "GR", "+306900000001"),
        ("3,06900000001e11", "GR", "+306900000001"),
        ("6.900000001E+09", "GR", "+306900000001"),
    ],
)
def test_a_phone_number_is_read_and_repaired_where_that_is_certain(text, region, expected):
    assert phone(text, region) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "missing"), ("12", "not a valid"), ("call me", "other words"),
        ("3.069E+11", "cut the number short"), ("6.9E+09", "cut the number short"),
        ("+3069000000011", "not a valid"), ("0000000000", "not a valid"),
    ],
)  # fmt: skip
def test_a_phone_number_that_is_not_certain_is_refused(text, reason):
    assert reason in phone(text)


def test_the_preferred_column_that_is_filled_counts():
    assert judged(Phone="6900000001", Mobile="6900000002").phone == "+306900000002"
    assert judged(Phone="6900000001").phone == "+306900000001"
    kept = judged(Phone="6900000001", Mobile="12")
    assert kept.phone == "+306900000001"
    assert kept.dropped[0][:2] == ("Mobile", "12") and "not a valid" in kept.dropped[0].reason
    refused = judged(Phone="13", Mobile="12")
    assert (refused.column, refused.value) == ("Mobile", "12")


def test_the_rows_country_counts_for_its_national_numbers():
    assert judged(Phone="07400123456", Country="gb").phone == "+447400123456"
    assert judged(Phone="6900000001", Country="Hellas").phone == "+306900000001"


@pytest.mark.parametrize(
    ("text", "order", "expected"),
    [
        ("1990-02-28", "dmy", date(1990, 2, 28)),
        ("1990-02-28T23:30:00-08:00", "dmy", date(1990, 2, 28)),
        ("1990-02-28 00:00:00", "iso", date(1990, 2, 28)),
        ("28.2.1990", "dmy", date(1990, 2, 28)), ("2/28/1990", "mdy", date(1990, 2, 28)),
        ("28 / 02 / 1990 ", "dmy", date(1990, 2, 28)), ("1990/2/28", "mdy", date(1990, 2, 28)),
        ("05/05/1990", "iso", date(1990, 5, 5)), ("29.02.1992", "dmy", date(1992, 2, 29)),
        ("", "dmy", None), ("0000-00-00", "dmy", None), ("12/31", "mdy", None),
    ],
)  # fmt: skip
def test_a_birthday_is_the_day_as_written(text, order, expected):
    assert judged(date_order=order, Phone="6900000001", Born=text).birthday == expected


@pytest.mark.parametrize(
    ("text", "order", "reason"),
    [
        ("31.02.1990", "dmy", "no such day"), ("29.02.1991", "dmy", "no such day"),
        ("28/2/190", "dmy", "four digits"), ("2/28/1990", "dmy", "no such day"),
        ("3/4/1990", "iso", "day or month first"), ("spring", "dmy", "not a date"),
        ("1.1.2190", "dmy", "not within"), ("1.1.1290", "dmy", "not within"),
    ],
)  # fmt: skip
def test_a_birthday_that_is_not_certain_is_refused(text, order, reason):
    result = judged(date_order=order, Phone="6900000001", Born=text)
    assert reason in result.reason and (result.column, result.value) == ("Born", text)


def test_birthdays_that_a_column_often_writes_in_no_form_reject_no_row():
    def read(text, *others):
        rows = [[*[""] * 7, other, "", ""] for other in (text, *others)]
        row = [""] * len(HEADINGS)
        row[0], row[7] = "6900000001", text
        return build_row_validator(HEADINGS, MAPPING, "dmy", "GR", sample=rows)(row)

    assert isinstance(read("spring", "1990-05-03", "1991-05-03"), Rejection)
    kept = read("spring", "autumn", "summer 1990", "1991-05-03")
    assert (kept.phone, kept.birthday) == ("+306900000001", None)
    assert "kept without birthday" in kept.dropped[0].reason


@pytest.mark.parametrize(
    ("word", "gender"),
    [("F", "female"), ("Herr", "male"), ("Γυναίκα", "female"), ("Άνδρας", "male"), ("", None),
     ("prefer not to say", "prefer_not_to_say"), ("Divers", "other"), ("Féminin", "female")],
)  # fmt: skip
def test_gender_words_of_several_languages_are_known(word, gender):
    assert judged(Phone="6900000001", Gender=word).gender == gender


def test_other_cells_are_checked_and_tidied():
    row = judged(Phone="6900000001", First="  Anna\n\tMaria\x07 ", Last="=cmd()", Email="a.b@c.gr")
    assert (row.first_name, row.last_name, row.email) == ("Anna Maria", "=cmd()", "a.b@c.gr")
    assert judged(Phone="6900000001", First="'=cmd()").first_name == "=cmd()"
    assert len(judged(Phone="6900000001", First="x" * 500).first_name) == 120
    for reason, cells in (
        ("e-mail", {"Email": "a@b"}),
        ("e-mail", {"Email": f"{'a' * 320}@example.com"}),
        ("gender", {"Gender": "robot"}),
        ("yes nor no", {"SMS": "perhaps"}),
    ):
        row = judged(Phone="6900000001", **cells)
        assert [reason in cell.reason for cell in row.dropped] == [True]
        assert (row.email, row.gender) == ("", None) and row.consent != Consent.AGREES


def test_a_full_name_is_split_unless_its_parts_are_given():
    row = judged(Phone="6900000001", Name="Anna Maria Papadopoulou")
    assert (row.first_name, row.last_name) == ("Anna Maria", "Papadopoulou")
    assert judged(Phone="6900000001", Name="Anna").first_name == "Anna"
    row = judged(Phone="6900000001", Name="Anna Papadopoulou", First="Anna")
    assert (row.first_name, row.last_name) == ("Anna", "Papadopoulou")


@pytest.mark.parametrize(
    ("word", "said"),
    [("Yes", Consent.AGREES), ("SUBSCRIBED", Consent.AGREES), ("no", Consent.OPTED_OUT),
     ("ναι", Consent.AGREES), ("", Consent.SILENT)],
)  # fmt: skip
def test_what_the_person_said_to_marketing_is_read(word, said):
    assert judged(Phone="6900000001", SMS=word).consent == said


@pytest.mark.parametrize(
    ("visit", "is_shifted"),
    [
        (" Anna", True), (" 2024-03-04", False), ("2024-03-04", False), ("", False),
        (" n/a", False), (" 2024, spring", False), ("soon", False),
    ],
)  # fmt: skip
def test_a_cell_after_a_blank_that_is_unlike_its_column_shows_a_shifted_row(visit, is_shifted):
    rows = [
        ["6900000001", "Papa", visit, "1990-05-03", "x"],
        ["6900000002", "Lade", "2024-02-02", "", ""],
    ]
    headings = ["Phone", "Name", "Last visit", "Birthday", "Note"]
    mapping = {"phone": [0], "full_name": [1], "birthday": [3]}
    row = build_row_validator(headings, mapping, "iso", "GR", sample=rows)(rows[0])
    assert isinstance(row, Rejection) == is_shifted
    assert not is_shifted or (row.column, row.value) == ("Last visit", "Anna")


def test_a_cell_after_a_blank_that_is_no_answer_shows_a_shifted_row():
    headings, mapping = ["Phone", "Name", "SMS"], {"phone": [0], "sms_consent": [2]}
    validate = build_row_validator(headings, mapping, "iso", "GR")
    assert isinstance(validate(["6900000001", "Papa", " Anna"]), Rejection)
    assert validate(["6900000001", "Papa", " no"]).consent == Consent.OPTED_OUT
    assert validate(["6900000001", "Papa", "perhaps"]).consent == Consent.WITHHELD


def test_rows_of_other_lengths_are_read_or_refused():
    judge = build_row_validator(["Phone", "Name"], {"phone": [0], "full_name": [1]}, "dmy", "GR")
    assert judge(["6900000001"]).first_name == ""
    assert judge(["6900000001", "Anna", "", " "]).first_name == "Anna"
    assert "3 cells" in judge(["6900000001", "Papa", "Anna"]).reason


def test_a_cell_is_read_once_as_long_as_few_different_and_short_ones_are_kept():
    read = []

    def length(text):
        read.append(text)
        return len(text)

    cells = KnownCells(length, size=2)
    texts = ["a", "", "a", "bcd", "bcd", " " * 201, " " * 201]
    assert [cells[text] for text in texts] == list(map(len, texts))
    assert read == ["a", "", "bcd", "bcd", " " * 201, " " * 201]
