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
    MarketingHold,
    MessageType,
    SmsConsentStatus,
    Suppression,
)
from contacts.phones import phone_hash

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
    return Q(phone__isnull=False, **{CONSENT_COLUMN[message_type]: True})


def suppressed_phones(owner_id: int, phones: Iterable[str]) -> set[str]:
    """Which of these numbers are suppressed at the store or at all stores.

    Args:
        owner_id: the store.
        phones: numbers in E.164.
    """
    return {phone for _, phone in suppressed_pairs((owner_id, phone) for phone in phones)}


def suppressed_pairs(pairs: Iterable[tuple[int, str]]) -> set[tuple[int, str]]:
    """Which of these (store id, number) pairs are suppressed; one query for many stores."""
    return _pairs_in(Suppression, pairs)


def held_phones(owner_id: int, phones: Iterable[str]) -> set[str]:
    """Which of these numbers marketing waits for, as a person has to decide about a reply.

    Args:
        owner_id: the store.
        phones: numbers in E.164.
    """
    return {phone for _, phone in held_pairs((owner_id, phone) for phone in phones)}


def held_pairs(pairs: Iterable[tuple[int, str]]) -> set[tuple[int, str]]:
    """Which of these (store id, number) pairs marketing waits for; one query for many stores."""
    return _pairs_in(MarketingHold, pairs)


def _pairs_in(
    model: type[Suppression | MarketingHold], pairs: Iterable[tuple[int, str]]
) -> set[tuple[int, str]]:
    """The pairs whose number has a row of the model, of their store or of all."""
    if not model.objects.exists():
        return set()
    hashed_pairs = [(owner_id, phone, phone_hash(phone)) for owner_id, phone in pairs]
    found = model.objects.filter(
        Q(owner__in={owner_id for owner_id, *_ in hashed_pairs}) | Q(owner=None),
        phone_hash__in={digest for *_, digest in hashed_pairs},
    )
    hashes = set(found.values_list("owner", "phone_hash"))
    return {
        (owner_id, phone)
        for owner_id, phone, digest in hashed_pairs
        if (owner_id, digest) in hashes or (None, digest) in hashes
    }


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
            _wait_for_open_sending_windows(owner_id)
        contact = Contact.objects.select_for_update().get(pk=contact_id)
        if contact.phone is None or not _set_consent_fields(contact, event, at):
            return False
        contact.sms_consent_at, contact.sms_consent_source = at, source
        contact.save()
        ConsentEvent.objects.create(
            owner_id=owner_id, contact=contact, type=event, source=source, meta=meta
        )
        digest = phone_hash(contact.phone)
        if event == ConsentEventType.UNSUBSCRIBED:
            Suppression.objects.get_or_create(
                owner_id=owner_id, phone_hash=digest, defaults={"reason": source}
            )
        elif event == ConsentEventType.RESUBSCRIBED:
            Suppression.objects.filter(owner_id=owner_id, phone_hash=digest).delete()
    return True


def suppress_opted_out_phones(owner_id: int | None, phones: Sequence[str], *, reason: str) -> int:
    """Suppress the numbers of people who said no, before their contacts are opted out.

    Called in a transaction that opts them out. If one of them is subscribed, it first waits for the
    store's open sending windows, as `change_consent` does.

    Args:
        owner_id: the store; None for all stores, of which none has such a contact.
        phones: numbers in E.164.
        reason: stored with each new suppression.

    Returns:
        How many of them were not suppressed yet.
    """
    _wait_if_subscribed(owner_id, phones)
    return execute(SUPPRESS_PHONES, [owner_id, reason, sorted(map(phone_hash, phones))])


def hold_marketing(owner_id: int | None, phones: Sequence[str], *, reply_id: int) -> None:
    """Let marketing to these numbers wait until a person has decided about a reply.

    If one of them is subscribed, it first waits for the store's open sending windows, since the
    reply may be an opt-out.

    Args:
        owner_id: the store; None for all stores, of which none has such a contact.
        phones: numbers in E.164.
        reply_id: the reply's event.
    """
    _wait_if_subscribed(owner_id, phones)
    MarketingHold.objects.bulk_create(
        [
            MarketingHold(owner_id=owner_id, phone_hash=phone_hash(phone), reply_id=reply_id)
            for phone in phones
        ],
        ignore_conflicts=True,
    )


def suppress_held_phones(reply_id: int, *, reason: str) -> None:
    """Suppress the numbers that a reply holds back: a person decided that it is an opt-out."""
    execute(SUPPRESS_HELD_PHONES, [reason, reply_id])


SUPPRESS_HELD_PHONES = """
    INSERT INTO contacts_suppression (owner_id, reason, phone_hash)
    SELECT owner_id, %s, phone_hash FROM contacts_marketinghold WHERE reply_id = %s
    ORDER BY phone_hash ON CONFLICT DO NOTHING
"""


def end_marketing_hold(reply_id: int) -> None:
    """Hold marketing back no longer for this reply; holds of other replies stay."""
    MarketingHold.objects.filter(reply_id=reply_id).delete()


# The hashes are sorted, so two imports at once cannot deadlock on the unique index.
SUPPRESS_PHONES = """
    INSERT INTO contacts_suppression (owner_id, reason, phone_hash)
    SELECT %s::bigint, %s, digest FROM unnest(%s::text[]) AS digest
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


def _wait_if_subscribed(owner_id: int | None, phones: Sequence[str]) -> None:
    """Wait for the store's open sending windows if one of these numbers is a subscriber's."""
    known = Contact.objects.filter(owner=owner_id, phone__in=phones, is_subscribed=True)
    if owner_id is not None and known.exists():
        _wait_for_open_sending_windows(owner_id)


def _wait_for_open_sending_windows(owner_id: int) -> None:
    """Wait until no sending window of the store is open; none opens before we commit.

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
