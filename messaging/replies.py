"""Replies of customers: STOP and START change consent, other texts are for the store to read.

Rules: docs/rules.md#replies. What a text asks for is decided in `reply_reading.py`, whom it is
meant for in `reply_stores.py`, and decisions about the unsure ones are in `reply_reviews.py`. What
a change of consent does is in `contacts/consent.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils.translation import ngettext

from astronote.common.counts import format_count
from astronote.common.locks import advisory_lock, transaction_with_short_lock_timeout
from astronote.common.sql import database_now
from astronote.common.times import parse_time_as_utc_or_none
from astronote.queues import jobs
from contacts.consent import Evidence, change_consent
from contacts.marketing_blocks import (
    hold_marketing,
    wait_for_sends_and_suppress_phones,
)
from contacts.models import ConsentEventType, Contact
from contacts.sending_window import lock_out_sending_if_no_window_is_open
from messaging import (
    opt_in_requests,
    opt_out_confirmations,
    page_confirmations,
    page_opt_outs,
    tallies,
)
from messaging.event_fields import (
    ID_FIELDS,
    REPLY_TIME_FIELDS,
    TEXT_FIELDS,
    TO_FIELDS,
    first_filled_field_as_text_or_empty,
    raw_sender_number_of_reply_or_empty,
)
from messaging.inbox import (
    NewEvent,
    insert_events_not_stored_yet,
    sha256_hex,
    strip_unstorable_and_dump_json,
)
from messaging.mitto import mask_runs_of_7_or_more_digits
from messaging.models import WebhookEvent
from messaging.reply_reading import is_only_a_yes, read_consent_request_of_reply
from messaging.reply_stores import (
    Addressees,
    Conversation,
    conversations_of_contacts_latest_first,
    find_addressees_or_all_stores,
    possible_e164_numbers_of_sender,
)
from messaging.statuses import ConsentRequest, TallyEvent, WebhookEventStatus, WebhookEventType

log = logging.getLogger(__name__)

REPLIES_LOCK = "inbound"
APPLY_REPLIES = "messaging.tasks.apply_replies"
DEBOUNCE_KEY, DEBOUNCE_SECONDS = "astronote:replies-waiting", 5
CHUNK_REPLIES = 500
STOP_SOURCE, START_SOURCE = "inbound_stop", "inbound_start"
DIGEST_LENGTH = 32
NO_NUMBER = "no number that it came from"
MAX_ERROR = 200
APPLY_ANSWER_OF_PAGE = {
    page_opt_outs.PROVIDER: page_opt_outs.opt_out_or_suppress_number_without_saving_event,
    page_confirmations.PROVIDER: page_confirmations.subscribe_by_page_if_open_without_saving_event,
}
RETRY_DELAY = timedelta(minutes=1)  # of a reply that cannot be applied


def store_replies(events: Iterable[Mapping[str, Any]]) -> None:
    """Store replies, each once, and enqueue a job that applies them."""
    stored = insert_events_not_stored_yet(
        [_build_event_with_consent_request(event) for event in events], WebhookEventType.INBOUND
    )
    if stored:
        _enqueue_apply_job_unless_debounced()


def _enqueue_apply_job_unless_debounced() -> None:
    if jobs.start_debounce(DEBOUNCE_KEY, DEBOUNCE_SECONDS):
        jobs.enqueue_on_commit("delivery_status_poller", APPLY_REPLIES)


def apply_at_once_or_enqueue_job(event: WebhookEvent) -> None:
    """Apply what a person pressed on a page if no lock has to be waited for; else a job does.

    A request of the public waits for no call to Mitto, no import and no other opt-out: it has
    written the answer, and sending heeds an opt-out.
    """
    with advisory_lock(REPLIES_LOCK) as acquired:
        try:
            is_applied = acquired and _apply_unless_window_open_or_raise_locked(event)
        except Exception as error:  # noqa: BLE001 - it is written, and the job tells what is wrong
            log.info("answer %s is left to the job: %s", event.pk, type(error).__name__)
            is_applied = False
    if not is_applied:
        _enqueue_apply_job_unless_debounced()


def _apply_unless_window_open_or_raise_locked(event: WebhookEvent) -> bool:
    """Apply an answer of a page; return whether no sending window was in the way.

    Raises:
        LockIsHeld: if a row is locked.
    """
    with transaction_with_short_lock_timeout():
        if event.owner_id is None or (
            event.consent_request == ConsentRequest.STOP
            and not lock_out_sending_if_no_window_is_open(event.owner_id)
        ):
            return False
        _apply_reply_and_get_count_name(event)
    return True


def _build_event_with_consent_request(event: Mapping[str, Any]) -> NewEvent:
    """Read a reply."""
    event, body = strip_unstorable_and_dump_json(event)
    own_id, when = (
        first_filled_field_as_text_or_empty(event, ID_FIELDS)[:64],
        first_filled_field_as_text_or_empty(event, REPLY_TIME_FIELDS)[:40],
    )
    request = read_consent_request_of_reply(
        first_filled_field_as_text_or_empty(event, TEXT_FIELDS)
    ).request
    if own_id or when:
        identity = f"{own_id}:{when}"
    elif request == ConsentRequest.START:
        # Mitto may send a reply again, and a START that was sent before a STOP must not undo it.
        identity = f"{database_now():%Y-%m-%d}"
    else:
        identity = database_now().isoformat()
    return NewEvent(
        f"inbound:{identity[:80]}:{sha256_hex(body)[:DIGEST_LENGTH]}",
        own_id,
        "",
        parse_time_as_utc_or_none(
            when
        ),  # as claimed: `change_consent` decides whether to believe it
        "",
        "",
        body,
        WebhookEventStatus.RECEIVED.value,
        request,
    )


def apply_received_replies() -> dict[str, int]:
    """Apply the waiting replies in the order in which they came.

    Waits while another process does the same, and for open sending windows before an opt-out. A
    reply that cannot be applied is set aside with its error and tried again a minute later, when
    nothing else waits for it; sending heeds it meanwhile.

    Returns:
        Counts of requests to stop and start, replies for review, other texts, replies from unknown
        numbers and those set aside.
    """
    counts = {request.value: 0 for request in ConsentRequest}
    counts |= {"other": 0, "unmatched": 0, "set_aside": 0}
    with advisory_lock(REPLIES_LOCK, wait=True):
        jobs.end_debounce(DEBOUNCE_KEY)
        is_due = Q(retry_at=None) | Q(retry_at__lte=database_now())
        waiting = _replies_not_applied().filter(is_due).order_by("pk")
        while events := list(waiting[:CHUNK_REPLIES]):
            for event in events:
                counts[_apply_or_set_aside_and_get_count_name(event)] += 1
    return counts


def _replies_not_applied() -> QuerySet[WebhookEvent]:
    return WebhookEvent.objects.filter(
        status=WebhookEventStatus.RECEIVED, event_type=WebhookEventType.INBOUND
    )


def replies_set_aside() -> QuerySet[WebhookEvent]:
    """The replies that could not be applied and are tried again."""
    return _replies_not_applied().filter(retry_at__isnull=False)


def describe_replies_set_aside_or_empty() -> str:
    """A sentence about the replies that could not be applied; empty if there are none."""
    found = list(replies_set_aside().order_by("pk").values_list("pk", "error")[:CHUNK_REPLIES])
    if not found:
        return ""
    pk, error = found[0]
    return ngettext(
        "%(count)s reply could not be applied and will be tried again every minute; messages to"
        " the number of one that may be an opt-out are skipped. The first is event %(event)s:"
        " %(error)s",
        "%(count)s replies could not be applied and will be tried again every minute; messages to"
        " the number of one that may be an opt-out are skipped. The first is event %(event)s:"
        " %(error)s",
        len(found),
    ) % {"count": format_count(len(found)), "event": pk, "error": error}


def _apply_or_set_aside_and_get_count_name(event: WebhookEvent) -> str:
    """Apply a reply; one that raises an error keeps it, and the replies after it go on."""
    try:
        return _apply_reply_and_get_count_name(event)
    except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
        words = mask_runs_of_7_or_more_digits(str(error)).partition("\n")[0]
        what = f"{type(error).__name__}: {words}"
        log.error("reply %s is set aside: %s", event.pk, type(error).__name__)
        # In the database's own time, and in a transaction of its own: the one before is undone.
        WebhookEvent.objects.filter(pk=event.pk).update(
            error=what[:MAX_ERROR], retry_at=Now() + RETRY_DELAY
        )
        return "set_aside"


@transaction.atomic
def _apply_reply_and_get_count_name(event: WebhookEvent) -> str:
    """Find whom a reply is meant for and do what it asks for; may wait for open sending windows.

    Returns:
        The name of its count.
    """
    apply_answer = APPLY_ANSWER_OF_PAGE.get(event.provider)
    if apply_answer and event.payload:
        apply_answer(event)
        event.processed_at, event.error, event.retry_at = database_now(), "", None
        event.save(update_fields=["status", "processed_at", "error", "retry_at"])
        return event.consent_request
    payload = event.payload or {}
    numbers = possible_e164_numbers_of_sender(raw_sender_number_of_reply_or_empty(payload))
    conversations = conversations_of_contacts_latest_first(numbers)
    meant_for = find_addressees_or_all_stores(
        numbers, conversations, first_filled_field_as_text_or_empty(payload, TO_FIELDS)
    )
    event.owner_id = conversations[0].owner_id if conversations else meant_for.owner_ids[0]
    event.contact_id = conversations[0].contact_id if conversations else None
    event.processed_at, event.error, event.retry_at = database_now(), "", None
    may_be_stop = event.consent_request in (ConsentRequest.STOP, ConsentRequest.REVIEW)
    if not numbers:
        event.error, event.owner_id = NO_NUMBER, None
        event.status = WebhookEventStatus.REVIEW if may_be_stop else WebhookEventStatus.FAILED
    elif event.consent_request == ConsentRequest.STOP:
        event.status = WebhookEventStatus.PROCESSED
        wait_and_suppress_opt_out_and_confirm(event, numbers, meant_for)
    elif event.consent_request == ConsentRequest.REVIEW:
        event.status = _hold_marketing_unless_in_review_and_get_status(event, numbers, meant_for)
    elif conversations:
        event.status = WebhookEventStatus.PROCESSED
        # Consent is never given to a number that could be another one.
        if event.consent_request == ConsentRequest.START and len(numbers) == 1:
            _resubscribe_if_opted_out_by_stop(event, meant_for)
        elif (
            is_only_a_yes(first_filled_field_as_text_or_empty(payload, TEXT_FIELDS))
            and len(numbers) == 1
        ):
            opt_in_requests.subscribe_by_reply_if_unambiguous(
                [conversation.contact_id for conversation in meant_for.conversations], event
            )
    else:
        event.status, event.owner_id = WebhookEventStatus.UNMATCHED, None
    event.save(update_fields=["owner", "contact", "status", "error", "processed_at", "retry_at"])
    match event.status:
        case WebhookEventStatus.REVIEW:
            return ConsentRequest.REVIEW.value
        case WebhookEventStatus.PROCESSED:
            return event.consent_request or "other"
        case _:
            return "unmatched"


def wait_and_suppress_opt_out_and_confirm(
    event: WebhookEvent, numbers: list[str], meant_for: Addressees
) -> None:
    """Opt out the contacts that a STOP is meant for and suppress its number, also without any.

    Counts the opt-outs, and confirms them where the store wants it.
    """
    suppressed_at = [
        owner_id
        for owner_id in meant_for.owner_ids
        if wait_for_sends_and_suppress_phones(owner_id, numbers, reason=STOP_SOURCE)
    ]
    opted_out = opt_out_contacts_and_get_changed(event, meant_for.conversations, source=STOP_SOURCE)
    changed = {*suppressed_at, *(conversation.owner_id for conversation in opted_out)}
    if len(numbers) == 1:
        for owner_id in sorted(owner_id for owner_id in changed if owner_id is not None):
            opt_out_confirmations.enqueue_opt_out_confirmation(
                owner_id, numbers[0], idempotency_key=f"reply:{event.pk}"
            )
    add_opt_outs_to_tallies(opted_out)


def opt_out_contacts_and_get_changed(
    event: WebhookEvent, conversations: Iterable[Conversation], *, source: str
) -> list[Conversation]:
    """Opt out the contacts of conversations; return those that were not opted out before."""
    return [
        conversation
        for conversation in conversations
        if _change_consent_at_reply_time(event, conversation, ConsentEventType.UNSUBSCRIBED, source)
    ]


def add_opt_outs_to_tallies(conversations: Iterable[Conversation]) -> None:
    """Count opt-outs for the campaigns and automations whose messages were answered."""
    for one in conversations:
        tallies.add_one_to_tally_of_now(one.owner_id, one.kind, one.source_id, TallyEvent.OPTED_OUT)


def _resubscribe_if_opted_out_by_stop(event: WebhookEvent, meant_for: Addressees) -> None:
    """Take back an opt-out by STOP; any other opt-out stays.

    A STOP of somebody who was not subscribed is no change of consent, so there is nothing to take
    back.
    """
    for conversation in meant_for.conversations:
        contact = Contact.objects.filter(pk=conversation.contact_id, sms_consent_source=STOP_SOURCE)
        if contact.exists():
            _change_consent_at_reply_time(
                event, conversation, ConsentEventType.RESUBSCRIBED, START_SOURCE
            )


def _change_consent_at_reply_time(
    event: WebhookEvent, conversation: Conversation, change: ConsentEventType, source: str
) -> bool:
    """Change the contact's consent as of the reply's time; return whether anything changed."""
    # A provider's clock that is ahead must not make the next START look older than this STOP.
    at = min(event.occurred_at or event.received_at, event.received_at)
    details = {"event": event.pk, "kind": conversation.kind, "source": conversation.source_id}
    return change_consent(
        conversation.contact_id,
        change,
        source=source,
        claimed_at=at,
        evidence=Evidence(details=details),
    )


def _hold_marketing_unless_in_review_and_get_status(
    event: WebhookEvent, numbers: list[str], meant_for: Addressees
) -> WebhookEventStatus:
    """Hold marketing to the number back until a person has decided.

    A reply that comes again while it waits for its decision is not put before the person twice.
    """
    same_reply = event.event_id[-DIGEST_LENGTH:]
    open_reviews = WebhookEvent.objects.filter(status=WebhookEventStatus.REVIEW)
    if open_reviews.filter(event_id__endswith=same_reply).exists():
        return WebhookEventStatus.PROCESSED
    for owner_id in meant_for.owner_ids:
        hold_marketing(owner_id, numbers, reply_id=event.pk)
    return WebhookEventStatus.REVIEW
