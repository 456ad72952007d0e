"""Money in the admin: packages, plans, invoice recipients, payments, refunds and invoices.

Only administrators change any of them; everybody else looks. The pages that record something are in
`messaging/billing/pages.py`.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from astronote.common.admin_lists import LargeTableAdmin, ReadOnlyAdmin
from messaging.billing import profiles, subscriptions
from messaging.billing.adjustments import returned_cents
from messaging.billing.models import money
from messaging.models import (
    BillingProfile,
    InvoiceRecord,
    Package,
    Payment,
    PaymentAdjustment,
    Subscription,
)


@admin.register(Package)
class PackageAdmin(LargeTableAdmin):
    empty_hint = _("A package is a number of credits at a price; stores buy credits by packages.")
    list_display = ["name", "credits", "price", "price_usd", "is_active"]
    list_filter = ["is_active"]
    search_fields = ["name"]

    @admin.display(description=_("price"))
    def price(self, package: Package) -> str:
        return money(package.price_cents, "EUR")

    @admin.display(description=_("price in USD"), empty_value="–")
    def price_usd(self, package: Package) -> str | None:
        return None if package.price_cents_usd is None else money(package.price_cents_usd, "USD")


@admin.register(Subscription)
class SubscriptionAdmin(LargeTableAdmin):
    empty_hint = _("A plan includes credits each month; it begins with its first payment.")
    list_display = ["owner", "plan_type", "interval", "included_sms_per_period", "paid_until"]
    list_filter = ["plan_type", "interval"]
    list_select_related = ["owner"]
    autocomplete_fields = ["owner"]
    fields = [
        "owner",
        "plan_type",
        "interval",
        "currency",
        "included_sms_per_period",
        "cancel_at_period_end",
        "provider_customer_id",
        "provider_subscription_id",
        "current_period_start",
        "current_period_end",
        "paid_until",
    ]
    readonly_fields = ["current_period_start", "current_period_end", "paid_until"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """A plan stays with its store."""
        fields = tuple(super().get_readonly_fields(request, obj))
        return (*fields, "owner") if obj else fields

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody: a plan ends when it is no longer paid, and its allowance with it."""
        return False

    def save_model(
        self, request: HttpRequest, obj: Subscription, form: ModelForm[Subscription], change: bool
    ) -> None:
        """Give the plan as the command does: a job may have begun another month meanwhile."""
        plan = subscriptions.give_plan(
            obj.owner,
            plan_type=obj.plan_type,
            interval=obj.interval,
            included=obj.included_sms_per_period,
            currency=obj.currency,
            cancel_at_period_end=obj.cancel_at_period_end,
            provider_customer_id=obj.provider_customer_id,
            provider_subscription_id=obj.provider_subscription_id,
            by=request.user,
        )
        obj.pk = plan.pk


@admin.register(BillingProfile)
class BillingProfileAdmin(LargeTableAdmin):
    empty_hint = _("Invoices of a store are made out to its invoice recipient.")
    list_display = ["legal_name", "owner", "vat_number", "vat_country"]
    list_select_related = ["owner"]
    search_fields = ["legal_name"]
    fields = ["owner", *profiles.FIELDS]
    autocomplete_fields = ["owner"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """A recipient stays with its store."""
        return ("owner",) if obj else ()

    def save_model(
        self,
        request: HttpRequest,
        obj: BillingProfile,
        form: ModelForm[BillingProfile],
        change: bool,
    ) -> None:
        """Set the recipient as the command does."""
        values = {name: getattr(obj, name) for name in profiles.FIELDS}
        obj.pk = profiles.set_invoice_recipient(obj.owner, values, by=request.user).pk


class OwnMoneyAdmin(ReadOnlyAdmin):
    """Rows with an amount in cents, shown as money."""

    list_select_related = ["owner"]

    readonly_fields = ["amount_shown"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """All that have a value, the amount as money."""
        names = [field.name for field in self.model._meta.concrete_fields if field.name != "id"]
        filled = [name for name in names if obj is None or getattr(obj, name) not in (None, "")]
        return ["amount_shown" if name == "amount" else name for name in filled]

    @admin.display(description=_("amount"))
    def amount_shown(self, row: Any) -> str:
        return money(row.amount, getattr(row, "currency", "") or row.payment.currency)


@admin.register(Payment)
class PaymentAdmin(OwnMoneyAdmin):
    empty_hint = _("They are recorded on a store's page, or by manage.py billing.")
    list_display = ["id", "owner", "kind", "amount_shown", "package", "paid_at"]
    list_filter = ["kind"]
    list_select_related = ["owner", "package"]
    change_form_outer_before_template = "messaging/billing/payment_tools.html"

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The payment, below what was returned of it and its invoices."""
        payment = self.get_object(request, object_id)
        context: dict[str, Any] = {}
        if payment and self.has_view_permission(request, payment):
            left = payment.amount - returned_cents(payment)
            context = {
                "amount_left": money(left, payment.currency),
                "is_left": left > 0,
                "adjustments": PaymentAdjustment.objects.filter(payment=payment).order_by("pk"),
                "invoices": InvoiceRecord.objects.filter(payment=payment).order_by("pk"),
            }
        page: HttpResponse = super().change_view(request, object_id, form_url, context)
        return page


@admin.register(PaymentAdjustment)
class PaymentAdjustmentAdmin(OwnMoneyAdmin):
    empty_hint = _("They are recorded on a payment's page, or by manage.py billing.")
    list_display = ["id", "owner", "type", "status", "amount_shown", "credits_taken", "missing"]
    list_filter = ["type", "status"]
    list_select_related = ["owner", "payment"]
    change_form_outer_before_template = "messaging/billing/adjustment_tools.html"

    @admin.display(description=_("credits missing"))
    def missing(self, adjustment: PaymentAdjustment) -> int:
        return adjustment.credits_missing


@admin.register(InvoiceRecord)
class InvoiceRecordAdmin(ReadOnlyAdmin):
    empty_hint = _("An invoice is issued on a payment's page, or by manage.py billing.")
    list_display = ["invoice_number", "owner", "kind", "total_shown", "issued_on"]
    list_filter = ["year", "tax_treatment"]
    list_select_related = ["owner"]
    fields = [
        "owner",
        "payment",
        "adjustment",
        "issued_on",
        "seller",
        "buyer",
        "buyer_vat_number",
        "buyer_country",
        "subtotal_shown",
        "tax_rate",
        "tax_shown",
        "total_shown",
        "tax_treatment",
    ]
    readonly_fields = ["subtotal_shown", "tax_shown", "total_shown"]
    change_form_outer_before_template = "messaging/billing/invoice_tools.html"

    @admin.display(description=_("number"), ordering="pk")
    def invoice_number(self, invoice: InvoiceRecord) -> str:
        return invoice.invoice_number

    @admin.display(description=_("kind"))
    def kind(self, invoice: InvoiceRecord) -> str:
        return gettext("credit note") if invoice.adjustment_id else gettext("invoice")

    @admin.display(description=_("without VAT"))
    def subtotal_shown(self, invoice: InvoiceRecord) -> str:
        return money(invoice.subtotal, invoice.currency)

    @admin.display(description=_("VAT"))
    def tax_shown(self, invoice: InvoiceRecord) -> str:
        return money(invoice.tax, invoice.currency)

    @admin.display(description=_("total"))
    def total_shown(self, invoice: InvoiceRecord) -> str:
        return money(invoice.total, invoice.currency)
