"""Opting out, and in again, by the link in a message (GDPR, articles 7(3) and 21(2)).

Opting out takes one press. Opting in again takes a code that is sent to the number: whoever else
has the link cannot agree in the person's place. The rules are in rules.md#unsubscribe-links.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from astronote.accounts.eligibility import SendingBlocked
from astronote.common.sql import database_now
from contacts.consent import Evidence
from contacts.marketing_blocks import phones_suppressed_at_store_or_everywhere
from contacts.models import Contact, OptInRequest, Suppression
from contacts.phones import phone_hashes_with_each_key
from messaging import opt_in_requests, page_opt_outs, replies
from messaging.links import tracking_id_if_signature_valid
from messaging.models import OutboundMessage, message_classes
from messaging.opt_in_requests import CodeResult

log = logging.getLogger(__name__)

LINK_LIFETIME = timedelta(days=365)


def find_message_by_unexpired_token(token: str) -> OutboundMessage | None:
    """The message of an unsubscribe link.

    None if the token is not ours, the message is older than LINK_LIFETIME, or it has no number.
    """
    tracking_id = tracking_id_if_signature_valid(token)
    if tracking_id is None:
        return None
    since = database_now() - LINK_LIFETIME
    for model in message_classes():
        found = model.objects.filter(tracking_id=tracking_id, created_at__gt=since, to__gt="")
        if message := found.select_related("owner", "contact", "batch").first():
            return message
    return None


def is_opted_out(message: OutboundMessage) -> bool:
    """Whether the number of the message is opted out of its store's marketing."""
    is_suppressed = bool(phones_suppressed_at_store_or_everywhere(message.owner_id, [message.to]))
    return is_suppressed or page_opt_outs.is_opt_out_of_number_unapplied(message)


def is_suppressed_everywhere(message: OutboundMessage) -> bool:
    """Whether no store may send marketing to the number of the message."""
    digests = phone_hashes_with_each_key(message.to)
    return Suppression.objects.filter(owner=None, phone_hash__in=digests).exists()


def store_opt_out(message: OutboundMessage, evidence: Evidence) -> None:
    """Opt the number out of the store's marketing, and count it; a second call changes nothing.

    The opt-out is written at once. What it changes is applied at once too, unless that would have
    to wait: then a job does it.

    Args:
        message: the message whose link was opened.
        evidence: who opened it.
    """
    if not _is_suppressed_with_no_subscription_or_open_request(message):
        replies.apply_at_once_or_enqueue_job(
            page_opt_outs.store_unapplied_opt_out(message, evidence)
        )


def _is_suppressed_with_no_subscription_or_open_request(message: OutboundMessage) -> bool:
    """Whether the number is opted out at the store, and nothing is under way that would change it.

    So a link that is pressed many times leaves one row.
    """
    digests = phone_hashes_with_each_key(message.to)
    contact = _contact_if_number_unchanged(message)
    return (
        Suppression.objects.filter(owner=message.owner_id, phone_hash__in=digests).exists()
        and not (contact and contact.is_subscribed)
        and not OptInRequest.objects.neither_answered_nor_closed().filter(contact=contact).exists()
    )


def may_opt_in_by_code(message: OutboundMessage) -> bool:
    """Whether the person can opt in again by a code: not after an objection, for example."""
    contact = _contact_if_number_unchanged(message)
    return contact is not None and not opt_in_requests.reason_against_opting_in_again_or_empty(
        contact
    )


def has_open_opt_in_code(message: OutboundMessage) -> bool:
    """Whether a code was sent to the number that can be entered now."""
    contact = _contact_if_number_unchanged(message)
    return contact is not None and opt_in_requests.find_open_code_request(contact) is not None


def send_code_if_number_unchanged_and_allowed(
    message: OutboundMessage, text: str, *, wording: str, language: str
) -> bool:
    """Send a code to the number, if it is still the contact's, so that its owner opts in again.

    Args:
        message: the message whose link was opened.
        text: of the SMS, with the tag of the code.
        wording: what the page asks.
        language: of the page.

    Returns:
        Whether it was sent. The store may be unable to send or pay, or the number has had too many.
    """
    contact = _contact_if_number_unchanged(message)
    if contact is None:
        return False
    try:
        opt_in_requests.send_opt_in_code(
            contact, text, wording=wording, version=f"opt-out page, {language}"
        )
    except SendingBlocked as blocked:
        log.info("store %s: no code to opt in again: %s", message.owner_id, blocked)
        return False
    return True


def opt_in_by_code_or_count_wrong_code(
    message: OutboundMessage, code: str, evidence: Evidence
) -> CodeResult:
    """Opt the number in again if this is the code that was sent to it.

    Args:
        message: the message whose link was opened.
        code: as it was typed.
        evidence: who typed it.
    """
    contact = _contact_if_number_unchanged(message)
    if contact is None:
        return CodeResult.REFUSED
    evidence = evidence._replace(details=_event_details_of_message(message))
    return opt_in_requests.subscribe_by_code(
        contact, code, source=page_opt_outs.SOURCE, evidence=evidence
    )


def _contact_if_number_unchanged(message: OutboundMessage) -> Contact | None:
    """The message's contact, if it still has the number that the message went to."""
    contact = message.contact
    return contact if contact and contact.phone == message.to else None


def _event_details_of_message(message: OutboundMessage) -> dict[str, Any]:
    """What an event keeps of the message."""
    return {"kind": message.batch_kind, "message": message.pk}
