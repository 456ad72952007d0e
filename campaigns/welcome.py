"""The welcome message: once per contact, when it is new (behaviours, rule 15)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection
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
        counts = automatic.send(_due(), KEY, also=_unmark)
        active = Automation.objects.filter(
            owner=OuterRef("owner"), type=AutomationType.WELCOME, is_active=True
        )
        Contact.objects.filter(awaits_welcome=True).filter(
            ~Exists(active) | Q(created_at__lt=timezone.now() - NEW)
        ).update(awaits_welcome=False)
        return counts


def _unmark(written: list[automatic.Due]) -> None:
    Contact.objects.filter(pk__in=[row.contact_id for row in written]).update(awaits_welcome=False)


def _due() -> Iterator[automatic.Due]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(
            DUE.format(users=get_user_model()._meta.db_table),
            [settings.MITTO_SENDER, settings.MITTO_SENDER, KEY],
        )
        while rows := cursor.fetchmany(automatic.CHUNK):
            yield from (automatic.Due(*row) for row in rows)


# By the partial index on contacts that await it.
DUE = """
    SELECT a.owner_id, a.id, a.message_body, a.message_type,
        COALESCE(NULLIF(u.sender_name, ''), %s),
        c.id, c.phone, c.first_name, c.last_name, c.email
    FROM contacts_contact c
    JOIN campaigns_automation a ON a.owner_id = c.owner_id AND a.type = 'welcome_message'
    JOIN {users} u ON u.id = a.owner_id
    WHERE c.awaits_welcome AND c.phone IS NOT NULL AND a.is_active
        AND NOT u.billing_hold AND u.subscription_status = 'active'
        AND CASE a.message_type WHEN 'marketing' THEN c.is_subscribed ELSE c.service_allowed END
        AND COALESCE(NULLIF(u.sender_name, ''), %s) <> ''
        AND NOT EXISTS (
            SELECT FROM campaigns_automationmessage m
            WHERE m.automation_id = a.id AND m.contact_id = c.id AND m.occurrence_key = %s)
    ORDER BY a.id, c.id
"""
