"""The text of an SMS: placeholders, and the parts it is sent and charged in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

MOST_PARTS = 10  # longer texts are put together badly by some phones, and cost as many credits
GSM_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENSION = "^{}\\[~]|€\f"
_GSM = re.compile(f"[{re.escape(GSM_BASIC + GSM_EXTENSION)}]*")
_EXTENSION = re.compile(f"[{re.escape(GSM_EXTENSION)}]")
_WIDE = re.compile("[\U00010000-\U0010ffff]")

# Placeholders by their lower-cased name without underscores, so that firstName and first_name
# are one (behaviours, rule 27).
FIELDS = {
    "firstname": "first_name",
    "lastname": "last_name",
    "email": "email",
    "offerlink": "offer_link",
    "unsubscribelink": "unsubscribe_link",
}
_PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_]+)\s*\}\}")
_WORDS = re.compile(r"\S+(?: \S+)*")
_SPACES = re.compile(r"[^\S\n]+")
_AROUND_BREAK = re.compile(r" *\n *")


def encoding(text: str) -> str:
    """How the text goes out: `GSM-7`, or `UCS-2` with room for less than half."""
    return "GSM-7" if _GSM.fullmatch(text) else "UCS-2"


def parts(text: str) -> int:
    """How many SMS the text takes, which is its price in credits.

    160 characters of the GSM 03.38 alphabet fit one SMS, 153 each of several; with any other
    character UCS-2 is used: 70, then 67. A character of two units is never split between parts.
    """
    if _GSM.fullmatch(text):
        return _count(text, _EXTENSION, single=160, several=153)
    return _count(text, _WIDE, single=70, several=67)


def _count(text: str, double: re.Pattern[str], *, single: int, several: int) -> int:
    doubles = [match.start() for match in double.finditer(text)]
    units = len(text) + len(doubles)
    if units <= single:
        return 1
    if not doubles:
        return -(-units // several)
    # A double unit that would straddle a boundary leaves the last place of its part empty.
    taken, before = 0, 0
    for position in doubles:
        taken += position - before
        if taken % several == several - 1:
            taken += 1
        taken += 2
        before = position + 1
    return -(-(taken + len(text) - before) // several)


def compile_template(template: str) -> Callable[[Mapping[str, str]], str]:
    """Return a function that fills the template's placeholders from a contact's fields.

    Missing values become empty, unknown placeholders stay, runs of spaces collapse, line breaks
    are kept.
    """
    literals, fields = _split(template)
    if not fields:
        fixed = _tidy(template)
        return lambda contact: fixed
    # Most values are words with single spaces between: in a tidy template they leave nothing to
    # tidy, and that is most of the time it takes.
    tidy_literals, _ = _split(_tidy(template))
    pattern = "%s".join(literal.replace("%", "%%") for literal in tidy_literals)
    words = _WORDS.fullmatch

    def fill(contact: Mapping[str, str]) -> str:
        values = [contact[field] for field in fields]
        for value in values:
            if not words(value):
                break
        else:
            return pattern % tuple(values)
        filled = [literals[0]]
        for value, literal in zip(values, literals[1:], strict=True):
            filled += (value, literal)
        return _tidy("".join(filled))

    return fill


def _split(template: str) -> tuple[list[str], list[str]]:
    """What stands around the placeholders, and their fields; unknown ones are taken as text."""
    # split() alternates literal text and placeholder name.
    pieces = _PLACEHOLDER.split(template)
    literals, fields = [pieces[0]], []
    for name, literal in zip(pieces[1::2], pieces[2::2], strict=True):
        field = FIELDS.get(_plain(name))
        if field:
            fields.append(field)
            literals.append(literal)
        else:
            literals[-1] += "{{" + name + "}}" + literal
    return literals, fields


def placeholders(template: str) -> set[str]:
    """The names, from FIELDS, of what the template is filled with."""
    found = {FIELDS.get(_plain(name)) for name in _PLACEHOLDER.findall(template)}
    return {name for name in found if name}


def unknown_placeholders(template: str) -> list[str]:
    """Placeholders that would stay in the text as they are."""
    return [name for name in _PLACEHOLDER.findall(template) if _plain(name) not in FIELDS]


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _tidy(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _AROUND_BREAK.sub("\n", _SPACES.sub(" ", text)).strip()
