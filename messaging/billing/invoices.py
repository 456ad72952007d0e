"""Invoices and credit notes: numbers without gaps, VAT, and the names and addresses as they were.

Rules: docs/rules.md#invoices. The printed page is in `invoice_pages.py`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.db.models import Max, Sum
from django.utils.translation import gettext

from astronote.accounts.models import User
from astronote.common import audit
from astronote.common.countries import EU_COUNTRIES
from astronote.common.sql import database_now, execute
from messaging.billing.models import (
    BillingProfile,
    InvoiceRecord,
    Payment,
    PaymentAdjustment,
    TaxTreatment,
)
from messaging.billing.payments import BillingRefused, lock_store

INVOICE_NUMBERS_LOCK = 0x0A5A  # first key of the advisory lock


class Tax(NamedTuple):
    """How an invoice is taxed, and by how many percent."""

    treatment: TaxTreatment
    percent: int


class Amounts(NamedTuple):
    """What was paid, in cents, without VAT and the VAT in it."""

    subtotal: int
    tax: int


def tax_of_buyer(profile: BillingProfile) -> Tax:
    """How an invoice to this buyer is taxed.

    Reverse charge needs a VAT number that was found valid (directive 2006/112/EC, articles 44 and
    196).
    """
    if profile.tax_exempt:
        return Tax(TaxTreatment.EXEMPT, 0)
    if profile.vat_country not in EU_COUNTRIES:
        return Tax(TaxTreatment.OUTSIDE_EU, 0)
    is_abroad = profile.vat_country != settings.INVOICE_SELLER_COUNTRY
    if is_abroad and profile.vat_number and profile.vat_number_checked:
        return Tax(TaxTreatment.REVERSE_CHARGE, 0)
    return Tax(TaxTreatment.DOMESTIC, settings.INVOICE_VAT_PERCENT)


def amounts_of_total(total: int, percent: Decimal | int) -> Amounts:
    """The parts of a total that includes VAT; half a cent is rounded away from zero."""
    hundredths = int(percent * 100)
    base = 10_000 + hundredths
    subtotal = (abs(total) * 10_000 * 2 + base) // (2 * base)
    subtotal = subtotal if total >= 0 else -subtotal
    return Amounts(subtotal, total - subtotal)


@transaction.atomic
def issue_invoice(payment: Payment, *, by: User | AnonymousUser | str) -> InvoiceRecord:
    """The invoice of a payment; issued now if it has none, with credit notes for what was returned.

    Raises:
        BillingRefused: if the seller or the store's invoice recipient is not set.
    """
    store = lock_store(payment.owner_id)
    invoices = InvoiceRecord.objects.filter(payment=payment, adjustment=None)
    if earlier := invoices.first():
        return earlier
    if not settings.INVOICE_SELLER:
        raise BillingRefused(
            gettext("set INVOICE_SELLER, the name and address of who sells, first")
        )
    profile = BillingProfile.objects.filter(owner=store).first()
    if profile is None:
        raise BillingRefused(
            gettext("say first to whom invoices of %(store)s are made out") % {"store": store}
        )
    tax = tax_of_buyer(profile)
    invoice = _number_and_create(
        amounts_of_total(payment.amount, tax.percent),
        payment=payment,
        owner=store,
        seller=_seller(),
        buyer=f"{profile.legal_name}\n{profile.billing_address}",
        buyer_vat_number=profile.vat_number,
        buyer_country=profile.vat_country,
        currency=payment.currency,
        tax_rate=tax.percent,
        tax_treatment=tax.treatment,
    )
    audit.write_entry("invoice issued", invoice, by=by, number=invoice.invoice_number)
    returned = PaymentAdjustment.objects.filter(payment=payment, status__in=["done", "lost"])
    for adjustment in returned.order_by("pk"):
        issue_credit_note_if_invoiced(adjustment, by=by)
    return invoice


def issue_credit_note_if_invoiced(
    adjustment: PaymentAdjustment, *, by: User | AnonymousUser | str
) -> InvoiceRecord | None:
    """Issue the credit note for money that was returned; None if its payment has no invoice.

    Call it with the store locked.
    """
    invoice = InvoiceRecord.objects.filter(payment=adjustment.payment, adjustment=None).first()
    if invoice is None:
        return None
    notes = InvoiceRecord.objects.filter(payment=adjustment.payment).exclude(adjustment=None)
    # All notes together have the VAT of what was returned together, to the cent.
    noted = notes.aggregate(total=Sum("total", default=0), subtotal=Sum("subtotal", default=0))
    together = amounts_of_total(noted["total"] - adjustment.amount, invoice.tax_rate)
    subtotal = together.subtotal - noted["subtotal"]
    note = _number_and_create(
        Amounts(subtotal, -adjustment.amount - subtotal),
        payment=adjustment.payment,
        adjustment=adjustment,
        owner=invoice.owner,
        seller=invoice.seller,
        buyer=invoice.buyer,
        buyer_vat_number=invoice.buyer_vat_number,
        buyer_country=invoice.buyer_country,
        currency=invoice.currency,
        tax_rate=invoice.tax_rate,
        tax_treatment=invoice.tax_treatment,
    )
    audit.write_entry("credit note issued", note, by=by, number=note.invoice_number)
    return note


def _seller() -> str:
    lines = [line.strip() for line in settings.INVOICE_SELLER.split("|")]
    if settings.INVOICE_SELLER_VAT_NUMBER:
        lines.append(settings.INVOICE_SELLER_VAT_NUMBER)
    return "\n".join(lines)


def _number_and_create(amounts: Amounts, **fields: Any) -> InvoiceRecord:
    """Create an invoice with the next number of the year (UTC).

    The lock is held until the transaction ends, so that a number is neither given twice nor lost.
    """
    execute("SELECT pg_advisory_xact_lock(%s, 0)", [INVOICE_NUMBERS_LOCK])
    today = database_now().date()
    newest = InvoiceRecord.objects.filter(year=today.year).aggregate(number=Max("number"))
    return InvoiceRecord.objects.create(
        year=today.year,
        number=(newest["number"] or 0) + 1,
        issued_on=today,
        subtotal=amounts.subtotal,
        tax=amounts.tax,
        total=amounts.subtotal + amounts.tax,
        **fields,
    )
