"""The welcome message: once per contact, when it is new (rules.md#welcome)."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from astronote.common.locks import advisory_lock
from campaigns.automations.due_messages import (
    DueContact,
    eligible_automations,
    enqueue_due_messages,
    find_due_contacts,
    set_block_reasons,
    text_problems_by_automation_id,
)
from campaigns.models import Automation, AutomationMessage, AutomationType
from contacts.models import Contact

OCCURRENCE_KEY = "welcome"
MAX_CONTACT_AGE = timedelta(days=1)


def enqueue_welcome_messages() -> dict[str, int]:
    """Enqueue messages to the contacts marked as awaiting a welcome, and remove the marks.

    The mark is removed with the message. It is also removed, without a message, where the store
    has no active welcome automation and where the contact is older than a day.

    Returns:
        Counts of messages, and of stores that could not pay; empty if nobody awaits a welcome or
        another process is doing this now.
    """
    with advisory_lock("welcome") as acquired:
        if not acquired or not Contact.objects.filter(awaits_welcome=True).exists():
            return {}
        automations = eligible_automations(AutomationType.WELCOME)
        problems = text_problems_by_automation_id(automations)
        sendable = [one for one in automations if one.id not in problems]
        due_contacts = find_due_contacts(sendable, "c.awaits_welcome", OCCURRENCE_KEY)
        result = enqueue_due_messages(
            AutomationMessage, due_contacts, after_write=_clear_awaits_welcome_of_written_contacts
        )
        set_block_reasons(Automation, automations, problems, result.credits_needed_by_store)
        active = Automation.objects.filter(
            owner=OuterRef("owner"), type=AutomationType.WELCOME, is_active=True
        )
        Contact.objects.filter(awaits_welcome=True).filter(
            ~Exists(active) | Q(created_at__lt=Now() - MAX_CONTACT_AGE)
        ).update(awaits_welcome=False)
        return {
            "messages": result.messages,
            "stores_without_credit": len(result.credits_needed_by_store),
        }


def _clear_awaits_welcome_of_written_contacts(written: list[DueContact]) -> None:
    Contact.objects.filter(pk__in=[row.contact_id for row in written]).update(awaits_welcome=False)
