"""Single messages to one number, such as the test of a campaign."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from contacts import jobs
from contacts.consent import suppressed
from contacts.models import MessageType
from messaging import credits
from messaging.batching import new_tracking_ids
from messaging.models import Batch, DirectMessage
from messaging.sending import SEND_NEXT, next_turn
from messaging.standing import Blocked, check_store
from messaging.text import parts


def send_one(owner: Any, to: str, text: str, *, key: str) -> DirectMessage:
    """Enqueue a service message to one number; the same `key` sends it once.

    Raises:
        Blocked: if the store may not send, cannot pay, or the number has opted out.
    """
    sender = check_store(owner)
    if suppressed(owner.pk, [to]):
        raise Blocked("this number has opted out at this store")
    with transaction.atomic():
        if earlier := DirectMessage.objects.filter(owner=owner, idempotency_key=key).first():
            return earlier
        batch = Batch.objects.create(
            owner=owner,
            kind=DirectMessage.batch_kind,
            message_type=MessageType.SERVICE,
            sender=sender,
            size=1,
            turn=next_turn(),
        )
        message = DirectMessage.objects.create(
            owner=owner,
            batch=batch,
            to=to,
            text=text,
            segments=parts(text),
            tracking_id=new_tracking_ids(1)[0],
            idempotency_key=key,
        )
        try:
            credits.reserve([(owner.pk, batch.pk, message.segments)])
        except credits.InsufficientCredits as error:
            raise Blocked(str(error)) from None
        jobs.enqueue("sms", SEND_NEXT)
    return message
