"""Money in the admin and by command: who records it, once, and what is said when it cannot be."""

import json

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from astronote.models import AuditEntry, User
from astronote.operations.alerts import Alerts
from messaging.billing import low_balance
from messaging.models import (
    BillingProfile,
    InvoiceRecord,
    Package,
    Payment,
    PaymentAdjustment,
    Subscription,
    Wallet,
)
from tests.support.admin_pages import fill_money
from tests.support.factories import make_store

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "a-long-password-of-mine"


@pytest.fixture
def store():
    return make_store(balance=0, company="Anna's", timezone="Europe/Athens")


@pytest.fixture
def package():
    return Package.objects.create(name="Small", credits=1000, price_cents=4900)


def billing(*arguments, capsys, **options):
    call_command("billing", *arguments, json=True, **options)
    return json.loads(capsys.readouterr().out)


def purchase_form(client, store, package, **values):
    page = client.get(reverse("record_purchase", args=[store.pk]))
    data = {"package": package.pk, "currency": "EUR", "key": page.context["form"]["key"].value()}
    return data | values


def test_a_purchase_is_recorded_by_a_form_that_may_be_sent_twice(admin_client, store, package):
    data = purchase_form(admin_client, store, package)
    address = reverse("record_purchase", args=[store.pk])
    for _ in range(2):
        page = admin_client.post(address, data, follow=True)
    assert "Anna&#x27;s has 1,000 credits available" in page.text
    assert Payment.objects.count() == 1 and Wallet.objects.get().balance == 1000
    assert "EUR 49.00" in page.text  # on the store's page
    entry = AuditEntry.objects.get(action="purchase recorded")
    assert entry.actor == User.objects.get(is_superuser=True)


def test_a_reference_that_was_used_for_something_else_is_refused_on_the_page(
    admin_client, store, package
):
    large = Package.objects.create(name="Large", credits=9000, price_cents=39000)
    address = reverse("record_purchase", args=[store.pk])
    for one in (package, large):
        data = purchase_form(admin_client, store, one, reference="R 7")
        page = admin_client.post(address, data, follow=True)
    assert "The key R 7 has recorded another payment" in page.text.replace("the key", "The key")
    assert Payment.objects.count() == 1
    data = purchase_form(admin_client, store, package, paid_on="2999-01-01")
    assert "in the future" in admin_client.post(address, data).text


@pytest.mark.parametrize("role", ["viewer", "operator", "service_operator"])
def test_only_administrators_record_money(client, store, role):
    payment = fill_money(store)
    call_command("create_operator", "me@example.com", role=role, password=PASSWORD)
    client.force_login(User.objects.get(email="me@example.com"))
    before = Wallet.objects.get().balance
    for name, pk in (
        ("record_purchase", store.pk),
        ("record_plan_payment", store.pk),
        ("low_balance_alert", store.pk),
        ("return_payment", payment.pk),
        ("issue_invoice", payment.pk),
        ("close_dispute", PaymentAdjustment.objects.get().pk),
    ):
        assert client.post(reverse(name, args=[pk]), {"key": "x"}).status_code == 403, name
    assert client.get("/admin/messaging/package/add/").status_code == 403
    assert client.get("/admin/messaging/subscription/add/").status_code == 403
    plan = Subscription.objects.get()
    assert client.post(f"/admin/messaging/subscription/{plan.pk}/delete/").status_code == 403
    assert Wallet.objects.get().balance == before
    page = client.get(f"/admin/astronote/user/{store.pk}/change/").text
    assert "Record a purchase" not in page and "–204" in page  # the dispute, in the ledger


def test_a_payment_s_page_refunds_it_and_says_what_is_missing(admin_client, store):
    payment = fill_money(store)
    Wallet.objects.update(reserved_balance=1100)  # 500 of the allowance, 600 bought
    address = reverse("return_payment", args=[payment.pk])
    form = admin_client.get(address).context["form"]
    assert form["amount"].value() == "39.00"
    data = {"type": "refund", "amount": "39.00", "reason": "closed", "key": form["key"].value()}
    page = admin_client.post(address, data, follow=True)
    assert "196 credits taken back, 600 were spent or held already" in page.text
    assert "Credit note" in page.text and "EUR 0.00" in page.text
    page = admin_client.post(address, data | {"key": "other"}, follow=True)
    assert "cannot be returned: EUR 0.00 of EUR 49.00 is left" in page.text


def test_a_dispute_is_closed_on_its_page(admin_client, store):
    fill_money(store)
    dispute = PaymentAdjustment.objects.get()
    address = reverse("close_dispute", args=[dispute.pk])
    admin_client.post(address, {"outcome": "won"})
    page = admin_client.post(address, {"outcome": "lost"}, follow=True).text
    assert "is won already" in page and PaymentAdjustment.objects.get().status == "won"


def test_an_invoice_is_printed_in_english_and_greek(admin_client, store, settings):
    payment = fill_money(store)
    address = reverse("invoice_print", args=[InvoiceRecord.objects.get().pk])
    page = admin_client.get(address).text
    for part in ("Invoice", "Anna&#x27;s Shoes IKE", "EL123456789", "1,000 SMS credits (Small)",
                 "EUR 39.52", "EUR 9.48", "VAT 24 %", "Ermou 1"):  # fmt: skip
        assert part in page, part
    page = admin_client.get(f"{address}?language=el").text
    for part in ("Τιμολόγιο", "1.000 μονάδες SMS", "Σύνολο", "EUR 39,52", 'lang="el"'):
        assert part in page, part
    issue = reverse("issue_invoice", args=[Payment.objects.exclude(pk=payment.pk).get().pk])
    assert "set INVOICE_SELLER" in admin_client.post(issue, follow=True).text
    settings.INVOICE_SELLER = "Astronote"
    assert "Page to print" in admin_client.post(issue, follow=True).text
    assert InvoiceRecord.objects.count() == 2


def test_a_plan_and_an_invoice_recipient_are_set_by_their_forms(admin_client, store):
    plan = {"owner": store.pk, "plan_type": "pro", "interval": "month", "currency": "EUR"}
    plan["included_sms_per_period"] = 500
    answer = admin_client.post("/admin/messaging/subscription/add/", plan)
    assert answer.status_code == 302, answer.context["errors"]
    assert Subscription.objects.get().included_sms_per_period == 500
    address = reverse("record_plan_payment", args=[store.pk])
    form = admin_client.get(address).context["form"]
    page = admin_client.post(address, {"amount": "29", "key": form["key"].value()}, follow=True)
    assert "500 of the allowance left" in page.text
    recipient = {"owner": store.pk, "legal_name": "Anna's", "billing_address": "Tsimiski 5",
                 "vat_country": "GR"}  # fmt: skip
    admin_client.post("/admin/messaging/billingprofile/add/", recipient)
    profile = BillingProfile.objects.get()
    change = f"/admin/messaging/billingprofile/{profile.pk}/change/"
    admin_client.post(change, recipient | {"legal_name": "Anna's IKE"})
    assert BillingProfile.objects.get().legal_name == "Anna's IKE"


def test_all_of_it_by_command(store, capsys, settings):
    settings.INVOICE_SELLER = "Astronote"
    call_command("credit_package", "Small", credits=1000, price="49")
    call_command("credit_package", "Small", price_usd="55.50")
    assert Package.objects.get().price_cents_usd == 5550
    capsys.readouterr()
    email = store.email
    bought = billing("purchase", email, package="Small", key="R 1", currency="USD", capsys=capsys,
                     provider=["session=cs_1"])  # fmt: skip
    assert (bought["amount"], bought["credits"]) == ("USD 55.50", 1000)
    ids = ["customer=cus_1", "subscription=sub_1"]
    billing("plan", email, plan="pro", included=500, provider=ids, capsys=capsys)
    plan = Subscription.objects.get()
    assert (plan.provider_customer_id, plan.provider_subscription_id) == ("cus_1", "sub_1")
    assert (
        billing("pay-plan", email, amount="29", key="P 1", capsys=capsys)["amount"] == "EUR 29.00"
    )
    billing("invoice-recipient", email, set=["legal_name=Anna's", "billing_address=Athens"],
            capsys=capsys)  # fmt: skip
    payment = bought["payment"]
    assert billing("invoice", email, payment=payment, capsys=capsys)["of it VAT"] == "USD 10.74"
    back = billing("refund", email, payment=payment, amount="5.55", key="F 1", capsys=capsys)
    assert (back["credits taken back"], back["credits missing"]) == (100, 0)
    dispute = billing("dispute", email, payment=payment, amount="5.55", key="D 1", capsys=capsys)
    won = billing("dispute-won", email, dispute=dispute["dispute"], capsys=capsys)
    assert won["status"] == "won"
    billing("alert", email, below=2000, capsys=capsys)
    shown = billing("show", email, capsys=capsys)
    assert (shown["available"], shown["of the allowance"], shown["alert below"]) == (
        1400,
        500,
        2000,
    )
    assert (shown["payments"], shown["invoices"], shown["subscription"]) == (2, 2, "active")


@pytest.mark.parametrize(
    ("arguments", "options", "why"),
    [
        (["purchase"], {"package": "None", "key": "1"}, "no package has the name"),
        (["refund"], {"amount": "1", "key": "1"}, "has no payment None"),
        (["pay-plan"], {"amount": "1.005", "key": "1"}, "is not an amount"),
        (["pay-plan"], {"amount": "NaN", "key": "1"}, "is not an amount"),
        (["pay-plan"], {"amount": "1e999999999", "key": "1"}, "is not an amount"),
        (["pay-plan"], {"amount": "1e12", "key": "1"}, "a payment is from"),
        (["pay-plan"], {"amount": "-29", "key": "1"}, "a payment is from"),
        (["plan"], {"included": -1}, "greater than or equal to 0"),
        (["invoice-recipient"], {"set": ["vat_number=12"]}, "Write it as EL"),
        (["invoice-recipient"], {"set": ["owner=12"]}, "use one of legal_name"),
        (["alert"], {"below": 0}, "an alert is below"),
    ],
)
def test_a_command_with_a_mistake_says_what_is_wrong(store, arguments, options, why):
    with pytest.raises(CommandError, match=why):
        call_command("billing", arguments[0], store.email, **options)


def test_a_store_that_falls_below_its_threshold_is_told_of_once_and_when_it_is_over(
    store, package, monkeypatch
):
    told = []

    def tell(alerts, text, url, since):
        told.extend([text] if "credits left" in text else [])
        return True

    monkeypatch.setattr(Alerts, "_post_and_mail_to_all_recipients", tell)
    low_balance.set_low_balance_alert(store.pk, 100, by="test")
    alerts = Alerts()
    for _ in range(3):
        alerts.tell_alerts()
    assert told == ["Anna's has 0 credits left, fewer than 100."]
    call_command("billing", "purchase", store.email, package="Small", key="R 1")
    alerts.tell_alerts()
    assert told[1:] == ["Over: Anna's has 0 credits left, fewer than 100."]


def test_each_of_two_stores_that_differ_in_a_figure_is_told_of(monkeypatch):
    told = []
    monkeypatch.setattr(
        Alerts,
        "_post_and_mail_to_all_recipients",
        lambda self, text, url, since: told.append(text) or True,
    )
    for number in (1, 2):
        store = make_store(f"shop{number}", balance=50, company=f"Shop {number}")
        low_balance.set_low_balance_alert(store.pk, 100, by="test")
    alerts = Alerts()
    for _ in range(2):
        alerts.tell_alerts()
    said = [text for text in told if text.startswith("Shop")]
    assert said == [f"Shop {number} has 50 credits left, fewer than 100." for number in (1, 2)]


def test_an_alert_is_set_and_taken_away_on_the_store_s_page(admin_client, store):
    address = reverse("low_balance_alert", args=[store.pk])
    for below, kept in (("250", 250), ("-1", 250), ("", None)):
        admin_client.post(address, {"below": below})
        assert Wallet.objects.get().alert_below == kept
