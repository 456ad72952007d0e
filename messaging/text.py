"""The text of an SMS: tags such as `{{first_name}}`, and the parts it is sent and charged in.

What a campaign adds to a text is in `campaigns/message_text.py`; short links are in `links.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

MAX_PARTS = 10  # some phones fail to reassemble longer texts
GSM_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENSION = "^{}\\[~]|€\f"  # two units each
_GSM = re.compile(f"[{re.escape(GSM_BASIC + GSM_EXTENSION)}]*")
_GSM_EXTENSION = re.compile(f"[{re.escape(GSM_EXTENSION)}]")
_SURROGATE_PAIR = re.compile("[\U00010000-\U0010ffff]")

# By lower-cased tag without underscores: {{firstName}} is {{first_name}} (docs/rules.md#text-tags).
FIELD_BY_TAG = {
    "firstname": "first_name",
    "lastname": "last_name",
    "email": "email",
    "offerlink": "offer_link",
    "unsubscribelink": "unsubscribe_link",
}
_TAG = re.compile(r"\{\{\s*([A-Za-z_]+)\s*\}\}")
_SINGLE_SPACED = re.compile(r"\S+(?: \S+)*")
_SPACES = re.compile(r"[^\S\n]+")
_AROUND_LINE_BREAK = re.compile(r" *\n *")


def sms_encoding(text: str) -> str:
    """The encoding in which the text is sent: `GSM-7`, or `UCS-2` if it has other characters."""
    return "GSM-7" if _GSM.fullmatch(text) else "UCS-2"


def count_parts(text: str) -> int:
    """The number of SMS parts of the text; each costs one credit (docs/rules.md#parts).

    GSM-7: 160 characters in a single part, 153 in each of several. UCS-2: 70, or 67. A character
    of two units is not split between parts.
    """
    if _GSM.fullmatch(text):
        return _count_parts(text, _GSM_EXTENSION, single=160, several=153)
    return _count_parts(text, _SURROGATE_PAIR, single=70, several=67)


def _count_parts(text: str, two_units: re.Pattern[str], *, single: int, several: int) -> int:
    """Count parts: one of `single` units, or more of `several`; `two_units` matches long ones."""
    positions = [match.start() for match in two_units.finditer(text)]
    units = len(text) + len(positions)
    if units <= single:
        return 1
    if not positions:
        return -(-units // several)
    # Where two units would cross the boundary of a part, the part's last unit stays empty.
    used, next_position = 0, 0
    for position in positions:
        used += position - next_position
        if used % several == several - 1:
            used += 1
        used += 2
        next_position = position + 1
    return -(-(used + len(text) - next_position) // several)


class Template:
    """A text with tags, parsed once and rendered for many contacts.

    Attributes:
        fields: names of the fields that the text uses, values of FIELD_BY_TAG.
        unknown_tags: tags that are no field; they stay in the text as they are.
    """

    __slots__ = ("_field_order", "_format", "_literals", "_static_text", "fields", "unknown_tags")

    def __init__(self, text: str) -> None:
        self._literals, self._field_order, self.unknown_tags = _split_at_tags(text)
        self.fields = frozenset(self._field_order)
        self._static_text = "" if self._field_order else _collapse_spaces(text)
        collapsed = _split_at_tags(_collapse_spaces(text))
        self._format = "%s".join(literal.replace("%", "%%") for literal in collapsed.literals)

    def render(self, values: Mapping[str, str]) -> str:
        """Fill in the values of the fields. Runs of spaces collapse, line breaks are kept.

        Raises:
            KeyError: if `values` lacks one of `fields`.
        """
        if not self._field_order:
            return self._static_text
        filled = [values[field] for field in self._field_order]
        single_spaced = _SINGLE_SPACED.fullmatch
        for value in filled:
            if not single_spaced(value):
                break
        else:
            # Such values add no spaces to collapse, and collapsing takes most of the time.
            return self._format % tuple(filled)
        pieces = [self._literals[0]]
        for value, literal in zip(filled, self._literals[1:], strict=True):
            pieces += (value, literal)
        return _collapse_spaces("".join(pieces))


class _TextParts(NamedTuple):
    """What a text is made of: the literals around its known tags, their fields, other tags."""

    literals: list[str]
    fields: list[str]
    unknown_tags: list[str]


def _split_at_tags(text: str) -> _TextParts:
    # split() alternates literal text and tag.
    pieces = _TAG.split(text)
    literals, fields, unknown_tags = [pieces[0]], [], []
    for tag, literal in zip(pieces[1::2], pieces[2::2], strict=True):
        field = FIELD_BY_TAG.get(tag.replace("_", "").lower())
        if field:
            fields.append(field)
            literals.append(literal)
        else:
            unknown_tags.append(tag)
            literals[-1] += "{{" + tag + "}}" + literal
    return _TextParts(literals, fields, unknown_tags)


def _collapse_spaces(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _AROUND_LINE_BREAK.sub("\n", _SPACES.sub(" ", text)).strip()
