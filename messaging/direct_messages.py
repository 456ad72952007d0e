"""Single messages to one number: tests of campaigns, opt-in requests, codes, lines of a file.

Campaigns and automations write their messages with `batch_writing.py` instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.utils.translation import gettext

from astronote.accounts.eligibility import (
    SendingBlocked,
    sender_of_store,
)
from astronote.accounts.models import StoreId, User
from contacts.marketing_blocks import phones_suppressed_at_store_or_everywhere
from contacts.models import MessageType
from contacts.opt_in_wording import CONFIRM_LINK_TAG
from contacts.phones import can_receive_sms
from contacts.restriction import restricted_phones
from messaging import credits
from messaging.batch_queue import enqueue_send_jobs_on_commit, lowest_due_turn_or_zero
from messaging.batch_writing import generate_tracking_ids
from messaging.models import Batch, BatchId, DirectMessage
from messaging.opt_in_secrets import CODE_TAG
from messaging.text import Template, count_parts, text_problem_or_empty


class NewDirectMessage(NamedTuple):
    """A message to be written.

    Args:
        to: the number, as E.164.
        text: with the tags of `opt_in_secrets.py`, if it has any.
        key: the store has at most one message with it.
        contact_id: whom the store addresses; just before the call the contact must allow service
            messages and its number must not be suppressed. None for a number that somebody typed.
        tracking_id: of whose links the text has some; empty for a new one.
    """

    to: str
    text: str
    key: str
    contact_id: int | None = None
    tracking_id: str = ""


def get_or_enqueue_direct_message(
    store: User, e164_phone: str, text: str, *, key: str, contact_id: int | None = None
) -> DirectMessage:
    """Write a service message to one number, hold its credits and enqueue a job that sends it.

    Args:
        store: the sender.
        e164_phone: the number, as E.164.
        text: as it is sent.
        key: if the store has a message with this key, it is returned and nothing is written.
        contact_id: whom the store addresses, see `NewDirectMessage`.

    Raises:
        SendingBlocked: if the store may not send or cannot pay, or the number has opted out, cannot
            receive SMS or is that of a restricted contact.
    """
    if phones_suppressed_at_store_or_everywhere(store.pk, [e164_phone]):
        raise SendingBlocked(gettext("this number has opted out at this store"))
    return get_or_enqueue_even_if_opted_out(store, e164_phone, text, key=key, contact_id=contact_id)


def get_or_enqueue_even_if_opted_out(
    store: User, e164_phone: str, text: str, *, key: str, contact_id: int | None = None
) -> DirectMessage:
    """The same, also to a number that has opted out of marketing, such as to confirm that.

    Args:
        store: the sender.
        e164_phone: the number, as E.164.
        text: as it is sent.
        key: if the store has a message with this key, it is returned and nothing is written.
        contact_id: whom the store addresses, see `NewDirectMessage`.

    Raises:
        SendingBlocked: if the store may not send or cannot pay, or the number cannot receive SMS or
            is that of a restricted contact.
    """
    sender_of_store(store)
    if not (store.sends_to_any_number or can_receive_sms(e164_phone)):
        raise SendingBlocked(gettext("this number is no mobile and cannot receive SMS"))
    if restricted_phones(store.pk, [e164_phone]):
        raise SendingBlocked(gettext("the data of this number's contact may only be stored"))
    with transaction.atomic():
        if earlier := DirectMessage.objects.filter(owner=store, idempotency_key=key).first():
            return earlier
        new = NewDirectMessage(e164_phone, text, key, contact_id)
        return enqueue_direct_messages(store, [new])[0]


def enqueue_direct_messages(
    store: User,
    messages: Sequence[NewDirectMessage],
    *,
    message_type: str = MessageType.SERVICE,
    not_before: datetime | None = None,
) -> list[DirectMessage]:
    """Write messages of one batch, hold their credits and enqueue a job that sends them.

    Called in a transaction; roll it back after an error. The caller has asked whether the numbers
    have opted out.

    Args:
        store: the sender.
        messages: at most `limits.max_batch_size_within_store_caps`.
        message_type: a MessageType; marketing has contacts, and the limits of marketing.
        not_before: before this time the batch is not sent; None for at once.

    Raises:
        SendingBlocked: if the store may not send or cannot pay, or a text has other tags than those
            of `opt_in_secrets.py`.
    """
    for text in {message.text for message in messages}:
        _raise_blocked_if_other_tags_than_link_and_code(text)
    batch = Batch.objects.create(
        owner=store,
        kind=DirectMessage.batch_kind,
        message_type=message_type,
        not_before=not_before,
        sender=sender_of_store(store),
        size=len(messages),
        turn=lowest_due_turn_or_zero(),
    )
    tracking_ids = [
        message.tracking_id or new
        for message, new in zip(messages, generate_tracking_ids(len(messages)), strict=True)
    ]
    written = DirectMessage.objects.bulk_create(
        DirectMessage(
            owner=store,
            batch=batch,
            contact_id=message.contact_id,
            to=message.to,
            text=message.text,
            segments=count_parts(DirectMessage.text_to_send(message.text, tracking_id)),
            tracking_id=tracking_id,
            idempotency_key=message.key,
        )
        for message, tracking_id in zip(messages, tracking_ids, strict=True)
    )
    parts = sum(message.segments for message in written)
    try:
        credits.reserve_credits_or_raise(
            [credits.NewBatch(StoreId(store.pk), BatchId(batch.pk), parts)]
        )
    except credits.InsufficientCredits as error:
        raise SendingBlocked(str(error)) from None
    enqueue_send_jobs_on_commit(1)
    return written


def _raise_blocked_if_other_tags_than_link_and_code(text: str) -> None:
    """Refuse a text with a tag that nothing fills, which would be sent as written."""
    for tag in (CODE_TAG, CONFIRM_LINK_TAG):
        text = text.replace(tag, "")
    if problem := text_problem_or_empty(text):
        raise SendingBlocked(problem)
    if fields := Template(text).fields:
        raise SendingBlocked(
            gettext("a direct message has nothing to fill {{%(tag)s}} with") % {"tag": min(fields)}
        )
