"""The words with which customers opt out and in again by SMS, in the languages of our stores."""

from __future__ import annotations

import re
import unicodedata

# Whatever follows them, as in "stop please".
STOP_FIRST = {
    "stop", "stopall", "unsubscribe", "stopp", "abmelden", "abbestellen", "desabonner",
    "desinscrire", "desabonnement", "baja", "disiscrivi", "disiscrivimi", "cancellami", "διαγραφη",
    "στοπ", "απεγγραφη",
}  # fmt: skip
# Words of everyday: only if they are all that was written.
STOP_ALONE = {
    "end", "cancel", "quit", "optout", "opt out", "stop all", "ende", "arret", "arreter", "fin",
    "parar", "alto", "cancelar", "detener", "ferma", "basta", "annulla", "cancella", "τελοσ",
    "ακυρωση", "σταματα", "σταματηστε", "διεγραψε με",
}  # fmt: skip
START = {
    "start", "unstop", "subscribe", "optin", "opt in", "anmelden", "demarrer", "reprendre", "alta",
    "iniciar", "iscrivimi", "inizia", "εγγραφη", "εναρξη", "σταρτ",
}  # fmt: skip
LONGEST_REQUEST = 6  # words; more is a letter that happens to begin with one of ours


def request_in(text: str) -> str:
    """What a customer's text asks for: `stop`, `start`, or nothing (empty)."""
    words = plain(text).split()
    whole = " ".join(words)
    if whole in STOP_ALONE or (words and words[0] in STOP_FIRST and len(words) <= LONGEST_REQUEST):
        return "stop"
    return "start" if whole in START else ""


def plain(text: str) -> str:
    """The text in small letters, without accents and punctuation."""
    decomposed = unicodedata.normalize("NFKD", text)
    bare = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return re.sub(r"[^\w]+", " ", bare.casefold()).strip()
