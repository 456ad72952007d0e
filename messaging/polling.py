"""Status queries about messages without a final receipt (docs/rules.md#status-queries).

Batches whose `awaiting` is above 0 have such messages. Answers are recorded like receipts. What an
answer means is in `mitto.py`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import timedelta
from typing import NamedTuple

import aiohttp
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet

from astronote.common.counts import counted_in_english
from astronote.common.locks import advisory_lock
from astronote.common.sql import database_now
from astronote.common.times import plausible_claimed_or_arrival_time
from messaging import mitto, outcomes, rate_limits, sending_stop
from messaging.inbox import NewEvent, insert_events_not_stored_yet
from messaging.models import Batch, MessageId, OutboundMessage, message_classes
from messaging.receipts import unknown_messages_holding_credits
from messaging.statuses import (
    FINAL_STATUSES,
    MessageStatus,
    StopReason,
    WebhookEventStatus,
    WebhookEventType,
)

log = logging.getLogger(__name__)

MIN_AGE = timedelta(minutes=10)
MAX_RECENT_AGE = timedelta(hours=2)
MAX_AGE = timedelta(hours=72)
# An older batch is queried again when a sixth of its age has passed since the last query.
INTERVALS_PER_AGE = 6
MAX_BATCHES, MAX_MESSAGES = 200, 5000  # for each run
CONCURRENT_QUERIES = 100


def poll_recent_messages_unless_running() -> dict[str, int]:
    """Ask about messages sent between 10 minutes and 2 hours ago, unless another process does."""
    with advisory_lock("delivery status poller") as acquired:
        return (
            _poll_and_record_statuses(batches_settled_within_recent_poll_ages()) if acquired else {}
        )


def batches_settled_within_recent_poll_ages() -> QuerySet[Batch]:
    """The batches that `poll_recent_messages_unless_running` asks about."""
    now = database_now()
    return Batch.objects.filter(settled_at__gt=now - MAX_RECENT_AGE, settled_at__lte=now - MIN_AGE)


def poll_older_messages_unless_running() -> dict[str, int]:
    """Ask about messages sent up to 72 hours ago, at growing intervals.

    Does nothing while another process does the same.
    """
    now = database_now()
    with advisory_lock("status refresh") as acquired:
        interval = (now - F("settled_at")) / INTERVALS_PER_AGE
        due = Q(checked_at=None) | Q(checked_at__lt=now - interval)
        older = Batch.objects.filter(
            due, settled_at__gt=now - MAX_AGE, settled_at__lte=now - MAX_RECENT_AGE
        )
        return _poll_and_record_statuses(older) if acquired else {}


def _poll_and_record_statuses(batches: QuerySet[Batch]) -> dict[str, int]:
    """Ask about the batches checked least recently and record the answers.

    Returns:
        Counts of messages asked about, and of answers by kind.
    """
    now = database_now()
    chosen = least_recently_polled_batches_awaiting_receipts(batches)
    counts = {"asked": 0, "final": 0, "not_found": 0, "unanswered": 0}
    for model in message_classes():
        batch_ids = [batch.pk for batch in chosen if batch.kind == model.batch_kind]
        queries = all_unknown_then_sent_messages_of_batches(model, batch_ids)
        if queries:
            answers = asyncio.run(
                _fetch_statuses_within_rate([query.provider_message_id for query in queries])
            )
            record_status_answers(model, queries, answers, counts)
    Batch.objects.filter(pk__in=[batch.pk for batch in chosen]).update(checked_at=now)
    if counts["asked"]:
        log.info("asked Mitto about messages: %s", counts)
    return counts


def least_recently_polled_batches_awaiting_receipts(batches: QuerySet[Batch]) -> list[Batch]:
    """The least recently checked of the batches, with about MAX_MESSAGES messages in all."""
    chosen, messages = [], 0
    awaiting = batches.filter(awaiting__gt=0)
    for batch in awaiting.order_by(F("checked_at").asc(nulls_first=True), "pk")[:MAX_BATCHES]:
        if messages >= MAX_MESSAGES:
            break
        chosen.append(batch)
        messages += batch.awaiting
    return chosen


class StatusQuery(NamedTuple):
    """A message to ask about, and the provider status that is recorded for it."""

    pk: MessageId
    provider_message_id: str
    provider_status: str


def all_unknown_then_sent_messages_of_batches(
    model: type[OutboundMessage], batch_ids: list[int]
) -> list[StatusQuery]:
    """The messages of a class to ask about, at most MAX_MESSAGES.

    First all unknown messages with a provider ID, then the sent messages of the batches.
    """
    columns = ("pk", "provider_message_id", "delivery_status")
    unknown = unknown_messages_holding_credits(model).filter(provider_message_id__isnull=False)
    sent = model.objects.filter(batch__in=batch_ids, status=MessageStatus.SENT)
    least_recent = (F("delivery_last_checked_at").asc(nulls_first=True), "pk")
    queries = [
        StatusQuery(*row)
        for messages in (unknown, sent)
        for row in messages.order_by(*least_recent).values_list(*columns)[:MAX_MESSAGES]
    ]
    return queries[:MAX_MESSAGES]


def record_status_answers(
    model: type[OutboundMessage],
    queries: list[StatusQuery],
    answers: list[mitto.StatusResult],
    counts: dict[str, int],
) -> None:
    """Record the outcomes that Mitto reports, and store each answer with a new status as an event.

    Args:
        model: the class of the messages.
        queries: the messages.
        answers: Mitto's answers in the same order.
        counts: is added to.
    """
    now = database_now()
    reported, new_events, mismatches, missing = [], [], [], []
    others = _find_mismatched_and_log_other_part_counts(model, queries, answers)
    for query, answer in zip(queries, answers, strict=True):
        counts["asked"] += 1
        match answer:
            case mitto.MessageReport() if query.pk in others:
                mismatches.append(_build_failed_event_of_mismatch(query))
            case mitto.MessageReport():
                at = plausible_claimed_or_arrival_time(answer.updated_at, now)
                event = NewEvent.from_receipt_or_failed_if_unreadable(
                    {
                        "messageId": query.provider_message_id,
                        "deliveryStatus": answer.delivery_status,
                        "updatedAt": at.isoformat(),
                        "description": answer.description,
                    }
                )
                if not event.provider_status:
                    counts["unanswered"] += 1
                    continue
                reported.append(event.outcome(query.pk))
                counts["final"] += reported[-1].status in FINAL_STATUSES
                if event.provider_status != query.provider_status:
                    new_events.append(event._replace(status=WebhookEventStatus.PROCESSED.value))
            case mitto.NotFound():
                counts["not_found"] += 1
                missing.append(query.pk)
            case _:
                counts["unanswered"] += 1
    _stop_sending_if_account_is_refused(answers)
    if others:
        counts["mismatched"] = counts.get("mismatched", 0) + len(others)
    with transaction.atomic():
        _store_mismatches_and_stop_if_any_new(mismatches)
        insert_events_not_stored_yet(new_events, WebhookEventType.POLL)
        outcomes.record_outcomes_and_settle_credits(model, reported)
    checked = model.objects.filter(pk__in=[query.pk for query in queries])
    checked.update(delivery_last_checked_at=now)
    # 404 is not final: Mitto may not know a message yet (docs/rules.md#mitto-status-query).
    model.objects.filter(pk__in=missing, delivery_status="").update(delivery_status="not_found")


def _store_mismatches_and_stop_if_any_new(mismatches: list[NewEvent]) -> None:
    """Stop all sending; not again for messages that a person has let sending go on with."""
    if count := insert_events_not_stored_yet(mismatches, WebhookEventType.POLL):
        sending_stop.stop_sending(
            StopReason.MISMATCHED_IDS,
            by="delivery status poller",
            details="Mitto names other texts or numbers for"
            f" {counted_in_english(count, 'message ID')}",
        )


def _stop_sending_if_account_is_refused(answers: list[mitto.StatusResult]) -> None:
    """Stop all sending if Mitto answers a query as it answers a call of a refused account.

    A 404 is no such answer here: it means that Mitto does not know the message.
    """
    for answer in answers:
        if isinstance(answer, mitto.CallRefused) and answer.status_code in mitto.ACCOUNT_REFUSALS:
            sending_stop.stop_sending(
                StopReason.ACCOUNT_REFUSED,
                by="delivery status poller",
                details=f"Mitto answered {answer.status_code} to a status query: "
                f"{answer.error or 'no words'}",
            )
            return


def _find_mismatched_and_log_other_part_counts(
    model: type[OutboundMessage],
    queries: list[StatusQuery],
    answers: list[mitto.StatusResult],
) -> set[MessageId]:
    """The messages whose answers have another text or destination than was sent.

    Logs an alert if Mitto counts other parts than we charge.
    """
    reports = {
        query.pk: answer
        for query, answer in zip(queries, answers, strict=True)
        if isinstance(answer, mitto.MessageReport)
        and (answer.text or answer.destination or answer.parts)
    }
    sent = model.objects.filter(pk__in=reports)
    others: set[MessageId] = set()
    other_parts = 0
    for pk, to, text, tracking_id, segments in sent.values_list(
        "pk", "to", "text", "tracking_id", "segments"
    ):
        report = reports[pk]
        # Numbers and texts are emptied when a person is erased.
        same_number = not (report.destination and to) or (
            report.destination.lstrip("+0") == to.lstrip("+")
        )
        same_text = not (report.text and text) or (
            report.text.split() == model.text_to_send(text, tracking_id).split()
        )
        if not (same_number and same_text):
            others.add(pk)
        elif report.parts and report.parts != segments:
            other_parts += 1
    if other_parts:
        log.error("Mitto counts other parts than we do, of %s messages", other_parts)
    return others


def _build_failed_event_of_mismatch(query: StatusQuery) -> NewEvent:
    return NewEvent(
        f"mismatch:{query.provider_message_id}",
        query.provider_message_id,
        "",
        None,
        "",
        "Mitto names another text or number for this message ID",
        "{}",
        WebhookEventStatus.FAILED.value,
    )


async def _fetch_statuses_within_rate(provider_ids: list[str]) -> list[mitto.StatusResult]:
    """Ask Mitto about messages, CONCURRENT_QUERIES at a time, at most STATUS_RATE_MAX a second."""
    timeout = aiohttp.ClientTimeout(
        connect=settings.MITTO_CONNECT_TIMEOUT, total=settings.MITTO_READ_TIMEOUT
    )
    url = f"{settings.MITTO_API_BASE}/api/{settings.MITTO_API_VERSION}/Messages"
    answers: list[mitto.StatusResult] = []
    async with aiohttp.ClientSession(
        timeout=timeout,
        headers={"X-Mitto-API-Key": settings.MITTO_API_KEY},
        connector=aiohttp.TCPConnector(limit=CONCURRENT_QUERIES),
    ) as session:
        for start in range(0, len(provider_ids), CONCURRENT_QUERIES):
            chunk = provider_ids[start : start + CONCURRENT_QUERIES]
            cost_ms = len(chunk) * 1000 / settings.STATUS_RATE_MAX
            time.sleep(
                rate_limits.reserve_slots_if_soon_and_get_wait_ms({"status": cost_ms}, 60_000)
                / 1000
            )
            answers += await asyncio.gather(
                *(
                    _fetch_status_or_ambiguous(session, f"{url}/{provider_id}")
                    for provider_id in chunk
                )
            )
    return answers


async def _fetch_status_or_ambiguous(
    session: aiohttp.ClientSession, url: str
) -> mitto.StatusResult:
    try:
        async with session.get(
            url, allow_redirects=False, proxy=settings.MITTO_PROXY or None
        ) as answer:
            return mitto.interpret_status_response(
                answer.status, answer.headers, await answer.read()
            )
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return mitto.Ambiguous(type(error).__name__)
