"""Cells of an import that are mapped to custom fields of its store.

They are read beside the fields of every contact, not instead of them: a no that stands in such a
column counts as in any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from django.utils.translation import gettext

from astronote.accounts.models import User
from contacts.custom_fields import Value, fields_of_store, read_value
from contacts.importing.cells import UnusableCell
from contacts.importing.validating import DroppedCell
from contacts.models import CustomField

PREFIX = "custom:"
MAX_SHOWN = 200


def is_custom(field: str) -> bool:
    """Whether a field of a mapping is a custom field: `custom:` and its key."""
    return field.startswith(PREFIX)


def without_custom_fields(mapping: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
    """The fields of a mapping that every contact has."""
    return {name: list(at) for name, at in mapping.items() if not is_custom(name)}


def choices_of_store(store: User) -> list[tuple[str, str]]:
    """The custom fields of a store, as mappings name them, with their labels."""
    return [(PREFIX + field.key, field.label) for field in fields_of_store(store)]


def map_unused_columns(
    store: User, headings: Sequence[str], mapping: Mapping[str, Sequence[int]]
) -> dict[str, list[int]]:
    """Columns that hold nothing else and are headed by the key or label of a custom field."""
    used = {at for positions in mapping.values() for at in positions}
    names = [heading.strip().casefold() for heading in headings]
    found = {}
    for field in fields_of_store(store):
        for name in (field.key, field.label.strip().casefold()):
            if name in names and names.index(name) not in used:
                found[PREFIX + field.key] = [names.index(name)]
                break
    return found


class CustomCells(NamedTuple):
    """The columns of a file that hold custom fields."""

    headings: Sequence[str]
    columns: list[tuple[int, CustomField]]

    @classmethod
    def of_mapping(
        cls, store: User, headings: Sequence[str], mapping: Mapping[str, Sequence[int]]
    ) -> CustomCells:
        """Those of a mapping; a field that was deleted since is left out."""
        positions = {name: at for name, at in mapping.items() if is_custom(name)}
        if not positions:
            return cls(headings, [])
        fields = {PREFIX + field.key: field for field in fields_of_store(store)}
        return cls(
            headings,
            [(at, fields[name]) for name, of in positions.items() if name in fields for at in of],
        )

    def read(self, cells: Sequence[str]) -> tuple[dict[str, Value], list[DroppedCell]]:
        """The values of a row by key, and the cells that are none."""
        values: dict[str, Value] = {}
        dropped = []
        for at, field in self.columns:
            text = cells[at] if at < len(cells) else ""
            try:
                value = read_value(field, text)
            except UnusableCell as problem:
                dropped.append(
                    DroppedCell(
                        self.headings[at][:MAX_SHOWN],
                        text.strip()[:MAX_SHOWN],
                        gettext("kept without %(part)s: %(problem)s")
                        % {"part": field.key, "problem": problem},
                    )
                )
                continue
            if value is not None:
                values.setdefault(field.key, value)
        return values, dropped
