"""Single messages to one number, and which stores may send at all and under which name."""

import pytest

from astronote.accounts.eligibility import (
    SendingBlocked,
    sender_of_store,
)
from astronote.queues import jobs
from contacts.models import Suppression
from contacts.phones import phone_hash
from messaging.direct_messages import get_or_enqueue_direct_message
from messaging.models import Batch, CreditReservation, DirectMessage, Wallet
from tests.support.factories import make_store

pytestmark = pytest.mark.django_db(transaction=True)
NUMBER = "+306900000001"


def test_the_same_key_sends_a_message_once():
    store = make_store()
    first = get_or_enqueue_direct_message(store, NUMBER, "Hello", key="test:1")
    assert get_or_enqueue_direct_message(store, NUMBER, "Hello", key="test:1") == first
    assert get_or_enqueue_direct_message(store, NUMBER, "Hello", key="test:2") != first
    assert (DirectMessage.objects.count(), jobs.count_waiting_jobs("sms")) == (2, 2)
    assert Wallet.objects.get().reserved_balance == 2


def test_two_stores_may_use_the_same_key():
    alice, bob = make_store(), make_store("bob", sender_name="BOBSHOP")
    for store in (alice, bob):
        get_or_enqueue_direct_message(store, NUMBER, f"From {store.email}", key="test:1")
    sent = DirectMessage.objects.order_by("pk").values_list("owner", "text", "batch__sender")
    assert list(sent) == [
        (alice.pk, "From alice@example.com", "TESTSHOP"),
        (bob.pk, "From bob@example.com", "BOBSHOP"),
    ]
    assert list(Wallet.objects.values_list("reserved_balance", flat=True)) == [1, 1]


def test_a_number_that_has_opted_out_gets_none_from_this_store():
    alice, bob = make_store(), make_store("bob")
    Suppression.objects.create(owner=alice, phone_hash=phone_hash(NUMBER), reason="test")
    with pytest.raises(SendingBlocked, match="opted out"):
        get_or_enqueue_direct_message(alice, NUMBER, "Hello", key="test:1")
    assert get_or_enqueue_direct_message(bob, NUMBER, "Hello", key="test:1").owner == bob
    assert DirectMessage.objects.count() == 1


def test_a_message_that_cannot_be_paid_leaves_nothing_behind():
    store = make_store(balance=1)
    with pytest.raises(SendingBlocked, match="top up at least 1"):
        get_or_enqueue_direct_message(store, NUMBER, "a" * 161, key="test:1")
    assert not DirectMessage.objects.exists() and not Batch.objects.exists()
    assert jobs.count_waiting_jobs("sms") == 0
    assert Wallet.objects.get().reserved_balance == 0


def test_a_long_message_costs_its_parts():
    message = get_or_enqueue_direct_message(make_store(), NUMBER, "a" * 161, key="test:1")
    assert message.segments == 2
    assert CreditReservation.objects.get().amount == 2
    batch = Batch.objects.get()
    assert (batch.kind, batch.size, batch.message_type) == ("direct", 1, "service")


@pytest.mark.parametrize("status", ["trialing", "past_due", "paused", "cancelled"])
def test_a_store_without_an_active_subscription_may_not_send(status):
    with pytest.raises(SendingBlocked, match=f"subscription is {status}"):
        get_or_enqueue_direct_message(
            make_store(subscription_status=status), NUMBER, "Hello", key="test:1"
        )


def test_a_store_on_billing_hold_may_not_send():
    with pytest.raises(SendingBlocked, match="billing hold: no reason"):
        get_or_enqueue_direct_message(make_store(billing_hold=True), NUMBER, "Hello", key="test:1")


def test_a_store_without_a_sender_name_sends_under_that_of_the_installation(settings):
    settings.MITTO_SENDER = "OURHOUSE"
    assert sender_of_store(make_store()) == "TESTSHOP"
    bob = make_store("bob", sender_name="")
    assert sender_of_store(bob) == "OURHOUSE"
    settings.MITTO_SENDER = ""
    with pytest.raises(SendingBlocked, match="no sender ID"):
        sender_of_store(bob)
