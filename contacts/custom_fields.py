"""Custom fields of a store's contacts: reading values, filling them by hand and from a file.

The rules are in rules.md#custom-fields. Conditions of segments on them are in
`campaigns/custom_conditions.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext

from astronote.accounts.models import User
from astronote.common import audit
from astronote.common.spreadsheet_csv import unescape_formula
from astronote.common.sql import execute, rows
from contacts.importing.cells import UnusableCell
from contacts.importing.files import BYTES_PER_MB
from contacts.importing.import_refused import ImportRefused
from contacts.importing.phone_cells import PhoneReader, detect_phone_convention
from contacts.importing.reading import FileReader, detect_layout_or_refuse
from contacts.models import CustomField, CustomFieldType
from contacts.phones import phone_region_of_store_or_default

MAX_TEXT = 200
CHUNK = 5000
SAMPLE_ROWS = 1000
NUMBER_HEADINGS = ("number", "phone")
_NUMBER = re.compile(r"[-+]?\d{1,12}(?:[.,](?P<decimals>\d{1,6}))?", re.ASCII)
_AMBIGUOUS_DECIMALS = 3
_CONTROL = re.compile(r"[\0-\x1f\x7f\ud800-\udfff]+")

Value = str | int | float


def fields_of_store(store: User) -> list[CustomField]:
    """The custom fields of a store, by their keys."""
    return list(CustomField.objects.filter(owner_id=store.pk).order_by("key"))


def read_value(field: CustomField, text: str) -> Value | None:
    """The value that a text holds; None if it is blank.

    Raises:
        UnusableCell: if it is none of the field's type, or can be read in two ways.
    """
    text = _CONTROL.sub(" ", text).strip()
    if not text:
        return None
    match field.type:
        case CustomFieldType.NUMBER:
            return _read_number(text)
        case CustomFieldType.DATE:
            return _read_date(text)
    if len(text) > MAX_TEXT:
        raise UnusableCell(
            gettext("it has more than %(max_text)s characters") % {"max_text": MAX_TEXT}
        )
    return text


def _read_number(text: str) -> int | float:
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise UnusableCell(gettext("%(text)s is no number such as 12.5") % {"text": text[:40]})
    decimals = match["decimals"]
    if decimals is None:
        return int(text)
    if len(decimals) == _AMBIGUOUS_DECIMALS:
        raise UnusableCell(
            gettext("%(text)s may be a number with thousands or with decimals") % {"text": text}
        )
    return float(text.replace(",", "."))


def _read_date(text: str) -> str:
    try:
        return date.fromisoformat(
            text[:10] if text[10:] in ("", "T00:00:00", " 00:00:00") else text
        ).isoformat()
    except ValueError:
        raise UnusableCell(
            gettext("%(text)s is no date such as 2026-05-17") % {"text": text[:40]}
        ) from None


class FillCounts(NamedTuple):
    """How many contacts got other values, and how many have these already."""

    updated: int
    unchanged: int


# Gets the line and the reason of a line or cell that is not used.
Reject = Callable[[int, str], object]


class _NewValues(NamedTuple):
    line: int
    phone: str
    values: Mapping[str, Value]


def fill_from_file(
    store: User,
    path: Path,
    *,
    by: Any,
    encoding: str = "",
    reject: Reject = lambda line, reason: None,
) -> FillCounts:
    """Fill custom fields of a store's contacts from a file, and write an audit entry.

    The file has a column of numbers, and columns under keys or labels of custom fields. A blank
    cell changes nothing. Restricted contacts stay as they are.

    Args:
        store: whose contacts they are.
        path: a file that an import can read.
        by: who does it.
        encoding: of the text; "" to detect it.
        reject: gets each line or cell that is not used, with the reason.

    Raises:
        ImportRefused: if the file cannot be read, or has no number or no custom field.
    """
    remaining = iter(_ValuesFile(path, store, encoding).lines(reject))
    counts = FillCounts(0, 0)
    while chunk := list(islice(remaining, CHUNK)):
        with transaction.atomic():
            filled = _fill_chunk(store, chunk, reject)
        counts = FillCounts(*map(sum, zip(counts, filled, strict=True)))
    audit.write_entry("custom fields filled", by=by, owner_id=store.pk, **counts._asdict())
    return counts


def _fill_chunk(store: User, chunk: Sequence[_NewValues], reject: Reject) -> FillCounts:
    known = dict(rows(LOCK_CONTACTS, [store.pk, list({new.phone for new in chunk})]))
    values_by_phone: dict[str, dict[str, Value]] = {}
    for new in chunk:
        if new.phone not in known:
            reject(new.line, gettext("no contact has the number"))
        elif known[new.phone]:
            reject(new.line, gettext("the data of this number's contact may only be stored"))
        else:
            values_by_phone.setdefault(new.phone, {}).update(new.values)
    texts = [orjson.dumps(values).decode() for values in values_by_phone.values()]
    updated = execute(FILL_VALUES, [list(values_by_phone), texts, store.pk])
    return FillCounts(updated, len(values_by_phone) - updated)


LOCK_CONTACTS = """
    SELECT phone, restricted_at IS NOT NULL FROM contacts_contact
    WHERE owner_id = %s AND phone = ANY(%s) ORDER BY id FOR NO KEY UPDATE
"""
FILL_VALUES = """
    UPDATE contacts_contact c SET custom_values = c.custom_values || n.new, updated_at = now()
    FROM (SELECT phone, text::jsonb AS new FROM unnest(%s::text[], %s::text[]) AS t (phone, text)) n
    WHERE c.owner_id = %s AND c.phone = n.phone AND NOT c.custom_values @> n.new
"""


class _ValuesFile:
    """A file with a column of numbers and columns of custom fields."""

    def __init__(self, path: Path, store: User, encoding: str) -> None:
        region = phone_region_of_store_or_default(store)
        layout = detect_layout_or_refuse(
            path,
            has_header=True,
            encoding=encoding,
            region=region,
            largest_bytes=settings.IMPORT_MAX_MB * BYTES_PER_MB,
        )
        headings = [name.strip().casefold() for name in layout.headings]
        self.phone_at = next(
            (headings.index(name) for name in NUMBER_HEADINGS if name in headings), -1
        )
        self.fields = [
            (headings.index(name), field)
            for field in fields_of_store(store)
            for name in dict.fromkeys((field.key, field.label.strip().casefold()))
            if name in headings
        ]
        if self.phone_at < 0 or not self.fields:
            keys = ", ".join(field.key for field in fields_of_store(store)) or gettext("none yet")
            raise ImportRefused(
                gettext(
                    "the file needs a column number and columns under the keys of custom fields, of"
                    " which the store has %(keys)s"
                )
                % {"keys": keys}
            )
        self.reader = FileReader(path, layout)
        sample = [
            (self._cell(cells, self.phone_at), "") for _, cells in islice(self.reader, SAMPLE_ROWS)
        ]
        self.phones = PhoneReader(region, detect_phone_convention(sample, region))

    def lines(self, reject: Reject) -> Iterator[_NewValues]:
        """The values of each line that has any."""
        for line, cells in self.reader:
            try:
                phone = self.phones.parse_or_raise_unusable(self._cell(cells, self.phone_at)).phone
            except UnusableCell as problem:
                reject(line, str(problem))
                continue
            values = {}
            for at, field in self.fields:
                try:
                    value = read_value(field, unescape_formula(self._cell(cells, at)))
                except UnusableCell as problem:
                    reject(
                        line,
                        f"{field.key}: {problem}",
                    )
                    continue
                if value is not None:
                    values[field.key] = value
            if values:
                yield _NewValues(line, phone, values)

    def _cell(self, cells: Sequence[str], at: int) -> str:
        return cells[at] if at < len(cells) else ""


def remove_values_of_fields(fields: Iterable[CustomField]) -> None:
    """Take the values of fields that are deleted from all contacts; called in a transaction."""
    for field in fields:
        execute(REMOVE_VALUES, [field.key, field.owner_id, field.key])


REMOVE_VALUES = """
    UPDATE contacts_contact SET custom_values = custom_values - %s
    WHERE owner_id = %s AND custom_values <> '{}' AND custom_values ? %s
"""
