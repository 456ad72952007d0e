"""The rules of `make chaos` on sign-ups, consent, offers and exports find what is made wrong."""

import pytest

from astronote.models import AuditEntry
from campaigns import exports
from campaigns.models import (
    AutomationRule,
    AutomationSend,
    CampaignMessage,
    ExportFileChunk,
    ExportRun,
    NfcTag,
    PublicSignupEvent,
    Redemption,
)
from campaigns.signup import redeeming, signing_up
from campaigns.signup.forms import Entry, FormSign
from campaigns.signup.signing_up import Visitor
from compliance import rights
from contacts.consent import change_consent
from contacts.models import ConsentEvent, Contact, CustomerEvent, OptInRequest
from contacts.opt_in_wording import Question
from messaging import opt_in_requests
from tests.chaos import rules
from tests.support.factories import make_campaign, make_contact, make_store

pytestmark = pytest.mark.django_db(transaction=True)
PHONE = "+306900000001"


@pytest.fixture
def store():
    return make_store()


@pytest.fixture
def evidence():
    return rules.Evidence()


def sign_up(store, evidence, key="form"):
    tag = NfcTag.objects.create(owner=store, label="Door")
    signing_up.store_signup_once_and_enqueue_job(
        tag,
        FormSign(key, None),
        Entry(PHONE),
        Question("Offers?", "1"),
        "en",
        Visitor("192.0.2.7", "192.0.2.7", "Firefox"),
    )
    evidence.signed_up[key] = (store.pk, PHONE)
    signing_up.apply_waiting_signups()


def repeat_row(row):
    row.pk = None
    row.save(force_insert=True)


SIGNUP_FAULTS = {
    "lost": lambda: PublicSignupEvent.objects.all().delete(),
    "not applied": lambda: PublicSignupEvent.objects.update(outcome="waiting"),
    "what was typed stays": lambda: PublicSignupEvent.objects.update(meta={"phone": PHONE}),
    "another number": lambda: Contact.objects.update(phone="+306900000002"),
}


@pytest.mark.parametrize("fault", [*SIGNUP_FAULTS, "no consent", "two consents"])
def test_a_sign_up_that_is_not_applied_once_is_found(store, evidence, fault):
    sign_up(store, evidence)
    assert rules.signed_up_not_once(evidence) == 0
    faults = SIGNUP_FAULTS | {
        "no consent": lambda: ConsentEvent.objects.all().delete(),
        "two consents": lambda: repeat_row(ConsentEvent.objects.get()),
    }
    faults[fault]()
    assert rules.signed_up_not_once(evidence) > 0


@pytest.mark.parametrize("fault", [*SIGNUP_FAULTS, "no request", "two requests"])
def test_a_sign_up_that_does_not_ask_once_is_found(evidence, fault):
    sign_up(make_store(double_opt_in=True), evidence)
    opt_in_requests.send_or_close_waiting_opt_in_requests()
    assert rules.signed_up_not_once(evidence) == 0

    def ask_again():
        request = OptInRequest.objects.get()
        OptInRequest.objects.update(closed_at="2026-01-01T00:00Z")
        request.tracking_id = "another"
        repeat_row(request)

    faults = SIGNUP_FAULTS | {
        "no request": lambda: OptInRequest.objects.all().delete(),
        "two requests": ask_again,
    }
    faults[fault]()
    assert rules.signed_up_not_once(evidence) > 0


@pytest.mark.parametrize("fault", ["twice", "lost", "another", "answer lost", "answered twice"])
def test_a_consent_that_changes_twice_or_not_is_found(store, evidence, fault):
    contact = make_contact(store, PHONE, is_subscribed=False)
    change_consent(contact.pk, "subscribed", source="test")
    OptInRequest.objects.create(
        contact=contact, purpose="double_opt_in", answered_at="2026-01-01T00:00Z"
    )
    evidence.confirmed.add((store.sender_name, PHONE))
    assert rules.consented_not_once(evidence) == 0
    match fault:
        case "twice":
            repeat_row(ConsentEvent.objects.get())
        case "lost":
            ConsentEvent.objects.all().delete()
        case "another":
            Contact.objects.update(is_subscribed=False)
        case "answer lost":
            evidence.confirmed.add((store.sender_name, "+306900000002"))
        case "answered twice":
            OptInRequest.objects.update(closed_at="2026-01-01T00:00Z")
    assert rules.consented_not_once(evidence) > 0


@pytest.mark.parametrize("fault", ["said twice", "not stored", "audited twice", "not audited"])
def test_an_offer_that_is_not_used_once_is_found(store, evidence, fault):
    message = CampaignMessage.objects.create(
        owner=store,
        campaign=make_campaign(store, None),
        contact=make_contact(store),
        to=PHONE,
        segments=1,
        tracking_id="AbCdEfGhIjKl",
        status="delivered",
    )
    offer = redeeming.find_offer(store.pk, message.tracking_id)
    said = [redeeming.redeem(offer, by="test")[0] for _ in range(2)]
    used = ("CampaignMessage", message.pk)
    evidence.used[used] = said.count("used_now")
    assert rules.used_not_once(evidence) == 0
    match fault:
        case "said twice":
            evidence.used[used] += 1
        case "not stored":
            Redemption.objects.all().delete()
        case "audited twice":
            repeat_row(AuditEntry.objects.get(action="offer redeemed"))
        case "not audited":
            AuditEntry.objects.all().delete()
    assert rules.used_not_once(evidence) > 0


@pytest.mark.parametrize(
    "fault",
    ["cut", "part missing", "too early", "line missing", "contact missing", "not written"],
)
def test_a_file_that_is_not_whole_is_found(store, evidence, monkeypatch, fault):
    monkeypatch.setattr(exports, "CHUNK_BYTES", 300)
    for n in range(9):
        make_contact(store, f"+30690000000{n}")
    run = exports.request_export(store, "contacts", by="test")
    evidence.exported[run.pk] = set(Contact.objects.values_list("phone", flat=True))
    exports.write_export_unless_written(run.pk)
    assert rules.half_exports(evidence) == 0
    first = ExportFileChunk.objects.order_by("number").first()
    match fault:
        case "cut":
            ExportFileChunk.objects.filter(pk=first.pk).update(data=bytes(first.data)[:-9])
        case "part missing":
            first.delete()
        case "too early":
            ExportRun.objects.update(status="failed", completed_at=None)
        case "line missing":
            ExportRun.objects.update(lines=10)
        case "contact missing":
            evidence.exported[run.pk].add("+306900000099")
        case "not written":
            ExportRun.objects.update(status="pending", completed_at=None)
    assert rules.half_exports(evidence) > 0


def test_an_erased_person_in_a_file_is_found(store, evidence):
    make_contact(store, PHONE)
    make_contact(store, "+306900000002")
    other = make_store("bob", sender_name="BOB")
    make_contact(other, PHONE)
    for one in (store, other):
        run = exports.request_export(one, "contacts", by="test")
        exports.write_export_unless_written(run.pk)
    files = list(ExportFileChunk.objects.filter(export_run__owner=store))
    rights.erase_or_restrict_person_by_phone(PHONE, store.pk, by="test")
    evidence.erased.add((store.pk, PHONE))
    assert rules.erased_in_files(evidence) == 0
    ExportFileChunk.objects.bulk_create(files)
    assert rules.erased_in_files(evidence) == 1


@pytest.mark.parametrize("fault", ["lost", "twice"])
def test_an_appointment_that_is_not_reminded_of_once_is_found(store, evidence, fault):
    contact = make_contact(store)
    event = CustomerEvent.objects.create(
        owner=store, contact=contact, event_type="appointment", start_at="2031-01-01T00:00Z"
    )
    CustomerEvent.objects.create(
        owner=store,
        contact=contact,
        event_type="appointment",
        status="canceled",
        start_at="2031-01-01T00:00Z",
    )
    sent = AutomationSend.objects.create(
        owner=store,
        rule=AutomationRule.objects.create(
            owner=store, name="R", message_body="R", trigger_type="birthday"
        ),
        event=event,
        contact=contact,
        to=PHONE,
        segments=1,
        tracking_id="AbCdEfGhIjKl",
        status="sent",
        scheduled_for="2030-12-31T00:00Z",
    )
    assert rules.reminded_not_once(evidence) == 0
    if fault == "lost":
        sent.delete()
    else:
        sent.tracking_id, sent.scheduled_for = "another", "2030-12-30T00:00Z"
        repeat_row(sent)
    assert rules.reminded_not_once(evidence) == 1


def test_a_message_before_the_answer_is_found_and_the_question_is_none(store, evidence):
    evidence.without_consent.add((store.sender_name, PHONE))
    message = {"sender": store.sender_name, "destination": PHONE, "text": "Hi", "accepted_at": 5}
    evidence.ledger = [message | {"text": f"Offers? http://x{rules.REQUEST_LINK}abc"}]
    assert rules.without_consent(evidence) == 0
    evidence.ledger.append(message)
    assert rules.without_consent(evidence) == 1
    evidence.agreed_at[store.sender_name, PHONE] = 4
    assert rules.without_consent(evidence) == 0
