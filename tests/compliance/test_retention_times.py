"""Times that cannot be true erase nobody at once and keep nobody for ever."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from campaigns import enqueue
from campaigns.models import CampaignMessage, ConversionEvent, NfcTag, Redemption
from compliance import retention
from contacts.consent import change_consent
from contacts.marketing_blocks import phones_suppressed_at_store_or_everywhere
from contacts.models import ConsentEvent, ConsentEventType, Contact, Suppression
from messaging import replies
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)
PHONE = "+306900000000"
IMPOSSIBLE = [datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)]


def days_ago(days):
    return timezone.now() - timedelta(days=days)


@pytest.fixture
def alice():
    store = make_store()
    make_list(store, 1, created_at=days_ago(1000))
    return store


def run():
    return retention.run_retention_or_raise_if_running().counts


@pytest.mark.parametrize("at", IMPOSSIBLE)
@pytest.mark.parametrize("action", ["anonymise", "delete"])
def test_an_opt_out_of_an_impossible_time_is_kept_from_when_it_came(alice, settings, at, action):
    settings.PII_RETENTION_ACTION = action
    contact = Contact.objects.get()
    change_consent(contact.pk, ConsentEventType.UNSUBSCRIBED, source="test", claimed_at=at)
    assert run() == {}
    Contact.objects.update(unsubscribed_at=at)  # as another program may have written it
    assert run() == {}
    ConsentEvent.objects.update(created_at=days_ago(91))
    assert run() == {"contacts_contact": 1}
    assert not Contact.objects.filter(phone=PHONE).exists()


@pytest.mark.parametrize("seconds", ["0000000001", "4102444800"])
def test_a_reply_with_an_impossible_time_erases_nobody_at_once(alice, seconds):
    replies.store_replies([{"from": PHONE, "text": "STOP", "timestamp": seconds}])
    replies.apply_received_replies()
    assert not Contact.objects.get().is_subscribed
    assert run() == {}
    assert Contact.objects.get().phone == PHONE
    ConsentEvent.objects.update(created_at=days_ago(91))
    Contact.objects.update(unsubscribed_at=IMPOSSIBLE[1])
    assert run() == {"contacts_contact": 1}


def test_an_opt_out_from_before_the_contact_was_known_counts_from_the_day_it_was_told(alice):
    """As in an import of people who had said no elsewhere."""
    Contact.objects.update(
        is_subscribed=False, unsubscribed_at=days_ago(2000), created_at=days_ago(89)
    )
    assert run() == {}
    Contact.objects.update(created_at=days_ago(91))
    assert run() == {"contacts_contact": 1}


def test_of_several_opt_outs_the_last_counts(alice):
    contact = Contact.objects.get()
    for days in (200, 10):
        event = ConsentEvent.objects.create(
            owner=alice, contact=contact, type="unsubscribed", source="test"
        )
        ConsentEvent.objects.filter(pk=event.pk).update(created_at=days_ago(days))
    Contact.objects.update(is_subscribed=False, unsubscribed_at=IMPOSSIBLE[0])
    assert run() == {}


@pytest.mark.parametrize("at", [*IMPOSSIBLE, None])
def test_so_it_is_with_the_evidence_of_consent(alice, at):
    Contact.objects.update(consent_evidence={"ip": "192.0.2.7"}, sms_consent_at=at)
    event = ConsentEvent.objects.create(
        owner=alice, contact=Contact.objects.get(), type="subscribed", source="form"
    )
    assert run() == {}
    ConsentEvent.objects.filter(pk=event.pk).update(created_at=days_ago(91))
    assert run() == {"contacts_contact": 1}
    assert Contact.objects.get().consent_evidence == {}


@pytest.mark.parametrize("at", IMPOSSIBLE)
def test_so_it_is_with_purchases_and_offers_that_were_used(alice, at):
    enqueue.enqueue_campaign(make_campaign(alice, alice.list_set.get()).pk)
    message = CampaignMessage.objects.get()
    evidence = {"ip": "192.0.2.7", "amount": 5}
    Redemption.objects.create(message=message, owner=alice, evidence_json=evidence, redeemed_at=at)
    tag = NfcTag.objects.create(owner=alice, public_id="t", label="door")
    ConversionEvent.objects.create(
        owner=alice, contact=message.contact, nfc_tag=tag, metadata=evidence, occurred_at=at
    )
    Contact.objects.update(created_at=days_ago(89))
    assert run() == {}
    Contact.objects.update(created_at=days_ago(91))
    CampaignMessage.objects.update(created_at=days_ago(91))
    assert run() == {"campaigns_conversionevent": 1, "campaigns_redemption": 1}


@pytest.mark.parametrize("action", ["anonymise", "delete"])
def test_the_proof_of_an_opt_out_outlives_the_contact_with_its_reason_and_time(
    alice, settings, action
):
    settings.PII_RETENTION_ACTION = action
    told = days_ago(100)
    Contact.objects.update(
        is_subscribed=False, unsubscribed_at=told, sms_consent_source="inbound_stop"
    )
    assert run() == {"contacts_contact": 1}
    proof = Suppression.objects.get()
    assert (proof.owner, proof.reason, proof.created_at) == (alice, "inbound_stop", told)
    assert phones_suppressed_at_store_or_everywhere(alice.pk, [PHONE]) == {PHONE}


def test_a_proof_that_is_there_stays_as_it_is(alice):
    change_consent(
        Contact.objects.get().pk,
        ConsentEventType.UNSUBSCRIBED,
        source="unsubscribe_page",
        claimed_at=days_ago(91),
    )
    before = Suppression.objects.values().get()
    assert run() == {"contacts_contact": 1}
    assert Suppression.objects.values().get() == before


def test_who_never_consented_and_never_said_no_is_not_suppressed(alice):
    Contact.objects.update(is_subscribed=False, erase_on=days_ago(1).date())
    assert run() == {"contacts_contact": 1}
    assert not Suppression.objects.exists()
