"""What a file leaves open is asked by `import_contacts`, with the option that answers it."""

import zipfile

import pytest
from django.core.management import CommandError, call_command

from contacts.importing import lifecycle, planning
from contacts.models import Contact, ContactImport
from tests.support.factories import make_contact, make_store
from tests.support.workbook import write_workbook

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def store():
    return make_store(phone_region="GR")


@pytest.fixture
def run(store, tmp_path):
    def run(content, *options):
        path = content
        if isinstance(content, bytes):
            path = tmp_path / "customers.csv"
            path.write_bytes(content)
        call_command("import_contacts", store.email, path, *options)
        done = lifecycle.run_open_import_unless_running(ContactImport.objects.latest("pk").pk)
        assert done.status == "completed", done.error
        return {contact.phone: contact for contact in Contact.objects.all()}

    return run


STATUSES = b"Phone;Name;Status\n6900000001;Anna;active\n6900000002;Bob;inactive\n"


def test_a_column_that_may_speak_of_consent_is_used_or_set_aside_never_left(run):
    with pytest.raises(CommandError, match=r"--ignore 3"):
        run(STATUSES, "--consent=form")
    assert not ContactImport.objects.exists()
    contacts = run(STATUSES, "--consent=form", "--ignore=Status")
    assert all(contact.is_subscribed for contact in contacts.values())


def test_an_answered_column_of_consent_opts_out_who_says_no(run):
    contacts = run(STATUSES, "--consent=form", "--map=sms_consent=Status")
    assert contacts["+306900000001"].is_subscribed
    assert not contacts["+306900000002"].is_subscribed
    assert contacts["+306900000002"].unsubscribed_at


def test_naming_one_column_of_consent_does_not_set_the_other_aside(run):
    text = b"Phone;SMS consent;Opt out\n6900000001;yes;yes\n6900000002;yes;\n"
    contacts = run(text, "--consent=form", "--map=sms_consent=SMS consent")
    assert not contacts["+306900000001"].is_subscribed
    assert contacts["+306900000002"].is_subscribed


def test_the_codes_of_a_legend_are_read_and_the_column_is_named_as_the_file_names_it(run):
    text = "Mailing: 1 = oui, 2 = non, 0 = non renseigné\nPhone;Name;Mailing\n"
    text += "6900000001;Anna;1\n6900000002;Bob;2\n6900000003;Eva;0\n"
    contacts = run(text.encode(), "--consent=form", "--map=sms_consent=Mailing")
    assert [contact.is_subscribed for _, contact in sorted(contacts.items())] == [
        True,
        False,
        False,
    ]
    opted_out = [contact.first_name for contact in contacts.values() if contact.unsubscribed_at]
    assert opted_out == ["Bob"]


def test_an_encoding_that_nobody_can_tell_is_named(run):
    text = b"Phone;Name\n6900000001;Ren\xe9e\n"
    with pytest.raises(CommandError, match="--encoding"):
        run(text)
    assert run(text, "--encoding=cp1252")["+306900000001"].first_name == "Renée"


def test_an_unknown_encoding_is_refused(run):
    with pytest.raises(CommandError, match="there is no encoding klingon"):
        run(b"Phone\n6900000001\n", "--encoding=klingon")


def test_of_two_different_sheets_one_is_chosen(run, tmp_path):
    path = write_workbook(
        tmp_path / "customers.xlsx",
        [(1, ["Phone", "Name"]), (2, ["6900000001", "Anna"])],
        [(1, ["Mobile", "City"]), (2, ["6900000002", "Patras"])],
    )
    with pytest.raises(CommandError, match="--sheet"):
        run(path)
    assert set(run(path, "--sheet=Sheet2")) == {"+306900000002"}


def test_a_dry_run_shows_what_would_be_stored_and_what_is_not_used(store, tmp_path, capsys):
    path = tmp_path / "customers.csv"
    path.write_text(
        "Phone;First name;Email;Points\n6900000001;Anna;none;3\n12;Bob;;4\n+30 210 1234567;Ada;;5\n"
    )
    call_command("import_contacts", store.email, path, "--dry-run")
    shown = capsys.readouterr().out
    assert "phone +306900000001, first name Anna" in shown
    assert "not used: Points, such as 3" in shown
    assert "of 3 rows: 1 rejected, 0 opted out" in shown
    assert "1 with a number that may not receive SMS" in shown
    assert "1 × Phone: not a valid phone number" in shown
    assert not ContactImport.objects.exists()


def test_a_second_table_with_other_columns_below_the_first_is_put_before_a_person(run):
    text = "Name,Mobile,Email consent,SMS consent\nAnna,6900000001,no,yes\n"
    again = "Name,Mobile,Email consent,SMS consent\nEva,6900000003,yes,yes\n"
    swapped = "Name,Mobile,SMS consent,Email consent\nBob,6900000002,no,yes\n"
    with pytest.raises(CommandError, match="line 5 holds the headings in another order"):
        run((text + again + swapped).encode(), "--consent=form")
    assert sorted(run((text + again).encode(), "--consent=form")) == [
        "+306900000001",
        "+306900000003",
    ]


SAYS = "these people want no messages"


@pytest.mark.parametrize(
    "text",
    [
        "Opt-out list exported 02/01/2024\nMobile,Name\n6900000001,Anna\n",
        "Kunden 2024\nrot markiert = keine SMS\nMobile,Name\n6900000001,Anna\n",
        "Name,Mobile\nAnna,6900000001\nUnsubscribed,\nBob,6900000002\n",
    ],
)
def test_a_title_or_a_divider_that_says_no_is_put_before_a_person(run, text):
    with pytest.raises(CommandError, match=SAYS):
        run(text.encode(), "--consent=form")
    assert not ContactImport.objects.exists()


def test_a_title_that_says_something_else_is_passed_over(run):
    text = b"Customers who opted in\nMobile,Name\n6900000001,Anna\n"
    assert run(text, "--consent=form")["+306900000001"].is_subscribed


def test_a_title_is_not_looked_at_beside_a_column_that_says_it_of_each_person(run):
    text = b"Opt-outs and others\nMobile,Opted out\n6900000001,yes\n6900000002,no\n"
    contacts = run(text, "--consent=form")
    assert not contacts["+306900000001"].is_subscribed
    assert contacts["+306900000002"].is_subscribed


def test_the_name_of_a_file_may_say_that_it_is_a_list_of_opt_outs(run, store, tmp_path):
    path = tmp_path / "sms_unsubscribed_members.csv"
    path.write_text("Mobile,Name\n6900000001,Anna\n")
    with pytest.raises(CommandError, match=f"the name of the file says that {SAYS}"):
        run(path, "--consent=form")
    job = lifecycle.create_import_and_enqueue_or_refuse(store.pk, path, consent_source="form")
    assert SAYS in lifecycle.run_open_import_unless_running(job.pk).error
    assert not Contact.objects.exists()


def test_a_yes_in_each_row_does_not_outweigh_a_name_that_speaks_of_opt_outs(run, tmp_path):
    path = tmp_path / "SMS opt-outs 2026.csv"
    path.write_text("Mobile,SMS consent\n6900000001,yes\n6900000002,yes\n")
    with pytest.raises(CommandError, match=f"the name of the file says that {SAYS}"):
        run(path, "--consent=form")
    path.write_text("Mobile,SMS consent\n6900000001,yes\n6900000002,no\n")
    assert run(path, "--consent=form")["+306900000001"].is_subscribed


def test_a_file_of_our_rejected_rows_may_have_the_name_that_we_gave_it(run, tmp_path):
    path = tmp_path / "import-7-rejected.csv"
    path.write_text("Mobile,Name,rejected because\n6900000001,Anna,Mobile: not a number\n")
    assert run(path, "--consent=form")["+306900000001"].is_subscribed


def test_the_name_of_a_sheet_may_say_that_it_is_a_list_of_opt_outs(run, tmp_path):
    path = write_workbook(tmp_path / "all.xlsx", [(1, ["Mobile"]), (2, ["6900000001"])])
    renamed = tmp_path / "renamed.xlsx"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(renamed, "w") as target:
        for part in source.namelist():
            target.writestr(part, source.read(part).replace(b"Sheet1", b"Unsubscribes"))
    with pytest.raises(CommandError, match=f"the name of sheet Unsubscribes says that {SAYS}"):
        run(renamed, "--consent=form")


def renamed_sheets(path, *names):
    """A copy of a workbook whose sheets have these names."""
    renamed = path.with_name(f"{path.stem}_renamed.xlsx")
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(renamed, "w") as target:
        for part in source.namelist():
            content = source.read(part)
            for number, name in enumerate(names, 1):
                content = content.replace(f'"Sheet{number}"'.encode(), f'"{name}"'.encode())
            target.writestr(part, content)
    return renamed


def test_sheets_of_the_same_headings_are_joined_only_if_all_are_named_for_customers(run, tmp_path):
    path = write_workbook(
        tmp_path / "all.xlsx",
        *([(1, ["Mobile", "Name"]), (2, [f"690000000{n}", "Anna"])] for n in (1, 2, 3)),
    )
    for other in ("Disiscritti", "Problemfälle", "Cancellati"):
        with pytest.raises(CommandError, match=f"sheet {other} may hold other people"):
            run(renamed_sheets(path, "Clienti 2023", "Clienti 2024", other), "--consent=form")
    with pytest.raises(CommandError, match=f"the name of sheet Cancellati says that {SAYS}"):
        run(renamed_sheets(path, "A", "B", "Cancellati"), "--consent=form", "--sheet=Cancellati")
    assert not ContactImport.objects.exists()
    for names in (("Clienti A-M", "Clienti 2024", "März"), ("Sheet1", "Tabelle2", "Φύλλο3")):
        assert len(run(renamed_sheets(path, *names), "--consent=form")) == 3


def test_a_title_of_any_joined_sheet_is_looked_at(run, tmp_path):
    path = write_workbook(
        tmp_path / "all.xlsx",
        [(1, ["Kunden", None]), (2, ["Mobile", "Name"]), (3, ["6900000001", "Anna"])],
        [(1, ["Abmeldungen", None]), (2, ["Mobile", "Name"]), (3, ["6900000002", "Bob"])],
    )
    with pytest.raises(CommandError, match=f"line 1 says that {SAYS}: 'Abmeldungen'"):
        run(path, "--consent=form")


def test_a_blank_under_consent_to_data_processing_subscribes_nobody(run):
    text = "Mobile;GDPR consent\n6900000001;yes\n6900000002;\n6900000003;no\n6900000004;see file\n"
    contacts = run(text.encode(), "--consent=form")
    assert [c.is_subscribed for _, c in sorted(contacts.items())] == [True, False, False, False]
    assert [bool(c.unsubscribed_at) for _, c in sorted(contacts.items())] == [
        False, False, True, False,
    ]  # fmt: skip


def test_a_yes_is_over_when_its_consent_has_expired(run):
    text = b"Mobile;SMS consent;Consent expires\n6900000001;yes;2099-01-01\n"
    text += b"6900000002;yes;2020-01-01\n6900000003;;2099-01-01\n6900000004;yes;\n"
    contacts = run(text, "--consent=form")
    assert [c.is_subscribed for _, c in sorted(contacts.items())] == [True, False, False, True]


def test_an_answer_to_one_question_leaves_the_consent_to_sms_known(run):
    text = b"Phone;SMS marketing;Bulk Email;Zz\n6900000001;yes;no;ja\n6900000002;no;yes;nee\n"
    contacts = run(text, "--consent=form", "--ignore=Zz")
    assert contacts["+306900000001"].is_subscribed


def test_a_no_in_notes_below_the_rows_that_are_planned_withholds_consent(run, monkeypatch):
    monkeypatch.setattr(planning, "SAMPLE_ROWS", 2)
    text = b"Mobile,Notes,Status\n6900000001,nice,a\n6900000002,,a\n6900000003,no SMS,a\n"
    text += b"6900000004,,unsubscribed\n6900000005,nice,a\n"
    contacts = run(text, "--consent=form")
    subscribed = [phone for phone, contact in contacts.items() if contact.is_subscribed]
    assert sorted(phone[-1] for phone in subscribed) == ["1", "2", "5"]
    assert ContactImport.objects.get().kept_incomplete == 2


def test_a_column_that_was_set_aside_is_not_looked_at_again(run):
    text = b"Mobile,Notes\n6900000001,no SMS\n"
    contacts = run(text, "--consent=form", "--ignore=Notes")
    assert contacts["+306900000001"].is_subscribed


def test_a_contact_of_another_store_is_new_to_this_one(store, tmp_path, capsys):
    make_contact(make_store("bob"), "+306900000001")
    make_contact(store, "+306900000002")
    path = tmp_path / "customers.csv"
    path.write_text("Phone\n6900000001\n6900000002\n")
    call_command("import_contacts", store.email, path, "--dry-run")
    shown = capsys.readouterr().out
    assert "line 2: new" in shown and "line 3: known" in shown


def questions_of(store, tmp_path, text, *options):
    path = tmp_path / "customers.csv"
    path.write_text(text)
    with pytest.raises(CommandError) as caught:
        call_command("import_contacts", store.email, path, *options)
    return str(caught.value)


ASKS_TWICE = (
    "Name;Phone;Born;Samtykke SMS;Samtykke e-post;Status\n"
    "Anna;6900000001;3/4/1990;Ja;Ja;active\nBob;6900000002;5/6/1991;Nei;Ja;inactive\n"
)


def test_all_questions_that_do_not_depend_on_each_other_are_asked_at_once(store, tmp_path, run):
    asked = questions_of(store, tmp_path, ASKS_TWICE)
    assert [line.split(" may ")[0] for line in asked.splitlines()] == [
        "Samtykke SMS", "Status", "birthdays such as 3/4/1990",
    ]  # fmt: skip
    # The consent to e-mail is none once that to SMS is known.
    contacts = run(
        ASKS_TWICE.encode(), "--consent=form", "--map=sms_consent=4", "--ignore=6", "--dates=dmy"
    )
    assert [c.is_subscribed for _, c in sorted(contacts.items())] == [True, False]


def test_a_dry_run_that_would_not_start_ends_with_an_error_and_says_so(store, tmp_path, capsys):
    said = questions_of(store, tmp_path, ASKS_TWICE, "--dry-run")
    assert said == "the import does not start without the answers to 3 questions above"
    shown = capsys.readouterr().out
    assert shown.count("! ") == 3 and "--map sms_consent=4" in shown and "--dates" in shown


def test_the_preview_of_a_row_shows_the_no_of_a_later_one(store, tmp_path, capsys):
    path = tmp_path / "customers.csv"
    rows = "".join(f"69000{n:05};yes\n" for n in range(100))
    path.write_text(f"Phone;SMS consent\n{rows}6900000000;no\n6900000001;no\n")
    call_command("import_contacts", store.email, path, "--dry-run")
    shown = capsys.readouterr().out.splitlines()
    assert [line.rpartition(" consent ")[2] for line in shown if line.startswith("line ")][:3] == [
        "opted out", "opted out", "yes",
    ]  # fmt: skip
