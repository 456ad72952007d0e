"""Sending one batch: check again, submit once, settle (docs/rules.md#batches).

Each function may run twice, late or in two workers at once: the batch's row and its claim token
decide who continues. No transaction is open while Mitto is being called. Claiming and returning to
the queue are in `batch_queue.py`, the HTTP client in `mitto.py`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, F, QuerySet
from django.db.models.functions import Coalesce, Now
from redis.exceptions import RedisError

from astronote.common.logs import log_context
from astronote.common.sql import CONNECTION_ERRORS, database_now, repeat_while_connection_is_lost
from contacts.consent import CONSENT_COLUMN
from contacts.marketing_blocks import MarketingBlocks, marketing_blocks
from contacts.models import MessageType
from contacts.restriction import restricted_phones
from contacts.sending_window import sending_window
from messaging import (
    call_metrics,
    database_age,
    limits,
    mitto,
    outcomes,
    rate_limits,
    sending_stop,
    waiting_stops,
)
from messaging.batch_queue import (
    HELD,
    cancel_unsent_batches,
    claim_next_batch,
    exponential_backoff_with_jitter,
    return_to_queue,
)
from messaging.batch_splitting import (
    halve_batch,
    was_any_part_accepted_by_mitto,
)
from messaging.database_age import DatabaseIsOlder
from messaging.limits import Postponed
from messaging.models import Batch, MessageId
from messaging.outcomes import Outcome
from messaging.statuses import (
    SUBMITTED_BATCH_STATUSES,
    BatchStatus,
    MessageStatus,
    Reason,
    StopReason,
    refused_call_error_code,
)

log = logging.getLogger(__name__)

# From reading consent to the call; less than an opt-out waits for open sending windows.
MAX_CONSENT_AGE_SECONDS = 1


class BatchResult(StrEnum):
    """What one attempt to send a batch came to."""

    NONE_DUE = "none due"  # or all sending is stopped, and no probe is due
    DROPPED = "dropped"
    HELD = "held"
    POSTPONED = "postponed"
    TOO_LATE = "too late"
    NOTHING_TO_SEND = "nothing to send"  # all messages were skipped, or the claim was lost
    ACCEPTED = "accepted"
    REFUSED = "refused"
    HALVED = "halved"  # Mitto refused the call; the halves are sent in calls of their own
    ACCOUNT_REFUSED = "account refused"  # all sending is stopped, the batch waits
    UNKNOWN = "unknown"
    DEFERRED = "deferred"  # Mitto did not accept the call; it is repeated later
    RESEND_QUEUED = "resend queued"  # no clear answer, and QUEUE_ATTEMPTS allows another attempt
    GIVEN_UP = "given up"
    CLAIM_LOST = "claim lost"
    STOPPED = "stopped"  # all sending was stopped just now


# After a call that Mitto did not accept.
UNACCEPTED_RESULTS = frozenset(
    {
        BatchResult.REFUSED,
        BatchResult.ACCOUNT_REFUSED,
        BatchResult.UNKNOWN,
        BatchResult.DEFERRED,
        BatchResult.RESEND_QUEUED,
        BatchResult.GIVEN_UP,
    }
)


class PreparedMessage(NamedTuple):
    """A message that may be sent in this attempt."""

    id: MessageId
    to: str
    text: str


def process_next_batch() -> BatchResult:
    """Claim the due batch with the lowest turn and send it, or hold, postpone or drop it.

    While all sending is stopped, only a probe is sent, when it is due.
    """
    batch, probe = claim_next_batch(), None
    if batch is None:
        batch = probe = sending_stop.claim_one_message_as_probe()
    if batch is None:
        return BatchResult.NONE_DUE
    with log_context(batch=batch.pk, store=batch.owner_id, **{batch.kind: batch.source_id}):
        result = _send_hold_postpone_or_drop_or_stop_all_sending(batch)
    if probe and result == BatchResult.ACCEPTED:
        sending_stop.end_stop(StopReason.ACCOUNT_REFUSED, by="probe")
    elif probe and result in UNACCEPTED_RESULTS:
        sending_stop.count_refused_probe_and_delay_next()
    return result


def _send_hold_postpone_or_drop_or_stop_all_sending(batch: Batch) -> BatchResult:
    """Send a claimed batch if its campaign may go on and no limit postpones it."""
    decision = batch.message_class.decide_whether_to_send(batch)
    if decision.drop:
        cancel_unsent_batches([batch.pk], skip_reason=Reason.CANCELLED)
        return BatchResult.DROPPED
    if not decision.may_send:
        return_to_queue(batch, reason=decision.reason, due_at=HELD)
        return BatchResult.HELD
    try:
        return _send_or_raise_postponed(batch)
    except Postponed as postponed:
        return _postpone_or_drop_if_too_late(batch, postponed)
    except DatabaseIsOlder as error:
        database_age.stop_sending_as_database_is_older(error)
        return_to_queue(batch, reason="sending is stopped", due_at=None)
        return BatchResult.STOPPED


def _send_or_raise_postponed(batch: Batch) -> BatchResult:
    """Wait for the rate limit, submit the batch to Mitto and settle it.

    What follows the call is repeated until PostgreSQL has it: only this process holds the answer.

    Raises:
        Postponed: if a limit postpones the batch.
        DatabaseIsOlder: if the batch may have been sent before the database was restored.
    """
    if batch.message_class.to_contacts or batch.message_type == MessageType.MARKETING:
        limits.raise_postponed_if_quiet_hours(batch)
    rate_limits.sleep_for_rate_or_raise_postponed(batch)
    with sending_window(batch.owner_id):
        began = time.monotonic()
        try:
            messages = mark_submitting(batch)
            phones = [message.to for message in messages]
            has_opt_out = waiting_stops.is_possible_opt_out_waiting_or_too_many_to_read(
                batch.owner_id, phones
            )
        except CONNECTION_ERRORS as error:
            return _requeue_uncalled_when_database_is_back(batch, error)
        if not messages:
            return BatchResult.NOTHING_TO_SEND
        sms = [mitto.OutgoingSms(message.to, message.text, batch.sender) for message in messages]
        if has_opt_out:
            result: mitto.SendResult = mitto.RetryLater("an opt-out came before the call")
        elif time.monotonic() - began > MAX_CONSENT_AGE_SECONDS:
            # The process was suspended: an opt-out may have stopped waiting for this window.
            result = mitto.RetryLater("the worker was stopped before the call")
        else:
            with call_metrics.measure_and_record_call_unless_raised() as call:
                result = call.result = mitto_client().send_bulk_or_singly_if_unsupported(
                    sms,
                    may_send=lambda at: _wait_for_rate_and_tell_if_sendable(batch, messages[at]),
                )
        return repeat_while_connection_is_lost(
            lambda: settle_halve_or_requeue_batch(batch, messages, result)
        )


def _wait_for_rate_and_tell_if_sendable(batch: Batch, message: PreparedMessage) -> bool:
    """Wait for the turn of a single call, and look whether its message may still be sent.

    Most of the calls of a batch begin long after its consent was read. What may not be sent returns
    to the queue with the rest of the batch, and is skipped there.
    """
    rate_limits.sleep_for_rate_of_one_call()
    try:
        still_sendable, _ = _split_sendable_and_skipped(batch, only_message_id=message.id)
        return bool(
            still_sendable
        ) and not waiting_stops.is_possible_opt_out_waiting_or_too_many_to_read(
            batch.owner_id, [message.to]
        )
    except CONNECTION_ERRORS:
        connection.close()  # what was answered so far is recorded when PostgreSQL is back
        return False


def _requeue_uncalled_when_database_is_back(batch: Batch, error: Exception) -> BatchResult:
    """Return a batch to the queue that was perhaps marked as submitting; it was not called with."""
    connection.close()
    log.warning("PostgreSQL: %s before the call", type(error).__name__)
    returned = repeat_while_connection_is_lost(
        lambda: return_to_queue(batch, reason="PostgreSQL", due_at=None, attempts=batch.attempts)
    )
    return BatchResult.POSTPONED if returned else BatchResult.CLAIM_LOST


def _postpone_or_drop_if_too_late(batch: Batch, postponed: Postponed) -> BatchResult:
    """Return a postponed batch to the queue; drop it if it would be older than its life then."""
    life = timedelta(hours=settings.CAMPAIGN_LIFE_HOURS)
    if postponed.until > batch.created_at + life:
        cancel_unsent_batches([batch.pk], skip_reason=Reason.TOO_LATE)
        log.warning("dropped: %s, which is after its life", postponed)
        return BatchResult.TOO_LATE
    return_to_queue(batch, reason=postponed.reason, due_at=postponed.until)
    log.info("%s", postponed)
    return BatchResult.POSTPONED


def mark_submitting(batch: Batch) -> list[PreparedMessage]:
    """Mark a claimed batch as being submitted and skip the messages that must not be sent.

    Checks the store's caps, consent, suppressions and contacts' caps just before the call
    (docs/rules.md#check-before-the-call). If all messages are skipped, the batch is settled.

    Returns:
        The messages to send; empty if none is left or the claim was lost.

    Raises:
        Postponed: if a cap of the store postpones the batch, or Redis cannot be reached.
        DatabaseIsOlder: if Redis knows submissions that the database does not.
    """
    newest_in_redis = _newest_submission_number_or_raise_postponed()
    with transaction.atomic():
        if limits.is_any_cap_set():
            limits.lock_store_caps(batch.owner_id)
            limits.raise_postponed_if_over_store_cap(batch)
        messages, skipped = _split_sendable_and_skipped(batch)
        number = None
        if messages:
            number = database_age.begin_submission(batch, newest_in_redis=newest_in_redis)
            still_claimed = number is not None
        else:
            still_claimed = bool(
                Batch.objects.filter(
                    pk=batch.pk, claim_token=batch.claim_token, status=BatchStatus.CLAIMED
                ).update(status=BatchStatus.SETTLED, settled_at=Now())
            )
        if still_claimed:
            outcomes.record_mostly_first_outcomes_and_settle_credits(batch.message_class, skipped)
    if not still_claimed:  # or sending was stopped meanwhile
        return_to_queue(batch, reason="sending is stopped", due_at=None)
        return []
    if number is not None:
        batch.attempts += 1
        try:
            database_age.record_submission_in_redis(number, batch)
        except RedisError:
            _requeue_or_fail_if_reservation_expires_first(
                batch, messages, mitto.RetryLater("Redis cannot be reached")
            )
            return []
    return messages


def _newest_submission_number_or_raise_postponed() -> int:
    try:
        return database_age.newest_submission_number_in_redis()
    except RedisError:
        raise Postponed(
            "Redis, which knows what was sent",
            database_now() + timedelta(seconds=rate_limits.REDIS_RETRY_SECONDS),
        ) from None


def _split_sendable_and_skipped(
    batch: Batch, only_message_id: MessageId | None = None
) -> tuple[list[PreparedMessage], list[Outcome]]:
    """Split queued messages of a batch, or one, into those to send and the outcomes of the rest."""
    model = batch.message_class
    consent_column = CONSENT_COLUMN[batch.message_type]
    queued = model.objects.filter(batch=batch, status=MessageStatus.QUEUED)
    rows = list(
        (queued if only_message_id is None else queued.filter(pk=only_message_id))
        .order_by("pk")
        .values_list(
            "pk",
            "to",
            "text",
            "tracking_id",
            "contact",
            f"contact__{consent_column}",
            "contact__phone",
            "contact__restricted_at",
            Exists(waiting_stops.payloads_of_possible_opt_outs_set_aside(batch.owner_id)),
        )
    )
    restricted: set[str] = set()
    if not model.to_contacts:
        restricted = restricted_phones(batch.owner_id, [row[1] for row in rows])
    set_aside: set[str] = set()
    if any(row[-1] for row in rows):
        set_aside = waiting_stops.phones_of_possible_opt_outs_set_aside(batch.owner_id)
    blocks = MarketingBlocks(set(), set())
    over_cap: set[int] = set()
    is_marketing = batch.message_type == MessageType.MARKETING
    if is_marketing or not model.to_contacts:
        blocks = marketing_blocks((batch.owner_id, row[1]) for row in rows if row[4] is not None)
    if is_marketing:
        over_cap = limits.contact_ids_over_marketing_caps(
            [row[4] for row in rows], except_batch_id=batch.pk
        )
    owner_id = batch.owner_id
    pointless = model.find_pointless_messages(batch)
    messages, skipped = [], []
    for pk, to, text, tracking_id, contact_id, has_consent, phone, restricted_at, _ in rows:
        # The contact may have been anonymised or have got another number since.
        needs_consent = model.to_contacts or is_marketing or contact_id is not None
        has_consent_or_needs_none = (has_consent and phone == to) if needs_consent else to != ""
        if restricted_at or to in restricted:
            skipped.append(Outcome(pk, MessageStatus.SKIPPED, error_code=Reason.RESTRICTED))
        elif (owner_id, to) in blocks.suppressed or not has_consent_or_needs_none:
            skipped.append(Outcome(pk, MessageStatus.SKIPPED, error_code=Reason.OPTED_OUT))
        elif to in set_aside or (is_marketing and (owner_id, to) in blocks.held):
            skipped.append(Outcome(pk, MessageStatus.SKIPPED, error_code=Reason.AWAITS_REVIEW))
        elif contact_id in over_cap:
            skipped.append(Outcome(pk, MessageStatus.SKIPPED, error_code=Reason.CONTACT_CAP))
        elif pk in pointless:
            skipped.append(Outcome(pk, MessageStatus.SKIPPED, error_code=pointless[pk]))
        else:
            messages.append(PreparedMessage(pk, to, model.text_to_send(text, tracking_id)))
    return messages, skipped


def settle_halve_or_requeue_batch(
    batch: Batch, messages: Sequence[PreparedMessage], result: mitto.SendResult
) -> BatchResult:
    """Record Mitto's answer for the whole batch in one transaction, or queue another attempt.

    Doing it twice is the same as doing it once: the first time may have been committed although the
    connection was lost. What each answer means: docs/rules.md#mitto-send-answers.
    """
    match result:
        case mitto.CallRefused():
            return _stop_sending_halve_or_fail(batch, messages, result)
        case mitto.RetryLater():
            return _requeue_or_fail_if_reservation_expires_first(batch, messages, result)
        case mitto.Ambiguous() if batch.attempts < settings.QUEUE_ATTEMPTS:
            return _requeue_ambiguous_with_backoff_if_claimed(batch, result)
        case mitto.Accepted() if len(result.items) < len(messages):
            return _record_part_and_requeue_rest(batch, messages, result)
        case mitto.Accepted():
            recorded = _build_outcomes_of_items(messages, result.items)
            is_taken = any(item.message_id for item in result.items)
            batch_result = BatchResult.ACCEPTED if is_taken else BatchResult.REFUSED
        case mitto.Ambiguous():
            recorded = _build_same_outcome_for_each(
                messages, MessageStatus.UNKNOWN, Reason.NO_ANSWER, result.error
            )
            batch_result = BatchResult.UNKNOWN
            log.warning("no clear answer, the messages are unknown: %s", result.error)
    with transaction.atomic():
        if not _submitted_batch_with_own_token(batch).update(
            status=BatchStatus.SETTLED,
            settled_at=Coalesce("settled_at", Now()),
            provider_bulk_id=getattr(result, "bulk_id", None),
            error=getattr(result, "error", "")[:500],
        ):
            log.error("claim lost after the call to Mitto")
            return BatchResult.CLAIM_LOST
        outcomes.record_mostly_first_outcomes_and_settle_credits(batch.message_class, recorded)
    log.info("%s, %s messages", batch_result, len(messages))
    if any(outcome.status != MessageStatus.SENT for outcome in recorded):
        sending_stop.stop_if_recent_failures_exceed_limit(recorded[-1].error)
    return batch_result


def _stop_sending_halve_or_fail(
    batch: Batch, messages: Sequence[PreparedMessage], result: mitto.CallRefused
) -> BatchResult:
    """Stop all sending if Mitto refuses the account; else find the messages at fault.

    A refusal of the account is one of its codes or that of the API's address, or the last of many
    calls without one that Mitto accepted. Else the batch is halved, and a message that is refused
    alone fails.
    """
    error = result.error or f"answered {result.status_code}"
    words = f"Mitto answered {result.status_code}: {result.error or 'no words'}"
    if result.status_code in mitto.ACCOUNT_REFUSALS | mitto.NO_BULK_STATUSES or (
        not was_any_part_accepted_by_mitto(batch)
        and sending_stop.count_refused_call() >= sending_stop.MAX_REFUSED_IN_A_ROW
    ):
        sending_stop.stop_sending(StopReason.ACCOUNT_REFUSED, by=sending_stop.ACTOR, details=words)
        if return_to_queue(
            batch,
            reason=f"Mitto, which refuses all ({words})",
            due_at=None,
            attempts=batch.attempts - 1,
            deferrals=F("deferrals") + 1,
        ):
            return BatchResult.ACCOUNT_REFUSED
    elif len(messages) > 1 and halve_batch(
        batch, [message.id for message in messages], reason=f"its turn as a part ({words})"
    ):
        log.warning("%s: it is halved, to find the messages at fault", words)
        return BatchResult.HALVED
    if not _settle_as_failed_if_own_attempt(
        batch, messages, refused_call_error_code(result.status_code), error
    ):
        return BatchResult.CLAIM_LOST
    log.warning("%s: %s messages fail", words, len(messages))
    sending_stop.stop_if_recent_failures_exceed_limit(error)
    return BatchResult.REFUSED


def _build_outcomes_of_items(
    messages: Sequence[PreparedMessage], items: Sequence[mitto.SentItem]
) -> list[Outcome]:
    """What Mitto's answer says of each message; an item without ID and words says nothing."""
    recorded = []
    for message, item in zip(messages, items, strict=True):
        if item.message_id:
            outcome = Outcome(message.id, MessageStatus.SENT, item.message_id)
        elif item.error:
            outcome = Outcome(message.id, MessageStatus.FAILED, None, Reason.REFUSED, item.error)
        else:
            outcome = Outcome(message.id, MessageStatus.UNKNOWN, None, Reason.NO_ANSWER)
        recorded.append(outcome)
    return recorded


def _record_part_and_requeue_rest(
    batch: Batch, messages: Sequence[PreparedMessage], result: mitto.Accepted
) -> BatchResult:
    """Record the answers about the first messages; the batch returns to the queue with the rest."""
    submitted = messages[: len(result.items)]
    with transaction.atomic():
        if not return_to_queue(
            batch,
            reason="messages are sent one by one",
            due_at=None,
            attempts=batch.attempts - 1,
        ):
            log.error("claim lost between single sends")
        outcomes.record_outcomes_and_settle_credits(
            batch.message_class, _build_outcomes_of_items(submitted, result.items)
        )
    return BatchResult.DEFERRED


def _submitted_batch_with_own_token(batch: Batch) -> QuerySet[Batch]:
    """The batch's row, if it was submitted by this attempt.

    A batch that a repair gave up meanwhile is settled, with our token: the answer that comes late
    is still true of its messages.
    """
    return Batch.objects.filter(
        pk=batch.pk, claim_token=batch.claim_token, status__in=SUBMITTED_BATCH_STATUSES
    )


def _build_same_outcome_for_each(
    messages: Sequence[PreparedMessage], status: MessageStatus, reason: str, error: str
) -> list[Outcome]:
    return [Outcome(message.id, status, None, reason, error) for message in messages]


def _requeue_or_fail_if_reservation_expires_first(
    batch: Batch, messages: Sequence[PreparedMessage], result: mitto.RetryLater
) -> BatchResult:
    """Return a batch that Mitto did not accept to the queue, while its credits are reserved.

    After that, or if a repair has settled it meanwhile, its messages fail.
    """
    until = database_now() + max(
        timedelta(seconds=result.retry_after or 0), exponential_backoff_with_jitter(batch.deferrals)
    )
    if until >= batch.creditreservation.expires_at:
        _settle_as_failed_if_own_attempt(batch, messages, Reason.NOT_TAKEN, result.error)
        log.error("Mitto did not accept it before its reservation expired")
        return BatchResult.GIVEN_UP
    if not return_to_queue(
        batch,
        reason=f"Mitto ({result.error})",
        due_at=until,
        attempts=batch.attempts - 1,
        deferrals=F("deferrals") + 1,
    ):
        if _settle_as_failed_if_own_attempt(batch, messages, Reason.NOT_TAKEN, result.error):
            return BatchResult.GIVEN_UP
        return BatchResult.CLAIM_LOST
    log.info("not taken (%s), again at %s", result.error, until)
    return BatchResult.DEFERRED


def _requeue_ambiguous_with_backoff_if_claimed(
    batch: Batch, result: mitto.Ambiguous
) -> BatchResult:
    """Return a batch to the queue that Mitto may have accepted: QUEUE_ATTEMPTS allows repeats."""
    until = database_now() + exponential_backoff_with_jitter(batch.attempts - 1)
    if not return_to_queue(
        batch, reason=f"attempt {batch.attempts + 1} ({result.error})", due_at=until
    ):
        log.error("claim lost after the call to Mitto")
        return BatchResult.CLAIM_LOST
    log.warning(
        "no clear answer (%s): attempt %s of %s follows and may repeat messages",
        result.error,
        batch.attempts + 1,
        settings.QUEUE_ATTEMPTS,
    )
    return BatchResult.RESEND_QUEUED


def _settle_as_failed_if_own_attempt(
    batch: Batch, messages: Sequence[PreparedMessage], code: str, error: str
) -> bool:
    """Settle a batch that Mitto certainly did not accept; its messages fail.

    Returns:
        Whether the batch was still that of this attempt; if not, nothing has changed.
    """
    with transaction.atomic():
        submitted = _submitted_batch_with_own_token(batch).select_for_update()
        if is_own := submitted.exists():
            outcomes.record_mostly_first_outcomes_and_settle_credits(
                batch.message_class,
                _build_same_outcome_for_each(messages, MessageStatus.FAILED, code, error),
            )
            submitted.update(
                status=BatchStatus.SETTLED,
                settled_at=Coalesce("settled_at", Now()),
                error=error[:500],
            )
    return is_own


def mitto_client() -> mitto.MittoClient:
    """The process's client, which keeps its connection to Mitto open."""
    return _cached_client(
        settings.MITTO_API_BASE,
        settings.MITTO_API_VERSION,
        settings.MITTO_API_KEY,
        settings.MITTO_TRAFFIC_ACCOUNT_ID,
        settings.MITTO_CONNECT_TIMEOUT,
        settings.MITTO_READ_TIMEOUT,
        settings.MITTO_PROXY,
    )


@lru_cache(maxsize=4)
def _cached_client(
    base_url: str,
    api_version: str,
    api_key: str,
    traffic_account_id: str,
    connect_timeout: float,
    read_timeout: float,
    proxy: str,
) -> mitto.MittoClient:
    return mitto.MittoClient(
        base_url=base_url,
        api_version=api_version,
        api_key=api_key,
        traffic_account_id=traffic_account_id,
        connect_timeout=connect_timeout,
        read_timeout=read_timeout,
        proxy=proxy,
    )
