"""Refunds and disputes: money of a payment that is returned, and the credits that go back for it.

Credits are taken back in the share of the payment that was returned, as far as they are neither
spent nor held. Rules: docs/rules.md#refunds-and-disputes.
"""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.db.models import QuerySet, Sum
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from astronote.accounts.models import User
from astronote.common import audit
from messaging import credits
from messaging.billing import invoices, subscriptions
from messaging.billing.models import (
    AdjustmentStatus,
    AdjustmentType,
    Payment,
    PaymentAdjustment,
    Subscription,
    money,
)
from messaging.billing.payments import BillingRefused, lock_store, require_key

MAX_REASON_LENGTH = 255
_STATUS_WORDS = {
    AdjustmentStatus.DONE: _("done"),
    AdjustmentStatus.OPEN: _("open"),
    AdjustmentStatus.WON: _("won"),
    AdjustmentStatus.LOST: _("lost"),
}


def returned_cents(payment: Payment) -> int:
    """Cents of a payment that were refunded, or that a bank has taken."""
    return int(_counted_adjustments(payment).aggregate(cents=Sum("amount", default=0))["cents"])


@transaction.atomic
def record_adjustment(
    payment: Payment,
    adjustment_type: AdjustmentType,
    amount: int,
    *,
    key: str,
    by: User | AnonymousUser | str,
    reason: str = "",
    provider_id: str = "",
) -> PaymentAdjustment:
    """Record that money of a payment was refunded, or that a bank has taken it in a dispute.

    Takes the credits back as far as they are there: `credits_missing` of the result says how many
    were not. If nothing of a plan's payment is left, its time is taken back. If the payment has an
    invoice, a credit note is issued.

    Args:
        payment: the payment.
        adjustment_type: refund, or a dispute, which is open until it is decided.
        amount: cents.
        key: the same key records nothing the second time and returns the first adjustment.
        by: the account or program that records it.
        reason: why, for people.
        provider_id: the provider's ID of the refund or dispute.

    Raises:
        BillingRefused: if more would be returned than was paid, or the key or the provider's ID has
            recorded something else.
    """
    store, key, reason = lock_store(payment.owner_id), require_key(key), " ".join(reason.split())
    adjustments = PaymentAdjustment.objects.filter(owner=store)
    if earlier := adjustments.filter(idempotency_key=key).first():
        same = (earlier.payment_id, earlier.type, earlier.amount)
        if same != (payment.pk, adjustment_type, amount):
            raise BillingRefused(
                gettext(
                    "the key %(key)s has recorded another one: a %(type)s of %(amount)s of"
                    " payment %(payment)s; use another key for this one"
                )
                % {
                    "key": key,
                    "type": earlier.get_type_display(),
                    "amount": money(earlier.amount, payment.currency),
                    "payment": earlier.payment_id,
                }
            )
        return earlier
    before = returned_cents(payment)
    left = payment.amount - before
    if not 1 <= amount <= left:
        raise BillingRefused(
            gettext("%(amount)s cannot be returned: %(left)s of %(paid)s is left")
            % {
                "amount": money(amount, payment.currency),
                "left": money(left, payment.currency),
                "paid": money(payment.amount, payment.currency),
            }
        )
    if len(reason) > MAX_REASON_LENGTH or len(provider_id) > MAX_REASON_LENGTH // 2:
        raise BillingRefused(
            gettext("a reason has at most %(limit)s characters") % {"limit": MAX_REASON_LENGTH}
        )
    if provider_id and (other := _with_provider_id(provider_id)):
        raise BillingRefused(
            gettext("%(id)s is recorded already, as %(name)s") % {"id": provider_id, "name": other}
        )
    is_dispute = adjustment_type == AdjustmentType.DISPUTE
    due = _credits_due(payment, before + amount)
    adjustment = PaymentAdjustment.objects.create(
        owner=store,
        payment=payment,
        type=adjustment_type,
        status=AdjustmentStatus.OPEN if is_dispute else AdjustmentStatus.DONE,
        amount=amount,
        credits_due=due,
        reason=reason,
        idempotency_key=key,
        provider_id=provider_id or None,
    )
    adjustment.credits_taken = credits.take_back_credits(
        store.pk,
        due,
        reason=f"{adjustment_type} of payment {payment.pk}",
        key=f"adjustment:{adjustment.pk}",
    )
    if amount == left:
        adjustment.months_taken = _take_back_plans_time(store, payment, by=by)
    adjustment.save(update_fields=["credits_taken", "months_taken"])
    if not is_dispute:
        invoices.issue_credit_note_if_invoiced(adjustment, by=by)
    audit.write_entry(
        f"{adjustment_type} recorded",
        adjustment,
        by=by,
        amount=amount,
        currency=payment.currency,
        credits_taken=adjustment.credits_taken,
        credits_missing=adjustment.credits_missing,
    )
    return adjustment


@transaction.atomic
def close_dispute(
    adjustment: PaymentAdjustment, *, is_won: bool, by: User | AnonymousUser | str
) -> PaymentAdjustment:
    """Record how the bank decided; of a dispute that was won, credits and time are given again.

    Raises:
        BillingRefused: if it is no dispute, or was decided already in the other way.
    """
    store = lock_store(adjustment.owner_id)
    adjustment = PaymentAdjustment.objects.select_related("payment").get(pk=adjustment.pk)
    status = AdjustmentStatus.WON if is_won else AdjustmentStatus.LOST
    if adjustment.status == status:
        return adjustment
    if adjustment.status != AdjustmentStatus.OPEN:
        raise BillingRefused(
            gettext("this %(type)s is %(status)s already")
            % {
                "type": adjustment.get_type_display(),
                "status": _STATUS_WORDS[AdjustmentStatus(adjustment.status)],
            }
        )
    payment = adjustment.payment
    adjustment.status = status
    adjustment.save(update_fields=["status"])
    if is_won and adjustment.credits_taken:
        credits.top_up(
            store.pk,
            adjustment.credits_taken,
            reason=f"dispute of payment {payment.pk} won",
            key=f"adjustment:{adjustment.pk}:won",
        )
    if is_won:
        _give_back_plans_time(store, payment, by=by)
    if not is_won:
        invoices.issue_credit_note_if_invoiced(adjustment, by=by)
    audit.write_entry(
        f"dispute {status}", adjustment, by=by, credits=adjustment.credits_taken if is_won else 0
    )
    return adjustment


def _counted_adjustments(payment: Payment) -> QuerySet[PaymentAdjustment]:
    """Those whose money is not ours: all but disputes that were won."""
    return PaymentAdjustment.objects.filter(payment=payment).exclude(status=AdjustmentStatus.WON)


def _credits_due(payment: Payment, returned: int) -> int:
    """The credits that go back for all that was returned, less those of earlier adjustments."""
    earlier = _counted_adjustments(payment).aggregate(due=Sum("credits_due", default=0))["due"]
    return max(payment.credits * returned // payment.amount - int(earlier), 0)


def _with_provider_id(provider_id: str) -> PaymentAdjustment | None:
    return PaymentAdjustment.objects.filter(provider_id=provider_id).first()


def _take_back_plans_time(store: User, payment: Payment, *, by: User | AnonymousUser | str) -> int:
    """Take back the plan's time that a payment paid; return how many months."""
    plan = Subscription.objects.filter(owner=store).first()
    if plan is None or payment.covers_from is None or payment.covers_until is None:
        return 0
    paid = subscriptions.Period(payment.covers_from, payment.covers_until)
    return subscriptions.take_back_paid_time(store, plan, paid, by=by)


def _give_back_plans_time(store: User, payment: Payment, *, by: User | AnonymousUser | str) -> None:
    """Give the months again that were taken back for all of a payment's adjustments."""
    taken = PaymentAdjustment.objects.filter(payment=payment, months_taken__gt=0)
    months = taken.aggregate(months=Sum("months_taken", default=0))["months"]
    plan = Subscription.objects.filter(owner=store).first()
    if months and plan and store.left_at is None:
        subscriptions.extend_paid_time(store, plan, months, by=by)
        taken.update(months_taken=0)
