"""Which stores and contacts a reply is meant for, by its number and the sender ID that it answers.

Rules: docs/rules.md#replies. What a reply then does is in `replies.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db.models import Q, Value
from django.db.models.functions import Coalesce, NullIf

from astronote.accounts.models import StoreId, User
from astronote.common.sql import database_now, rows
from contacts.importing.phone_cells import PhoneReader
from contacts.lookup import users_u_join_contacts_c_by_phone_sql
from messaging.models import message_classes

RECENT = timedelta(days=90)


def possible_e164_numbers_of_sender(text: str) -> list[str]:
    """The numbers that a reply may have come from, as E.164, by the reader of imports.

    Mitto gives a number with its country code, with or without a sign. Without one that is valid,
    it is read as dialled in the country of any store; all readings count, so that no opt-out is
    lost.

    Args:
        text: the reply's number as Mitto gives it.
    """
    text = text.strip()
    if text[:1].isdecimal() and text[0] != "0":
        numbers = PhoneReader(settings.DEFAULT_PHONE_REGION).find_all_possible_numbers(f"+{text}")
        if numbers:
            return numbers
    numbers = PhoneReader(settings.DEFAULT_PHONE_REGION).find_all_possible_numbers(text)
    if text.startswith(("+", "00")) and numbers:
        return numbers
    stores = User.objects.filter(is_staff=False).exclude(phone_region="")
    for region in stores.values_list("phone_region", flat=True).distinct():
        numbers += PhoneReader(region).find_all_possible_numbers(text)
    return list(dict.fromkeys(numbers))


class Conversation(NamedTuple):
    """A store, its contact with the number of a reply, and its last message to the contact."""

    owner_id: StoreId
    contact_id: int
    sent_at: datetime | None
    sender: str
    kind: str
    source_id: int | None


class Addressees(NamedTuple):
    """Whom a reply is meant for: stores (None: all stores), and their contacts with its number."""

    owner_ids: Sequence[StoreId | None]
    conversations: Sequence[Conversation]


def conversations_of_contacts_latest_first(numbers: Iterable[str]) -> list[Conversation]:
    """The stores that have a number among their contacts; the last sender comes first."""
    sent_messages = " UNION ALL ".join(
        f"SELECT m.sent_at, m.batch_id FROM {model._meta.db_table} m"
        " WHERE m.contact_id = c.id AND m.sent_at IS NOT NULL"
        for model in message_classes()
    )
    sql = CONVERSATIONS.format(
        contacts=users_u_join_contacts_c_by_phone_sql(), sent_messages=sent_messages
    )
    found = [Conversation(*row) for number in numbers for row in rows(sql, [number])]
    return sorted(
        found, key=lambda one: (one.sent_at is None, _age_or_zero(one.sent_at), one.owner_id)
    )


def _age_or_zero(time: datetime | None) -> timedelta:
    return database_now() - time if time else timedelta()


CONVERSATIONS = """
    SELECT c.owner_id, c.id, last.sent_at, COALESCE(b.sender, ''), COALESCE(b.kind, ''), b.source_id
    FROM {contacts}
    LEFT JOIN LATERAL (
        SELECT * FROM ({sent_messages}) sent ORDER BY sent_at DESC LIMIT 1) last ON true
    LEFT JOIN messaging_batch b ON b.id = last.batch_id
"""


def find_addressees_or_all_stores(
    numbers: Sequence[str], conversations: Sequence[Conversation], reply_to_sender_id: str
) -> Addressees:
    """Whom a reply is meant for.

    The stores that wrote to its number with the sender ID that it answers, or that have this sender
    ID. If it names none: those that wrote to a contact with the number in the last 90 days, or
    all that have it as a contact's; else the last store that wrote to the number; else all stores.

    Args:
        numbers: the reply's number, in each of its readings.
        conversations: of these numbers, by `conversations_of_contacts_latest_first`.
        reply_to_sender_id: the sender ID that the reply was sent to; empty if it does not say.
    """
    answered = [one for one in conversations if _is_same_sender(one.sender, reply_to_sender_id)]
    if answered:
        return _build_addressees(answered)
    if senders := _ids_of_stores_with_sender_id(reply_to_sender_id):
        here = [one for one in conversations if one.owner_id in senders]
        return _build_addressees(here) if here else Addressees(senders, [])
    if conversations:
        since = database_now() - RECENT
        recent = [one for one in conversations if one.sent_at and one.sent_at > since]
        return _build_addressees(recent or conversations)
    return Addressees(_last_store_that_messaged_non_contact(numbers) or [None], [])


def _build_addressees(conversations: Sequence[Conversation]) -> Addressees:
    owner_ids = sorted({conversation.owner_id for conversation in conversations})
    return Addressees(owner_ids, conversations)


def _is_same_sender(sender: str, reply_to_sender_id: str) -> bool:
    return bool(reply_to_sender_id) and _normalized_sender(sender) == _normalized_sender(
        reply_to_sender_id
    )


def _normalized_sender(name: str) -> str:
    return name.strip().removeprefix("+").removeprefix("00").casefold()


def _ids_of_stores_with_sender_id(reply_to_sender_id: str) -> list[StoreId]:
    """The stores that have a sender ID now."""
    name = _normalized_sender(reply_to_sender_id)
    if not name:
        return []
    sender = Coalesce(NullIf("sender_name", Value("")), Value(settings.MITTO_SENDER))
    stores = User.objects.filter(is_staff=False).annotate(sender=sender)
    stores = stores.filter(Q(sender__iexact=name) | Q(sender=f"+{name}"))
    return [StoreId(pk) for pk in stores.order_by("pk").values_list("pk", flat=True)]


def _last_store_that_messaged_non_contact(numbers: Sequence[str]) -> list[StoreId]:
    """The store of the last message to a number that is no contact's any more."""
    sent_messages = " UNION ALL ".join(
        f"SELECT m.owner_id, m.sent_at FROM {model._meta.db_table} m"
        ' WHERE m.contact_id IS NULL AND m."to" <> \'\' AND m."to" = ANY(%(numbers)s)'
        " AND m.sent_at IS NOT NULL"
        for model in message_classes()
    )
    sql = LAST_STORE.format(sent_messages=sent_messages)
    return [owner_id for (owner_id,) in rows(sql, {"numbers": list(numbers)})]


# By the partial indexes on messages without a contact.
LAST_STORE = "SELECT owner_id FROM ({sent_messages}) sent ORDER BY sent_at DESC LIMIT 1"
