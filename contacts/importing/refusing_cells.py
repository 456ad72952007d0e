"""Cells that refuse messages in so many words, whatever stands above them."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

from contacts.importing.heading_words import CONCEPTS_BY_WORD, fold_case_and_accents

_SPLIT = re.compile(r"[^\W_]+")
_CLEAR_NO = frozenset(
    [
        "optout",
        "optedout",
        "unsubscribed",
        "unsubscribe",
        "unsub",
        "notsubscribed",
        "nonsubscribed",
        "neversubscribed",
        "donotcontact",
        "donottext",
        "donotsms",
        "abgemeldet",
        "werbesperre",
        "werbewiderspruch",
        "abbestellt",
        "desabonne",
        "desabonnee",
        "desinscrit",
        "desinscrite",
        "desuscrito",
        "disiscritto",
        "disiscritta",
        "απεγγραφη",
        "διεγραμμενοσ",
        "διεγραμμενη",
        "dnc",
        "blacklisted",
    ]
)


_NEGATING_WORDS = (
    {"stop", "no", "dont", "don"}
    | {word for word, concepts in CONCEPTS_BY_WORD.items() if "not" in concepts}
    # `Opt out` may be two words.
    | {word[:end] for word in _CLEAR_NO for end in range(2, len(word) + 1)}
)


@lru_cache(maxsize=10_000)
def _may_be_part_of_refusal(word: str) -> bool:
    """Whether a cell with this word may say no; most words of addresses and notes do not."""
    words = _SPLIT.findall(fold_case_and_accents(word.replace("_", " ")))
    return not _NEGATING_WORDS.isdisjoint(words)


# What somebody may say no to, beside SMS, newsletters and contact.
_UNWANTED_WORDS = (
    "marketing werbung publicite publicidad pubblicita send sending message messages messaging "
    "senden schicken schreiben envoyer ecrire enviar escribir inviare mandare scrivere στελνετε "
    "στειλετε στελνουμε στειλουμε στελνω"
)
_UNWANTED = frozenset(_UNWANTED_WORDS.split())


def cell_refuses_messages(cell_text: str) -> bool:
    """Whether a cell of any column says that somebody wants no messages: `no SMS`, `unsubscribed`.

    Args:
        cell_text: the cell.
    """
    if not any(_may_be_part_of_refusal(word) for word in cell_text.split() if not word.isdigit()):
        return False
    words = _SPLIT.findall(fold_case_and_accents(cell_text.replace("_", " ")))
    joined = {first + second for first, second in pairwise(words)}
    if _CLEAR_NO & ({*words} | joined):
        return True
    if words == ["stop"]:
        return True
    for at, word in enumerate(words):
        if word in ("no", "dont", "don") or "not" in CONCEPTS_BY_WORD.get(word, ()):
            after = words[at + 1 : at + 4]
            concepts = {concept for later in after for concept in CONCEPTS_BY_WORD.get(later, ())}
            if concepts & {"sms", "newsletter", "contact"} or not _UNWANTED.isdisjoint(after):
                return True
    return False
