"""What exports of further vendors, countries and spreadsheets showed: a no, a row, a number."""

import pytest
from django.core.management import CommandError, call_command

from contacts.importing import lifecycle
from contacts.importing.headings import read_heading
from contacts.importing.other_languages import LANGUAGES, WITHOUT_BLANKS
from contacts.importing.refusing_cells import cell_refuses_messages
from contacts.models import Contact, ContactImport
from tests.support.factories import make_store
from tests.support.workbook import write_workbook

pytestmark = pytest.mark.django_db(transaction=True)

A, B, C = "+306944000501", "+306944000502", "+306944000503"


@pytest.fixture
def store():
    return make_store(phone_region="GR")


@pytest.fixture
def run(store, tmp_path):
    def run(content, *options):
        path = content
        if isinstance(content, str):
            path = tmp_path / "customers.csv"
            path.write_text(content)
        call_command("import_contacts", store.email, path, "--consent=form", *options)
        done = lifecycle.run_open_import_unless_running(ContactImport.objects.latest("pk").pk)
        assert done.status == "completed", done.error
        return {contact.phone: contact for contact in Contact.objects.all()}

    return run


def subscribed(contacts):
    return {phone for phone, contact in contacts.items() if contact.is_subscribed}


def test_rows_that_a_filter_hides_are_not_imported_unseen(run, tmp_path):
    rows = [(1, ["Name", "Mobile"]), (2, ["Anna Berg", A]), (3, ["Bob Lee", B])]
    with pytest.raises(CommandError, match="1 filled row is hidden"):
        run(write_workbook(tmp_path / "a.xlsx", rows, hidden_rows=[3]))
    assert not Contact.objects.exists()


def test_hidden_rows_without_values_and_on_other_sheets_do_not_matter(run, tmp_path):
    rows = [(1, ["Name", "Mobile"]), (2, ["Anna Berg", A]), (3, []), (4, [""])]
    assert run(write_workbook(tmp_path / "a.xlsx", rows, hidden_rows=[3, 4])).keys() == {A}
    notes = [(number, ["Opening hours"]) for number in (1, 2, 9)]
    path = write_workbook(
        tmp_path / "b.xlsx", rows, notes, names=["Clients", "About"], hidden_rows=[9]
    )
    assert run(path).keys() == {A}


def test_a_no_that_is_merged_over_several_rows_is_that_of_each(run, tmp_path):
    rows = [
        (1, ["Name", "Mobile", "Note"]),
        (2, ["Anna Berg", A, ""]),
        (3, ["Bob Lee", B, "no SMS"]),
        (4, ["Cleo Roe", C, ""]),
    ]
    path = write_workbook(tmp_path / "a.xlsx", rows, merged=["C3:C4"])
    assert subscribed(run(path, "--map=notes=Note")) == {A}


def test_a_no_that_is_merged_from_the_first_row_on_is_that_of_each(run, tmp_path):
    rows = [
        (1, ["Name", "Mobile", "Note"]),
        (2, ["Anna Berg", A, "no SMS"]),
        (3, ["Bob Lee", B, ""]),
        (4, ["Cleo Roe", C, ""]),
    ]
    path = write_workbook(tmp_path / "a.xlsx", rows, merged=["C2:C3"])
    assert subscribed(run(path, "--map=notes=Note")) == {C}


def test_merged_headings_are_read_as_they_stand(run, tmp_path):
    rows = [
        (1, ["Name", "Contact", ""]),
        (2, ["", "Mobile", "SMS"]),
        (3, ["Anna Berg", A, "yes"]),
        (4, ["Bob Lee", B, "no"]),
    ]
    path = write_workbook(tmp_path / "a.xlsx", rows, merged=["A1:A2", "B1:C1"])
    contacts = run(path)
    assert subscribed(contacts) == {A}
    assert contacts[A].first_name == "Anna"


LIST_BESIDE = f"Name,Mobile,Unsubscribed numbers\nAnna,{A},{C}\nBob,{B},+306944000599\nCleo,{C},\n"


@pytest.mark.parametrize("options", [(), ("--map=sms_opt_out=3",), ("--map=sms_consent=3",)])
def test_numbers_of_other_people_are_no_opt_outs_of_their_rows(run, options):
    with pytest.raises(CommandError, match="not those of their rows"):
        run(LIST_BESIDE, *options)
    assert not Contact.objects.exists()


def test_numbers_of_their_own_rows_and_times_are_opt_outs(run):
    own = f"Name,Mobile,Blocked number\nAnna,{A},\nBob,{B},6944000502\n"
    assert subscribed(run(own, "--map=sms_opt_out=3")) == {A}
    Contact.objects.all().delete()
    seconds = f"Name,Mobile,Opted out at\nAnna,{A},\nCleo,{C},1700000000\n"
    assert subscribed(run(seconds, "--map=sms_opt_out=3")) == {A}


COUNTRIES = "Ime,Mobile,Xyzzy\nAnna,6944000501,GR\nBob,99125001,CY\nCleo,6944000503,GR\n"


def test_countries_under_an_unknown_word_are_asked_about(run):
    with pytest.raises(CommandError, match=r"countries of the phone numbers.*--map country=3"):
        run(COUNTRIES)
    assert run(COUNTRIES, "--map=country=3").keys() == {A, "+35799125001", C}


@pytest.mark.parametrize(
    "cells",
    [
        ("GR", "GR", "GR"),  # says nothing
        ("AB", "CY", "AB"),  # hardly countries
        ("1", "30", "357"),
        ("CY", "CY", "CY"),  # not the store's
    ],
)
def test_other_cells_under_an_unknown_word_are_not(run, cells):
    numbers = ("6944000501", "6944000502", "6944000503")
    rows = "\n".join(f"Anna,{number},{cell}" for number, cell in zip(numbers, cells, strict=True))
    assert run(f"First name,Mobile,Xyzzy\n{rows}\n").keys() == {A, B, C}


def test_countries_beside_numbers_with_a_sign_are_not_asked_about(run):
    assert run(f"Ime,Mobile,Xyzzy\nAnna,{A},GR\nBob,+35799125001,CY\n").keys() == {
        A,
        "+35799125001",
    }


@pytest.mark.parametrize(
    "word", ["Krajina", "Stát", "Ország", "Țara", "Страна", "Ülke", "국가", "国家"]
)
def test_a_country_is_known_by_its_heading_in_further_languages(word):
    assert read_heading(word) == read_heading("Country")


@pytest.mark.parametrize(
    "word",
    [
        "Дата рождения",
        "Data urodzenia",
        "Rojstni dan",
        "Fødselsdato",
        "Syntymäaika",
        "生年月日",
        "생년월일",
        "תאריך לידה",
        "تاريخ الميلاد",
        "Ngày sinh",
        "Tanggal lahir",
        "Dzimšanas datums",
    ],
)
def test_a_birthday_is_known_by_its_heading_in_further_languages(word):
    assert read_heading(word) == read_heading("Date of birth")


@pytest.mark.parametrize("cell", ["None", "Reminders only", "Termine ausschließlich"])
def test_a_limit_under_communications_is_put_before_a_person(run, cell):
    file = f"Name,Mobile,Communications\nAnna,{A},Reminders & Offers\nBob,{B},{cell}\n"
    with pytest.raises(CommandError, match="--map sms_consent=3"):
        run(file)
    assert B not in subscribed(run(file, "--map=sms_consent=3"))


def test_other_words_under_communications_are_passed_over(run):
    file = f"Name,Mobile,Marketing\nAnna,{A},Billboard\nBob,{B},Radio\n"
    assert subscribed(run(file)) == {A, B}


ANSWERS = {
    language: (words.yes.split()[0], words.no.split()[0])
    for language, words in LANGUAGES.items()
    if words.yes and words.no
}


@pytest.mark.parametrize("language", ANSWERS)
def test_answers_of_every_language_are_asked_about_and_read(run, language):
    yes, no = ANSWERS[language]
    file = f"Name,Mobile,Qwrtz\nAnna,{A},{yes}\nBob,{B},{no}\nCleo,{C},{yes}\n"
    with pytest.raises(CommandError, match="--map sms_consent=3"):
        run(file)
    assert subscribed(run(file, "--map=sms_consent=3")) == {A, C}


@pytest.mark.parametrize(
    ("good", "bad"), [("可", "不可"), ("동의", "미동의"), ("寄送", "不寄送"), ("有效", "無效")]
)
def test_a_sign_that_negates_makes_an_opposite(run, good, bad):
    file = f"Name,Mobile,Qwrtz\nAnna,{A},{good}\nBob,{B},{bad}\n"
    if (good, bad) == ("有效", "無效"):
        assert run(file)  # neither holds the other
        return
    with pytest.raises(CommandError, match="--map sms_consent=3"):
        run(file)


@pytest.mark.parametrize(
    "note",
    [
        "문자 보내지 마세요",
        "不要发短信",
        "請勿傳送簡訊",
        "SMS不可",
        "メール不要です",
        "ไม่รับ SMS",
        "이미 수신거부 하심",
    ],
)
def test_a_refusal_in_a_language_without_blanks_is_one(note):
    assert cell_refuses_messages(note)
    assert cell_refuses_messages(f"VIP, {note}")


@pytest.mark.parametrize(
    "note",
    [
        "VIP 고객",
        "花粉症なし",
        "不含酒精",
        "電話で予約",
        "喜欢美发",
        "머리 안 말림",
        "不太熱。電話です",
        "แพ้น้ำหอม",
    ],
)
def test_other_notes_in_a_language_without_blanks_are_none(note):
    assert not cell_refuses_messages(note)


def test_each_language_without_blanks_has_words_for_refusals():
    assert all(LANGUAGES[language].negations for language in WITHOUT_BLANKS)


def test_flags_of_a_list_without_headings_are_asked_about(run):
    file = "".join(f"Anna;{phone};{flag}\n" for phone, flag in ((A, 1), (B, 0), (C, 1)))
    with pytest.raises(CommandError, match="--map sms_consent=3"):
        run(file)
    assert subscribed(run(file, "--map=sms_consent=3")) == {A, C}


@pytest.mark.parametrize(
    ("last", "first"),
    [
        ("Nachname/Nom", "Vorname/Prénom"),
        ("Cognome / Surname", "Nome / First name"),
        ("Nom/Name", "Prénom/First name"),
    ],
)
def test_headings_in_two_languages_keep_the_parts_of_names_apart(run, last, first):
    contacts = run(f"{last},{first},Mobile\nMeier,Reto,{A}\nRochat,Aline,{B}\n")
    assert (contacts[A].first_name, contacts[A].last_name) == ("Reto", "Meier")


def test_a_heading_of_both_parts_of_a_name_is_the_full_name(run):
    contacts = run(f"Nombre/Apellido,Mobile\nReto Meier,{A}\nAline Rochat,{B}\n")
    assert (contacts[A].first_name, contacts[A].last_name) == ("Reto", "Meier")


def test_the_address_of_whoever_booked_is_not_the_customers(run):
    rows = [f"Anna,{phone},desk@salon.example" for phone in (A, B, C)]
    contacts = run("\n".join(["Name,Mobile,Booked by", *rows, ""]))
    assert not contacts[A].email
    own = [f"Anna,{phone},p{at}@example.com" for at, phone in enumerate((A, B, C))]
    assert run("\n".join(["Name,Mobile,Xyzzy", *own, ""]))[A].email == "p0@example.com"


def test_amounts_are_no_answers(run):
    file = f'Name,Mobile,Gasto\nAnna,{A},"1.200,00"\nBob,{B},"0,00"\nCleo,{C},"80,00"\n'
    assert subscribed(run(file)) == {A, B, C}


def test_a_yes_to_data_processing_in_all_rows_is_not_asked_about_and_a_later_no_counts(run):
    # The sample that questions are made from ends after 10,000 rows.
    rows = [f"Anna,{306944100000 + at},yes" for at in range(10_000)]
    contacts = run("\n".join(["Name,Mobile,Privacy", *rows, f"Bob,{B},no", ""]))
    assert len(subscribed(contacts)) == 10_000
    assert not contacts[B].is_subscribed


def test_only_one_way_of_contact_behind_a_yes_is_a_no(run):
    file = (
        f'Name,Mobile,Je souhaite recevoir les offres\nAnna,{A},"Oui, par SMS"\n'
        f'Bob,{B},"Oui, par e-mail uniquement"\n'
    )
    assert subscribed(run(file)) == {A}
