"""Each rule of retention: what is past its time goes, what is just within it stays."""

from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns import enqueue
from campaigns.models import (
    Automation,
    AutomationMessage,
    AutomationRedemption,
    CampaignMessage,
    ConversionEvent,
    NfcScan,
    NfcTag,
    OfferViewEvent,
    PublicSignupEvent,
    Redemption,
)
from compliance import retention, tasks
from compliance.models import RetentionAction, RetentionRun
from contacts.consent import Evidence, change_consent
from contacts.models import ConsentEvent, Contact, ContactImport, RejectedRow
from messaging import direct_messages
from messaging.models import DirectMessage, WebhookEvent
from tests.support.checks import table_fingerprints
from tests.support.factories import make_campaign, make_contact, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)
TRACES = {"ip_address": "192.0.2.7", "user_agent": "Phone", "device_type": "phone"}
EVIDENCE = {"ip": "192.0.2.7", "userAgent": "Phone", "amount": 5}
AGES = [(89, True), (91, False)]


@pytest.fixture
def alice():
    return make_store()


@pytest.fixture
def message(alice):
    """A message of a campaign to Alice's only contact."""
    known = make_list(alice, 1, created_at=days_ago(400))
    enqueue.enqueue_campaign(make_campaign(alice, known).pk)
    CampaignMessage.objects.update(created_at=days_ago(400))
    return CampaignMessage.objects.get()


def days_ago(days):
    return timezone.now() - timedelta(days=days)


def run():
    """What a run did, by table."""
    return retention.run_retention_or_raise_if_running().counts


@pytest.mark.parametrize(("age", "stays"), AGES)
def test_what_led_to_a_purchase_loses_what_tells_of_a_person(alice, message, age, stays):
    tag = NfcTag.objects.create(owner=alice, public_id="t", label="door")
    ConversionEvent.objects.create(
        owner=alice,
        contact=message.contact,
        nfc_tag=tag,
        metadata=EVIDENCE,
        occurred_at=days_ago(age),
    )
    assert run() == ({} if stays else {"campaigns_conversionevent": 1})
    assert ConversionEvent.objects.get().metadata == (EVIDENCE if stays else {"amount": 5})


@pytest.mark.parametrize(("age", "stays"), AGES)
def test_the_proof_of_a_consent_loses_the_browser_and_keeps_the_document(alice, age, stays):
    contact = make_contact(alice, is_subscribed=False)
    proof = Evidence(
        wording="Offers?", ip_address="192.0.2.7", user_agent="Phone", document="form 118"
    )
    change_consent(contact.pk, "subscribed", source="paper", evidence=proof)
    ConsentEvent.objects.update(created_at=days_ago(age))
    assert run() == ({} if stays else {"contacts_consentevent": 1})
    event = ConsentEvent.objects.get()
    browser = {"ip_address": "192.0.2.7", "user_agent": "Phone"} if stays else {}
    assert event.meta == {"document": "form 118"} | browser
    assert event.wording == "Offers?"


def test_the_events_of_a_contact_that_is_anonymised_say_nothing_of_the_person(alice):
    contact = make_contact(alice, is_subscribed=False, erase_on=days_ago(1).date())
    proof = Evidence(wording="Offers?", document="the form that Maria signed")
    change_consent(contact.pk, "subscribed", source="paper", evidence=proof)
    assert run() == {"contacts_contact": 1}
    event = ConsentEvent.objects.get()
    assert (event.type, event.wording, event.meta) == ("subscribed", "Offers?", None)


@pytest.mark.parametrize(("age", "stays"), AGES)
def test_the_proof_that_an_offer_was_used_loses_what_tells_of_a_person(message, age, stays):
    Redemption.objects.create(
        message=message, owner=message.owner, evidence_json=EVIDENCE, redeemed_at=days_ago(age)
    )
    assert run() == ({} if stays else {"campaigns_redemption": 1})
    assert Redemption.objects.get().evidence_json == (EVIDENCE if stays else {"amount": 5})


@pytest.mark.parametrize(("age", "stays"), AGES)
def test_so_does_the_proof_of_an_automations_offer(alice, message, age, stays):
    mine = Automation.objects.create(owner=alice, type="welcome_message")
    automatic = AutomationMessage.objects.create(
        owner=alice,
        contact=message.contact,
        to=message.to,
        text="Hi",
        segments=1,
        tracking_id="a" * 12,
        automation=mine,
        occurrence_key="welcome",
        created_at=days_ago(400),
    )
    AutomationRedemption.objects.create(
        message=automatic, owner=alice, evidence_json=EVIDENCE, redeemed_at=days_ago(age)
    )
    assert run() == ({} if stays else {"campaigns_automationredemption": 1})
    assert AutomationRedemption.objects.get().evidence_json == (
        EVIDENCE if stays else {"amount": 5}
    )


@pytest.mark.parametrize(("age", "stays"), AGES)
def test_a_direct_message_loses_its_number_and_text(alice, age, stays):
    direct_messages.get_or_enqueue_direct_message(alice, "+306900000099", "Hello", key="k")
    DirectMessage.objects.update(created_at=days_ago(age))
    assert run() == ({} if stays else {"messaging_directmessage": 1})
    one = DirectMessage.objects.get()
    assert (one.to, one.text) == (("+306900000099", "Hello") if stays else ("", ""))
    assert run() == {}


@pytest.mark.parametrize(("age", "stays"), AGES)
def test_visits_lose_their_traces_and_stay_as_visits(alice, message, age, stays):
    tag = NfcTag.objects.create(owner=alice, public_id="t", label="door")
    NfcScan.objects.create(tag=tag, owner=alice, created_at=days_ago(age), **TRACES)
    OfferViewEvent.objects.create(
        campaign_message=message,
        campaign=message.campaign,
        owner=alice,
        viewed_at=days_ago(age),
        **TRACES,
    )
    assert run() == ({} if stays else {"campaigns_offerviewevent": 1, "campaigns_nfcscan": 1})
    for model in (NfcScan, OfferViewEvent):
        assert model.objects.filter(**dict.fromkeys(TRACES)).exists() == (not stays)


@pytest.mark.parametrize(("age", "stays"), AGES)
def test_sign_ups_lose_their_traces_and_stay_as_sign_ups(alice, age, stays):
    tag = NfcTag.objects.create(owner=alice, public_id="t", label="door")
    PublicSignupEvent.objects.create(
        owner=alice,
        tag=tag,
        idempotency_key="k",
        created_at=days_ago(age),
        ip_address="192.0.2.7",
        user_agent="Firefox",
        meta={"phone": "+306900000001"},
    )
    assert run() == ({} if stays else {"campaigns_publicsignupevent": 1})
    signup = PublicSignupEvent.objects.get()
    assert bool(signup.ip_address and signup.user_agent and signup.meta) == stays
    assert run() == {}


@pytest.mark.parametrize(
    ("age", "status", "stays"),
    [(89, "processed", True), (91, "processed", False), (91, "unmatched", False),
     (91, "failed", False), (91, "received", True)],
)  # fmt: skip
def test_a_webhooks_payload_goes_unless_it_is_still_to_be_applied(age, status, stays):
    WebhookEvent.objects.create(
        event_id="e",
        event_type="dlr",
        status=status,
        payload={"to": "x"},
        received_at=days_ago(age),
    )
    assert run() == ({} if stays else {"messaging_webhookevent": 1})
    assert WebhookEvent.objects.filter(payload__isnull=False).exists() == stays


@pytest.mark.parametrize(("age", "stays"), [*AGES, (None, True)])
def test_rejected_rows_are_deleted_so_long_after_their_import(alice, age, stays):
    one = ContactImport.objects.create(
        owner=alice,
        file_name="a.csv",
        file_size=1,
        file_sha256="",
        finished_at=age and days_ago(age),
        created_at=days_ago(400),
    )
    RejectedRow.objects.create(contact_import=one, line=2, reason="x", row=["x"])
    assert run() == ({} if stays else {"contacts_rejectedrow": 1})
    assert RejectedRow.objects.exists() == stays


@pytest.mark.parametrize(("age", "stays"), AGES)
def test_the_evidence_of_consent_loses_addresses_and_browsers(alice, age, stays):
    told = {"consent_evidence": EVIDENCE, "sms_consent_at": days_ago(age)}
    make_list(alice, 1, created_at=days_ago(400), **told)
    assert run() == ({} if stays else {"contacts_contact": 1})
    assert Contact.objects.get().consent_evidence == (EVIDENCE if stays else {"amount": 5})


KEYS = [
    "phone",
    "ip",
    "ipAddress",
    "ip_address",
    "userAgent",
    "user_agent",
    "agent",
    "deviceType",
    "device_type",
]


def test_every_key_that_tells_who_or_where_is_taken(alice):
    told = dict.fromkeys(KEYS, "x") | {"form": "shop"}
    make_list(alice, 1, consent_evidence=told, created_at=days_ago(91))
    run()
    assert Contact.objects.get().consent_evidence == {"form": "shop"}


@pytest.mark.parametrize(("period", "goes"), [(10, True), (12, False)])
def test_pii_retention_days_is_the_period(alice, settings, period, goes):
    settings.PII_RETENTION_DAYS = period
    left = {"is_subscribed": False, "unsubscribed_at": days_ago(11)}
    make_list(alice, 1, created_at=days_ago(400), **left)
    found = retention.run_retention_or_raise_if_running()
    assert Contact.objects.filter(phone=None).exists() == goes
    assert found.retention_days == period
    assert abs(found.cutoff - days_ago(period)) < timedelta(minutes=1)


def test_a_stores_period_is_that_of_its_own_contacts(alice):
    bob = make_store("bob", retention_days=10)
    for store in (alice, bob):
        left = {"is_subscribed": False, "unsubscribed_at": days_ago(11)}
        make_list(store, 1, created_at=days_ago(400), **left)
    run()
    assert Contact.objects.get(phone=None).owner == bob


@pytest.mark.parametrize(("day", "goes"), [(0, True), (-1, True), (2, False)])
def test_a_date_of_its_own_is_kept_to_the_day(alice, day, goes):
    make_list(alice, 1, erase_on=(timezone.now() + timedelta(days=day)).date())
    run()
    assert Contact.objects.filter(phone=None).exists() == goes


@pytest.mark.parametrize(
    "due", [{"erase_on": "2020-01-01"}, {"unsubscribed_at": "2020-01-01T00:00Z"}, {}]
)
def test_a_legal_hold_protects_whatever_else_is_due(alice, settings, due):
    settings.PII_INACTIVE_DAYS = 30
    make_list(alice, 1, legal_hold=True, created_at="2019-01-01T00:00Z", **due)
    Contact.objects.update(updated_at=days_ago(500))
    assert run() == {}
    Contact.objects.update(legal_hold=False, updated_at=days_ago(500))
    assert run() == {"contacts_contact": 1}


@pytest.mark.parametrize(("sent", "goes"), [(29, False), (31, True)])
def test_a_message_of_an_automation_makes_a_contact_active_too(alice, settings, sent, goes):
    settings.PII_INACTIVE_DAYS = 30
    make_list(alice, 1)
    contact = Contact.objects.get()
    mine = Automation.objects.create(owner=alice, type="welcome_message")
    AutomationMessage.objects.create(
        owner=alice,
        contact=contact,
        to=contact.phone,
        text="Hi",
        segments=1,
        status="sent",
        tracking_id="a" * 12,
        automation=mine,
        occurrence_key="welcome",
        sent_at=days_ago(sent),
    )
    Contact.objects.update(updated_at=days_ago(500))
    assert bool(run()) == goes


@pytest.mark.parametrize(("changed", "goes"), [(29, False), (31, True)])
def test_a_contact_that_was_changed_lately_is_active(alice, settings, changed, goes):
    settings.PII_INACTIVE_DAYS = 30
    make_list(alice, 1)
    Contact.objects.update(updated_at=days_ago(changed))
    assert bool(run()) == goes


def test_a_dry_run_changes_nothing_but_its_own_record(alice, message):
    Contact.objects.update(erase_on="2020-01-01")
    OfferViewEvent.objects.create(
        campaign_message=message,
        campaign=message.campaign,
        owner=alice,
        viewed_at=days_ago(91),
        **TRACES,
    )
    before = table_fingerprints()
    found = retention.run_retention_or_raise_if_running(dry_run=True)
    assert found.counts == {"contacts_contact": 1, "campaigns_offerviewevent": 1}
    after = table_fingerprints()
    assert [table for table in before if before[table] != after[table]] == [
        "compliance_retentionrun"
    ]
    assert (found.dry_run, found.status) == (True, "completed")


def test_a_run_is_kept_with_what_it_changed(alice):
    make_list(alice, 3, erase_on="2020-01-01")
    ids = list(Contact.objects.order_by("pk").values_list("pk", flat=True))
    assert tasks.run_pii_retention() == {"contacts_contact": 3}
    kept = RetentionRun.objects.get()
    assert (kept.status, kept.dry_run, kept.counts) == ("completed", False, {"contacts_contact": 3})
    assert kept.finished_at > days_ago(1)
    action = RetentionAction.objects.get()
    assert (action.run, action.table, action.action) == (kept, "contacts_contact", "anonymise")
    assert (action.rows, action.first_id, action.last_id) == (3, ids[0], ids[-1])


def test_a_run_that_was_stopped_is_said_to_have_failed_and_ended_ones_are_left(alice):
    common = {"retention_days": 90, "cutoff": days_ago(90)}
    stopped = RetentionRun.objects.create(**common)
    ended = RetentionRun.objects.create(status="completed", **common)
    retention.run_retention_or_raise_if_running()
    stopped.refresh_from_db()
    ended.refresh_from_db()
    assert (stopped.status, ended.status) == ("failed", "completed")
    assert "was stopped" in stopped.error
