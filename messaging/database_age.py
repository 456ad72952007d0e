"""Finding out that PostgreSQL is older than what was sent, and what was sent since then.

A restored backup, or a replica that lagged, has batches as pending that Mitto has. So every
submission gets a number: PostgreSQL counts it in the transaction that marks the batch as
submitting, and Redis is told number and batch before the call. PostgreSQL is older if its next
number is not above all that Redis knew before the transaction. Beside the number stands in which
database it was counted: in another one, as after a restore or a failover, PostgreSQL counts as
older unless Redis knows exactly as many submissions. Then sending stops
(docs/rules.md#after-a-restore).
"""

from __future__ import annotations

import logging
from typing import NamedTuple

from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.db.models import Value
from django.db.models.functions import Coalesce, Now
from django.utils.translation import gettext, ngettext
from redis.exceptions import RedisError

from astronote.accounts.models import User
from astronote.common import audit
from astronote.common.counts import format_count
from astronote.common.sql import execute, rows
from astronote.queues import jobs
from messaging import outcomes, sending_stop
from messaging.models import Batch, BatchId, MessageCount
from messaging.outcomes import Outcome
from messaging.statuses import (
    OPEN_BATCH_STATUSES,
    BatchStatus,
    MessageStatus,
    Reason,
    StopReason,
)

log = logging.getLogger(__name__)

SUBMISSIONS_KEY = "astronote:submissions"  # a sorted set of `batches:number`, by number
SUBMISSIONS_KEPT = 100_000
ERROR = "it may have been sent after the backup was made"


class DatabaseIsOlder(Exception):
    """PostgreSQL has not counted submissions that Redis knows, or may have forgotten some."""


def newest_submission_number_in_redis() -> int:
    """The highest number that Redis knows; 0 if it knows none.

    Raises:
        RedisError: if Redis cannot be reached.
    """
    newest = jobs.redis_connection().zrange(SUBMISSIONS_KEY, -1, -1, withscores=True)
    return int(newest[0][1]) if newest else 0


def begin_submission(batch: Batch, *, newest_in_redis: int) -> int | None:
    """Mark a claimed batch as submitting and count the submission, in the caller's transaction.

    Other submissions wait for the counter's row until the commit, so that numbers are committed in
    their order: one that Redis knew before the transaction is always lower. So little may follow.

    Args:
        batch: as it was claimed.
        newest_in_redis: `newest_submission_number_in_redis` from before the transaction.

    Returns:
        The number of the submission; None if the claim was lost or sending is stopped.

    Raises:
        DatabaseIsOlder: if the number is not above `newest_in_redis`, or the numbers before it were
            counted in another database and `newest_in_redis` is not the last of them. The
            transaction must be rolled back.
    """
    marked = rows(MARK_SUBMITTING, [batch.attempts + 1, batch.pk, batch.claim_token])
    if not marked:
        return None
    number: int
    number, is_other_database = marked[0]
    _raise_if_older_or_in_other_database(number - 1, newest_in_redis, is_other_database)
    if is_other_database:
        execute(SAVE_DATABASE_IDENTITY)
    return number


def _raise_if_older_or_in_other_database(
    counted_in_postgres: int, newest_in_redis: int, is_other_database: bool
) -> None:
    counts = {"postgres": counted_in_postgres, "redis": newest_in_redis}
    if is_other_database and (newest_in_redis == 0 or counted_in_postgres != newest_in_redis):
        problem = gettext(
            "the database was restored or moved, PostgreSQL has counted %(postgres)s submissions,"
            " Redis %(redis)s"
        )
        raise DatabaseIsOlder(problem % counts)
    if counted_in_postgres < newest_in_redis:
        problem = gettext("PostgreSQL has counted %(postgres)s submissions, Redis %(redis)s")
        raise DatabaseIsOlder(problem % counts)


def stop_sending_if_database_is_older() -> None:
    """Stop all sending if PostgreSQL is older than what was sent, before new messages are written.

    What was sent since a backup would be written again: a campaign that was scheduled, birthdays.
    If Redis cannot be reached, the first submission finds it out.
    """
    try:
        newest_in_redis = (
            newest_submission_number_in_redis()
        )  # asked first: PostgreSQL had counted this before
    except RedisError:
        return
    counted, is_other_database = rows(COUNTED)[0]
    try:
        _raise_if_older_or_in_other_database(counted, newest_in_redis, is_other_database)
    except DatabaseIsOlder as error:
        stop_sending_as_database_is_older(error)


# Of the server, its timeline, which changes when a replica takes over or a server is recovered to a
# moment, the database and the table, which a restored dump makes anew.
DATABASE_IDENTITY = """
    (SELECT concat_ws(' ', system_identifier, left(pg_walfile_name(pg_current_wal_lsn()), 8),
        (SELECT oid FROM pg_database WHERE datname = current_database()),
        'messaging_submissioncounter'::regclass::oid)
    FROM pg_control_system())
"""
COUNTED = f"""
    SELECT COALESCE(max(number), 0),
        COALESCE(bool_or(database_identity <> {DATABASE_IDENTITY}), false)
    FROM messaging_submissioncounter
"""
SAVE_DATABASE_IDENTITY = f"""
    UPDATE messaging_submissioncounter SET database_identity = {DATABASE_IDENTITY}
"""
# A probe is submitted while sending is stopped for the reason that it may end.
MARK_SUBMITTING = f"""
    WITH counted AS (
        INSERT INTO messaging_submissioncounter AS c (id, number, database_identity)
        VALUES (1, 1, {DATABASE_IDENTITY})
        ON CONFLICT (id) DO UPDATE SET number = c.number + 1
        RETURNING number, database_identity <> {DATABASE_IDENTITY} AS is_other_database)
    UPDATE messaging_batch b
    SET status = 'submitting', attempts = %s, submitted_at = statement_timestamp()
    FROM counted
    WHERE b.id = %s AND b.claim_token = %s AND b.status = 'claimed'
        AND NOT EXISTS (SELECT FROM messaging_sendingstop WHERE next_probe_at IS NULL)
    RETURNING counted.number, counted.is_other_database
"""


def record_submission_in_redis(number: int, batch: Batch) -> None:
    """Tell Redis of a submission whose transaction was committed, before the call.

    An older database has the message of a probe in the batch that it was taken from, so that is
    told as well.

    Raises:
        RedisError: if Redis cannot be reached.
    """
    ids = f"{batch.pk},{batch.probe_of}" if batch.probe_of else f"{batch.pk}"
    with jobs.redis_connection().pipeline() as pipeline:
        pipeline.zadd(SUBMISSIONS_KEY, {f"{ids}:{number}": number})
        pipeline.zremrangebyrank(SUBMISSIONS_KEY, 0, -SUBMISSIONS_KEPT - 1)
        pipeline.execute()


class SubmittedSince(NamedTuple):
    """The batches that Redis saw submitted and PostgreSQL did not; None if Redis lacks some."""

    batch_ids: list[int] | None
    newest: int


def find_batches_submitted_since_backup() -> SubmittedSince:
    """Compare Redis with PostgreSQL, number by number.

    Raises:
        RedisError: if Redis cannot be reached.
    """
    counted = rows("SELECT COALESCE(max(number), 0) FROM messaging_submissioncounter")[0][0]
    newest = newest_submission_number_in_redis()
    since = jobs.redis_connection().zrange(SUBMISSIONS_KEY, f"({counted}", "+inf", byscore=True)
    batch_ids = sorted({int(pk) for member in since for pk in member.split(b":")[0].split(b",")})
    is_complete = 0 < newest >= counted and len(since) == newest - counted
    return SubmittedSince(batch_ids if is_complete else None, newest)


class Restored(NamedTuple):
    """How many batches were given up as unknown, with how many messages."""

    batches: int
    messages: int

    @property
    def sentence(self) -> str:
        """The same for people."""
        batches = ngettext("%(count)s batch", "%(count)s batches", self.batches) % {
            "count": format_count(self.batches)
        }
        return ngettext(
            "%(count)s message in %(batches)s is unknown",
            "%(count)s messages in %(batches)s are unknown",
            self.messages,
        ) % {"count": format_count(self.messages), "batches": batches}


def stop_and_mark_unknown_after_restore(
    *, by: User | AnonymousUser | str, every_open_batch: bool = False
) -> Restored:
    """Stop all sending after a restore, and mark as unknown what may have been sent since.

    That is what was being submitted when the backup was made, and what Redis saw submitted since
    then. If Redis does not know every submission since then, it is every batch that is open: each
    may have been sent. A second call finds nothing more to do.

    Args:
        by: who declares it, for the audit trail.
        every_open_batch: do not ask Redis, as when it lost data as well; every open batch counts.

    Raises:
        RedisError: if Redis cannot be reached; nothing has changed then.
    """
    since = find_batches_submitted_since_backup()
    sending_stop.stop_sending(StopReason.RESTORED, by=by)
    open_batches = Batch.objects.filter(status__in=OPEN_BATCH_STATUSES)
    if since.batch_ids is None or every_open_batch:
        chosen = open_batches
    else:
        chosen = open_batches.filter(pk__in=since.batch_ids) | open_batches.filter(
            status=BatchStatus.SUBMITTING
        )
    batches = messages = 0
    for batch_id in list(chosen.order_by("pk").values_list("pk", flat=True)):
        given_up = _settle_open_batch_as_unknown(batch_id)
        batches += given_up is not None
        messages += given_up or 0
    with transaction.atomic():
        execute(RAISE_COUNTER, [since.newest])
        sending_stop.end_stop(StopReason.DATABASE_OLDER, by=by)
        audit.write_entry(
            "after restore",
            by=by,
            batches=batches,
            messages=messages,
            redis_was_complete=since.batch_ids is not None,
        )
    return Restored(batches, messages)


# From here on PostgreSQL is not older any more.
RAISE_COUNTER = f"""
    INSERT INTO messaging_submissioncounter AS c (id, number, database_identity)
    VALUES (1, %s, {DATABASE_IDENTITY})
    ON CONFLICT (id) DO UPDATE SET number = greatest(c.number, EXCLUDED.number),
        database_identity = EXCLUDED.database_identity
"""


@transaction.atomic
def _settle_open_batch_as_unknown(batch_id: BatchId | int) -> MessageCount | None:
    """Settle an open batch with its queued messages unknown; return how many, None if it ended."""
    batch = (
        Batch.objects.select_for_update()
        .filter(pk=batch_id, status__in=OPEN_BATCH_STATUSES)
        .first()
    )
    if batch is None:
        return None
    model = batch.message_class
    queued = model.objects.filter(batch=batch, status=MessageStatus.QUEUED)
    # The claim's token stays: an answer that a living worker still gets is true of its messages.
    # A receipt is matched with messages that were submitted before it.
    Batch.objects.filter(pk=batch_id).update(
        status=BatchStatus.SETTLED,
        submitted_at=Coalesce("submitted_at", "created_at"),
        settled_at=Now(),
        not_before=None,
        waiting_for=Value(""),
        error=ERROR,
    )
    return outcomes.record_outcomes_and_settle_credits(
        model,
        [
            Outcome(pk, MessageStatus.UNKNOWN, None, Reason.NO_ANSWER, ERROR)
            for pk in queued.values_list("pk", flat=True)
        ],
        batches_locked=True,
    )


def stop_sending_as_database_is_older(error: DatabaseIsOlder) -> None:
    """Stop all sending."""
    sending_stop.stop_sending(StopReason.DATABASE_OLDER, by="guard", details=f"{error}")
