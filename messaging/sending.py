"""Sending one batch: claim, check again, submit once, settle (design, Sending).

Everything here can be run twice, late or by two workers at once: the batch's row and its claim
token decide who goes on. No transaction is open while Mitto is being called.
"""

from __future__ import annotations

import logging
import random
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from contacts import jobs
from contacts.consent import CONSENT_COLUMN, sending_window, suppressed
from contacts.logs import log_context
from contacts.models import MessageType
from messaging import guards, metrics, mitto, outcomes, rate_limits
from messaging.guards import NotYet
from messaging.models import Batch, BatchStatus, MessageStatus
from messaging.outcomes import Outcome

log = logging.getLogger(__name__)

SEND_NEXT = "messaging.tasks.send_next_batch"
LONGEST_WAIT_SECONDS = 900
# Between reading consent and calling Mitto; far less than an opt-out waits for a call to end.
STALE_SECONDS = 30
FOREVER = datetime(9999, 1, 1, tzinfo=UTC)


class Prepared(NamedTuple):
    """A message about to be sent."""

    id: int
    to: str
    text: str


def send_next() -> str:
    """Send the waiting batch whose turn it is; return in a word what became of it."""
    batch = claim()
    if batch is None:
        return "nothing waits"
    with log_context(batch=batch.pk, store=batch.owner_id, **{batch.kind: batch.source_id}):
        verdict = batch.message_class.verdict(batch)
        if verdict.for_good:
            drop([batch.pk], code="cancelled")
            return "dropped"
        if not verdict.may_send:
            put_back(batch, reason=verdict.reason, until=FOREVER)
            return "held back"
        try:
            return _send(batch)
        except NotYet as early:
            return _delay(batch, early)


def _send(batch: Batch) -> str:
    if batch.message_class.to_contacts:
        guards.check_quiet_hours(batch)
    rate_limits.wait_for_turn(batch)
    with sending_window(batch.owner_id):
        began = time.monotonic()
        messages = begin_submitting(batch)
        if not messages:
            return "nothing to send"
        sms = [mitto.OutgoingSms(message.to, message.text, batch.sender) for message in messages]
        if time.monotonic() - began > STALE_SECONDS:
            # This process was stopped: by now an opt-out may have gone on without us.
            return settle(batch, messages, mitto.NotTaken("the worker was stopped before the call"))
        with metrics.timed_call() as call:
            result = call.result = mitto_client().send_bulk(sms)
        return settle(batch, messages, result)


def claim() -> Batch | None:
    """Take the waiting batch whose turn it is, with a fresh token; None if none is due."""
    return next(iter(Batch.objects.raw(CLAIM, [uuid.uuid4()])), None)


# One row, by the partial index on turn. A batch that somebody else is taking is passed over.
CLAIM = """
    UPDATE messaging_batch
    SET status = 'claimed', claim_token = %s, claimed_at = now(), waiting_for = ''
    WHERE id = (
        SELECT id FROM messaging_batch
        WHERE status = 'pending' AND (not_before IS NULL OR not_before <= now())
        ORDER BY turn, id
        LIMIT 1
        FOR UPDATE SKIP LOCKED)
    RETURNING *
"""


def next_turn() -> int:
    """The turn of a batch that joins the line now.

    The batches of a campaign get turns one after the other from here on, so that campaigns take
    turns: one with a thousand batches does not hold up another's single one.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COALESCE(min(turn), 0) FROM messaging_batch "
            "WHERE status = 'pending' AND (not_before IS NULL OR not_before <= now())"
        )
        return cursor.fetchone()[0]


def release(**of: Any) -> int:
    """Let the waiting batches with these fields go on now, in the order of their turns."""
    with transaction.atomic():
        ids = list(
            Batch.objects.select_for_update()
            .filter(status=BatchStatus.PENDING, **of)
            .order_by("turn", "pk")
            .values_list("pk", flat=True)
        )
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE messaging_batch b SET not_before = NULL, waiting_for = '', turn = t.turn "
                "FROM unnest(%s::bigint[], %s::bigint[]) AS t (id, turn) WHERE b.id = t.id",
                [ids, list(range(start := next_turn(), start + len(ids)))],
            )
        jobs.enqueue_times("sms", SEND_NEXT, len(ids))
    return len(ids)


def hold(reason: str, **of: Any) -> int:
    """Let the waiting batches with these fields wait until they are released."""
    return Batch.objects.filter(status=BatchStatus.PENDING, **of).update(
        not_before=FOREVER, waiting_for=reason[:200]
    )


def drop(batch_ids: Sequence[int], *, code: str) -> int:
    """End batches that were not sent: their messages are skipped and their credits given back.

    A batch being prepared is taken from its worker; one that is being submitted is left alone.
    """
    dropped = 0
    for batch_id in batch_ids:
        with transaction.atomic():
            held = Batch.objects.select_for_update().filter(
                pk=batch_id, status__in=[BatchStatus.PENDING, BatchStatus.CLAIMED]
            )
            batch = held.first()
            if batch is None:
                continue
            queued = batch.message_class.objects.filter(batch=batch, status=MessageStatus.QUEUED)
            outcomes.record(
                batch.message_class,
                [
                    Outcome(pk, MessageStatus.SKIPPED, error_code=code)
                    for pk in queued.values_list("pk", flat=True)
                ],
                locked=True,
            )
            Batch.objects.filter(pk=batch_id).update(
                status=BatchStatus.CANCELLED, settled_at=timezone.now(), waiting_for=""
            )
            dropped += 1
    return dropped


def put_back(batch: Batch, *, reason: str, until: datetime, **changes) -> bool:
    """Return a batch that was not sent to the waiting ones; it is tried again at `until`."""
    returned = Batch.objects.filter(
        pk=batch.pk,
        claim_token=batch.claim_token,
        status__in=[BatchStatus.CLAIMED, BatchStatus.SUBMITTING],
    ).update(
        status=BatchStatus.PENDING,
        claim_token=None,
        claimed_at=None,
        submitted_at=None,
        not_before=until,
        waiting_for=reason[:200],
        **changes,
    )
    if returned and until != FOREVER:
        # One job for each attempt: an earlier one of this batch may still be another's only hint.
        job_id = f"batch-{batch.pk}-{batch.claim_token}"
        jobs.enqueue_at("sms", until, SEND_NEXT, job_id=job_id)
    return bool(returned)


def _delay(batch: Batch, early: NotYet) -> str:
    """Put back what a guard delays; what it delays beyond the batch's life is skipped."""
    life = timedelta(hours=settings.CAMPAIGN_LIFE_HOURS)
    if early.until > batch.created_at + life:
        drop([batch.pk], code="too_late")
        log.warning("skipped: it %s, longer than its life", early)
        return "too late"
    put_back(batch, reason=early.reason, until=early.until)
    log.info("%s", early)
    return "delayed"


def begin_submitting(batch: Batch) -> list[Prepared]:
    """Skip those who must not be messaged, mark the rest as being submitted, return them.

    An empty list means that nothing is left to send, or that the claim was lost.

    Raises:
        NotYet: if a cap of the store delays the batch.
    """
    model = batch.message_class
    with transaction.atomic():
        if guards.caps_apply():
            guards.lock_caps(batch.owner_id)
            guards.check_owner_caps(batch)
        mine = Batch.objects.filter(
            pk=batch.pk, claim_token=batch.claim_token, status=BatchStatus.CLAIMED
        )
        if not mine.update(
            status=BatchStatus.SUBMITTING,
            attempts=batch.attempts + 1,
            submitted_at=timezone.now(),
        ):
            return []
        column = CONSENT_COLUMN[batch.message_type]
        rows = list(
            model.objects.filter(batch=batch, status=MessageStatus.QUEUED)
            .order_by("pk")
            .values_list("pk", "to", "text", "contact", f"contact__{column}", "contact__phone")
        )
        barred: set[str] = set()
        over: set[int] = set()
        if batch.message_type == MessageType.MARKETING:
            barred = suppressed(batch.owner_id, (row[1] for row in rows))
            if model.to_contacts:
                over = guards.over_contact_caps([row[3] for row in rows], beside=batch.pk)
        messages, skipped = [], []
        for pk, to, text, contact_id, consents, phone in rows:
            # A contact that was anonymised, or given another number, must not be messaged.
            if to in barred or (model.to_contacts and not (consents and phone == to)):
                skipped.append(Outcome(pk, MessageStatus.SKIPPED, error_code="opted_out"))
            elif contact_id in over:
                skipped.append(Outcome(pk, MessageStatus.SKIPPED, error_code=guards.CONTACT_CAP))
            else:
                messages.append(Prepared(pk, to, text))
        outcomes.record(model, skipped, locked=True)
        if messages:
            batch.attempts += 1
        else:
            Batch.objects.filter(pk=batch.pk).update(
                status=BatchStatus.SETTLED, settled_at=timezone.now(), attempts=batch.attempts,
                submitted_at=batch.submitted_at,
            )  # fmt: skip
    return messages


def settle(batch: Batch, messages: Sequence[Prepared], result: mitto.SendResult) -> str:
    """Write down what Mitto answered, for the whole batch in one transaction."""
    match result:
        case mitto.NotTaken():
            return _defer(batch, messages, result)
        case mitto.Ambiguous() if batch.attempts < settings.QUEUE_ATTEMPTS:
            return _resend(batch, result)
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
            log.warning("Mitto refused it (%s): %s", code, result.error)
        case mitto.Ambiguous():
            recorded = [
                Outcome(message.id, MessageStatus.UNKNOWN, None, "no_answer", result.error)
                for message in messages
            ]
            word = "unknown"
            log.warning("no clear answer, the messages are unknown: %s", result.error)
    with transaction.atomic():
        # A batch that was given up meanwhile is settled already and keeps our token; what Mitto
        # said late is still the truth about its messages.
        mine = Batch.objects.filter(
            pk=batch.pk,
            claim_token=batch.claim_token,
            status__in=[BatchStatus.SUBMITTING, BatchStatus.SETTLED],
        )
        if not mine.update(
            status=BatchStatus.SETTLED,
            settled_at=Coalesce("settled_at", Now()),
            provider_bulk_id=getattr(result, "bulk_id", None),
            error=getattr(result, "error", "")[:500],
        ):
            log.error("claim lost after the call to Mitto")
            return "claim lost"
        outcomes.record(batch.message_class, recorded, locked=True)
    log.info("%s, %s messages", word, len(messages))
    return word


def _defer(batch: Batch, messages: Sequence[Prepared], result: mitto.NotTaken) -> str:
    """Mitto did not take the batch: wait and try again, as long as its credits are reserved."""
    until = timezone.now() + max(
        timedelta(seconds=result.retry_after or 0), _backoff(batch.deferrals)
    )
    if until >= batch.creditreservation.expires_at:
        _give_up(batch, messages, result.error)
        log.error("Mitto did not take it before its credits ran out")
        return "given up"
    if not put_back(
        batch,
        reason=f"Mitto ({result.error})",
        until=until,
        attempts=batch.attempts - 1,
        deferrals=F("deferrals") + 1,
    ):
        _give_up(batch, messages, result.error)
        return "given up"
    log.info("not taken (%s), again at %s", result.error, until)
    return "deferred"


def _resend(batch: Batch, result: mitto.Ambiguous) -> str:
    """QUEUE_ATTEMPTS above 1: send again what Mitto may have taken, knowing that it repeats."""
    until = timezone.now() + _backoff(batch.attempts - 1)
    if not put_back(batch, reason=f"attempt {batch.attempts + 1} ({result.error})", until=until):
        log.error("claim lost after the call to Mitto")
        return "claim lost"
    log.warning(
        "no clear answer (%s): attempt %s of %s follows and may repeat messages",
        result.error,
        batch.attempts + 1,
        settings.QUEUE_ATTEMPTS,
    )
    return "resent later"


def _backoff(tries: int) -> timedelta:
    """Doubled with each try, with jitter, at most LONGEST_WAIT_SECONDS."""
    wait = min(settings.QUEUE_BACKOFF_MS / 1000 * 2 ** min(tries, 20), LONGEST_WAIT_SECONDS)
    return timedelta(seconds=wait * random.uniform(0.5, 1.0))


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
                locked=True,
            )
            held.update(
                status=BatchStatus.SETTLED,
                settled_at=Coalesce("settled_at", Now()),
                error=error[:500],
            )


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
