"""Area codes in a column of their own: joined with the numbers that lack them, or asked about."""

import csv
import io

import pytest

from contacts.importing import lifecycle
from contacts.importing.area_codes import area_code_digits_or_empty
from contacts.importing.mapping import guess_columns_and_questions
from contacts.importing.validating import Rejection, build_row_validator
from contacts.models import Contact
from tests.support.factories import make_store


def read(text, region, chosen=None):
    """The headings of each field, the question, and each row's number or why it has none."""
    headings, *rows = csv.reader(io.StringIO(text.strip()), delimiter=";")
    guess = guess_columns_and_questions(headings, rows, region, chosen)
    fields = {field: [headings[at] for at in places] for field, places in guess.fields.items()}
    question = guess.question.command_line_text() if guess.question else ""
    validate = build_row_validator(
        headings, {"phone": [], **guess.fields}, "dmy", region, sample=rows
    )
    results = list(map(validate, rows)) if "phone" in guess.fields else []
    return (
        fields,
        question,
        [row.reason if isinstance(row, Rejection) else row.phone for row in results],
    )


@pytest.mark.parametrize(
    ("text", "region", "numbers"),
    [
        ("Nome;DDD;Celular\nAna;11;987654321\nRui;(21);98765-4322", "BR",
         ["+5511987654321", "+5521987654322"]),
        ("Nome;Prefisso;Numero\nAna;347;1234567\nRui;351;2345678\nEva;0320;3456789", "IT",
         ["+393471234567", "+393512345678", "+393203456789"]),
        ("Name;Vorwahl;Rufnummer\nAna;0171;1234567\nRui;160;2345678\nEva;030/;8765432", "DE",
         ["+491711234567", "+491602345678", "+49308765432"]),
        ("Name;Area code;Phone\nAna;415;5550132\nRui;212.0;555-0133", "US",
         ["+14155550132", "+12125550133"]),
        ("Name;Country code;Area code;Phone\nAna;1;415;5550132\nRui;0044;07400;123456\n"
         "Zoe;+55;11;987654321\nEva;49;171;1234567", "GR",
         ["+14155550132", "+447400123456", "+5511987654321", "+491711234567"]),
        ("Name;Country code;Area code;Number\nAna;1;415;5550132\nZoe;55;11;987654321", "US",
         ["+14155550132", "+5511987654321"]),
        ("Name;Ländervorwahl;Vorwahl;Rufnummer\nAna;+49;171;1234567\nRui;0043;664;1234568", "DE",
         ["+491711234567", "+436641234568"]),
        # An area code belongs to the phone column beside it, or that its heading names.
        ("Name;Vorwahl;Telefon;Handy\nAna;030;1234567;01711234567", "DE", ["+491711234567"]),
        ("Name;Vorwahl;Telefon;Mobilvorwahl;Mobil\nAna;030;1234567;0171;7654321", "DE",
         ["+491717654321"]),
        ("Name;Mobil;Vorwahl\nAna;1234567;0171\nRui;7654321;0160", "DE",
         ["+491711234567", "+491607654321"]),
        # Or to all, where they lack it.
        ("Nome;DDD;Telefone;Celular\nAna;11;23456789;987654321\nRui;21;32345678;987654322", "BR",
         ["+5511987654321", "+5521987654322"]),
    ],
)  # fmt: skip
def test_a_number_is_joined_with_its_area_code(text, region, numbers):
    fields, question, found = read(text, region)
    assert (question, found) == ("", numbers)
    assert fields["area_code"]


def test_a_number_that_is_whole_is_taken_as_it_is():
    text = "Nome;DDD;Celular\nAna;11;987654321\nRui;21;21987654322\nEva;11;+5521987654323"
    _, _, numbers = read(text, "BR")
    assert numbers == ["+5511987654321", "+5521987654322", "+5521987654323"]


def test_a_number_whose_area_code_is_blank_is_no_service_number():
    _, _, numbers = read("Nome;DDD;Celular\nAna;11;987654321\nEva;;30031234\nRui;;987654329", "BR")
    assert numbers[0] == "+5511987654321"
    assert numbers[1] == "its area code is missing: write the whole number"
    assert not numbers[2].startswith("+")


def test_a_mobile_without_its_zero_beside_the_area_code_of_a_landline_is_not_joined():
    text = "Name;Vorwahl;Rufnummer\nAna;0171;1234567\nZoe;030;1711234599"
    assert read(text, "DE")[2] == [
        "+491711234567", "it could be +49301711234599 or +491711234599: write it with its + sign",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("Prénom;Code région;Portable\nAna;84;612345678\nRui;1;0612345679", "FR"),
        ("Name;Area code;Phone\nAna;415;4155550132\nRui;212;+12125550133", "US"),
        ("Name;Alter;Handy\nAna;41;01711234567\nRui;35;01601234567", "DE"),
    ],
)
def test_numbers_that_need_no_area_code_are_left_alone(text, region):
    fields, question, numbers = read(text, region)
    assert "area_code" not in fields and not question
    assert all(number.startswith("+") for number in numbers)


def test_calling_codes_of_countries_are_no_area_codes():
    fields, _, numbers = read("Nome;Prefisso;Telefono\nAna;39;3471234567\nRui;49;1711234567", "IT")
    assert fields["country"] == ["Prefisso"] and "area_code" not in fields
    assert numbers == ["+393471234567", "+491711234567"]


def test_a_column_of_area_codes_under_a_word_that_nobody_knows_is_asked_about():
    text = "Name;Kierunkowy;Telefon\nAna;415;5550132\nRui;212;5550177"
    _, question, _ = read(text, "US")
    assert "Kierunkowy may hold the area codes" in question
    assert "--map area_code=2 or --ignore 2" in question
    _, question, numbers = read(text, "US", {"area_code": [1]})
    assert (question, numbers) == ("", ["+14155550132", "+12125550177"])
    _, question, numbers = read(text, "US", {"ignored": [1]})
    assert not question and not any(number.startswith("+") for number in numbers)


@pytest.mark.parametrize(
    ("cell", "digits"),
    [("11", "11"), ("(0171)", "0171"), ("030/", "030"), ("415.0", "415"), (" 21 ", "21"),
     ("0", ""), ("", ""), ("+49", ""), ("Berlin", ""), ("1234567", ""), ("12-34", "")],
)  # fmt: skip
def test_cells_that_are_area_codes(cell, digits):
    assert area_code_digits_or_empty(cell) == digits


@pytest.mark.django_db(transaction=True)
def test_a_file_with_area_codes_is_imported_whole(tmp_path):
    store = make_store("alice", phone_region="BR")
    path = tmp_path / "clientes.csv"
    path.write_text(
        "Nome;DDD;Celular;SMS opt-in\nAna;11;98765-4321;yes\nRui;21;987654322;no\n"
        "Eva;41;987654323;yes\n"
    )
    one = lifecycle.create_import_and_enqueue_or_refuse(store.pk, path, consent_source="paper")
    assert lifecycle.run_open_import_unless_running(one.pk).error == ""
    assert dict(Contact.objects.values_list("phone", "is_subscribed")) == {
        "+5511987654321": True,
        "+5521987654322": False,
        "+5541987654323": True,
    }
