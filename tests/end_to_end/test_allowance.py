"""An allowance from its payment to the last part of its month, through workers that are killed."""

import signal

import pytest

from astronote.operations.watchdog import run_watchdog
from campaigns import enqueue
from campaigns.models import CampaignMessage
from messaging.billing import adjustments, payments, subscriptions
from messaging.billing.models import AdjustmentType
from messaging.models import Batch, CreditTransaction, Package, Wallet
from messaging.repairs import report_inconsistent_wallets
from tests.support.checks import ledger_balances
from tests.support.factories import make_campaign, make_list, make_store
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_allowance_is_charged_first_and_exactly_though_the_sender_is_killed(
    worker, sandbox, settings
):
    store = make_store(balance=0)
    package = Package.objects.create(name="Small", credits=100, price_cents=900)
    purchase = payments.record_purchase(store, package, key="R 1", by="test")
    subscriptions.give_plan(store, plan_type="pro", interval="month", included=25, by="test")
    payments.record_plan_payment(store, 2900, key="P 1", by="test")
    settings.SMS_BATCH_SIZE = 10
    sandbox.behave(latency_ms=1500)
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 40)).pk)
    first = worker("rqworker", "sms")
    wait_until(lambda: sandbox.summary()["calls"] == 1)
    first.send_signal(signal.SIGKILL)
    first.wait()
    wait_until(lambda: sandbox.summary()["accepted"] == 10)
    # The money of the purchase goes back while 40 credits are held, 15 of them bought.
    refund = adjustments.record_adjustment(
        purchase, AdjustmentType.REFUND, 900, key="F 1", by="test"
    )
    assert (refund.credits_taken, refund.credits_missing) == (85, 15)
    sandbox.behave(latency_ms=0)
    settings.STUCK_LOCKED_MINUTES = 0
    assert run_watchdog()["given_up_as_unknown"] == 1
    worker("rqworker", "sms")
    wait_until(lambda: Batch.objects.filter(status="settled").count() == 4)
    assert CampaignMessage.objects.filter(status="sent").count() == 30
    assert CampaignMessage.objects.filter(status="unknown").count() == 10
    summary = sandbox.summary()
    assert (summary["accepted"], summary["duplicates"]) == (40, 0)
    debits = CreditTransaction.objects.filter(type="debit").order_by("pk")
    assert [entry.allowance_after for entry in debits] == [15, 5, 0]
    wallet = Wallet.objects.get()
    assert (wallet.balance, wallet.reserved_balance, wallet.allowance_balance) == (10, 10, 0)
    assert ledger_balances(store) and report_inconsistent_wallets(dry_run=True) == 0
