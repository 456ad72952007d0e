"""A contact that gets another number or store, in the admin and in code: it starts anew."""

from datetime import timedelta

import pytest
from django.contrib import admin
from django.utils import timezone

from astronote.common.audit import AuditEntry
from contacts.consent import Evidence, change_consent
from contacts.models import ConsentEvent, Contact, Suppression
from contacts.phones import phone_hash
from tests.support.factories import make_contact, make_store

pytestmark = pytest.mark.django_db(transaction=True)
PHONE, OTHER = "+306900000001", "+306900000002"
NO_INLINES = {f"consentevent_set-{name}_FORMS": 0 for name in ("TOTAL", "INITIAL")}


@pytest.fixture
def contact():
    """A contact with a proved consent."""
    contact = make_contact(make_store("alice", phone_region="GR"), PHONE, is_subscribed=False)
    proof = Evidence(wording="Offers?", version="2", actor="test", document="form 118")
    change_consent(contact.pk, "subscribed", source="paper", evidence=proof)
    contact.refresh_from_db()
    return contact


def save_page(client, contact, **changes):
    form = {"owner": contact.owner_id, "phone": contact.phone, "first_name": "Nina"}
    url = f"/admin/contacts/contact/{contact.pk}/change/"
    answer = client.post(url, form | NO_INLINES | changes, follow=True)
    assert answer.status_code == 200
    contact.refresh_from_db()
    return answer


def assert_without_consent(contact):
    assert not contact.is_subscribed and contact.service_allowed
    assert (contact.gdpr_consent_at, contact.gdpr_consent_source) == (None, "")
    assert (contact.gdpr_consent_version, contact.consent_evidence) == ("", None)
    assert (contact.sms_consent_status, contact.sms_consent_at) == ("", None)
    assert contact.unsubscribed_at is None, "the person has said no to nothing"


def test_another_number_starts_without_consent_and_the_operator_is_told(
    admin_client, admin_user, contact
):
    answer = save_page(admin_client, contact, phone="690 000 0002")
    assert "another number, so it starts without consent" in answer.text
    assert contact.phone == OTHER
    assert_without_consent(contact)
    event = ConsentEvent.objects.latest("pk")
    assert (event.type, event.actor) == ("consent_reset", f"account {admin_user.pk}")
    assert (event.owner, event.meta) == (contact.owner, {"changed": ["phone"]})
    assert not Suppression.objects.exists(), "a change of number is no opt-out"
    entry = AuditEntry.objects.get(action="consent reset")
    assert (entry.actor, entry.details) == (admin_user, {"changed": ["phone"]})


def test_another_store_starts_without_consent(admin_client, contact):
    bob = make_store("bob")
    answer = save_page(admin_client, contact, owner=bob.pk)
    assert "another store, so it starts without consent" in answer.text
    assert contact.owner == bob
    assert_without_consent(contact)
    assert ConsentEvent.objects.latest("pk").owner == bob


@pytest.mark.parametrize("phone", [PHONE, "690 000 0001"])
def test_another_name_or_writing_of_the_number_leaves_the_consent(admin_client, contact, phone):
    answer = save_page(admin_client, contact, phone=phone, first_name="Lena")
    assert "starts without consent" not in answer.text
    assert contact.first_name == "Lena"
    assert contact.is_subscribed and contact.gdpr_consent_source == "paper"
    assert ConsentEvent.objects.count() == 1


def test_the_old_numbers_suppression_and_the_opt_out_stay(admin_client, contact):
    change_consent(contact.pk, "unsubscribed", source="inbound_stop")
    save_page(admin_client, contact, phone=OTHER)
    assert Suppression.objects.get().phone_hash == phone_hash(PHONE)
    assert not contact.is_subscribed and contact.unsubscribed_at
    assert contact.sms_consent_status == "opted_out"
    at = timezone.now() - timedelta(days=1)
    assert not change_consent(contact.pk, "subscribed", source="double_opt_in", claimed_at=at)


@pytest.mark.parametrize("options", [{}, {"update_fields": ["phone"]}])
def test_also_code_that_saves_another_number_ends_the_consent(contact, options):
    contact.phone = OTHER
    contact.save(**options)
    contact.refresh_from_db()
    assert contact.phone == OTHER
    assert_without_consent(contact)
    assert ConsentEvent.objects.latest("pk").type == "consent_reset"


@pytest.mark.parametrize("name", ["owner", "owner_id"])
def test_also_code_that_saves_another_store_ends_the_consent(contact, name):
    contact.owner = make_store("bob")
    contact.save(update_fields=[name])
    contact.refresh_from_db()
    assert_without_consent(contact)


def test_a_save_of_other_fields_ends_nothing(contact):
    contact.phone = OTHER
    contact.save(update_fields=["first_name"])
    contact.refresh_from_db()
    assert contact.phone == PHONE and contact.is_subscribed


def test_an_opt_out_while_the_page_is_open_is_not_overwritten(rf, admin_user, contact):
    request = rf.post("/")
    request.user = admin_user
    page = admin.site._registry[Contact]
    form = page.get_form(request, contact)(
        {"owner": contact.owner_id, "phone": PHONE, "first_name": "Lena"}, instance=contact
    )
    assert form.is_valid()
    change_consent(contact.pk, "unsubscribed", source="inbound_stop")
    page.save_model(request, form.save(commit=False), form, True)
    contact.refresh_from_db()
    assert (contact.first_name, contact.is_subscribed) == ("Lena", False)
