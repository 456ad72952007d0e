"""The pages of the admin on which administrators record money, and a store's panel.

Each form has a key: submitted twice, it records once.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from astronote.accounts.models import User
from astronote.common.counts import format_count
from messaging.billing import adjustments, invoices, payments
from messaging.billing.invoice_texts import (
    INVOICE_TEXTS,
    describe_line,
    describe_treatment,
    write_money,
)
from messaging.billing.low_balance import set_low_balance_alert
from messaging.billing.models import (
    MAX_CREDITS,
    AdjustmentStatus,
    AdjustmentType,
    Currency,
    InvoiceRecord,
    Package,
    Payment,
    PaymentAdjustment,
    PlanInterval,
    Subscription,
    money,
)
from messaging.billing.payments import BillingRefused
from messaging.credits import get_or_create_wallet

RECORD_PERMISSION = "messaging.add_payment"
RETURN_PERMISSION = "messaging.add_paymentadjustment"
INVOICE_PERMISSION = "messaging.add_invoicerecord"
PAYMENTS_SHOWN = 5
MAX_AMOUNT = Decimal(1_000_000)
REFERENCE_HELP = _("Number of the receipt or transfer. The same one is recorded once.")


class KeyedForm(forms.Form):
    """A form whose reference, or else a key that it brings, makes it be recorded once."""

    reference = forms.CharField(
        label=_("Reference"), max_length=100, required=False, help_text=REFERENCE_HELP
    )
    key = forms.CharField(label="", max_length=64, widget=forms.HiddenInput)

    @property
    def idempotency_key(self) -> str:
        """The key under which this is recorded."""
        return str(self.cleaned_data["reference"] or f"form:{self.cleaned_data['key']}")


def _amount_field() -> forms.DecimalField:
    return forms.DecimalField(
        min_value=Decimal("0.01"),
        max_value=MAX_AMOUNT,
        decimal_places=2,
        label=_("Amount"),
        help_text=_("With VAT."),
    )


def _paid_on_field() -> forms.DateField:
    return forms.DateField(
        label=_("Paid on"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=_("On the store's clock. Empty: now."),
    )


class PackageField(forms.ModelChoiceField):  # type: ignore[type-arg]  # no generic at run time
    """Packages with their prices."""

    def label_from_instance(self, package: Package) -> str:
        """The package and what it costs."""
        prices = [money(package.price_cents, Currency.EUR)]
        if package.price_cents_usd is not None:
            prices.append(money(package.price_cents_usd, Currency.USD))
        if len(prices) == 1:
            return f"{package}, {prices[0]}"
        return gettext("%(package)s, %(euros)s or %(dollars)s") % {
            "package": package,
            "euros": prices[0],
            "dollars": prices[1],
        }


class PurchaseForm(KeyedForm):
    """A package that a store has paid."""

    package = PackageField(
        Package.objects.filter(is_active=True).order_by("credits"), label=_("Package")
    )
    currency = forms.ChoiceField(label=_("Currency"), choices=Currency.choices)
    paid_on = _paid_on_field()
    field_order = ("package", "currency", "paid_on", "reference", "key")


class PlanPaymentForm(KeyedForm):
    """A payment of a store's plan."""

    amount = _amount_field()
    paid_on = _paid_on_field()
    field_order = ("amount", "paid_on", "reference", "key")


class ReturnForm(KeyedForm):
    """Money of a payment that was returned."""

    type = forms.ChoiceField(
        label=_("Type"),
        choices=[
            (AdjustmentType.REFUND.value, _("refund: we have returned it")),
            (AdjustmentType.DISPUTE.value, _("dispute: the customer's bank has taken it")),
        ],
    )
    amount = _amount_field()
    reason = forms.CharField(label=_("Reason"), max_length=255, required=False)
    field_order = ("type", "amount", "reason", "reference", "key")


class AlertForm(forms.Form):
    """Below how many credits alerts tell of a store."""

    below = forms.IntegerField(label=_("Below"), min_value=1, max_value=MAX_CREDITS, required=False)


def store_money_context(request: HttpRequest, store: User) -> dict[str, Any]:
    """A store's plan and newest payments, and what the operator may record."""
    return {
        "plan": Subscription.objects.filter(owner=store).first(),
        "wallet": get_or_create_wallet(store.pk),
        "payments": [
            (payment, money(payment.amount, payment.currency))
            for payment in Payment.objects.filter(owner=store)
            .select_related("package")
            .order_by("-pk")[:PAYMENTS_SHOWN]
        ],
        "may_record": request.user.has_perm(RECORD_PERMISSION) and store.left_at is None,
        "may_view": request.user.has_perm("messaging.view_payment"),
    }


def purchase_page(request: HttpRequest, store_id: int) -> HttpResponse:
    """Record that a store has paid a package.

    Raises:
        PermissionDenied: if the operator may not record payments.
    """
    store = _get_store(request, store_id)
    form = PurchaseForm(request.POST or None, initial={"key": uuid.uuid4()})

    def record() -> str:
        payment = payments.record_purchase(
            store,
            form.cleaned_data["package"],
            key=form.idempotency_key,
            by=request.user,
            currency=form.cleaned_data["currency"],
            paid_at=_start_of_day(form.cleaned_data["paid_on"], store),
        )
        available = get_or_create_wallet(store.pk).available
        return ngettext(
            "%(payment)s recorded; %(store)s has %(count)s credit available",
            "%(payment)s recorded; %(store)s has %(count)s credits available",
            available,
        ) % {"payment": payment, "store": store, "count": format_count(available)}

    title = gettext("Record a purchase of %(store)s") % {"store": store}
    return _record_or_show(
        request, form, record, title=title, back=store, button=gettext("Record it")
    )


def plan_payment_page(request: HttpRequest, store_id: int) -> HttpResponse:
    """Record that a store has paid its plan.

    Raises:
        PermissionDenied: if the operator may not record payments.
    """
    store = _get_store(request, store_id)
    plan = get_object_or_404(Subscription, owner=store)
    form = PlanPaymentForm(request.POST or None, initial={"key": uuid.uuid4()})
    form.fields["amount"].label = gettext("Amount in %(currency)s") % {"currency": plan.currency}

    def record() -> str:
        payment = payments.record_plan_payment(
            store,
            _cents(form),
            key=form.idempotency_key,
            by=request.user,
            currency=plan.currency,
            paid_at=_start_of_day(form.cleaned_data["paid_on"], store),
        )
        return gettext("%(payment)s recorded; the plan of %(store)s is paid until %(day)s") % {
            "payment": payment,
            "store": store,
            "day": payment.covers_until,
        }

    title = (
        gettext("Record a year of the plan %(plan)s of %(store)s")
        if plan.interval == PlanInterval.YEAR
        else gettext("Record a month of the plan %(plan)s of %(store)s")
    ) % {"plan": plan.get_plan_type_display(), "store": store}
    return _record_or_show(
        request, form, record, title=title, back=store, button=gettext("Record it")
    )


def return_page(request: HttpRequest, payment_id: int) -> HttpResponse:
    """Record a refund or a dispute of a payment.

    Raises:
        PermissionDenied: if the operator may not record them.
    """
    _require(request, RETURN_PERMISSION)
    payment = get_object_or_404(Payment.objects.select_related("owner"), pk=payment_id)
    left = payment.amount - adjustments.returned_cents(payment)
    initial = {"key": uuid.uuid4(), "amount": f"{Decimal(left) / 100:.2f}"}
    form = ReturnForm(request.POST or None, initial=initial)
    form.fields["amount"].label = gettext("Amount in %(currency)s") % {"currency": payment.currency}

    def record() -> str:
        adjustment = adjustments.record_adjustment(
            payment,
            AdjustmentType(form.cleaned_data["type"]),
            _cents(form),
            key=form.idempotency_key,
            by=request.user,
            reason=form.cleaned_data["reason"],
        )
        taken, missing = adjustment.credits_taken, adjustment.credits_missing
        words = {
            "adjustment": adjustment,
            "count": format_count(taken),
            "missing": format_count(missing),
        }
        if missing:
            return (
                ngettext(
                    "%(adjustment)s recorded; %(count)s credit taken back,"
                    " %(missing)s were spent or held already",
                    "%(adjustment)s recorded; %(count)s credits taken back,"
                    " %(missing)s were spent or held already",
                    taken,
                )
                % words
            )
        return (
            ngettext(
                "%(adjustment)s recorded; %(count)s credit taken back",
                "%(adjustment)s recorded; %(count)s credits taken back",
                taken,
            )
            % words
        )

    title = gettext("Refund or dispute of %(payment)s of %(store)s") % {
        "payment": payment,
        "store": payment.owner,
    }
    return _record_or_show(
        request, form, record, title=title, back=payment, button=gettext("Record it")
    )


@require_POST
def close_dispute_action(request: HttpRequest, adjustment_id: int) -> HttpResponse:
    """Record how a bank has decided a dispute.

    Raises:
        PermissionDenied: if the operator may not record it.
    """
    _require(request, RETURN_PERMISSION)
    adjustment = get_object_or_404(PaymentAdjustment, pk=adjustment_id)
    is_won = request.POST.get("outcome") == AdjustmentStatus.WON
    try:
        closed = adjustments.close_dispute(adjustment, is_won=is_won, by=request.user)
        said = gettext("%(dispute)s is %(status)s")
        messages.success(request, said % {"dispute": closed, "status": closed.get_status_display()})
    except BillingRefused as problem:
        messages.error(request, str(problem))
    return redirect("admin:messaging_paymentadjustment_change", adjustment_id)


@require_POST
def issue_invoice_action(request: HttpRequest, payment_id: int) -> HttpResponse:
    """Issue the invoice of a payment, and go to it.

    Raises:
        PermissionDenied: if the operator may not issue invoices.
    """
    _require(request, INVOICE_PERMISSION)
    payment = get_object_or_404(Payment, pk=payment_id)
    try:
        invoice = invoices.issue_invoice(payment, by=request.user)
    except BillingRefused as problem:
        messages.error(request, str(problem))
        return redirect("admin:messaging_payment_change", payment_id)
    return redirect("admin:messaging_invoicerecord_change", invoice.pk)


@require_POST
def alert_action(request: HttpRequest, store_id: int) -> HttpResponse:
    """Set below how many credits alerts tell of a store.

    Raises:
        PermissionDenied: if the operator may not record payments.
    """
    store = _get_store(request, store_id)
    form = AlertForm(request.POST)
    if form.is_valid():
        below = form.cleaned_data["below"]
        set_low_balance_alert(store.pk, below, by=request.user)
        said = ngettext(
            "Alerts tell below %(count)s credit", "Alerts tell below %(count)s credits", below or 0
        ) % {"count": format_count(below or 0)}
        messages.success(request, said if below else gettext("No alert"))
    else:
        messages.error(
            request,
            gettext("Enter a number of credits from 1 to %(limit)s.")
            % {"limit": format_count(MAX_CREDITS)},
        )
    return redirect("admin:astronote_user_change", store_id)


def invoice_print_page(request: HttpRequest, invoice_id: int) -> HttpResponse:
    """An invoice or credit note to print, in English or Greek.

    Raises:
        PermissionDenied: if the operator may not see invoices.
    """
    _require(request, "messaging.view_invoicerecord")
    rows = InvoiceRecord.objects.select_related("owner", "payment", "payment__package")
    invoice = get_object_or_404(rows, pk=invoice_id)
    language = request.GET.get("language", "")
    if language not in INVOICE_TEXTS:
        language = invoice.owner.language if invoice.owner.language in INVOICE_TEXTS else "en"
    corrected = None
    if invoice.adjustment_id:
        corrected = InvoiceRecord.objects.get(payment=invoice.payment, adjustment=None)
    return TemplateResponse(
        request,
        "messaging/billing/invoice_print.html",
        {
            "invoice": invoice,
            "texts": INVOICE_TEXTS[language],
            "language": language,
            "languages": [(code, texts.language) for code, texts in INVOICE_TEXTS.items()],
            "corrected": corrected,
            "line": describe_line(invoice.payment, language),
            "treatment": describe_treatment(invoice, language),
            "subtotal": write_money(invoice.subtotal, invoice.currency, language),
            "tax": write_money(invoice.tax, invoice.currency, language),
            "total": write_money(invoice.total, invoice.currency, language),
        },
    )


def _record_or_show(
    request: HttpRequest,
    form: KeyedForm,
    record: Callable[[], str],
    *,
    title: str,
    back: User | Payment,
    button: str,
) -> HttpResponse:
    """Record a valid form and go back with what was done, or show it with what is wrong."""
    app, name = back._meta.app_label, back._meta.model_name
    if request.method == "POST" and form.is_valid():
        try:
            messages.success(request, record())
            return redirect(f"admin:{app}_{name}_change", back.pk)
        except BillingRefused as problem:
            form.add_error(None, str(problem))
    context = {
        **admin.site.each_context(request),
        "title": title,
        "form": form,
        "back": f"admin:{app}_{name}_change",
        "row": back,
        "store": back if isinstance(back, User) else back.owner,
        "button": button,
    }
    return TemplateResponse(request, "messaging/billing/record.html", context)


def _require(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


def _get_store(request: HttpRequest, store_id: int) -> User:
    _require(request, RECORD_PERMISSION)
    return get_object_or_404(User, pk=store_id, is_staff=False)


def _cents(form: forms.Form) -> int:
    return int(form.cleaned_data["amount"] * 100)


def _start_of_day(day: date | None, store: User) -> datetime | None:
    """The beginning of a day on the store's clock; None for today, which is now."""
    if day is None or day == datetime.now(ZoneInfo(store.timezone)).date():
        return None
    return datetime.combine(day, time(), ZoneInfo(store.timezone))
