"""Consents and opt-outs that an operator records, in the admin and on the command line."""

from datetime import UTC, timedelta
from io import StringIO
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from astronote.common.audit import AuditEntry
from astronote.models import User
from contacts.consent import change_consent
from contacts.models import ConsentEvent, Contact, Suppression
from contacts.phones import phone_hash
from tests.support.factories import make_contact, make_store

pytestmark = pytest.mark.django_db(transaction=True)
PHONE = "+306900000001"
ATHENS = ZoneInfo("Europe/Athens")
PROOF = {
    "message_type": "marketing", "channel": "paper", "place": "the shop in Ermou street",
    "wording": "I want offers by SMS.", "version": "spring 2", "document": "binder 3, form 118",
}  # fmt: skip


@pytest.fixture
def contact():
    store = make_store("alice", timezone="Europe/Athens", phone_region="GR")
    return make_contact(store, PHONE, is_subscribed=False)


@pytest.fixture
def operator(client):
    call_command("create_operator", "operator@example.com", role="operator", password="x" * 20)
    account = User.objects.get(email="operator@example.com")
    client.force_login(account)
    return account


def local(**ago):
    """A time that has passed, by the minute, and what a form says for it in Athens."""
    at = (timezone.now() - timedelta(**ago)).replace(second=0, microsecond=0)
    return at, f"{at.astimezone(ATHENS):%Y-%m-%dT%H:%M}"


def press(client, contact, action, **fields):
    form = {"action": action, "_selected_action": [contact.pk], **fields}
    answer = client.post("/admin/contacts/contact/", form)
    contact.refresh_from_db()
    return answer


def record(client, contact, **fields):
    form = {"confirmed": "1", "given_at": local(days=2)[1], **PROOF, **fields}
    return press(client, contact, "record_consent", **form)


def test_a_consent_on_paper_is_recorded_with_its_proof_and_the_operator(client, contact, operator):
    asked = press(client, contact, "record_consent")
    assert "in Europe/Athens" in asked.text and not contact.is_subscribed
    at, written = local(days=2)
    answer = record(client, contact, given_at=written)
    assert answer.url == f"/admin/contacts/contact/{contact.pk}/change/"
    assert contact.is_subscribed
    assert (contact.gdpr_consent_at, contact.gdpr_consent_source) == (at, "paper")
    assert contact.gdpr_consent_version == "spring 2"
    proof = {"document": "binder 3, form 118", "place": "the shop in Ermou street"}
    assert contact.consent_evidence == proof | {"wording": "I want offers by SMS."}
    event = ConsentEvent.objects.get()
    assert (event.type, event.actor) == ("subscribed", f"account {operator.pk}")
    assert (event.decided_at, event.wording, event.meta) == (at, "I want offers by SMS.", proof)
    entry = AuditEntry.objects.get(action="consent recorded")
    assert (entry.actor, entry.owner) == (operator, contact.owner)
    assert entry.details == {"messages": "marketing", "source": "paper"}


def test_the_offset_of_a_time_counts_and_a_day_alone_is_no_time(client, contact, operator):
    at, _written = local(days=2)
    asked = record(client, contact, given_at=f"{at:%Y-%m-%d}")
    assert "is no day with a time" in asked.text and not contact.is_subscribed
    record(client, contact, given_at=at.astimezone(UTC).isoformat())
    assert contact.gdpr_consent_at == at


@pytest.mark.parametrize("missing", ["place", "wording", "document", "given_at", "channel"])
@pytest.mark.parametrize("written", ["", "  "])
def test_a_consent_without_its_proof_is_not_recorded(client, contact, operator, missing, written):
    assert "badge red" in record(client, contact, **{missing: written}).text
    assert not contact.is_subscribed and not ConsentEvent.objects.exists()
    assert not AuditEntry.objects.filter(action="consent recorded").exists()


@pytest.mark.parametrize("given_at", ["1999-12-31T23:59", "2099-01-01T10:00"])
def test_a_consent_of_a_time_that_cannot_be_true_is_not_recorded(
    client, contact, operator, given_at
):
    assert "The time cannot be true" in record(client, contact, given_at=given_at).text
    assert not contact.is_subscribed


@pytest.mark.parametrize(("days", "counts"), [(4, False), (2, True)])
@pytest.mark.parametrize("source", ["objection", "inbound_stop"])
def test_a_recorded_consent_undoes_what_was_said_before_it(
    client, contact, operator, days, counts, source
):
    at = timezone.now() - timedelta(days=3)
    change_consent(contact.pk, "unsubscribed", source=source, claimed_at=at)
    answer = record(client, contact, given_at=local(days=days)[1])
    assert contact.is_subscribed is counts
    if not counts:
        assert "The person opted out later" in answer.text


def test_a_number_that_is_suppressed_for_all_stores_cannot_be_subscribed(client, contact, operator):
    Suppression.objects.create(owner=None, phone_hash=phone_hash(PHONE), reason="test")
    assert "suppressed for all stores" in record(client, contact).text
    assert not contact.is_subscribed


def test_service_messages_are_allowed_again(client, contact, operator):
    change_consent(contact.pk, "service_revoked", source="objection")
    record(client, contact, message_type="service", channel="phone")
    assert (contact.service_allowed, contact.is_subscribed) == (True, False)
    event = ConsentEvent.objects.latest("pk")
    assert (event.type, event.source) == ("service_allowed", "phone")
    assert "allowed already" in record(client, contact, message_type="service").text


def test_a_consent_is_recorded_for_one_contact_at_a_time(client, contact, operator):
    other = make_contact(contact.owner, "+306900000002", is_subscribed=False)
    form = {"action": "record_consent", "_selected_action": [contact.pk, other.pk], "confirmed": 1}
    client.post("/admin/contacts/contact/", form | PROOF | {"given_at": local(days=1)[1]})
    assert not Contact.objects.filter(is_subscribed=True).exists()


@pytest.mark.parametrize(
    ("action", "consents", "suppressed"),
    [
        ("opt_out_of_marketing", (False, True), True),
        ("opt_out_of_service", (True, False), False),
        ("object_for_person", (False, False), True),
    ],
)
def test_an_operator_opts_a_person_out_of_one_kind_of_message_or_of_both(
    client, contact, operator, action, consents, suppressed
):
    Contact.objects.update(is_subscribed=True)
    press(client, contact, action)
    assert (contact.is_subscribed, contact.service_allowed) == consents
    assert Suppression.objects.filter(owner=contact.owner).exists() is suppressed
    assert AuditEntry.objects.filter(actor=operator, owner=contact.owner).count() == 1


@pytest.mark.parametrize("action", ["opt_out_of_marketing", "object_for_person"])
def test_an_opt_out_is_kept_also_of_one_who_was_not_subscribed(client, contact, operator, action):
    press(client, contact, action)
    assert Suppression.objects.filter(owner=contact.owner).exists()
    assert contact.unsubscribed_at
    assert ConsentEvent.objects.filter(type="unsubscribed").exists()


def test_a_viewer_records_nothing(client, contact):
    call_command("create_operator", "viewer@example.com", role="viewer", password="x" * 20)
    client.force_login(User.objects.get(email="viewer@example.com"))
    Contact.objects.update(is_subscribed=True)
    record(client, contact)
    for action in ("opt_out_of_marketing", "opt_out_of_service"):
        press(client, contact, action)
    assert (contact.is_subscribed, contact.service_allowed) == (True, True)
    assert not ConsentEvent.objects.exists()
    page = client.get(f"/admin/contacts/contact/{contact.pk}/change/").text
    assert "Record a consent" not in page


# On the command line


def run(*arguments):
    output = StringIO()
    call_command("consent", *arguments, stdout=output)
    return output.getvalue()


def test_the_command_records_a_consent_by_phone(contact):
    at, written = local(hours=5)
    run(
        "record", "690 000 0001", "--store", "alice@example.com", "--given", "phone",
        "--at", written, "--place", "called from +30 210 0000000", "--wording", "Offers?",
        "--document", "recording 17", "--wording-version", "call 3",
    )  # fmt: skip
    contact.refresh_from_db()
    assert contact.is_subscribed and contact.gdpr_consent_at == at
    event = ConsentEvent.objects.get()
    assert (event.source, event.actor, event.version) == ("phone", "command line", "call 3")
    assert AuditEntry.objects.get(action="consent recorded").actor_name == "command line"


@pytest.mark.parametrize("missing", ["--given", "--at", "--wording", "--document", "--place"])
def test_the_command_asks_for_what_is_missing(contact, missing):
    options = {
        "--store": "alice@example.com", "--given": "phone", "--at": local(hours=5)[1],
        "--place": "here", "--wording": "Offers?", "--document": "recording 17",
    }  # fmt: skip
    del options[missing]
    with pytest.raises(CommandError, match=missing.strip("-")):
        run("record", PHONE, *(part for option in options.items() for part in option))
    assert not ConsentEvent.objects.exists()


@pytest.mark.parametrize(
    ("messages", "consents"),
    [("marketing", (False, True)), ("service", (True, False)), ("all", (False, False))],
)
def test_the_command_records_an_opt_out(contact, messages, consents):
    Contact.objects.update(is_subscribed=True)
    run("opt-out", PHONE, "--store", "alice@example.com", "--messages", messages)
    contact.refresh_from_db()
    assert (contact.is_subscribed, contact.service_allowed) == consents


@pytest.mark.parametrize("number", ["+306900000009", "12"])
def test_the_command_needs_a_number_of_the_stores_contacts(contact, number):
    with pytest.raises(CommandError):
        run("opt-out", number, "--store", "alice@example.com")
    assert not ConsentEvent.objects.exists() and not Suppression.objects.exists()
