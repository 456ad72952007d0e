"""Delivery receipts: the inbox that webhooks write to, and applying it in bulk."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.utils import timezone

from contacts import jobs
from contacts.locks import only_one
from messaging import outcomes
from messaging.mitto import parse_time
from messaging.models import (
    MessageStatus,
    WebhookEvent,
    WebhookEventStatus,
    message_classes,
)
from messaging.outcomes import Outcome

log = logging.getLogger(__name__)

APPLY_RECEIPTS = "messaging.tasks.apply_receipts"
CHUNK = 5000
# An event may overtake the answer that tells us its message's id; it is tried again this often.
MOST_ATTEMPTS = 20
WAKE_KEY, WAKE_SECONDS = "astronote:receipts-waiting", 5

# Mitto's words and those of carriers that it passes on (behaviours, rules 17 and 19). A word in
# neither set is not final.
DELIVERED_WORDS = {"delivered", "delivrd", "completed", "ok"}
FAILED_WORDS = {
    "failure",
    "failed",
    "undelivered",
    "undeliv",
    "undeliverable",
    "expired",
    "rejected",
    "rejectd",
    "deleted",
    "error",
}


def status_of(word: str) -> str:
    """The message status that a provider's word stands for."""
    word = word.strip().lower()
    if word in DELIVERED_WORDS:
        return MessageStatus.DELIVERED
    if word in FAILED_WORDS:
        return MessageStatus.FAILED
    return MessageStatus.SENT


def store(events: Iterable[dict[str, Any]]) -> int:
    """Keep delivery events as they came, each once; return how many were new.

    One insert, whatever their number; a job that applies them is enqueued.
    """
    rows = []
    for event in events:
        provider_id = str(event.get("messageId") or event.get("id") or "")[:64]
        word = str(event.get("deliveryStatus") or event.get("status") or "")
        time = str(event.get("updatedAt") or event.get("timestamp") or "")
        body = json.dumps(event, sort_keys=True)
        digest = hashlib.sha256(body.encode()).hexdigest()[:16]
        event_id = f"{provider_id}:{word.lower()[:40]}:{time or digest}"[:160]
        status = WebhookEventStatus.RECEIVED if provider_id and word else WebhookEventStatus.FAILED
        rows.append((event_id, provider_id, body, status))
    if not rows:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(STORE, [list(column) for column in zip(*rows, strict=True)])
        stored = cursor.rowcount
    if stored and jobs.first_in(WAKE_KEY, WAKE_SECONDS):
        jobs.enqueue("delivery_status_poller", APPLY_RECEIPTS)
    return stored


STORE = """
    INSERT INTO messaging_webhookevent
        (provider, event_type, event_id, provider_message_id, payload, status)
    SELECT 'mitto', 'dlr', event_id, provider_id, payload::jsonb, status
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[])
        AS t (event_id, provider_id, payload, status)
    ON CONFLICT (provider, event_id) DO NOTHING
"""


def apply_waiting() -> dict[str, int]:
    """Apply every event that waits; events whose message is not known yet wait for the next run.

    Returns:
        Counts of events applied, still waiting and given up as unmatched.
    """
    counts = {"applied": 0, "waiting": 0, "unmatched": 0}
    # One at a time: two would wait for each other's messages and counters.
    with only_one("receipts", wait=True):
        jobs.forget(WAKE_KEY)
        last_id = 0
        while chunk := _apply_chunk(after=last_id, counts=counts):
            last_id = chunk
    return counts


class Event(NamedTuple):
    id: int
    provider_message_id: str
    payload: dict[str, Any]
    attempts: int


def _apply_chunk(*, after: int, counts: dict[str, int]) -> int | None:
    """Apply the next events in one transaction; return the last one's id, or None at the end."""
    with transaction.atomic():
        waiting = (
            WebhookEvent.objects.select_for_update(skip_locked=True)
            .filter(status=WebhookEventStatus.RECEIVED, pk__gt=after)
            .order_by("pk")
            .values_list("pk", "provider_message_id", "payload", "attempts")[:CHUNK]
        )
        events = [Event(*row) for row in waiting]
        if not events:
            return None
        known: set[str] = set()
        provider_ids = list({event.provider_message_id for event in events})
        for model in message_classes():
            ids = dict(
                model.objects.filter(provider_message_id__in=provider_ids).values_list(
                    "provider_message_id", "pk"
                )
            )
            known.update(ids)
            for one_each in _rounds([e for e in events if e.provider_message_id in ids]):
                outcomes.record(
                    model, [_outcome(ids[e.provider_message_id], e.payload) for e in one_each]
                )
        _mark(events, known, counts)
    return events[-1].id


def _rounds(events: list[Event]) -> list[list[Event]]:
    """Split events so that each round has at most one of a message, in the provider's order."""
    events.sort(key=lambda event: _time(event.payload) or timezone.now())
    rounds: list[list[Event]] = []
    seen: dict[str, int] = {}
    for event in events:
        turn = seen.get(event.provider_message_id, 0)
        seen[event.provider_message_id] = turn + 1
        if turn == len(rounds):
            rounds.append([])
        rounds[turn].append(event)
    return rounds


def _time(payload: dict[str, Any]):
    return parse_time(str(payload.get("updatedAt") or payload.get("timestamp") or ""))


def _outcome(message_id: int, payload: dict[str, Any]) -> Outcome:
    word = str(payload.get("deliveryStatus") or payload.get("status") or "")
    status = status_of(word)
    failed = status == MessageStatus.FAILED
    code = str(payload.get("errorcode") or "")[:40]
    return Outcome(
        message_id,
        status,
        None,
        (code or "undelivered") if failed else "",
        str(payload.get("description") or "")[:500] if failed else "",
        word.strip().lower()[:40],
        _time(payload) or timezone.now(),
    )


def _mark(events: list[Event], known: set[str], counts: dict[str, int]) -> None:
    applied = [event.id for event in events if event.provider_message_id in known]
    strange = [event for event in events if event.provider_message_id not in known]
    given_up = [event.id for event in strange if event.attempts + 1 >= MOST_ATTEMPTS]
    waiting = [event.id for event in strange if event.attempts + 1 < MOST_ATTEMPTS]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE messaging_webhookevent e SET
                status = t.status,
                attempts = e.attempts + 1,
                processed_at = CASE WHEN t.status = 'received' THEN NULL ELSE now() END
            FROM unnest(%s::bigint[], %s::text[]) AS t (id, status)
            WHERE e.id = t.id
            """,
            [
                [*applied, *given_up, *waiting],
                ["processed"] * len(applied)
                + ["unmatched"] * len(given_up)
                + ["received"] * len(waiting),
            ],
        )
    counts["applied"] += len(applied)
    counts["unmatched"] += len(given_up)
    counts["waiting"] += len(waiting)
