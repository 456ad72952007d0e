"""Model fields of text that people write."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    Field = models.Field[Any, Any]
else:
    Field = object  # the class that uses _ComposedToNfc names the field


class _ComposedToNfc(Field):
    """Stores text composed (NFC): an accented letter is one character, as an SMS charges it.

    macOS and some tills write the letter and its accent apart. In the database the field is a plain
    one, so a migration names that.
    """

    def to_python(self, value: Any) -> Any:
        """The value that forms and `full_clean` leave in the model."""
        return _compose_to_nfc_if_text(super().to_python(value))

    def get_prep_value(self, value: Any) -> Any:
        """The value for the database, in rows and in conditions."""
        return _compose_to_nfc_if_text(super().get_prep_value(value))

    def deconstruct(self) -> Any:
        """What a migration keeps: Django's own field."""
        name, _, args, kwargs = super().deconstruct()
        parent = models.CharField if isinstance(self, models.CharField) else models.TextField
        return name, f"django.db.models.{parent.__name__}", args, kwargs


def compose_to_nfc(text: str) -> str:
    """The text composed (NFC)."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _compose_to_nfc_if_text(value: Any) -> Any:
    return compose_to_nfc(value) if isinstance(value, str) else value


class ComposedCharField(_ComposedToNfc, models.CharField):  # type: ignore[type-arg]  # as models.CharField is used
    """A short text, stored composed."""


class ComposedTextField(_ComposedToNfc, models.TextField):  # type: ignore[type-arg]  # as models.TextField is used
    """A long text, stored composed."""
