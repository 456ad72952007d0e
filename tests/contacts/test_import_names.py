"""Names in columns that write the family name first, or two of them; and whose name it is."""

import pytest

from contacts.importing.heading_words import CONCEPTS_BY_WORD
from contacts.importing.mapping import guess_columns_and_questions
from contacts.importing.names import (
    split_into_first_and_last_name,
    writes_family_first,
    writes_family_in_capitals,
    writes_two_surnames,
)
from contacts.importing.validating import build_row_validator


def read_rows(headings, rows, region="GR", chosen=None):
    """First and last name of each row, and the fields of the columns."""
    guess = guess_columns_and_questions(headings, rows, region, chosen)
    validate = build_row_validator(headings, guess.fields, "iso", region, sample=rows)
    found = [validate(list(row)) for row in rows]
    return [(row.first_name, row.last_name) for row in found], guess


def numbers(count, prefix="690000000"):
    return [f"{prefix}{n}" for n in range(count)]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["Ferrari Giulia", "Esposito Marco", "Lo Presti Chiara"], True),
        (["Köhler Sabine", "Weiß Jürgen", "Öttl Margit"], True),
        (["Dubois Hélène", "Moreau Julien"], True),
        (["Giulia Ferrari", "Marco Esposito"], False),
        # Half and half tells nothing, and so do names that nobody knows.
        (["Ferrari Giulia", "Marco Esposito"], False), (["Qwrt Zxcv", "Bnmk Lpoi"], False),
        (["Papadopoulos Nikos", "Dimou Eleni"], True), (["Adler B", "Zxcv J"], False),
        (["Sig. Rossi Mario", "Dott. Bianchi Luca"], True),
    ],
)  # fmt: skip
def test_usual_given_names_tell_the_order_if_the_rows_of_a_column_agree(cells, expected):
    assert writes_family_first("Cliente", cells) is expected


def test_capitals_tell_the_family_name_wherever_it_stands():
    assert writes_family_in_capitals(["LEFÈVRE Camille", "LE GALL Aurélie", "Julien"])
    assert not writes_family_in_capitals(["Camille Lefèvre", "AURÉLIE LE GALL"])
    for text, parts in (
        ("LE GALL Aurélie", ("Aurélie", "LE GALL")),
        ("Jean Pierre ROUX", ("Jean Pierre", "ROUX")),
        ("Camille de la TOUR", ("Camille", "de la TOUR")),
    ):
        assert split_into_first_and_last_name(text, family_in_capitals=True) == parts


def test_spanish_names_have_two_surnames_where_most_of_a_column_have():
    cells = ["Lucía Fernández Gil", "María José García López", "Ana Ruiz"]
    assert writes_two_surnames(cells, "ES") and writes_two_surnames(cells, "MX")
    assert not writes_two_surnames(cells, "IT")
    assert not writes_two_surnames(["Lucía Fernández", "Ana Ruiz", "Ana Ruiz Soto"], "ES")
    for text, parts in (
        ("Lucía Fernández Gil", ("Lucía", "Fernández Gil")),
        ("María José García López", ("María José", "García López")),
        ("Juan de la Cruz Pérez", ("Juan", "de la Cruz Pérez")),
        ("Ana Ruiz", ("Ana", "Ruiz")),
        ("Gil Soto, Ana", ("Ana", "Gil Soto")),
    ):
        assert split_into_first_and_last_name(text, has_two_surnames=True) == parts
    reversed_name = split_into_first_and_last_name(
        "Fernández Gil Lucía", has_two_surnames=True, family_first=True
    )
    assert reversed_name == ("Lucía", "Fernández Gil")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Apellido paterno", "Apellido materno"), ("Primer apellido", "Segundo apellido"),
        ("Apellido 1", "Apellido 2"), ("1er apellido", "2º apellido"),
    ],
)  # fmt: skip
def test_two_columns_of_surnames_are_joined(first, second):
    rows = [[phone, "Ana", "Soto", "Gil"] for phone in numbers(3)]
    names, _ = read_rows(["Teléfono", "Nombre", second, first], rows)
    assert names == [("Ana", "Gil Soto")] * 3


def test_the_surname_of_a_second_person_is_not_joined():
    rows = [[phone, "Ana", "Gil", "Eva", "Soto"] for phone in numbers(3)]
    headings = ["Phone", "First name", "Last name", "First name 2", "Last name 2"]
    assert read_rows(headings, rows)[0] == [("Ana", "Gil")] * 3


def test_columns_without_headings_are_names_in_the_order_that_given_names_show():
    rows = [
        ["Zörner", "Heike", "6900000001"],
        ["Öttl", "Margit", "6900000002"],
        ["Köhler", "Sabine", "6900000003"],
    ]
    headings = ["column 1", "column 2", "column 3"]
    assert read_rows(headings, rows)[0] == [
        ("Heike", "Zörner"),
        ("Margit", "Öttl"),
        ("Sabine", "Köhler"),
    ]


@pytest.mark.parametrize(
    ("greek", "latin"),
    [
        ("ονομα", "onoma"), ("επωνυμο", "eponymo"), ("επωνυμο", "epwnumo"), ("κινητο", "kinito"),
        ("κινητο", "kinhto"), ("τηλεφωνο", "tilefono"), ("τηλεφωνο", "thlefwno"),
        ("γεννησησ", "gennisis"), ("φυλο", "fylo"), ("ενημερωση", "enimerosi"),
    ],
)  # fmt: skip
def test_greek_headings_in_latin_letters_mean_the_same(greek, latin):
    assert CONCEPTS_BY_WORD[greek] <= CONCEPTS_BY_WORD[latin]


def test_a_column_of_companies_holds_persons_if_no_other_holds_names():
    rows = [
        [phone, name]
        for phone, name in zip(numbers(2), ["ΜΑΚΡΗΣ ΚΩΣΤΑΣ", "Βλάχου Ελένη"], strict=True)
    ]
    names, _ = read_rows(["Κινητό", "Επωνυμία"], rows)
    assert names == [("ΚΩΣΤΑΣ", "ΜΑΚΡΗΣ"), ("Ελένη", "Βλάχου")]
    rows = [
        [phone, name]
        for phone, name in zip(numbers(2), ["Alpha Trading", "Beta Foods"], strict=True)
    ]
    assert read_rows(["Mobile", "Company"], rows)[0] == [("", ""), ("", "")]


def test_the_names_of_a_parent_go_with_the_phone_of_a_parent():
    headings = [
        "Child first name",
        "Child surname",
        "Parent first name",
        "Parent surname",
        "Parent mobile",
    ]
    rows = [["Tim", "Ash", "Ruth", "Ash", phone] for phone in numbers(2)]
    names, guess = read_rows(headings, rows, chosen={"phone": [4]})
    assert names == [("Ruth", "Ash")] * 2 and not guess.question


def test_the_label_beside_a_number_tells_the_mobile():
    headings = ["Name", "Phone 1 - Label", "Phone 1 - Value", "Phone 2 - Type", "Phone 2 - Value"]
    rows = [
        ["Ann Lee", "Work", "212-309-5166", "Mobile", "415-555-9720"],
        ["Bob Lee", "* Mobile", "212-555-7798", "Home", "212-555-7799"],
        ["Cid Lee", "Home Fax", "212-555-2208", "", "212-555-2209"],
        ["Dan Lee", "Work", "212-555-5315", "", ""],
    ]
    guess = guess_columns_and_questions(headings, rows, "US")
    validate = build_row_validator(headings, guess.fields, "iso", "US", sample=rows)
    assert [validate(list(row)).phone for row in rows] == [
        "+14155559720",
        "+12125557798",
        "+12125552209",
        "+12125555315",
    ]


def test_small_words_of_a_column_of_their_own_begin_the_last_name():
    headings = ["First name", "LastnamePreposition", "Last name", "Mobile"]
    rows = [["Mark", "van der", "Linden", "6944000501"], ["Anna", "", "Papa", "6944000512"]]
    fields = guess_columns_and_questions(headings, rows, "GR").fields
    validate = build_row_validator(headings, fields, "iso", "GR", sample=rows)
    assert [validate(row).last_name for row in rows] == ["van der Linden", "Papa"]


def test_the_only_phone_of_a_parent_is_used_in_a_list_of_children():
    headings = ["Swimmer", "Swimmer DOB", "Parent/guardian", "Parent mobile"]
    rows = [
        ["Ida Papa", "11/06/2016", "Anna Papa", "6944000501"],
        ["Leo Lade", "12/06/2016", "Eva Lade", "6944000512"],
    ]
    guess = guess_columns_and_questions(headings, rows, "GR")
    assert guess.question is None
    assert guess.fields == {"full_name": [2], "phone": [3]}
    named = [["Ida", "Anna Papa", "6944000501"], ["Leo", "Eva Lade", "6944000512"]]
    asked = guess_columns_and_questions(["First name", "Parent", "Parent mobile"], named, "GR")
    assert "--map phone=COLUMN" in asked.question.command_line_text()


def test_a_column_that_says_the_same_of_everybody_holds_no_names():
    rows = [
        ["CLIENT", "Roux", "Anna", "+306944000501"],
        ["CLIENT", "Picard", "Max", "+306944000512"],
    ]
    fields = guess_columns_and_questions([f"column {at}" for at in range(1, 5)], rows, "GR").fields
    assert (fields["first_name"], fields["last_name"]) == ([2], [1])


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (
            ["Frau Dr. Sabine Köhler", "Fam. Schulz", "Nicole Jansen (keine SMS)"],
            [("Sabine", "Köhler"), ("", "Schulz"), ("Nicole", "Jansen")],
        ),
        (
            ["Mme Claire Dubois", "M. Jean Petit", "Mlle Zoé Roux"],
            [("Claire", "Dubois"), ("Jean", "Petit"), ("Zoé", "Roux")],
        ),
        (
            ["Mr & Mrs Hall", "Rev. John Stone", "Smith, Jane"],
            [("", "Hall"), ("John", "Stone"), ("Jane", "Smith")],
        ),
        (["M. Night", "Anna Berg"], [("M.", "Night"), ("Anna", "Berg")]),  # an initial
        (["Anna", "Jean Pierre", "Eva"], [("Anna", ""), ("Jean Pierre", ""), ("Eva", "")]),
    ],
)
def test_full_names_without_headings_are_divided_and_lose_forms_of_address(cells, expected):
    rows = [[cell, f"+3069440000{n:02}"] for n, cell in enumerate(cells)]
    assert read_rows(["column 1", "column 2"], rows)[0] == expected


def test_full_names_beside_towns_are_told_from_two_given_names_beside_two_surnames():
    names, _ = read_rows(
        ["column 1", "column 2", "column 3"],
        [["Anna Berg", "Köln", "+306944000001"], ["Peter Lang", "Bonn", "+306944000012"]],
    )
    assert names == [("Anna", "Berg"), ("Peter", "Lang")]
    names, _ = read_rows(
        ["column 1", "column 2", "column 3"],
        [
            ["María José", "García López", "+306944000001"],
            ["José Luis", "Ruiz Gil", "+306944000012"],
        ],
    )
    assert names == [("María José", "García López"), ("José Luis", "Ruiz Gil")]


@pytest.mark.parametrize("headings", [("NAME1", "NAME2"), ("Nom 1", "Nom 2"), ("Name", "Name 2")])
def test_of_two_numbered_columns_usual_given_names_tell_the_first_name(headings):
    for first, last, expected in (
        (["Albers", "Behrens"], ["Petra", "Sven"], [("Petra", "Albers"), ("Sven", "Behrens")]),
        (["Anna", "Peter"], ["Berg", "Lang"], [("Anna", "Berg"), ("Peter", "Lang")]),
        # Full names, with something else beside one of them.
        (["Anna Berg", "Peter Lang"], ["", "Hof"], [("Anna", "Berg"), ("Peter", "Lang")]),
    ):
        rows = list(map(list, zip(first, last, numbers(2), strict=True)))
        names, guess = read_rows([*headings, "Mobile"], rows)
        assert (names, guess.questions) == (expected, ())


def test_two_numbered_columns_of_names_that_nobody_knows_are_asked_about():
    for first, second in ((["Qwert", "Uiop"], ["Zxcv", "Bnm"]), (["Anna", "Eva"], ["Jan", "Xyz"])):
        rows = list(map(list, zip(first, second, numbers(2), strict=True)))
        asked = read_rows(["NAME1", "NAME2", "Mobile"], rows)[1].question
        assert "--map first_name=2 --map last_name=1" in asked.command_line_text()


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("Ad", "Soyad"), ("Το όνομά σας", "Το επίθετό σας"), ("Ihr Vorname", "Ihr Nachname"),
        ("Etunimi", "Sukunimi"), ("Keresztnév", "Vezetéknév"), ("Име", "Фамилия"),
        ("Vārds", "Uzvārds"), ("Ім'я", "Прізвище"), ("Kontakt Xyz Vorname", "Kontakt Xyz Nachname"),
    ],
)  # fmt: skip
def test_halves_of_names_are_known_in_questions_of_forms_and_in_more_languages(first, last):
    rows = [["Qwert", "Zxcv", "6900000001"], ["Uiop", "Bnm", "6900000002"]]
    names, _ = read_rows([first, last, "Kontakt Xyz Mobil"], rows)
    assert names == [("Qwert", "Zxcv"), ("Uiop", "Bnm")]


@pytest.mark.parametrize(
    ("heading", "code"), [("locale", "de"), ("Sprache", "da"), ("Lng", "de"), ("xx", "el")]
)
def test_the_code_of_a_language_is_no_part_of_a_name(heading, code):
    rows = [[number, "Anna", "Weber", code] for number in numbers(4)]
    names, _ = read_rows(["Mobile", "First name", "Last name", heading], rows)
    assert set(names) == {("Anna", "Weber")}


@pytest.mark.parametrize("heading", ["Jméno", "Vorname", "Prénom", "Imię", "First name"])
def test_full_names_in_the_only_column_of_names_are_divided(heading):
    names = ["Anna Nováková", "Jan Dvořák", "Eva Malá", "Petr Svoboda"]
    found, _ = read_rows(["Mobile", heading], list(map(list, zip(numbers(4), names, strict=True))))
    assert found[1] == ("Jan", "Dvořák")
    rows = [[number, name, "Berg"] for number, name in zip(numbers(4), names, strict=True)]
    assert read_rows(["Mobile", heading, "Last name"], rows)[0][1] == ("Jan Dvořák", "Berg")


def test_names_are_known_behind_the_type_that_a_program_writes_before_them():
    rows = [[number, "Anna", "Weber"] for number in numbers(3)]
    assert read_rows(["cMobil", "cVorname", "cNachname"], rows)[0][0] == ("Anna", "Weber")


def test_initials_are_no_family_names_in_capitals():
    assert not writes_family_in_capitals(["A. de Vries", "J.P. Bakker", "E.-M. Smit"])
    assert writes_family_in_capitals(["LEFÈVRE Camille", "J.-P. MARTIN"])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Vries, A. de", ("A.", "de Vries")), ("Berg, Els van den", ("Els", "van den Berg")),
        ("Smit, Jan", ("Jan", "Smit")), ("Silva, Ana da", ("Ana", "da Silva")),
        ("de Vries, Anna", ("Anna", "de Vries")),
    ],
)  # fmt: skip
def test_small_words_behind_the_first_name_belong_to_the_last(name, expected):
    assert split_into_first_and_last_name(name) == expected
