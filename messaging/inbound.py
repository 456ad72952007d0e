"""What customers write: STOP and START change their consent, the rest is kept for the store."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.utils import timezone

from contacts import jobs
from contacts.consent import change_consent
from contacts.finding import by_phone_sql
from contacts.locks import only_one
from contacts.models import ConsentEventType, Contact
from messaging import tallies
from messaging.keywords import request_in
from messaging.models import (
    TallyOf,
    WebhookEvent,
    WebhookEventStatus,
    WebhookEventType,
    message_classes,
)
from messaging.receipts import (
    ID_FIELDS,
    TIME_FIELDS,
    InboxRow,
    as_json,
    digest,
    field,
    insert,
    time_of,
)

log = logging.getLogger(__name__)

APPLY_INBOUND = "messaging.tasks.apply_inbound"
WAKE_KEY, WAKE_SECONDS = "astronote:inbound-waiting", 5
CHUNK = 500
RECENT = timedelta(days=90)
SOURCE = {"stop": "inbound_stop", "start": "inbound_start"}
FROM_FIELDS = ("from", "msisdn", "sender")
TEXT_FIELDS = ("text", "message", "body")
TO_FIELDS = ("to", "destination", "receiver")


def store(events: Iterable[Mapping[str, Any]]) -> None:
    """Keep inbound messages as they came, each once; a job that acts on them is enqueued."""
    stored = insert([_row(event) for event in events], WebhookEventType.INBOUND)
    if stored and jobs.first_in(WAKE_KEY, WAKE_SECONDS):
        jobs.enqueue("delivery_status_poller", APPLY_INBOUND)


def _row(event: Mapping[str, Any]) -> InboxRow:
    event, body = as_json(event)
    own_id, when = field(event, ID_FIELDS)[:64], field(event, TIME_FIELDS)[:40]
    # Without an id or a time of its own, the same text again on another day is another message.
    which = f"{own_id}:{when}" if own_id or when else f"{timezone.now():%Y-%m-%d}"
    readable = bool(number_of(event))
    return InboxRow(
        f"inbound:{which[:80]}:{digest(body)[:32]}",
        own_id,
        request_in(field(event, TEXT_FIELDS)),
        time_of(event),
        "",
        "" if readable else "no number that it came from",
        body,
        (WebhookEventStatus.RECEIVED if readable else WebhookEventStatus.FAILED).value,
    )


def number_of(event: Mapping[str, Any]) -> str | None:
    """The number that a message came from: Mitto gives it with its country's code."""
    digits = field(event, FROM_FIELDS).replace(" ", "").removeprefix("+").removeprefix("00")
    return (
        f"+{digits}" if digits.isascii() and digits.isdigit() and 7 <= len(digits) <= 15 else None
    )


def apply_waiting() -> dict[str, int]:
    """Act on every inbound message that waits, in the order in which they came.

    Returns:
        Counts of messages that opted somebody out or in, were kept, or that no store knows.
    """
    counts = {"stop": 0, "start": 0, "kept": 0, "unmatched": 0}
    with only_one("inbound", wait=True):
        jobs.forget(WAKE_KEY)
        waiting = WebhookEvent.objects.filter(
            status=WebhookEventStatus.RECEIVED, event_type=WebhookEventType.INBOUND
        ).order_by("pk")
        while events := list(waiting[:CHUNK]):
            for event in events:
                counts[_act(event)] += 1
    return counts


@transaction.atomic
def _act(event: WebhookEvent) -> str:
    """Do what one message asks for; it may wait for calls to Mitto that are under way."""
    known = _conversations(number_of(event.payload))
    result = event.word or "kept"
    if not known:
        result = "unmatched"
    else:
        event.owner_id = known[0].owner_id
        if event.word:
            for conversation in meant(known, field(event.payload, TO_FIELDS)):
                _change(conversation, event)
    event.status = WebhookEventStatus.PROCESSED if known else WebhookEventStatus.UNMATCHED
    event.processed_at = timezone.now()
    event.save(update_fields=["owner", "status", "processed_at"])
    return result


class Conversation(NamedTuple):
    """A store that has the number among its contacts, and the last message it sent there."""

    owner_id: int
    contact_id: int
    sent_at: datetime | None
    sender: str
    kind: str
    source_id: int | None


def _conversations(number: str) -> list[Conversation]:
    """The stores that know the number, the one that messaged it last coming first."""
    last = " UNION ALL ".join(
        f"SELECT m.sent_at, m.batch_id FROM {model._meta.db_table} m"
        " WHERE m.contact_id = c.id AND m.sent_at IS NOT NULL"
        for model in message_classes()
    )
    with connection.cursor() as cursor:
        cursor.execute(CONVERSATIONS.format(stores=by_phone_sql(), last=last), [number])
        return [Conversation(*row) for row in cursor.fetchall()]


CONVERSATIONS = """
    SELECT c.owner_id, c.id, last.sent_at, COALESCE(b.sender, ''), COALESCE(b.kind, ''), b.source_id
    FROM {stores}
    LEFT JOIN LATERAL (SELECT * FROM ({last}) sent ORDER BY sent_at DESC LIMIT 1) last ON true
    LEFT JOIN messaging_batch b ON b.id = last.batch_id
    ORDER BY last.sent_at DESC NULLS LAST, c.owner_id
"""


def meant(known: list[Conversation], answered: str) -> list[Conversation]:
    """The stores that a customer's STOP or START is meant for.

    Those whose sender it says it answers; if it does not say, all that messaged the number within
    90 days, which mostly is one; if none did, all that know it.
    """
    since = timezone.now() - RECENT
    recent = [one for one in known if one.sent_at and one.sent_at > since]
    answering = [one for one in recent if _same_sender(one.sender, answered)]
    return answering or recent or known


def _same_sender(sender: str, answered: str) -> bool:
    def bare(name: str) -> str:
        return name.strip().removeprefix("+").removeprefix("00").casefold()

    return bool(answered) and bare(sender) == bare(answered)


def _change(conversation: Conversation, event: WebhookEvent) -> None:
    """Change one contact's consent; a START takes back only what a STOP did."""
    if event.word == "start":
        kind = ConsentEventType.RESUBSCRIBED
        by_stop = {"sms_consent_source": SOURCE["stop"]}
        if not Contact.objects.filter(pk=conversation.contact_id, **by_stop).exists():
            return
    else:
        kind = ConsentEventType.UNSUBSCRIBED
    changed = change_consent(
        conversation.contact_id, kind, source=SOURCE[event.word],
        at=event.occurred_at or event.received_at,
        meta={"event": event.pk, "kind": conversation.kind, "source": conversation.source_id},
    )  # fmt: skip
    if changed and kind == ConsentEventType.UNSUBSCRIBED:
        tallies.count_one(
            conversation.owner_id, conversation.kind, conversation.source_id, TallyOf.OPTED_OUT
        )
