"""Form fields for times on a store's clock."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext

_LENGTH_OF_DAY = len("2026-12-24")


class LocalTimeField(forms.Field):
    """A day with a time, as `datetime-local` of a browser sends it.

    Its value is without a zone, so it is local time at the store; if an offset was typed, it is
    aware. Django's own field drops an offset, and takes a day alone for its beginning.
    """

    def __init__(self, **options: Any) -> None:
        widget = forms.DateTimeInput({"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
        super().__init__(widget=widget, **options)

    def to_python(self, value: Any) -> datetime | None:
        """The time, None if nothing was entered.

        Raises:
            ValidationError: if it is no day with a time.
        """
        text = str(value or "").strip()
        if not text:
            return None
        try:
            if len(text) > _LENGTH_OF_DAY:
                return datetime.fromisoformat(text)
        except ValueError:
            pass
        raise ValidationError(
            gettext("%(text)s is no day with a time: write it as 2026-12-24T09:00")
            % {"text": text[:40]}
        )
