"""Consent: who may be messaged, the one function that changes it, and the sending window.

The rules are in rules.md#consent, rules.md#opt-outs and rules.md#suppressions.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import OperationalError, transaction
from django.db.models import Q
from django.utils import timezone

from astronote.common.sql import execute
from contacts.models import (
    ConsentEvent,
    ConsentEventType,
    Contact,
    MessageType,
    SmsConsentStatus,
    Suppression,
)
from contacts.phones import phone_hash, phone_hashes, present_key_id

log = logging.getLogger(__name__)

# The column that holds the consent to each type of message.
CONSENT_COLUMN = {
    MessageType.MARKETING.value: "is_subscribed",
    MessageType.SERVICE.value: "service_allowed",
}
SENDING_LOCK = 0x5E4D  # first key of the advisory lock; the second is the store's id
OPT_OUT_MAX_WAIT_SECONDS = 90


def may_receive(message_type: str) -> Q:
    """Contacts that may receive messages of this type, as a condition on Contact."""
    return Q(phone__isnull=False, restricted_at=None, **{CONSENT_COLUMN[message_type]: True})


def suppressed_phones(owner_id: int, phones: Iterable[str]) -> set[str]:
    """Which of these numbers are suppressed at the store or at all stores.

    Args:
        owner_id: the store.
        phones: numbers in E.164.
    """
    return {phone for _, phone in suppressed_pairs((owner_id, phone) for phone in phones)}


def suppressed_pairs(pairs: Iterable[tuple[int, str]]) -> set[tuple[int, str]]:
    """Which of these (store id, number) pairs are suppressed; one query for many stores."""
    if not Suppression.objects.exists():
        return set()
    hashed_pairs = [
        (owner_id, phone, digest) for owner_id, phone in pairs for digest in phone_hashes(phone)
    ]
    suppressions = Suppression.objects.filter(
        Q(owner__in={owner_id for owner_id, *_ in hashed_pairs}) | Q(owner=None),
        phone_hash__in={digest for *_, digest in hashed_pairs},
    )
    suppressed = set(suppressions.values_list("owner", "phone_hash"))
    return {
        (owner_id, phone)
        for owner_id, phone, digest in hashed_pairs
        if (owner_id, digest) in suppressed or (None, digest) in suppressed
    }


def restricted_phones(owner_id: int, phones: Sequence[str]) -> set[str]:
    """Which of these numbers are those of restricted contacts of the store.

    Args:
        owner_id: the store.
        phones: numbers in E.164.
    """
    restricted = Contact.objects.filter(
        owner=owner_id, phone__in=phones, restricted_at__isnull=False
    )
    return {phone for phone in restricted.values_list("phone", flat=True) if phone}


@contextmanager
def sending_window(owner_id: int) -> Iterator[None]:
    """Hold the store's sending window open while consent is read and Mitto is called.

    An opt-out waits until all windows of its store are closed, so Mitto accepts no message after
    the opt-out was committed.
    """
    execute(OPEN_SENDING_WINDOW, [SENDING_LOCK, owner_id])
    try:
        yield
    finally:
        execute(CLOSE_SENDING_WINDOW, [SENDING_LOCK, owner_id])


# Locks of the database session, not of a transaction: no transaction is open during the call, and
# PostgreSQL releases the lock of a worker that dies.
OPEN_SENDING_WINDOW = "SELECT pg_advisory_lock_shared(%s, %s)"
CLOSE_SENDING_WINDOW = "SELECT pg_advisory_unlock_shared(%s, %s)"


def change_consent(
    contact_id: int,
    event: ConsentEventType,
    *,
    source: str,
    at: datetime | None = None,
    meta: dict[str, Any] | None = None,
) -> bool:
    """Change one contact's consent and write a consent event.

    A withdrawal first waits for the store's open sending windows, at most
    OPT_OUT_MAX_WAIT_SECONDS. An opt-out also writes the store's suppression, and a resubscription
    deletes it. Besides this function, an import writes first consents and opt-outs in bulk, and
    anonymising a contact ends its consent to marketing.

    Args:
        contact_id: the contact.
        event: the change. `subscribed` is for imports only.
        source: who or what changed it, such as `owner_update` or `inbound_stop`.
        at: when the person decided; a resubscription older than the opt-out changes nothing.
        meta: evidence, stored with the event.

    Returns:
        Whether anything changed.
    """
    at = at or timezone.now()
    with transaction.atomic():
        owner_id = Contact.objects.values_list("owner_id", flat=True).get(pk=contact_id)
        if event in (ConsentEventType.UNSUBSCRIBED, ConsentEventType.SERVICE_REVOKED):
            wait_for_open_sending_windows(owner_id)
        contact = Contact.objects.select_for_update().get(pk=contact_id)
        if contact.phone is None or not _set_consent_fields(contact, event, at):
            return False
        contact.sms_consent_at, contact.sms_consent_source = at, source
        contact.save()
        ConsentEvent.objects.create(
            owner_id=owner_id, contact=contact, type=event, source=source, meta=meta
        )
        if event == ConsentEventType.UNSUBSCRIBED:
            Suppression.objects.get_or_create(
                owner_id=owner_id, phone_hash=phone_hash(contact.phone), defaults={"reason": source}
            )
        elif event == ConsentEventType.RESUBSCRIBED:
            digests = phone_hashes(contact.phone)
            Suppression.objects.filter(owner_id=owner_id, phone_hash__in=digests).delete()
    return True


def suppress_opted_out_phones(owner_id: int, phones: Sequence[str], *, reason: str) -> None:
    """Suppress the numbers of people who said no, before their contacts are opted out.

    Called in a transaction that opts them out. If one of them is subscribed, it first waits for the
    store's open sending windows, as `change_consent` does.

    Args:
        owner_id: the store.
        phones: numbers in E.164.
        reason: stored with each new suppression.
    """
    known = Contact.objects.filter(owner=owner_id, phone__in=phones, is_subscribed=True)
    if known.exists():
        wait_for_open_sending_windows(owner_id)
    digests = sorted(map(phone_hash, phones))
    execute(SUPPRESS_PHONES, [owner_id, reason, present_key_id(), digests])


# The hashes are sorted, so two imports at once cannot deadlock on the unique index.
SUPPRESS_PHONES = """
    INSERT INTO contacts_suppression (owner_id, reason, key_id, phone_hash)
    SELECT %s::bigint, %s, %s, digest FROM unnest(%s::text[]) AS digest
    ON CONFLICT DO NOTHING
"""


def _set_consent_fields(contact: Contact, event: ConsentEventType, at: datetime) -> bool:
    """Set the fields that the event changes, without saving; return whether any changed."""
    match event:
        case ConsentEventType.UNSUBSCRIBED:
            if not contact.is_subscribed:
                return False
            contact.is_subscribed, contact.unsubscribed_at = False, at
            contact.sms_consent_status = SmsConsentStatus.OPTED_OUT
        case ConsentEventType.RESUBSCRIBED:
            if contact.is_subscribed or (contact.unsubscribed_at and at < contact.unsubscribed_at):
                return False
            contact.is_subscribed, contact.unsubscribed_at = True, None
            contact.sms_consent_status = SmsConsentStatus.OPTED_IN
        case ConsentEventType.SERVICE_ALLOWED | ConsentEventType.SERVICE_REVOKED:
            allowed = event == ConsentEventType.SERVICE_ALLOWED
            if contact.service_allowed == allowed:
                return False
            contact.service_allowed = allowed
    return True


def wait_for_open_sending_windows(owner_id: int) -> None:
    """Wait until no sending window of the store is open; none opens before we commit.

    Called in a transaction.

    Gives up after OPT_OUT_MAX_WAIT_SECONDS: the call of a stopped worker was made long ago and
    cannot be cancelled.
    """
    try:
        with transaction.atomic():
            execute(f"SET LOCAL lock_timeout = '{OPT_OUT_MAX_WAIT_SECONDS}s'")
            execute(LOCK_OUT_SENDING, [SENDING_LOCK, owner_id])
    except OperationalError:
        log.warning("store %s: a sending window was open too long; opting out anyway", owner_id)


# Exclusive, so it waits for the shared locks of all open windows; released at the commit.
LOCK_OUT_SENDING = "SELECT pg_advisory_xact_lock(%s, %s)"
