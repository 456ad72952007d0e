"""The alert on few credits: a store's threshold, and who has fallen below it.

It is told as all alerts are, by e-mail and to the webhook.
"""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.db.models import F
from django.urls import reverse
from django.utils.translation import ngettext

from astronote.accounts.models import User
from astronote.common import audit
from astronote.common.counts import format_count
from astronote.operations.registry import Notice
from messaging.credits import get_or_create_wallet
from messaging.models import Wallet


@transaction.atomic
def set_low_balance_alert(
    owner_id: int, below: int | None, *, by: User | AnonymousUser | str
) -> None:
    """Let alerts tell when fewer credits than so many are available; None: they do not."""
    get_or_create_wallet(owner_id)
    Wallet.objects.filter(owner_id=owner_id).update(alert_below=below)
    audit.write_entry("low-balance alert set", by=by, owner_id=owner_id, below=below)


def low_balance_notices() -> list[Notice]:
    """The stores that have fallen below the credits at which they want an alert.

    A notice tells of one store, so that each fall is told once and its end too.
    """
    low = Wallet.objects.filter(
        alert_below__gt=F("balance") - F("reserved_balance"), owner__left_at=None
    )
    return [
        Notice(
            ngettext(
                "%(store)s has %(count)s credit left, fewer than %(limit)s.",
                "%(store)s has %(count)s credits left, fewer than %(limit)s.",
                wallet.available,
            )
            % {
                "store": wallet.owner,
                "count": format_count(wallet.available),
                "limit": format_count(wallet.alert_below or 0),
            },
            reverse("admin:astronote_user_change", args=[wallet.owner_id]),
        )
        for wallet in low.select_related("owner").order_by("owner")
    ]
