"""What an opt-in request asks, by the store's own wording or the standard one."""

from __future__ import annotations

from typing import NamedTuple

from django.conf import settings

from astronote.accounts.models import User
from astronote.common.languages import Language, language_of_store_or_country

CONFIRM_LINK_TAG = "{{confirm_link}}"
STANDARD_QUESTIONS = {
    Language.ENGLISH: "{shop}: may we send you offers by SMS? You can stop them at any time.",
    Language.GREEK: "{shop}: να σας στέλνουμε προσφορές με SMS; Τις σταματάτε όποτε θέλετε.",
    Language.GERMAN: "{shop}: Dürfen wir Ihnen Angebote per SMS schicken? Sie können sie jederzeit"
    " abbestellen.",
    Language.FRENCH: "{shop} : pouvons-nous vous envoyer des offres par SMS ? Vous pouvez les"
    " arrêter à tout moment.",
    Language.SPANISH: "{shop}: ¿podemos enviarle ofertas por SMS? Puede darse de baja cuando"
    " quiera.",
    Language.ITALIAN: "{shop}: possiamo inviarle offerte per SMS? Può disiscriversi in qualsiasi"
    " momento.",
}
STANDARD_VERSION = "standard"


class Question(NamedTuple):
    """What a person is asked, and the name of this version of it."""

    wording: str
    version: str


def own_or_standard_opt_in_question_of(store: User, language: Language | None = None) -> Question:
    """What the store's opt-in requests ask.

    Args:
        store: the store.
        language: of the standard question; without it the store's.
    """
    if store.opt_in_wording:
        return Question(store.opt_in_wording, store.opt_in_version)
    shop = store.company or store.sender_name or settings.MITTO_SENDER
    language = language or language_of_store_or_country(store)
    wording = STANDARD_QUESTIONS[language].format(shop=shop)
    return Question(wording, f"{STANDARD_VERSION}, {language}")


def without_confirm_link_tag(wording: str) -> str:
    """The wording as a page shows it and an event keeps it."""
    return " ".join(wording.replace(CONFIRM_LINK_TAG, "").split())
