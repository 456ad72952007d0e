"""Whether a store may send, and under which sender ID (rules.md#eligibility).

`own_or_default_sender_or_raise_sending_blocked` answers for one store, with the reason if not;
`User.objects.eligible_to_send_annotated_with_sender()` selects many stores by the same rule.
"""

from __future__ import annotations

from django.conf import settings

from astronote.accounts.models import SubscriptionStatus, User


class SendingBlocked(Exception):
    """Something cannot be sent now; the message is a reason for the operator."""


def own_or_default_sender_or_raise_sending_blocked(store: User) -> str:
    """The sender ID of a store that may send.

    Raises:
        SendingBlocked: if the store may not send, or has no sender ID.
    """
    if store.left_at:
        raise SendingBlocked(f"the store left on {store.left_at:%Y-%m-%d}")
    if store.billing_hold:
        reason = store.billing_hold_reason or "no reason given"
        raise SendingBlocked(f"the store is on billing hold: {reason}")
    if store.subscription_status != SubscriptionStatus.ACTIVE:
        raise SendingBlocked(f"the store's subscription is {store.subscription_status}")
    sender = store.sender_name or settings.MITTO_SENDER
    if not sender:
        raise SendingBlocked("the store has no sender ID: set its sender name, or MITTO_SENDER")
    return sender
