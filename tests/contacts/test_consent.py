"""What each change of a contact's consent does, and what it leaves alone."""

import re
import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from contacts.consent import (
    NO_EVIDENCE,
    RECORDED_BY_OPERATOR,
    Evidence,
    change_consent,
    consenting_unrestricted_contacts_q,
)
from contacts.marketing_blocks import (
    pairs_suppressed_at_store_or_everywhere,
    wait_for_sends_and_suppress_phones,
)
from contacts.models import ConsentEvent, Contact, OptInRequest, Suppression
from contacts.phones import phone_hash
from contacts.sending_window import sending_window
from messaging.sending import MAX_CONSENT_AGE_SECONDS
from tests.support.factories import make_contact, make_store
from tests.support.holding import Holding
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
PHONE = "+306900000001"


def in_another_session(work):
    """Start the work in a thread, which has a database session of its own."""

    def run():
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def waits_for_a_lock():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database"
            " WHERE locktype = 'advisory' AND NOT granted AND d.datname = current_database()"
        )
        return cursor.fetchone()[0] > 0


@pytest.mark.parametrize(
    ("message_type", "expected"),
    [("marketing", ["+306900000001", "+306900000003"]),
     ("service", ["+306900000001", "+306900000002"])],
)  # fmt: skip
def test_each_type_of_message_needs_its_own_consent_and_a_number(message_type, expected):
    store = make_store("alice")
    make_contact(store)
    make_contact(store, "+306900000002", is_subscribed=False)
    make_contact(store, "+306900000003", service_allowed=False)
    make_contact(store, None, anonymised_at=timezone.now())
    found = Contact.objects.filter(consenting_unrestricted_contacts_q(message_type)).order_by(
        "phone"
    )
    assert list(found.values_list("phone", flat=True)) == expected


def test_nobody_has_agreed_to_marketing_until_somebody_says_so():
    store = make_store("alice")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO contacts_contact (owner_id, phone, email, first_name, last_name)"
            " VALUES (%s, %s, '', '', '')",
            [store.pk, PHONE],
        )
    contact = Contact.objects.get()
    assert (contact.is_subscribed, contact.service_allowed) == (False, True)


def test_an_opt_out_records_when_how_and_why_and_counts_once():
    contact = make_contact(make_store("alice"))
    at = timezone.now() - timedelta(hours=2)
    form = Evidence(details={"form": 7})
    assert change_consent(contact.pk, "unsubscribed", source="test", claimed_at=at, evidence=form)
    contact.refresh_from_db()
    assert (contact.is_subscribed, contact.unsubscribed_at) == (False, at)
    assert (contact.sms_consent_status, contact.sms_consent_source) == ("opted_out", "test")
    assert contact.sms_consent_at == at and contact.service_allowed
    event = ConsentEvent.objects.get()
    assert (event.owner_id, event.contact_id) == (contact.owner_id, contact.pk)
    assert (event.type, event.source, event.meta) == ("unsubscribed", "test", {"form": 7})
    assert Suppression.objects.get().reason == "test"
    assert not change_consent(contact.pk, "unsubscribed", source="later")
    contact.refresh_from_db()
    assert contact.unsubscribed_at == at
    assert ConsentEvent.objects.count() == 1


PROOF = Evidence(
    wording="May we send you offers by SMS?",
    version="spring 2",
    actor="account 7",
    ip_address="192.0.2.7",
    user_agent="Browser/1",
    document="binder 3, form 118",
    details={"request": 5},
)


def test_a_consent_is_kept_with_its_wording_and_all_that_proves_it():
    contact = make_contact(make_store("alice"), is_subscribed=False)
    at = timezone.now() - timedelta(days=2)
    assert change_consent(contact.pk, "subscribed", source="paper", claimed_at=at, evidence=PROOF)
    further = {
        "request": 5, "ip_address": "192.0.2.7", "user_agent": "Browser/1",
        "document": "binder 3, form 118",
    }  # fmt: skip
    contact.refresh_from_db()
    assert contact.is_subscribed
    assert (contact.gdpr_consent_at, contact.gdpr_consent_source) == (at, "paper")
    assert contact.gdpr_consent_version == "spring 2"
    assert contact.consent_evidence == {"wording": "May we send you offers by SMS?"} | further
    assert (contact.sms_consent_status, contact.sms_consent_source) == ("opted_in", "paper")
    event = ConsentEvent.objects.get()
    assert (event.type, event.source, event.decided_at) == ("subscribed", "paper", at)
    assert (event.actor, event.version) == ("account 7", "spring 2")
    assert (event.wording, event.meta) == ("May we send you offers by SMS?", further)


def test_an_opt_out_leaves_the_proof_of_the_consent_that_there_was():
    contact = make_contact(make_store("alice"), is_subscribed=False)
    change_consent(contact.pk, "subscribed", source="paper", evidence=PROOF)
    change_consent(contact.pk, "unsubscribed", source="inbound_stop")
    contact.refresh_from_db()
    assert (contact.gdpr_consent_source, contact.sms_consent_source) == ("paper", "inbound_stop")
    assert contact.consent_evidence["document"] == "binder 3, form 118"


def test_a_change_of_service_messages_is_no_change_of_marketing():
    contact = make_contact(make_store("alice"))
    change_consent(contact.pk, "unsubscribed", source="inbound_stop")
    change_consent(contact.pk, "service_revoked", source="somebody")
    contact.refresh_from_db()
    assert (contact.service_allowed, contact.sms_consent_source) == (False, "inbound_stop")


@pytest.mark.parametrize(
    ("claimed", "is_believed"),
    [
        (timedelta(days=1, minutes=5), False), (timedelta(hours=23), True),
        (-timedelta(days=365), True), (datetime(1999, 12, 31, tzinfo=UTC), False),
        (datetime(2000, 1, 1, tzinfo=UTC), True),
    ],
)  # fmt: skip
@pytest.mark.parametrize("event", ["subscribed", "unsubscribed"])
def test_a_time_is_believed_if_it_is_plausible_and_else_kept_as_claimed(
    claimed, is_believed, event
):
    contact = make_contact(make_store("alice"), is_subscribed=event == "unsubscribed")
    now = timezone.now()
    at = now + claimed if isinstance(claimed, timedelta) else claimed
    assert change_consent(contact.pk, event, source="test", claimed_at=at)
    contact.refresh_from_db()
    kept = ConsentEvent.objects.get()
    decided = contact.gdpr_consent_at if event == "subscribed" else contact.unsubscribed_at
    assert decided == kept.decided_at == contact.sms_consent_at
    assert (decided == at) is is_believed
    if not is_believed:
        assert now <= decided <= timezone.now()
        assert datetime.fromisoformat(kept.meta["claimed_at"]) == at


def test_an_opt_out_at_one_store_leaves_the_other_store_alone():
    alice, bob = make_store("alice"), make_store("bob")
    at_alice, at_bob = make_contact(alice), make_contact(bob)
    change_consent(at_alice.pk, "unsubscribed", source="test")
    at_bob.refresh_from_db()
    assert at_bob.is_subscribed
    pairs = [(alice.pk, PHONE), (bob.pk, PHONE), (alice.pk, "+306900000002")]
    assert pairs_suppressed_at_store_or_everywhere(pairs) == {(alice.pk, PHONE)}


def test_a_number_suppressed_for_every_store_is_suppressed_at_each():
    alice, bob = make_store("alice"), make_store("bob")
    Suppression.objects.create(owner=None, phone_hash=phone_hash(PHONE), reason="test")
    pairs = {(alice.pk, PHONE), (bob.pk, PHONE)}
    assert pairs_suppressed_at_store_or_everywhere(pairs | {(bob.pk, "+306900000002")}) == pairs


def test_who_subscribes_again_is_suppressed_no_more_at_that_store_only():
    alice, bob = make_store("alice"), make_store("bob")
    contacts = [make_contact(alice), make_contact(bob)]
    for contact in contacts:
        change_consent(contact.pk, "unsubscribed", source="test")
    other = make_contact(alice, "+306900000002")
    change_consent(other.pk, "unsubscribed", source="test")
    Suppression.objects.create(owner=None, phone_hash="0" * 64, reason="test")
    assert change_consent(contacts[0].pk, "resubscribed", source="owner_update")
    contacts[0].refresh_from_db()
    assert contacts[0].is_subscribed and contacts[0].unsubscribed_at is None
    assert contacts[0].sms_consent_status == "opted_in"
    kept = set(Suppression.objects.values_list("owner", "phone_hash"))
    assert kept == {
        (bob.pk, phone_hash(PHONE)), (alice.pk, phone_hash("+306900000002")), (None, "0" * 64),
    }  # fmt: skip


def test_a_subscription_older_than_the_opt_out_changes_nothing():
    contact = make_contact(make_store("alice"))
    at = timezone.now() - timedelta(hours=1)
    change_consent(contact.pk, "unsubscribed", source="test", claimed_at=at)
    before = at - timedelta(seconds=1)
    assert not change_consent(contact.pk, "resubscribed", source="late", claimed_at=before)
    contact.refresh_from_db()
    assert not contact.is_subscribed and Suppression.objects.exists()
    assert change_consent(
        contact.pk, "resubscribed", source="new", claimed_at=at + timedelta(seconds=1)
    )


def test_who_is_subscribed_is_not_subscribed_again():
    contact = make_contact(make_store("alice"))
    assert not change_consent(contact.pk, "resubscribed", source="test")
    assert not ConsentEvent.objects.exists()


def test_a_consent_that_an_operator_records_is_a_new_proof_of_one_who_is_subscribed():
    contact = make_contact(make_store("alice"))
    assert change_consent(contact.pk, "subscribed", source="paper", evidence=PROOF)
    contact.refresh_from_db()
    assert contact.is_subscribed and contact.gdpr_consent_source == "paper"
    assert ConsentEvent.objects.get().type == "subscribed"


def test_an_opt_out_of_one_who_was_not_subscribed_leaves_the_suppression_and_counts_once():
    alice = make_store("alice")
    contact = make_contact(alice, is_subscribed=False)
    assert change_consent(contact.pk, "unsubscribed", source="inbound_stop")
    assert not change_consent(contact.pk, "unsubscribed", source="unsubscribe_page")
    assert ConsentEvent.objects.get().type == "unsubscribed"
    assert Suppression.objects.get().reason == "inbound_stop"
    contact.refresh_from_db()
    assert contact.unsubscribed_at


# What an opt-in does not undo

WEAK_SOURCES = ["inbound_start", "unsubscribe_page", "double_opt_in"]


@pytest.mark.parametrize("source", WEAK_SOURCES)
@pytest.mark.parametrize("was_subscribed", [True, False])
def test_an_objection_is_not_undone_by_a_word_or_a_press(source, was_subscribed):
    contact = make_contact(make_store("alice"), is_subscribed=was_subscribed)
    change_consent(contact.pk, "unsubscribed", source="objection")
    assert not change_consent(contact.pk, "subscribed", source=source)
    contact.refresh_from_db()
    assert not contact.is_subscribed and Suppression.objects.get().reason == "objection"


def test_an_objection_after_a_stop_is_an_objection():
    contact = make_contact(make_store("alice"))
    stopped_at = timezone.now() - timedelta(days=9)
    change_consent(contact.pk, "unsubscribed", source="inbound_stop", claimed_at=stopped_at)
    assert change_consent(contact.pk, "unsubscribed", source="objection")
    assert not change_consent(contact.pk, "unsubscribed", source="objection")
    sources = ConsentEvent.objects.order_by("pk").values_list("source", flat=True)
    assert list(sources) == ["inbound_stop", "objection"]
    between = timezone.now() - timedelta(days=5)
    for evidence, at in ((NO_EVIDENCE, None), (PROOF, between)):
        assert not change_consent(
            contact.pk, "subscribed", source="test", claimed_at=at, evidence=evidence
        )
    contact.refresh_from_db()
    assert not contact.is_subscribed


@pytest.mark.parametrize("weaker", ["inbound_stop", RECORDED_BY_OPERATOR])
def test_a_weaker_opt_out_after_an_objection_leaves_it_an_objection(weaker):
    contact = make_contact(make_store("alice"))
    for source in ("objection", weaker):
        change_consent(contact.pk, "unsubscribed", source=source)
    assert Suppression.objects.get().reason == "objection"
    assert not change_consent(contact.pk, "subscribed", source="inbound_start")


@pytest.mark.parametrize(("minutes", "counts"), [(-1, False), (0, False), (1, True)])
def test_only_a_recorded_consent_that_is_younger_undoes_an_objection(minutes, counts):
    contact = make_contact(make_store("alice"))
    objected_at = timezone.now() - timedelta(days=3)
    change_consent(contact.pk, "unsubscribed", source="objection", claimed_at=objected_at)
    at = objected_at + timedelta(minutes=minutes)
    assert counts is change_consent(
        contact.pk, "subscribed", source="paper", claimed_at=at, evidence=PROOF
    )
    contact.refresh_from_db()
    assert contact.is_subscribed is counts
    assert Suppression.objects.exists() is not counts


def test_an_objection_holds_for_a_contact_that_is_made_anew():
    alice = make_store("alice")
    contact = make_contact(alice)
    change_consent(contact.pk, "unsubscribed", source="objection")
    Contact.objects.all().delete()
    again = make_contact(alice, is_subscribed=False)
    before = timezone.now() - timedelta(days=3)
    assert not change_consent(again.pk, "subscribed", source="double_opt_in")
    assert not change_consent(
        again.pk, "subscribed", source="paper", claimed_at=before, evidence=PROOF
    )
    assert change_consent(again.pk, "subscribed", source="paper", evidence=PROOF)


@pytest.mark.parametrize("evidence", [NO_EVIDENCE, PROOF], ids=["press", "recorded"])
def test_a_suppression_for_all_stores_is_undone_by_no_stores_consent(evidence):
    contact = make_contact(make_store("alice"), is_subscribed=False)
    Suppression.objects.create(owner=None, phone_hash=phone_hash(PHONE), reason="test")
    assert not change_consent(contact.pk, "subscribed", source="test", evidence=evidence)
    contact.refresh_from_db()
    assert not contact.is_subscribed and Suppression.objects.exists()


def test_another_stores_objection_is_not_this_stores():
    alice, bob = make_store("alice"), make_store("bob")
    at_alice, at_bob = make_contact(alice), make_contact(bob, is_subscribed=False)
    change_consent(at_alice.pk, "unsubscribed", source="objection")
    assert change_consent(at_bob.pk, "subscribed", source="double_opt_in")


def test_service_messages_are_revoked_and_allowed_without_touching_marketing():
    contact = make_contact(make_store("alice"))
    assert not change_consent(contact.pk, "service_allowed", source="test")
    assert change_consent(contact.pk, "service_revoked", source="test")
    contact.refresh_from_db()
    assert (contact.service_allowed, contact.is_subscribed) == (False, True)
    assert not Suppression.objects.exists()
    assert not change_consent(contact.pk, "service_revoked", source="test")
    assert change_consent(contact.pk, "service_allowed", source="test")
    contact.refresh_from_db()
    assert contact.service_allowed
    types = list(ConsentEvent.objects.order_by("pk").values_list("type", flat=True))
    assert types == ["service_revoked", "service_allowed"]


def test_an_anonymised_contact_has_no_consent_to_change():
    contact = make_contact(make_store("alice"), None, anonymised_at=timezone.now())
    assert not change_consent(contact.pk, "unsubscribed", source="test")
    assert not ConsentEvent.objects.exists() and not Suppression.objects.exists()


@pytest.mark.parametrize("event", ["unsubscribed", "service_revoked"])
def test_a_withdrawal_waits_for_the_call_of_its_own_store(event):
    alice = make_store("alice")
    contact = make_contact(alice)
    with sending_window(alice.pk):
        thread = in_another_session(lambda: change_consent(contact.pk, event, source="test"))
        wait_until(waits_for_a_lock)
        contact.refresh_from_db()
        assert contact.is_subscribed and contact.service_allowed
    thread.join(20)
    assert ConsentEvent.objects.get().type == event


def test_a_suppression_waits_for_the_call_if_the_contact_is_being_asked():
    alice = make_store("alice")
    contact = make_contact(alice, is_subscribed=False)
    OptInRequest.objects.create(contact=contact, purpose="double_opt_in", wording="May we?")
    work = lambda: wait_for_sends_and_suppress_phones(  # noqa: E731
        alice.pk, [contact.phone], reason="test"
    )
    with sending_window(alice.pk):
        thread = in_another_session(transaction.atomic(work))
        wait_until(waits_for_a_lock)
        assert not Suppression.objects.exists()
    thread.join(20)
    assert Suppression.objects.exists()


def test_a_withdrawal_does_not_wait_for_the_call_of_another_store():
    alice, bob = make_store("alice"), make_store("bob")
    contact = make_contact(bob)
    with sending_window(alice.pk):
        work = lambda: change_consent(contact.pk, "unsubscribed", source="test")  # noqa: E731
        thread = in_another_session(work)
        thread.join(20)
        contact.refresh_from_db()
        assert not contact.is_subscribed


def test_a_consent_that_is_given_waits_for_no_call():
    alice = make_store("alice")
    contact = make_contact(alice, service_allowed=False)
    with sending_window(alice.pk):
        work = lambda: change_consent(contact.pk, "service_allowed", source="test")  # noqa: E731
        thread = in_another_session(work)
        thread.join(20)
        contact.refresh_from_db()
        assert contact.service_allowed


def test_a_window_is_shut_also_after_an_error():
    alice = make_store("alice")
    contact = make_contact(alice)
    with pytest.raises(ZeroDivisionError), sending_window(alice.pk):
        raise ZeroDivisionError
    work = lambda: change_consent(contact.pk, "unsubscribed", source="test")  # noqa: E731
    in_another_session(work).join(20)
    contact.refresh_from_db()
    assert not contact.is_subscribed


def test_an_opt_out_waits_until_a_call_has_begun_and_not_for_its_answer():
    """A call under way cannot be taken back; a worker stopped before its call makes none."""
    alice = make_store("alice")
    contact = make_contact(alice)
    goes_on, is_open = threading.Event(), threading.Event()

    def call_that_takes_long():
        with sending_window(alice.pk):
            is_open.set()
            goes_on.wait(60)

    caller = in_another_session(call_that_takes_long)
    assert is_open.wait(20)
    with CaptureQueriesContext(connection) as queries:
        assert change_consent(contact.pk, "unsubscribed", source="test")
    assert caller.is_alive(), "the call is still under way"
    goes_on.set()
    caller.join(20)
    said = "".join(query["sql"] for query in queries)
    seconds = int(re.search(r"SET LOCAL lock_timeout = '(\d+)s'", said)[1])
    assert MAX_CONSENT_AGE_SECONDS < seconds <= 2


def test_no_window_opens_between_giving_up_and_the_commit_of_an_opt_out(monkeypatch):
    """A worker that was stopped keeps its window open; another one must not send meanwhile."""
    monkeypatch.setattr("contacts.sending_window.OPT_OUT_MAX_WAIT_SECONDS", "0.01")
    alice = make_store("alice")
    contact = make_contact(alice)
    opened = []

    def open_and_read_consent():
        with sending_window(alice.pk):
            opened.append(Contact.objects.get(pk=contact.pk).is_subscribed)

    with Holding(lambda: sending_window(alice.pk)):
        with transaction.atomic():
            change_consent(contact.pk, "unsubscribed", source="test")
            worker = in_another_session(open_and_read_consent)
            wait_until(waits_for_a_lock)
            assert opened == []
        worker.join(20)
        assert opened == [False]
        # The gate is open again, and the next opt-out shuts it anew.
        in_another_session(open_and_read_consent).join(20)
    assert opened == [False, False]


def test_opt_outs_of_a_store_do_not_wait_for_each_other_while_a_call_is_under_way(monkeypatch):
    monkeypatch.setattr("contacts.sending_window.OPT_OUT_MAX_WAIT_SECONDS", "0.01")
    alice = make_store("alice")
    first, second = make_contact(alice), make_contact(alice, "+306900000002")
    with Holding(lambda: sending_window(alice.pk)), transaction.atomic():
        change_consent(first.pk, "unsubscribed", source="test")
        other = lambda: change_consent(second.pk, "unsubscribed", source="test")  # noqa: E731
        in_another_session(other).join(20)
        second.refresh_from_db()
        assert not second.is_subscribed
