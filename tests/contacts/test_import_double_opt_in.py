"""An import with consent into a store that uses double opt-in: nobody is subscribed by the file."""

import pytest

from contacts.consent import change_consent
from contacts.importing import lifecycle
from contacts.models import ConsentEvent, Contact, OptInRequest, Suppression
from contacts.phones import phone_hash
from messaging.opt_in_requests import send_or_close_waiting_opt_in_requests
from tests.support.factories import make_contact, make_store

pytestmark = pytest.mark.django_db(transaction=True)
PHONES = [f"+30690000000{number}" for number in range(10)]


@pytest.fixture
def alice():
    return make_store("alice", company="Anna's", double_opt_in=True)


def imported(store, *rows, columns="phone,first name,sms consent", **options):
    options = {"consent_source": "loyalty form"} | options
    text = "\n".join([columns, *rows]) + "\n"
    job = lifecycle.create_unstarted_import_or_refuse(
        store.pk, "customers.csv", [text.encode()], **options
    )
    lifecycle.start_import_audit_and_enqueue_or_raise(job, by="test")
    job = lifecycle.run_open_import_unless_running(job.pk)
    assert job.status == "completed", job.error
    return job


def asked_phones():
    return list(
        OptInRequest.objects.without_written_message()
        .order_by("pk")
        .values_list("contact__phone", flat=True)
    )


def test_those_who_agree_are_asked_and_nobody_is_subscribed(alice):
    rows = (f"{PHONES[1]},Nina,yes", f"{PHONES[2]},Lena,no", f"{PHONES[3]},Anna,")
    job = imported(alice, *rows)
    assert not Contact.objects.filter(is_subscribed=True).exists()
    assert asked_phones() == [PHONES[1]]
    request = OptInRequest.objects.get()
    assert (
        request.wording == "Anna's: may we send you offers by SMS? You can stop them at any time."
    )
    assert (request.version, request.purpose) == ("standard, en", "double_opt_in")
    assert request.meta == {"import": job.pk, "file": "customers.csv", "evidence": "loyalty form"}
    events = ConsentEvent.objects.values_list("type", "contact__phone")
    assert list(events) == [("unsubscribed", PHONES[2])], "a no needs no confirmation"
    contact = Contact.objects.get(phone=PHONES[1])
    assert (contact.gdpr_consent_at, contact.sms_consent_status) == (None, "")
    assert contact.consent_evidence is None


def test_without_a_declared_consent_nobody_is_asked(alice):
    imported(alice, f"{PHONES[1]},Nina,yes", consent_source="")
    assert not OptInRequest.objects.exists()


def test_a_store_without_double_opt_in_subscribes_by_the_file():
    imported(make_store("bob"), f"{PHONES[1]},Nina,yes")
    assert Contact.objects.get().is_subscribed and not OptInRequest.objects.exists()


def test_another_store_with_double_opt_in_changes_nothing_for_this_one(alice):
    bob = make_store("bob")
    make_contact(alice, PHONES[1], is_subscribed=False)
    imported(bob, f"{PHONES[1]},Nina,yes")
    assert not OptInRequest.objects.exists()


@pytest.mark.parametrize(
    "fields",
    [
        {"is_subscribed": True}, {"service_allowed": False},
        {"unsubscribed_at": "2026-01-01T00:00Z"},
    ],
)  # fmt: skip
def test_known_contacts_that_must_not_be_asked_are_not(alice, fields):
    contact = make_contact(alice, PHONES[1], **{"is_subscribed": False} | fields)
    imported(alice, f"{PHONES[1]},Nina,yes")
    assert asked_phones() == []
    before = contact.is_subscribed
    contact.refresh_from_db()
    assert contact.is_subscribed == before


def test_a_no_at_one_store_leaves_the_question_of_another(alice):
    bob = make_store("bob", company="Bob's", double_opt_in=True)
    imported(bob, f"{PHONES[1]},Nina,yes")
    imported(alice, f"{PHONES[1]},Nina,no")
    assert OptInRequest.objects.get(contact__owner=bob).closed_at is None


@pytest.mark.parametrize("whose", ["own", "everybody's"])
def test_suppressed_numbers_are_not_asked(alice, whose):
    owner = alice if whose == "own" else None
    Suppression.objects.create(owner=owner, phone_hash=phone_hash(PHONES[1]), reason="test")
    imported(alice, f"{PHONES[1]},Nina,yes", f"{PHONES[2]},Lena,yes")
    assert asked_phones() == [PHONES[2]]


def test_a_known_contact_is_asked_unless_known_contacts_are_left_alone(alice):
    for number in (1, 2):
        make_contact(alice, PHONES[number], is_subscribed=False)
    imported(alice, f"{PHONES[1]},Nina,yes", f"{PHONES[3]},New,yes", update_existing=False)
    assert asked_phones() == [PHONES[3]]
    imported(alice, f"{PHONES[2]},Nina,yes")
    assert asked_phones() == [PHONES[3], PHONES[2]]


def test_who_was_asked_is_not_asked_again_by_the_next_file(alice):
    imported(alice, f"{PHONES[1]},Nina,yes")
    imported(alice, f"{PHONES[1]},Nina,yes")
    assert send_or_close_waiting_opt_in_requests() == {"sent": 1, "closed": 0}
    OptInRequest.objects.all().close_unanswered()
    imported(alice, f"{PHONES[1]},Nina,yes")
    assert OptInRequest.objects.count() == 1


def test_who_could_not_be_asked_is_asked_by_the_next_file(alice):
    imported(alice, f"{PHONES[1]},Nina,yes")
    OptInRequest.objects.all().close_unanswered()
    imported(alice, f"{PHONES[1]},Nina,yes")
    assert asked_phones() == [PHONES[1]]


@pytest.mark.parametrize("chunk_rows", [1, 100])
@pytest.mark.parametrize("last", ["no", "pending"])
def test_a_no_further_down_the_file_takes_the_question_back(alice, monkeypatch, chunk_rows, last):
    monkeypatch.setattr(lifecycle, "CHUNK_ROWS", chunk_rows)
    imported(alice, f"{PHONES[1]},Nina,yes", f"{PHONES[2]},Lena,yes", f"{PHONES[1]},Nina,{last}")
    assert asked_phones() == [PHONES[2]]


def test_a_no_of_a_later_file_takes_the_question_back(alice):
    imported(alice, f"{PHONES[1]},Nina,yes")
    send_or_close_waiting_opt_in_requests()
    imported(alice, f"{PHONES[1]},Nina,no")
    assert OptInRequest.objects.get().closed_at


@pytest.mark.parametrize("chunk_rows", [1, 3, 100])
def test_each_contact_has_one_request_whatever_the_chunks(alice, monkeypatch, chunk_rows):
    monkeypatch.setattr(lifecycle, "CHUNK_ROWS", chunk_rows)
    rows = [f"{phone},Nina,yes" for phone in (*PHONES, *PHONES)]
    imported(alice, *rows)
    assert sorted(asked_phones()) == PHONES


def test_a_request_of_an_import_is_withdrawn_by_an_opt_out(alice):
    imported(alice, f"{PHONES[1]},Nina,yes")
    change_consent(Contact.objects.get().pk, "unsubscribed", source="inbound_stop")
    assert asked_phones() == []
