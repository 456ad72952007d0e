"""Opting out, and in again, by the link in a message (GDPR, articles 7(3) and 21(2))."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from contacts.consent import change_consent
from contacts.models import ConsentEventType, Suppression
from contacts.phones import phone_hash
from messaging import tallies
from messaging.links import tracking_id_of
from messaging.models import OutboundMessage, TallyOf, message_classes

LIFE = timedelta(days=365)
SOURCE = "unsubscribe_page"


def message_of(token: str) -> OutboundMessage | None:
    """The message whose link it is; None if it was altered, is too old or the message is gone."""
    tracking_id = tracking_id_of(token)
    if tracking_id is None:
        return None
    since = timezone.now() - LIFE
    for model in message_classes():
        found = model.objects.filter(tracking_id=tracking_id, created_at__gt=since, to__gt="")
        if message := found.select_related("owner", "contact", "batch").first():
            return message
    return None


def has_opted_out(message: OutboundMessage) -> bool:
    """Whether the number that got the message is opted out of its store's marketing."""
    contact = _contact(message)
    return not contact.is_subscribed if contact else _suppressions(message).exists()


def opt_out(message: OutboundMessage) -> None:
    """Opt the number out of the store's marketing; once more changes nothing."""
    contact = _contact(message)
    if contact is None:
        Suppression.objects.get_or_create(
            owner_id=message.owner_id,
            phone_hash=phone_hash(message.to),
            defaults={"reason": SOURCE},
        )
    elif _change(message, ConsentEventType.UNSUBSCRIBED) and message.batch:
        batch = message.batch
        tallies.count_one(batch.owner_id, batch.kind, batch.source_id, TallyOf.OPTED_OUT)


def opt_in(message: OutboundMessage) -> None:
    """Opt the number in again."""
    if _contact(message):
        _change(message, ConsentEventType.RESUBSCRIBED)


def _contact(message: OutboundMessage):
    """The contact, as long as it has the number that the message went to."""
    contact = message.contact
    return contact if contact and contact.phone == message.to else None


def _suppressions(message: OutboundMessage):
    return Suppression.objects.filter(owner=message.owner_id, phone_hash=phone_hash(message.to))


def _change(message: OutboundMessage, event: ConsentEventType) -> bool:
    evidence = {"kind": message.batch_kind, "message": message.pk}
    return change_consent(message.contact_id, event, source=SOURCE, meta=evidence)
