"""The stop of all sending while Mitto refuses the account (docs/rules.md#stop-of-sending).

There is one Mitto account for all stores, so there is one stop, in one row. While it lasts, batches
stay queued with their credits. At growing intervals one message is sent as a probe; if Mitto
accepts it, sending goes on. What an answer of Mitto means for a batch is in `sending.py`.
"""

from __future__ import annotations

import logging
import uuid
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from astronote.accounts.models import User
from astronote.common import audit
from astronote.common.sql import rows
from astronote.queues import jobs
from messaging import credits
from messaging.batch_queue import SEND_NEXT, backoff_with_jitter, enqueue_send_jobs_on_commit
from messaging.batch_splitting import move_to_new_batch
from messaging.models import Batch, SendingState, message_classes
from messaging.statuses import BatchStatus, MessageStatus

log = logging.getLogger(__name__)

# So many calls refused one after another, by batches of any store, mean that all are refused.
MAX_REFUSED_IN_A_ROW = 10
# What the share of failed and unknown messages is taken of: the newest calls.
RECENT = timedelta(minutes=10)
RECENT_BATCHES, RECENT_MESSAGES, MIN_RECENT_MESSAGES = 100, 5000, 100
ACTOR = "sms worker"  # in the audit trail
PERMISSION = "messaging.change_sendingstate"  # of administrators


class Waiting(NamedTuple):
    """What is not sent yet: messages, and the credits that are held for them."""

    messages: int
    credits: int


def current_stop() -> SendingState | None:
    """The stop that is in force, or None."""
    return SendingState.objects.filter(stopped_at__isnull=False).first()


def count_waiting() -> Waiting:
    """The messages of all open batches, and what they are worth."""
    return Waiting(*rows(COUNT_WAITING)[0])


COUNT_WAITING = """
    SELECT COALESCE(sum(b.size), 0)::bigint,
        COALESCE(sum(r.amount - r.charged - r.released), 0)::bigint
    FROM messaging_batch b LEFT JOIN messaging_creditreservation r ON r.batch_id = b.id
    WHERE b.status IN ('pending', 'claimed', 'submitting')
"""


def describe_stop() -> str:
    """Why sending is stopped, since when, what waits and what happens next; empty if it is not."""
    stop = current_stop()
    if stop is None or stop.stopped_at is None:
        return ""
    waiting = count_waiting()
    sentence = (
        f"Sending is stopped since {stop.stopped_at:%Y-%m-%d %H:%M} UTC: {stop.reason}. "
        f"{waiting.messages:,} messages wait, worth {waiting.credits:,} credits; none is lost."
    )
    if stop.next_probe_at is None:
        return f"{sentence} It goes on when an administrator says so."
    if stop.next_probe_at <= timezone.now():
        return (
            f"{sentence} The next message is tried at once; if Mitto accepts it, sending goes on."
        )
    return (
        f"{sentence} One is tried at {stop.next_probe_at:%H:%M:%S} UTC;"
        " if Mitto accepts it, sending goes on."
    )


def stop_sending(reason: str) -> None:
    """Stop all sending; while it is stopped, only the reason is brought up to date.

    The first probe follows after QUEUE_BACKOFF_MS.
    """
    wait = backoff_with_jitter(0)
    with transaction.atomic():
        [(is_new, next_probe_at)] = rows(STOP_SENDING, [reason[:500], wait])
        if not is_new:
            return
        audit.write_entry("sending stopped", by=ACTOR)
        _enqueue_probe(next_probe_at)
    log.error("%s", describe_stop())


# Within one statement `now()` is one time.
STOP_SENDING = """
    INSERT INTO messaging_sendingstate AS s (id, reason, stopped_at, next_probe_at)
    VALUES (1, %s, now(), now() + %s)
    ON CONFLICT (id) DO UPDATE SET
        reason = EXCLUDED.reason,
        probes = CASE WHEN s.stopped_at IS NULL THEN 0 ELSE s.probes END,
        next_probe_at = CASE WHEN s.stopped_at IS NULL
            THEN EXCLUDED.next_probe_at ELSE s.next_probe_at END,
        stopped_at = COALESCE(s.stopped_at, now())
    RETURNING stopped_at = now(), next_probe_at
"""


def _enqueue_probe(at: datetime) -> None:
    jobs.enqueue_at_on_commit("sms", at, SEND_NEXT, job_id=f"probe-{at.timestamp():.0f}")


def count_refused_call() -> int:
    """Count a call that Mitto refused; return how many were since it last accepted one."""
    count: int = rows(COUNT_REFUSED_CALL)[0][0]
    return count


# A batch that Mitto accepted has no error.
COUNT_REFUSED_CALL = """
    INSERT INTO messaging_sendingstate AS s (id, refused_calls, refused_at) VALUES (1, 1, now())
    ON CONFLICT (id) DO UPDATE SET refused_at = now(), refused_calls = 1 + CASE
        WHEN EXISTS (SELECT FROM messaging_batch
            WHERE settled_at > s.refused_at AND submitted_at IS NOT NULL AND error = '')
        THEN 0 ELSE s.refused_calls END
    RETURNING refused_calls
"""


def stop_if_most_messages_fail(error: str) -> None:
    """Stop sending if too large a share of the newest messages failed or is unknown.

    The share is STOP_SENDING_PERCENT, of the messages of the newest calls: of the last 10 minutes,
    about 5,000 messages at most and 100 at least, and none from before sending last went on.

    Args:
        error: what Mitto answered last.
    """
    if not settings.STOP_SENDING_PERCENT:
        return
    messages = " UNION ALL ".join(
        MESSAGES_OF_BATCHES.format(table=model._meta.db_table) for model in message_classes()
    )
    params = {"period": RECENT, "batches": RECENT_BATCHES, "messages": RECENT_MESSAGES}
    bad, total = rows(COUNT_BAD_MESSAGES.format(messages=messages), params)[0]
    if total >= MIN_RECENT_MESSAGES and bad * 100 >= total * settings.STOP_SENDING_PERCENT:
        last = f" (Mitto's last answer: {error})" if error else ""
        stop_sending(f"{bad:,} of the last {total:,} messages failed or are unknown{last}")


COUNT_BAD_MESSAGES = """
    WITH newest AS (
        SELECT id, size, settled_at FROM messaging_batch
        WHERE settled_at > now() - %(period)s AND submitted_at > COALESCE(
            (SELECT resumed_at FROM messaging_sendingstate), '-infinity')
        ORDER BY settled_at DESC LIMIT %(batches)s
    ), recent AS (
        SELECT id FROM (
            SELECT id, sum(size) OVER (ORDER BY settled_at DESC, id) - size AS newer FROM newest
        ) AS sums WHERE newer < %(messages)s
    )
    SELECT count(*) FILTER (
            WHERE status = 'unknown' OR status = 'failed' AND provider_message_id IS NULL),
        count(*)
    FROM ({messages}) AS m WHERE status NOT IN ('queued', 'skipped')
"""
MESSAGES_OF_BATCHES = """
    SELECT status, provider_message_id FROM {table}
    WHERE batch_id = ANY(ARRAY(SELECT id FROM recent))
"""


@transaction.atomic
def claim_probe() -> Batch | None:
    """Claim one message as a probe, in a batch of its own; None if no probe or batch is due.

    It is of a store picked at random, so that a store whose messages are refused does not keep the
    others waiting, and of that store's least refused batch. The next probe is due after a wait,
    whatever becomes of this one.
    """
    due = SendingState.objects.select_for_update().filter(
        stopped_at__isnull=False, next_probe_at__lte=Now()
    )
    state = due.first()
    if state is None:
        return None
    batch = (
        Batch.objects.select_for_update(skip_locked=True)
        .filter(pk__in=[pk for (pk,) in rows(CHOOSE_PROBE)], status=BatchStatus.PENDING)
        .first()
    )
    if batch is None:
        return None
    queued = batch.message_class.objects.filter(batch=batch, status=MessageStatus.QUEUED)
    first_two = list(queued.order_by("pk").values_list("pk", flat=True)[:2])
    if len(first_two) == 2:
        batch = move_to_new_batch(batch, first_two[:1])
    Batch.objects.filter(pk=batch.pk).update(
        status=BatchStatus.CLAIMED, claim_token=uuid.uuid4(), claimed_at=Now(), waiting_for=""
    )
    batch.refresh_from_db()
    _delay_next_probe(state.probes)
    return batch


CHOOSE_PROBE = """
    SELECT id FROM (
        SELECT DISTINCT ON (owner_id) id FROM messaging_batch
        WHERE status = 'pending' AND (not_before IS NULL OR not_before <= now())
        ORDER BY owner_id, deferrals, turn, id) AS first_of_each_store
    ORDER BY random() LIMIT 1
"""


@transaction.atomic
def delay_next_probe() -> None:
    """Count a probe that Mitto did not accept, and wait longer for the next one."""
    stopped = SendingState.objects.select_for_update().filter(stopped_at__isnull=False)
    state = stopped.first()
    if state is None:
        return
    stopped.update(probes=F("probes") + 1)
    _delay_next_probe(state.probes + 1)
    log.warning("%s", describe_stop())


def _delay_next_probe(probes: int) -> None:
    SendingState.objects.update(next_probe_at=Now() + backoff_with_jitter(probes))
    next_probe_at = SendingState.objects.get().next_probe_at
    assert next_probe_at is not None
    _enqueue_probe(next_probe_at)


@transaction.atomic
def go_on(*, by: User | AnonymousUser | str) -> bool:
    """Let sending go on, enqueue jobs for what is due, and write an audit entry.

    The time of the stop does not count for the life of credit reservations.

    Args:
        by: who says so: an account, or a program whose probe Mitto accepted.

    Returns:
        Whether it was stopped.
    """
    stop = SendingState.objects.select_for_update().filter(stopped_at__isnull=False).first()
    if stop is None or stop.stopped_at is None:
        return False
    credits.prolong_reservations_of_open_batches(stop.stopped_at)
    SendingState.objects.update(
        stopped_at=None,
        reason="",
        refused_calls=0,
        probes=0,
        next_probe_at=None,
        resumed_at=Now(),
    )
    due = Batch.objects.filter(status=BatchStatus.PENDING).exclude(not_before__gt=Now())
    enqueue_send_jobs_on_commit(due.count())
    audit.write_entry("sending goes on", by=by)
    log.warning("sending goes on")
    return True


def count_sendable_batches() -> int:
    """How many due batches may be sent now; while sending is stopped, one if a probe is due."""
    due = Batch.objects.filter(status=BatchStatus.PENDING).exclude(not_before__gt=Now())
    if current_stop() is None:
        return due.count()
    return int(SendingState.objects.filter(next_probe_at__lte=Now()).exists() and due.exists())
