"""A language in which every text that goes through gettext stands between marks.

What a page says outside of the marks, and is not data, no translation reaches.
"""

from __future__ import annotations

import gettext
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from html.parser import HTMLParser
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from django.apps import apps
from django.db import models
from django.template.base import Lexer, TokenType
from django.utils import translation
from django.utils.text import capfirst
from django.utils.translation import trans_real

from astronote.accounts.models import Operator

CODE = "xx"
BEGIN, END = "⟦", "⟧"
# Their rows are made by Django for our models, and not by a test.
NOT_DATA = {"auth.Permission", "contenttypes.ContentType"}
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}
# What is in these is code, data (JSON as `pre`) or a customer's text; so is what says
# `translate="no"`.
SKIPPED_ELEMENTS = {"script", "style", "code", "pre", "textarea"}
SKIPPED_CLASSES = {"material-symbols-outlined", "sms-text"}
# Words of packages that do not translate them.
OF_PACKAGES = {"Ctrl + K", "esc", "Axes", "Access Log for", "ID"}
# Addresses, countries of numbers (`GR, +30` and `+44 (GB, GG …)`), and names of variables.
CODES = r"https?://\S+|[A-Z]{2}, \+\d+|\+\d+ \((?:[A-Z]{2}|[ ,…])+\)|\b[A-Z]+(?:_[A-Z]+)+\b"
SHOWN_ATTRIBUTES = {"title", "aria-label", "placeholder", "alt", "label"}
BUTTON_TYPES = {"submit", "button", "reset"}
WORDS_IN_FILTERS = re.compile(r"""\|(?:default|default_if_none|yesno|pluralize):["']([^"']*)""")
LETTERS = re.compile(r"[^\W\d_]")


class MarkedTranslation(gettext.NullTranslations):
    """Returns each message as it is, between marks."""

    def gettext(self, message: str) -> str:
        """The message, without the context that Django puts before it."""
        return f"{BEGIN}{message.rpartition(trans_real.CONTEXT_SEPARATOR)[2]}{END}"

    def ngettext(self, singular: str, plural: str, n: int) -> str:
        return self.gettext(singular if n == 1 else plural)

    def language(self) -> str:
        return CODE

    def to_language(self) -> str:
        return CODE


@contextmanager
def marked_language() -> Iterator[None]:
    """All pages that this thread makes meanwhile are in the marked language."""
    trans_real._translations[CODE] = MarkedTranslation()
    try:
        with translation.override(CODE):
            yield
    finally:
        del trans_real._translations[CODE]


class _TextsOutsideMarks(HTMLParser):
    """Collects what people read or hear of a page, less what is between marks.

    A message may hold elements, but ends in the element in which it began: a message that was cut
    short ends with its element.
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._depth = 0
        self._open: list[tuple[str, int, bool]] = []  # tag, depth before it, whether it is skipped

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        shown = SHOWN_ATTRIBUTES & given.keys()
        if tag == "input" and given.get("type") in BUTTON_TYPES:
            shown |= {"value"} & given.keys()
        for name in sorted(shown):
            self._add(outside_marks(given[name], 0)[0])
        if tag not in VOID:
            is_skipped = (
                tag in SKIPPED_ELEMENTS
                or given.get("translate") == "no"
                or bool(SKIPPED_CLASSES & set(given.get("class", "").split()))
            )
            self._open.append((tag, self._depth, is_skipped))

    def handle_endtag(self, tag: str) -> None:
        if any(name == tag for name, _, _ in self._open):
            name = ""
            while name != tag:
                name, self._depth, _ = self._open.pop()

    def handle_data(self, data: str) -> None:
        text, self._depth = outside_marks(data, self._depth)
        if not any(is_skipped for _, _, is_skipped in self._open):
            self._add(text)

    def _add(self, text: str) -> None:
        if LETTERS.search(text):
            self.found.append(" ".join(text.split()))


def outside_marks(text: str, depth: int) -> tuple[str, int]:
    """What of the text is outside of all marks, and how deep in marks its end is."""
    outside = []
    for piece in re.split(f"([{BEGIN}{END}])", text):
        if piece == BEGIN:
            depth += 1
        elif piece == END:
            outside = outside if depth else []  # it began in a part that was cut off
            depth = max(0, depth - 1)
        elif not depth:
            outside.append(piece)
    return " ".join(outside), depth


def texts_outside_marks(page: str) -> list[str]:
    """Texts and attributes of an HTML page that hold letters outside of the marks."""
    parser = _TextsOutsideMarks()
    parser.feed(page)
    parser.close()
    return parser.found


def data_of_installation() -> re.Pattern[str]:
    """Matches what no translation of ours reaches: what the rows hold, names, zones, addresses."""
    zones = available_timezones()
    words = {"Astronote", "Mitto", *OF_PACKAGES, *zones, *_zone_abbreviations(zones)}
    words |= {zone.replace("_", " ") for zone in zones}
    for model in apps.get_models():
        if model._meta.managed and model._meta.label not in NOT_DATA:
            words |= set(_texts_in(model))
    words |= {capfirst(word) for word in words}  # in titles
    # The avatar of whoever is logged in.
    words |= {email[0].upper() for email in Operator.objects.values_list("email", flat=True)}
    longest_first = sorted((re.escape(one) for one in words), key=len, reverse=True)
    return re.compile(rf"{CODES}|(?<!\w)(?:{'|'.join(longest_first)})(?!\w)")


def _texts_in(model: type[models.Model]) -> Iterator[str]:
    """Texts in the rows of a model, without values of choices, whose words are ours."""
    names = [
        field.attname
        for field in model._meta.concrete_fields
        if not field.choices and not isinstance(field, models.ForeignKey)
    ]
    for row in model._default_manager.all():
        yield from _texts_of([getattr(row, name) for name in names])


def _texts_of(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if LETTERS.search(value):
            yield " ".join(value.split())
            # A name of a field is shown as words.
            yield " ".join(value.replace("_", " ").split())
    elif isinstance(value, UUID):
        yield str(value)
    elif isinstance(value, dict):
        yield from _texts_of([*value.keys(), *value.values()])
    elif isinstance(value, Iterable):
        for one in value:
            yield from _texts_of(one)


def _zone_abbreviations(zones: set[str]) -> set[str]:
    times = [datetime(2026, month, 1, tzinfo=ZoneInfo(zone)) for zone in zones for month in (1, 7)]
    return {"UTC", *(time.tzname() or "" for time in times)} - {""}


def untranslated_texts_of_template(source: str) -> list[str]:
    """Texts and attributes that a template itself says without gettext, in any of its branches."""
    html, is_message = [], False
    for token in Lexer(source).tokenize():
        words = token.contents.split()
        if token.token_type == TokenType.BLOCK and words[0] in {"blocktranslate", "comment"}:
            is_message = True
        elif token.token_type == TokenType.BLOCK and words[0] in {
            "endblocktranslate",
            "endcomment",
        }:
            is_message = False
        elif token.token_type == TokenType.TEXT and not is_message:
            html.append(token.contents)
        elif token.token_type == TokenType.VAR and not is_message:
            html += WORDS_IN_FILTERS.findall(token.contents)
    return texts_outside_marks("".join(html))
