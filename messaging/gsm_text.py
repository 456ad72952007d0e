"""Texts in the GSM alphabet: what a text has besides it, and the same text without that.

One other character makes a whole SMS Unicode: 70 characters in a part instead of 160.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from messaging.addresses import (
    TAG,
    find_hosts_and_email_addresses,
    find_web_addresses_except_bare_hosts,
)
from messaging.text import GSM_BASIC, GSM_EXTENSION

_GSM = frozenset(GSM_BASIC + GSM_EXTENSION)
# Signs that programs write in place of what people type, each with what was typed.
_TYPED = {
    "‘": "'", "’": "'", "‚": ",", "‛": "'", "′": "'", "´": "'", "`": "'", "ʼ": "'", "΄": "'",
    "“": '"', "”": '"', "„": '"', "‟": '"', "″": '"', "«": '"', "»": '"', "‹": "'", "›": "'",
    "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "―": "-", "−": "-",
    "…": "...", "•": "-", "·": ".", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u200a": " ",
    "\u2002": " ", "\u2003": " ", "\u200b": "", "\u2060": "", "\ufeff": "", "\u00ad": "",
    "\t": " ", "×": "x", "№": "No", "™": "TM", "ﬁ": "fi", "ﬂ": "fl",
}  # fmt: skip
# Capitals of Greek that the alphabet does not have look like these, which are Latin.
_LATIN_OF_GREEK = dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX", strict=True))


def count_characters_outside_gsm(text: str) -> dict[str, int]:
    """The characters of a text that make it Unicode, and how often it has each, in their order."""
    counts: dict[str, int] = {}
    for character in text:
        if character not in _GSM:
            counts[character] = counts.get(character, 0) + 1
    return counts


def replace_outside_gsm_where_possible(text: str, *, greek_capitals: bool) -> str:
    """The text with fewer characters outside of the GSM alphabet; what has no substitute stays.

    Args:
        text: without tags and addresses.
        greek_capitals: whether Greek letters may become capitals, without accents.
    """
    if all(character in _GSM for character in text):
        return text
    text = unicodedata.normalize("NFC", text)
    if greek_capitals and any(map(_is_greek_outside_gsm, text)):
        text = "".join(_gsm_capitals_of_greek(c) if _is_greek(c) else c for c in text)
    return "".join(c if c in _GSM else _TYPED.get(c, c) for c in text)


def replace_outside_gsm_in_template(text: str, *, greek_capitals: bool) -> str:
    """The same for a text with tags and addresses, which stay as they are.

    Args:
        text: as an operator writes it.
        greek_capitals: whether Greek letters may become capitals, without accents.
    """
    kept = [(tag.start(), tag.end()) for tag in TAG.finditer(text) if "|" not in tag[0]]
    # Of a tag with a default only the name stays.
    kept += [(t.start(), t.start() + t[0].index("|")) for t in TAG.finditer(text) if "|" in t[0]]
    kept += [(address.start, address.end) for address in find_web_addresses_except_bare_hosts(text)]
    kept += [(host.start, host.end) for host in find_hosts_and_email_addresses(text)]
    links = _links(text)

    def replaced_if_links_stay(spans: list[tuple[int, int]]) -> str:
        replaced = _replace_except(text, spans, greek_capitals=greek_capitals)
        return replaced if _links(replaced) == links else ""

    if replaced := replaced_if_links_stay(kept):
        return replaced
    # What stands beside an address may become a part of it, and then it stays, too.
    beside = {end for _start, end in kept} | {start - 1 for start, _end in kept}
    signs = {at for at in beside if 0 <= at < len(text) and text[at] not in _GSM}
    replaced = replaced_if_links_stay([*kept, *((at, at + 1) for at in signs)]) or text
    for sign in sorted(signs):
        others = signs - {sign}
        if fewer := replaced_if_links_stay([*kept, *((at, at + 1) for at in others)]):
            signs, replaced = others, fewer
    return replaced


def _links(text: str) -> tuple[list[str], list[str]]:
    """What of a text phones make links of: its addresses and its hosts."""
    addresses = [address.written for address in find_web_addresses_except_bare_hosts(text)]
    return addresses, [host.written for host in find_hosts_and_email_addresses(text)]


def _replace_except(text: str, kept: Iterable[tuple[int, int]], *, greek_capitals: bool) -> str:
    """The text with fewer characters outside of the GSM alphabet, but for the spans in `kept`."""
    pieces, end = [], 0
    for start, stop in sorted(kept):
        if stop > end:
            start = max(start, end)
            pieces += [
                replace_outside_gsm_where_possible(text[end:start], greek_capitals=greek_capitals),
                text[start:stop],
            ]
            end = stop
    return "".join(
        [*pieces, replace_outside_gsm_where_possible(text[end:], greek_capitals=greek_capitals)]
    )


def _is_greek(character: str) -> bool:
    return "\u0370" <= character <= "\u03ff" or "\u1f00" <= character <= "\u1fff"


def _is_greek_outside_gsm(character: str) -> bool:
    return _is_greek(character) and character not in _GSM and character not in _TYPED


def _gsm_capitals_of_greek(character: str) -> str:
    letters = unicodedata.normalize("NFD", character.upper())
    capitals = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return "".join(_LATIN_OF_GREEK.get(letter, letter) for letter in capitals)
