"""Recording what stores have paid: packages of credits, and time of a plan.

Nothing here calls a payment provider: an operator or a command records what it has taken. Rules:
docs/rules.md#money.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.utils.translation import gettext

from astronote.accounts.models import User
from astronote.common import audit
from astronote.common.sql import database_now
from astronote.common.times import EARLIEST_BELIEVED_TIME
from messaging import credits
from messaging.billing import subscriptions
from messaging.billing.models import (
    MAX_CENTS,
    Currency,
    Package,
    Payment,
    PaymentKind,
    PlanInterval,
    Subscription,
    money,
)

# By these names a caller gives the IDs that the provider has for a payment.
PROVIDER_IDS = ("session", "payment_intent", "charge", "invoice", "customer", "price")
MAX_ID_LENGTH = 128
MAX_CLOCK_ADVANCE = timedelta(minutes=5)


class BillingRefused(Exception):
    """Money cannot be recorded so; the message says why and what to do."""


def lock_store(store_id: int) -> User:
    """The store, locked until the transaction ends, so that its money changes one at a time.

    Sending does not wait for this lock.
    """
    stores = User.objects.select_for_update(no_key=True)
    store: User = stores.get(pk=store_id, is_staff=False)
    return store


def require_key(key: str) -> str:
    """The idempotency key without blanks around it.

    Raises:
        BillingRefused: if it is empty or too long.
    """
    key = key.strip()
    if not 1 <= len(key) <= MAX_ID_LENGTH:
        raise BillingRefused(
            gettext(
                "give a key of 1 to %(limit)s characters, such as the number of the"
                " receipt: the same payment is then recorded once"
            )
            % {"limit": MAX_ID_LENGTH}
        )
    return key


@transaction.atomic
def record_purchase(
    store: User,
    package: Package,
    *,
    key: str,
    by: User | AnonymousUser | str,
    currency: str = Currency.EUR,
    paid_at: datetime | None = None,
    provider_ids: Mapping[str, str] | None = None,
) -> Payment:
    """Record that a store has paid a package, and add its credits to the wallet.

    Args:
        store: who paid.
        package: what was paid, at its price.
        key: the same key records nothing the second time and returns the first payment.
        by: the account or program that records it.
        currency: in which it was paid.
        paid_at: when; None: now.
        provider_ids: the provider's IDs by their names in PROVIDER_IDS.

    Raises:
        BillingRefused: if the key has recorded something else, the package is not sold (in this
            currency), the store has left, or a value makes no sense.
    """
    locked, key, currency = lock_store(store.pk), require_key(key), _require_currency(currency)
    same = {"kind": PaymentKind.TOP_UP, "package_id": package.pk, "currency": currency}
    if earlier := _find_payment_of_key(locked, key, same):
        return earlier
    if locked.left_at is not None:
        raise BillingRefused(
            gettext("%(store)s has left: nothing is sold to it") % {"store": locked}
        )
    package = Package.objects.get(pk=package.pk)
    price = package.price_in(currency)
    if not package.is_active:
        raise BillingRefused(
            gettext("the package %(name)s is not sold any more") % {"name": package.name}
        )
    if price is None:
        raise BillingRefused(
            gettext("the package %(name)s has no price in %(currency)s")
            % {"name": package.name, "currency": currency}
        )
    payment = _create_payment(
        locked,
        key,
        {**same, "amount": price, "credits": package.credits},
        paid_at=paid_at,
        provider_ids=provider_ids,
    )
    credits.top_up(
        locked.pk,
        package.credits,
        reason=f"package {package.name}",
        key=f"payment:{payment.pk}",
    )
    audit.write_entry(
        "purchase recorded",
        payment,
        by=by,
        credits=payment.credits,
        amount=payment.amount,
        currency=currency,
    )
    return payment


@transaction.atomic
def record_plan_payment(
    store: User,
    amount: int,
    *,
    key: str,
    by: User | AnonymousUser | str,
    currency: str = Currency.EUR,
    paid_at: datetime | None = None,
    provider_ids: Mapping[str, str] | None = None,
) -> Payment:
    """Record that a store has paid its plan for a month or a year, by the plan's interval.

    The paid time grows by so much. If the plan was not paid until now, its month begins today, the
    allowance is granted, and the subscription is active.

    Args:
        store: who paid.
        amount: cents.
        key: the same key records nothing the second time and returns the first payment.
        by: the account or program that records it.
        currency: in which it was paid: that of the plan.
        paid_at: when; None: now.
        provider_ids: the provider's IDs by their names in PROVIDER_IDS.

    Raises:
        BillingRefused: if the key has recorded something else, the store has no plan or has left,
            the currency is not the plan's, or a value makes no sense.
    """
    locked, key, currency = lock_store(store.pk), require_key(key), _require_currency(currency)
    if not 1 <= amount <= MAX_CENTS:
        raise BillingRefused(
            gettext("a payment is from %(least)s to %(most)s")
            % {"least": money(1, currency), "most": money(MAX_CENTS, currency)}
        )
    same = {"package_id": None, "amount": amount, "currency": currency}
    if earlier := _find_payment_of_key(locked, key, same):
        return earlier
    plan = Subscription.objects.filter(owner=locked).first()
    if plan is None:
        raise BillingRefused(
            gettext("%(store)s has no plan: give it one first") % {"store": locked}
        )
    if plan.currency != currency:
        raise BillingRefused(
            gettext("the plan of %(store)s is paid in %(currency)s, not in %(other)s")
            % {"store": locked, "currency": plan.currency, "other": currency}
        )
    months = subscriptions.MONTHS_OF_INTERVAL[PlanInterval(plan.interval)]
    if locked.left_at is not None:
        raise BillingRefused(
            gettext("%(store)s has left: nothing is sold to it") % {"store": locked}
        )
    covers = subscriptions.extend_paid_time(locked, plan, months, by=by)
    is_yearly = plan.interval == PlanInterval.YEAR
    kind = PaymentKind.YEARLY if is_yearly else PaymentKind.MONTHLY
    payment = _create_payment(
        locked,
        key,
        {
            **same,
            "kind": kind,
            "plan_type": plan.plan_type,
            "covers_from": covers.start,
            "covers_until": covers.end,
        },
        paid_at=paid_at,
        provider_ids=provider_ids,
    )
    audit.write_entry(
        "plan payment recorded",
        payment,
        by=by,
        amount=amount,
        currency=currency,
        paid_until=covers.end.isoformat(),
    )
    return payment


def _require_currency(currency: str) -> str:
    currency = currency.strip().upper()
    if currency not in Currency.values:
        raise BillingRefused(
            gettext("%(currency)s is not a currency here: %(currencies)s")
            % {"currency": currency, "currencies": ", ".join(Currency.values)}
        )
    return currency


def _find_payment_of_key(store: User, key: str, same: Mapping[str, Any]) -> Payment | None:
    """The payment that this key has recorded, if it has."""
    earlier = Payment.objects.filter(owner=store, idempotency_key=key).first()
    if earlier and any(getattr(earlier, name) != value for name, value in same.items()):
        what = earlier.package or gettext("a %(kind)s") % {"kind": earlier.get_kind_display()}
        raise BillingRefused(
            gettext(
                "the key %(key)s has recorded another payment: %(what)s for %(amount)s; use"
                " another key for this one"
            )
            % {"key": key, "what": what, "amount": money(earlier.amount, earlier.currency)}
        )
    return earlier


def _create_payment(
    store: User,
    key: str,
    fields: Mapping[str, Any],
    *,
    paid_at: datetime | None,
    provider_ids: Mapping[str, str] | None,
) -> Payment:
    now = database_now()
    paid_at = paid_at or now
    if not EARLIEST_BELIEVED_TIME <= paid_at <= now + MAX_CLOCK_ADVANCE:
        raise BillingRefused(
            gettext("a payment is recorded once it was made: its time is in the future")
        )
    ids = _provider_columns(provider_ids or {})
    unique = ("provider_session_id", "provider_payment_intent_id", "provider_invoice_id")
    for column in unique:
        known = Payment.objects.filter(**{column: ids[column]}) if column in ids else None
        if known and (earlier := known.first()):
            raise BillingRefused(
                gettext(
                    "payment %(number)s of store %(store)s has this %(column)s already: it was"
                    " recorded with another key"
                )
                % {"number": earlier.pk, "store": earlier.owner_id, "column": column}
            )
    return Payment.objects.create(
        owner=store, idempotency_key=key, paid_at=paid_at, **fields, **ids
    )


def _provider_columns(provider_ids: Mapping[str, str]) -> dict[str, str]:
    if unknown := provider_ids.keys() - set(PROVIDER_IDS):
        raise BillingRefused(
            gettext("%(unknown)s: use one of %(known)s")
            % {"unknown": ", ".join(sorted(unknown)), "known": ", ".join(PROVIDER_IDS)}
        )
    columns = {f"provider_{name}_id": value.strip() for name, value in provider_ids.items()}
    if any(not 1 <= len(value) <= MAX_ID_LENGTH for value in columns.values()):
        raise BillingRefused(
            gettext("an ID of the provider has 1 to %(limit)s characters")
            % {"limit": MAX_ID_LENGTH}
        )
    return columns
