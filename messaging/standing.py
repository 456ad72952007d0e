"""Whether a store may send, and under which sender ID (behaviours, rules 33 and 39)."""

from __future__ import annotations

from typing import Any

from django.conf import settings


class Blocked(Exception):
    """Something cannot be sent now; the reason is a sentence for the operator."""


def check_store(owner: Any) -> str:
    """The sender ID of a store that may send.

    Raises:
        Blocked: if it may not, or has no sender ID.
    """
    if owner.billing_hold:
        raise Blocked(f"the store is on billing hold: {owner.billing_hold_reason or 'no reason'}")
    if owner.subscription_status != "active":
        raise Blocked(f"the store's subscription is {owner.subscription_status}")
    sender = owner.sender_name or settings.MITTO_SENDER
    if not sender:
        raise Blocked("the store has no sender ID: set its sender name, or MITTO_SENDER")
    return sender
