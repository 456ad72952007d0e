"""Stored codes and JSON as people read them, for lists and pages of the admin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from django.db.models import TextChoices
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise


def label_of(
    choices: type[TextChoices] | Mapping[str, str | StrPromise],
) -> Callable[[str], str]:
    """The function that says a code of these choices in words; an unknown code stays as it is."""
    labels = choices if isinstance(choices, Mapping) else dict(choices.choices)
    return lambda code: str(labels.get(code, code))


def json_in_words(value: Any) -> SafeString:
    """JSON as `name: value; name: value`; names and values are data, in no language of a page."""
    return format_html('<span translate="no">{}</span>', _write_json(value))


def _write_json(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(
            f"{str(name).replace('_', ' ')}: {_write_json_in_parentheses(inner)}"
            for name, inner in value.items()
        )
    if isinstance(value, list):
        return ", ".join(map(_write_json_in_parentheses, value))
    if isinstance(value, bool) or value is None:
        return {True: gettext("yes"), False: gettext("no"), None: gettext("none")}[value]
    return str(value)


def _write_json_in_parentheses(value: Any) -> str:
    """A value within another one; that of several parts stands in parentheses."""
    return f"({_write_json(value)})" if isinstance(value, Mapping) else _write_json(value)
