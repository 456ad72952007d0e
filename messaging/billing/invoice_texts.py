"""The texts of printed invoices, in English and Greek."""

from __future__ import annotations

from typing import NamedTuple

from astronote.common.languages import Language
from messaging.billing.models import InvoiceRecord, Payment, PaymentKind, TaxTreatment, money


class InvoiceTexts(NamedTuple):
    """The texts of an invoice in one language; `language` is its name for itself."""

    language: str
    invoice: str
    credit_note: str
    corrects: str
    number: str
    date: str
    paid: str
    seller: str
    buyer: str
    vat_number: str
    description: str
    credits: str
    month_of_plan: str
    year_of_plan: str
    until: str
    amount: str
    subtotal: str
    vat: str
    total: str
    print_it: str
    back: str
    treatments: dict[TaxTreatment, str]


INVOICE_TEXTS: dict[str, InvoiceTexts] = {
    Language.ENGLISH.value: InvoiceTexts(
        language="English",
        invoice="Invoice",
        credit_note="Credit note",
        corrects="for invoice",
        number="Number",
        date="Date of issue",
        paid="Paid on",
        seller="Seller",
        buyer="Bill to",
        vat_number="VAT number",
        description="Description",
        credits="SMS credits",
        month_of_plan="one month of the plan",
        year_of_plan="one year of the plan",
        until="from {first} to {last}",
        amount="Amount",
        subtotal="Without VAT",
        vat="VAT",
        total="Total",
        print_it="Print",
        back="Back",
        treatments={
            TaxTreatment.DOMESTIC: "",
            TaxTreatment.REVERSE_CHARGE: "Reverse charge: VAT is to be accounted for by the"
            " recipient (directive 2006/112/EC, articles 44 and 196).",
            TaxTreatment.OUTSIDE_EU: "Outside the scope of EU VAT (directive 2006/112/EC,"
            " articles 44 and 59).",
            TaxTreatment.EXEMPT: "Exempt from VAT.",
        },
    ),
    Language.GREEK.value: InvoiceTexts(
        language="Ελληνικά",
        invoice="Τιμολόγιο",
        credit_note="Πιστωτικό τιμολόγιο",
        corrects="για το τιμολόγιο",
        number="Αριθμός",
        date="Ημερομηνία έκδοσης",
        paid="Πληρώθηκε στις",
        seller="Πωλητής",
        buyer="Πελάτης",
        vat_number="ΑΦΜ",
        description="Περιγραφή",
        credits="μονάδες SMS",
        month_of_plan="ένας μήνας συνδρομής",
        year_of_plan="ένα έτος συνδρομής",
        until="από {first} έως {last}",
        amount="Ποσό",
        subtotal="Καθαρή αξία",
        vat="ΦΠΑ",
        total="Σύνολο",
        print_it="Εκτύπωση",
        back="Πίσω",
        treatments={
            TaxTreatment.DOMESTIC: "",
            TaxTreatment.REVERSE_CHARGE: "Αντίστροφη επιβάρυνση: υπόχρεος για τον ΦΠΑ είναι ο"
            " λήπτης (οδηγία 2006/112/ΕΚ, άρθρα 44 και 196).",
            TaxTreatment.OUTSIDE_EU: "Εκτός πεδίου εφαρμογής του ΦΠΑ της ΕΕ (οδηγία 2006/112/ΕΚ,"
            " άρθρα 44 και 59).",
            TaxTreatment.EXEMPT: "Απαλλάσσεται από τον ΦΠΑ.",
        },
    ),
}


def describe_line(payment: Payment, language: str) -> str:
    """What was sold, such as `5,000 SMS credits (Medium)`."""
    texts = INVOICE_TEXTS[language]
    if payment.kind == PaymentKind.TOP_UP:
        count = _in_figures_of(language, f"{payment.credits:,}")
        return f"{count} {texts.credits} ({payment.package.name if payment.package else ''})"
    is_monthly = payment.kind == PaymentKind.MONTHLY
    what = texts.month_of_plan if is_monthly else texts.year_of_plan
    if payment.covers_from is None or payment.covers_until is None:
        return f"{what} {payment.plan_type}"
    last = payment.covers_until.fromordinal(payment.covers_until.toordinal() - 1)
    days = texts.until.format(
        first=payment.covers_from.strftime("%d/%m/%Y"), last=last.strftime("%d/%m/%Y")
    )
    return f"{what} {payment.plan_type}, {days}"


def describe_treatment(invoice: InvoiceRecord, language: str) -> str:
    """Why an invoice has no VAT; empty if it has."""
    return INVOICE_TEXTS[language].treatments[TaxTreatment(invoice.tax_treatment)]


def write_money(cents: int, currency: str, language: str) -> str:
    """An amount as the language writes it: `EUR 1,200.50`, in Greek `EUR 1.200,50`."""
    return _in_figures_of(language, money(cents, currency))


def _in_figures_of(language: str, figures: str) -> str:
    """Figures with the points and commas of the language."""
    if language != Language.GREEK:
        return figures
    return figures.translate(str.maketrans(",.", ".,"))
