"""A worker whose clock is wrong decides like any other: times come from PostgreSQL's clock."""

from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone

from astronote.operations.watchdog import run_watchdog
from campaigns import enqueue, schedule
from campaigns.models import CampaignMessage
from compliance.retention import run_retention_or_raise_if_running
from contacts.consent import change_consent
from contacts.consent_records import (
    ConsentChannel,
    ConsentRefused,
    RecordedConsent,
    record_consent,
)
from contacts.importing.lifecycle import (
    create_import_and_enqueue_or_refuse,
    run_open_import_unless_running,
)
from contacts.models import ConsentEvent, Contact, MessageType
from messaging import missing_receipts, sending
from messaging.mitto import MessageReport
from messaging.models import Batch, CreditReservation, Tally, WebhookEvent
from messaging.polling import StatusQuery, record_status_answers
from messaging.replies import store_replies
from tests.support.factories import make_campaign, make_list, make_store
from tests.support.receipts import store_receipts

pytestmark = pytest.mark.django_db(transaction=True)
RIGHT = timezone.now


@pytest.fixture(params=[timedelta(days=2), -timedelta(days=2)], ids=["fast", "slow"])
def wrong_clock(request, monkeypatch):
    """This process's clock, as Django tells it, is two days off."""
    monkeypatch.setattr(timezone, "now", lambda: RIGHT() + request.param)


@pytest.fixture
def campaign():
    store = make_store()
    return enqueue.enqueue_campaign(make_campaign(store, make_list(store, 5)).pk)


def test_the_watchdog_leaves_living_claims_alone(wrong_clock, campaign, sandbox):
    batch = sending.claim_next_batch()
    assert run_watchdog()["claims_taken_back"] == 0
    sending.mark_submitting(batch)
    assert run_watchdog()["given_up_as_unknown"] == 0


def test_the_watchdog_finds_dead_claims(wrong_clock, campaign, settings):
    sending.claim_next_batch()
    settings.STUCK_LOCKED_MINUTES = 0
    assert run_watchdog()["claims_taken_back"] == 1


def test_reservations_live_as_long_as_they_should(wrong_clock, campaign, settings):
    ends = CreditReservation.objects.get().expires_at - RIGHT()
    life = timedelta(minutes=settings.CREDIT_RESERVATION_TTL_MINUTES)
    assert abs(ends - life) < timedelta(minutes=1)
    Batch.objects.update(status="settled")
    assert run_watchdog()["reservations_expired"] == 0


def test_a_batch_that_mitto_does_not_take_comes_again_soon(wrong_clock, campaign, sandbox):
    sandbox.behave(fault="too_many")
    assert sending.process_next_batch() == "deferred"
    wait = Batch.objects.get().not_before - RIGHT()
    assert timedelta() < wait < timedelta(minutes=1)


def test_a_batch_waits_for_the_caps_of_its_store_only(wrong_clock, campaign, sandbox, settings):
    settings.OWNER_SMS_PER_DAY = 6
    assert sending.process_next_batch() == "accepted"
    enqueue.enqueue_campaign(make_campaign(campaign.owner, campaign.list).pk)
    assert sending.process_next_batch() == "postponed"
    wait = Batch.objects.get(status="pending").not_before - RIGHT()
    assert timedelta(hours=23) < wait <= timedelta(days=1)


def test_a_campaign_is_due_at_its_time(wrong_clock, campaign):
    later = make_campaign(campaign.owner, campaign.list)
    schedule.schedule_campaign(later, RIGHT() + timedelta(minutes=5), by="test")
    assert not schedule.due_campaigns().exists()
    with pytest.raises(ValueError, match="has passed"):
        schedule.schedule_campaign(later, RIGHT() - timedelta(minutes=5), by="test")


def is_now(time):
    return abs(time - RIGHT()) < timedelta(minutes=5)


def test_retention_counts_its_days_from_now(wrong_clock, settings):
    run = run_retention_or_raise_if_running(by="test")
    assert is_now(run.cutoff + timedelta(days=settings.PII_RETENTION_DAYS))
    assert is_now(run.finished_at)


def test_an_import_has_the_times_at_which_it_was_read(wrong_clock, tmp_path):
    (tmp_path / "customers.csv").write_text("phone\n+306900000001\n")
    started = create_import_and_enqueue_or_refuse(make_store().pk, tmp_path / "customers.csv")
    ended = run_open_import_unless_running(started.pk)
    assert (ended.status, ended.created) == ("completed", 1)
    assert is_now(ended.started_at) and is_now(ended.finished_at)


def test_a_change_of_consent_has_the_time_at_which_it_was_made(wrong_clock):
    store = make_store()
    make_list(store, 1)
    contact = Contact.objects.get(owner=store)
    change_consent(contact.pk, "unsubscribed", source="test")
    assert is_now(ConsentEvent.objects.get(contact=contact).decided_at)


def test_the_time_of_a_receipt_is_believed_up_to_a_day_from_now(wrong_clock):
    times = {"a": RIGHT() - timedelta(minutes=1), "b": RIGHT() + timedelta(hours=36)}
    store_receipts(
        {"messageId": name, "deliveryStatus": "Delivered", "updatedAt": time.isoformat()}
        for name, time in times.items()
    )
    kept = dict(WebhookEvent.objects.values_list("provider_message_id", "occurred_at"))
    assert kept == {"a": times["a"], "b": None}


def test_a_status_of_the_future_counts_from_now(wrong_clock, campaign, sandbox):
    assert sending.process_next_batch() == "accepted"
    message = CampaignMessage.objects.order_by("pk").first()
    query = StatusQuery(message.pk, message.provider_message_id, "")
    report = MessageReport("Delivered", "", RIGHT() + timedelta(hours=36))
    record_status_answers(CampaignMessage, [query], [report], Counter())
    message.refresh_from_db()
    assert message.status == "delivered" and is_now(message.delivered_at)


def test_what_is_left_out_is_counted_in_the_present_slot(wrong_clock):
    store = make_store()
    everybody = make_list(store, 2)
    Contact.objects.filter(phone="+306900000000").update(phone="+302101234567")  # not a mobile
    enqueue.enqueue_campaign(make_campaign(store, everybody).pk)
    slots = Tally.objects.filter(event="skipped").values_list("slot", flat=True)
    assert slots and all(abs(slot - RIGHT()) < timedelta(minutes=10) for slot in slots)


def test_a_consent_is_recorded_with_a_time_up_to_now(wrong_clock):
    store = make_store()
    make_list(store, 1, is_subscribed=False)
    contact = Contact.objects.get(owner=store)
    consent = RecordedConsent(ConsentChannel.PHONE, RIGHT(), "shop", "Offers?", "form 7")
    future = consent._replace(given_at=RIGHT() + timedelta(hours=1))
    with pytest.raises(ConsentRefused, match="cannot be true"):
        record_consent(contact, MessageType.MARKETING, future, by="test")
    record_consent(contact, MessageType.MARKETING, consent, by="test")
    contact.refresh_from_db()
    assert contact.is_subscribed


def test_a_reply_without_a_time_is_one_a_day(wrong_clock, monkeypatch):
    store_replies([{"from": "+306900000001", "text": "START"}])
    monkeypatch.setattr(timezone, "now", RIGHT)
    store_replies([{"from": "+306900000001", "text": "START"}])
    assert WebhookEvent.objects.count() == 1


def test_missing_receipts_are_noticed(wrong_clock):
    fields = {"kind": "campaign", "event": "accepted", "count": 500}
    Tally.objects.create(owner=make_store(), slot=RIGHT() - timedelta(hours=1), **fields)
    assert len(missing_receipts.notices_if_no_receipts_came()) == 1
