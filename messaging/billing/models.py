"""Tables of money: packages, payments and what is returned of them, plans and invoices.

Amounts are whole cents. The credits that money moves are entries of the ledger
(`messaging.CreditTransaction`); rules: docs/rules.md#money.
"""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from astronote.common.constraints import choice_constraint
from astronote.common.counts import format_count
from astronote.common.fields import ComposedCharField, ComposedTextField

MAX_CREDITS = 100_000_000  # of one package or allowance; a larger number is likely a slip
MAX_CENTS = 100_000_000  # of one payment; likewise


class Currency(models.TextChoices):
    """In what money is paid."""

    EUR = "EUR", _("EUR")
    USD = "USD", _("USD")


class PaymentKind(models.TextChoices):
    """What a payment pays."""

    MONTHLY = "monthly", _("a month of the plan")
    YEARLY = "yearly", _("a year of the plan")
    TOP_UP = "topup", _("a package of credits")


class PlanType(models.TextChoices):
    """The plans that are sold."""

    STARTER = "starter", _("starter")
    PRO = "pro", _("pro")


class PlanInterval(models.TextChoices):
    """For how long one payment pays a plan."""

    MONTH = "month", _("month")
    YEAR = "year", _("year")


class AdjustmentType(models.TextChoices):
    """Why money of a payment is returned."""

    REFUND = "refund", _("refund")
    DISPUTE = "dispute", _("dispute")


class AdjustmentStatus(models.TextChoices):
    """The state of a refund or dispute; of a dispute that was won the money is ours again."""

    DONE = "done", _("done: the money was returned")
    OPEN = "open", _("open: the bank has taken the money and has not decided")
    WON = "won", _("won: the money is ours again")
    LOST = "lost", _("lost: the money was returned")


class TaxTreatment(models.TextChoices):
    """How an invoice is taxed (docs/rules.md#invoices)."""

    DOMESTIC = "domestic", _("VAT of the seller's country")
    REVERSE_CHARGE = "reverse_charge", _("reverse charge")
    OUTSIDE_EU = "outside_eu", _("outside the scope of EU VAT")
    EXEMPT = "exempt", _("exempt from VAT")


class Package(models.Model):
    """Credits that are sold at a price; one that is no longer sold stays for its payments."""

    name = ComposedCharField(_("name"), max_length=80, unique=True)
    credits = models.IntegerField(
        _("credits"), validators=[MinValueValidator(1), MaxValueValidator(MAX_CREDITS)]
    )
    price_cents = models.IntegerField(
        _("price in cents of EUR"), validators=[MinValueValidator(1), MaxValueValidator(MAX_CENTS)]
    )
    price_cents_usd = models.IntegerField(
        _("price in cents of USD"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_CENTS)],
        help_text=_("Empty: it is not sold in USD."),
    )
    is_active = models.BooleanField(_("is sold"), default=True)
    provider_price_id_eur = models.CharField(
        _("provider's ID of the price in EUR"), max_length=128, blank=True, db_default=""
    )
    provider_price_id_usd = models.CharField(
        _("provider's ID of the price in USD"), max_length=128, blank=True, db_default=""
    )
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("package")
        verbose_name_plural = _("packages")
        constraints = [
            models.CheckConstraint(
                condition=Q(credits__gte=1, credits__lte=MAX_CREDITS), name="package_credits_bounds"
            ),
            models.CheckConstraint(
                condition=Q(price_cents__gte=1, price_cents__lte=MAX_CENTS)
                & (Q(price_cents_usd=None) | Q(price_cents_usd__gte=1)),
                name="package_price_bounds",
            ),
        ]

    def __str__(self) -> str:
        return ngettext(
            "%(package)s: %(count)s credit", "%(package)s: %(count)s credits", self.credits
        ) % {"package": self.name, "count": format_count(self.credits)}

    def price_in(self, currency: str) -> int | None:
        """The price in cents; None if the package is not sold in this currency."""
        return self.price_cents if currency == Currency.EUR else self.price_cents_usd


class Payment(models.Model):
    """Money that a store has paid, for a package or for time of its plan.

    What of it was returned are its adjustments. `idempotency_key` is unique for each store. The
    provider's IDs are kept for whoever compares with its books; nothing here calls a provider.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, verbose_name=_("store"))
    kind = models.CharField(_("for"), max_length=8, choices=PaymentKind.choices)
    amount = models.BigIntegerField(_("cents"))
    currency = models.CharField(_("currency"), max_length=3, choices=Currency.choices)
    package = models.ForeignKey(
        Package, models.PROTECT, null=True, blank=True, verbose_name=_("package")
    )
    credits = models.IntegerField(_("credits"), default=0)
    plan_type = models.CharField(_("plan"), max_length=10, choices=PlanType.choices, blank=True)
    covers_from = models.DateField(
        _("covers from"),
        null=True,
        blank=True,
        help_text=_("first day of the plan's time that it pays"),
    )
    covers_until = models.DateField(
        _("covers until"),
        null=True,
        blank=True,
        help_text=_("the day after the last one that it pays"),
    )
    paid_at = models.DateTimeField(_("paid"))
    idempotency_key = models.CharField(_("key"), max_length=128)
    provider_session_id = models.CharField(
        _("provider session id"), max_length=128, null=True, blank=True, unique=True
    )
    provider_payment_intent_id = models.CharField(
        _("provider payment intent id"), max_length=128, null=True, blank=True, unique=True
    )
    provider_charge_id = models.CharField(
        _("provider charge id"), max_length=128, null=True, blank=True
    )
    provider_invoice_id = models.CharField(
        _("provider invoice id"), max_length=128, null=True, blank=True, unique=True
    )
    provider_customer_id = models.CharField(
        _("provider customer id"), max_length=128, null=True, blank=True
    )
    provider_price_id = models.CharField(
        _("provider price id"), max_length=128, null=True, blank=True
    )
    created_at = models.DateTimeField(_("recorded"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        constraints = [
            choice_constraint("kind", PaymentKind, "payment_kind_known"),
            choice_constraint("currency", Currency, "payment_currency_known"),
            models.CheckConstraint(
                condition=Q(amount__gte=1, amount__lte=MAX_CENTS), name="payment_amount_bounds"
            ),
            models.CheckConstraint(
                condition=Q(kind="topup", package__isnull=False, credits__gte=1, plan_type="")
                | Q(
                    kind__in=["monthly", "yearly"],
                    package=None,
                    credits=0,
                    covers_from__isnull=False,
                    covers_until__gt=models.F("covers_from"),
                ),
                name="payment_of_package_or_plan",
            ),
            models.UniqueConstraint(
                fields=["owner", "idempotency_key"], name="payment_once_per_key"
            ),
        ]

    def __str__(self) -> str:
        return gettext("payment %(number)s of %(amount)s") % {
            "number": self.pk,
            "amount": money(self.amount, self.currency),
        }


class PaymentAdjustment(models.Model):
    """A refund or dispute of a payment, with the credits that went back for it.

    `credits_due` is the payment's share of credits, `credits_taken` what of it was still there.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, verbose_name=_("store"))
    payment = models.ForeignKey(Payment, models.PROTECT, verbose_name=_("payment"))
    type = models.CharField(_("type"), max_length=8, choices=AdjustmentType.choices)
    status = models.CharField(_("status"), max_length=8, choices=AdjustmentStatus.choices)
    amount = models.BigIntegerField(_("cents"))
    credits_due = models.IntegerField(_("credits to go back"), default=0)
    credits_taken = models.IntegerField(_("credits taken back"), default=0)
    months_taken = models.SmallIntegerField(
        _("months taken back"), default=0, help_text=_("of the plan's time that the payment paid")
    )
    reason = ComposedCharField(_("reason"), max_length=255, blank=True)
    idempotency_key = models.CharField(_("key"), max_length=128)
    provider_id = models.CharField(
        _("provider's ID of the refund or dispute"),
        max_length=128,
        null=True,
        blank=True,
        unique=True,
    )
    occurred_at = models.DateTimeField(_("at"), db_default=Now())
    created_at = models.DateTimeField(_("recorded"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("refund or dispute")
        verbose_name_plural = _("refunds and disputes")
        constraints = [
            choice_constraint("type", AdjustmentType, "paymentadjustment_type_known"),
            models.CheckConstraint(
                condition=Q(type="refund", status="done")
                | Q(type="dispute", status__in=["open", "won", "lost"]),
                name="paymentadjustment_status_of_type",
            ),
            models.CheckConstraint(condition=Q(amount__gte=1), name="paymentadjustment_amount"),
            models.CheckConstraint(
                condition=Q(credits_taken__gte=0, credits_taken__lte=models.F("credits_due")),
                name="paymentadjustment_taken_within_due",
            ),
            models.UniqueConstraint(
                fields=["owner", "idempotency_key"], name="paymentadjustment_once_per_key"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_type_display()} {self.pk}"

    @property
    def credits_missing(self) -> int:
        """Credits that should have gone back and were spent or held already."""
        return self.credits_due - self.credits_taken


class Subscription(models.Model):
    """A store's plan: what is included each month, and until when it is paid.

    Its status is `User.subscription_status`, which sending reads. Days are those of the store's
    clock; `current_period_end` and `paid_until` are the first days that are not included.
    """

    owner = models.OneToOneField(settings.AUTH_USER_MODEL, models.PROTECT, verbose_name=_("store"))
    plan_type = models.CharField(_("plan"), max_length=10, choices=PlanType.choices)
    interval = models.CharField(
        _("paid by the"), max_length=5, choices=PlanInterval.choices, default=PlanInterval.MONTH
    )
    currency = models.CharField(
        _("currency"), max_length=3, choices=Currency.choices, default=Currency.EUR
    )
    included_sms_per_period = models.IntegerField(
        _("credits included a month"),
        default=0,
        validators=[MinValueValidator(0), MaxValueValidator(MAX_CREDITS)],
        help_text=_("Used before the wallet's other credits; a change counts from the next month."),
    )
    current_period_start = models.DateField(_("month began"), null=True, blank=True, editable=False)
    current_period_end = models.DateField(_("month ends"), null=True, blank=True, editable=False)
    paid_until = models.DateField(_("paid until"), null=True, blank=True, editable=False)
    billing_day = models.SmallIntegerField(
        _("billing day"),
        null=True,
        blank=True,
        editable=False,
        help_text=_(
            "the day of the month on which months begin, or the last one of a shorter month"
        ),
    )
    cancel_at_period_end = models.BooleanField(
        _("ends when it is no longer paid"),
        default=False,
        help_text=_("Then the subscription is cancelled; otherwise it is past due."),
    )
    provider_customer_id = models.CharField(
        _("provider's ID of the store"), max_length=128, null=True, blank=True, unique=True
    )
    provider_subscription_id = models.CharField(
        _("provider's ID of the plan"), max_length=128, null=True, blank=True, unique=True
    )
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    class Meta:
        verbose_name = _("plan")
        verbose_name_plural = _("plans")
        constraints = [
            choice_constraint("plan_type", PlanType, "subscription_plan_type_known"),
            choice_constraint("interval", PlanInterval, "subscription_interval_known"),
            choice_constraint("currency", Currency, "subscription_currency_known"),
            models.CheckConstraint(
                condition=Q(
                    included_sms_per_period__gte=0, included_sms_per_period__lte=MAX_CREDITS
                ),
                name="subscription_included_bounds",
            ),
            models.CheckConstraint(
                condition=Q(current_period_start=None, current_period_end=None)
                | Q(
                    current_period_end__gt=models.F("current_period_start"),
                    paid_until__isnull=False,
                    billing_day__gte=1,
                    billing_day__lte=31,
                ),
                name="subscription_period_whole",
            ),
        ]

    def __str__(self) -> str:
        return gettext("plan %(name)s") % {"name": self.get_plan_type_display()}


class BillingProfile(models.Model):
    """To whom a store's invoices are made out."""

    owner = models.OneToOneField(settings.AUTH_USER_MODEL, models.PROTECT, verbose_name=_("store"))
    legal_name = ComposedCharField(_("legal name"), max_length=200)
    vat_number = models.CharField(
        _("VAT number"),
        max_length=32,
        blank=True,
        validators=[RegexValidator(r"^[A-Z]{2}[A-Z0-9]{2,14}\Z", _("Write it as EL123456789."))],
        help_text=_("With its country, such as EL123456789; empty: a private person."),
    )
    vat_number_checked = models.BooleanField(
        _("VAT number is valid by VIES"),
        default=False,
        help_text=_("Without this an invoice to another country of the EU has VAT."),
    )
    vat_country = models.CharField(
        _("country"),
        max_length=2,
        default="GR",
        validators=[RegexValidator(r"^[A-Z]{2}\Z", _("Write two capital letters, such as GR."))],
    )
    tax_exempt = models.BooleanField(_("exempt from VAT"), default=False)
    billing_email = models.EmailField(_("e-mail address for invoices"), blank=True)
    billing_address = ComposedTextField(_("address"), max_length=500)
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    class Meta:
        verbose_name = _("invoice recipient")
        verbose_name_plural = _("invoice recipients")

    def __str__(self) -> str:
        return gettext("invoice recipient of store %(number)s") % {"number": self.owner_id}


class InvoiceRecord(models.Model):
    """An invoice for a payment, or a credit note for what was returned of it; never changed.

    It holds the names and addresses as they were. Numbers of a year have no gap. A credit note's
    amounts are negative.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, verbose_name=_("store"))
    payment = models.ForeignKey(Payment, models.PROTECT, verbose_name=_("payment"))
    adjustment = models.OneToOneField(
        PaymentAdjustment,
        models.PROTECT,
        null=True,
        blank=True,
        verbose_name=_("refund or dispute"),
    )
    year = models.SmallIntegerField(_("year"))
    number = models.IntegerField(_("number"))
    issued_on = models.DateField(_("issued"))
    seller = models.TextField(_("seller"))
    buyer = models.TextField(_("buyer"))
    buyer_vat_number = models.CharField(_("buyer's VAT number"), max_length=32, blank=True)
    buyer_country = models.CharField(_("buyer's country"), max_length=2)
    currency = models.CharField(_("currency"), max_length=3, choices=Currency.choices)
    subtotal = models.BigIntegerField(_("cents without VAT"))
    tax = models.BigIntegerField(_("cents of VAT"))
    total = models.BigIntegerField(_("cents in total"))
    tax_rate = models.DecimalField(_("VAT in percent"), max_digits=4, decimal_places=2)
    tax_treatment = models.CharField(_("VAT"), max_length=16, choices=TaxTreatment.choices)
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("invoice")
        verbose_name_plural = _("invoices")
        constraints = [
            choice_constraint("tax_treatment", TaxTreatment, "invoicerecord_treatment_known"),
            models.CheckConstraint(
                condition=Q(total=models.F("subtotal") + models.F("tax")),
                name="invoicerecord_adds_up",
            ),
            models.UniqueConstraint(fields=["year", "number"], name="invoicerecord_number_once"),
            models.UniqueConstraint(
                fields=["payment"],
                condition=Q(adjustment=None),
                name="invoicerecord_once_per_payment",
            ),
        ]

    def __str__(self) -> str:
        return self.invoice_number

    @property
    def invoice_number(self) -> str:
        """The number as it is printed, such as `2026-00012`."""
        return f"{self.year}-{self.number:05}"


def money(cents: int, currency: str) -> str:
    """An amount as people read it, such as `EUR 1,200.50`."""
    sign = "–" if cents < 0 else ""
    return f"{sign}{currency} {abs(cents) // 100:,}.{abs(cents) % 100:02}"
