"""Every number that the database holds in the clear, for changing the key of the hashes."""

from __future__ import annotations

from collections.abc import Iterator

from contacts.models import Contact
from messaging.event_fields import raw_sender_number_of_reply_or_empty
from messaging.models import WebhookEvent, message_classes
from messaging.reply_stores import possible_e164_numbers_of_sender
from messaging.statuses import WebhookEventType

CHUNK = 5000


def iter_known_numbers() -> Iterator[str]:
    """The numbers of contacts, messages and replies in E.164; memory does not grow with them."""
    for phone in Contact.objects.values_list("phone", flat=True).iterator(CHUNK):
        if phone:
            yield phone
    for model in message_classes():
        messages = model.objects.exclude(to="")
        yield from messages.values_list("to", flat=True).iterator(CHUNK)
    replies = WebhookEvent.objects.filter(event_type=WebhookEventType.INBOUND)
    for payload in replies.values_list("payload", flat=True).iterator(CHUNK):
        yield from possible_e164_numbers_of_sender(
            raw_sender_number_of_reply_or_empty(payload or {})
        )
