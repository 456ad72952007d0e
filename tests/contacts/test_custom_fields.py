"""Custom fields of a store's contacts: filled by hand and from files, and gone with their field."""

import pytest
from django.core.management import CommandError, call_command

from astronote.models import AuditEntry, User
from compliance.erasure import anonymise_contacts
from contacts.custom_fields import fill_from_file, read_value
from contacts.importing.cells import UnusableCell
from contacts.importing.import_refused import ImportRefused
from contacts.models import Contact, CustomField
from tests.support.factories import make_contact, make_store

pytestmark = pytest.mark.django_db
PASSWORD = "a-long-password-of-mine"


@pytest.fixture
def store():
    store = make_store(phone_region="GR")
    for key, type in (("city", "text"), ("visits", "number"), ("last_visit", "date")):
        CustomField.objects.create(owner=store, key=key, label=f"The {key}", type=type)
    return store


@pytest.fixture
def file(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "values.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def values():
    return dict(Contact.objects.values_list("phone", "custom_values"))


@pytest.mark.parametrize(
    ("type", "text", "value"),
    [
        ("text", "  Athens ", "Athens"),
        ("text", "", None),
        ("number", "12", 12),
        ("number", "12,5", 12.5),
        ("number", "-0.25", -0.25),
        ("number", "1.2345", 1.2345),
        ("date", "2026-05-17", "2026-05-17"),
        ("date", "2026-05-17 00:00:00", "2026-05-17"),
    ],
)
def test_a_value_is_read_by_the_type_of_its_field(type, text, value):
    assert read_value(CustomField(type=type), text) == value


@pytest.mark.parametrize(
    ("type", "text"),
    [("number", "1.234"), ("number", "many"), ("number", "1e9"), ("number", "٣"),
     ("date", "17/05/2026"), ("date", "2026-02-30"), ("text", "x" * 201)],
)  # fmt: skip
def test_what_is_no_value_or_has_two_readings_is_refused(type, text):
    with pytest.raises(UnusableCell):
        read_value(CustomField(type=type), text)


def test_a_file_fills_the_fields_that_it_has_and_lists_the_rest(store, file):
    make_contact(store, custom_values={"city": "Patra", "visits": 1})
    make_contact(store, "+306900000002", restricted_at="2026-01-01T00:00Z")
    path = file(
        "number;The city;visits\n690 000 0001;;7\n+306900000002;Volos;1\n"
        "+306900000003;Volos;1\nx;y;1\n6900000001;Αθήνα;1.000\n",
    )
    rejected = []
    counts = fill_from_file(
        store, path, by="test", reject=lambda line, reason: rejected.append((line, reason))
    )
    assert counts == (1, 0)
    assert values() == {
        "+306900000001": {"city": "Αθήνα", "visits": 7},
        "+306900000002": {},
    }
    assert sorted(line for line, _ in rejected) == [3, 4, 5, 6]
    assert fill_from_file(store, path, by="test") == (0, 1)
    assert AuditEntry.objects.filter(action="custom fields filled").count() == 2


def test_an_encoding_that_cannot_be_told_is_named(store, file):
    make_contact(store)
    path = file("number;city\n690 000 0001;Αθήνα\n", "cp1253")
    with pytest.raises(ImportRefused, match="name its encoding"):
        fill_from_file(store, path, by="test")
    fill_from_file(store, path, by="test", encoding="cp1253")
    assert values() == {"+306900000001": {"city": "Αθήνα"}}


def test_a_file_touches_no_other_stores_contacts(store, file):
    bob = make_store("bob")
    make_contact(bob)
    fill_from_file(store, file("number,city\n+306900000001,Athens\n"), by="test")
    assert values() == {"+306900000001": {}}
    with pytest.raises(ImportRefused, match="none yet"):
        fill_from_file(bob, file("number,city\n+306900000001,Athens\n"), by="test")


def test_values_are_entered_on_the_contacts_page(store, admin_client):
    contact = make_contact(store, custom_values={"city": "Patra"})
    page = f"/admin/contacts/contact/{contact.pk}/change/"
    form = {"owner": store.pk, "phone": contact.phone, "custom_city": "", "custom_visits": "3"}
    inlines = {f"consentevent_set-{name}": "0" for name in ("TOTAL_FORMS", "INITIAL_FORMS")}
    shown = admin_client.get(page).text
    assert "The city" in shown and 'value="Patra"' in shown
    answer = admin_client.post(page, form | inlines | {"custom_visits": "some"})
    assert "is no number" in answer.text
    assert admin_client.post(page, form | inlines).status_code == 302
    assert values() == {contact.phone: {"visits": 3}}
    admin_client.post(page, form | inlines | {"first_name": "Nina"})
    assert values() == {contact.phone: {"visits": 3}}


def test_who_may_only_look_sees_the_values(store, client):
    contact = make_contact(store, custom_values={"city": "Patra"})
    call_command("create_operator", "me@example.com", role="viewer", password=PASSWORD)
    client.force_login(User.objects.get(email="me@example.com"))
    answer = client.get(f"/admin/contacts/contact/{contact.pk}/change/")
    assert "The city: Patra" in answer.text
    assert client.get("/admin/contacts/customfield/fill/").status_code == 403


def test_a_field_takes_its_values_along(store, admin_client):
    make_contact(store, custom_values={"city": "Patra", "visits": 1})
    field = CustomField.objects.get(key="city")
    admin_client.post(f"/admin/contacts/customfield/{field.pk}/delete/", {"post": "yes"})
    assert values() == {"+306900000001": {"visits": 1}}


def test_an_anonymised_contact_has_no_values(store):
    contact = make_contact(store, custom_values={"city": "Patra"})
    anonymise_contacts([contact.pk])
    assert Contact.objects.get().custom_values == {}


def test_the_page_fills_from_a_file(store, admin_client, file):
    make_contact(store)
    with file("number,city,visits\n+306900000001,Athens,x\n").open("rb") as opened:
        answer = admin_client.post(
            "/admin/contacts/customfield/fill/", {"store": store.pk, "file": opened}, follow=True
        )
    assert "1 changed" in answer.text and "line 2: visits: x is no number" in answer.text


def test_the_command_adds_lists_and_fills(store, file, capsys):
    make_contact(store)
    call_command("custom_fields", "add", store.email, "size", label="Size")
    call_command("custom_fields", "list", store.email)
    call_command("custom_fields", "fill", store.email, file("phone,size\n+306900000001,XL\n"))
    said = capsys.readouterr().out
    assert "size: Size, text" in said and "1 changed, 0 as they were, 0 rejected" in said
    for key in ("Größe", "1a", "size"):
        with pytest.raises(CommandError):
            call_command("custom_fields", "add", store.email, key)
