"""Plans: months on the store's clock, their allowance, and the status that follows from payments.

A payment extends the paid time. At the end of each month a job begins the next one, if it is paid,
and the allowance with it; otherwise the subscription is past due, or cancelled if it was to end.
Rules: docs/rules.md#plans.
"""

from __future__ import annotations

import calendar
import uuid
from datetime import date, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.contrib.auth.models import AnonymousUser
from django.db import transaction

from astronote.accounts.models import SubscriptionStatus, User
from astronote.common import audit
from astronote.common.sql import database_now
from messaging import credits
from messaging.billing.models import PlanInterval, Subscription

NAME = "plans"  # in the audit trail
MONTHS_OF_INTERVAL = {PlanInterval.MONTH: 1, PlanInterval.YEAR: 12}
# The first zone to reach a day is 14 hours ahead of UTC.
FARTHEST_AHEAD = timedelta(hours=14)


class Period(NamedTuple):
    """Days from the first one to the one after the last."""

    start: date
    end: date


def add_months(day: date, months: int, billing_day: int) -> date:
    """The day so many months later on which a plan's month begins.

    It is the billing day, or the last day of a month that is shorter: from 31 January to 28
    February, and then to 31 March.
    """
    years, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(years, month + 1, min(billing_day, calendar.monthrange(years, month + 1)[1]))


def today_of(store: User) -> date:
    """The day on the store's clock."""
    return database_now().astimezone(ZoneInfo(store.timezone)).date()


def extend_paid_time(
    store: User, plan: Subscription, months: int, *, by: User | AnonymousUser | str
) -> Period:
    """Add months to a plan's paid time; begin the first of them now if none is going on.

    Call it with the store locked.

    Returns:
        The days that were added.
    """
    today = today_of(store)
    is_going_on = plan.current_period_end is not None
    first, billing_day = plan.paid_until, plan.billing_day
    if first is None or billing_day is None or (first < today and not is_going_on):
        # Nobody owes the days on which nothing could be sent.
        first, billing_day = today, today.day
    added = Period(first, add_months(first, months, billing_day))
    plan.billing_day, plan.paid_until = billing_day, added.end
    plan.save()
    if not is_going_on:
        _begin_month(store, plan, today)
    _set_status(store, SubscriptionStatus.ACTIVE, by=by)
    return added


def take_back_paid_time(
    store: User, plan: Subscription, paid: Period, *, by: User | AnonymousUser | str
) -> int:
    """Take away the time that a payment paid, as all of its money was returned.

    Time that has passed is not taken away. If the present month is then not paid, it ends now, with
    its allowance. Call it with the store locked.

    Returns:
        The months that were taken away.
    """
    if plan.paid_until is None or plan.current_period_start is None or plan.billing_day is None:
        return 0
    if paid.end <= plan.current_period_start:
        return 0
    months = (paid.end.year - paid.start.year) * 12 + paid.end.month - paid.start.month
    plan.paid_until = add_months(plan.paid_until, -months, plan.billing_day)
    if plan.paid_until <= plan.current_period_start:
        plan.paid_until = plan.current_period_start
        _end_plan(store, plan, by=by)
    plan.save()
    return months


def begin_due_months() -> dict[str, int]:
    """Begin the next month of every plan whose month has ended, or end what is not paid.

    It may run twice, late or in two processes: a month begins once.

    Returns:
        How many months began, and how many plans ended.
    """
    counts = {"began": 0, "ended": 0}
    latest_local_day = (database_now() + FARTHEST_AHEAD).date()
    due = Subscription.objects.filter(current_period_end__lte=latest_local_day)
    for store_id in list(due.order_by("owner").values_list("owner", flat=True)):
        with transaction.atomic():
            store = User.objects.select_for_update(no_key=True).get(pk=store_id)
            plan = Subscription.objects.get(owner=store)
            while plan.current_period_end and plan.current_period_end <= today_of(store):
                is_paid = plan.paid_until and plan.paid_until > plan.current_period_end
                if is_paid and store.left_at is None:
                    _begin_month(store, plan, plan.current_period_end)
                    counts["began"] += 1
                else:
                    _end_plan(store, plan, by=NAME)
                    counts["ended"] += 1
    return counts


def _begin_month(store: User, plan: Subscription, first_day: date) -> None:
    """Let the old allowance go and grant the new one."""
    if plan.billing_day is None:
        raise ValueError(f"plan {plan.pk} has no billing day")
    _expire_allowance(store, plan)
    plan.current_period_start = first_day
    plan.current_period_end = add_months(first_day, 1, plan.billing_day)
    plan.save()
    # The plan's dates, changed under the store's lock, make it happen once. A month that a refund
    # has ended may begin on the same day again, so the day is no key.
    key = f"allowance:{uuid.uuid4()}"
    if plan.included_sms_per_period:
        credits.grant_allowance(
            store.pk,
            plan.included_sms_per_period,
            reason=f"allowance of the month from {first_day}",
            key=key,
        )
    audit.write_entry(
        "plan's month began",
        plan,
        by=NAME,
        first_day=first_day.isoformat(),
        credits=plan.included_sms_per_period,
    )


def _end_plan(store: User, plan: Subscription, *, by: User | AnonymousUser | str) -> None:
    """No month goes on: the allowance ends, and nothing is sent until a payment is recorded.

    A status that an operator gave, such as paused, stays.
    """
    _expire_allowance(store, plan)
    plan.current_period_start = plan.current_period_end = None
    plan.save()
    ends = plan.cancel_at_period_end
    if store.subscription_status in (SubscriptionStatus.ACTIVE, SubscriptionStatus.TRIALING):
        status = SubscriptionStatus.CANCELLED if ends else SubscriptionStatus.PAST_DUE
        _set_status(store, status, by=by)


def _expire_allowance(store: User, plan: Subscription) -> None:
    key = f"expiry:{uuid.uuid4()}"
    reason = f"allowance of the month from {plan.current_period_start} not used"
    if plan.current_period_start is None:
        reason = "allowance of an earlier month not used"
    if expired := credits.expire_allowance(store.pk, reason=reason, key=key):
        audit.write_entry("allowance expired", plan, by=NAME, credits=expired)


def _set_status(store: User, status: SubscriptionStatus, *, by: User | AnonymousUser | str) -> None:
    if store.subscription_status == status:
        return
    before = store.subscription_status
    store.subscription_status = status
    store.save(update_fields=["subscription_status"])
    audit.write_entry(
        "subscription status changed",
        store,
        by=by,
        owner_id=store.pk,
        status=status.value,
        before=before,
    )


def give_plan(
    store: User,
    *,
    plan_type: str,
    interval: str,
    included: int,
    by: User | AnonymousUser | str,
    currency: str = "EUR",
    cancel_at_period_end: bool = False,
    provider_customer_id: str | None = None,
    provider_subscription_id: str | None = None,
) -> Subscription:
    """Give a store a plan, or change its plan from the next month on; a payment begins it.

    Args:
        store: the store.
        plan_type: a value of PlanType.
        interval: a value of PlanInterval: what one payment pays.
        included: credits included a month.
        by: the account or program that gives it.
        currency: in which it is paid.
        cancel_at_period_end: it is cancelled, and not past due, when its paid time ends.
        provider_customer_id: the provider's ID of the store; None: as it is.
        provider_subscription_id: the provider's ID of the plan; None: as it is.

    Raises:
        ValidationError: if a value is not one of the plan's, or another store has the ID.
    """
    with transaction.atomic():
        locked = User.objects.select_for_update(no_key=True).get(pk=store.pk, is_staff=False)
        plan = Subscription.objects.filter(owner=locked).first() or Subscription(owner=locked)
        plan.plan_type, plan.interval, plan.currency = plan_type, interval, currency
        plan.included_sms_per_period = included
        plan.cancel_at_period_end = cancel_at_period_end
        plan.provider_customer_id = provider_customer_id or plan.provider_customer_id
        plan.provider_subscription_id = provider_subscription_id or plan.provider_subscription_id
        plan.full_clean()
        plan.save()
        audit.write_entry(
            "plan set",
            plan,
            by=by,
            plan=plan_type,
            interval=interval,
            currency=currency,
            credits=included,
            ends=cancel_at_period_end,
        )
    return plan
