"""Limits of sums, texts and times: what is at the limit is taken, what is beyond it is not."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError
from django.utils import timezone

from messaging import credits, tallies
from messaging.billing import adjustments, payments
from messaging.billing.models import AdjustmentType, Package
from messaging.management.commands.billing import cents_of
from messaging.reply_reading import read_consent_request_of_reply
from messaging.statuses import ConsentRequest
from tests.support.factories import make_store

pytestmark = pytest.mark.django_db
KEY = "receipt 1"


def purchase(store, **fields):
    package = Package.objects.create(name=f"of {store}", credits=100, price_cents=4900)
    return payments.record_purchase(store, package, **{"key": KEY, "by": "test"} | fields)


def test_a_key_of_a_payment_has_128_characters_at_most():
    assert purchase(make_store("alice"), key="x" * 128)
    with pytest.raises(payments.BillingRefused, match="1 to 128 characters"):
        purchase(make_store("bob"), key="x" * 129)


def test_a_payment_may_be_five_minutes_ahead_of_our_clock():
    assert purchase(make_store("alice"), paid_at=timezone.now() + timedelta(minutes=4))
    with pytest.raises(payments.BillingRefused, match="in the future"):
        purchase(make_store("bob"), paid_at=timezone.now() + timedelta(minutes=6))


def test_a_reason_of_a_refund_has_255_characters_at_most():
    payment = purchase(make_store())
    refund = {"adjustment_type": AdjustmentType.REFUND, "amount": 100, "key": "1", "by": "test"}
    with pytest.raises(payments.BillingRefused, match="at most 255 characters"):
        adjustments.record_adjustment(payment, **refund, reason="x" * 256)
    assert adjustments.record_adjustment(payment, **refund, reason="x" * 255)


def test_a_top_up_has_a_hundred_million_credits_at_most():
    store = make_store(balance=0)
    with pytest.raises(ValueError, match="from 1 to 100,000,000 credits"):
        credits.top_up(store.pk, 100_000_001, reason="test", key="1")
    credits.top_up(store.pk, 100_000_000, reason="test", key="1")


def test_an_amount_on_the_command_line_has_fifteen_digits_at_most():
    assert cents_of("1" * 16) == int("1" * 16) * 100
    with pytest.raises(CommandError, match="is not an amount"):
        cents_of("1" * 17)


@pytest.mark.parametrize(("filler", "expected"), [(1400, ConsentRequest.STOP), (1600, "")])
def test_a_long_reply_is_read_at_its_beginning_and_its_end(filler, expected):
    in_the_middle = "\n".join(["-" * (filler // 2), "STOP", "-" * (filler // 2)])
    found = read_consent_request_of_reply(in_the_middle)
    assert found.request == expected


def test_counts_have_slots_of_five_minutes():
    slots = {
        tallies.five_minute_slot_start(datetime(2026, 1, 1, 9, minute, tzinfo=UTC)).minute
        for minute in range(60)
    }
    assert slots == set(range(0, 60, 5))
