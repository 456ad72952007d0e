"""Lists of contacts in the admin: how far they count, their order, and what nobody may change."""

import pytest
from django.urls import reverse

from astronote.models import User
from contacts.models import Contact, ContactImport
from messaging import replies
from messaging.models import Reply
from tests.support.factories import make_list, make_store
from tests.support.volume import make_contacts

pytestmark = pytest.mark.django_db(transaction=True)
READ_ONLY = [
    "contacts_consentevent",
    "contacts_listmembership",
    "astronote_auditentry",
    "contacts_rejectedrow",
    "contacts_suppression",
]


@pytest.fixture
def root(client):
    client.force_login(User.objects.create_superuser("root@example.com"))
    return client


@pytest.mark.slow
def test_a_list_counts_ten_thousand_rows_and_shows_the_newest_fifty(root):
    make_contacts(make_store("alice"), 10_050)
    shown = root.get("/admin/contacts/contact/").context["cl"]
    assert shown.result_count == 10_000
    newest = Contact.objects.order_by("-pk").values_list("pk", flat=True)[:50]
    assert [contact.pk for contact in shown.result_list] == list(newest)


@pytest.mark.slow
@pytest.mark.parametrize("model", READ_ONLY)
def test_nobody_adds_changes_or_deletes_what_the_system_writes(root, model):
    page = reverse(f"admin:{model}_changelist")
    assert root.get(page).status_code == 200
    assert root.get(f"{page}add/").status_code == 403
    assert "delete_selected" not in root.get(page).text


def test_an_import_is_added_and_not_deleted(root):
    page = reverse("admin:contacts_contactimport_changelist")
    assert root.get(f"{page}add/").status_code == 200
    assert "delete_selected" not in root.get(page).text


def test_the_filter_finds_who_opted_out(root):
    store = make_store("alice")
    make_list(store, 3)
    at = "2026-01-01T00:00Z"
    Contact.objects.filter(phone="+306900000001").update(unsubscribed_at=at)
    gone = {"unsubscribed_at": at, "anonymised_at": at, "phone": None}
    Contact.objects.filter(phone="+306900000002").update(**gone)
    for query, count in (("?opted_out=1", 1), ("", 3)):
        answer = root.get(f"/admin/contacts/contact/{query}")
        assert answer.context["cl"].result_count == count


def test_a_contact_made_by_hand_awaits_its_welcome_and_a_changed_one_does_not(root):
    store = make_store("alice", phone_region="GR")
    form = {"owner": store.pk, "phone": "6900000001", "first_name": "Nina"}
    root.post("/admin/contacts/contact/add/", form)
    contact = Contact.objects.get()
    assert contact.awaits_welcome
    Contact.objects.update(awaits_welcome=False)
    empty = {f"consentevent_set-{name}_FORMS": 0 for name in ("TOTAL", "INITIAL")}
    form |= empty | {"first_name": "Lena"}
    assert root.post(f"/admin/contacts/contact/{contact.pk}/change/", form).status_code == 302
    contact.refresh_from_db()
    assert (contact.first_name, contact.awaits_welcome) == ("Lena", False)


def test_the_first_hundred_rejected_rows_are_on_the_page_of_an_import(root):
    store = make_store("alice")
    job = ContactImport.objects.create(
        owner=store,
        file_name="a.csv",
        file_size=1,
        file_sha256="",
        status="completed",
        processed=101,
        rejected=101,
    )
    job.rejectedrow_set.bulk_create(
        job.rejectedrow_set.model(contact_import=job, line=line, reason="r", row=[])
        for line in range(101, 0, -1)
    )
    page = root.get(f"/admin/contacts/contactimport/{job.pk}/change/")
    assert [row.line for row in page.context["rejected_rows"]] == list(range(1, 101))


def test_a_contacts_page_shows_what_it_wrote_to_who_may_read_replies(root, client):
    make_list(make_store(), 1)
    contact = Contact.objects.get()
    address = reverse("admin:contacts_contact_change", args=[contact.pk])
    assert "Conversation" not in root.get(address).text
    replies.store_replies([{"from": contact.phone, "text": "Is 39 left?"}])
    replies.apply_received_replies()
    page = root.get(address).text
    reply = Reply.objects.get()
    assert "Is 39 left?" in page
    assert reverse("admin:messaging_reply_change", args=[reply.pk]) in page


def test_a_list_that_grows_with_customers_is_ordered_by_its_key_alone(root):
    make_list(make_store(), 3)
    page = root.get("/admin/contacts/contact/")
    assert "?o=1" in page.text and "?o=4" not in page.text
    by_name = root.get("/admin/contacts/contact/?o=4").context["cl"].result_list
    assert [row.pk for row in by_name] == sorted((row.pk for row in by_name), reverse=True)
