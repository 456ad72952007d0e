"""Money: packages, payments, refunds, disputes, plans with an allowance, and invoices."""

import threading
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.urls import reverse
from django.utils import timezone

from astronote.models import AuditEntry, User
from compliance import off_boarding
from messaging import credits
from messaging.billing import adjustments, invoices, payments, profiles, subscriptions
from messaging.billing.models import AdjustmentType, BillingProfile, TaxTreatment
from messaging.models import (
    Batch,
    CreditTransaction,
    InvoiceRecord,
    Package,
    Payment,
    PaymentAdjustment,
    Subscription,
    Wallet,
)
from messaging.repairs import report_inconsistent_wallets
from tests.chaos import rules as chaos_rules
from tests.support.admin_pages import fill_money
from tests.support.checks import ledger_balances
from tests.support.factories import make_store
from tests.support.waiting import one_waits_for_a_lock, wait_until

pytestmark = pytest.mark.django_db(transaction=True)
REFUND, DISPUTE = AdjustmentType.REFUND, AdjustmentType.DISPUTE


@pytest.fixture
def store():
    return make_store(balance=0, timezone="Europe/Athens")


@pytest.fixture
def package():
    return Package.objects.create(name="Small", credits=1000, price_cents=4900)


def buy(store, package, key="receipt 1", **fields):
    return payments.record_purchase(store, package, key=key, by="test", **fields)


def give_back(payment, cents, key="refund 1", kind=REFUND, **fields):
    return adjustments.record_adjustment(payment, kind, cents, key=key, by="test", **fields)


def give_plan(store, included=500, **fields):
    values = {"plan_type": "pro", "interval": "month", "included": included} | fields
    return subscriptions.give_plan(store, by="test", **values)


def pay_plan(store, key="plan 1", amount=2900, **fields):
    return payments.record_plan_payment(store, amount, key=key, by="test", **fields)


def spend(store, parts, *, batch_id=None):
    """Charge parts as sending does, without messages."""
    batch = Batch.objects.create(owner=store, kind="campaign", sender="SHOP", size=parts)
    with transaction.atomic():
        credits.reserve_credits_or_raise([credits.NewBatch(store.pk, batch.pk, parts)])
        credits.settle_reservation(store.pk, batch.pk, charge=parts, release=0)


def hold(store, parts):
    batch = Batch.objects.create(owner=store, kind="campaign", sender="SHOP", size=parts)
    with transaction.atomic():
        credits.reserve_credits_or_raise([credits.NewBatch(store.pk, batch.pk, parts)])
    return batch


def wallet(store):
    found = Wallet.objects.get(owner=store)
    return found.balance, found.reserved_balance, found.allowance_balance


def at_local_time(monkeypatch, moment):
    """The clock by which months of plans begin and end."""
    monkeypatch.setattr(subscriptions, "database_now", lambda: moment)


def books_are_right(store):
    return ledger_balances(store) and report_inconsistent_wallets(dry_run=True) == 0


def test_a_purchase_adds_the_packages_credits_once_for_each_key(store, package):
    first = buy(store, package)
    assert buy(store, package, key=" receipt 1 ") == first
    assert wallet(store) == (1000, 0, 0)
    other = make_store("bob", balance=0)
    assert buy(other, package) != first  # a key is the store's own
    assert wallet(other)[0] == 1000
    entry = AuditEntry.objects.get(action="purchase recorded", owner=store)
    assert entry.details == {"credits": 1000, "amount": 4900, "currency": "EUR"}
    assert books_are_right(store)


def test_a_key_is_not_taken_for_another_payment(store, package):
    buy(store, package)
    large = Package.objects.create(name="Large", credits=9000, price_cents=39000)
    with pytest.raises(payments.BillingRefused, match="has recorded another payment: Small"):
        buy(store, large)
    Package.objects.filter(pk=package.pk).update(price_cents_usd=5500)
    with pytest.raises(payments.BillingRefused, match="another payment"):
        buy(store, package, currency="USD")
    give_plan(store)
    with pytest.raises(payments.BillingRefused, match="another payment"):
        pay_plan(store, key="receipt 1", amount=4900)
    assert wallet(store)[0] == 1000 and Payment.objects.count() == 1


def test_two_who_record_the_same_purchase_at_once_record_one(store, package):
    found = []

    def record():
        found.append(buy(store, package).pk)
        connection.close()

    with transaction.atomic():
        payments.lock_store(store.pk)
        threads = [threading.Thread(target=record) for _ in range(3)]
        for thread in threads:
            thread.start()
        wait_until(lambda: lock_waiters() == 3)
    for thread in threads:
        thread.join(20)
    assert len(found) == 3 and len(set(found)) == 1
    assert wallet(store)[0] == 1000 and CreditTransaction.objects.count() == 1


def lock_waiters():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return cursor.fetchone()[0]


def test_a_key_of_a_top_up_is_not_taken_for_another_one(store):
    credits.top_up(store.pk, 100, reason="paid", key="top-up:1")
    assert credits.top_up(store.pk, 100, reason="paid", key="top-up:1").balance == 100
    for owner_id, amount in ((store.pk, 200), (make_store("bob", balance=0).pk, 100)):
        with pytest.raises(ValueError, match="use another key"):
            credits.top_up(owner_id, amount, reason="paid", key="top-up:1")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"key": " "}, "give a key"),
        ({"key": "k" * 129}, "give a key"),
        ({"currency": "GBP"}, "not a currency here"),
        ({"currency": "USD"}, "no price in USD"),
        ({"paid_at": timezone.now() + timedelta(days=1)}, "in the future"),
        ({"provider_ids": {"sessions": "cs_1"}}, "use one of session"),
        ({"provider_ids": {"session": "s" * 129}}, "1 to 128"),
    ],
)
def test_a_purchase_with_a_mistake_is_refused(store, package, fields, why):
    with pytest.raises(payments.BillingRefused, match=why):
        buy(store, package, **fields)
    assert not Payment.objects.exists() and not CreditTransaction.objects.exists()


def test_a_package_that_is_not_sold_and_a_store_that_left_buy_nothing(store, package):
    Package.objects.filter(pk=package.pk).update(is_active=False)
    with pytest.raises(payments.BillingRefused, match="not sold any more"):
        buy(store, package)
    Package.objects.filter(pk=package.pk).update(is_active=True)
    earlier = buy(store, package)
    User.objects.filter(pk=store.pk).update(left_at=timezone.now())
    with pytest.raises(payments.BillingRefused, match="has left"):
        buy(store, package, key="receipt 2")
    assert give_back(earlier, 4900).credits_taken == 1000  # but its money can be returned


def test_a_provider_s_payment_is_recorded_under_one_key_only(store, package):
    payment = buy(store, package, provider_ids={"session": "cs_1", "charge": "ch_1"})
    assert (payment.provider_session_id, payment.provider_charge_id) == ("cs_1", "ch_1")
    with pytest.raises(payments.BillingRefused, match=f"payment {payment.pk} of store"):
        buy(store, package, key="receipt 2", provider_ids={"session": "cs_1"})


def test_a_refund_takes_back_its_share_and_says_what_is_missing(store, package):
    payment = buy(store, package)
    part = give_back(payment, 1633)  # a third, rounded down
    assert (part.credits_due, part.credits_taken, part.credits_missing) == (333, 333, 0)
    spend(store, 600)
    rest = give_back(payment, 3267, key="refund 2", reason="closed")
    assert (rest.credits_due, rest.credits_taken, rest.credits_missing) == (667, 67, 600)
    assert wallet(store) == (0, 0, 0) and books_are_right(store)
    entry = AuditEntry.objects.filter(action="refund recorded").latest("pk")
    assert entry.details["credits_missing"] == 600


def test_no_more_is_refunded_than_was_paid_and_a_refund_is_made_once(store, package):
    payment = buy(store, package)
    assert give_back(payment, 4000) == give_back(payment, 4000)
    for cents in (901, 0, -5, 10**12):
        with pytest.raises(payments.BillingRefused, match=r"EUR 9\.00 of EUR 49\.00 is left"):
            give_back(payment, cents, key=f"refund of {cents}")
    with pytest.raises(payments.BillingRefused, match="the key refund 1 has recorded another"):
        give_back(payment, 500)
    assert PaymentAdjustment.objects.count() == 1


def test_a_refund_leaves_what_is_held_for_messages_that_are_being_sent(store, package):
    payment = buy(store, package)
    batch = hold(store, 700)
    assert give_back(payment, 4900).credits_taken == 300
    with transaction.atomic():
        credits.settle_reservation(store.pk, batch.pk, charge=700, release=0)
    assert wallet(store) == (0, 0, 0) and books_are_right(store)


def test_a_refund_and_a_reservation_in_the_same_moment_never_use_a_credit_twice(store, package):
    payment = buy(store, package)
    done = []

    def refund():
        done.append(give_back(payment, 4900).credits_taken)
        connection.close()

    batch = Batch.objects.create(owner=store, kind="campaign", sender="SHOP", size=1)
    with transaction.atomic():
        credits.reserve_credits_or_raise([credits.NewBatch(store.pk, batch.pk, 999)])
        thread = threading.Thread(target=refund)
        thread.start()
        wait_until(one_waits_for_a_lock)
    thread.join(20)
    assert done == [1] and wallet(store) == (999, 999, 0)


def test_a_dispute_that_is_won_gives_the_credits_again_and_one_that_is_lost_does_not(
    store, package
):
    payment = buy(store, package)
    spend(store, 400)
    dispute = give_back(payment, 4900, kind=DISPUTE, provider_id="dp_1")
    assert (dispute.status, dispute.credits_taken) == ("open", 600)
    with pytest.raises(payments.BillingRefused, match=r"EUR 0\.00 of EUR 49\.00 is left"):
        give_back(payment, 100, key="refund after dispute")
    for _ in range(2):
        adjustments.close_dispute(dispute, is_won=True, by="test")
    assert wallet(store)[0] == 600 and books_are_right(store)
    with pytest.raises(payments.BillingRefused, match="is won already"):
        adjustments.close_dispute(dispute, is_won=False, by="test")
    refund = give_back(payment, 2450, key="refund 2")
    assert refund.credits_due == 500
    lost = give_back(payment, 2450, kind=DISPUTE, key="dispute 2")
    adjustments.close_dispute(lost, is_won=False, by="test")
    assert (lost.credits_taken, wallet(store)[0]) == (100, 0)
    with pytest.raises(payments.BillingRefused, match="is done already"):
        adjustments.close_dispute(refund, is_won=True, by="test")


def test_the_allowance_is_charged_before_bought_credits(store, package):
    buy(store, package)
    give_plan(store)
    pay_plan(store)
    assert wallet(store) == (1500, 0, 500)
    spend(store, 300)
    assert wallet(store) == (1200, 0, 200)
    spend(store, 300)
    assert wallet(store) == (900, 0, 0)
    assert books_are_right(store)
    after = list(CreditTransaction.objects.order_by("pk").values_list("allowance_after", flat=True))
    assert after == [0, 500, 200, 0]


def test_a_refund_takes_no_credits_of_the_allowance(store, package):
    payment = buy(store, package)
    spend(store, 900)
    give_plan(store)
    pay_plan(store)
    assert give_back(payment, 4900).credits_taken == 100
    assert wallet(store) == (500, 0, 500)


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (Wallet, {"allowance_balance": 499}),
        (PaymentAdjustment, {"credits_taken": 203}),
        (PaymentAdjustment, {"status": "won"}),
        (PaymentAdjustment, {"amount": 10_000}),
        (CreditTransaction, {"allowance_after": 0}),
    ],
)
def test_rule_5_of_make_chaos_sees_credits_that_do_not_follow_from_money(store, model, values):
    fill_money(store)
    evidence = chaos_rules.Evidence()
    assert chaos_rules.unbalanced(evidence) == 0
    model.objects.update(**values)
    assert chaos_rules.unbalanced(evidence) > 0


def test_a_month_that_ends_takes_its_allowance_along_and_the_next_one_is_granted(
    store, monkeypatch
):
    give_plan(store)
    pay_plan(store)
    pay_plan(store, key="plan 2")
    plan = Subscription.objects.get()
    assert plan.paid_until > plan.current_period_end
    spend(store, 100)
    assert subscriptions.begin_due_months() == {"began": 0, "ended": 0}
    at_local_time(monkeypatch, timezone.now() + timedelta(days=32))
    assert subscriptions.begin_due_months() == {"began": 1, "ended": 0}
    assert subscriptions.begin_due_months() == {"began": 0, "ended": 0}
    assert wallet(store) == (500, 0, 500) and books_are_right(store)
    expiry = CreditTransaction.objects.get(type="expiry")
    assert (expiry.amount, expiry.allowance_after) == (400, 0)


@pytest.mark.parametrize(("ends", "status"), [(False, "past_due"), (True, "cancelled")])
def test_a_plan_that_is_not_paid_ends_with_its_month(store, monkeypatch, ends, status):
    give_plan(store, cancel_at_period_end=ends)
    User.objects.update(subscription_status="inactive")
    pay_plan(store)
    store.refresh_from_db()
    assert store.subscription_status == "active"
    at_local_time(monkeypatch, timezone.now() + timedelta(days=100))
    assert subscriptions.begin_due_months() == {"began": 0, "ended": 1}
    store.refresh_from_db()
    assert (store.subscription_status, wallet(store)) == (status, (0, 0, 0))
    pay_plan(store, key="plan 2")
    store.refresh_from_db()
    assert (store.subscription_status, wallet(store)) == ("active", (500, 0, 500))


def test_a_store_that_left_gets_no_further_month_though_it_has_paid(store, monkeypatch):
    give_plan(store, interval="year")
    pay_plan(store, amount=29000)
    User.objects.update(left_at=timezone.now())
    at_local_time(monkeypatch, timezone.now() + timedelta(days=32))
    assert subscriptions.begin_due_months() == {"began": 0, "ended": 1}
    assert wallet(store) == (0, 0, 0)
    User.objects.update(left_at=None)
    paid_until = Subscription.objects.get().paid_until
    payment = pay_plan(store, amount=29000, key="plan 2")
    assert payment.covers_from == paid_until and wallet(store) == (500, 0, 500)


def test_a_plan_that_is_paid_on_its_last_day_keeps_the_day_of_the_month(monkeypatch):
    store = make_store(balance=0)
    give_plan(store)
    at_local_time(monkeypatch, datetime(2026, 1, 31, 10, tzinfo=UTC))
    pay_plan(store)
    at_local_time(monkeypatch, datetime(2026, 2, 28, 0, 5, tzinfo=UTC))
    assert subscriptions.begin_due_months() == {"began": 0, "ended": 1}
    payment = pay_plan(store, key="plan 2")
    assert (payment.covers_from, payment.covers_until) == (date(2026, 2, 28), date(2026, 3, 31))
    at_local_time(monkeypatch, datetime(2026, 4, 10, tzinfo=UTC))
    subscriptions.begin_due_months()
    payment = pay_plan(store, key="plan 3")  # ten days late
    assert (payment.covers_from, payment.covers_until) == (date(2026, 4, 10), date(2026, 5, 10))


def test_months_missed_while_nothing_ran_are_made_up_for_one_by_one(store, monkeypatch):
    give_plan(store, interval="year")
    payment = pay_plan(store, amount=29000)
    assert payment.kind == "yearly"
    at_local_time(monkeypatch, timezone.now() + timedelta(days=95))
    assert subscriptions.begin_due_months() == {"began": 3, "ended": 0}
    assert wallet(store) == (500, 0, 500)


def test_what_is_held_at_the_end_of_a_month_is_sent_from_the_old_allowance(store, monkeypatch):
    give_plan(store)
    pay_plan(store)
    pay_plan(store, key="plan 2")
    first, second = hold(store, 200), hold(store, 100)
    at_local_time(monkeypatch, timezone.now() + timedelta(days=32))
    subscriptions.begin_due_months()
    assert wallet(store) == (800, 300, 800) and books_are_right(store)
    with transaction.atomic():
        credits.settle_reservation(store.pk, first.pk, charge=200, release=0)
        credits.settle_reservation(store.pk, second.pk, charge=0, release=100)
    assert wallet(store) == (600, 0, 600)
    at_local_time(monkeypatch, timezone.now() + timedelta(days=64))
    subscriptions.begin_due_months()
    assert wallet(store) == (0, 0, 0) and books_are_right(store)


def test_two_schedulers_begin_a_month_once(store, monkeypatch):
    give_plan(store)
    pay_plan(store)
    pay_plan(store, key="plan 2")
    at_local_time(monkeypatch, timezone.now() + timedelta(days=32))
    found = []

    def begin():
        found.append(subscriptions.begin_due_months()["began"])
        connection.close()

    with transaction.atomic():
        payments.lock_store(store.pk)
        threads = [threading.Thread(target=begin) for _ in range(2)]
        for thread in threads:
            thread.start()
        wait_until(lambda: lock_waiters() == 2)
    for thread in threads:
        thread.join(20)
    assert sorted(found) == [0, 1] and wallet(store) == (500, 0, 500)


def test_a_month_of_the_31st_ends_on_the_last_day_of_shorter_months():
    days = [date(2026, 1, 31)]
    for _ in range(4):
        days.append(subscriptions.add_months(days[-1], 1, 31))
    assert [day.isoformat()[5:] for day in days] == ["01-31", "02-28", "03-31", "04-30", "05-31"]
    assert subscriptions.add_months(date(2026, 12, 31), 1, 31) == date(2027, 1, 31)
    assert subscriptions.add_months(date(2027, 2, 28), 12, 29) == date(2028, 2, 29)
    assert subscriptions.add_months(date(2026, 3, 31), -1, 31) == date(2026, 2, 28)


@pytest.mark.parametrize(("zone", "began"), [("Pacific/Auckland", 1), ("Europe/Athens", 0)])
def test_a_month_begins_at_midnight_of_the_stores_clock(monkeypatch, zone, began):
    store = make_store(balance=0, timezone=zone)
    give_plan(store)
    at_local_time(monkeypatch, datetime(2026, 1, 31, 10, tzinfo=UTC))
    pay_plan(store)
    pay_plan(store, key="plan 2")
    at_local_time(monkeypatch, datetime(2026, 2, 27, 13, tzinfo=UTC))
    assert subscriptions.begin_due_months()["began"] == began


def test_a_plan_payment_that_is_returned_takes_its_time_and_allowance(store):
    give_plan(store)
    payment = pay_plan(store)
    spend(store, 100)
    assert give_back(payment, 1000).months_taken == 0
    assert wallet(store)[2] == 400
    dispute = give_back(payment, 1900, key="dispute 1", kind=DISPUTE)
    assert dispute.months_taken == 1
    store.refresh_from_db()
    assert (store.subscription_status, wallet(store)) == ("past_due", (0, 0, 0))
    adjustments.close_dispute(dispute, is_won=True, by="test")
    store.refresh_from_db()
    assert (store.subscription_status, wallet(store)) == ("active", (500, 0, 500))
    assert books_are_right(store)


@pytest.mark.parametrize(
    ("amount", "fields", "why"),
    [
        (0, {}, "a payment is from"),
        (-100, {}, "a payment is from"),
        (10**15, {}, "a payment is from"),
        (2900, {"currency": "USD"}, "is paid in EUR, not in USD"),
    ],
)
def test_a_plan_payment_with_a_mistake_changes_nothing(store, amount, fields, why):
    give_plan(store)
    with pytest.raises(payments.BillingRefused, match=why):
        pay_plan(store, amount=amount, **fields)
    assert Subscription.objects.get().paid_until is None and not Payment.objects.exists()


def test_a_store_without_a_plan_pays_none(store):
    with pytest.raises(payments.BillingRefused, match="has no plan"):
        pay_plan(store)


@pytest.fixture
def seller(settings):
    settings.INVOICE_SELLER = "Astronote IKE|Ermou 1|105 63 Athens"
    settings.INVOICE_SELLER_VAT_NUMBER = "EL999999999"


def set_buyer(store, **fields):
    values = {"legal_name": "Anna's Shoes IKE", "billing_address": "Tsimiski 5\nThessaloniki"}
    values |= {"vat_number": "EL123456789"} | fields
    return BillingProfile.objects.create(owner=store, **values)


def test_invoices_are_numbered_without_a_gap_though_some_are_given_up(store, package, seller):
    set_buyer(store)
    first = invoices.issue_invoice(buy(store, package), by="test")
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        invoices.issue_invoice(buy(store, package, key="receipt 2"), by="test")
        raise ZeroDivisionError
    third = invoices.issue_invoice(buy(store, package, key="receipt 3"), by="test")
    assert (first.number, third.number) == (1, 2)
    assert first.invoice_number == f"{timezone.now().year}-00001"
    assert (first.subtotal, first.tax, first.total) == (3952, 948, 4900)
    assert first.buyer.startswith("Anna's Shoes IKE\nTsimiski 5")
    assert "Ermou 1\n" in first.seller and "EL999999999" in first.seller
    assert invoices.issue_invoice(first.payment, by="test") == first


def test_a_number_that_is_given_up_goes_to_the_store_that_waited(store, package, seller):
    other = make_store("bob", balance=0)
    mine, theirs = buy(store, package), buy(other, package)
    set_buyer(store)
    set_buyer(other)
    found = []

    def issue():
        found.append(invoices.issue_invoice(theirs, by="test").number)
        connection.close()

    with pytest.raises(ZeroDivisionError), transaction.atomic():
        assert invoices.issue_invoice(mine, by="test").number == 1
        thread = threading.Thread(target=issue)
        thread.start()
        wait_until(one_waits_for_a_lock)
        raise ZeroDivisionError
    thread.join(20)
    assert found == [1]


def test_a_refund_of_an_invoiced_payment_has_a_credit_note(store, package, seller):
    set_buyer(store)
    payment = buy(store, package)
    give_back(payment, 1000)
    invoices.issue_invoice(payment, by="test")
    for number, cents in enumerate((1333, 1, 2566)):
        give_back(payment, cents, key=f"more {number}")
    notes = InvoiceRecord.objects.exclude(adjustment=None).order_by("pk")
    assert [note.total for note in notes] == [-1000, -1333, -1, -2566]
    assert [note.number for note in notes] == [2, 3, 4, 5]
    whole = [sum(getattr(one, name) for one in InvoiceRecord.objects.all())
             for name in ("subtotal", "tax", "total")]  # fmt: skip
    assert whole == [0, 0, 0]


@pytest.mark.parametrize(
    ("fields", "treatment", "tax"),
    [
        ({}, TaxTreatment.DOMESTIC, 948),
        ({"vat_country": "DE", "vat_number": "DE123456789"}, TaxTreatment.DOMESTIC, 948),
        (
            {"vat_country": "DE", "vat_number": "DE123456789", "vat_number_checked": True},
            TaxTreatment.REVERSE_CHARGE,
            0,
        ),
        ({"vat_country": "CH", "vat_number": ""}, TaxTreatment.OUTSIDE_EU, 0),
        ({"tax_exempt": True}, TaxTreatment.EXEMPT, 0),
    ],
)
def test_vat_follows_from_where_the_buyer_is(store, package, seller, fields, treatment, tax):
    set_buyer(store, **fields)
    invoice = invoices.issue_invoice(buy(store, package), by="test")
    assert (invoice.tax_treatment, invoice.tax) == (treatment, tax)


def test_an_erased_store_keeps_its_invoices_and_payments_alone(
    store, package, seller, admin_client
):
    set_buyer(store)
    payment = buy(store, package)
    give_back(payment, 100, reason="Anna asked")
    invoice = invoices.issue_invoice(payment, by="test")
    off_boarding.off_board_store(store, erase_on=date(2020, 1, 1), by="test")
    off_boarding.end_open_work_and_erase_data_if_due(store.pk)
    assert not BillingProfile.objects.exists()
    assert "Anna" not in PaymentAdjustment.objects.get().reason
    page = admin_client.get(reverse("invoice_print", args=[invoice.pk])).text
    assert "Anna&#x27;s Shoes IKE" in page
    assert give_back(payment, 4800, key="the rest").credits_taken == 980
    assert books_are_right(store)


def test_an_invoice_says_what_it_lacks(store, package, settings):
    payment = buy(store, package)
    with pytest.raises(payments.BillingRefused, match="INVOICE_SELLER"):
        invoices.issue_invoice(payment, by="test")
    settings.INVOICE_SELLER = "Astronote"
    with pytest.raises(payments.BillingRefused, match="to whom invoices"):
        invoices.issue_invoice(payment, by="test")


def test_each_change_of_money_is_in_the_audit_trail(store, package, seller, monkeypatch):
    User.objects.update(subscription_status="inactive")
    store.refresh_from_db()
    profiles.set_invoice_recipient(
        store,
        {"legal_name": "Anna's Shoes IKE", "billing_address": "Tsimiski 5", "vat_country": "GR"},
        by="test",
    )  # fmt: skip
    give_plan(store)
    pay_plan(store)
    payment = buy(store, package)
    invoices.issue_invoice(payment, by="test")
    give_back(payment, 100)
    dispute = give_back(payment, 200, key="dispute", kind=DISPUTE)
    adjustments.close_dispute(dispute, is_won=True, by="test")
    at_local_time(monkeypatch, timezone.now() + timedelta(days=100))
    subscriptions.begin_due_months()
    assert set(AuditEntry.objects.values_list("action", flat=True)) == {
        "invoice recipient set", "plan set", "subscription status changed", "plan's month began",
        "plan payment recorded", "purchase recorded", "invoice issued", "credit note issued",
        "refund recorded", "dispute recorded", "dispute won", "allowance expired",
    }  # fmt: skip
