"""Stopping all sending, for a reason, until it may go on (docs/rules.md#sending-stops).

While a reason stands, no batch is claimed. Each reason has a row, so several can stand at once and
each ends on its own. While Mitto refuses the account, one message is sent as a probe at growing
intervals; if Mitto accepts it, that reason ends. The others are ended by a person, and while one of
them stands there is no probe. What an answer of Mitto means for a batch is in `sending.py`; how an
older database is found out is in `database_age.py`.
"""

from __future__ import annotations

import logging
import uuid
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from astronote.accounts.models import User
from astronote.common import audit
from astronote.common.audit import account_id_or_program_name
from astronote.common.counts import format_count
from astronote.common.sql import database_now, rows
from astronote.common.store_clock import format_time_with_zone_name
from astronote.operations.registry import Notice
from astronote.queues import jobs
from messaging import credits
from messaging.batch_queue import (
    SEND_NEXT,
    enqueue_send_jobs_on_commit,
    exponential_backoff_with_jitter,
    pending_batches_due_now,
)
from messaging.batch_splitting import move_queued_and_credits_to_new_batch
from messaging.models import Batch, SendingState, SendingStop, message_classes
from messaging.statuses import BatchStatus, MessageStatus, StopReason

log = logging.getLogger(__name__)

# What to do about a reason that a person ends, after the sentence that says why sending is stopped.
WAYS_ON = {
    StopReason.DATABASE_OLDER: _("Run manage.py after_restore, or do it under Sending stops."),
    StopReason.RESTORED: (
        _(
            "Look at the scheduled campaigns and the unknown messages, then run"
            " manage.py sending go-on restored, or do it under Sending stops."
        )
    ),
    StopReason.MISMATCHED_IDS: (
        _(
            "Receipts may count for the wrong people. Ask Mitto whether its answers keep the order"
            " of the call, then run manage.py sending go-on mismatched_ids, or do it under Sending"
            " stops."
        )
    ),
}
# A person cannot let sending go on while one of these stands: something must be done first.
NOT_ENDED_BY_A_PERSON = (StopReason.DATABASE_OLDER,)
# So many calls refused one after another, by batches of any store, mean that all are refused.
MAX_REFUSED_IN_A_ROW = 10
# What the share of failed and unknown messages is taken of: the newest calls.
RECENT = timedelta(minutes=10)
RECENT_BATCHES, RECENT_MESSAGES, MIN_RECENT_MESSAGES = 100, 5000, 100
ACTOR = "sms worker"  # in the audit trail
PERMISSION = "messaging.change_sendingstop"  # of administrators


class CannotGoOn(Exception):
    """Sending cannot go on for a reason that the text gives."""


class Waiting(NamedTuple):
    """What is not sent yet: messages, and the credits that are held for them."""

    messages: int
    credits: int


def count_waiting_messages_and_credits() -> Waiting:
    """The messages of all open batches, and what they are worth."""
    return Waiting(*rows(COUNT_WAITING)[0])


COUNT_WAITING = """
    SELECT COALESCE(sum(b.size), 0)::bigint,
        COALESCE(sum(r.amount - r.charged - r.released), 0)::bigint
    FROM messaging_batch b LEFT JOIN messaging_creditreservation r ON r.batch_id = b.id
    WHERE b.status IN ('pending', 'claimed', 'submitting')
"""


def describe_stop(stop: SendingStop) -> str:
    """Say why sending is stopped, since when, by whom, what waits and how it goes on."""
    waiting = count_waiting_messages_and_credits()
    zone = timezone.get_current_timezone_name()
    sentences = [
        gettext("Sending is stopped since %(since)s by %(by)s: %(reason)s.")
        % {"since": format_time_with_zone_name(stop.since, zone), "by": stop.by, "reason": stop},
        stop.details and f"{stop.details}.",
        ngettext(
            "%(count)s message waits, worth %(credits)s.",
            "%(count)s messages wait, worth %(credits)s.",
            waiting.messages,
        )
        % {
            "count": format_count(waiting.messages),
            "credits": ngettext("%(count)s credit", "%(count)s credits", waiting.credits)
            % {"count": format_count(waiting.credits)},
        },
        _describe_how_sending_goes_on(stop, waiting),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def _describe_how_sending_goes_on(stop: SendingStop, waiting: Waiting) -> str:
    if stop.next_probe_at is None:
        return str(WAYS_ON[StopReason(stop.reason)])
    if _does_stop_without_probes_stand():
        return gettext("None is lost. One is tried once sending is stopped for this reason alone.")
    if not waiting.messages:
        return gettext(
            "The first message that waits is tried; if Mitto accepts it, sending goes on."
        )
    if stop.next_probe_at <= database_now():
        return gettext("None is lost. One is tried at once; if Mitto accepts it, sending goes on.")
    at, zone = timezone.localtime(stop.next_probe_at), timezone.get_current_timezone_name()
    return gettext(
        "None is lost. One is tried at %(time)s %(zone)s; if Mitto accepts it, sending goes on."
    ) % {"time": f"{at:%H:%M:%S}", "zone": zone}


def _does_stop_without_probes_stand() -> bool:
    """Whether a stop stands that no probe ends; then there is no probe."""
    return SendingStop.objects.filter(next_probe_at__isnull=True).exists()


def describe_stops() -> list[str]:
    """Each reason for which sending is stopped, in words; empty if it is not."""
    return [describe_stop(stop) for stop in SendingStop.objects.order_by("since")]


def stop_notices() -> list[Notice]:
    """The same with the address of the page that lets sending go on, for the banner."""
    return [
        Notice(describe_stop(stop), reverse("admin:messaging_sendingstop_change", args=[stop.pk]))
        for stop in SendingStop.objects.order_by("since")
    ]


def is_stopped_by_old_or_restored_database() -> bool:
    """Whether sending is stopped since rows may be older than what was sent."""
    return SendingStop.objects.filter(
        reason__in=[StopReason.DATABASE_OLDER, StopReason.RESTORED]
    ).exists()


@transaction.atomic
def stop_sending(reason: StopReason, *, by: User | AnonymousUser | str, details: str = "") -> None:
    """Stop all sending for a reason; if it stands already, only its details change.

    If Mitto refuses the account, the first probe follows after QUEUE_BACKOFF_MS.

    Args:
        reason: why.
        by: who stops it, for the audit trail.
        details: what else people should read, a sentence without its full stop.
    """
    wait = exponential_backoff_with_jitter(0) if reason == StopReason.ACCOUNT_REFUSED else None
    [(is_new, next_probe_at)] = rows(
        STOP_SENDING, [reason.value, account_id_or_program_name(by), details[:500], wait]
    )
    if not is_new:
        return
    audit.write_entry("sending stopped", by=by, reason=reason.value)
    if next_probe_at:
        _enqueue_probe(next_probe_at)
    log.error("%s", describe_stop(SendingStop.objects.get(reason=reason)))


# Within one statement `now()` is one time.
STOP_SENDING = """
    INSERT INTO messaging_sendingstop AS s (reason, by, details, since, next_probe_at)
    VALUES (%s, %s, %s, now(), now() + %s::interval)
    ON CONFLICT (reason) DO UPDATE SET details = EXCLUDED.details
    RETURNING since = now(), next_probe_at
"""


def _enqueue_probe(at: datetime) -> None:
    jobs.enqueue_delayed_on_commit("sms", at, SEND_NEXT, job_id=f"probe-{at.timestamp():.0f}")


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


def stop_if_recent_failures_exceed_limit(error: str) -> None:
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
        stop_sending(
            StopReason.ACCOUNT_REFUSED,
            by=ACTOR,
            details=f"{bad:,} of the last {total:,} messages failed or are unknown{last}",
        )


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
def claim_one_message_as_probe() -> Batch | None:
    """Claim one message as a probe, in a batch of its own; None if no probe or batch is due.

    It is of a store picked at random, so that a store whose messages are refused does not keep the
    others waiting, and of that store's least refused batch. The next probe is due after a wait,
    whatever becomes of this one. There is no probe while a person must end another stop.
    """
    due = SendingStop.objects.select_for_update().filter(next_probe_at__lte=Now())
    stop = due.first()
    if stop is None or _does_stop_without_probes_stand():
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
        batch = move_queued_and_credits_to_new_batch(batch, first_two[:1], probe_of=batch.pk)
    Batch.objects.filter(pk=batch.pk).update(
        status=BatchStatus.CLAIMED, claim_token=uuid.uuid4(), claimed_at=Now(), waiting_for=""
    )
    batch.refresh_from_db()
    _save_and_enqueue_next_probe(stop)
    return batch


CHOOSE_PROBE = """
    SELECT id FROM (
        SELECT DISTINCT ON (owner_id) id FROM messaging_batch
        WHERE status = 'pending' AND (not_before IS NULL OR not_before <= now())
            AND NOT EXISTS (SELECT FROM astronote_user store
                WHERE store.id = owner_id AND store.left_at IS NOT NULL)
        ORDER BY owner_id, deferrals, turn, id) AS first_of_each_store
    ORDER BY random() LIMIT 1
"""


@transaction.atomic
def count_refused_probe_and_delay_next() -> None:
    """Count a probe that Mitto did not accept, and wait longer for the next one."""
    stops = SendingStop.objects.select_for_update().filter(next_probe_at__isnull=False)
    stop = stops.first()
    if stop is None:
        return
    stop.probes += 1
    _save_and_enqueue_next_probe(stop)
    log.warning("%s", describe_stop(stop))


def _save_and_enqueue_next_probe(stop: SendingStop) -> None:
    stop.next_probe_at = database_now() + exponential_backoff_with_jitter(stop.probes)
    stop.save(update_fields=["probes", "next_probe_at"])
    _enqueue_probe(stop.next_probe_at)


def resume_sending(reason: StopReason, *, by: User | AnonymousUser | str) -> None:
    """End a reason because a person says so.

    Raises:
        CannotGoOn: if the reason does not stand, or is not ended by a person.
    """
    if reason in NOT_ENDED_BY_A_PERSON:
        raise CannotGoOn(f"{reason.label}. {WAYS_ON[reason]}")
    if not end_stop(reason, by=by):
        raise CannotGoOn(
            gettext("sending is not stopped for this reason: %(reason)s") % {"reason": reason.value}
        )


@transaction.atomic
def end_stop(reason: StopReason, *, by: User | AnonymousUser | str) -> bool:
    """End a reason, enqueue jobs for what may be sent then, and write an audit entry.

    The time for which sending was stopped does not count for the life of credit reservations.

    Args:
        reason: which stop ends.
        by: who says so: an account, or a program such as the probe that Mitto accepted.

    Returns:
        Whether it stood.
    """
    stop = SendingStop.objects.select_for_update().filter(reason=reason).first()
    if stop is None:
        return False
    since = stop.since
    stop.delete()
    # From then on another stop counts, when it ends.
    other = SendingStop.objects.order_by("since").first()
    credits.prolong_reservations_of_open_batches(since, other.since if other else database_now())
    SendingState.objects.update_or_create(pk=1, defaults={"refused_calls": 0, "resumed_at": Now()})
    enqueue_send_jobs_on_commit(count_due_batches_allowed_by_stop())
    audit.write_entry("sending goes on", by=by, reason=reason.value)
    log.warning("sending goes on: %s has ended", reason.value)
    return True


def count_due_batches_allowed_by_stop() -> int:
    """How many due batches may be sent now; while sending is stopped, one if a probe is due."""
    if not SendingStop.objects.exists():
        return pending_batches_due_now().count()
    is_probe_due = SendingStop.objects.filter(next_probe_at__lte=Now()).exists()
    return int(
        is_probe_due
        and not _does_stop_without_probes_stand()
        and pending_batches_due_now().exists()
    )
