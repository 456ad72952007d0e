"""What a file leaves open is asked by `import_contacts`, with the option that answers it."""

import pytest
from django.core.management import CommandError, call_command

from contacts.importing import lifecycle
from contacts.models import Contact, ContactImport
from tests.support.factories import make_store
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
