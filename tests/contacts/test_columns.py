"""Which columns of a list are taken for which field: by headings in six languages, and by cells."""

import itertools
import random
from datetime import UTC

import pytest

from contacts.importing.consent_cells import Consent, ConsentColumn
from contacts.importing.heading_words import canonical_heading_words
from contacts.importing.headings import Meaning, read_heading
from contacts.importing.mapping import guess_columns_and_questions
from contacts.importing.refusing_cells import title_names_opt_outs_or_former_people
from contacts.importing.validating import build_row_validator

PHONES = ["+306944000001", "+306944000015", "+306944000112", "+306944000907"]
TABLE = {
    "phone": ("Mobile", PHONES),
    "first_name": ("Vorname", ["Anna", "Eva", "Max", "Zoe"]),
    "last_name": ("Cognome", ["Papa", "Lade", "Muster", "Linden"]),
    "email": ("Correo electrónico", ["a@example.com", "", "m@example.com", ""]),
    "birthday": ("Γενέθλια", ["1985-03-25", "1990-05-03", "", "1977-11-30"]),
    "gender": ("Sexe", ["F", "F", "M", ""]),
    "country": ("Paese", ["GR", "DE", "GR", "IT"]),
    "sms_consent": ("SMS-Einwilligung", ["ja", "nein", "", "ja"]),
    "sms_opt_out": ("Désinscrit", ["", "oui", "", ""]),
}
FOREIGN = {
    "Customer ID": ["6900000001", "6900000002", "6900000003", "6900000004"],
    "Created at": ["2020-01-05", "2020-02-06", "2021-03-07", "2022-04-08"],
    "Last visit": ["1990-01-05", "1991-02-06", "1992-03-07", "1993-04-08"],
    "Fax": ["2101234567", "2101234568", "2101234569", "2101234570"],
    "Company phone": ["+302101234567"] * 4,
    "Emergency contact phone": ["+306955000001"] * 4,
    "IBAN": ["GR1601101250000000012300695"] * 4,
    "ΑΦΜ": ["123456789", "987654321", "123123123", "456456456"],
    "VAT number": ["EL123456789"] * 4,
    "City": ["Athens", "Berlin", "Patras", "Rome"],
    "Company name": ["Papa Ltd", "", "Muster AG", ""],
    "Total spent": ["120.50", "3", "0", "17"],
    "SMS sent": ["3", "1", "0", "7"],
    "Notes": ["likes blue", "", "called on Monday", ""],
}


def guessed(table, region="GR"):
    """The headings of each field, notes and the question, of a table of cells by heading."""
    headings = list(table)
    rows = list(map(list, zip(*table.values(), strict=True)))
    guess = guess_columns_and_questions(headings, rows, region)
    columns = {
        field: [headings[at] for at in positions] for field, positions in guess.fields.items()
    }
    return columns, guess.notes, question_of(guess)


def question_of(guess):
    """The question of a guess with the command's options for it; empty if there is none."""
    return guess.question.command_line_text() if guess.question else ""


def field_of(heading, cell="", others=None):
    """The field of the only column with this heading, beside a phone number."""
    columns, _, problem = guessed({heading: [cell] * 2, "Mobile": PHONES[:2], **(others or {})})
    fields = [field for field, headings in columns.items() if heading in headings]
    return "ask" if not fields and problem else "".join(fields)


EXPECTED = {field: [heading] for field, (heading, _) in TABLE.items()}


@pytest.mark.parametrize("seed", range(20))
def test_neither_order_nor_other_columns_change_the_mapping(seed):
    order = random.Random(seed)
    table = dict(TABLE.values()) | dict(order.sample(sorted(FOREIGN.items()), seed % 15))
    columns = order.sample(sorted(table.items()), len(table))
    found, _, problem = guessed(dict(columns))
    assert found == EXPECTED
    assert not problem


@pytest.mark.parametrize("heading", FOREIGN)
def test_a_foreign_column_is_no_phone_number_even_if_there_is_no_other(heading):
    table = {heading: FOREIGN[heading], "Vorname": TABLE["first_name"][1]}
    found, _, problem = guessed(table)
    assert "phone" not in found and "birthday" not in found
    assert "--map phone=COLUMN" in problem


@pytest.mark.parametrize(
    ("heading", "field"),
    [
        # Phone numbers
        ("Mobile Phone No.", "phone"), ("customerMobile", "phone"), ("CELL_PHONE", "phone"),
        ("contact.phone_number", "phone"), ("Mobile # (primary)", "phone"), ("Tel", "phone"),
        ("WhatsApp number", "phone"), ("Αρ. κινητού", "phone"), ("Τηλέφωνο επικοινωνίας", "phone"),
        ("Κινητό Πελάτη", "phone"), ("Handynummer", "phone"), ("Mobilfunknummer", "phone"),
        ("Telefon (mobil)", "phone"), ("Rufnummer", "phone"), ("Kunden-Telefon", "phone"),
        ("N° de portable", "phone"), ("Numéro de mobile", "phone"), ("Tél domicile", "phone"),
        ("Núm. móvil", "phone"), ("Telf. móvil", "phone"), ("Numero di cellulare", "phone"),
        ("Tel. cellulare", "phone"), ("Recapito telefonico cellulare", "phone"),
        ("Moblie phone", "phone"), ("Telehpone", "phone"), ("Addresses: Phone", "phone"),
        # Names
        ("Given name", "first_name"), ("FirstName", "first_name"),
        ("customer.first_name", "first_name"),
        ("Μικρό όνομα", "first_name"), ("Prénom du client", "first_name"),
        ("Surname", "last_name"), ("family_name", "last_name"), ("Επώνυμο πελάτη", "last_name"),
        ("Familienname", "last_name"), ("Nom de famille", "last_name"), ("Apellido", "last_name"),
        ("Full Name", "full_name"), ("Vor- und Nachname", "full_name"),
        ("Nom et prénom", "full_name"), ("Apellidos y nombre", "full_name"),
        ("Nome e cognome", "full_name"), ("Ονοματεπώνυμο πελάτη", "full_name"),
        # E-mail, gender, country
        ("E-Mail", "email"), ("eMail Adresse", "email"), ("Email 1", "email"),
        ("Adresse électronique mail", "email"), ("Ηλεκτρονική διεύθυνση", "email"),
        ("Φύλο", "gender"), ("Género", "gender"), ("Kunde Geschlecht", "gender"),
        ("Country code", "country"), ("Χώρα", "country"), ("Land", "country"),
        ("Pays de résidence", "country"), ("Billing Country", "country"),
        # Birthdays
        ("Birth date", "birthday"), ("date_of_birth", "birthday"), ("DOB", "birthday"),
        ("B-Day", "birthday"), ("F. Nacimiento", "birthday"), ("Ημ/νία γέννησης", "birthday"),
        ("Ημερομηνία Γεννήσεως", "birthday"),
        ("Geburtstag", "birthday"), ("geb. am", "birthday"), ("Née le", "birthday"),
        ("Anniversaire", "birthday"), ("Fecha de nac.", "birthday"), ("Cumpleaños", "birthday"),
        ("Data di nascita (gg/mm/aaaa)", "birthday"), ("Compleanno", "birthday"),
        # Not what they look like
        ("Birth place", ""), ("Geburtsort", ""), ("Wedding anniversary", ""), ("Name day", ""),
        ("Mother's phone", ""), ("Phone type", ""), ("Phone verified", ""), ("Telefax", ""),
        ("Company", ""), ("Firmenname", ""), ("Product name", ""), ("User name", ""),
        ("Last purchase", ""), ("Last email open", ""), ("Kundennummer", ""),
        ("Codice fiscale", ""),
        ("Αριθμός πελάτη", ""), ("N° client", ""), ("Order number", ""), ("Birthday coupon", ""),
        ("Kids birthday", ""), ("Pet name", ""), ("LAST_CHANGED", ""), ("List name", ""),
        ("Phone prefix", "country"), ("landLine", ""), ("Land line", ""),
    ],
)  # fmt: skip
def test_a_heading_is_known_in_every_language_and_form(heading, field):
    cells = {"country": "GR", "phone": "+306944000501"}
    assert field_of(heading, cells.get(field, "")) == field


@pytest.mark.parametrize(
    ("heading", "field"),
    [
        ("SMS marketing permission", "sms_consent"), ("Has agreed to SMS?", "sms_consent"),
        ("is_subscribed_sms", "sms_consent"), ("acceptsMarketing", "sms_consent"),
        ("Happy to receive texts", "ask"), ("SMS Einverständnis", "sms_consent"),
        ("Zustimmung Werbung", "sms_consent"), ("Autorise les SMS", "sms_consent"),
        ("Autorización publicidad", "sms_consent"), ("Consenso marketing", "sms_consent"),
        ("Αποδοχή SMS", "sms_consent"), ("Αποδέχεται διαφημίσεις", "sms_consent"),
        ("Opt-In", "sms_consent"), ("Double Opt-in confirmed", "sms_consent"),
        ("Opted out of SMS", "sms_opt_out"), ("SMS unsubscribed?", "sms_opt_out"),
        ("doNotContact", "sms_opt_out"), ("Don't text", "sms_opt_out"), ("No SMS", "sms_opt_out"),
        ("No longer subscribed", "sms_opt_out"), ("SMS blocklisted", "sms_opt_out"),
        ("Keine Werbung", "sms_opt_out"), ("Werbewiderspruch", "sms_opt_out"),
        ("SMS abbestellt", "sms_opt_out"), ("Ne pas contacter", "sms_opt_out"),
        ("Pas de SMS", "sms_opt_out"), ("Désinscription SMS", "sms_opt_out"),
        ("No desea publicidad", "sms_opt_out"), ("Baja SMS", "sms_opt_out"),
        ("Non contattare", "sms_opt_out"), ("Disiscritto", "sms_opt_out"),
        ("Όχι SMS", "sms_opt_out"), ("Δεν θέλει SMS", "sms_opt_out"),
        ("Απεγγραφή", "sms_opt_out"), ("Εξαίρεση από διαφημίσεις", "sms_opt_out"),
        ("Newsletter", "other_consent"), ("E-Mail-Werbung erlaubt", "other_consent"),
        ("GDPR consent", "other_consent"), ("Consenso privacy", "other_consent"),
        ("SMS reminders", "other_consent"), ("Δέχεται SMS", "sms_consent"),
        ("Accord SMS", "sms_consent"), ("Newsletter erwünscht", "other_consent"),
        ("SMS-Versand", "sms_consent"),
        ("Photo consent", "ask"), ("Not unsubscribed", "ask"), ("Opt in / opt out", "ask"),
    ],
)  # fmt: skip
def test_consent_is_read_with_its_sense(heading, field):
    columns, _, problem = guessed({heading: ["yes", "no"], "Mobile": PHONES[:2]})
    found = [name for name, headings in columns.items() if heading in headings]
    if field == "ask":
        assert not found
        assert heading in problem and "--ignore 1" in problem
    else:
        assert found == [field]


@pytest.mark.parametrize("consent", ["SMS erlaubt", "Werbung", "Marketing consent"])
@pytest.mark.parametrize(
    "heading",
    [
        "Serienbrief", "Post", "Postal marketing", "Photo consent", "Einwilligung Foto",
        "consent to photos", "Fotoerlaubnis", "Autorisation photo", "Consenso immagini",
        "Συγκατάθεση φωτογραφιών", "Consent to treatment", "Parental consent",
        "Einwilligung Weitergabe",
        # Nobody knows these words, and they are hardly messages.
        "Einwilligung Klettergarten", "Consent to abseiling",
    ],
)  # fmt: skip
def test_another_channel_or_purpose_beside_a_consent_is_neither_used_nor_asked_about(
    heading, consent
):
    answers, others = ["ja", "nein", "ja", "ja"], ["nein", "ja", "ja", "nein"]
    columns, _, problem = guessed({heading: answers, "Mobile": PHONES[:4], consent: others})
    assert not problem
    assert columns == {"phone": ["Mobile"], "sms_consent": [consent]}


@pytest.mark.parametrize(
    "heading",
    ["Einwilligung Kontaktaufnahme", "Zustimmung Vereinsnachrichten", "Hat zugesagt"],
)
def test_a_consent_that_may_be_one_to_messages_is_asked_about_beside_one_to_marketing(heading):
    answers, others = ["ja", "nein", "ja", "ja"], ["nein", "ja", "ja", "nein"]
    columns, _, problem = guessed({heading: answers, "Mobile": PHONES[:4], "Werbung": others})
    assert heading in problem
    assert heading not in columns.get("sms_consent", ())


@pytest.mark.parametrize(
    "heading", ["Consent source", "Opt-in date", "SMS consent timestamp", "Consent IP"]
)
def test_what_only_describes_a_consent_is_none(heading):
    assert field_of(heading, "2024-01-02") == ""


@pytest.mark.parametrize("heading", ["Unsubscribed at", "SMS opt-out date", "Ημ/νία απεγγραφής"])
def test_the_time_of_an_opt_out_is_an_opt_out(heading):
    assert field_of(heading, "2024-01-02 10:00") == "sms_opt_out"


def test_a_consent_to_email_counts_only_where_nothing_is_said_of_sms():
    others = {"SMS consent": ["yes", "no"]}
    assert field_of("Email consent", "no") == "other_consent"
    assert field_of("Email consent", "no", others) == ""
    assert field_of("Email opt out", "no") == "sms_opt_out"
    _, notes, _ = guessed({"Email consent": ["no"], "SMS consent": ["yes"], "Mobile": PHONES[:1]})
    assert notes == ["Email consent: not used as consent to SMS"]


@pytest.mark.parametrize(
    ("cells", "field"),
    [
        (["subscribed", "unsubscribed"], "sms_opt_out"), (["Opted out", ""], "sms_opt_out"),
        (["subscribed", "pending"], "sms_opt_out"),
        (["married", "single"], ""), (["active", "active"], ""), (["active", "inactive"], "ask"),
        (["active", "banned"], "ask"), (["ok", "archived"], "ask"), (["false", "true"], "ask"),
        (["subscribed", "2024-02-02"], "ask"), (["gold", "silver"], ""),
    ],
)  # fmt: skip
def test_the_cells_of_a_status_decide_what_it_is(cells, field):
    columns, _, problem = guessed({"Status": cells, "Mobile": PHONES[:2]})
    found = [name for name, headings in columns.items() if "Status" in headings]
    assert ("ask" if problem else "".join(found)) == field


@pytest.mark.parametrize(
    ("heading", "cells", "is_asked"),
    [
        ("active", ["true", "false"], True), ("is_active", ["1", "0"], True),
        ("Aktiv", ["ja", "ja"], False), ("Archived", ["", "2024-02-02"], True),
        ("banned_at", ["", "2024-02-02"], True), ("Deleted", ["no", "no"], False),
        ("Suspendido", ["", "x"], True), ("Ανενεργός", ["όχι", "ναι"], True),
        ("Deleted orders", ["1", "2"], False), ("Account", ["active", "suspended"], True),
        ("Customer", ["Anna Papa", "Bob Reed"], False),
    ],
)  # fmt: skip
def test_a_person_who_is_no_longer_active_is_asked_about(heading, cells, is_asked):
    columns, _, problem = guessed({heading: cells, "Mobile": PHONES[:2]})
    assert bool(problem) == is_asked and columns["phone"] == ["Mobile"]


CHOSEN = {"ignored": [0]}


@pytest.mark.parametrize(
    "cell",
    [
        "vip, no SMS", "DO NOT TEXT!", "unsubscribed by phone", "μην της στέλνετε",
        "nicht schreiben", "Asked us to stop texting him", "möchte keine Werbung mehr",
        "bitte nicht anschreiben", "δεν θέλει μηνύματα", "ne veut plus de SMS",
        "non vuole più ricevere messaggi", "no quiere publicidad", "keine Einwilligung",
        "DSGVO Löschung beantragt", "take off list, he opted out", "remove, exclude from list",
        "Regular since 2015, likes colour 7.3 and tea; she told us that she wants no more SMS",
        "VIP, Werbeverbot", "smsstop", "wrong number!", "Nummer falsch", "verstorben 2023",
    ],
)  # fmt: skip
def test_a_no_in_a_column_of_notes_is_put_before_a_person(cell):
    columns, _, problem = guessed({"Notes": ["likes blue", cell], "Mobile": PHONES[:2]})
    assert "Notes may say who agreed" in problem
    headings = ["Notes", "Mobile"]
    guess = guess_columns_and_questions(
        headings, [["likes blue", PHONES[0]], [cell, PHONES[1]]], "GR", CHOSEN
    )
    assert guess.fields == {"ignored": [0], "phone": [1]} and not guess.question


@pytest.mark.parametrize(
    "cell",
    ["stop by at noon, sms sent", "no sugar. Sent message", "not available on Monday", "wrong dye"],
)
def test_words_of_different_clauses_are_no_refusal(cell):
    columns = {"Notes": ["likes blue", cell.split(",")[0]], "Mobile": PHONES[:2]}
    assert not guessed(columns)[2]
    assert not guessed(columns | {"Notes": ["likes blue", cell]})[2] or "stop" in cell


def test_a_no_far_below_is_put_before_a_person():
    phones = [f"+30694400{n:04}" for n in range(1000)]
    notes = [f"likes blue {n}" for n in range(999)] + ["no SMS please"]
    _, _, problem = guessed({"Mobile": phones, "Notes": notes})
    assert "Notes may say who agreed" in problem


def test_a_no_that_a_column_of_consent_says_as_well_is_not_asked_about():
    activity = {"Last activity": ["Made a purchase", "Unsubscribed from SMS"]}
    asked = [
        guessed({"Mobile": PHONES[:2], "SMS status": states} | activity)[2]
        for states in (["Subscribed", "Unsubscribed"], ["Subscribed", "Subscribed"])
    ]
    assert not asked[0] and "Last activity" in asked[1]


def test_a_time_of_consent_that_some_have_tells_who_has_given_none():
    columns = {"Mobile": PHONES[:2], "SMS opt-in date": ["2024-01-02", ""]}
    found, *_ = guessed(columns)
    assert found["sms_consent"] == ["SMS opt-in date"]
    found, *_ = guessed(columns | {"SMS consent": ["yes", "no"]})
    assert found["sms_consent"] == ["SMS consent"]
    assert "sms_consent" not in guessed(columns | {"SMS opt-in date": ["2024-01-02"] * 2})[0]
    email = {"Mobile": PHONES[:2], "Email opt-in date": ["2024-01-02", ""]}
    assert "sms_consent" not in guessed(email)[0]


@pytest.mark.parametrize(
    "heading",
    ["Receive Transactional SMS", "SMS Transactional Consent", "SMS reminder consent",
     "Text notifications opt-in", "Receive SMS updates", "Ricevere promemoria SMS"],
)  # fmt: skip
def test_a_yes_to_messages_of_service_is_none_to_marketing(heading):
    assert field_of(heading, "yes") in ("other_consent", "ask")
    assert field_of("Receive marketing SMS", "yes", {heading: ["yes", "no"]}) == "sms_consent"
    assert field_of(heading, "yes", {"Receive marketing SMS": ["yes", "no"]}) == ""


def test_a_state_that_a_column_of_consent_explains_is_not_asked_about():
    columns = {"Mobile": PHONES[:2], "Status": ["ACTIVE", "INACTIVE"]}
    assert guessed(columns)[2]
    assert not guessed(columns | {"Opt-out time": ["", "2024-02-02"]})[2]
    assert guessed(columns | {"Opt-out time": ["2024-02-02", ""]})[2]


@pytest.mark.parametrize("heading", ["enable_loyalty", "Loyalty card active", "Loyalty status"])
def test_a_loyalty_program_is_no_consent(heading):
    columns, _, problem = guessed({heading: ["1", "0"], "Mobile": PHONES[:2]})
    assert columns == {"phone": ["Mobile"]} and not problem


def test_a_column_named_sms_holds_numbers_or_answers():
    assert guessed({"SMS": PHONES, "Name": ["A", "B", "C", "D"]})[0]["phone"] == ["SMS"]
    found, *_ = guessed({"SMS": ["yes", "no"], "Mobile": PHONES[:2]})
    assert (found["sms_consent"], found["phone"]) == (["SMS"], ["Mobile"])


def test_mobile_numbers_come_before_others():
    headings = ["Work Phone", "Phone", "Landline phone", "Home Phone", "Mobile", "Phone 2"]
    found, *_ = guessed(dict.fromkeys(headings, PHONES))
    assert found["phone"] == [
        "Mobile",
        "Phone",
        "Phone 2",
        "Home Phone",
        "Work Phone",
        "Landline phone",
    ]


def test_a_phone_column_with_an_unknown_heading_is_found_by_its_cells():
    found, notes, problem = guessed({"Sími": PHONES, "Nimi": ["A", "B", "C", "D"]})
    assert found["phone"] == ["Sími"] and not problem
    assert notes == ["Sími: phone numbers, by its cells"]


def test_of_two_columns_that_could_hold_the_phone_number_a_person_chooses():
    _, _, problem = guessed({"Foo": PHONES, "Bar": PHONES[::-1]})
    assert "Foo, Bar" in problem and "--map phone=COLUMN" in problem


def test_numbers_that_count_up_may_be_customers():
    _, _, problem = guessed({"Foo": [f"694400000{n}" for n in range(5)]})
    assert "count up" in problem and "--map phone=1" in problem


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"Name": "Muster", "Vorname": "Max"}, {"first_name": "Vorname", "last_name": "Name"}),
        ({"Nom": "Durand", "Prénom": "Zoé"}, {"first_name": "Prénom", "last_name": "Nom"}),
        ({"Nombre": "Eva", "Apellido": "Gil"}, {"first_name": "Nombre", "last_name": "Apellido"}),
        ({"Όνομα": "Εύα", "Επίθετο": "Παπά"}, {"first_name": "Όνομα", "last_name": "Επίθετο"}),
        ({"Name": "Max Muster", "Vorname": "Max"}, {"first_name": "Vorname", "full_name": "Name"}),
        ({"Name": "Max Muster"}, {"full_name": "Name"}),
        ({"Customer": "Max Muster"}, {"full_name": "Customer"}),
        ({"Customer": "10012"}, {}),
    ],
)
def test_a_plain_name_is_the_half_that_has_no_other_column(table, expected):
    found, *_ = guessed(
        {heading: [cell] * 2 for heading, cell in table.items()} | {"Tel": PHONES[:2]}
    )
    assert found == {"phone": ["Tel"]} | {field: [heading] for field, heading in expected.items()}


def test_blanks_of_a_half_do_not_shift_the_names_beside_it():
    halves = {"First Name": ["", "Eva", "Max"], "Name": ["Anna Papa", "Eva Lade", "Max Muster"]}
    found, *_ = guessed(halves | {"Tel": PHONES[:3]})
    assert (found["first_name"], found["full_name"]) == (["First Name"], ["Name"])


@pytest.mark.parametrize("nothing", ["-", "N/A", "."])
def test_a_column_with_few_values_is_still_read(nothing):
    few = {"Phone": PHONES[:1] + [nothing] * 3, "Mobile": [nothing, *PHONES[1:]]}
    found, _, problem = guessed(few | {"Status": ["active"] + [nothing] * 3})
    assert found == {"phone": ["Mobile", "Phone"]} and not problem


@pytest.mark.parametrize(
    ("heading", "cells"),
    [
        ("Autoriza SMS zzpublic", ["Autoriza", "No autoriza"]),
        ("Θέλετε να μάθετε για SMS;", ["Ναι, θέλω", "Όχι, ευχαριστώ"]),
        ("SMS consent valid tot", ["2099-01-01", "2020-01-01"]),
        ("Rechtsgrundlage", ["Vertrag", "kein Vertrag"]),
        ("Status", ["Eligible", "Ineligible"]),
        ("Status", ["A", "S"]),
        ("Ajánlat", ["ja", "igen"]),
        ("SMS consent expired", ["yes", "no"]),
        ("SMS opt-out expires", ["2099-01-01", "2020-01-01"]),
        ("SMS consent type", ["Express", "None"]),
        ("Abgemeldet", ["Jan Kohl", ""]),
        ("SMS-Zusatz", ["2024-01-02", ""]),
        ("Canali di contatto", ["SMS|EMAIL", "NESSUNO"]),
        ("Erlaubte Kontaktkanäle", ["SMS, Post", "keine"]),
        ("Gruppo", ["SMS", "EMAIL"]),
        ("Mode de contact", ["oui", "non"]),
        ("Κανάλι επικοινωνίας", ["Ναι", "Όχι"]),
    ],
)
def test_what_may_be_a_consent_or_a_no_is_asked_about(heading, cells):
    _, _, problem = guessed({"Mobile": PHONES[:2], heading: cells})
    assert f"{heading} may say who agreed" in problem


@pytest.mark.parametrize(
    "heading",
    [
        "Birthday (day/month/year)", "Geburtsdatum (Tag.Monat.Jahr)",
        "Date de naissance (jj/mm/aaaa)",
        "Fecha de nacimiento (mes/día/año)", "Data di nascita [giorno/mese/anno]",
        "Ημερομηνία γέννησης (ημέρα/μήνας/έτος)",
    ],
)  # fmt: skip
def test_a_heading_of_birthdays_may_say_how_they_are_written(heading):
    found, _, problem = guessed({"Mobile": PHONES[:2], heading: ["17/05/1990", "28/02/1985"]})
    assert found["birthday"] == [heading] and not problem


def test_the_reason_of_an_opt_out_is_asked_about_unless_another_column_says_no():
    columns = {"Mobile": PHONES[:2], "Unsubscribe reason": ["", "too many"]}
    assert "Unsubscribe reason may say" in guessed(columns)[2]
    assert "Unsubscribe reason may say" in guessed(columns | {"SMS consent": ["yes", "yes"]})[2]
    assert not guessed(columns | {"SMS consent": ["yes", "no"]})[2]


def test_a_state_that_a_no_beside_it_explains_is_not_asked_about():
    states = {"Status": ["Eligible", "Ineligible"], "SMS": ["yes", "no"]}
    assert not guessed({"Mobile": PHONES[:2]} | states)[2]


@pytest.mark.parametrize(
    ("heading", "cells"),
    [
        ("Tax exempt", ["exempt", "not exempt"]), ("Batch", ["4", "no4"]),
        ("Zzcode", ["A1", "in A1"]), ("Colour", [f"{n}" for n in range(2)]),
    ],
)  # fmt: skip
def test_other_pairs_of_values_are_not_asked_about(heading, cells):
    assert not guessed({"Mobile": PHONES[:2], heading: cells})[2]


def test_a_birthday_beside_an_unknown_word_is_asked_about_if_there_is_no_other():
    columns = {"Mobile": PHONES[:2], "Zzgeb. Birthday": ["1990-05-03", ""]}
    found, _, problem = guessed(columns)
    assert "--map birthday=2" in problem and "birthday" not in found
    found, _, problem = guessed(columns | {"Birthday": ["1988-02-29", ""]})
    assert found["birthday"] == ["Birthday"] and not problem
    assert not guessed(columns | {"Zzgeb. Birthday": ["2024-05-03", ""]})[2]


def test_the_second_of_two_persons_in_a_row_lends_the_first_no_number():
    columns = {"First Name 1": ["Mia", "Tom"], "Mobile 1": [PHONES[0], ""]}
    columns |= {"First Name 2": ["Joe", "Ann"], "Mobile 2": PHONES[1:3]}
    found, notes, _ = guessed(columns)
    assert found["phone"] == ["Mobile 1"] and found["first_name"] == ["First Name 1"]
    assert "Mobile 2: not used, it may be of another person" in notes


def test_the_name_is_that_of_the_person_whose_number_is_used():
    columns = {"Buyer First Name": ["Joe"], "Buyer Email": ["joe@example.com"]}
    columns |= {"Attendee First Name": ["Mia"], "Attendee Email": [""]}
    found, *_ = guessed(columns | {"Attendee Cell Phone": PHONES[:1]})
    assert found["first_name"] == ["Attendee First Name"]
    assert found["email"] == ["Attendee Email"]


def test_several_numbers_of_one_person_are_used_one_after_the_other():
    found, *_ = guessed({"Vorname": ["Anna"], "Telefon 1": [""], "Telefon 2": PHONES[:1]})
    assert found["phone"] == ["Telefon 1", "Telefon 2"]


BIRTHDAYS = {"Birthday": ["2019-05-03", "1988-02-29"]}


@pytest.mark.parametrize(
    ("columns", "is_asked"),
    [
        ({"Pet name": ["Rex", "Luna"]}, True), ({"Ράτσα": ["Κολεΐ", ""]}, True),
        ({"Pet name": ["Rex", ""], "Pet birthday": ["2020-01-01", ""]}, False),
        ({"Children": ["2", "0"]}, False), ({"Has pets": ["yes", "no"]}, False),
        ({"Birthday": ["2019-05-03", "2021-02-28"]}, True), ({}, False),
    ],
)  # fmt: skip
def test_a_birthday_that_may_be_of_a_pet_or_a_child_is_asked_about(columns, is_asked):
    found, _, problem = guessed({"Mobile": PHONES[:2]} | BIRTHDAYS | columns)
    assert ("--map birthday=2" in problem) == is_asked
    assert found["birthday"] == ["Birthday"]


def test_the_phone_of_a_delivery_is_used_only_if_there_is_no_other():
    billed = {"Billing Phone": [PHONES[0], ""], "Shipping Phone": PHONES[:2]}
    found, notes, _ = guessed(billed)
    assert found["phone"] == ["Billing Phone"]
    assert notes == ["Shipping Phone: not used, it may be of another person"]
    found, *_ = guessed(billed | {"Billing Phone": ["", ""]})
    assert "Shipping Phone" in found["phone"]


def test_a_title_is_a_gender_if_it_addresses_somebody():
    assert field_of("Anrede", "Frau") == "gender"
    assert field_of("Title", "Sales director") == ""


def test_birthdays_and_consent_are_not_guessed_in_a_file_with_headings():
    found, *_ = guessed({"Foo": ["1985-03-25"] * 2, "Bar": ["yes", "no"], "Tel": PHONES[:2]})
    assert found == {"phone": ["Tel"]}


def test_without_headings_dates_of_adults_are_birthdays():
    rows = [["+306944000001", "Anna", "1985-03-25"], ["+306944000015", "Eva", "1990-05-03"]]
    headings = ["column 1", "column 2", "column 3"]
    assert guess_columns_and_questions(headings, rows, "GR").fields == {
        "phone": [0], "first_name": [1], "birthday": [2],
    }  # fmt: skip
    rows = [[*row[:2], "2024-01-02"] for row in rows]
    assert "birthday" not in guess_columns_and_questions(headings, rows, "GR").fields


EXPORTS = {
    "vend": (
        "customer_code,first_name,last_name,company_name,customer_group_name,email,do_not_email,"
        "phone,mobile,fax,date_of_birth,sex,physical_address1,physical_country_id,postal_city,"
        "enable_loyalty,loyalty_balance,note",
        {"phone": ["mobile", "phone"], "first_name": ["first_name"], "last_name": ["last_name"],
         "email": ["email"], "birthday": ["date_of_birth"], "gender": ["sex"],
         "sms_opt_out": ["do_not_email"], "country": ["physical_country_id"]},
    ),
    "outlook": (
        "Title,First Name,Middle Name,Last Name,Suffix,Company,Department,Job Title,"
        "Business Street,Business City,Business Country/Region,Assistant's Phone,Business Fax,"
        "Business Phone,Business Phone 2,Callback,Car Phone,Company Main Phone,Home Fax,Home Phone,"
        "Mobile Phone,Other Phone,Pager,Primary Phone,Telex,Anniversary,Birthday,E-mail Address,"
        "E-mail Type,E-mail Display Name,Gender,Manager's Name,Spouse,Web Page",
        {"phone": ["Mobile Phone", "Primary Phone", "Other Phone", "Home Phone", "Business Phone",
                   "Business Phone 2"],
         "first_name": ["First Name"], "last_name": ["Last Name"], "birthday": ["Birthday"],
         "email": ["E-mail Address"], "gender": ["Gender"]},
    ),
    "mindbody": (
        "ID,Last Name,First Name,Mobile Phone,Home Phone,Work Phone,Email,Birthdate,Gender,"
        "Emergency Contact Name,Emergency Contact Phone,Referred By,Promotional Texts,Status Date",
        {"phone": ["Mobile Phone", "Home Phone", "Work Phone"], "first_name": ["First Name"],
         "last_name": ["Last Name"], "email": ["Email"], "birthday": ["Birthdate"],
         "gender": ["Gender"], "sms_consent": ["Promotional Texts"]},
    ),
    "loyverse": (
        "Customer ID,Customer name,Email,Phone,Address,City,Country,Note,Customer code,"
        "Points balance,First visit,Last visit,Total visits,Total spent",
        {"phone": ["Phone"], "full_name": ["Customer name"], "email": ["Email"],
         "country": ["Country"]},
    ),
    "salesforce": (
        "Salutation,First Name,Last Name,Account Name,Mailing Country,Phone,Fax,Mobile,Email,"
        "Birthdate,Created Date,Email Opt Out,Do Not Call,Asst. Phone",
        {"phone": ["Mobile", "Phone"], "first_name": ["First Name"], "last_name": ["Last Name"],
         "email": ["Email"], "birthday": ["Birthdate"], "country": ["Mailing Country"],
         "sms_opt_out": ["Email Opt Out", "Do Not Call"]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXPORTS)
def test_the_columns_of_an_export_are_known(name):
    line, expected = EXPORTS[name]
    headings = line.split(",")
    guess = guess_columns_and_questions(headings, [[""] * len(headings)], "GR")
    found = {field: [headings[at] for at in places] for field, places in guess.fields.items()}
    assert found == expected


@pytest.mark.parametrize(
    ("heading", "words"),
    [
        ("mobilePhone_No.1", ("mobile", "phone", "no", "1")), ("D.O.B.", ("dob",)),
        ("Kundennummer", ("kunde", "nummer")), ("SMSOptIn", ("sms", "optin")),
        ("Τηλέφωνο", ("τηλεφωνο",)), ("Straße", ("strasse",)), ("", ()), ("№", ("no",)),
        ("landLine", ("landline",)), ("sms oPT-oUT", ("sms", "optout")),
        ("SMS配信", ("sms", "配信")),
        ("ДатаРождения", ("дата", "рождения")),
    ],
)  # fmt: skip
def test_a_heading_is_split_into_words(heading, words):
    assert canonical_heading_words(heading) == words


def test_every_pair_of_halves_makes_no_phone_of_what_is_none():
    owners = ["Fax", "Emergency", "Company", "Parent", "Store", "Employee"]
    for owner, phone in itertools.product(owners, ["phone", "mobile", "tel. no."]):
        assert read_heading(f"{owner} {phone}").meaning == Meaning.OTHER


def two_customers(heading, cells):
    sample = [["Maria", "6971234567", cells[0]], ["Nikos", "6971234568", cells[1]]]
    return guess_columns_and_questions(["Name", "Mobile", heading], sample, "GR")


@pytest.mark.parametrize(
    "heading",
    ["SMS (yes/no)", "SMS Y/N", "Συγκατάθεση (ΝΑΙ/ΟΧΙ)", "Newsletter SMS Ναι/Όχι", "SMS ja/nein",
     "Συμφωνεί ναι ή όχι", "Publicité SMS oui/non", "Contact by SMS"],
)  # fmt: skip
def test_answers_that_a_heading_offers_negate_nothing(heading):
    assert two_customers(heading, ["yes", "no"]).fields["sms_consent"] == [2]


@pytest.mark.parametrize(
    "heading",
    ["Διακοπή SMS", "SMS beendet", "Arrêt SMS", "Excluir de SMS", "Blocco SMS", "SMS paused"],
)
def test_a_word_beside_sms_that_nobody_knows_is_asked_about(heading):
    guess = two_customers(heading, ["yes", "no"])
    assert "sms_consent" not in guess.fields
    assert heading in question_of(guess) or guess.fields.get("sms_opt_out") == [2]


@pytest.mark.parametrize("heading", ["Μαύρη λίστα", "Werbeverbot?", "GDPR", "Approved", "Bloctel"])
def test_an_unknown_question_with_answers_is_asked_about(heading):
    guess = two_customers(heading, ["ναι", "όχι"])
    assert "sms_consent" not in guess.fields
    assert heading in question_of(guess) or guess.fields.get("sms_opt_out") == [2]


@pytest.mark.parametrize(("yes", "no"), [("S", "N"), ("O", "N"), ("J", "N"), ("Ν", "Ο")])
def test_letters_that_answer_an_unknown_question_are_asked_about(yes, no):
    assert "Xyzzy" in question_of(two_customers("Xyzzy", [yes, no]))
    assert not question_of(two_customers("Xyzzy", ["A", "B"]))


def test_unknown_answers_about_sms_are_asked_about():
    assert "Einw. SMS" in question_of(two_customers("Einw. SMS", ["erteilt", "nicht erteilt"]))


def test_an_answer_about_email_is_no_address():
    guess = two_customers("Email Y/N", ["Y", "N"])
    assert "email" not in guess.fields
    assert guess.fields["other_consent"] == [2]


def test_answers_are_no_names_in_a_list_without_headings():
    sample = [["Μαρία Παππά", "6971234567", "ναι"], ["Νίκος Βας", "6971234568", "όχι"]]
    guess = guess_columns_and_questions(["column 1", "column 2", "column 3"], sample, "GR")
    assert guess.fields["phone"] == [1] and "last_name" not in guess.fields
    assert "column 3" in question_of(guess)


def test_two_lists_side_by_side_are_asked_about():
    sample = [["Anna", "6971234567", "Eva", "6971234568"]]
    guess = guess_columns_and_questions(["Name", "Mobile", "Name (2)", "Mobile (2)"], sample, "GR")
    assert "come twice" in question_of(guess)


@pytest.mark.parametrize(
    ("heading", "note"),
    [
        ("Notiz", "möchte nichts mehr von uns bekommen"),
        ("Notiz", "SMS-Werbung unerwünscht"),
        ("Notiz", "hat sich vom SMS-Verteiler streichen lassen"),
        ("Notiz", "bitte aus der Datenbank nehmen"),
        ("Notiz", "will nicht per Handy angesprochen werden"),
        ("Notiz", "nur anrufen, keine Kurznachrichten"),
        ("Notes", "hates texts"),
        ("Notes", "does not consent to marketing"),
        ("Notes", "we must not message her"),
        ("Notes", "no longer wishes to be texted"),
        ("Notes", "requested no further texts"),
        ("Notes", "unsubbed by reply"),
        ("Notes", "said STOP to last text"),
        ("Remarques", "a demandé l'arrêt des SMS"),
        ("Remarques", "plus de SMS svp"),
        ("Remarques", "refuse toute prospection"),
        ("Remarques", "veut être retirée de la liste"),
        ("Remarques", "n'accepte pas les messages promotionnels"),
        ("Notas", "que no le escriban"),
        ("Notas", "ya no quiere mensajes"),
        ("Notas", "solicita baja de publicidad"),
        ("Notas", "sin autorización para SMS"),
        ("Notas", "no acepta comunicaciones"),
        ("Note", "basta sms"),
        ("Note", "non gradisce pubblicità"),
        ("Note", "togliere dalla lista"),
        ("Note", "ha revocato il consenso"),
        ("Note", "niente messaggi promozionali"),
        ("Σχόλια", "να σταματήσουν τα μηνύματα"),
        ("Σχόλια", "όχι άλλα sms"),
        ("Σχόλια", "ζήτησε διαγραφή από τη λίστα"),
        ("Σχόλια", "δεν συναινεί"),
        ("Σχόλια", "να μην ενοχληθεί"),
        ("Σχόλια", "απέσυρε τη συγκατάθεση"),
        ("Anmerkung", "hat um Löschung seiner Nummer gebeten"),
        ("Anmerkung", "SMS bitte abstellen"),
        ("Anmerkung", "Kundin beschwert sich über Werbung"),
        ("Anmerkung", "darf nicht kontaktiert werden"),
        ("Anmerkung", "fühlt sich von den Nachrichten gestört"),
        ("Client notes", "complained about our texts"),
        ("Client notes", "GDPR request - delete"),
        ("Client notes", "not interested in offers"),
        ("Client notes", "wrong person"),
        ("Client notes", "asked to be left off the mailing list"),
        ("Client notes", "do not use this number"),
        ("Client notes", "passed away 2024"),
        ("Observations", "ne plus envoyer de messages"),
        ("Observations", "numéro erroné"),
        ("Observations", "opposée au démarchage"),
        ("Observations", "STOP SMS le 12/03"),
        ("Observations", "ne veut pas être dérangée"),
        ("Observaciones", "prohibido enviar publicidad"),
        ("Observaciones", "no quiere que le molesten"),
        ("Observaciones", "número equivocado"),
        ("Observaciones", "dejad de mandar sms"),
        ("Observaciones", "retirar consentimiento"),
        ("Osservazioni", "non vuole ricevere sms"),
        ("Osservazioni", "numero sbagliato"),
        ("Osservazioni", "si è cancellata dalla newsletter"),
        ("Osservazioni", "no pubblicità"),
        ("Osservazioni", "chiede di non essere contattata"),
        ("Σημειώσεις", "μην της στέλνετε"),
        ("Σημειώσεις", "δεν θέλει διαφημιστικά"),
        ("Σημειώσεις", "λάθος αριθμός"),
        ("Σημειώσεις", "έκανε παράπονα για τα sms"),
        ("Σημειώσεις", "να βγει από τη λίστα"),
        ("Σημειώσεις", "ΟΧΙ SMS"),
        ("Vermerk", "keine Mails, keine SMS"),
        ("Vermerk", "hat Newsletter gekündigt"),
        ("Vermerk", "bitte Nummer löschen"),
        ("Vermerk", "will nicht mehr beworben werden"),
        ("Vermerk", "Datenschutz: Widerspruch v. 3.4."),
        ("Remarks", "stop messaging"),
        ("Remarks", "fed up with promos"),
        ("Remarks", "no thanks to SMS"),
        ("Remarks", "please erase my data"),
        ("Remarks", "opted out by phone"),
        ("Note", "a répondu STOP"),
        ("Note", "effacer ses données"),
        ("Note", "ne pas démarcher"),
        ("Note", "veuillez cesser les envois"),
        ("Nota", "no enviar nada"),
        ("Nota", "revocó su consentimiento"),
        ("Nota", "el número no es suyo"),
        ("Nota", "borrar de la base"),
        ("Nota", "non inviare sms"),
        ("Nota", "numero non suo"),
        ("Nota", "infastidito dalle promozioni"),
        ("Σχόλιο", "μη στείλετε sms"),
        ("Σχόλιο", "σταματήστε να στέλνετε"),
        ("Σχόλιο", "να μην του ξαναστείλουμε"),
        ("Σχόλιο", "δεν είναι δικό του το νούμερο"),
        ("Σχόλιο", "ζήτησε να σβηστούν τα στοιχεία του"),
        ("Not", "mesaj göndermeyin"),
        ("Açıklama", "kampanya istemiyor, reklam istemez"),
        ("Poznámka", "neposílat zprávy"),
        ("Uwagi", "nie wysyłać wiadomości"),
    ],
)
def test_a_note_that_refuses_or_speaks_of_messages_is_asked_about_or_an_opt_out(heading, note):
    columns, _, problem = guessed({"Mobile": PHONES[:2], heading: ["", note]})
    assert f"{heading} may say who agreed" in problem or columns["sms_opt_out"] == [heading]


@pytest.mark.parametrize(
    ("heading", "note"),
    [
        ("Notiz", "nicht vor 10 Uhr"),
        ("Notiz", "ohne Termin gekommen"),
        ("Notiz", "kein Parkplatz"),
        ("Notes", "no show in March"),
        ("Notes", "never been late"),
        ("Notes", "not allergic"),
        ("Remarques", "pas le lundi"),
        ("Remarques", "sans gluten"),
        ("Σχόλια", "δεν τρώει κρέας"),
        ("Σχόλια", "χωρίς ζάχαρη"),
        ("Anmerkung", "Rechnung nicht bezahlt"),
        ("Anmerkung", "kein Interesse an Kurs"),
        ("Client notes", "never on time"),
        ("Client notes", "no preference"),
    ],
)
def test_a_note_of_something_else_is_not_asked_about(heading, note):
    assert not guessed({"Mobile": PHONES[:2], heading: ["", note]})[2]


@pytest.mark.parametrize(
    ("heading", "cells"),
    [
        ("Stav odběru", ["přihlášen", "odhlášen"]),
        ("Állapot", ["bejelentkezett", "kijelentkezett"]),
        ("Status abonare", ["Abonat", "Dezabonat"]),
        ("Consent status", ["Valid", "Expired"]),
        ("No Phone", ["No", "Yes"]),
        ("We may reach them by", ["SMS, Email", "Post only"]),
        ("Preferred Weg", ["SMS", ""]),
        ("Zzgone", ["", "2025-01-03"]),
        ("Wechsel", ["drin", "raus"] * 4),
        ("Wechsel", ["", "raus"] * 4),
        ("Samtycke till utskick", ["ja", "nej"]),
    ],
)
def test_a_column_in_unknown_words_that_tells_customers_apart_is_asked_about(heading, cells):
    phones = [f"+30694400{number:04}" for number in range(len(cells))]
    assert f"{heading} may say who agreed" in guessed({"Mobile": phones, heading: cells})[2]


@pytest.mark.parametrize(
    ("heading", "cells"),
    [
        ("Wechsel", ["drin", "raus"]),  # two customers may differ in anything
        ("Wechsel", ["drin"] * 8),
        ("Wechsel", ["1", "2"] * 4),
        ("Zzbegin", ["2025-01-02", "2025-01-03"]),
        ("Preferred channel", ["SMS", "SMS"]),
    ],
)
def test_a_column_in_unknown_words_that_tells_nobody_apart_is_not_asked_about(heading, cells):
    phones = [f"+30694400{number:04}" for number in range(len(cells))]
    assert not guessed({"Mobile": phones, heading: cells})[2]


@pytest.mark.parametrize(
    ("heading", "cells"),
    [
        ("SMS", ["√", "x"]), ("SMS", ["ok", "X"]), ("SMS", ["+", "-"]), ("SMS", ["●", "○"]),
        ("SMS", ["v", "-"]), ("Accepts marketing", ["+", "-"]), ("Marketing", ["V", "X"]),
        ("Werbung per", ["SMS", "E-Mail"]), ("Canaux acceptés", ["SMS / Email", "Email"]),
        ("Marketing", ["Email", "Post"]), ("Werbeeinwilligung DSGVO", ["erteilt", "offen"]),
        ("SMS Status", ["Granted", "Revoked"]),
    ],
)  # fmt: skip
def test_marks_lists_and_forms_of_verbs_are_answers(heading, cells):
    assert two_customers(heading, cells).fields["sms_consent"] == [2]


@pytest.mark.parametrize("heading", ["SMS", "SMS marketing", "Accepts marketing"])
@pytest.mark.parametrize(
    "cells", [["2", "1"], ["A", "D"], ["⭐", ""], ["*", ""], ["x", "o"], ["yes", "x", "no"]]
)
def test_marks_that_nobody_understands_are_asked_about(heading, cells):
    cells = (cells * 4)[:4]
    problem = guessed({"Mobile": PHONES[:4], heading: cells})[2]
    assert f"{heading} may say who agreed" in problem


@pytest.mark.parametrize(
    ("heading", "cells"),
    [
        ("SMS", ["/", ""]), ("SMS", ["-", ""]), ("SMS", ["1", "-1"]),
        ("Consent valid", ["yes", "no"]), ("GDPR", ["agreed", ""]),
        ("GDPR", ["subscribed", "unsubscribed"]),
        ("Marketing via SMS", ["allowed until next year", "zz"]),
    ],
)  # fmt: skip
def test_what_divides_customers_under_a_heading_of_consent_is_not_left_aside(heading, cells):
    problem = guessed({"Mobile": PHONES[:2], heading: cells})[2]
    assert f"{heading} may say who agreed" in problem


@pytest.mark.parametrize("heading", ["Consent (GDPR)", "Personal data consent"])
def test_a_state_under_consent_to_data_processing_is_none_of_an_opt_out(heading):
    assert two_customers(heading, ["agreed", ""]).fields["other_consent"] == [2]


def test_what_was_declined_may_be_something_else_than_messages():
    assert "Declined appointments may say" in question_of(
        two_customers("Declined appointments", ["1", "0"])
    )


@pytest.mark.parametrize("heading", ["SMS marketing", "Consent status", "SMS consent"])
@pytest.mark.parametrize("cell", ["A", "zzdone", "9"])
def test_an_answer_that_nobody_understands_is_asked_about_even_if_all_gave_it(heading, cell):
    assert f"{heading} may say who" in guessed({"Mobile": PHONES[:2], heading: [cell] * 2})[2]


def test_one_mark_for_everybody_tells_nobody_apart():
    assert not guessed({"Mobile": PHONES[:2], "Marketing": ["A", "A"]})[2]


@pytest.mark.parametrize("heading", ["WhatsApp", "Viber/SMS", "Viber"])
@pytest.mark.parametrize("cells", [["+", "-"], ["●", "○"], ["ναι", "όχι"]])
def test_answers_under_the_name_of_another_channel_are_asked_about(heading, cells):
    problem = guessed({"Mobile": PHONES[:2], heading: cells})[2]
    assert f"{heading} may say who agreed" in problem


def test_answers_under_email_are_a_consent_to_other_messages():
    assert field_of("Email", "x") == "email"
    columns, *_ = guessed({"Mobile": PHONES[:2], "Email": ["√", "x"]})
    assert columns == {"phone": ["Mobile"], "other_consent": ["Email"]}
    beside = {"SMS": ["yes", "no"], "Email": ["yes", "no"]}
    columns, notes, problem = guessed({"Mobile": PHONES[:2], **beside})
    assert "other_consent" not in columns and not problem
    assert notes == ["Email: not used as consent to SMS"]


@pytest.mark.parametrize(
    "heading",
    ["SMS consent expires", "Marketing consent expiry date", "SMS consent valid until",
     "SMS-Einwilligung gültig bis", "Einwilligung bis", "Scadenza consenso",
     "Consenso valido fino al", "Consentement SMS valable jusqu'au", "Expiration du consentement",
     "Consentimiento caduca", "Vencimiento del consentimiento SMS", "Λήξη συγκατάθεσης",
     "Η συγκατάθεση SMS ισχύει έως"],
)  # fmt: skip
def test_the_end_of_a_consent_is_read_as_one(heading):
    assert two_customers(heading, ["2099-01-01", ""]).fields["sms_consent"] == [2]
    beside = guessed({"Mobile": PHONES[:2], "SMS": ["yes", "no"], heading: ["2099-01-01", ""]})[0]
    assert (beside["sms_consent"], beside["other_consent"]) == (["SMS"], [heading])


@pytest.mark.parametrize(
    "heading",
    ["GDPR consent", "GDPR consent date", "Consent to data processing", "DSGVO-Einwilligung",
     "DSGVO unterschrieben am", "Einwilligung DSGVO am", "Einwilligung Datenverarbeitung",
     "Consenso privacy", "Data consenso privacy", "Consenso al trattamento dei dati personali",
     "Accord RGPD", "Date consentement RGPD", "Consentement données personnelles",
     "Consentimiento RGPD", "Fecha consentimiento RGPD", "Consentimiento LOPD",
     "Συγκατάθεση GDPR", "Αποδοχή όρων", "Ημ. συγκατάθεσης GDPR"],
)  # fmt: skip
@pytest.mark.parametrize("cell", ["yes", "2021-03-12"])
def test_a_consent_to_data_processing_is_used_and_what_a_blank_means_is_said(heading, cell):
    guess = two_customers(heading, [cell, ""])
    assert guess.fields["other_consent"] == [2]
    assert guess.notes == [
        f"{heading}: a no or a blank gives no consent, a yes alone is none to SMS"
    ]


def test_a_no_to_data_processing_beside_a_yes_to_sms_is_asked_about():
    columns = {"Mobile": PHONES[:2], "GDPR consent": ["yes", "no"]}
    assert not guessed(columns | {"SMS consent": ["yes", "no"]})[2]
    assert "GDPR consent may say who" in guessed(columns | {"SMS consent": ["no", "yes"]})[2]


@pytest.mark.parametrize(
    "heading", ["GDPR marketing consent", "Consenso marketing GDPR", "Accord RGPD pub"]
)
def test_a_consent_to_advertising_is_one_to_sms_whatever_law_it_names(heading):
    assert field_of(heading, "yes") == "sms_consent"


OPT_OUT_TITLES = """
    Disiscritti, Iscritti disiscritti, Cancellati, Esclusi, Revoche, Revocati, Lista nera,
    Ritirati, Bloccati, Sperrliste, Kundensperrliste, Widerrufe, Gesperrte, Gesperrte Kunden,
    Abgemeldete, Austragungen, Gelöschte Kunden, Gekündigt 2024, Schwarze Liste, Désinscrits,
    Désabonnées, Liste noire, Exclus, Bloqués, Supprimés, Opposés au marketing, Lista negra,
    Excluidos, Cancelados, Desuscritos, Revocados, Eliminados, Bloqueados, Διαγραμμένοι,
    Διαγραφέντες, Μη αποστολή, Μαύρη λίστα, Ανακλήσεις, Ανακάλεσαν, Απεγγραφές, Αποκλεισμένοι,
    Εξαιρέσεις, Inactive, Inactive members, Withdrawn, Revocations, Cancelled members, Deleted,
    Excluded, Blocked, Suppressed contacts, Do not market
"""


@pytest.mark.parametrize("title", [" ".join(text.split()) for text in OPT_OUT_TITLES.split(",")])
def test_a_title_is_known_by_the_words_that_headings_and_cells_are_known_by(title):
    assert title_names_opt_outs_or_former_people(title) and title_names_opt_outs_or_former_people(
        f"{title} 2024.csv"
    )


@pytest.mark.parametrize(
    "title",
    ["Kunden 2024", "clients_export_2024-05.csv", "Customers who opted in", "Newsletter",
     "Πελάτες Μάιος", "Stammkunden", "Clienti con consenso", "Abonnés SMS", "Exclusive members",
     "Clientes VIP", "Elenco clienti", "Sendungen Mai", "Anmeldungen", "Retired teachers"],
)  # fmt: skip
def test_a_title_of_customers_is_no_list_of_opt_outs(title):
    assert not title_names_opt_outs_or_former_people(title)


def test_a_preferred_channel_beside_consent_to_sms_is_not_asked_about():
    columns = {"Mobile": PHONES[:2], "Preferred channel": ["SMS", "Email"]}
    assert "Preferred channel may say who agreed" in guessed(columns)[2]
    assert not guessed(columns | {"SMS consent": ["yes", "no"]})[2]


@pytest.mark.parametrize(
    ("heading", "cells"),
    [
        ("SMS (1=ja, 2=nein)", ["1", "2", "1", "1"]),
        ("Marketing 1=yes 2=no 3=deceased", ["1", "2", "3", "1"]),
        ("Mailing (1 = ja / 2 = nein / 3 = verstorben)", ["1", "2", "3", "1"]),
        ("Publicité (A=oui; B=non)", ["A", "B", "A", "A"]),
        ("Gutschein-SMS", ["Ja", "Nein", "Ja", "Ja"]),
        ("Birthday texts", ["Yes", "No", "Yes", "Yes"]),
        ("Πόντοι SMS", ["ναι", "όχι", "ναι", "ναι"]),
        ("Text Opt Status", ["1", "-1", "0", "1"]),
        ("Werbung", ["an", "aus", "an", "an"]),
        ("Marketing", ["aan", "uit", "", "aan"]),
        ("Samtycke", ["givet", "återkallat", "", "givet"]),
        ("Souhlas", ["udělen", "odvolán", "neuveden", "udělen"]),
        ("Zgody", ["wyrażona", "odmowa", "brak", "wyrażona"]),
        ("Marketing", ["1", "2", "0", "1"]),
        ("Post", ["oui", "non", "oui", "oui"]),
        ("Muted", ["0", "1", "0", "0"]),
    ],
)
def test_a_no_in_codes_or_beside_other_words_is_read_or_asked_about(heading, cells):
    columns, _, problem = guessed({"Mobile": PHONES[:4] * 2, heading: cells * 2})
    said = columns.get("sms_consent", []) + columns.get("other_consent", [])
    assert f"{heading} may say who agreed" in problem or said == [heading]


def test_letters_and_calls_beside_consent_to_sms_are_set_aside():
    channels = {"Post": ["Opt out"] * 4, "Calls": ["yes", "no", "no", "no"]}
    columns, notes, problem = guessed(
        {"Mobile": PHONES, "Text msg": ["Opt in", "Opt out", "Unknown", ""], **channels}
    )
    assert columns == {"phone": ["Mobile"], "sms_consent": ["Text msg"]} and not problem
    assert notes == [f"{heading}: not used as consent to SMS" for heading in channels]
    headings = ["Mobile", "SMS", "Post"]
    validate = build_row_validator(headings, {"phone": [0], "sms_consent": [1]}, "iso", "GR")
    assert validate(["6944000501", "yes", "Opt out"]).consent == Consent.AGREES
    assert validate(["6944000501", "yes", "Do not contact"]).consent == Consent.OPTED_OUT
    at_large = {"SMS": ["yes", "yes", "no", "yes"], "Calls": ["yes", "do not contact", "no", "no"]}
    assert "Calls may say who agreed" in guessed({"Mobile": PHONES, **at_large})[2]


def test_a_consent_to_profiling_says_nothing_of_messages():
    answers = {"Consenso marketing": ["sì", "no"], "Consenso profilazione": ["no", "sì"]}
    columns, _, problem = guessed({"Mobile": PHONES[:2], **answers})
    assert columns["sms_consent"] == ["Consenso marketing"] and "other_consent" not in columns
    assert not problem
    both = guessed({"Mobile": PHONES[:2], "Consenso marketing e profilazione": ["sì", "no"]})
    assert "may say who agreed" in both[2]


@pytest.mark.parametrize(
    "states", [["ONAY", "RET"], ["Zgoda", "Sprzeciw"], ["Påmeldt", "Reservert"]]
)
def test_two_states_again_and_again_are_asked_about_in_a_short_list_too(states):
    cells = [states[at] for at in (0, 1, 0, 0, 1)]
    for heading in ("Xyzdurumu", "Status zgody"):
        problem = guessed({"Mobile": [*PHONES, "+306944000218"], heading: cells})[2]
        assert f"{heading} may say who agreed" in problem


@pytest.mark.parametrize("heading", ["Xyzdurumu", "Xyz"])
def test_two_states_and_blanks_are_asked_about_and_birthdays_are_not(heading):
    states = ["E", "H", "E", "", "H", ""]
    mobiles = [f"+3069440002{at}" for at in ("23", "30", "42", "58", "69", "77")]
    assert f"{heading} may say" in guessed({"Mobile": mobiles, heading: states})[2]
    born = ["12.05.1980", "25.06.1971", "", "04.11.1999", "", "01.02.1965"]
    assert not guessed({"Mobile": mobiles, heading: born})[2]


@pytest.mark.parametrize("heading", ["Data retragerii acordului", "Xyz"])
def test_dates_that_few_have_under_other_words_may_be_those_of_opt_outs(heading):
    table = {"Mobile": PHONES, "SMS": ["da", "da", "nu", "da"]}
    assert f"{heading} may say" in guessed(table | {heading: ["", "05.05.2024", "", ""]})[2]
    if heading != "Xyz":
        # Visits are dates that most have, and adults were born long ago.
        visits = ["01.02.2026", "03.02.2026", "", "04.02.2026"]
        assert not guessed(table | {heading: visits})[2]
        assert not guessed(table | {heading: ["", "05.05.1984", "", ""]})[2]


def test_states_of_a_country_are_no_countries():
    names = ["Ann Lee", "Bob Day", "Cy Roe", "Di Fox", "Eve Orr"]
    table = {"Name": names, "Mobile": [f"(212) 555-012{at}" for at in range(5)]}
    found, *_ = guessed(table | {"Country/State": ["FL", "CA", "DE", "GA", "MA"]}, "US")
    assert "country" not in found
    found, *_ = guessed(table | {"Country": ["US", "CA", "DE", "GA", "XQ"]}, "US")
    assert found["country"] == ["Country"]


def test_full_names_are_found_by_their_cells_if_no_heading_says_so():
    names = ["Anna Papa", "Eva Lade", "Max Muster", "Zoe Linden"]
    columns, notes, _ = guessed({"Who": names, "Mobile": PHONES})
    assert columns["full_name"] == ["Who"] and "Who: names, by its cells" in notes
    pets = {"Owner": names, "Pet": ["Rex", "Bella", "Max", "Luna"], "Mobile": PHONES}
    assert guessed(pets)[0]["full_name"] == ["Owner"]
    # The owner of a deal is an employee.
    assert "full_name" not in guessed({"Owner": names, "Mobile": PHONES})[0]
    employees = ["Anna Papa", "Anna Papa", "Anna Papa", "Eva Lade"]
    assert "full_name" not in guessed({"Xyz": employees, "Mobile": PHONES})[0]


def test_forms_of_address_tell_the_gender_under_any_heading():
    assert guessed({"Mobile": PHONES, "Civ": ["Mme", "M", "", "M."]})[0]["gender"] == ["Civ"]
    assert "gender" not in guessed({"Mobile": PHONES, "Xyz": ["F", "M", "", "M"]})[0]


def test_a_heading_that_is_cut_short_is_known_by_its_beginning():
    assert field_of("Cumple", "25/03/1990") == "birthday"
    assert read_heading("Public").meaning == Meaning.UNKNOWN


@pytest.mark.parametrize(
    ("heading", "cell", "field"),
    [
        ("Imię", "Ewa", "first_name"), ("Data urodzenia", "25.03.1990", "birthday"),
        ("Prenume", "Ana", "first_name"), ("Data nașterii", "25.03.1990", "birthday"),
        ("Ad Soyad", "Elif Kaya", "full_name"), ("Doğum Tarihi", "25.03.1990", "birthday"),
        ("Cinsiyet", "Kadın", "gender"), ("Płeć", "Kobieta", "gender"),
        ("Data de nascimento", "25/03/1990", "birthday"), ("CEP", "01310100", ""),
    ],
)  # fmt: skip
def test_usual_headings_of_names_and_birthdays_are_known_in_more_languages(heading, cell, field):
    assert field_of(heading, cell) == field


@pytest.mark.parametrize(
    ("mobile", "other"),
    [
        ("Κινητό", "Σταθερό"), ("Portable", "Fixe"), ("Handy", "Festnetz"), ("Mobil", "Privat"),
        ("Cellulare", "Fisso"), ("Móvil", "Fijo"), ("Mobile", "Landline"), ("Mobiel", "Vast"),
        ("Mobile", "Office 2"),
    ],
)  # fmt: skip
def test_a_mobile_under_the_word_for_another_place_is_used_if_it_is_the_only_one(mobile, other):
    headings = [mobile, other]
    rows = [["6944000001", "2101234567"], ["", "6944000112"], ["2101234568", "6944000907"]]
    guess = guess_columns_and_questions(headings, rows, "GR")
    validate = build_row_validator(headings, guess.fields, "iso", "GR", sample=rows)
    assert [validate(list(row)).phone for row in rows] == [
        "+306944000001", "+306944000112", "+306944000907",
    ]  # fmt: skip


def test_numbers_that_are_no_phones_under_such_a_word_are_not_used():
    columns, *_ = guessed({"Mobile": PHONES, "Fixed": ["12", "9", "30", "7"]})
    assert columns["phone"] == ["Mobile"]


@pytest.mark.parametrize(
    ("heading", "cells"),
    [
        ("Inscription", ["2021-07-04", "2021-08-14", "2022-01-02", "2022-01-03"]),
        ("Senaste besök", ["2024-01-03", "2023-03-03", "", ""]),
        ("Ostatnia wizyta", ["2024-01-03", "", "", ""]),
    ],
)
def test_dates_of_visits_and_registrations_are_not_asked_about(heading, cells):
    assert not guessed({"Mobile": PHONES, heading: cells})[2]


def asked_about(headings, rows, region="DE", chosen=None):
    guess = guess_columns_and_questions(headings, rows, region, chosen)
    return [headings[question.position] for question in guess.questions], guess


@pytest.mark.parametrize("cells", ["x    ", ["2024-02-03", "", "", "", ""]])
@pytest.mark.parametrize(
    "heading",
    ["Rev. consenso", "Consenso rev", "Einw. zurück", "Consentement fin", "Consent pulled"],
)
def test_dates_or_a_mark_of_few_under_a_consent_in_unknown_words_are_asked_about(heading, cells):
    rows = [[f"015123456{n}", cell.strip(), "ja"] for n, cell in enumerate(cells, 700)]
    asked, guess = asked_about(["Handy", heading, "Werbung ok"], rows)
    assert asked == [heading] and guess.fields["sms_consent"] == [2]


@pytest.mark.parametrize("heading", ["Rev. consenso", "Widerr. Einwilligung", "Consent rej."])
def test_answers_under_what_may_be_a_withdrawal_cut_short_are_asked_about(heading):
    rows = [[f"015123456{700 + n}", "nein" if n else "ja", "ja"] for n in range(4)]
    assert asked_about(["Handy", heading, "Werbung ok"], rows)[0] == [heading]


@pytest.mark.parametrize(
    "heading",
    [
        "NewsletterAllowanceAt",
        "SMS zugelassen am",
        "Newsletter gewollt",
        "SMS welcome",
        "Marketing qx",
    ],
)
def test_dates_that_not_all_have_under_messages_in_unknown_words_are_asked_about(heading):
    cells = ["2024-02-03 10:11:12", "2024-02-04 10:11:12", "0000-00-00 00:00:00", ""]
    rows = [[f"015123456{n}", cell] for n, cell in enumerate(cells, 700)]
    assert asked_about(["Handy", heading], rows)[0] == [heading]


@pytest.mark.parametrize("cells", ["x    ", ["si", "no", "si", "no", "no"]])
@pytest.mark.parametrize("heading", ["SMS NO", "Publi NO", "Marketing no", "Newsletter No"])
def test_a_no_behind_what_is_sent_may_deny_it(heading, cells):
    rows = [[f"6123456{n}", cell.strip()] for n, cell in enumerate(cells, 10)]
    assert heading in asked_about(["Móvil", heading], rows, "ES")[0]


@pytest.mark.parametrize(
    ("heading", "code"),
    [
        ("Rot = keine Werbung", "rot"), ("x = kein SMS", "X"), ("N = no marketing", "N"),
        ("s = pas de publicité", "s"), ("Info (1 = sin publicidad)", "1"),
    ],
)  # fmt: skip
def test_a_code_that_a_heading_explains_as_a_no_is_asked_about_and_read(heading, code):
    rows = [["015123456701", ""], ["015123456702", code], ["015123456703", ""]]
    assert asked_about(["Handy", heading], rows)[0] == [heading]
    for is_opt_out in (True, False):
        column = ConsentColumn(
            [code], is_opt_out=is_opt_out, heading=heading, date_order="iso", zone=UTC
        )
        assert column.read(code).consent == Consent.OPTED_OUT


def test_an_opt_out_of_email_stays_one_after_that_of_sms_was_chosen():
    headings = ["Móvil", "NoEnviarSMS", "NoEnviarEmail"]
    rows = [["612345601", "0", "-1"], ["612345602", "-1", "0"]]
    for chosen in (None, {"phone": [0], "sms_opt_out": [1]}):
        assert asked_about(headings, rows, "ES", chosen)[1].fields["sms_opt_out"] == [1]


def test_no_column_is_asked_about_twice():
    rows = [["512345601", "t", "t"], ["512345602", "t", "n"], ["512345603", "n", "t"]]
    asked, _ = asked_about(["Telefon", "Zgoda na newsletter", "Zgoda na SMS"], rows, "PL")
    assert asked == ["Zgoda na newsletter", "Zgoda na SMS"]


@pytest.mark.parametrize("heading", ["kKunde", "CodCliente", "Kunde", "Contact"])
def test_numbers_of_customers_are_no_answers(heading):
    rows = [[str(n), f"01512345670{n}"] for n in range(1, 4)]
    assert not asked_about([heading, "Handy"], rows)[0]


@pytest.mark.parametrize("heading", ["KATALOG", "MAHNSPERRE", "Kreditsperre", "Brief"])
def test_letters_and_dunning_are_not_asked_about_beside_a_bar_to_advertising(heading):
    rows = [[f"015123456{700 + n}", "JN"[n % 2], "NJ"[n == 3]] for n in range(6)]
    asked, guess = asked_about(["Handy", heading, "WERBESPERRE"], rows)
    assert not asked and guess.fields["sms_opt_out"] == [2]


@pytest.mark.parametrize("heading", ["Termin-SMS", "Receives appointment texts", "SMS de cita"])
def test_messages_on_appointments_are_not_asked_about_beside_a_consent_to_sms(heading):
    rows = [[f"015123456{700 + n}", "ja", "nein" if n else "ja"] for n in range(6)]
    asked, guess = asked_about(["Handy", heading, "SMS-Werbung"], rows)
    assert not asked and guess.fields["sms_consent"] == [2]


def test_in_and_out_are_answers_beside_each_other():
    column = ConsentColumn(["IN", "OUT"], is_opt_out=False, date_order="iso", zone=UTC)
    assert [column.read(cell).consent for cell in ("IN", "OUT")] == [
        Consent.AGREES,
        Consent.OPTED_OUT,
    ]
    column = ConsentColumn(["OUT", "late"], is_opt_out=False, date_order="iso", zone=UTC)
    assert column.read("OUT").problem


@pytest.mark.parametrize(
    "heading", ["Alta SMS", "SMS registered at", "SMS-Anmeldung", "Εγγραφή SMS", "SMS signup date"]
)
def test_when_somebody_joined_the_messages_is_asked_about(heading):
    rows = [["612345601", "2023-02-01"], ["612345602", "2023-02-02"], ["612345603", ""]]
    assert asked_about(["Móvil", heading], rows, "ES")[0] == [heading]
