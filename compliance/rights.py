"""What a person may ask for: access, erasure and objection (GDPR, articles 15 to 17 and 21)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, models, transaction
from django.db.models import Q

from campaigns.models import OfferViewEvent
from compliance.erasing import delete
from contacts import audit
from contacts.consent import change_consent
from contacts.finding import contacts_with
from contacts.models import (
    ConsentEvent,
    ConsentEventType,
    Contact,
    ImportFileChunk,
    ListMembership,
    RejectedRow,
    Suppression,
)
from contacts.phones import phone_hash
from messaging import inbound
from messaging.models import DirectMessage, WebhookEvent, message_classes

JSON = DjangoJSONEncoder
# So many last digits make a number one person's, however the rest was written.
TELLING_DIGITS = 8


def contacts_of(phone: str, owner_id: int | None) -> models.QuerySet[Contact]:
    """The contacts with a number, at one store or at all."""
    found = Contact.objects.filter(pk__in=contacts_with(phone))
    return found.filter(owner=owner_id) if owner_id else found


def export(phone: str, owner_id: int | None = None, *, by: Any) -> dict[str, Any]:
    """Everything that is held on a number, at one store or at all; that somebody asked is kept."""
    stores = [_held(contact) for contact in contacts_of(phone, owner_id).order_by("owner")]
    hashed = Suppression.objects.filter(phone_hash=phone_hash(phone))
    direct = DirectMessage.objects.filter(to=phone)
    events = _events(phone, owner_id)
    if owner_id:
        hashed, direct = hashed.filter(owner=owner_id), direct.filter(owner=owner_id)
    audit.record("personal data exported", by=by, owner_id=owner_id, contacts=len(stores))
    return {
        "number": phone,
        "stores": stores,
        "messages_without_contact": list(direct.values("to", "text", "status", "created_at")),
        "inbound_and_receipts": list(events.values("event_type", "received_at", "payload")),
        "opt_outs_by_hash": list(hashed.values("owner", "reason", "created_at")),
    }


def _held(contact: Contact) -> dict[str, Any]:
    messages: list[dict[str, Any]] = []
    for model in message_classes():
        rows = model.objects.filter(contact=contact).order_by("pk")
        messages += rows.values("to", "text", "status", "sent_at", "delivered_at", "created_at")
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


def erase(phone: str, owner_id: int | None = None, *, by: Any) -> dict[str, int]:
    """Erase a number and its person at one store or everywhere, now; opt-outs stay as hashes.

    Returns:
        How many rows of each kind went or were emptied.
    """
    inbound.apply_waiting()  # a STOP that waits would lose its number
    counts: dict[str, int] = {}
    with transaction.atomic():
        events = list(_events(phone, owner_id).values_list("pk", flat=True))
        found = list(contacts_of(phone, owner_id).values_list("pk", flat=True))
        delete(found)
        counts["contacts"] = len(found)
        direct = DirectMessage.objects.filter(to=phone)
        rejected = RejectedRow.objects.filter(pk__in=_rejected_rows(phone))
        files = ImportFileChunk.objects.filter(contact_import__finished_at__isnull=False)
        if owner_id:
            direct = direct.filter(owner=owner_id)
            rejected = rejected.filter(contact_import__owner=owner_id)
            files = files.filter(contact_import__owner=owner_id)
        counts["messages_without_contact"] = direct.update(to="", text="")
        named = WebhookEvent.objects.filter(pk__in=events)
        counts["webhook_payloads"] = named.update(payload=None)
        counts["rejected_rows"] = rejected.delete()[0]
        counts["pieces_of_files"] = files.delete()[0]
        audit.record("personal data erased", by=by, owner_id=owner_id, **counts)
    return counts


CORRECTABLE = ("first_name", "last_name", "email", "birthday", "gender")


def correct(phone: str, changes: dict[str, Any], owner_id: int | None = None, *, by: Any) -> int:
    """Correct what is known of a number's person (GDPR, article 16); return at how many stores.

    Raises:
        ValidationError: if a value is not possible; then nothing is changed.
    """
    with transaction.atomic():
        found = list(contacts_of(phone, owner_id))
        for contact in found:
            for name, value in changes.items():
                setattr(contact, name, value)
            contact.full_clean()
            contact.save(update_fields=[*changes, "updated_at"])
        audit.record(
            "personal data corrected", by=by, owner_id=owner_id, fields=sorted(changes),
            contacts=len(found),
        )  # fmt: skip
    return len(found)


def object_to(phone: str, owner_id: int | None = None, *, by: Any) -> int:
    """Opt a number out of everything, at one store or at all; return how many changes that took."""
    changed = 0
    for pk in contacts_of(phone, owner_id).order_by("pk").values_list("pk", flat=True):
        for event in (ConsentEventType.UNSUBSCRIBED, ConsentEventType.SERVICE_REVOKED):
            changed += change_consent(pk, event, source="objection")
    audit.record("objection", by=by, owner_id=owner_id, changes=changed)
    return changed


def _events(phone: str, owner_id: int | None) -> models.QuerySet[WebhookEvent]:
    """Webhook events whose payload names the number, of one store or of all.

    A receipt is of the store whose message it is about.
    """
    events = WebhookEvent.objects.extra(
        where=["payload IS NOT NULL AND payload::text LIKE %s"], params=[f"%{phone[1:]}%"]
    )
    if owner_id is None:
        return events
    ids = [
        provider_id
        for model in message_classes()
        for provider_id in model.objects.filter(
            Q(contact__in=contacts_of(phone, owner_id)) | Q(to=phone, contact=None, owner=owner_id),
            provider_message_id__in=events.values("provider_message_id"),
        ).values_list("provider_message_id", flat=True)
    ]
    return events.filter(Q(owner=owner_id) | Q(provider_message_id__in=ids))


def _rejected_rows(phone: str) -> Sequence[int]:
    """Rejected rows with the number's last digits, whatever stands between them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM contacts_rejectedrow"
            r" WHERE regexp_replace(row::text || value, '\D', '', 'g') LIKE %s",
            [f"%{phone[-TELLING_DIGITS:]}%"],
        )
        return [row[0] for row in cursor.fetchall()]


def columns_with(text: str) -> Iterator[str]:
    """Every column of the database in which a text occurs: proof that an erasure was whole."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = current_schema() AND data_type IN"
            " ('text', 'character varying', 'character', 'json', 'jsonb', 'bytea', 'ARRAY')"
            " ORDER BY 1, 2"
        )
        for table, column in cursor.fetchall():
            cursor.execute(
                f'SELECT FROM "{table}" WHERE "{column}"::text LIKE %s LIMIT 1', [f"%{text}%"]
            )
            if cursor.fetchone() is not None:
                yield f"{table}.{column}"
