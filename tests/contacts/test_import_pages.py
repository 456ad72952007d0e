"""The pages of an import: what is not used, a refused file, and what follows the result."""

from datetime import UTC, datetime

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command

from contacts.importing import lifecycle, planning
from contacts.models import ContactImport, List
from tests.support.factories import make_store

pytestmark = pytest.mark.django_db(transaction=True)
ADD = "/admin/contacts/contactimport/add/"


def test_a_refused_file_keeps_what_was_typed_and_leaves_nothing(admin_client):
    store = make_store()
    photo = SimpleUploadedFile("photo.csv", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20)
    page = admin_client.post(
        ADD, {"owner": store.pk, "file": photo, "list_name": "Spring", "consent_source": "paper"}
    )
    assert page.status_code == 200
    form = page.context["adminform"].form
    assert "Choose a file again" in form.errors["file"][0]
    assert (form["list_name"].value(), form["consent_source"].value()) == ("Spring", "paper")
    assert str(form["owner"].value()) == str(store.pk)
    assert not ContactImport.objects.exists() and not List.objects.exists()


@pytest.mark.parametrize(
    ("written", "hour"), [("2026-05-04T12:00", 9), ("2026-05-04T12:00+02:00", 10), ("", None)]
)
def test_the_time_of_a_consent_is_on_the_stores_clock(admin_client, tmp_path, written, hour):
    store = make_store(timezone="Europe/Athens")
    path = tmp_path / "new.csv"
    path.write_bytes(b"phone,first name\n+306900000099,Nina\n")
    consent = {"consent_source": "paper", "consent_wording": "Yes", "consent_at": written}
    with path.open("rb") as file:
        admin_client.post(ADD, {"owner": store.pk, "file": file, **consent})
    told = {"consent_at": datetime.fromisoformat(written) if written else None}
    call_command("import_contacts", store.email, path, consent="paper", **told)
    times = set(ContactImport.objects.values_list("consent_at", flat=True))
    assert ContactImport.objects.count() == 2
    assert times == {hour and datetime(2026, 5, 4, hour, tzinfo=UTC)}


@pytest.mark.parametrize("written", ["9999-12-31T23:00", "2999-01-01T09:00", "0001-01-01T00:00"])
def test_a_consent_at_an_impossible_time_starts_no_import(admin_client, tmp_path, written):
    """Beyond the year 9999, where a store west of Greenwich has it, no page could read the row."""
    store = make_store(timezone="America/New_York")
    path = tmp_path / "new.csv"
    path.write_bytes(b"phone,first name\n+306900000099,Nina\n")
    consent = {"consent_source": "paper", "consent_wording": "Yes", "consent_at": written}
    with path.open("rb") as file:
        page = admin_client.post(ADD, {"owner": store.pk, "file": file, **consent})
    assert "consent_at" in page.context["adminform"].form.errors
    with pytest.raises(CommandError, match="cannot be true"):
        call_command(
            "import_contacts", store.email, path, consent="paper",
            consent_at=datetime.fromisoformat(written),
        )  # fmt: skip
    assert not ContactImport.objects.exists()


def test_columns_that_are_not_used_are_pointed_out(admin_client):
    store = make_store()
    uploaded = lifecycle.create_unstarted_import_or_refuse(
        store.pk, "new.csv", [b"phone,first name,Points\n+306900000099,Nina,3\n"]
    )
    planning.plan_import_and_store_plan_or_refuse(uploaded)
    page = admin_client.get(f"/admin/contacts/contactimport/{uploaded.pk}/change/")
    assert "1 of 3 columns is not used: Points" in page.text
    assert page.text.count(">not used</span>") == 1


def test_the_result_leads_to_customers_list_and_rejected_rows(admin_client):
    store = make_store()
    uploaded = lifecycle.create_unstarted_import_or_refuse(
        store.pk, "new.csv", [b"phone\n+306900000099\n12\n"], list_name="Spring"
    )
    planning.plan_import_and_store_plan_or_refuse(uploaded)
    lifecycle.start_import_audit_and_enqueue_or_raise(uploaded, by="test")
    lifecycle.run_open_import_unless_running(uploaded.pk)
    uploaded.refresh_from_db()
    page = admin_client.get(f"/admin/contacts/contactimport/{uploaded.pk}/change/")
    links = {
        f"/admin/contacts/contact/?owner__id__exact={store.pk}",
        f"/admin/contacts/list/{uploaded.list_id}/change/",
    }
    assert all(f'href="{link}"' in page.text for link in links)
    assert 'href="#rejected-rows"' in page.text and 'id="rejected-rows"' in page.text
    assert {admin_client.get(link).status_code for link in links} == {200}
