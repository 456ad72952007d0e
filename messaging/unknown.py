"""Messages whose fate is unknown, settled by an operator who has asked Mitto.

Sending one again may repeat it: that is the operator's decision, and who took it is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from django.db import transaction

from contacts import audit, jobs
from messaging import credits, outcomes
from messaging.models import Batch, MessageStatus, OutboundMessage, StatusChange
from messaging.outcomes import Outcome
from messaging.sending import SEND_NEXT, next_turn


def mark_delivered(model: type[OutboundMessage], ids: Sequence[int], *, by: Any) -> int:
    """Mitto took these messages: they are charged. Returns how many were unknown."""
    return _mark(model, ids, MessageStatus.DELIVERED, by=by)


def mark_failed(model: type[OutboundMessage], ids: Sequence[int], *, by: Any) -> int:
    """Mitto did not take these messages: their credits go back. Returns how many were unknown."""
    return _mark(model, ids, MessageStatus.FAILED, by=by)


@transaction.atomic
def _mark(model: type[OutboundMessage], ids: Sequence[int], status: str, *, by: Any) -> int:
    rows = _lock_unknown(model, ids)
    code = "by_operator" if status == MessageStatus.FAILED else ""
    moved = outcomes.record(
        model, [Outcome(row.pk, status, None, code) for row in rows], locked=True
    )
    _keep(f"unknown marked {status}", model, rows, by)
    return moved


@transaction.atomic
def resend(model: type[OutboundMessage], ids: Sequence[int], *, by: Any) -> int:
    """Put unknown messages into new batches, to be sent once more. Returns how many.

    Raises:
        InsufficientCredits: if the store cannot pay them any more.
    """
    rows = _lock_unknown(model, ids)
    new_batches, changes = [], []
    for _, group in groupby(rows, lambda row: row.batch_id):
        group = list(group)
        old, parts = group[0].batch, sum(row.segments for row in group)
        new = Batch.objects.create(
            owner_id=old.owner_id,
            kind=old.kind,
            source_id=old.source_id,
            message_type=old.message_type,
            sender=old.sender,
            size=len(group),
            turn=next_turn(),
        )
        credits.settle(old.owner_id, old.pk, charge=0, release=parts)
        new_batches.append((old.owner_id, new.pk, parts))
        model.objects.filter(pk__in=[row.pk for row in group]).update(
            batch=new, status=MessageStatus.QUEUED, error_code="", last_error=""
        )
        changes.append(StatusChange(old.source_id, "unknown", "queued", len(group)))
    if rows:
        credits.reserve(new_batches)
        model.outcomes_changed(changes)
        _keep("unknown sent again", model, rows, by)
        jobs.enqueue_times("sms", SEND_NEXT, len(new_batches))
    return len(rows)


def _lock_unknown(model: type[OutboundMessage], ids: Sequence[int]) -> list[OutboundMessage]:
    """Whoever changes messages holds their batches."""
    unknown = model.objects.filter(pk__in=ids, status=MessageStatus.UNKNOWN)
    batches = Batch.objects.filter(pk__in=unknown.values("batch")).order_by("pk")
    held = {batch.pk: batch for batch in batches.select_for_update()}
    rows = list(unknown.filter(batch__in=held).order_by("batch", "pk"))
    for row in rows:
        row.batch = held[row.batch_id]
    return rows


def _keep(action: str, model: type[OutboundMessage], rows: list[OutboundMessage], by: Any) -> None:
    for (owner_id, batch_id), count in Counter((r.owner_id, r.batch_id) for r in rows).items():
        audit.record(
            action, Batch(pk=batch_id), by=by, owner_id=owner_id,
            kind=model.batch_kind, messages=count,
        )  # fmt: skip
