"""Sending one batch: claim, check again, submit once, settle (design, Sending).

Everything here can be run twice, late or by two workers at once: the batch's row and its claim
token decide who goes on. No transaction is open while Mitto is being called.
"""

from __future__ import annotations

import logging
import random
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from contacts import jobs
from contacts.consent import CONSENT_COLUMN, sending_window, suppressed
from contacts.models import MessageType
from messaging import mitto, outcomes
from messaging.models import Batch, BatchStatus, MessageStatus
from messaging.outcomes import Outcome

log = logging.getLogger(__name__)

SEND_BATCH = "messaging.tasks.send_batch"
LONGEST_WAIT_SECONDS = 900


class Prepared(NamedTuple):
    """A message about to be sent."""

    id: int
    to: str
    text: str


def send_batch(batch_id: int) -> str:
    """Send a batch if it is due; return in a word what became of it.

    `not claimed` means that another worker has it, it is done, or it must not go out yet.
    """
    batch = claim(batch_id)
    if batch is None:
        return "not claimed"
    if reason := batch.message_class.held_back(batch):
        put_back(batch, reason=reason)
        return "held back"
    with sending_window(batch.owner_id):
        messages = begin_submitting(batch)
        if not messages:
            return "nothing to send"
        result = mitto_client().send_bulk(
            [mitto.OutgoingSms(message.to, message.text, batch.sender) for message in messages]
        )
        return settle(batch, messages, result)


def claim(batch_id: int) -> Batch | None:
    """Take a pending, due batch with a fresh token, or return None."""
    now = timezone.now()
    token = uuid.uuid4()
    taken = (
        Batch.objects.filter(pk=batch_id, status=BatchStatus.PENDING)
        .filter(Q(not_before=None) | Q(not_before__lte=now))
        .update(status=BatchStatus.CLAIMED, claim_token=token, claimed_at=now, waiting_for="")
    )
    if not taken:
        return None
    # Read by the token: if it is gone already, somebody took the claim back.
    return Batch.objects.filter(pk=batch_id, claim_token=token).first()


def put_back(batch: Batch, *, reason: str, until: datetime | None = None, **changes) -> bool:
    """Return a batch that was not sent to the waiting ones; it is tried again at `until`.

    Without a time somebody else enqueues it, as resuming a campaign does.
    """
    returned = Batch.objects.filter(
        pk=batch.pk,
        claim_token=batch.claim_token,
        status__in=[BatchStatus.CLAIMED, BatchStatus.SUBMITTING],
    ).update(
        status=BatchStatus.PENDING,
        claim_token=None,
        claimed_at=None,
        not_before=until,
        waiting_for=reason[:200],
        **changes,
    )
    if returned and until:
        jobs.enqueue_at("sms", until, SEND_BATCH, batch.pk, job_id=f"batch-{batch.pk}")
    return bool(returned)


def begin_submitting(batch: Batch) -> list[Prepared]:
    """Skip those who opted out since enqueue, mark the rest as being submitted, return them.

    An empty list means that nothing is left to send, or that the claim was lost.
    """
    with transaction.atomic():
        held = Batch.objects.select_for_update().filter(
            pk=batch.pk, claim_token=batch.claim_token, status=BatchStatus.CLAIMED
        )
        if not held.exists():
            return []
        column = CONSENT_COLUMN[batch.message_type]
        rows = list(
            batch.message_class.objects.filter(batch=batch, status=MessageStatus.QUEUED)
            .order_by("pk")
            .values_list("pk", "to", "text", f"contact__{column}", "contact__phone")
        )
        barred: set[str] = set()
        if batch.message_type == MessageType.MARKETING:
            barred = suppressed(batch.owner_id, (to for _, to, *_ in rows))
        messages, skipped = [], []
        for pk, to, text, consents, phone in rows:
            # A contact that was anonymised, or given another number, must not be messaged.
            if consents and phone == to and to not in barred:
                messages.append(Prepared(pk, to, text))
            else:
                skipped.append(Outcome(pk, MessageStatus.SKIPPED, error_code="opted_out"))
        outcomes.record(batch.message_class, skipped)
        if messages:
            held.update(status=BatchStatus.SUBMITTING, attempts=F("attempts") + 1)
        else:
            held.update(status=BatchStatus.SETTLED, settled_at=timezone.now())
    return messages


def settle(batch: Batch, messages: Sequence[Prepared], result: mitto.SendResult) -> str:
    """Write down what Mitto answered, for the whole batch in one transaction."""
    context = f"batch {batch.pk} of {batch.kind} {batch.source_id}, store {batch.owner_id}"
    match result:
        case mitto.NotTaken():
            return _defer(batch, messages, result, context)
        case mitto.Accepted():
            recorded = [
                Outcome(message.id, MessageStatus.SENT, item.message_id)
                if item.message_id
                else Outcome(message.id, MessageStatus.FAILED, None, "refused", item.error or "")
                for message, item in zip(messages, result.items, strict=True)
            ]
            word = "accepted"
        case mitto.Refused():
            code = f"refused_{result.status_code}"
            recorded = [
                Outcome(message.id, MessageStatus.FAILED, None, code, result.error)
                for message in messages
            ]
            word = "refused"
            log.warning("%s: Mitto refused it (%s): %s", context, code, result.error)
        case mitto.Ambiguous():
            recorded = [
                Outcome(message.id, MessageStatus.UNKNOWN, None, "no_answer", result.error)
                for message in messages
            ]
            word = "unknown"
            log.warning("%s: no clear answer, its messages are unknown: %s", context, result.error)
    with transaction.atomic():
        # A batch that was given up meanwhile is settled already and keeps our token; what Mitto
        # said late is still the truth about its messages.
        held = Batch.objects.select_for_update().filter(
            pk=batch.pk,
            claim_token=batch.claim_token,
            status__in=[BatchStatus.SUBMITTING, BatchStatus.SETTLED],
        )
        if not held.exists():
            log.error("%s: claim lost after the call to Mitto", context)
            return "claim lost"
        outcomes.record(batch.message_class, recorded)
        held.update(
            status=BatchStatus.SETTLED,
            settled_at=timezone.now(),
            provider_bulk_id=getattr(result, "bulk_id", None),
            error=getattr(result, "error", "")[:500],
        )
    log.info("%s: %s, %s messages", context, word, len(messages))
    return word


def _defer(batch: Batch, messages: Sequence[Prepared], result: mitto.NotTaken, context: str) -> str:
    """Mitto did not take the batch: wait and try again, as long as its credits are reserved."""
    backoff = settings.QUEUE_BACKOFF_MS / 1000 * 2 ** min(batch.deferrals, 20)
    wait = max(
        result.retry_after or 0,
        min(backoff, LONGEST_WAIT_SECONDS) * random.uniform(0.5, 1.0),
    )
    until = timezone.now() + timedelta(seconds=wait)
    expires_at = batch.creditreservation.expires_at
    if until >= expires_at:
        _give_up(batch, messages, result.error)
        log.error("%s: Mitto did not take it before its credits ran out", context)
        return "given up"
    if not put_back(
        batch,
        reason=f"Mitto: {result.error}",
        until=until,
        attempts=F("attempts") - 1,
        deferrals=F("deferrals") + 1,
    ):
        _give_up(batch, messages, result.error)
        return "given up"
    log.info("%s: not taken (%s), again in %.1f s", context, result.error, wait)
    return "deferred"


def _give_up(batch: Batch, messages: Sequence[Prepared], error: str) -> None:
    """End a batch that Mitto certainly did not take; also one that was thought unknown."""
    with transaction.atomic():
        held = Batch.objects.select_for_update().filter(
            pk=batch.pk,
            claim_token=batch.claim_token,
            status__in=[BatchStatus.SUBMITTING, BatchStatus.SETTLED],
        )
        if held.exists():
            outcomes.record(
                batch.message_class,
                [Outcome(m.id, MessageStatus.FAILED, None, "not_taken", error) for m in messages],
            )
            held.update(status=BatchStatus.SETTLED, settled_at=timezone.now(), error=error[:500])


def mitto_client() -> mitto.MittoClient:
    """The process's client; it keeps its connection to Mitto open."""
    return _client(
        settings.MITTO_API_BASE,
        settings.MITTO_API_VERSION,
        settings.MITTO_API_KEY,
        settings.MITTO_TRAFFIC_ACCOUNT_ID,
        settings.MITTO_CONNECT_TIMEOUT,
        settings.MITTO_READ_TIMEOUT,
    )


@lru_cache(maxsize=4)
def _client(
    base_url: str, version: str, key: str, account: str, connect: float, read: float
) -> mitto.MittoClient:
    return mitto.MittoClient(
        base_url=base_url,
        api_version=version,
        api_key=key,
        traffic_account_id=account,
        connect_timeout=connect,
        read_timeout=read,
    )
