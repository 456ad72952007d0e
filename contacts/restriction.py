"""Restriction of a contact: its data is stored and not used (GDPR, article 18).

What it stops is in docs/rules.md#restriction. It is decided where contacts are read:
`consenting_unrestricted_contacts_q`, the check before the call, automations, imports and retention.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib.auth.models import AnonymousUser
from django.db import transaction

from astronote.accounts.models import User
from astronote.common import audit
from astronote.common.sql import database_now
from contacts.models import Contact
from contacts.phones import phone_hash
from contacts.sending_window import lock_out_sending_windows

RESTRICTED, LIFTED = "restricted", "restriction lifted"  # in the audit trail


def restrict_contact(contact_id: int, *, reason: str, by: User | AnonymousUser | str) -> bool:
    """Restrict a contact and write an audit entry.

    Waits for the store's open sending windows, so that no call begins with the contact in it.

    Args:
        contact_id: the contact.
        reason: why, such as `disputes the data`; stored with the contact alone.
        by: the account or program that does it.

    Returns:
        Whether it was not restricted before; if it was, nothing is changed.
    """
    with transaction.atomic():
        contact = Contact.objects.get(pk=contact_id)
        lock_out_sending_windows(contact.owner_id)
        changed = Contact.objects.filter(pk=contact_id, restricted_at=None).update(
            restricted_at=database_now(), restricted_reason=reason
        )
        if changed:
            _audit_with_phone_hash(RESTRICTED, contact, by)
    return bool(changed)


def lift_restriction(contact_id: int, *, by: User | AnonymousUser | str) -> bool:
    """End a contact's restriction and write an audit entry; return whether there was one.

    The person must be told before (GDPR, article 18(3)).
    """
    with transaction.atomic():
        restricted = Contact.objects.filter(pk=contact_id, restricted_at__isnull=False)
        changed = restricted.update(restricted_at=None, restricted_reason="")
        if changed:
            _audit_with_phone_hash(LIFTED, Contact.objects.get(pk=contact_id), by)
    return bool(changed)


def _audit_with_phone_hash(action: str, contact: Contact, by: User | AnonymousUser | str) -> None:
    """With the hash of the number, by which it is done again after a restore."""
    audit.write_entry(action, contact, by=by, person=phone_hash(contact.phone or ""))


def restricted_phones(owner_id: int, e164_phones: Sequence[str]) -> set[str]:
    """Which of these numbers are those of restricted contacts of the store.

    Args:
        owner_id: the store.
        e164_phones: numbers in E.164.
    """
    restricted = Contact.objects.filter(
        owner=owner_id, phone__in=e164_phones, restricted_at__isnull=False
    )
    return {phone for phone in restricted.values_list("phone", flat=True) if phone}
