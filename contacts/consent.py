"""Who may be messaged, and the one function that changes it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import OperationalError, connection, transaction
from django.db.models import Q
from django.utils import timezone

from contacts.models import ConsentEvent, ConsentEventType, Contact, MessageType, Suppression
from contacts.phones import phone_hash

log = logging.getLogger(__name__)

# The column that holds the consent to each type of message.
CONSENT_COLUMN = {
    MessageType.MARKETING.value: "is_subscribed",
    MessageType.SERVICE.value: "service_allowed",
}
SENDING_LOCK = 0x5E4D  # first key of the advisory lock; the second is the store's id
LONGEST_CALL_SECONDS = 90


def reachable(message_type: str) -> Q:
    """Contacts that may get this type of message, as a condition on Contact."""
    return Q(phone__isnull=False, **{CONSENT_COLUMN[message_type]: True})


def suppressed(owner_id: int, phones: Iterable[str]) -> set[str]:
    """Which of these numbers the store, or all stores, must not market to."""
    return {phone for _, phone in suppressed_pairs((owner_id, phone) for phone in phones)}


def suppressed_pairs(pairs: Iterable[tuple[int, str]]) -> set[tuple[int, str]]:
    """Which of these (store, number) must not be marketed to, for many stores at once."""
    if not Suppression.objects.exists():
        return set()
    hashed = [(owner_id, phone, phone_hash(phone)) for owner_id, phone in pairs]
    entries = Suppression.objects.filter(
        Q(owner__in={owner_id for owner_id, *_ in hashed}) | Q(owner=None),
        phone_hash__in={digest for *_, digest in hashed},
    )
    found = set(entries.values_list("owner", "phone_hash"))
    return {
        (owner_id, phone)
        for owner_id, phone, digest in hashed
        if (owner_id, digest) in found or (None, digest) in found
    }


@contextmanager
def sending_window(owner_id: int) -> Iterator[None]:
    """Hold while consent is read and the provider is called.

    An opt-out waits until the window of its store is shut, so no message is accepted after the
    opt-out was committed. It is a lock of the database session, not of a transaction: none is
    open during the call, and it goes with the worker that dies.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock_shared(%s, %s)", [SENDING_LOCK, owner_id])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock_shared(%s, %s)", [SENDING_LOCK, owner_id])


def change_consent(
    contact_id: int,
    event: ConsentEventType,
    *,
    source: str,
    at: datetime | None = None,
    meta: dict[str, Any] | None = None,
) -> bool:
    """Change one contact's consent and record how; the only place that does.

    Args:
        source: who or what changed it, such as `owner_update` or `inbound_stop`.
        at: when the person decided; a resubscription older than the opt-out changes nothing.
        meta: evidence, kept with the event.

    Returns:
        Whether anything changed.
    """
    at = at or timezone.now()
    with transaction.atomic():
        owner_id = Contact.objects.values_list("owner_id", flat=True).get(pk=contact_id)
        if event in (ConsentEventType.UNSUBSCRIBED, ConsentEventType.SERVICE_REVOKED):
            _wait_for_calls_under_way(owner_id)
        contact = Contact.objects.select_for_update().get(pk=contact_id)
        if not _apply(contact, event, at):
            return False
        contact.sms_consent_at, contact.sms_consent_source = at, source
        contact.save()
        ConsentEvent.objects.create(
            owner_id=owner_id, contact=contact, type=event, source=source, meta=meta
        )
        if event == ConsentEventType.UNSUBSCRIBED:
            Suppression.objects.get_or_create(
                owner_id=owner_id,
                phone_hash=phone_hash(contact.phone),
                defaults={"reason": source},
            )
        elif event == ConsentEventType.RESUBSCRIBED:
            Suppression.objects.filter(
                owner_id=owner_id, phone_hash=phone_hash(contact.phone)
            ).delete()
    return True


def _apply(contact: Contact, event: ConsentEventType, at: datetime) -> bool:
    if contact.phone is None:
        return False
    match event:
        case ConsentEventType.UNSUBSCRIBED:
            if not contact.is_subscribed:
                return False
            contact.is_subscribed, contact.unsubscribed_at = False, at
            contact.sms_consent_status = "opted_out"
        case ConsentEventType.RESUBSCRIBED:
            if contact.is_subscribed or (contact.unsubscribed_at and at < contact.unsubscribed_at):
                return False
            contact.is_subscribed, contact.unsubscribed_at = True, None
            contact.sms_consent_status = "opted_in"
        case ConsentEventType.SERVICE_ALLOWED | ConsentEventType.SERVICE_REVOKED:
            allowed = event == ConsentEventType.SERVICE_ALLOWED
            if contact.service_allowed == allowed:
                return False
            contact.service_allowed = allowed
    return True


def _wait_for_calls_under_way(owner_id: int) -> None:
    """Wait until no call of this store is under way, and let none begin before we commit."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{LONGEST_CALL_SECONDS}s'")
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [SENDING_LOCK, owner_id])
    except OperationalError:
        # A stopped worker keeps its window; its call was made long ago and cannot be taken back.
        log.warning("store %s: a call to Mitto has been open too long; opting out anyway", owner_id)
