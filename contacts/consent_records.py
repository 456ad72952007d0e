"""Consents and opt-outs that an operator records for a person (rules.md#consent)."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from django.contrib.auth.models import AnonymousUser
from django.db import models, transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from astronote.accounts.models import User
from astronote.common import audit
from astronote.common.sql import database_now
from astronote.common.times import EARLIEST_BELIEVED_TIME
from contacts.consent import (
    RECORDED_BY_OPERATOR,
    Evidence,
    change_consent,
    why_marketing_consent_does_not_count,
)
from contacts.models import ConsentEventType, Contact, MessageType

GIVEN = {
    MessageType.MARKETING: ConsentEventType.SUBSCRIBED,
    MessageType.SERVICE: ConsentEventType.SERVICE_ALLOWED,
}
WITHDRAWN = {
    MessageType.MARKETING: ConsentEventType.UNSUBSCRIBED,
    MessageType.SERVICE: ConsentEventType.SERVICE_REVOKED,
}


class ConsentChannel(models.TextChoices):
    """How a person told the store that it agrees; the source of the consent."""

    PAPER = "paper", _("on paper")
    PHONE = "phone", _("by phone")


class ConsentRefused(ValueError):
    """A consent cannot be recorded; the message says why."""


class RecordedConsent(NamedTuple):
    """A consent as an operator records it.

    Args:
        channel: how it was given.
        given_at: when.
        place: where, such as the branch or the number that was called.
        wording: what the person agreed to, word for word.
        document: where the proof is kept, such as the number of a form or a recording.
        version: the name of this version of the wording, if it has one.
    """

    channel: ConsentChannel
    given_at: datetime
    place: str
    wording: str
    document: str
    version: str = ""


def record_consent(
    contact: Contact,
    message_type: MessageType,
    consent: RecordedConsent,
    *,
    by: User | AnonymousUser | str,
) -> None:
    """Record that a person agreed to messages of this type, with an audit entry.

    Args:
        contact: the person's contact.
        message_type: what the person agreed to.
        consent: the consent and its proof.
        by: the operator or program that records it.

    Raises:
        ConsentRefused: if the proof is not complete, or the consent does not count.
    """
    missing_texts = {
        "place": gettext("The place is missing. Without it the consent is not proved."),
        "wording": gettext("The wording is missing. Without it the consent is not proved."),
        "document": gettext("The document is missing. Without it the consent is not proved."),
    }
    for name, missing_text in missing_texts.items():
        if not getattr(consent, name).strip():
            raise ConsentRefused(missing_text)
    if not EARLIEST_BELIEVED_TIME <= consent.given_at <= database_now():
        raise ConsentRefused(
            gettext("The time cannot be true: give one between the year 2000 and now.")
        )
    evidence = Evidence(
        wording=consent.wording.strip(),
        version=consent.version.strip(),
        actor=audit.account_id_or_program_name(by),
        document=consent.document.strip(),
        details={"place": consent.place.strip()},
    )
    source, at = consent.channel.value, consent.given_at
    with transaction.atomic():
        if not change_consent(
            contact.pk, GIVEN[message_type], source=source, claimed_at=at, evidence=evidence
        ):
            raise ConsentRefused(
                _reload_contact_and_explain_refused_consent(contact, message_type, at)
            )
        audit.write_entry(
            "consent recorded", contact, by=by, messages=message_type.value, source=source
        )


def _reload_contact_and_explain_refused_consent(
    contact: Contact, message_type: MessageType, at: datetime
) -> str:
    contact.refresh_from_db()
    if message_type == MessageType.MARKETING:
        return why_marketing_consent_does_not_count(contact, at, is_recorded=True)
    return gettext("Service messages are allowed already.")


def record_opt_out_and_audit(
    contact: Contact, message_type: MessageType, *, by: User | AnonymousUser | str
) -> bool:
    """Record that a person wants no more messages of this type, with an audit entry.

    An opt-out of all messages is an objection
    (`compliance.rights.withdraw_all_consent`).

    Args:
        contact: the person's contact.
        message_type: what the person does not want any more.
        by: the operator or program that records it.

    Returns:
        Whether anything changed.
    """
    evidence = Evidence(actor=audit.account_id_or_program_name(by))
    with transaction.atomic():
        changed = change_consent(
            contact.pk, WITHDRAWN[message_type], source=RECORDED_BY_OPERATOR, evidence=evidence
        )
        audit.write_entry(
            "opt-out recorded", contact, by=by, messages=message_type.value, changed=changed
        )
    return changed
