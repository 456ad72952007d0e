"""Imports fill the custom fields of their store."""

import pytest
from django.core.management import call_command
from django.utils.html import strip_tags

from contacts.importing import lifecycle, planning
from contacts.models import Contact, ContactImport, CustomField, RejectedRow
from tests.support.factories import make_contact, make_store

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def store():
    store = make_store(phone_region="GR")
    for key, type in (("city", "text"), ("visits", "number")):
        CustomField.objects.create(owner=store, key=key, label=f"The {key}", type=type)
    return store


def run(store, text, **options):
    made = lifecycle.create_unstarted_import_or_refuse(
        store.pk, "a.csv", [text.encode()], **options
    )
    plan = planning.plan_import_and_store_plan_or_refuse(made)
    assert plan.refusal is None
    lifecycle.start_import_audit_and_enqueue_or_raise(made, by="test")
    return lifecycle.run_open_import_unless_running(made.pk), plan


def values():
    return dict(Contact.objects.values_list("phone", "custom_values"))


def test_columns_under_keys_and_labels_are_filled(store, monkeypatch):
    make_contact(store, "+306900000001", custom_values={"city": "Patra", "visits": 1})
    make_contact(store, "+306900000003", restricted_at="2026-01-01T00:00Z")
    monkeypatch.setattr(lifecycle, "CHUNK_ROWS", 3)
    done, plan = run(
        store,
        "phone,first name,The city,VISITS\n"
        "6900000001,Nina,Athens,\n"
        "6900000002,Anna,Volos,many\n"
        "6900000002,Anna,Volos again,7\n"
        "6900000002,Anna,Larisa,8\n"
        "6900000003,Zoe,Rhodes,1\n",
    )
    assert plan.mapping["custom:city"] == [2] and plan.mapping["custom:visits"] == [3]
    assert [column.heading for column in plan.unused_filled_columns] == []
    assert (done.status, done.created, done.updated) == ("completed", 1, 1)
    assert values() == {
        "+306900000001": {"city": "Athens", "visits": 1},
        "+306900000002": {"city": "Volos", "visits": 7},
        "+306900000003": {},
    }
    row = RejectedRow.objects.get()
    assert (row.column, row.reason) == (
        "VISITS",
        "kept without visits: many is no number such as 12.5",
    )


def test_the_preview_shows_the_values_that_are_stored(store, admin_client, tmp_path, capsys):
    CustomField.objects.create(owner=store, key="seen", label="phone", type="date")
    text = (
        "phone,The city,VISITS,seen\n"
        '6900000001, Athens ,"1,5",2026-05-17T00:00:00\n'
        "6900000002,,many,\n"
    )
    file = tmp_path / "a.csv"
    file.write_text(text)
    call_command("import_contacts", store.email, file, dry_run=True)
    shown = "custom:city Athens, custom:seen 2026-05-17, custom:visits 1.5"
    assert f"phone +306900000001, {shown}\n" in capsys.readouterr().out
    uploaded = lifecycle.create_unstarted_import_or_refuse(store.pk, "a.csv", [text.encode()])
    page = admin_client.get(f"/admin/contacts/contactimport/{uploaded.pk}/change/").text
    rows = [strip_tags(row) for row in page.split('<td class="plan-stored">')[1:]]
    assert rows[0].startswith(f"phone +306900000001, {shown}\n")
    assert rows[1].startswith("phone +306900000002\n") and "kept without visits" in page
    lifecycle.start_import_audit_and_enqueue_or_raise(
        ContactImport.objects.get(pk=uploaded.pk), by="test"
    )
    lifecycle.run_open_import_unless_running(uploaded.pk)
    assert values() == {
        "+306900000001": {"city": "Athens", "visits": 1.5, "seen": "2026-05-17"},
        "+306900000002": {},
    }


def test_known_contacts_stay_as_they_are_if_the_import_says_so(store):
    make_contact(store, "+306900000001")
    run(store, "phone,city\n6900000001,Athens\n6900000002,Volos\n", update_existing=False)
    assert values() == {"+306900000001": {}, "+306900000002": {"city": "Volos"}}


def test_a_column_of_another_name_is_mapped_by_hand(store, admin_client, tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("phone,Stadt\n6900000001,Athens\n")
    call_command("import_contacts", store.email, file, map=["custom:city=Stadt"])
    made = ContactImport.objects.get()
    lifecycle.run_open_import_unless_running(made.pk)
    assert values() == {"+306900000001": {"city": "Athens"}}
    uploaded = lifecycle.create_unstarted_import_or_refuse(
        store.pk, "b.csv", [b"phone,Ort\n6900000001,Volos\n"]
    )
    planning.plan_import_and_store_plan_or_refuse(uploaded)
    page = f"/admin/contacts/contactimport/{uploaded.pk}/"
    assert "The city" in admin_client.get(f"{page}change/").text
    form = {"column-0": "phone", "column-1": "custom:city", "has_header": "1"}
    admin_client.post(f"{page}start/", form)
    lifecycle.run_open_import_unless_running(uploaded.pk)
    assert values() == {"+306900000001": {"city": "Volos"}}


def test_a_no_in_such_a_column_is_asked_about_as_in_any_other(store):
    CustomField.objects.create(owner=store, key="note", label="Remark")
    text = b"phone,remark\n6900000001,no more SMS please\n6900000002,tall\n"
    made = lifecycle.create_unstarted_import_or_refuse(store.pk, "a.csv", [text])
    plan = planning.plan_import_and_store_plan_or_refuse(made)
    assert "refuse or mention messages" in str(plan.refusal)
