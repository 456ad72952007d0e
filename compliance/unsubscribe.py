"""Opting out, and in again, by the link in a message (GDPR, articles 7(3) and 21(2)).

The rules are in rules.md#unsubscribe-links.
"""

from __future__ import annotations

from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone

from contacts.consent import change_consent
from contacts.models import ConsentEventType, Contact, Suppression
from contacts.phones import phone_hash, phone_hashes
from messaging import tallies
from messaging.links import tracking_id_of
from messaging.models import OutboundMessage, message_classes
from messaging.statuses import TallyEvent

LINK_LIFETIME = timedelta(days=365)
SOURCE = "unsubscribe_page"


def message_for_token(token: str) -> OutboundMessage | None:
    """The message of an unsubscribe link.

    None if the token is not ours, the message is older than LINK_LIFETIME, or it has no number.
    """
    tracking_id = tracking_id_of(token)
    if tracking_id is None:
        return None
    since = timezone.now() - LINK_LIFETIME
    for model in message_classes():
        found = model.objects.filter(tracking_id=tracking_id, created_at__gt=since, to__gt="")
        if message := found.select_related("owner", "contact", "batch").first():
            return message
    return None


def has_opted_out(message: OutboundMessage) -> bool:
    """Whether the number of the message is opted out of its store's marketing."""
    contact = _contact_with_number(message)
    return not contact.is_subscribed if contact else _suppressions(message).exists()


def opt_out(message: OutboundMessage) -> None:
    """Opt the number out of the store's marketing, and count it; a second call changes nothing.

    A number that is no longer the contact's is suppressed at the store.
    """
    contact = _contact_with_number(message)
    if contact is None:
        Suppression.objects.get_or_create(
            owner_id=message.owner_id,
            phone_hash=phone_hash(message.to),
            defaults={"reason": SOURCE},
        )
    elif _change_consent(message, contact, ConsentEventType.UNSUBSCRIBED) and message.batch:
        batch = message.batch
        tallies.count_one(batch.owner_id, batch.kind, batch.source_id, TallyEvent.OPTED_OUT)


def opt_in(message: OutboundMessage) -> None:
    """Opt the number in again, if it is still the contact's."""
    contact = _contact_with_number(message)
    if contact:
        _change_consent(message, contact, ConsentEventType.RESUBSCRIBED)


def _contact_with_number(message: OutboundMessage) -> Contact | None:
    """The message's contact, if it still has the number that the message went to."""
    contact = message.contact
    return contact if contact and contact.phone == message.to else None


def _suppressions(message: OutboundMessage) -> QuerySet[Suppression]:
    digests = phone_hashes(message.to)
    return Suppression.objects.filter(owner=message.owner_id, phone_hash__in=digests)


def _change_consent(message: OutboundMessage, contact: Contact, event: ConsentEventType) -> bool:
    evidence = {"kind": message.batch_kind, "message": message.pk}
    return change_consent(contact.pk, event, source=SOURCE, meta=evidence)
