"""Opt-in requests: asking a contact by SMS whether it agrees to marketing, and hearing the answer.

Double opt-in asks with a link and, if the sender ID can be answered, a reply word. Who opted out
and wants to come back enters a code on the opt-out page. Rules: docs/rules.md#opt-in-requests. The
page of the link is in `compliance/views.py`, what consent does is in `contacts/consent.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count
from django.db.models.functions import Now
from django.utils.translation import gettext

from astronote.accounts.eligibility import (
    SendingBlocked,
    sender_of_store,
)
from astronote.accounts.models import User
from astronote.common import audit
from astronote.common.locks import advisory_lock
from astronote.common.sql import database_now, execute
from contacts.ages import ADULT_AGE, years_before
from contacts.consent import Evidence, change_consent, why_marketing_consent_does_not_count
from contacts.lookup import contact_ids_of_all_stores_with_phone
from contacts.marketing_blocks import phones_suppressed_at_store_or_everywhere
from contacts.models import (
    ConsentEventType,
    Contact,
    MessageType,
    OptInPurpose,
    OptInRequest,
)
from contacts.opt_in_wording import (
    CONFIRM_LINK_TAG,
    Question,
    own_or_standard_opt_in_question_of,
    without_confirm_link_tag,
)
from contacts.phones import can_receive_sms
from messaging import limits
from messaging.addresses import write_addresses_as_meant
from messaging.direct_messages import (
    NewDirectMessage,
    enqueue_direct_messages,
)
from messaging.models import WebhookEvent
from messaging.opt_in_secrets import is_opt_in_code_of_message, tracking_id_if_confirm_token_valid
from messaging.opt_out_line import UNSUBSCRIBE
from messaging.text import text_problem_or_empty, tidy

log = logging.getLogger(__name__)

SOURCE = "double_opt_in"
# How long a request can be answered, and how long one that cannot be sent waits for that.
LIFETIME_HOURS = 72
LIFETIME = timedelta(hours=LIFETIME_HOURS)
CODE_LIFETIME = timedelta(minutes=10)
MAX_CODE_ATTEMPTS = 5
MAX_CODES_PER_DAY = 3  # to one number, by all stores
# Anybody can type a number into a sign-up page: its owner is asked so often by a store at most.
MAX_SIGNUP_REQUESTS, SIGNUP_REQUESTS_PERIOD = 3, timedelta(days=30)
ANSWER_BY_LINK = "Yes, I agree: {link}"
ANSWER_BY_REPLY = "Yes, I agree: reply YES, or open {link}"


# Double opt-in


def get_or_send_opt_in_request(
    contact: Contact,
    *,
    by: User | AnonymousUser | str,
    led_to_it: Mapping[str, Any] | None = None,
) -> OptInRequest:
    """Ask a contact by SMS whether it agrees to marketing, with an audit entry.

    During the store's quiet hours the message waits for their end. If the contact has an open
    request, that is returned and nothing is sent.

    Args:
        contact: whom to ask.
        by: the operator or program that asks.
        led_to_it: plain values that are kept as proof, such as the page where a person signed up.

    Raises:
        SendingBlocked: if the store may not send or cannot pay, or the contact must not be asked.
    """
    store = contact.owner
    if not store.double_opt_in:
        raise SendingBlocked(
            gettext("the store does not use double opt-in: switch it on at the store")
        )
    sender_of_store(store)
    with transaction.atomic():
        contact = Contact.objects.select_for_update().get(pk=contact.pk)
        if reason := _reasons_against_asking_by_contact_id(store, [contact]).get(contact.pk):
            raise SendingBlocked(reason)
        requests = OptInRequest.objects.filter(contact=contact)
        requests.filter(expires_at__lte=Now()).close_unanswered()
        if asked := requests.neither_answered_nor_closed().first():
            return asked
        request = OptInRequest.objects.create(
            contact=contact,
            purpose=OptInPurpose.DOUBLE_OPT_IN,
            **own_or_standard_opt_in_question_of(store)._asdict(),
            meta=dict(led_to_it or {}) | {"asked_by": audit.account_id_or_program_name(by)},
        )
        audit.write_entry("asked for consent", contact, by=by)
        if not limits.current_quiet_hours_end(MessageType.SERVICE, store.timezone):
            _enqueue_request_messages_and_mark_sent(store, [request])
    return request


def ask_by_waiting_request_if_allowed(
    contact: Contact, question: Question, *, led_to_it: Mapping[str, Any]
) -> bool:
    """Leave a request for a contact that signed up, for `send_or_close_waiting_opt_in_requests`.

    Called in a transaction that has locked the contact. An open request stays the only one.

    Args:
        contact: whom to ask.
        question: what to ask.
        led_to_it: plain values that are kept as proof.

    Returns:
        Whether the contact is asked; not if it must not be, or was asked MAX_SIGNUP_REQUESTS times
        within SIGNUP_REQUESTS_PERIOD.
    """
    if _reasons_against_asking_by_contact_id(contact.owner, [contact]):
        return False
    requests = OptInRequest.objects.filter(contact=contact)
    requests.filter(expires_at__lte=Now()).close_unanswered()
    if requests.neither_answered_nor_closed().exists():
        return True
    recent = requests.filter(created_at__gt=database_now() - SIGNUP_REQUESTS_PERIOD)
    if recent.count() >= MAX_SIGNUP_REQUESTS:
        return False
    OptInRequest.objects.create(
        contact=contact,
        purpose=OptInPurpose.DOUBLE_OPT_IN,
        **question._asdict(),
        meta=dict(led_to_it),
    )
    return True


def send_or_close_waiting_opt_in_requests() -> dict[str, int]:
    """Write the messages of the requests that wait for it, such as those of imports.

    Each store's are written in batches, each in its own transaction. A store that may not send,
    cannot pay or has quiet hours is tried again in the next run, until its requests are as old as
    LIFETIME; then they are closed.

    Returns:
        Counts of requests that were sent and closed; empty if none waits or another process is
        doing this now.
    """
    with advisory_lock("opt-in requests") as acquired:
        waiting = OptInRequest.objects.without_written_message()
        if not acquired or not waiting.exists():
            return {}
        counts = {"sent": 0, "closed": _close_and_audit_requests_waiting_too_long()}
        stores = User.objects.eligible_to_send_annotated_with_sender().filter(
            pk__in=waiting.values("contact__owner")
        )
        for store in stores.order_by("pk"):
            if limits.current_quiet_hours_end(MessageType.SERVICE, store.timezone):
                continue
            try:
                while batch := _send_or_close_next_requests_of_store(store):
                    counts["sent"] += batch["sent"]
                    counts["closed"] += batch["closed"]
            except SendingBlocked as blocked:
                log.warning("store %s: opt-in requests wait: %s", store.pk, blocked)
    return counts


def _close_and_audit_requests_waiting_too_long() -> int:
    """Close the requests that could not be sent in time, with an audit entry for each store."""
    late = OptInRequest.objects.without_written_message().filter(
        created_at__lte=database_now() - LIFETIME
    )
    with transaction.atomic():
        by_store = late.values_list("contact__owner").annotate(Count("pk")).order_by()
        for owner_id, requests in list(by_store):
            audit.write_entry(
                "opt-in requests not sent",
                by="opt-in requests",
                owner_id=owner_id,
                requests=requests,
            )
        return late.close_unanswered()


def _send_or_close_next_requests_of_store(store: User) -> dict[str, int]:
    """Send the next waiting requests of a store, one batch; close those that must not be sent.

    Contacts are locked before their requests, as everywhere; those that are locked are left to the
    next run.

    Returns:
        Counts of requests that were sent and closed; empty if none is left.

    Raises:
        SendingBlocked: if the store cannot pay.
    """
    with transaction.atomic():
        waiting = (
            OptInRequest.objects.without_written_message()
            .filter(contact__owner=store)
            .order_by("pk")
        )
        ids = list(
            waiting.values_list("contact_id", flat=True)[
                : limits.max_batch_size_within_store_caps()
            ]
        )
        contacts = Contact.objects.select_for_update(skip_locked=True, no_key=True)
        locked = {contact.pk: contact for contact in contacts.filter(pk__in=ids)}
        requests = list(waiting.filter(contact__in=list(locked)))
        reasons = _reasons_against_asking_by_contact_id(store, list(locked.values()))
        for request in requests:
            request.contact = locked[request.contact_id]
        askable = [request for request in requests if request.contact_id not in reasons]
        closed = (
            OptInRequest.objects.without_written_message()
            .filter(contact__in=list(reasons))
            .close_unanswered()
        )
        if askable:
            _enqueue_request_messages_and_mark_sent(store, askable)
    return {"sent": len(askable), "closed": closed} if requests else {}


def _reasons_against_asking_by_contact_id(
    store: User, contacts: Sequence[Contact]
) -> dict[int, str]:
    """Why contacts of a store must not be asked, by contact, for those that must not."""
    suppressed = phones_suppressed_at_store_or_everywhere(
        store.pk, [c.phone for c in contacts if c.phone]
    )
    today = database_now().astimezone(ZoneInfo(store.timezone)).date()
    adults_born_until = years_before(today, ADULT_AGE)
    reasons = {}
    for contact in contacts:
        if contact.phone is None:
            reasons[contact.pk] = gettext("the contact was anonymised")
        elif not (store.sends_to_any_number or can_receive_sms(contact.phone)):
            reasons[contact.pk] = gettext(
                "the contact's number is no mobile and cannot receive SMS"
            )
        elif contact.restricted_at:
            reasons[contact.pk] = gettext("the contact's data may only be stored")
        elif contact.is_subscribed:
            reasons[contact.pk] = gettext("the contact is subscribed")
        elif contact.phone in suppressed or contact.unsubscribed_at:
            reasons[contact.pk] = gettext("the contact has opted out")
        elif not contact.service_allowed:
            reasons[contact.pk] = gettext("the contact does not want service messages")
        elif contact.birthday and contact.birthday > adults_born_until:
            reasons[contact.pk] = gettext("the contact is younger than %(age)s") % {
                "age": ADULT_AGE
            }
    return reasons


def _enqueue_request_messages_and_mark_sent(store: User, requests: Sequence[OptInRequest]) -> None:
    """Write the messages of requests whose contacts are locked, in the caller's transaction.

    Raises:
        SendingBlocked: if the store may not send or cannot pay.
    """
    sender = sender_of_store(store)
    messages = enqueue_direct_messages(
        store,
        [
            NewDirectMessage(
                request.contact.phone or "",
                _add_answer_instruction_unless_link_in_wording(request.wording, sender),
                f"opt-in:{request.pk}",
                request.contact_id,
            )
            for request in requests
        ],
    )
    expires_at = database_now() + LIFETIME
    for request, message in zip(requests, messages, strict=True):
        request.tracking_id, request.expires_at = message.tracking_id, expires_at
    ids = [request.pk for request in requests]
    execute(MARK_AS_SENT, [expires_at, ids, [message.tracking_id for message in messages]])


MARK_AS_SENT = """
    UPDATE contacts_optinrequest r SET expires_at = %s, tracking_id = t.tracking_id
    FROM unnest(%s::bigint[], %s::text[]) AS t (id, tracking_id) WHERE r.id = t.id
"""


def _add_answer_instruction_unless_link_in_wording(wording: str, sender: str) -> str:
    """The text of a request, with the tag of its link; only a number can be answered."""
    wording = write_addresses_as_meant(tidy(wording))
    if CONFIRM_LINK_TAG in wording:
        return wording
    answer = ANSWER_BY_REPLY if sender.startswith("+") else ANSWER_BY_LINK
    return f"{wording}\n{answer.format(link=CONFIRM_LINK_TAG)}"


def validate_opt_in_wording(store: User) -> None:
    """Check a store's own question as any text that is sent (`text_problem_or_empty`).

    Raises:
        ValidationError: if it has something else than {{confirm_link}} in braces, something that
            was to be replaced, or an address or link that leads elsewhere than is meant.
    """
    wording = store.opt_in_wording
    rest = wording.replace(CONFIRM_LINK_TAG, "")
    if "{" in rest or "}" in rest:
        problem = gettext("Its only tag is {{confirm_link}}.")
    else:
        # The link may stand where that of the opt-out page may.
        as_of_campaign = wording.replace(CONFIRM_LINK_TAG, f"{{{{{UNSUBSCRIBE}}}}}")
        problem = text_problem_or_empty(as_of_campaign).replace(UNSUBSCRIBE, "confirm_link")
    if problem:
        raise ValidationError({"opt_in_wording": problem})


def find_answered_or_open_request_by_token(token: str) -> OptInRequest | None:
    """The request of a confirmation link that was answered or still can be; else None."""
    tracking_id = tracking_id_if_confirm_token_valid(token)
    request = (
        OptInRequest.objects.filter(tracking_id=tracking_id, purpose=OptInPurpose.DOUBLE_OPT_IN)
        .select_related("contact__owner")
        .first()
        if tracking_id
        else None
    )
    if request is None or (request.answered_at and request.contact.is_subscribed):
        return request
    is_open = (
        OptInRequest.objects.neither_answered_nor_closed_expiring_after(database_now())
        .filter(pk=request.pk)
        .exists()
    )
    return request if is_open else None


def subscribe_or_close_request_if_open(
    request: OptInRequest, evidence: Evidence, *, at: datetime
) -> bool:
    """Subscribe the contact of a request that was confirmed on its page.

    Args:
        request: the request.
        evidence: who confirmed it.
        at: when.

    Returns:
        Whether the contact is subscribed now.
    """
    with transaction.atomic():
        _lock_contact_of_request(request)
        if (
            not OptInRequest.objects.neither_answered_nor_closed_expiring_after(at)
            .filter(pk=request.pk)
            .exists()
        ):
            return False
        return _subscribe_or_close_request(request, SOURCE, evidence, at=at)


def subscribe_by_reply_if_unambiguous(contact_ids: Collection[int], event: WebhookEvent) -> bool:
    """Subscribe the contact that answered its request with a yes.

    The reply must have come while the request was open. If several of the contacts have an open
    request, it is not certain which store is meant, and nothing changes.

    Args:
        contact_ids: the contacts that the reply is meant for, one of each store.
        event: the reply.

    Returns:
        Whether a contact is subscribed now.
    """
    open_requests = OptInRequest.objects.neither_answered_nor_closed_expiring_after(
        event.received_at
    ).filter(
        contact__in=contact_ids,
        purpose=OptInPurpose.DOUBLE_OPT_IN,
        expires_at__lte=event.received_at + LIFETIME,
    )
    requests = list(open_requests[:2])
    if len(requests) != 1:
        return False
    with transaction.atomic():
        _lock_contact_of_request(requests[0])
        if not open_requests.filter(pk=requests[0].pk).exists():
            return False
        at = event.occurred_at or event.received_at
        return _subscribe_or_close_request(
            requests[0], SOURCE, Evidence(details={"event": event.pk}), at=at
        )


def _lock_contact_of_request(request: OptInRequest) -> None:
    """Lock the contact, as everywhere before its requests."""
    Contact.objects.select_for_update().get(pk=request.contact_id)


def _subscribe_or_close_request(
    request: OptInRequest, source: str, evidence: Evidence, *, at: datetime | None = None
) -> bool:
    """Subscribe the contact of an open request; if something is in the way, close the request."""
    details = (request.meta or {}) | dict(evidence.details) | {"request": request.pk}
    evidence = evidence._replace(
        wording=without_confirm_link_tag(request.wording), version=request.version, details=details
    )
    subscribed = change_consent(
        request.contact_id,
        ConsentEventType.SUBSCRIBED,
        source=source,
        claimed_at=at,
        evidence=evidence,
    )
    same_request = OptInRequest.objects.filter(pk=request.pk)
    if subscribed:
        same_request.update(answered_at=Now(), closed_at=None)
    else:
        same_request.close_unanswered()
    return subscribed


# Codes of the opt-out page


class CodeResult(StrEnum):
    """What became of a code that somebody entered."""

    ACCEPTED = "accepted"
    WRONG = "wrong"
    EXPIRED = "expired"  # or entered wrongly too often, or withdrawn
    REFUSED = "refused"  # something is in the way of consent


def send_opt_in_code(contact: Contact, text: str, *, wording: str, version: str) -> OptInRequest:
    """Send a code to a contact that opted out and wants to come back; the store pays.

    An earlier code no longer counts.

    Args:
        contact: who opted out.
        text: of the message, with the tag of the code.
        wording: what the person agrees to by entering the code.
        version: the wording's version.

    Raises:
        SendingBlocked: if the store may not send or cannot pay, something is in the way of consent,
            or the number has had MAX_CODES_PER_DAY.
    """
    store, now = contact.owner, database_now()
    with transaction.atomic():
        contact = Contact.objects.select_for_update().get(pk=contact.pk)
        if obstacle := reason_against_opting_in_again_or_empty(contact):
            raise SendingBlocked(obstacle)
        codes = OptInRequest.objects.filter(
            contact__in=contact_ids_of_all_stores_with_phone(contact.phone or ""),
            purpose=OptInPurpose.OPT_IN_AGAIN,
            created_at__gt=now - timedelta(days=1),
        )
        if codes.count() >= MAX_CODES_PER_DAY:
            raise SendingBlocked(
                gettext("the number has had %(limit)s codes within a day")
                % {"limit": MAX_CODES_PER_DAY}
            )
        OptInRequest.objects.filter(contact=contact).close_unanswered()
        request = OptInRequest.objects.create(
            contact=contact,
            purpose=OptInPurpose.OPT_IN_AGAIN,
            wording=wording,
            version=version,
            expires_at=now + CODE_LIFETIME,
        )
        # Without the contact, since its number is suppressed and it asked for the code itself.
        message = NewDirectMessage(contact.phone or "", text, f"opt-in:{request.pk}")
        request.tracking_id = enqueue_direct_messages(store, [message])[0].tracking_id
        request.save(update_fields=["tracking_id"])
    return request


def reason_against_opting_in_again_or_empty(contact: Contact) -> str:
    """Why the contact cannot come back by a code; empty if it can."""
    if contact.is_subscribed:
        return gettext("The contact is subscribed.")
    if contact.restricted_at:
        return gettext("The contact's data may only be stored.")
    if not contact.service_allowed:
        return gettext("The contact does not want service messages.")
    return why_marketing_consent_does_not_count(contact, database_now())


def find_open_code_request(contact: Contact) -> OptInRequest | None:
    """The request whose code the contact can enter now."""
    codes = OptInRequest.objects.neither_answered_nor_closed_expiring_after(database_now())
    return codes.filter(contact=contact, purpose=OptInPurpose.OPT_IN_AGAIN).first()


def subscribe_by_code(
    contact: Contact, code: str, *, source: str, evidence: Evidence
) -> CodeResult:
    """Subscribe a contact again if this is the code that was sent to it.

    Args:
        contact: who opted out.
        code: as it was typed.
        source: where it was typed.
        evidence: who typed it.
    """
    with transaction.atomic():
        Contact.objects.select_for_update().get(pk=contact.pk)
        request = find_open_code_request(contact)
        if request is None:
            return CodeResult.EXPIRED
        if is_opt_in_code_of_message(
            request.tracking_id or "", "".join(filter(str.isdecimal, code))
        ):
            subscribed = _subscribe_or_close_request(request, source, evidence)
            return CodeResult.ACCEPTED if subscribed else CodeResult.REFUSED
        request.attempts += 1
        if request.attempts >= MAX_CODE_ATTEMPTS:
            request.closed_at = database_now()
        request.save(update_fields=["attempts", "closed_at"])
        return CodeResult.EXPIRED if request.closed_at else CodeResult.WRONG
