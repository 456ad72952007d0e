"""The one message that confirms an opt-out by SMS, of stores that want it (rules.md#replies)."""

from __future__ import annotations

import logging

from astronote.accounts.eligibility import (
    SendingBlocked,
    sender_of_store,
)
from astronote.accounts.models import StoreId, User
from astronote.common.languages import Language, language_of_store_or_country
from contacts.models import Contact
from messaging.direct_messages import get_or_enqueue_even_if_opted_out

log = logging.getLogger(__name__)

CONFIRMATIONS = {
    Language.ENGLISH: "You are unsubscribed from {store} and will get no more offers.",
    Language.GREEK: "Διαγραφήκατε από {store}. Δεν θα λαμβάνετε άλλες προσφορές.",
    Language.GERMAN: "Sie sind bei {store} abgemeldet und erhalten keine Angebote mehr.",
    Language.FRENCH: "Vous êtes désinscrit de {store} et ne recevrez plus d'offres.",
    Language.SPANISH: "Se ha dado de baja de {store} y no recibirá más ofertas.",
    Language.ITALIAN: "Lei è stato cancellato da {store} e non riceverà altre offerte.",
}


def enqueue_opt_out_confirmation(
    owner_id: StoreId, e164_phone: str, *, idempotency_key: str
) -> None:
    """Confirm an opt-out, in the store's language, if the store wants it.

    Nothing is sent to a contact that wants no service messages, and nothing if the store may not
    send or cannot pay.

    Args:
        owner_id: the store.
        e164_phone: the number that opted out, as E.164.
        idempotency_key: of the opt-out; a second call with it sends nothing.
    """
    store = User.objects.get(pk=owner_id)
    refuses = Contact.objects.filter(owner=owner_id, phone=e164_phone, service_allowed=False)
    if not store.confirms_opt_outs or refuses.exists():
        return
    try:
        name = store.company or sender_of_store(store)
        text = CONFIRMATIONS[language_of_store_or_country(store)].format(store=name)
        get_or_enqueue_even_if_opted_out(store, e164_phone, text, key=f"opt-out:{idempotency_key}")
    except SendingBlocked as blocked:
        log.info("store %s: an opt-out was not confirmed: %s", owner_id, blocked)
