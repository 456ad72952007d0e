"""The welcome message: once per contact, when it is new (behaviours, rule 15)."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from campaigns import automatic
from campaigns.models import Automation, AutomationType
from contacts.locks import only_one
from contacts.models import Contact

KEY = "welcome"
NEW = timedelta(days=1)


def run() -> dict[str, int]:
    """Welcome the contacts that are marked as awaiting it; the mark goes with the message.

    It also goes, without a message, from contacts of stores that send no welcome and from those no
    longer new, such as where credits were missing.
    """
    with only_one("welcome") as mine:
        if not mine or not Contact.objects.filter(awaits_welcome=True).exists():
            return {}
        counts = automatic.send(automatic.find(DUE, KEY), KEY, also=_unmark)
        active = Automation.objects.filter(
            owner=OuterRef("owner"), type=AutomationType.WELCOME, is_active=True
        )
        Contact.objects.filter(awaits_welcome=True).filter(
            ~Exists(active) | Q(created_at__lt=timezone.now() - NEW)
        ).update(awaits_welcome=False)
        return counts


def _unmark(written: list[automatic.Due]) -> None:
    Contact.objects.filter(pk__in=[row.contact_id for row in written]).update(awaits_welcome=False)


# By the partial index on contacts that await it.
DUE = """
    c.awaits_welcome AND a.type = 'welcome_message' AND a.is_active
    AND NOT u.billing_hold AND u.subscription_status = 'active'
"""
