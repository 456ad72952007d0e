"""What a person's rights reach at one store, and what they leave alone at another."""

import json
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.utils import timezone

from astronote.models import AuditEntry
from campaigns import enqueue
from campaigns.models import CampaignMessage, NfcScan, NfcTag, OfferViewEvent
from compliance import erasure, rights
from contacts.models import (
    ConsentEvent,
    Contact,
    ContactImport,
    ImportFileChunk,
    ListMembership,
    RejectedRow,
    Suppression,
)
from contacts.phones import phone_hash
from messaging import direct_messages
from messaging.models import DirectMessage, WebhookEvent
from tests.support.factories import make_campaign, make_contact, make_list, make_store

# An erasure looks into every table, key and file.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
PHONE, OTHER = "+306900000001", "+306900000000"


@pytest.fixture
def alice():
    return make_store()


@pytest.fixture
def bob():
    return make_store("bob")


def known_at(*stores):
    """Each store knows the person, and two others."""
    for store in stores:
        make_list(store, 3)


def rows(held, what):
    """The rows of one kind of an export."""
    return [row for one in held["data"] if one["what"] == what for row in one["rows"]]


def entry(action):
    return AuditEntry.objects.get(action=action)


# Access


def test_an_export_at_one_store_holds_no_direct_message_of_another(alice, bob):
    for store in (alice, bob):
        direct_messages.get_or_enqueue_direct_message(
            store, PHONE, f"Test of {store.email}", key="k"
        )
    direct_messages.get_or_enqueue_direct_message(alice, OTHER, "Somebody else's", key="other")
    held = rights.collect_held_data_of_person_and_audit(PHONE, alice.pk, by="test")
    texts = [m["text"] for m in rows(held, "messaging.DirectMessage")]
    assert texts == ["Test of alice@example.com"]
    everywhere = rights.collect_held_data_of_person_and_audit(PHONE, by="test")
    assert len(rows(everywhere, "messaging.DirectMessage")) == 2


def test_an_export_at_one_store_holds_its_own_opt_outs(alice, bob):
    for store, number in ((alice, PHONE), (bob, PHONE), (alice, OTHER)):
        Suppression.objects.create(owner=store, phone_hash=phone_hash(number), reason="test")
    held = rights.collect_held_data_of_person_and_audit(PHONE, alice.pk, by="test")
    assert [one["owner_id"] for one in rows(held, "contacts.Suppression")] == [alice.pk]
    everywhere = rights.collect_held_data_of_person_and_audit(PHONE, by="test")
    suppressions = rows(everywhere, "contacts.Suppression")
    assert {one["owner_id"] for one in suppressions} == {alice.pk, bob.pk}


def test_an_export_at_one_store_holds_the_contact_of_that_store(alice, bob):
    known_at(alice, bob)
    held = rights.collect_held_data_of_person_and_audit(PHONE, bob.pk, by="test")
    assert [one["store"] for one in held["stores"]] == ["bob@example.com"]
    contacts = rows(held, "contacts.Contact")
    assert {one["id"] for one in contacts} == {Contact.objects.get(owner=bob, phone=PHONE).pk}
    assert [one["phone"] for one in contacts if "phone" in one] == [PHONE]
    assert [one["legal_hold"] for one in contacts if "legal_hold" in one] == [False]


def test_an_export_holds_what_belongs_to_the_contact_alone(alice):
    known_at(alice)
    campaign = enqueue.enqueue_campaign(make_campaign(alice, alice.list_set.get()).pk)
    for message in CampaignMessage.objects.all():
        OfferViewEvent.objects.create(
            campaign_message=message, campaign=campaign, owner=alice, user_agent=message.to
        )
    for contact in Contact.objects.all():
        ConsentEvent.objects.create(
            owner=alice, contact=contact, type="subscribed", source=contact.phone
        )
    held = rights.collect_held_data_of_person_and_audit(PHONE, alice.pk, by="test")
    assert [m["to"] for m in rows(held, "campaigns.CampaignMessage")] == [PHONE]
    assert [v["user_agent"] for v in rows(held, "campaigns.OfferViewEvent")] == [PHONE]
    assert [c["source"] for c in rows(held, "contacts.ConsentEvent")] == [PHONE]
    assert [one["list__name"] for one in rows(held, "contacts.ListMembership")] == ["all"]


def payload_of(store, provider_id=None, **fields):
    return WebhookEvent.objects.create(
        event_id=f"{store}-{provider_id}-{WebhookEvent.objects.count()}",
        status="processed",
        owner=store,
        provider_message_id=provider_id or "",
        payload={"to": PHONE},
        **fields,
    )


def test_an_export_at_one_store_holds_its_own_receipts_and_replies(alice, bob):
    known_at(alice, bob)
    for store in (alice, bob):
        campaign = enqueue.enqueue_campaign(make_campaign(store, store.list_set.get()).pk)
        CampaignMessage.objects.filter(campaign=campaign, to=PHONE).update(
            provider_message_id=f"of-{store.email}"
        )
        payload_of(None, f"of-{store.email}", event_type="dlr")
        payload_of(store, event_type="inbound")
    held = rights.collect_held_data_of_person_and_audit(PHONE, alice.pk, by="test")
    events = rows(held, "messaging.WebhookEvent")
    assert sorted(one["event_type"] for one in events) == ["dlr", "inbound"]
    everywhere = rights.collect_held_data_of_person_and_audit(PHONE, by="test")
    assert len(rows(everywhere, "messaging.WebhookEvent")) == 4


def test_a_receipt_of_a_direct_message_is_its_stores(alice, bob):
    for store in (alice, bob):
        message = direct_messages.get_or_enqueue_direct_message(store, PHONE, "Test", key="k")
        DirectMessage.objects.filter(pk=message.pk).update(provider_message_id=store.email)
        payload_of(None, store.email, event_type="dlr")
    held = rights.collect_held_data_of_person_and_audit(PHONE, alice.pk, by="test")
    assert len(rows(held, "messaging.WebhookEvent")) == 1


def test_that_somebody_asked_is_kept(alice, bob, admin_user):
    known_at(alice, bob)
    rights.collect_held_data_of_person_and_audit(PHONE, alice.pk, by=admin_user)
    kept = entry("personal data exported")
    assert (kept.actor, kept.owner, kept.details) == (admin_user, alice, {"contacts": 1})


# Erasure


def upload_of(store, *, open=False):
    """An import of the store with a rejected row of the person and a piece of its file."""
    one = ContactImport.objects.create(
        owner=store,
        file_name="a.csv",
        file_size=1,
        file_sha256="",
        status="processing" if open else "completed",
        finished_at=None if open else timezone.now(),
    )
    ImportFileChunk.objects.create(contact_import=one, number=0, data=b"phone\n+306900000055\n")
    RejectedRow.objects.create(contact_import=one, line=2, reason="x", row=["690 000-00 01"])
    RejectedRow.objects.create(contact_import=one, line=3, reason="x", row=["690 000-00 99"])
    return one


def test_an_erasure_at_one_store_leaves_everything_of_another(alice, bob):
    known_at(alice, bob)
    for store in (alice, bob):
        direct_messages.get_or_enqueue_direct_message(
            store, PHONE, f"Test of {store.email}", key="k"
        )
        upload_of(store)
        payload_of(store, event_type="inbound")
    direct_messages.get_or_enqueue_direct_message(alice, OTHER, "Somebody else's", key="other")
    erasure = rights.erase_or_restrict_person_by_phone(PHONE, alice.pk, by="test")
    assert erasure.counts == {
        "contacts_contact": 1, "contacts_listmembership": 1, "messaging_directmessage": 1,
        "messaging_webhookevent": 1, "contacts_rejectedrow": 1, "files_deleted": 1,
    }  # fmt: skip
    assert erasure.left == []
    assert set(DirectMessage.objects.values_list("owner", "to", "text")) == {
        (alice.pk, "", ""), (alice.pk, OTHER, "Somebody else's"),
        (bob.pk, PHONE, "Test of bob@example.com"),
    }  # fmt: skip
    rows = RejectedRow.objects.values_list("contact_import__owner", "line")
    assert sorted(rows) == [(alice.pk, 3), (bob.pk, 2), (bob.pk, 3)]
    assert ImportFileChunk.objects.get().contact_import.owner == bob
    assert WebhookEvent.objects.get(payload__isnull=False).owner == bob
    assert Contact.objects.filter(owner=bob).count() == 3
    assert Contact.objects.filter(owner=alice).count() == 2


def test_an_erasure_is_kept_with_its_counts_and_no_number(alice, admin_user):
    known_at(alice)
    upload_of(alice)
    counts = rights.erase_or_restrict_person_by_phone(PHONE, alice.pk, by=admin_user).counts
    kept = entry("personal data erased")
    assert (kept.actor, kept.owner) == (admin_user, alice)
    expected = {"erased": counts, "stores_under_legal_hold": 0, "person": phone_hash(PHONE)}
    assert kept.details == expected
    assert PHONE not in json.dumps(kept.details) + kept.subject


def test_the_file_of_an_import_under_way_stays_to_be_read(alice):
    upload_of(alice, open=True)
    rights.erase_or_restrict_person_by_phone(PHONE, by="test")
    assert ImportFileChunk.objects.count() == 1


def test_rows_with_other_last_digits_stay(alice):
    upload_of(alice)
    for number in ("+306900000002", "+306911100001"):
        rights.erase_or_restrict_person_by_phone(number, by="test")
    assert RejectedRow.objects.count() == 2


def test_a_number_written_without_its_country_is_the_same_person(alice):
    one = upload_of(alice)
    RejectedRow.objects.create(contact_import=one, line=9, reason="x", row=[], value="00000001")
    rights.erase_or_restrict_person_by_phone(PHONE, by="test")
    assert list(RejectedRow.objects.values_list("line", flat=True)) == [3]


def test_deleting_a_contact_takes_what_is_its_own_and_leaves_what_others_need(alice):
    known_at(alice)
    enqueue.enqueue_campaign(make_campaign(alice, alice.list_set.get()).pk)
    contact = Contact.objects.get(phone=PHONE)
    tag = NfcTag.objects.create(owner=alice, public_id="t", label="door")
    NfcScan.objects.create(tag=tag, owner=alice, contact=contact)
    erasure.delete_contacts([contact.pk])
    assert NfcScan.objects.get().contact is None
    assert not ListMembership.objects.filter(contact=contact.pk).exists()
    assert ListMembership.objects.count() == 2
    assert list(CampaignMessage.objects.filter(contact=None).values_list("to", "text")) == [
        ("", "")
    ]
    assert CampaignMessage.objects.exclude(to="").count() == 2


def test_an_anonymised_contact_keeps_nothing_that_tells_of_a_person(alice):
    known_at(alice)
    contact = Contact.objects.get(phone=PHONE)
    Contact.objects.filter(pk=contact.pk).update(
        first_name="Ann",
        last_name="Example",
        email="ann@example.com",
        gender="female",
        birthday="1990-01-01",
        consent_evidence={"form": "shop"},
        awaits_welcome=True,
        erase_on="2030-01-01",
    )
    erasure.anonymise_contacts([contact.pk])
    contact.refresh_from_db()
    told = (
        "phone",
        "email",
        "first_name",
        "last_name",
        "gender",
        "birthday",
        "consent_evidence",
        "erase_on",
        "awaits_welcome",
        "is_subscribed",
    )
    assert [name for name in told if getattr(contact, name)] == []
    assert contact.anonymised_at > timezone.now() - timedelta(minutes=1)
    assert Contact.objects.filter(phone__isnull=False).count() == 2


# Correction and objection


def test_a_correction_at_one_store_changes_no_other_and_is_kept(alice, bob, admin_user):
    known_at(alice, bob)
    changes = {"first_name": "Ann", "email": "ann@example.com"}
    assert (
        rights.correct_contacts_with_phone_and_audit(PHONE, changes, alice.pk, by=admin_user) == 1
    )
    assert Contact.objects.get(owner=alice, phone=PHONE).email == "ann@example.com"
    assert Contact.objects.get(owner=bob, phone=PHONE).first_name == "Name1"
    kept = entry("personal data corrected")
    assert (kept.actor, kept.owner) == (admin_user, alice)
    assert kept.details == {"fields": ["email", "first_name"], "contacts": 1}


def test_a_correction_that_is_not_possible_changes_nothing(alice, bob):
    known_at(alice, bob)
    with pytest.raises(ValidationError):
        rights.correct_contacts_with_phone_and_audit(
            PHONE, {"first_name": "Ann", "email": "nonsense"}, by="test"
        )
    assert not Contact.objects.filter(first_name="Ann").exists()
    assert not AuditEntry.objects.exists()


def test_an_objection_at_one_store_is_none_at_another_and_is_kept(alice, bob, admin_user):
    known_at(alice, bob)
    assert rights.withdraw_all_consent(PHONE, alice.pk, by=admin_user) == 2
    assert rights.withdraw_all_consent(PHONE, alice.pk, by=admin_user) == 0, "done before"
    mine, others = (Contact.objects.get(owner=store, phone=PHONE) for store in (alice, bob))
    assert (mine.is_subscribed, mine.service_allowed) == (False, False)
    assert (others.is_subscribed, others.service_allowed) == (True, True)
    events = ConsentEvent.objects.order_by("pk").values_list("type", "source", "owner", "actor")
    assert list(events) == [
        (event, "objection", alice.pk, f"account {admin_user.pk}")
        for event in ("unsubscribed", "service_revoked")
    ]
    kept = AuditEntry.objects.filter(action="objection").order_by("pk")[0]
    assert (kept.actor, kept.owner, kept.details) == (admin_user, alice, {"changes": 2})


def test_the_command_objects_at_the_store_that_is_named(alice, bob, capsys):
    known_at(alice, bob)
    call_command("person", "object", PHONE, "--store", "alice@example.com")
    assert "2 consents withdrawn" in capsys.readouterr().out
    assert Contact.objects.filter(phone=PHONE, is_subscribed=True).get().owner == bob


# In the admin


def test_a_contact_that_is_deleted_in_the_admin_is_erased(alice, admin_client, admin_user):
    """Also the messages that know the number and no contact."""
    contact = make_contact(alice, PHONE)
    direct_messages.get_or_enqueue_direct_message(alice, PHONE, "Test", key="k")
    admin_client.post(f"/admin/contacts/contact/{contact.pk}/delete/", {"post": "yes"})
    assert not Contact.objects.exists()
    assert DirectMessage.objects.get().to == ""
    kept = entry("personal data erased")
    assert (kept.actor, kept.owner) == (admin_user, alice)


def test_an_operator_opts_a_person_out_at_the_store_of_the_contact(alice, bob, admin_client):
    known_at(alice, bob)
    contact = Contact.objects.get(owner=alice, phone=PHONE)
    form = {"action": "object_for_person", "_selected_action": [contact.pk]}
    admin_client.post("/admin/contacts/contact/", form)
    assert list(Contact.objects.filter(is_subscribed=False)) == [contact]


def test_an_erasure_of_several_takes_those_that_were_chosen(alice, admin_client):
    known_at(alice)
    chosen = list(Contact.objects.exclude(phone=PHONE).values_list("pk", flat=True))
    form = {
        "action": "erase_or_restrict_person",
        "_selected_action": chosen,
        "confirmed": "1",
    }
    admin_client.post("/admin/contacts/contact/", form)
    assert list(Contact.objects.values_list("phone", flat=True)) == [PHONE]
    assert AuditEntry.objects.filter(action="personal data erased").count() == 2


def test_a_contacts_page_shows_what_is_known_of_that_contact(alice, admin_client):
    known_at(alice)
    campaign = enqueue.enqueue_campaign(make_campaign(alice, alice.list_set.get()).pk)
    for message in CampaignMessage.objects.all():
        OfferViewEvent.objects.create(campaign_message=message, campaign=campaign, owner=alice)
    contact = Contact.objects.get(phone=PHONE)
    page = admin_client.get(f"/admin/contacts/contact/{contact.pk}/change/")
    assert [m["source"] for m in page.context["messages_sent"]] == ["Spring"]
    assert page.context["messages_sent"][0]["text"].startswith("Hello Name1")
    assert (page.context["offers_seen"], page.context["list_names"]) == (1, ["all"])


def test_a_contact_under_a_legal_hold_is_not_deleted_in_the_admin(alice, admin_client):
    contact = Contact.objects.create(owner=alice, phone=PHONE, legal_hold=True)
    page = f"/admin/contacts/contact/{contact.pk}/delete/"
    assert admin_client.post(page, {"post": "yes"}).status_code == 403
    chosen = {
        "_selected_action": [contact.pk],
        "action": "erase_or_restrict_person",
        "confirmed": "1",
    }
    answer = admin_client.post("/admin/contacts/contact/", chosen, follow=True)
    assert "under a legal hold: it was restricted, not erased" in answer.text
    contact.refresh_from_db()
    assert (contact.phone, contact.restricted_at is None) == (PHONE, False)
