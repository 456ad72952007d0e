"""What an import writes into a store's contacts, and what it leaves as it is."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils import timezone

from contacts.consent import change_consent
from contacts.importing import lifecycle
from contacts.models import ConsentEvent, Contact, RejectedRow, Suppression
from contacts.phones import phone_hash
from tests.support.factories import make_contact, make_store

pytestmark = pytest.mark.django_db(transaction=True)
PHONE = "+306900000001"
HEADER = "phone,first name,last name,email,gender,birthday,sms consent\n"


def imported(store, rows, **options):
    text = HEADER + rows
    job = lifecycle.create_unstarted_import_or_refuse(
        store.pk, "customers.csv", [text.encode()], **options
    )
    lifecycle.start_import_audit_and_enqueue_or_raise(job, by="test")
    job = lifecycle.run_open_import_unless_running(job.pk)
    assert job.status == "completed", job.error
    return job


def contact_of(store):
    return Contact.objects.get(owner=store, phone=PHONE)


def test_a_new_contact_is_written_whole():
    store = make_store("alice")
    imported(store, f"{PHONE},Nina,O\\'Shop,nina@example.com,f,1990-12-31,\n")
    contact = contact_of(store)
    assert (contact.first_name, contact.last_name) == ("Nina", "O\\'Shop")
    assert (contact.email, contact.gender) == ("nina@example.com", "female")
    assert contact.birthday == date(1990, 12, 31)
    assert (contact.is_subscribed, contact.service_allowed) == (False, True)
    assert (contact.sms_consent_status, contact.sms_consent_at) == ("", None)


@pytest.mark.parametrize("welcome", [True, False])
def test_new_contacts_await_the_welcome_message_if_it_is_asked_for(welcome):
    store = make_store("alice")
    old = make_contact(store, "+306900000002")
    imported(store, f"{PHONE},Nina,,,,,\n+306900000002,New,,,,,\n", welcome=welcome)
    assert contact_of(store).awaits_welcome is welcome
    old.refresh_from_db()
    assert (old.first_name, old.awaits_welcome) == ("New", False)


def test_an_empty_cell_changes_nothing_and_a_filled_one_does():
    store = make_store("alice")
    full = {
        "first_name": "Nina",
        "last_name": "Test",
        "email": "nina@example.com",
        "gender": "female",
        "birthday": date(1990, 12, 31),
    }
    contact = make_contact(store, PHONE, **full)
    before = timezone.now() - timedelta(days=9)
    Contact.objects.update(updated_at=before)
    assert imported(store, f"{PHONE},,,,,,\n").unchanged == 1
    contact.refresh_from_db()
    assert {name: getattr(contact, name) for name in full} == full
    assert contact.updated_at == before, "an unchanged contact looked changed"
    changes = {
        "first_name": "Lena",
        "last_name": "Other",
        "email": "lena@example.com",
        "gender": "other",
        "birthday": date(1991, 1, 1),
    }
    for number, (name, value) in enumerate(changes.items()):
        cells = [""] * number + [str(value)] + [""] * (5 - number)
        assert imported(store, f"{PHONE},{','.join(cells)}\n").updated == 1, name
        contact.refresh_from_db()
        full[name] = value
        assert {name: getattr(contact, name) for name in full} == full
    assert contact.updated_at > before


def test_the_same_number_at_another_store_is_another_contact():
    alice, bob = make_store("alice"), make_store("bob")
    make_contact(bob, PHONE, first_name="Bea", is_subscribed=False)
    job = imported(alice, f"{PHONE},Nina,,,,,\n", consent_source="form", list_name="regulars")
    assert (job.created, job.updated) == (1, 0)
    theirs = contact_of(bob)
    assert (theirs.first_name, theirs.is_subscribed) == ("Bea", False)
    assert list(job.list.listmembership_set.values_list("contact", flat=True)) == [
        contact_of(alice).pk
    ]


def test_known_contacts_also_go_on_the_list_and_only_once():
    store = make_store("alice")
    make_contact(store, PHONE)
    make_contact(store, "+306900000009")
    for _ in range(2):
        job = imported(store, f"{PHONE},,,,,,\n", list_name="regulars", update_existing=False)
    assert list(job.list.listmembership_set.values_list("contact", flat=True)) == [
        contact_of(store).pk
    ]


def test_consent_is_written_with_its_evidence():
    store = make_store("alice")
    at = timezone.now() - timedelta(days=30)
    job = imported(
        store,
        f"{PHONE},,,,,,yes\n",
        consent_source="form",
        consent_at=at,
        consent_version="spring 2",
    )
    contact = contact_of(store)
    assert contact.is_subscribed
    assert (contact.sms_consent_status, contact.sms_consent_source) == ("opted_in", "import")
    assert contact.sms_consent_at > job.created_at
    event = ConsentEvent.objects.get()
    assert (event.owner, event.contact, event.type) == (store, contact, "subscribed")
    assert event.meta == {"import": job.pk, "file": job.file_name, "evidence": "form"}
    assert (event.decided_at, event.version) == (at, "spring 2")
    assert (contact.gdpr_consent_at, contact.gdpr_consent_source) == (at, "form")
    assert (contact.gdpr_consent_version, contact.consent_evidence) == ("spring 2", event.meta)


@pytest.mark.parametrize(
    "claimed", [datetime(1999, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)]
)
def test_an_implausible_time_of_an_imports_consent_is_not_believed(claimed):
    store = make_store("alice")
    job = imported(store, f"{PHONE},,,,,,yes\n", consent_source="form", consent_at=claimed)
    contact = contact_of(store)
    assert job.created_at < contact.gdpr_consent_at <= timezone.now()
    assert ConsentEvent.objects.get().decided_at == contact.gdpr_consent_at
    assert job.consent_at == claimed, "what was claimed stays with the import"


def test_a_known_contact_without_consent_gets_it_from_the_import():
    store = make_store("alice")
    make_contact(store, PHONE, is_subscribed=False)
    assert imported(store, f"{PHONE},,,,,,yes\n", consent_source="form").updated == 1
    contact = contact_of(store)
    assert contact.is_subscribed and ConsentEvent.objects.count() == 1
    assert (contact.sms_consent_status, contact.sms_consent_source) == ("opted_in", "import")


def test_who_is_left_alone_gets_no_consent_either():
    store = make_store("alice")
    make_contact(store, PHONE, is_subscribed=False)
    imported(store, f"{PHONE},,,,,,yes\n", consent_source="form", update_existing=False)
    assert not contact_of(store).is_subscribed and not ConsentEvent.objects.exists()


@pytest.mark.parametrize("consent", ["", "form"])
@pytest.mark.parametrize("update_existing", [True, False])
def test_a_no_takes_the_consent_of_a_known_contact_away(consent, update_existing):
    store = make_store("alice")
    make_contact(store, PHONE, sms_consent_status="opted_in", sms_consent_source="web shop")
    job = imported(
        store,
        f"{PHONE},Nina,,,,,no\n",
        consent_source=consent,
        update_existing=update_existing,
    )
    contact = contact_of(store)
    assert (contact.first_name, job.updated) == ("Nina" if update_existing else "", 1)
    assert not contact.is_subscribed and contact.unsubscribed_at
    assert (contact.sms_consent_status, contact.sms_consent_source) == ("opted_out", "import")
    event = ConsentEvent.objects.get()
    assert (event.type, event.source) == ("unsubscribed", "import")
    assert event.meta == {"import": job.pk, "file": job.file_name}


def test_who_opted_out_stays_out_although_the_suppression_is_gone():
    store = make_store("alice")
    contact = make_contact(store, PHONE)
    change_consent(contact.pk, "unsubscribed", source="test")
    Suppression.objects.all().delete()
    job = imported(store, f"{PHONE},Nina,,,,,yes\n", consent_source="form")
    contact.refresh_from_db()
    assert (contact.first_name, contact.is_subscribed, job.updated) == ("Nina", False, 1)
    assert contact.sms_consent_status == "opted_out" and contact.unsubscribed_at
    assert not ConsentEvent.objects.filter(type="subscribed").exists()


def test_a_suppressed_number_is_stored_and_not_marketed_to():
    alice, bob = make_store("alice"), make_store("bob")
    for owner, number in ((alice, 1), (None, 2), (bob, 3)):
        digest = phone_hash(f"+30690000000{number}")
        Suppression.objects.create(owner=owner, phone_hash=digest, reason="test")
    rows = "".join(f"+30690000000{number},,,,,,yes\n" for number in (1, 2, 3, 4))
    assert imported(alice, rows, consent_source="form").created == 4
    subscribed = Contact.objects.filter(is_subscribed=True).order_by("phone")
    assert [contact.phone[-1] for contact in subscribed] == ["3", "4"]


def test_an_opt_out_at_another_store_does_not_keep_this_one_from_its_consent():
    alice, bob = make_store("alice"), make_store("bob")
    theirs = make_contact(bob, PHONE)
    change_consent(theirs.pk, "unsubscribed", source="test")
    imported(alice, f"{PHONE},,,,,,yes\n", consent_source="form")
    assert contact_of(alice).is_subscribed


def test_a_number_that_could_be_two_is_refused_rather_than_guessed():
    """Without its plus, or without its leading zero: both would be valid numbers."""
    store = make_store("alice", phone_region="IT")
    job = imported(store, "436653374,Nina,,,,,\n")
    assert (job.created, job.rejected) == (0, 1) and not Contact.objects.exists()
    reason = RejectedRow.objects.get().reason
    assert "+436653374 or +390436653374" in reason and "write it with its + sign" in reason


def test_texts_with_what_copy_would_take_for_its_own_are_kept_as_they_are():
    store = make_store("alice")
    job = imported(store, f'{PHONE},back\\slash,\\N\\N,,,,\n12,"tab\there\\",,,,,\n')
    contact = contact_of(store)
    assert (contact.first_name, contact.last_name) == ("back\\slash", "\\N\\N")
    assert RejectedRow.objects.get().row[:2] == ["12", "tab\there\\"] and job.rejected == 1
