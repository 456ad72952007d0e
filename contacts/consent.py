"""Consent: who may be messaged, and the one function that changes it.

The rules are in rules.md#consent and rules.md#opt-outs.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext

from astronote.common.sql import database_now
from astronote.common.store_clock import format_time_with_zone_name
from astronote.common.times import plausible_claimed_or_arrival_time
from contacts.models import (
    MARKETING_EVENTS,
    OPT_INS,
    WITHDRAWALS,
    ConsentEvent,
    ConsentEventType,
    Contact,
    MessageType,
    OptInRequest,
    SmsConsentStatus,
    Suppression,
)
from contacts.phones import phone_hash, phone_hashes_with_each_key
from contacts.sending_window import lock_out_sending_windows

log = logging.getLogger(__name__)

# The column that holds the consent to each type of message.
CONSENT_COLUMN = {
    MessageType.MARKETING.value: "is_subscribed",
    MessageType.SERVICE.value: "service_allowed",
}
# The source of an opt-out that an operator records, and that of an objection to all messages. Each
# takes the place of a weaker one. Only a consent that an operator records with its proof undoes an
# objection.
RECORDED_BY_OPERATOR, OBJECTION = "operator", "objection"
STRONG_OPT_OUTS = (RECORDED_BY_OPERATOR, OBJECTION)
MAX_USER_AGENT_LENGTH = 500


def consenting_unrestricted_contacts_q(message_type: str) -> Q:
    """Contacts that may receive messages of this type, as a condition on Contact."""
    return Q(phone__isnull=False, restricted_at=None, **{CONSENT_COLUMN[message_type]: True})


class Evidence(NamedTuple):
    """What proves a change of consent, as far as it is known (GDPR, article 7(1)).

    Args:
        wording: what the person agreed to, word for word.
        version: the name of this version of the wording.
        actor: the operator or program that recorded it, by
            `audit.account_id_or_program_name`; empty if the person acted.
        ip_address: the address of the person's browser.
        user_agent: the name that the browser gives itself.
        document: where the proof is kept, such as the number of a form or a recording.
        details: further plain values, such as the ids of messages.
    """

    wording: str = ""
    version: str = ""
    actor: str = ""
    ip_address: str | None = None
    user_agent: str = ""
    document: str = ""
    details: Mapping[str, Any] = MappingProxyType({})

    def json_of_fields_without_own_column(self) -> dict[str, Any]:
        """What has no column of its own in a consent event, without what is empty."""
        named = {
            "ip_address": self.ip_address,
            "user_agent": self.user_agent[:MAX_USER_AGENT_LENGTH],
            "document": self.document,
        }
        return dict(self.details) | {name: value for name, value in named.items() if value}


NO_EVIDENCE = Evidence()


def change_consent(
    contact_id: int,
    event: ConsentEventType,
    *,
    source: str,
    claimed_at: datetime | None = None,
    evidence: Evidence = NO_EVIDENCE,
) -> bool:
    """Change one contact's consent, keep its proof and write a consent event.

    A withdrawal first waits for the store's open sending windows, at most
    OPT_OUT_MAX_WAIT_SECONDS. An opt-out always leaves the store's suppression, also of a contact
    that was not subscribed, and an opt-in deletes it. What an opt-in cannot undo is in
    `why_marketing_consent_does_not_count`. Besides this function, an import writes first consents
    and opt-outs in bulk; anonymising a contact, and giving it another number or store, end its
    consent.

    Args:
        contact_id: the contact.
        event: the change. An opt-in is stored as `resubscribed` if there was an opt-out before.
        source: who or what changed it, such as `unsubscribe_page` or `inbound_stop`.
        claimed_at: when the person decided, if that is known, and is plausible.
        evidence: what proves it.

    Returns:
        Whether anything changed.
    """
    now = database_now()
    decided_at = plausible_claimed_or_arrival_time(claimed_at, now)
    proof = evidence.json_of_fields_without_own_column()
    if claimed_at and decided_at != claimed_at:
        proof["claimed_at"] = claimed_at.isoformat()
    with transaction.atomic():
        owner_id = Contact.objects.values_list("owner_id", flat=True).get(pk=contact_id)
        if event in WITHDRAWALS:
            lock_out_sending_windows(owner_id)
        contact = Contact.objects.select_for_update().get(pk=contact_id)
        if event in WITHDRAWALS:
            # A yes to what was asked before does not count any more.
            OptInRequest.objects.filter(contact=contact).close_unanswered()
        if event == ConsentEventType.SUBSCRIBED and contact.unsubscribed_at:
            event = ConsentEventType.RESUBSCRIBED
        if contact.phone is None or not _set_consent_unsaved_and_write_suppression(
            contact, event, source, decided_at, evidence
        ):
            return False
        if event in MARKETING_EVENTS:
            contact.sms_consent_at, contact.sms_consent_source = decided_at, source
        if event in OPT_INS:
            contact.gdpr_consent_at, contact.gdpr_consent_source = decided_at, source
            contact.gdpr_consent_version = evidence.version
            wording = {"wording": evidence.wording} if evidence.wording else {}
            contact.consent_evidence = wording | proof or None
        contact.save()
        ConsentEvent.objects.create(
            owner_id=owner_id,
            contact=contact,
            type=event,
            source=source,
            decided_at=decided_at,
            actor=evidence.actor,
            wording=evidence.wording,
            version=evidence.version,
            meta=proof or None,
        )
    return True


def why_marketing_consent_does_not_count(
    contact: Contact, agreed_at: datetime, *, is_recorded: bool = False
) -> str:
    """Why a consent to marketing does not count, as a sentence; empty if it does.

    An objection and a suppression for all stores are not undone by what costs a word or a press.

    Args:
        contact: the contact that would be subscribed.
        agreed_at: when the person agreed.
        is_recorded: whether an operator recorded the consent, with its proof.
    """
    if contact.phone is None:
        return gettext("The contact was anonymised.")
    suppressions = list(
        _suppressions_of_phone_at_any_store_or_global(contact).filter(
            Q(owner=contact.owner_id) | Q(owner=None)
        )
    )
    if any(suppression.owner_id is None for suppression in suppressions):
        return gettext("The number is suppressed for all stores.")
    objected = any(suppression.reason == OBJECTION for suppression in suppressions)
    if objected and not is_recorded:
        return gettext(
            "The person objected. Only a consent that an operator records with its proof counts."
        )
    opted_out_at = [suppression.created_at for suppression in suppressions]
    if contact.unsubscribed_at:
        opted_out_at.append(contact.unsubscribed_at)
    if opted_out_at and agreed_at <= max(opted_out_at):
        zone = contact.owner.timezone
        return gettext("The person opted out later: %(time)s.") % {
            "time": format_time_with_zone_name(max(opted_out_at), zone)
        }
    return ""


def _set_consent_unsaved_and_write_suppression(
    contact: Contact, event: ConsentEventType, source: str, decided_at: datetime, evidence: Evidence
) -> bool:
    """Set the consent that the event changes, without saving, and write or delete the suppression.

    Returns:
        Whether anything changed. A consent that an operator records for a subscribed contact does:
        there is a new proof.
    """
    match event:
        case ConsentEventType.UNSUBSCRIBED:
            is_news = _suppress_and_tell_if_new_or_stronger(contact, source, decided_at)
            if not contact.is_subscribed and not is_news:
                return False
            contact.is_subscribed = False
            contact.unsubscribed_at = max(decided_at, contact.unsubscribed_at or decided_at)
            contact.sms_consent_status = SmsConsentStatus.OPTED_OUT
        case ConsentEventType.SUBSCRIBED | ConsentEventType.RESUBSCRIBED:
            is_recorded = bool(evidence.actor)
            if contact.is_subscribed and not is_recorded:
                return False
            if why_marketing_consent_does_not_count(contact, decided_at, is_recorded=is_recorded):
                return False
            OptInRequest.objects.filter(contact=contact).close_unanswered()
            contact.is_subscribed, contact.unsubscribed_at = True, None
            contact.sms_consent_status = SmsConsentStatus.OPTED_IN
            _suppressions_of_phone_at_any_store_or_global(contact).filter(
                owner=contact.owner_id
            ).delete()
        case ConsentEventType.SERVICE_ALLOWED | ConsentEventType.SERVICE_REVOKED:
            allowed = event == ConsentEventType.SERVICE_ALLOWED
            if contact.service_allowed == allowed:
                return False
            contact.service_allowed = allowed
    return True


def _suppress_and_tell_if_new_or_stronger(
    contact: Contact, source: str, decided_at: datetime
) -> bool:
    """Suppress the contact's number at its store; a stronger opt-out takes a weaker one's place.

    Returns:
        Whether there was no suppression as strong as this one.
    """
    earlier = list(
        _suppressions_of_phone_at_any_store_or_global(contact).filter(owner=contact.owner_id)
    )
    if not earlier:
        suppression, is_new = Suppression.objects.get_or_create(
            owner_id=contact.owner_id,
            phone_hash=phone_hash(contact.phone or ""),
            defaults={"reason": source, "created_at": decided_at},
        )
        if is_new:
            return True
        earlier = [suppression]
    strength = _opt_out_strength_0_unless_operator_or_objection(source)
    strength_before = max(
        _opt_out_strength_0_unless_operator_or_objection(suppression.reason)
        for suppression in earlier
    )
    if not strength or strength < strength_before:
        return False
    for suppression in earlier:
        suppression.reason = source
        suppression.created_at = max(decided_at, suppression.created_at)
        suppression.save()
    return strength > strength_before


def _opt_out_strength_0_unless_operator_or_objection(source: str) -> int:
    return STRONG_OPT_OUTS.index(source) + 1 if source in STRONG_OPT_OUTS else 0


def _suppressions_of_phone_at_any_store_or_global(contact: Contact) -> QuerySet[Suppression]:
    """The suppressions of the contact's number at any store and at all, by either key."""
    return Suppression.objects.filter(
        phone_hash__in=phone_hashes_with_each_key(contact.phone or "")
    )
