"""Conditions of segments on custom fields: `city = Athens`, `visits >= 3`, one a line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import JSONField, Q, Value
from django.db.models.fields.json import KeyTransform
from django.db.models.lookups import GreaterThanOrEqual, LessThanOrEqual
from django.utils.translation import gettext

from astronote.models import User
from contacts.custom_fields import fields_of_store, read_value
from contacts.importing.cells import UnusableCell
from contacts.models import CustomField, CustomFieldType

MAX_CONDITIONS = 20
_LINE = re.compile(r"\s*([^<>=]+?)\s*(>=|<=|=)\s*(.*?)\s*")
# As a segment stores it: the key of a field, how it is compared, and with what.
Condition = Sequence[Any]


def read_conditions(text: str, store: User) -> list[Condition]:
    """The conditions that a person wrote.

    Raises:
        ValidationError: if a line is none, or names no custom field of the store.
    """
    fields = {
        name: field
        for field in fields_of_store(store)
        for name in (field.label.casefold(), field.key)
    }
    found = [_read_condition(line, fields) for line in text.splitlines() if line.strip()]
    if len(found) > MAX_CONDITIONS:
        raise ValidationError(gettext("At most %(limit)s conditions.") % {"limit": MAX_CONDITIONS})
    return found


def _read_condition(line: str, fields: dict[str, CustomField]) -> Condition:
    match = _LINE.fullmatch(line)
    if match is None:
        raise ValidationError(
            gettext("%(line)s is no condition such as city = Athens.") % {"line": line.strip()[:60]}
        )
    name, comparison, text = match.groups()
    field = fields.get(name.casefold())
    if field is None:
        known = ", ".join(sorted({one.key for one in fields.values()})) or gettext("none")
        raise ValidationError(
            gettext("%(name)s is no custom field of the store; it has %(known)s.")
            % {"name": name[:40], "known": known}
        )
    if comparison != "=" and field.type == CustomFieldType.TEXT:
        raise ValidationError(
            gettext("%(key)s is a text: compare it with = only.") % {"key": field.key}
        )
    try:
        value = read_value(field, text)
    except UnusableCell as problem:
        raise ValidationError(f"{field.key}: {problem}.") from None
    if value is None:
        raise ValidationError(gettext("%(line)s has no value.") % {"line": line.strip()[:60]})
    return [field.key, comparison, value]


def write_conditions(conditions: Sequence[Condition]) -> str:
    """The conditions as `read_conditions` reads them."""
    return "\n".join(f"{key} {comparison} {value}" for key, comparison, value in conditions)


def custom_values_match(conditions: Sequence[Condition]) -> Q:
    """The conditions on Contact.

    The index `contact_custom` finds contacts that have the value, or at least the key; it has no
    contacts without values, so the condition leaves them out in these words.
    """
    found = ~Q(custom_values={})
    for key, comparison, value in conditions:
        if comparison == "=":
            found &= Q(custom_values__contains={key: value})
        else:
            compare = GreaterThanOrEqual if comparison == ">=" else LessThanOrEqual
            found &= Q(custom_values__has_key=key)
            # As JSON: numbers compare as numbers, and dates as texts, in their order.
            found &= Q(compare(KeyTransform(key, "custom_values"), Value(value, JSONField())))
    return found
