"""Replies of customers: STOP and START change consent, other texts are for the store to read.

Rules: docs/rules.md#replies. Which words are requests is in `keywords.py`; what a change of consent
does is in `contacts/consent.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import transaction
from django.utils import timezone

from astronote.accounts.models import StoreId
from astronote.common.locks import advisory_lock
from astronote.common.sql import rows
from astronote.queues import jobs
from contacts.consent import Evidence, change_consent
from contacts.lookup import contacts_by_phone_sql
from contacts.models import ConsentEventType, Contact
from messaging import opt_in_requests, tallies
from messaging.inbox import (
    ID_FIELDS,
    TIME_FIELDS,
    NewEvent,
    digest,
    event_json,
    event_time,
    first_field,
    insert_events,
)
from messaging.keywords import consent_request_in, is_yes
from messaging.models import WebhookEvent, message_classes
from messaging.statuses import ConsentRequest, TallyEvent, WebhookEventStatus, WebhookEventType

APPLY_REPLIES = "messaging.tasks.apply_replies"
DEBOUNCE_KEY, DEBOUNCE_SECONDS = "astronote:replies-waiting", 5
CHUNK_REPLIES = 500
RECENT = timedelta(days=90)
CONSENT_SOURCES = {ConsentRequest.STOP: "inbound_stop", ConsentRequest.START: "inbound_start"}
FROM_FIELDS = ("from", "msisdn", "sender")
TEXT_FIELDS = ("text", "message", "body")
TO_FIELDS = ("to", "destination", "receiver")


def store_replies(events: Iterable[Mapping[str, Any]]) -> None:
    """Store replies, each once, and enqueue a job that applies them."""
    stored = insert_events([_event_from_reply(event) for event in events], WebhookEventType.INBOUND)
    if stored and jobs.start_debounce(DEBOUNCE_KEY, DEBOUNCE_SECONDS):
        jobs.enqueue("delivery_status_poller", APPLY_REPLIES)


def _event_from_reply(event: Mapping[str, Any]) -> NewEvent:
    """Read a reply; without a sender's number its status is `failed`."""
    event, body = event_json(event)
    own_id, when = first_field(event, ID_FIELDS)[:64], first_field(event, TIME_FIELDS)[:40]
    # Without an ID or a time, the same text on another day is another reply.
    identity = f"{own_id}:{when}" if own_id or when else f"{timezone.now():%Y-%m-%d}"
    is_readable = bool(sender_number(event))
    return NewEvent(
        f"inbound:{identity[:80]}:{digest(body)[:32]}",
        own_id,
        "",
        event_time(event),
        "",
        "" if is_readable else "no number that it came from",
        body,
        (WebhookEventStatus.RECEIVED if is_readable else WebhookEventStatus.FAILED).value,
        consent_request_in(first_field(event, TEXT_FIELDS)),
    )


def sender_number(event: Mapping[str, Any]) -> str | None:
    """The number that a reply came from, as E.164; Mitto gives it with its country code."""
    digits = first_field(event, FROM_FIELDS).replace(" ", "").removeprefix("+").removeprefix("00")
    is_number = digits.isascii() and digits.isdigit() and 7 <= len(digits) <= 15
    return f"+{digits}" if is_number else None


def apply_received_replies() -> dict[str, int]:
    """Apply the waiting replies in the order in which they came.

    Waits while another process does the same, and for open sending windows before an opt-out.

    Returns:
        Counts of requests to stop and start, other texts and replies from unknown numbers.
    """
    counts = {ConsentRequest.STOP.value: 0, ConsentRequest.START.value: 0}
    counts |= {"other": 0, "unmatched": 0}
    with advisory_lock("inbound", wait=True):
        jobs.end_debounce(DEBOUNCE_KEY)
        waiting = WebhookEvent.objects.filter(
            status=WebhookEventStatus.RECEIVED, event_type=WebhookEventType.INBOUND
        ).order_by("pk")
        while events := list(waiting[:CHUNK_REPLIES]):
            for event in events:
                counts[_apply_reply(event)] += 1
    return counts


@transaction.atomic
def _apply_reply(event: WebhookEvent) -> str:
    """Find the reply's store and do what it asks for; may wait for open sending windows.

    Returns:
        The name of its count.
    """
    payload = event.payload or {}
    conversations = _conversations(sender_number(payload))
    if conversations:
        event.owner_id = conversations[0].owner_id
        event.status = WebhookEventStatus.PROCESSED
        count_name = event.consent_request or "other"
    else:
        event.status = WebhookEventStatus.UNMATCHED
        count_name = "unmatched"
    if conversations and event.consent_request:
        reply_to = first_field(payload, TO_FIELDS)
        for conversation in addressed_conversations(conversations, reply_to):
            _apply_consent_request(conversation, event)
    elif conversations and is_yes(first_field(payload, TEXT_FIELDS)):
        addressed = addressed_conversations(conversations, first_field(payload, TO_FIELDS))
        opt_in_requests.confirm_by_reply([one.contact_id for one in addressed], event)
    event.processed_at = timezone.now()
    event.save(update_fields=["owner", "status", "processed_at"])
    return count_name


class Conversation(NamedTuple):
    """A store, its contact with the number of a reply, and its last message to the contact."""

    owner_id: StoreId
    contact_id: int
    sent_at: datetime | None
    sender: str
    kind: str
    source_id: int | None


def _conversations(number: str | None) -> list[Conversation]:
    """The stores that have the number among their contacts; the last sender comes first."""
    sent_messages = " UNION ALL ".join(
        f"SELECT m.sent_at, m.batch_id FROM {model._meta.db_table} m"
        " WHERE m.contact_id = c.id AND m.sent_at IS NOT NULL"
        for model in message_classes()
    )
    sql = CONVERSATIONS.format(contacts=contacts_by_phone_sql(), sent_messages=sent_messages)
    return [Conversation(*row) for row in rows(sql, [number])]


CONVERSATIONS = """
    SELECT c.owner_id, c.id, last.sent_at, COALESCE(b.sender, ''), COALESCE(b.kind, ''), b.source_id
    FROM {contacts}
    LEFT JOIN LATERAL (
        SELECT * FROM ({sent_messages}) sent ORDER BY sent_at DESC LIMIT 1) last ON true
    LEFT JOIN messaging_batch b ON b.id = last.batch_id
    ORDER BY last.sent_at DESC NULLS LAST, c.owner_id
"""


def addressed_conversations(conversations: list[Conversation], reply_to: str) -> list[Conversation]:
    """The conversations that a STOP or START is meant for.

    Those with the sender ID that it replies to. Otherwise all with a message in the last 90 days,
    or all if there is none.

    Args:
        conversations: of the reply's number.
        reply_to: the sender ID that the reply was sent to; empty if it does not say.
    """
    since = timezone.now() - RECENT
    recent = [one for one in conversations if one.sent_at and one.sent_at > since]
    addressed = [one for one in recent if _is_same_sender(one.sender, reply_to)]
    return addressed or recent or conversations


def _is_same_sender(sender: str, reply_to: str) -> bool:
    def normalized(name: str) -> str:
        return name.strip().removeprefix("+").removeprefix("00").casefold()

    return bool(reply_to) and normalized(sender) == normalized(reply_to)


def _apply_consent_request(conversation: Conversation, event: WebhookEvent) -> None:
    """Change the contact's consent and count an opt-out.

    A START changes nothing unless the last change of consent was a STOP by SMS.
    """
    request = ConsentRequest(event.consent_request)
    if request == ConsentRequest.START:
        change = ConsentEventType.RESUBSCRIBED
        by_stop = {"sms_consent_source": CONSENT_SOURCES[ConsentRequest.STOP]}
        if not Contact.objects.filter(pk=conversation.contact_id, **by_stop).exists():
            return
    else:
        change = ConsentEventType.UNSUBSCRIBED
    changed = change_consent(
        conversation.contact_id,
        change,
        source=CONSENT_SOURCES[request],
        at=event.occurred_at or event.received_at,
        evidence=Evidence(
            details={
                "event": event.pk,
                "kind": conversation.kind,
                "source": conversation.source_id,
            }
        ),
    )
    if changed and change == ConsentEventType.UNSUBSCRIBED:
        tallies.count_one(
            conversation.owner_id, conversation.kind, conversation.source_id, TallyEvent.OPTED_OUT
        )
