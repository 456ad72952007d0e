"""The words by which customers opt out and in again by SMS, in the languages of the stores.

What a request does is in `replies.py`. Rules: docs/rules.md#replies.
"""

from __future__ import annotations

import re
import unicodedata

from messaging.statuses import ConsentRequest

# A request if the text begins with one of them, as in "stop please".
STOP_PREFIXES = {
    "stop",
    "stopall",
    "unsubscribe",
    "stopp",
    "abmelden",
    "abbestellen",
    "desabonner",
    "desinscrire",
    "desabonnement",
    "baja",
    "disiscrivi",
    "disiscrivimi",
    "cancellami",
    "διαγραφη",
    "στοπ",
    "απεγγραφη",
}
# Everyday words: a request only if they are the whole text.
STOP_TEXTS = {
    "end",
    "cancel",
    "quit",
    "optout",
    "opt out",
    "stop all",
    "ende",
    "arret",
    "arreter",
    "fin",
    "parar",
    "alto",
    "cancelar",
    "detener",
    "ferma",
    "basta",
    "annulla",
    "cancella",
    "τελοσ",
    "ακυρωση",
    "σταματα",
    "σταματηστε",
    "διεγραψε με",
}
START_TEXTS = {
    "start",
    "unstop",
    "subscribe",
    "optin",
    "opt in",
    "anmelden",
    "demarrer",
    "reprendre",
    "alta",
    "iniciar",
    "iscrivimi",
    "inizia",
    "εγγραφη",
    "εναρξη",
    "σταρτ",
}
# The answer to an opt-in request, if it is the whole text; heard only while a request is open.
YES_TEXTS = {"yes", "ναι", "ja", "oui", "si", "sim"}
MAX_REQUEST_WORDS = 6  # a longer text is no request, even if it begins with such a word


def consent_request_in(text: str) -> str:
    """The consent request in a reply: a ConsentRequest, or empty if there is none."""
    words = normalized_words(text).split()
    folded = " ".join(words)
    begins_with_stop = bool(words) and words[0] in STOP_PREFIXES
    if folded in STOP_TEXTS or (begins_with_stop and len(words) <= MAX_REQUEST_WORDS):
        return ConsentRequest.STOP.value
    return ConsentRequest.START.value if folded in START_TEXTS else ""


def is_yes(text: str) -> bool:
    """Whether a reply says yes, and nothing else."""
    return normalized_words(text) in YES_TEXTS


def normalized_words(text: str) -> str:
    """The text in lower case, without accents and punctuation."""
    decomposed = unicodedata.normalize("NFKD", text)
    without_accents = "".join(char for char in decomposed if not unicodedata.combining(char))
    return re.sub(r"[^\w]+", " ", without_accents.casefold()).strip()
