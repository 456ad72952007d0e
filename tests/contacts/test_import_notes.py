"""Notes, tags and remarks beside a name or a number: a no in them is an opt-out, doubt no yes."""

import pytest
from django.core.management import CommandError, call_command

from contacts.importing import lifecycle, planning
from contacts.importing.consent_cells import Consent
from contacts.importing.refusing_cells import (
    cell_refuses_messages,
    name_refuses_contact,
    phone_remark_refuses_messages,
)
from contacts.importing.validating import (
    Rejection,
    build_reader_of_refusals_and_withheld_consents,
    build_row_validator,
)
from contacts.models import Contact, ContactImport, RejectedRow, Suppression
from tests.support.factories import make_store

HEADINGS = ["Phone", "First", "Last", "Note"]
MAPPING = {"phone": [0], "first_name": [1], "last_name": [2], "notes": [3]}


def judged(region="GR", phone="6900000001", first="Anna", note=""):
    return build_row_validator(HEADINGS, MAPPING, "iso", region)([phone, first, "Papa", note])


@pytest.mark.parametrize(
    "note",
    [
        "NO TEXTS PLEASE", "Do not contact - moved abroad", "doesn't like getting texts",
        "pls no msgs", "asked to be removed from marketing list", "unsubscribed", "STOP",
        "keine Werbung bitte", "möchte keine SMS mehr", "Werbung unerwünscht",
        "ΟΧΙ SMS", "oxi sms", "μην στέλνετε μηνύματα", "ενοχλείται από μηνύματα",
        "non vuole pubblicità", "ha chiesto la cancellazione dagli SMS", "basta messaggi",
        "VIP, ne plus contacter", "STOP PUB", "se plaint des SMS", "désinscrire",
        "no enviar mensajes", "BAJA", "le molestan los mensajes", "quitar de la lista de SMS",
        "Do Not Market", "wrong number", "verstorben", "plus de sms svp", "plus aucune pub",
    ],
)  # fmt: skip
def test_a_note_that_refuses_messages_opts_out(note):
    assert judged(note=note).consent == Consent.OPTED_OUT


@pytest.mark.parametrize(
    "note",
    ["asked about SMS", "bitte nicht anrufen", "do not call", "non chiamare", "no llamar",
     "μην τηλεφωνείτε", "ne pas appeler le matin", "hates texts", "pending", "solo email",
     "GDPR ausstehend", "no"],
)  # fmt: skip
def test_a_note_that_may_refuse_messages_gives_no_consent_and_is_listed(note):
    row = judged(note=note)
    assert row.consent == Consent.WITHHELD
    assert [(cell.column, cell.value) for cell in row.dropped] == [("Note", note)]


@pytest.mark.parametrize(
    "note",
    ["", "VIP", "Likes window table", "Farbe 7/1", "παράθυρο", "κάλεσε για κράτηση", "no milk",
     "allergica al nichel", "paga en efectivo", "sans gluten", "keine Milch", "non-smoker",
     "χωρίς γλουτένη", "not before 10am", "no show 3 times", "agreed to SMS", "2023-05-01"],
)  # fmt: skip
def test_a_note_of_other_things_says_nothing(note):
    row = judged(note=note)
    assert row.consent == Consent.SILENT and not row.dropped


@pytest.mark.parametrize(
    ("cell", "consent"),
    [
        ("NO TEXTS PLEASE", Consent.OPTED_OUT), ("möchte keine SMS mehr", Consent.OPTED_OUT),
        ("no", Consent.SILENT), ("VIP", Consent.WITHHELD), ("", Consent.SILENT),
    ],
)  # fmt: skip
def test_a_note_that_is_mapped_as_opt_out_is_one_if_it_refuses_messages(cell, consent):
    validate = build_row_validator(HEADINGS, {"phone": [0], "sms_opt_out": [3]}, "iso", "GR")
    assert validate(["6900000001", "", "", cell]).consent == consent


@pytest.mark.parametrize(
    ("name", "refuses"),
    [
        ("Anna (no SMS)", True), ("Niccolò NON CHIAMARE", True), ("Ines nicht anrufen", True),
        ("Δήμητρα μην καλείτε", True), ("Zoe do not call", True), ("ANNA NON CHIAMARE", True),
        ("No Walter", False), ("NO WALTER", False), ("Sin Peter Chan", False),
        ("LE GALL Aurélie", False), ("Marta van der Meer", False), ("McDonald O'Neil", False),
    ],
)  # fmt: skip
def test_a_refusal_behind_a_name_is_told_from_names(name, refuses):
    assert name_refuses_contact(name) is refuses


@pytest.mark.parametrize(
    ("cell", "refuses"),
    [
        ("6987967727 (όχι sms)", True), ("6982748421 STOP", True), ("6982748421 no", True),
        ("0170 1234567 keine Werbung", True), ("No 6982748421", False), ("6982748421", False),
        ("Tel. 6982748421", False), ("079 087 24 62 (privat)", False), ("6982748421 μαμά", False),
    ],
)  # fmt: skip
def test_a_refusal_beside_a_number_is_told_from_labels(cell, refuses):
    assert phone_remark_refuses_messages(cell) is refuses


def test_a_number_with_a_refusing_remark_is_read_and_opted_out():
    row = judged(phone="6987967727 (όχι sms)")
    assert (row.phone, row.consent) == ("+306987967727", Consent.OPTED_OUT)


def test_a_remark_with_two_numbers_is_rejected_and_refuses_for_both():
    cells = ["6987967727, 6987967728 STOP", "Anna", "Papa", ""]
    assert isinstance(build_row_validator(HEADINGS, MAPPING, "iso", "GR")(cells), Rejection)
    refusals = build_reader_of_refusals_and_withheld_consents(HEADINGS, MAPPING, "iso", "GR")(cells)
    assert {(refusal.phone, refusal.consent) for refusal in refusals} == {
        ("+306987967727", Consent.OPTED_OUT),
        ("+306987967728", Consent.OPTED_OUT),
    }


NOTES = (
    "Phone;Name;Note\n6900000001;Anna;VIP\n6900000002;Bob;no texts please\n"
    "6900000003;Carl;asked about SMS\n6900000004;Dora;\n"
)


@pytest.fixture
def store(db):
    return make_store(phone_region="GR")


@pytest.fixture
def list_file(tmp_path):
    path = tmp_path / "customers.csv"
    path.write_text(NOTES)
    return path


@pytest.mark.django_db(transaction=True)
def test_notes_are_asked_about_and_the_answer_reads_each_by_itself(store, list_file):
    with pytest.raises(CommandError, match="--map notes=3"):
        call_command("import_contacts", store.email, list_file, "--consent=form")
    call_command("import_contacts", store.email, list_file, "--consent=form", "--map=notes=3")
    job = lifecycle.run_open_import_unless_running(ContactImport.objects.latest("pk").pk)
    assert job.status == "completed", job.error
    subscribed = {c.first_name: c.is_subscribed for c in Contact.objects.all()}
    assert subscribed == {"Anna": True, "Bob": False, "Carl": False, "Dora": True}
    assert Contact.objects.get(first_name="Bob").unsubscribed_at
    assert Suppression.objects.filter(owner=store).count() == 1
    assert "may refuse" in RejectedRow.objects.get().reason


@pytest.mark.django_db
def test_notes_that_are_set_aside_still_say_how_many_refuse_or_mention_messages(store, list_file):
    plan = planning.plan_import_or_refuse(list_file, store, chosen={"phone": [0], "ignored": [2]})
    assert not plan.refusal
    assert any("2 of its cells say no to messages or speak of them" in note for note in plan.notes)


@pytest.mark.django_db
def test_a_kind_of_customers_that_must_not_be_marketed_to_is_asked_about(store, tmp_path):
    path = tmp_path / "kinds.csv"
    rows = [f"690000000{n};P{n};{'Do Not Sell To' if n % 2 else 'Customer'}" for n in range(6)]
    path.write_text("\n".join(["Phone;Name;Contact type", *rows]))
    plan = planning.plan_import_or_refuse(path, store)
    assert plan.refusal and "--map notes=3" in plan.refusal.command_line_text()


@pytest.mark.parametrize(
    ("text", "refuses"),
    [
        ("SMS bitte nicht", True), ("Werbung: nein", True), ("mag SMS nicht mehr", True),
        ("Pub non merci", True), ("SMS όχι", True), ("Post ja, SMS nein", True), ("sms no", True),
        ("SMS yes e-mail no", False), ("Newsletter no 12", False), ("SMS ok", False),
        ("no show, SMS sent", False), ("E-Mail nein", False),
    ],
)  # fmt: skip
def test_a_no_behind_messages_refuses_them(text, refuses):
    assert cell_refuses_messages(text) is refuses
    assert phone_remark_refuses_messages(f"+43 664 1234504 ({text})") is refuses
