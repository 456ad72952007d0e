"""The one message that confirms an opt-out by SMS, of stores that want it (rules.md#replies)."""

from __future__ import annotations

import logging

from astronote.accounts.eligibility import SendingBlocked, eligible_sender
from astronote.accounts.models import StoreId, User
from contacts.models import Contact
from contacts.phones import phone_region_of
from messaging.direct_messages import send_service_message
from messaging.reply_reading import confirmation_for

log = logging.getLogger(__name__)


def send_confirmation(owner_id: StoreId, number: str, *, key: str) -> None:
    """Confirm an opt-out, in the language of the store's country, if the store wants it.

    Nothing is sent to a contact that wants no service messages, and nothing if the store may not
    send or cannot pay.

    Args:
        owner_id: the store.
        number: the number that opted out, as E.164.
        key: of the opt-out; a second call with it sends nothing.
    """
    store = User.objects.get(pk=owner_id)
    refuses = Contact.objects.filter(owner=owner_id, phone=number, service_allowed=False)
    if not store.confirms_opt_outs or refuses.exists():
        return
    try:
        name = store.company or eligible_sender(store)
        text = confirmation_for(phone_region_of(store)).format(store=name)
        send_service_message(store, number, text, key=f"opt-out:{key}")
    except SendingBlocked as blocked:
        log.info("store %s: an opt-out was not confirmed: %s", owner_id, blocked)
