"""Legends of codes in a text: `SMS (0 = ja, 1 = nein)` (rules.md#import).

Which column a legend explains that stands elsewhere is decided in `column_legends.py`.
"""

from __future__ import annotations

import re

MAX_LEGEND_LENGTH = 1000  # a legend may be a sentence
MIN_CODES = 2  # one `n = 5` explains no column

_EQUATION = re.compile(
    r"\b(\w{1,3})\s{0,3}=\s{0,3}([^,;/|()\[\]=]+?)(?=\s+\w{1,3}\s{0,3}=|[,;/|()\[\]=]|\s*$)"
)
# A colon or a dash may mean anything after a word, so the code is a number or a letter, and comes
# again: `1: SMS, 2: Mail`, `T - text, E - email`.
_CODE_AND_ARROW = r"(\d{1,2}|[^\W\d_])(?:\s{0,3}(?::|->|→|⇒)|\s[-–](?=\s))"
_LISTED_CODE = re.compile(
    rf"(?<![\w:]){_CODE_AND_ARROW}\s{{0,3}}([^\W\d_][^,;/|()\[\]=:→⇒>]*?)"
    rf"(?=\s+[-–]\s|\s+{_CODE_AND_ARROW.replace('(', '(?:', 1)}|[,;/|()\[\]]|\s*$)"
)


def meaning_by_code(text: str) -> dict[str, str]:
    """What the codes mean that a text explains; nothing if it explains none.

    Args:
        text: such as `SMS (1 = yes, 2 = no)` or `1 : oui / 2 : non`.
    """
    text = text[:MAX_LEGEND_LENGTH]
    if found := {code: meant.strip() for code, meant in _EQUATION.findall(text)}:
        return found
    found = {code: meant.strip() for code, meant in _LISTED_CODE.findall(text)}
    return found if len(found) >= MIN_CODES else {}


def without_legend(text: str) -> str:
    """A text without the codes that it explains.

    Args:
        text: see `meaning_by_code`.
    """
    if not meaning_by_code(text):
        return text
    stripped = _EQUATION.sub(" ", text)
    return stripped if stripped != text else _LISTED_CODE.sub(" ", text)
