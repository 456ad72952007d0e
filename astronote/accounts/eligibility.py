"""Whether a store may send, and under which sender ID (rules.md#eligibility).

`sender_of_store` answers for one store, with the reason if not;
`User.objects.eligible_to_send_annotated_with_sender()` selects many stores by the same rule.
"""

from __future__ import annotations

from django.conf import settings
from django.utils.formats import date_format
from django.utils.translation import gettext

from astronote.accounts.models import SubscriptionStatus, User


class SendingBlocked(Exception):
    """Something cannot be sent now; the message is a reason for the operator."""


def sender_of_store(store: User) -> str:
    """The sender ID of a store that may send.

    Raises:
        SendingBlocked: if the store may not send, or has no sender ID.
    """
    if store.left_at:
        raise SendingBlocked(
            gettext("the store left on %(left_at)s") % {"left_at": date_format(store.left_at)}
        )
    if store.billing_hold:
        reason = store.billing_hold_reason or gettext("no reason given")
        raise SendingBlocked(
            gettext("the store is on billing hold: %(reason)s") % {"reason": reason}
        )
    if store.subscription_status != SubscriptionStatus.ACTIVE:
        raise SendingBlocked(
            gettext("the store's subscription is %(subscription_status)s")
            % {"subscription_status": store.subscription_status}
        )
    sender = store.sender_name or settings.MITTO_SENDER
    if not sender:
        raise SendingBlocked(
            gettext("the store has no sender ID: set its sender name, or MITTO_SENDER")
        )
    return sender
