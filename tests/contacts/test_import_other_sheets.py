"""A no on a sheet of a workbook that is not imported counts for the people who are."""

import pytest
from django.core.management import CommandError, call_command

from contacts.importing import lifecycle, other_sheets, planning
from contacts.models import Contact, ContactImport, Suppression
from tests.support.factories import make_contact, make_store
from tests.support.workbook import write_workbook

pytestmark = pytest.mark.django_db(transaction=True)

ANNA, BOB, EVA = "+306900000001", "+306900000002", "+306900000003"
CUSTOMERS = [
    ["Mobile", "First name", "Email"],
    ["6900000001", "Anna", "anna@example.gr"],
    ["6900000002", "Bob", "Bob@example.gr"],
    ["6900000003", "Eva", ""],
]


@pytest.fixture
def store():
    return make_store(phone_region="GR")


@pytest.fixture
def workbook(tmp_path):
    def write(name, rows, customers=CUSTOMERS):
        sheets = (list(enumerate(each, 1)) for each in (rows, customers))
        return write_workbook(tmp_path / "all.xlsx", *sheets, names=(name, "Kunden"))

    return write


@pytest.fixture
def run(store):
    def run(path):
        call_command("import_contacts", store.email, path, "--consent=form", "--sheet=Kunden")
        done = lifecycle.run_open_import_unless_running(ContactImport.objects.latest("pk").pk)
        assert done.status == "completed", done.error
        return {contact.first_name: contact for contact in Contact.objects.all()}

    return run


BOB_AS_ROW = [["Handy", "Name"], ["+30 690 0000002", "Bob"]]


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        # By the name of the sheet, with and without headings, also beside other columns.
        ("Abgemeldet", [["Telefon"], ["+30 690 0000002"]]),
        ("Unsubscribed", [["6900000002"]]),
        ("Do not contact", [["Name", "Mobile"], ["Bob", "690-000-0002"]]),
        ("SMS OFF", [["who", "what"], ["Bob", "called from 6900000002"], ["x", "6900000002"]]),
        ("Διαγραφές από SMS", [["Όνομα", "Κινητό"], ["Bob", "00306900000002"]]),
        ("Disiscritti", [["Cellulare", "Consenso SMS"], ["6900000002", "sì"]]),
        ("Opt-outs", [["Mobile", "Opted out on"], ["6900000002", ""]]),
        # By a title above the headings, and between two tables.
        ("Sheet1", [["Unsubscribed customers"], ["Mobile", "Name"], ["6900000002", "Bob"]]),
        (
            "Listen",
            [["Mobile", "Name"], ["6900000001", "Anna"], ["Abgemeldet", ""], ["6900000002", "B"]],
        ),
        ("Tabelle3", [["Keine SMS an:"], ["6900000002"]]),
        # By columns.
        (
            "Brevo",
            [["SMS", "SMS opt-out"], ["6900000001", "no"], ["6900000002", "yes"]],
        ),
        (
            "Kartei 2023",
            [
                ["Mobile", "Name", "SMS consent"],
                ["6900000001", "A", "yes"],
                ["6900000002", "", "n"],
            ],
        ),
        (
            "Export",
            [
                ["Mobile", "SMS status"],
                ["6900000001", "subscribed"],
                ["6900000002", "unsubscribed"],
            ],
        ),
        (
            "Notes",
            [["Mobile", "Notes"], ["6900000001", "likes tea"], ["6900000002", "no SMS please"]],
        ),
        ("Alt", [["Mobile", "Name"], ["6900000001", "Anna"], ["6900000002", "Bob (no SMS)"]]),
        # By an e-mail address alone.
        ("Newsletter Abmeldungen", [["E-Mail"], ["bob@example.gr"]]),
        ("Mailchimp", [["Email", "SMS consent"], ["bob@example.gr", "no"], ["eva@x.gr", "yes"]]),
    ],
)
def test_who_says_no_on_another_sheet_is_opted_out(run, workbook, name, rows):
    contacts = run(workbook(name, rows))
    assert sorted(contacts) == ["Anna", "Bob", "Eva"], "nobody of another sheet is imported"
    assert [contacts[each].is_subscribed for each in ("Anna", "Bob", "Eva")] == [True, False, True]
    assert contacts["Bob"].unsubscribed_at
    assert Suppression.objects.count() == 1


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("Ehemalige", [["Mobile", "Name"], ["6900000002", "Bob"]]),
        ("Inactive", [["6900000002"]]),
        # Nobody can be asked about the columns of another sheet.
        ("Extra", [["Mobile", "Status"], ["6900000002", "A"], ["6900000009", "B"]]),
    ],
)
def test_who_may_say_no_on_another_sheet_is_not_subscribed(run, workbook, name, rows):
    contacts = run(workbook(name, rows))
    assert [contacts[each].is_subscribed for each in ("Anna", "Bob", "Eva")] == [True, False, True]
    assert not contacts["Bob"].unsubscribed_at and not Suppression.objects.exists()


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("Orders", [["Order", "Mobile", "Total"], ["7", "6900000002", "12.50"]]),
        ("Legend", [["0", "unsubscribed"], ["1", "subscribed"]]),
        ("Kunden 2023", [["Mobile", "SMS consent"], ["6900000002", ""], ["6900000009", "no"]]),
        ("Opt-outs", [["Mobile", "Opt-out"], ["6900000002", "no"], ["6900000009", "yes"]]),
        ("Opt-in and opt-out", [["Mobile", "SMS"], ["6900000002", "yes"], ["6900000009", "no"]]),
    ],
)
def test_other_sheets_that_say_no_of_others_or_nothing_change_nothing(run, workbook, name, rows):
    assert all(contact.is_subscribed for contact in run(workbook(name, rows)).values())


def test_a_no_to_email_on_another_sheet_is_none_beside_a_consent_to_sms(run, workbook):
    customers = [["Mobile", "First name", "SMS consent"], ["6900000002", "Bob", "yes"]]
    rows = [["Mobile", "Newsletter"], ["6900000002", "no"], ["6900000009", "yes"]]
    assert run(workbook("Mails", rows, customers))["Bob"].is_subscribed


def test_people_of_another_sheet_who_are_not_in_the_list_are_suppressed(run, store, workbook):
    known = make_contact(store, "+306900000008", is_subscribed=True)
    run(workbook("Abgemeldet", [["Mobile"], ["6900000008"], ["6900000009"]]))
    assert Suppression.objects.count() == 2
    assert set(Contact.objects.values_list("phone", flat=True)) == {ANNA, BOB, EVA, known.phone}


def test_a_no_without_number_or_address_stops_the_import(run, store, workbook, capsys):
    path = workbook("Abgemeldet", [["Name", "Mobile"], ["Bob", ""], ["Max", "6900000009"]])
    problem = r"people on sheet Abgemeldet say no to messages, .* \(2\): add them"
    with pytest.raises(CommandError, match=problem):
        run(path)
    with pytest.raises(CommandError, match="does not start"):
        call_command("import_contacts", store.email, path, "--dry-run", "--sheet=Kunden")
    assert "neither a phone number" in capsys.readouterr().out


def test_more_people_who_say_no_than_fit_in_memory_stop_the_import(
    run, store, workbook, monkeypatch
):
    rows = [["Telefon"], ["6900000002"], ["6900000003"]]
    monkeypatch.setattr(other_sheets, "MAX_PEOPLE_WHO_MAY_SAY_NO", 1)
    path = workbook("Abgemeldet", rows)
    with pytest.raises(CommandError, match="more than 1 people on sheets that are not imported"):
        call_command("import_contacts", store.email, path, "--consent=form", "--sheet=Kunden")
    assert not Contact.objects.exists() and not Suppression.objects.exists()
    monkeypatch.setattr(other_sheets, "MAX_PEOPLE_WHO_MAY_SAY_NO", 2)
    assert run(path)["Anna"].is_subscribed


def test_the_plan_says_what_other_sheets_change(store, workbook, capsys):
    path = workbook("Abgemeldet", [["Mobile", "Mail"], *BOB_AS_ROW[1:], ["", "anna@example.gr"]])
    call_command("import_contacts", store.email, path, "--dry-run", "--sheet=Kunden")
    shown = capsys.readouterr().out
    assert "sheet Abgemeldet: not imported; people on it who say no and are opted out: 2" in shown
    assert "of 3 rows: 0 rejected, 2 opted out" in shown
    assert shown.count("consent opted out") == 2


def test_a_sheet_chosen_on_the_page_leaves_the_no_of_the_other_one(admin_client, store, workbook):
    uploaded = lifecycle.create_unstarted_import_or_refuse(
        store.pk,
        "all.xlsx",
        [workbook("Abgemeldet", BOB_AS_ROW).read_bytes()],
        consent_source="form",
    )
    url = f"/admin/contacts/contactimport/{uploaded.pk}/change/"
    assert "choose the sheet" in admin_client.get(url).text
    page = admin_client.post(url, {"sheet": "Kunden", "has_header": "1"}).text
    assert "people on it who say no and are opted out: 1" in page
    lifecycle.start_import_audit_and_enqueue_or_raise(uploaded, by="test")
    done = lifecycle.run_open_import_unless_running(uploaded.pk)
    assert (done.status, done.created) == ("completed", 3)
    assert list(Contact.objects.filter(is_subscribed=False).values_list("phone")) == [(BOB,)]


def test_a_legend_on_another_sheet_explains_the_chosen_one(store, workbook):
    customers = [["Mobile", "SMS"], ["6900000001", "1"], ["6900000002", "2"]]
    path = workbook("Legende", [["1", "nein"], ["2", "ja"]], customers)
    for sheet in ("", "Kunden"):
        plan = planning.plan_import_or_refuse(path, store, sheet=sheet)
        assert plan.layout.headings[1] == "SMS (1 = nein, 2 = ja)"


def test_a_long_sheet_is_counted_in_part_and_imported_whole(run, store, workbook, monkeypatch):
    monkeypatch.setattr(planning, "MAX_COUNTING_SECONDS", 0)
    rows = [["Mobile"], *([f"69{n:08}"] for n in range(1500)), ["6900000002"]]
    path = workbook("Abgemeldet", rows)
    notes = " ".join(planning.plan_import_or_refuse(path, store, sheet="Kunden").notes)
    assert "counted so far, in its first 1,000 rows; the import reads all" in notes
    assert not run(path)["Bob"].is_subscribed
