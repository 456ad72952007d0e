"""Asking Mitto about messages whose receipt has not come (overview, sections 5 and 6).

Batches tell where such messages are; what Mitto says goes the way that receipts go.
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
from django.utils import timezone

from contacts.locks import only_one
from messaging import mitto, outcomes, rate_limits, receipts
from messaging.models import (
    Batch,
    MessageStatus,
    OutboundMessage,
    WebhookEventStatus,
    WebhookEventType,
    message_classes,
)
from messaging.receipts import InboxRow

log = logging.getLogger(__name__)

YOUNGEST = timedelta(minutes=10)
YOUNG = timedelta(hours=2)
OLDEST = timedelta(hours=72)
# A batch is asked about again once a sixth of its age has gone by since the last time.
PATIENCE = 6
BATCHES, MESSAGES = 200, 5000
IN_FLIGHT = 100


def poll_young() -> dict[str, int]:
    """Ask about messages sent between ten minutes and two hours ago."""
    with only_one("delivery status poller") as mine:
        return _ask(young()) if mine else {}


def young() -> QuerySet[Batch]:
    """The batches that the poller asks about."""
    now = timezone.now()
    return Batch.objects.filter(settled_at__gt=now - YOUNG, settled_at__lte=now - YOUNGEST)


def refresh_old() -> dict[str, int]:
    """Ask about older messages at growing intervals; after 72 hours no longer."""
    now = timezone.now()
    with only_one("status refresh") as mine:
        due = Q(checked_at=None) | Q(checked_at__lt=now - (now - F("settled_at")) / PATIENCE)
        waiting = Batch.objects.filter(
            due, settled_at__gt=now - OLDEST, settled_at__lte=now - YOUNG
        )
        return _ask(waiting) if mine else {}


def _ask(waiting: QuerySet[Batch]) -> dict[str, int]:
    """Ask about the batches asked least recently; return counts by what was learnt."""
    now = timezone.now()
    batches = least_recently_asked(waiting)
    counts = {"asked": 0, "final": 0, "not_found": 0, "unanswered": 0}
    for model in message_classes():
        of_class = [batch.pk for batch in batches if batch.kind == model.batch_kind]
        rows = questionable(model, of_class)
        if rows:
            answers = asyncio.run(_questions([row.provider_message_id for row in rows]))
            record_answers(model, rows, answers, counts)
    Batch.objects.filter(pk__in=[batch.pk for batch in batches]).update(checked_at=now)
    if counts["asked"]:
        log.info("asked Mitto about messages: %s", counts)
    return counts


def least_recently_asked(waiting: QuerySet[Batch]) -> list[Batch]:
    """Batches with messages enough for one run."""
    chosen, messages = [], 0
    in_order = waiting.filter(awaiting__gt=0).order_by(F("checked_at").asc(nulls_first=True), "pk")
    for batch in in_order[:BATCHES]:
        if messages >= MESSAGES:
            break
        chosen.append(batch)
        messages += batch.awaiting
    return chosen


class Question(NamedTuple):
    """A message to be asked about, and the provider's word that we have of it."""

    pk: int
    provider_message_id: str
    word: str


def questionable(model: type[OutboundMessage], batch_ids: list[int]) -> list[Question]:
    """Messages without a final word, those of which nothing is known first."""
    columns = ("pk", "provider_message_id", "delivery_status")
    unknown = receipts.unknown(model).filter(provider_message_id__isnull=False)
    sent = model.objects.filter(batch__in=batch_ids, status=MessageStatus.SENT)
    least_recent = (F("delivery_last_checked_at").asc(nulls_first=True), "pk")
    rows = [
        Question(*row)
        for some in (unknown, sent)
        for row in some.order_by(*least_recent).values_list(*columns)[:MESSAGES]
    ]
    return rows[:MESSAGES]


def record_answers(
    model: type[OutboundMessage],
    rows: list[Question],
    answers: list[mitto.StatusResult],
    counts: dict[str, int],
) -> None:
    """Record what Mitto says of these messages, and keep each answer that changes something."""
    learnt, news, missing = [], [], []
    for row, answer in zip(rows, answers, strict=True):
        counts["asked"] += 1
        match answer:
            case mitto.MessageReport():
                event = InboxRow.read(
                    {
                        "messageId": row.provider_message_id,
                        "deliveryStatus": answer.delivery_status,
                        "updatedAt": (answer.updated_at or timezone.now()).isoformat(),
                        "description": answer.description,
                    }
                )
                if not event.word:
                    counts["unanswered"] += 1
                    continue
                learnt.append(event.outcome(row.pk))
                counts["final"] += learnt[-1].status in outcomes.FINAL
                if event.word != row.word:
                    news.append(event._replace(status=WebhookEventStatus.PROCESSED.value))
            case mitto.NotFound():
                counts["not_found"] += 1
                missing.append(row.pk)
            case _:
                counts["unanswered"] += 1
    with transaction.atomic():
        receipts.insert(news, WebhookEventType.POLL)
        outcomes.record(model, learnt)
    checked = model.objects.filter(pk__in=[row.pk for row in rows])
    checked.update(delivery_last_checked_at=timezone.now())
    # Mitto may not know a message for a while, so that word is never final.
    model.objects.filter(pk__in=missing, delivery_status="").update(delivery_status="not_found")


async def _questions(provider_ids: list[str]) -> list[mitto.StatusResult]:
    """Ask about all of them, IN_FLIGHT at a time, at most STATUS_RATE_MAX a second."""
    timeout = aiohttp.ClientTimeout(
        connect=settings.MITTO_CONNECT_TIMEOUT, total=settings.MITTO_READ_TIMEOUT
    )
    base = f"{settings.MITTO_API_BASE}/api/{settings.MITTO_API_VERSION}/Messages"
    answers: list[mitto.StatusResult] = []
    async with aiohttp.ClientSession(
        timeout=timeout,
        headers={"X-Mitto-API-Key": settings.MITTO_API_KEY},
        connector=aiohttp.TCPConnector(limit=IN_FLIGHT),
    ) as session:
        for start in range(0, len(provider_ids), IN_FLIGHT):
            some = provider_ids[start : start + IN_FLIGHT]
            cost = len(some) * 1000 / settings.STATUS_RATE_MAX
            time.sleep(rate_limits.take({"status": cost}, 60_000) / 1000)
            answers += await asyncio.gather(*(_question(session, base, one) for one in some))
    return answers


async def _question(session: aiohttp.ClientSession, base: str, one: str) -> mitto.StatusResult:
    try:
        async with session.get(f"{base}/{one}", allow_redirects=False) as answer:
            return mitto.read_status(answer.status, answer.headers, await answer.read())
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return mitto.Ambiguous(type(error).__name__)
