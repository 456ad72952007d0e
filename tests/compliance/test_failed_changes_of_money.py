"""Money, sign-up pages, offers and files: what fails at any of its statements leaves nothing."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.test import override_settings
from django.utils import timezone

from astronote.accounts import operators
from campaigns import direct_files, enqueue, exports
from campaigns.models import CampaignMessage
from campaigns.signup import branding, redeeming, tags
from contacts.importing.files import unnamed_temporary_file
from contacts.models import Contact
from messaging import credits, outcomes, unknown_messages
from messaging.billing import (
    adjustments,
    invoices,
    low_balance,
    payments,
    profiles,
    subscriptions,
)
from messaging.billing.models import AdjustmentType, BillingProfile, Package, Subscription
from messaging.models import Batch
from messaging.outcomes import Outcome
from tests.support.factories import make_campaign, make_contact, make_list, make_store
from tests.support.failing import assert_nothing_stays_of_a_failed_change

pytestmark = pytest.mark.django_db(transaction=True)
BUYER = {"legal_name": "Anna's Shoes IKE", "billing_address": "Tsimiski 5", "vat_country": "GR"}


@pytest.fixture
def store():
    return make_store(phone_region="GR", sender_name="+302100000001")


def bought(store):
    package = Package.objects.create(name="Small", credits=100, price_cents=4900)
    return payments.record_purchase(store, package, key="bought", by="test")


def with_plan(store):
    subscriptions.give_plan(store, by="test", plan_type="pro", interval="month", included=500)


def messaged(store):
    return enqueue.enqueue_campaign(make_campaign(store, make_list(store, 2)).pk)


def purchase(store):
    package = Package.objects.create(name="Small", credits=100, price_cents=4900)
    return lambda: payments.record_purchase(store, package, key="1", by="test")


def plan_payment(store):
    with_plan(store)
    return lambda: payments.record_plan_payment(store, 2900, key="1", by="test")


def refund(store):
    payment = bought(store)
    invoices_on(store, payment)
    return lambda: adjustments.record_adjustment(
        payment, AdjustmentType.REFUND, 100, key="1", by="test"
    )


def invoices_on(store, payment):
    BillingProfile.objects.create(owner=store, **BUYER)
    invoices.issue_invoice(payment, by="test")


def won_dispute(store):
    payment = bought(store)
    dispute = adjustments.record_adjustment(
        payment, AdjustmentType.DISPUTE, 100, key="1", by="test"
    )
    return lambda: adjustments.close_dispute(dispute, is_won=True, by="test")


def invoice(store):
    payment = bought(store)
    BillingProfile.objects.create(owner=store, **BUYER)
    return lambda: invoices.issue_invoice(payment, by="test")


def alert(store):
    return lambda: low_balance.set_low_balance_alert(store.pk, 5, by="test")


def recipient(store):
    return lambda: profiles.set_invoice_recipient(store, BUYER, by="test")


def plan(store):
    return lambda: with_plan(store)


def audited_top_up(store):
    return lambda: credits.top_up_and_audit_once(store, 5, reason="test", key="1", by="test")


def months(store):
    with_plan(store)
    payments.record_plan_payment(store, 2900, key="1", by="test")
    ends = timezone.now().date() - timedelta(days=20)
    Subscription.objects.update(
        current_period_start=ends - timedelta(days=30), current_period_end=ends
    )
    return subscriptions.begin_due_months


def package_of_command(store):
    return lambda: call_command("credit_package", "Large", credits=9, price=str(Decimal(49)))


def operator_of_command(store):
    operators.create_operator_and_audit("me@example.com", "viewer", by="test")
    return lambda: call_command("operator", "me@example.com", role="operator", disable=True)


def fields_of_command(store):
    return lambda: call_command(
        "custom_fields", "add", str(store.pk), "visits", label="Visits", type="number"
    )


def messages_of_file(store):
    make_contact(store)

    def send():
        lines = b"key,phone,text\n1,+306900000001,Your order is ready\n"
        with unnamed_temporary_file([lines]) as file:
            direct_files.send_file(store, file, "marketing", by="test")

    Contact.objects.update(is_subscribed=True)
    return send


def added_tag(store):
    return lambda: tags.create_tag(store, by="test", label="door")


def switched_tag(store):
    tag = tags.create_tag(store, by="test", label="door")
    return lambda: tags.switch_tag(tag, False, by="test")


def signup_page(store):
    return lambda: branding.change_signup_page(store, {"display_name": "Anna"}, by="test")


def offer(store):
    messaged(store)
    CampaignMessage.objects.update(status="sent", sent_at=timezone.now())
    message = CampaignMessage.objects.first()
    found = redeeming.find_offer(store.pk, message.tracking_id)
    return lambda: redeeming.redeem(found, by="test")


def export(store):
    return lambda: exports.request_export(store, "contacts", exports.Days(), by="test")


def unknown(store):
    campaign = messaged(store)
    found = [
        Outcome(pk, "unknown") for pk in campaign.campaignmessage_set.values_list("pk", flat=True)
    ]
    outcomes.record_outcomes_and_settle_credits(CampaignMessage, found)
    Batch.objects.update(status="settled")
    return lambda: unknown_messages.resolve_unknown_in_transaction_per_batch(
        unknown_messages.mark_unknown_failed, CampaignMessage, by="test", campaign_id=campaign.pk
    )


CHANGES = (
    purchase, plan_payment, refund, won_dispute, invoice, recipient, plan, alert, audited_top_up,
    months, package_of_command, operator_of_command, fields_of_command,
    messages_of_file, added_tag, switched_tag, signup_page, offer, export,
    unknown,
)  # fmt: skip


@pytest.mark.parametrize("prepare", CHANGES, ids=lambda change: change.__name__)
@override_settings(
    INVOICE_SELLER="Astronote IKE|Ermou 1", INVOICE_SELLER_VAT_NUMBER="EL999999999",
    PUBLIC_WEB_BASE_URL="https://sms.example.com",
)  # fmt: skip
def test_nothing_stays_of_a_change_that_fails(store, prepare):
    assert_nothing_stays_of_a_failed_change(prepare(store))
