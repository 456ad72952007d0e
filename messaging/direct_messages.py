"""Single messages to one number, such as the test of a campaign.

Campaigns and automations write their messages with `batch_writing.py` instead.
"""

from __future__ import annotations

from django.db import transaction

from astronote.accounts.eligibility import SendingBlocked, eligible_sender
from astronote.accounts.models import StoreId, User
from contacts.consent import restricted_phones, suppressed_phones
from contacts.models import MessageType
from messaging import credits
from messaging.batch_queue import next_turn, wake
from messaging.batch_writing import new_tracking_ids
from messaging.models import Batch, BatchId, DirectMessage
from messaging.text import count_parts


def send_direct_message(store: User, to: str, text: str, *, key: str) -> DirectMessage:
    """Write a service message to one number, hold its credits and enqueue a job that sends it.

    Args:
        store: the sender.
        to: the number, as E.164.
        text: as it is sent.
        key: if the store has a message with this key, it is returned and nothing is written.

    Raises:
        SendingBlocked: if the store may not send or cannot pay, or the number has opted out or is
            that of a restricted contact.
    """
    sender = eligible_sender(store)
    if suppressed_phones(store.pk, [to]):
        raise SendingBlocked("this number has opted out at this store")
    if restricted_phones(store.pk, [to]):
        raise SendingBlocked("the data of this number's contact may only be stored")
    with transaction.atomic():
        if earlier := DirectMessage.objects.filter(owner=store, idempotency_key=key).first():
            return earlier
        batch = Batch.objects.create(
            owner=store,
            kind=DirectMessage.batch_kind,
            message_type=MessageType.SERVICE,
            sender=sender,
            size=1,
            turn=next_turn(),
        )
        message = DirectMessage.objects.create(
            owner=store,
            batch=batch,
            to=to,
            text=text,
            segments=count_parts(text),
            tracking_id=new_tracking_ids(1)[0],
            idempotency_key=key,
        )
        try:
            new_batch = credits.NewBatch(StoreId(store.pk), BatchId(batch.pk), message.segments)
            credits.reserve_credits([new_batch])
        except credits.InsufficientCredits as error:
            raise SendingBlocked(str(error)) from None
        wake(1)
    return message
