"""What operators do with unknown messages after asking Mitto (docs/rules.md#unknown-messages).

Each action writes audit entries. How messages become unknown is in `sending.py` and `repairs.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.utils.translation import gettext

from astronote.accounts.models import StoreId, User
from astronote.common import audit
from messaging import credits, outcomes
from messaging.batch_queue import enqueue_send_jobs_on_commit, lowest_due_turn_or_zero
from messaging.models import Batch, BatchId, MessageCount, OutboundMessage, StatusChange
from messaging.outcomes import Outcome
from messaging.statuses import MessageStatus, Reason

Resolve = Callable[..., int]


class CannotSendAgain(ValueError):
    """Unknown messages cannot be sent again; the text says why."""


def mark_unknown_delivered(
    model: type[OutboundMessage], message_ids: Sequence[int], *, by: User | AnonymousUser | str
) -> MessageCount:
    """Mark unknown messages as delivered and charge them, with an audit entry; return how many."""
    return _mark_settle_and_audit_unknown(model, message_ids, MessageStatus.DELIVERED, by=by)


def mark_unknown_failed(
    model: type[OutboundMessage], message_ids: Sequence[int], *, by: User | AnonymousUser | str
) -> MessageCount:
    """Mark unknown messages as failed and release their credits, with an audit entry.

    Returns:
        How many were unknown.
    """
    return _mark_settle_and_audit_unknown(model, message_ids, MessageStatus.FAILED, by=by)


@transaction.atomic
def _mark_settle_and_audit_unknown(
    model: type[OutboundMessage],
    message_ids: Sequence[int],
    status: str,
    *,
    by: User | AnonymousUser | str,
) -> MessageCount:
    messages = _lock_batches_and_get_unknown(model, message_ids)
    code = Reason.BY_OPERATOR if status == MessageStatus.FAILED else ""
    changed = outcomes.record_outcomes_and_settle_credits(
        model,
        [Outcome(message.pk, status, None, code) for message in messages],
        batches_locked=True,
    )
    _write_audit_entry_per_batch(f"unknown marked {status}", model, messages, by)
    return changed


@transaction.atomic
def requeue_unknown(
    model: type[OutboundMessage], message_ids: Sequence[int], *, by: User | AnonymousUser | str
) -> MessageCount:
    """Put unknown messages into new batches and enqueue jobs that send them. Returns how many.

    A message that Mitto did accept is repeated. Its credits are held anew. Whoever was sent another
    message in its place is left out.

    Raises:
        InsufficientCredits: if a store has too few credits available.
        CannotSendAgain: if a new batch would be dropped, as those of a cancelled campaign are.
    """
    chosen = model.exclude_sent_otherwise(model.objects.filter(pk__in=message_ids))
    messages = _lock_batches_and_get_unknown(model, list(chosen.values_list("pk", flat=True)))
    new_batches, changes = [], []
    for _, group in groupby(messages, lambda message: message.batch_id):
        in_batch = list(group)
        old_batch = in_batch[0].batch
        assert (
            old_batch is not None
        )  # _lock_batches_and_get_unknown finds messages by their batches
        decision = model.decide_whether_to_send(old_batch)
        if decision.drop:
            raise CannotSendAgain(
                gettext("nothing is sent again: %(reason)s") % {"reason": decision.reason}
            )
        parts = sum(message.segments for message in in_batch)
        new_batch = Batch.objects.create(
            owner_id=old_batch.owner_id,
            kind=old_batch.kind,
            source_id=old_batch.source_id,
            message_type=old_batch.message_type,
            sender=old_batch.sender,
            size=len(in_batch),
            turn=lowest_due_turn_or_zero(),
        )
        credits.settle_reservation(old_batch.owner_id, old_batch.pk, charge=0, release=parts)
        new_batches.append(
            credits.NewBatch(StoreId(new_batch.owner_id), BatchId(new_batch.pk), parts)
        )
        model.objects.filter(pk__in=[message.pk for message in in_batch]).update(
            batch=new_batch, status=MessageStatus.QUEUED, error_code="", last_error=""
        )
        changes.append(
            StatusChange(
                old_batch.source_id, MessageStatus.UNKNOWN, MessageStatus.QUEUED, len(in_batch)
            )
        )
    if messages:
        credits.reserve_credits_or_raise(new_batches)
        model.on_outcomes_changed(changes)
        _write_audit_entry_per_batch("unknown sent again", model, messages, by)
        enqueue_send_jobs_on_commit(len(new_batches))
    return len(messages)


def resolve_unknown_in_transaction_per_batch(
    resolve: Resolve,
    model: type[OutboundMessage],
    *,
    by: User | AnonymousUser | str,
    **filters: Any,
) -> MessageCount:
    """Resolve all unknown messages that match the filters, a batch in each transaction.

    What was resolved stays so if a later batch cannot be: a second call does the rest.

    Args:
        resolve: one of the three functions above.
        model: the class of the messages.
        by: who does it, for the audit trail.
        filters: on messages, such as `campaign_id`.

    Returns:
        How many were unknown.

    Raises:
        InsufficientCredits, CannotSendAgain: as `requeue_unknown`.
    """
    unknown = model.objects.filter(status=MessageStatus.UNKNOWN, **filters)
    batch_ids = unknown.order_by("batch").values_list("batch", flat=True).distinct()
    return sum(
        resolve(model, list(unknown.filter(batch=pk).values_list("pk", flat=True)), by=by)
        for pk in list(batch_ids)
    )


def _lock_batches_and_get_unknown(
    model: type[OutboundMessage], message_ids: Sequence[int]
) -> list[OutboundMessage]:
    """Lock the batches of messages and return those that are unknown, ordered by batch."""
    unknown = model.objects.filter(pk__in=message_ids, status=MessageStatus.UNKNOWN)
    batches = Batch.objects.filter(pk__in=unknown.values("batch")).order_by("pk")
    locked = {batch.pk: batch for batch in batches.select_for_update()}
    messages = []
    for message in unknown.filter(batch__in=locked).order_by("batch", "pk"):
        assert message.batch_id is not None
        message.batch = locked[message.batch_id]
        messages.append(message)
    return messages


def _write_audit_entry_per_batch(
    action: str,
    model: type[OutboundMessage],
    messages: list[OutboundMessage],
    by: User | AnonymousUser | str,
) -> None:
    """Write an audit entry for each batch."""
    counts = Counter((message.owner_id, message.batch_id) for message in messages)
    for (owner_id, batch_id), count in counts.items():
        audit.write_entry(
            action,
            Batch(pk=batch_id),
            by=by,
            owner_id=owner_id,
            kind=model.batch_kind,
            messages=count,
        )
