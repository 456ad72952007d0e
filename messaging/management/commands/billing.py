"""`manage.py billing`: record what a store pays and gets back, its plan, and its invoices."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from astronote.accounts.lookup import (
    get_operator_or_command_error,
    get_store_or_command_error,
)
from astronote.accounts.models import User
from astronote.common.command_times import time_or_day_argument
from astronote.common.store_clock import aware_in_zone_if_naive
from messaging.billing import adjustments, invoices, payments, profiles, subscriptions
from messaging.billing.low_balance import set_low_balance_alert
from messaging.billing.models import (
    AdjustmentType,
    Currency,
    InvoiceRecord,
    Package,
    Payment,
    PaymentAdjustment,
    PlanInterval,
    PlanType,
    Subscription,
    money,
)
from messaging.billing.payments import PROVIDER_IDS, BillingRefused
from messaging.credits import MAX_TOP_UP, get_or_create_wallet

MAX_DIGITS = 15  # before or after the point; more are no amount
By = User | str


def cents_of(text: str) -> int:
    """An amount such as 49 or 49.50 as cents.

    Raises:
        CommandError: if it is none.
    """
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or abs(amount.adjusted()) > MAX_DIGITS or amount * 100 % 1:
        raise CommandError(f"{text} is not an amount: write it as 49 or 49.50")
    return int(amount * 100)


class Command(BaseCommand):
    help = (
        "Record a store's purchase of a package, a payment of its plan, a refund or a dispute; give"
        " it a plan, an invoice recipient, an invoice or an alert on low credits; or show them."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=[*self.actions()])
        parser.add_argument("store", help="e-mail address or id")
        parser.add_argument("--key", default="", help="the same key records nothing twice")
        parser.add_argument("--package", help="purchase: its name")
        parser.add_argument("--amount", default="", help="such as 49.50: pay-plan, refund, dispute")
        parser.add_argument("--currency", default=Currency.EUR.value, choices=Currency.values)
        parser.add_argument(
            "--paid-at", type=time_or_day_argument, help="on the store's clock; default: now"
        )
        parser.add_argument(
            "--provider",
            action="append",
            default=[],
            metavar="NAME=ID",
            help=f"the provider's ID of the payment: {', '.join(PROVIDER_IDS)}; of a plan:"
            " customer, subscription; of a refund or dispute: its ID alone",
        )
        parser.add_argument("--payment", type=int, help="refund, dispute, invoice: its id")
        parser.add_argument("--dispute", type=int, help="dispute-won, dispute-lost: its id")
        parser.add_argument("--reason", default="", help="refund, dispute")
        parser.add_argument("--plan", choices=PlanType.values, default=PlanType.STARTER.value)
        parser.add_argument(
            "--interval", choices=PlanInterval.values, default=PlanInterval.MONTH.value
        )
        parser.add_argument(
            "--included", type=int, default=0, help="plan: credits included a month"
        )
        parser.add_argument(
            "--ends", action="store_true", help="plan: it is cancelled when its paid time ends"
        )
        parser.add_argument(
            "--set", action="append", default=[], metavar="FIELD=VALUE",
            help=f"invoice-recipient: {', '.join(profiles.FIELDS)}",
        )  # fmt: skip
        parser.add_argument(
            "--below", type=int, help="alert: credits; without it there is no alert any more"
        )
        parser.add_argument("--by", help="operator who does it")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def actions(self) -> dict[str, Callable[[User, By, dict[str, Any]], dict[str, Any]]]:
        """What the command does, by the word for it."""
        return {
            "show": self._show,
            "purchase": self._purchase,
            "plan": self._plan,
            "pay-plan": self._pay_plan,
            "refund": self._refund,
            "dispute": self._dispute,
            "dispute-won": self._close_dispute,
            "dispute-lost": self._close_dispute,
            "invoice-recipient": self._invoice_recipient,
            "invoice": self._invoice,
            "alert": self._alert,
        }

    def handle(self, *, action: str, store: str, by: str | None, **options: Any) -> None:
        owner = get_store_or_command_error(store)
        actor: By = get_operator_or_command_error(by) if by else "command line"
        options["action"] = action
        try:
            answer = self.actions()[action](owner, actor, options)
        except BillingRefused as problem:
            raise CommandError(str(problem)) from None
        except ValidationError as problem:
            raise CommandError("; ".join(problem.messages)) from None
        lines = "\n".join(f"{name}: {value}" for name, value in answer.items())
        self.stdout.write(json.dumps(answer) if options["json"] else lines)

    def _show(self, store: User, by: By, options: dict[str, Any]) -> dict[str, Any]:
        wallet = get_or_create_wallet(store.pk)
        plan = Subscription.objects.filter(owner=store).first()
        return {
            "available": wallet.available,
            "of the allowance": wallet.allowance_balance,
            "alert below": wallet.alert_below,
            "subscription": store.subscription_status,
            "plan": plan and plan.plan_type,
            "credits included a month": plan and plan.included_sms_per_period,
            "paid until": plan and plan.paid_until and plan.paid_until.isoformat(),
            "payments": Payment.objects.filter(owner=store).count(),
            "invoices": InvoiceRecord.objects.filter(owner=store).count(),
        }

    def _purchase(self, store: User, by: By, options: dict[str, Any]) -> dict[str, Any]:
        package = Package.objects.filter(name=options["package"] or "").first()
        if package is None:
            raise CommandError(f"no package has the name {options['package']!r}")
        payment = payments.record_purchase(
            store,
            package,
            key=options["key"],
            by=by,
            currency=options["currency"],
            paid_at=_on_store_clock(options["paid_at"], store),
            provider_ids=_provider_ids(options["provider"]),
        )
        return {**_describe_payment(payment), "credits": payment.credits}

    def _plan(self, store: User, by: By, options: dict[str, Any]) -> dict[str, Any]:
        ids = _provider_ids(options["provider"])
        if unknown := ids.keys() - {"customer", "subscription"}:
            raise CommandError(f"{', '.join(sorted(unknown))}: use customer or subscription")
        plan = subscriptions.give_plan(
            store,
            plan_type=options["plan"],
            interval=options["interval"],
            included=options["included"],
            currency=options["currency"],
            cancel_at_period_end=options["ends"],
            provider_customer_id=ids.get("customer"),
            provider_subscription_id=ids.get("subscription"),
            by=by,
        )
        return {"plan": plan.plan_type, "paid until": plan.paid_until and str(plan.paid_until)}

    def _pay_plan(self, store: User, by: By, options: dict[str, Any]) -> dict[str, Any]:
        payment = payments.record_plan_payment(
            store,
            cents_of(options["amount"]),
            key=options["key"],
            by=by,
            currency=options["currency"],
            paid_at=_on_store_clock(options["paid_at"], store),
            provider_ids=_provider_ids(options["provider"]),
        )
        return {**_describe_payment(payment), "paid until": str(payment.covers_until)}

    def _refund(self, store: User, by: By, options: dict[str, Any]) -> dict[str, Any]:
        return self._adjust(AdjustmentType.REFUND, store, by, options)

    def _dispute(self, store: User, by: By, options: dict[str, Any]) -> dict[str, Any]:
        return self._adjust(AdjustmentType.DISPUTE, store, by, options)

    def _adjust(
        self, kind: AdjustmentType, store: User, by: By, options: dict[str, Any]
    ) -> dict[str, Any]:
        adjustment = adjustments.record_adjustment(
            _payment_of(store, options["payment"]),
            kind,
            cents_of(options["amount"]),
            key=options["key"],
            by=by,
            reason=options["reason"],
            provider_id=next(iter(options["provider"]), ""),
        )
        return _describe_adjustment(adjustment)

    def _close_dispute(self, store: User, by: By, options: dict[str, Any]) -> dict[str, Any]:
        found = PaymentAdjustment.objects.filter(owner=store, pk=options["dispute"]).first()
        if found is None:
            raise CommandError(f"{store} has no dispute {options['dispute']}: give --dispute")
        is_won = options["action"] == "dispute-won"
        return _describe_adjustment(adjustments.close_dispute(found, is_won=is_won, by=by))

    def _invoice_recipient(self, store: User, by: By, options: dict[str, Any]) -> dict[str, Any]:
        values = dict(_split_pair(pair) for pair in options["set"])
        profile = profiles.set_invoice_recipient(store, values, by=by)
        return {name: getattr(profile, name) for name in profiles.FIELDS}

    def _invoice(self, store: User, by: By, options: dict[str, Any]) -> dict[str, Any]:
        invoice = invoices.issue_invoice(_payment_of(store, options["payment"]), by=by)
        return {
            "number": invoice.invoice_number,
            "total": money(invoice.total, invoice.currency),
            "of it VAT": money(invoice.tax, invoice.currency),
        }

    def _alert(self, store: User, by: By, options: dict[str, Any]) -> dict[str, Any]:
        below = options["below"]
        if below is not None and not 1 <= below <= MAX_TOP_UP:
            raise CommandError(f"an alert is below 1 to {MAX_TOP_UP:,} credits")
        set_low_balance_alert(store.pk, below, by=by)
        return {"alert below": below}


def _payment_of(store: User, payment_id: int | None) -> Payment:
    payment = Payment.objects.filter(owner=store, pk=payment_id or 0).first()
    if payment is None:
        raise CommandError(f"{store} has no payment {payment_id}: give its id with --payment")
    return payment


def _describe_payment(payment: Payment) -> dict[str, Any]:
    return {"payment": payment.pk, "amount": money(payment.amount, payment.currency)}


def _describe_adjustment(adjustment: PaymentAdjustment) -> dict[str, Any]:
    return {
        adjustment.type: adjustment.pk,
        "status": adjustment.status,
        "credits taken back": adjustment.credits_taken,
        "credits missing": adjustment.credits_missing,
        "months taken back": adjustment.months_taken,
    }


def _on_store_clock(at: datetime | None, store: User) -> datetime | None:
    return at and aware_in_zone_if_naive(at, store.timezone)


def _provider_ids(pairs: list[str]) -> dict[str, str]:
    return dict(_split_pair(pair) for pair in pairs)


def _split_pair(pair: str) -> tuple[str, str]:
    name, separator, value = pair.partition("=")
    if not separator:
        raise CommandError(f"{pair}: write NAME=VALUE")
    return name, value
