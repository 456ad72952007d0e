"""The rights of a person: access, correction, erasure and objection (GDPR, articles 15 to 21).

The rules are in rules.md#rights-of-a-person. Each function works at one store, or at all stores if
`owner_id` is None.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models, transaction
from django.db.models import Q
from django.db.models.functions import Coalesce, Now

from astronote.accounts.models import User
from astronote.common import audit
from astronote.common.sql import execute, rows
from campaigns.models import OfferViewEvent
from compliance.erasure import delete_contacts
from contacts import restriction
from contacts.consent import change_consent
from contacts.lookup import contact_ids_with_phone
from contacts.models import (
    ConsentEvent,
    ConsentEventType,
    Contact,
    ImportFileChunk,
    ListMembership,
    RejectedRow,
    SmsConsentStatus,
    Suppression,
)
from contacts.phones import phone_hash, phone_hashes, present_key_id
from messaging import replies
from messaging.models import DirectMessage, WebhookEvent, message_classes

# This many last digits identify a number, whatever country code or prefix is written before them.
MATCHING_DIGITS = 8
OBJECTION = "objection"
CORRECTABLE_FIELDS = ("first_name", "last_name", "email", "birthday", "gender")


def contacts_with_phone(phone: str, owner_id: int | None) -> models.QuerySet[Contact]:
    """The contacts with a number, at one store or at all."""
    contacts = Contact.objects.filter(pk__in=contact_ids_with_phone(phone))
    return contacts.filter(owner=owner_id) if owner_id else contacts


def export_person(
    phone: str, owner_id: int | None = None, *, by: User | AnonymousUser | str
) -> dict[str, Any]:
    """All data held on a number; writes an audit entry.

    Args:
        phone: the number in E.164.
        owner_id: a store, or None for all stores.
        by: the account or program that asks.
    """
    contacts = contacts_with_phone(phone, owner_id).order_by("owner").select_related("owner")
    stores = [_contact_data(contact) for contact in contacts]
    suppressions = Suppression.objects.filter(phone_hash__in=phone_hashes(phone))
    direct = DirectMessage.objects.filter(to=phone)
    events = _events_with_phone(phone, owner_id)
    if owner_id:
        suppressions, direct = suppressions.filter(owner=owner_id), direct.filter(owner=owner_id)
    audit.write_entry("personal data exported", by=by, owner_id=owner_id, contacts=len(stores))
    return {
        "number": phone,
        "stores": stores,
        "messages_without_contact": list(direct.values("to", "text", "status", "created_at")),
        "inbound_and_receipts": list(events.values("event_type", "received_at", "payload")),
        "opt_outs_by_hash": list(suppressions.values("owner", "reason", "created_at")),
    }


def person_json(data: dict[str, Any]) -> str:
    """The data of `export_person` as a JSON document."""
    return json.dumps(data, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2)


def _contact_data(contact: Contact) -> dict[str, Any]:
    messages: list[dict[str, Any]] = []
    for model in message_classes():
        sent = model.objects.filter(contact=contact).order_by("pk")
        columns = ("to", "text", "status", "sent_at", "delivered_at", "created_at")
        messages.extend(dict(row) for row in sent.values(*columns))
    views = OfferViewEvent.objects.filter(campaign_message__contact=contact)
    return {
        "store": str(contact.owner),
        "contact": Contact.objects.filter(pk=contact.pk).values().get(),
        "lists": list(ListMembership.objects.filter(contact=contact).values("list__name")),
        "consent": list(
            ConsentEvent.objects.filter(contact=contact)
            .order_by("pk")
            .values("type", "source", "meta", "created_at")
        ),
        "messages": messages,
        "visits": list(views.values("viewed_at", "ip_address", "user_agent", "device_type")),
    }


def erase_person(
    phone: str, owner_id: int | None = None, *, by: User | AnonymousUser | str
) -> dict[str, int]:
    """Erase all data on a number; suppressions stay as hashes.

    Applies waiting replies first and writes an audit entry.

    Args:
        phone: the number in E.164.
        owner_id: a store, or None for all stores.
        by: the account or program that asks.

    Returns:
        How many rows of each kind were deleted or emptied.
    """
    replies.apply_received_replies()  # a STOP that waits would lose its number
    with transaction.atomic():
        event_ids = list(_events_with_phone(phone, owner_id).values_list("pk", flat=True))
        contact_ids = list(contacts_with_phone(phone, owner_id).values_list("pk", flat=True))
        delete_contacts(contact_ids)
        direct = DirectMessage.objects.filter(to=phone)
        rejected = RejectedRow.objects.filter(pk__in=_rejected_row_ids(phone))
        # Any file may hold the number; an import that is open still needs its file.
        chunks = ImportFileChunk.objects.filter(contact_import__finished_at__isnull=False)
        if owner_id:
            direct = direct.filter(owner=owner_id)
            rejected = rejected.filter(contact_import__owner=owner_id)
            chunks = chunks.filter(contact_import__owner=owner_id)
        counts: dict[str, Any] = {
            "contacts": len(contact_ids),
            "messages_without_contact": direct.update(to="", text=""),
            "webhook_payloads": WebhookEvent.objects.filter(pk__in=event_ids).update(payload=None),
            "rejected_rows": rejected.delete()[0],
            "import_file_chunks": chunks.delete()[0],
        }
        audit.write_entry("personal data erased", by=by, owner_id=owner_id, **counts)
    return counts


def correct_person(
    phone: str,
    changes: dict[str, Any],
    owner_id: int | None = None,
    *,
    by: User | AnonymousUser | str,
) -> int:
    """Correct the contacts with a number and write an audit entry (GDPR, article 16).

    Args:
        phone: the number in E.164.
        changes: new values of CORRECTABLE_FIELDS.
        owner_id: a store, or None for all stores.
        by: the account or program that asks.

    Returns:
        The number of stores.

    Raises:
        ValidationError: if a value is not valid; then nothing is changed.
    """
    with transaction.atomic():
        contacts = list(contacts_with_phone(phone, owner_id))
        for contact in contacts:
            for name, value in changes.items():
                setattr(contact, name, value)
            contact.full_clean()
            contact.save(update_fields=[*changes, "updated_at"])
        audit.write_entry(
            "personal data corrected",
            by=by,
            owner_id=owner_id,
            fields=sorted(changes),
            contacts=len(contacts),
        )
    return len(contacts)


def withdraw_all_consent(
    phone: str, owner_id: int | None = None, *, by: User | AnonymousUser | str
) -> int:
    """Withdraw both consents of a number's contacts and write an audit entry (article 21).

    Leaves a suppression in any case, at the store or for all stores, with the reason `objection`:
    also of a number that is no contact's, and of one that had opted out before.

    Args:
        phone: the number in E.164.
        owner_id: a store, or None for all stores.
        by: the account or program that asks.

    Returns:
        The number of consents that changed.
    """
    changed = 0
    for pk in contacts_with_phone(phone, owner_id).order_by("pk").values_list("pk", flat=True):
        if change_consent(pk, ConsentEventType.UNSUBSCRIBED, source=OBJECTION):
            changed += 1
        else:
            _record_objection(pk)
        changed += change_consent(pk, ConsentEventType.SERVICE_REVOKED, source=OBJECTION)
    with transaction.atomic():
        execute(SUPPRESS_OBJECTION, [owner_id, phone_hash(phone), present_key_id(), OBJECTION])
        audit.write_entry("objection", by=by, owner_id=owner_id, changes=changed)
    return changed


SUPPRESS_OBJECTION = """
    INSERT INTO contacts_suppression (owner_id, phone_hash, key_id, reason)
    VALUES (%s, %s, %s, %s)
    ON CONFLICT (phone_hash, owner_id) DO UPDATE SET reason = excluded.reason
"""


@transaction.atomic
def _record_objection(contact_id: int) -> None:
    """Make a contact that is not subscribed one that objected, so that no START takes it back."""
    recorded = Contact.objects.filter(pk=contact_id).exclude(sms_consent_source=OBJECTION)
    if recorded.update(
        unsubscribed_at=Coalesce("unsubscribed_at", Now()),
        sms_consent_status=SmsConsentStatus.OPTED_OUT,
        sms_consent_source=OBJECTION,
        sms_consent_at=Now(),
    ):
        contact = Contact.objects.get(pk=contact_id)
        ConsentEvent.objects.create(
            owner_id=contact.owner_id,
            contact=contact,
            type=ConsentEventType.UNSUBSCRIBED,
            source=OBJECTION,
        )


def restrict_person(
    phone: str,
    owner_id: int | None = None,
    *,
    reason: str,
    by: User | AnonymousUser | str,
) -> int:
    """Restrict the contacts with a number, each with an audit entry (GDPR, article 18).

    Args:
        phone: the number in E.164.
        owner_id: a store, or None for all stores.
        reason: why; stored with the contacts.
        by: the account or program that asks.

    Returns:
        How many contacts were not restricted before.
    """
    contacts = contacts_with_phone(phone, owner_id).order_by("pk")
    ids = list(contacts.values_list("pk", flat=True))
    return sum(restriction.restrict_contact(pk, reason=reason, by=by) for pk in ids)


def lift_restriction(
    phone: str, owner_id: int | None = None, *, by: User | AnonymousUser | str
) -> int:
    """End the restriction of the contacts with a number; return how many there were."""
    contacts = contacts_with_phone(phone, owner_id).order_by("pk")
    ids = list(contacts.values_list("pk", flat=True))
    return sum(restriction.lift_restriction(pk, by=by) for pk in ids)


def _events_with_phone(phone: str, owner_id: int | None) -> models.QuerySet[WebhookEvent]:
    """Webhook events whose payload contains the number, of one store or of all.

    A receipt belongs to the store of its message.
    """
    events = WebhookEvent.objects.extra(
        where=["payload IS NOT NULL AND payload::text LIKE %s"], params=[f"%{phone[1:]}%"]
    )
    if owner_id is None:
        return events
    provider_ids = [
        provider_id
        for model in message_classes()
        for provider_id in model.objects.filter(
            Q(contact__in=contacts_with_phone(phone, owner_id))
            | Q(to=phone, contact=None, owner=owner_id),
            provider_message_id__in=events.values("provider_message_id"),
        ).values_list("provider_message_id", flat=True)
    ]
    return events.filter(Q(owner=owner_id) | Q(provider_message_id__in=provider_ids))


def _rejected_row_ids(phone: str) -> Sequence[int]:
    """Rejected rows that contain the number's last digits, with any punctuation between them."""
    return [pk for (pk,) in rows(FIND_REJECTED_ROWS, [f"%{phone[-MATCHING_DIGITS:]}%"])]


# Scans the table; an erasure is rare and rejected rows are removed by retention.
FIND_REJECTED_ROWS = r"""
    SELECT id FROM contacts_rejectedrow
    WHERE regexp_replace(row::text || value, '\D', '', 'g') LIKE %s
"""


def columns_containing(text: str) -> Iterator[str]:
    """Columns of the database that contain a text; after a complete erasure there are none."""
    for table, column in rows(LIST_TEXT_COLUMNS):
        query = f'SELECT 1 FROM "{table}" WHERE "{column}"::text LIKE %s LIMIT 1'
        if rows(query, [f"%{text}%"]):
            yield f"{table}.{column}"


LIST_TEXT_COLUMNS = """
    SELECT table_name, column_name FROM information_schema.columns
    WHERE table_schema = current_schema() AND data_type IN
        ('text', 'character varying', 'character', 'json', 'jsonb', 'bytea', 'ARRAY')
    ORDER BY 1, 2
"""
