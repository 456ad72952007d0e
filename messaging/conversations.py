"""Conversations of a store and a customer: what was sent and written, and answering.

A reply that asks for an opt-out is applied in `replies.py`, whether or not anybody reads it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from astronote.accounts.eligibility import SendingBlocked
from astronote.accounts.models import User
from astronote.common import audit
from astronote.common.counts import format_count
from contacts.consent_sources import describe_consent_source
from contacts.models import ConsentEvent, Contact
from messaging import page_confirmations, page_opt_outs
from messaging.addresses import write_addresses_as_meant
from messaging.direct_messages import get_or_enqueue_direct_message
from messaging.event_fields import TEXT_FIELDS, first_filled_field_as_text_or_empty
from messaging.models import MAX_ANSWER, DirectMessage, Reply, message_classes
from messaging.statuses import WebhookEventStatus, WebhookEventType, describe_reason
from messaging.text import tidy

ENTRIES_SHOWN = 100
MAX_UNREAD_COUNTED = 999

RepliesBySms = QuerySet[Reply]  # nothing that was pressed on a page


class Entry(NamedTuple):
    """One thing of a conversation; `by` is `store`, `customer` or `consent`."""

    at: datetime
    by: str
    text: str
    note: str = ""


def replies_received_by_sms() -> RepliesBySms:
    """Every reply of a number that is a store's contact or may be; nothing pressed on a page."""
    return Reply.objects.filter(event_type=WebhookEventType.INBOUND).exclude(
        provider__in=[page_confirmations.PROVIDER, page_opt_outs.PROVIDER]
    )


def unread_replies() -> QuerySet[Reply]:
    """The replies whose conversation nobody has opened since."""
    return replies_received_by_sms().filter(read_at=None)


def count_unread_replies() -> int:
    """How many replies are unread, at most MAX_UNREAD_COUNTED."""
    return unread_replies().order_by()[:MAX_UNREAD_COUNTED].count()


def reply_text_or_empty_if_erased(reply: Reply) -> str:
    """What the customer wrote; empty if it was erased."""
    return first_filled_field_as_text_or_empty(reply.payload or {}, TEXT_FIELDS)


def newest_messages_replies_and_consent_changes(contact: Contact) -> list[Entry]:
    """The newest messages, replies and changes of consent of a contact, the oldest first."""
    entries = [
        Entry(
            reply.received_at,
            "customer",
            reply_text_or_empty_if_erased(reply) or gettext("(the text was erased)"),
            gettext("may be an opt-out") if reply.status == WebhookEventStatus.REVIEW else "",
        )
        for reply in _newest_first_up_to_limit(replies_received_by_sms().filter(contact=contact))
    ]
    for model in message_classes():
        for message in _newest_first_up_to_limit(model.objects.filter(contact=contact)):
            reason = describe_reason(message.error_code) if message.error_code else ""
            status = message.get_status_display()
            note = f"{status}: {reason}" if reason else status
            entries.append(Entry(message.created_at, "store", message.text, note))
    for event in _newest_first_up_to_limit(ConsentEvent.objects.filter(contact=contact)):
        text = f"{event.get_type_display()} ({describe_consent_source(event.source)})"
        entries.append(Entry(event.created_at, "consent", text))
    entries.sort(key=lambda entry: entry.at)
    return entries[-ENTRIES_SHOWN:]


def _newest_first_up_to_limit(rows: QuerySet[Any]) -> list[Any]:
    return list(rows.order_by("-pk")[:ENTRIES_SHOWN])


def mark_replies_read(contact: Contact) -> None:
    """The replies of a contact are read."""
    unread_replies().filter(contact=contact).update(read_at=timezone.now())


def enqueue_answer(contact: Contact, text: str, *, key: str, by: User) -> DirectMessage:
    """Answer a customer with one service message, which the store pays for.

    Args:
        contact: to whom it goes.
        text: what is sent.
        key: of the form that was submitted; submitted twice, it sends one message.
        by: the operator, for the audit trail.

    Raises:
        SendingBlocked: if the contact does not want messages or may not be messaged, or if the
            store may not send or cannot pay.
    """
    text = write_addresses_as_meant(tidy(text))
    if not text or len(text) > MAX_ANSWER:
        raise SendingBlocked(
            gettext("an answer has 1 to %(limit)s characters") % {"limit": format_count(MAX_ANSWER)}
        )
    if contact.phone is None:
        raise SendingBlocked(gettext("the contact was anonymised"))
    if not contact.service_allowed:
        raise SendingBlocked(gettext("the customer does not want any messages of this store"))
    message = get_or_enqueue_direct_message(
        contact.owner, contact.phone, text, key=f"answer:{key}", contact_id=contact.pk
    )
    audit.write_entry(
        "reply answered", contact, by=by, owner_id=contact.owner_id, message=message.pk
    )
    return message
