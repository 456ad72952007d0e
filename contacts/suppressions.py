"""Importing and exporting suppressions: numbers that must not be marketed to.

Only keyed hashes are stored, so an export holds hashes. Another installation with the same
PHONE_HASH_KEY can import them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Protocol, TypedDict

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.utils.translation import ngettext

from astronote.accounts.models import User
from astronote.common import audit
from astronote.common.counts import format_count
from astronote.common.spreadsheet_csv import csv_line_with_escaped_formulas
from astronote.common.sql import execute
from contacts.importing.files import BYTES_PER_MB
from contacts.importing.number_columns import NumberColumns
from contacts.importing.reading import FileReader, detect_layout_or_refuse
from contacts.models import Suppression
from contacts.phones import (
    key_id,
    phone_hash,
    phone_hash_keys,
    phone_region_of_store_or_default,
    present_key_id,
)

CHUNK_LINES = 5000
LINES_NAMED = 20
SAMPLE_ROWS = 1000
_HASH = re.compile(r"[0-9a-f]{64}")
_KEY = re.compile(r"key-([0-9a-f]{8})")  # as `suppressions_csv_lines` writes it


class Writable(Protocol):
    """A text file, or the output of a management command."""

    def write(self, text: str, /) -> object:
        """Write the text."""


class SuppressionCounts(TypedDict):
    """What an import of suppressions did: new and known entries, lines without a number."""

    added: int
    known: int
    unreadable_lines: list[int]


def import_suppression_list(
    path: Path, store: User | None, *, reason: str, by: User | AnonymousUser | str
) -> SuppressionCounts:
    """Suppress the numbers and hashes of a list and write an audit entry.

    Args:
        path: see `suppress_numbers_of_file`.
        store: the store, whose country is that of national numbers; None for all stores.
        reason: stored with each new suppression.
        by: the account or program that imports the list.

    Raises:
        ImportRefused: if the file as a whole cannot be read.
    """
    region = phone_region_of_store_or_default(store) if store else settings.DEFAULT_PHONE_REGION
    owner_id = store.pk if store else None
    counts = suppress_numbers_of_file(path, owner_id, region=region, reason=reason)
    audit.write_entry(
        "suppressions imported",
        by=by,
        owner_id=owner_id,
        added=counts["added"],
        known=counts["known"],
    )
    return counts


def suppress_numbers_of_file(
    path: Path, owner_id: int | None, *, region: str, reason: str
) -> SuppressionCounts:
    """Suppress the numbers or hashes of a list at one store or at all stores.

    Every number of a row is suppressed, and of a number with several readings each.

    Args:
        path: a file as an import of customers reads it, with numbers in any columns. Numbers in its
            headings count, too.
        owner_id: the store; None for all stores.
        region: two-letter country of numbers without a country code.
        reason: stored with each new suppression.

    Raises:
        ImportRefused: if the file as a whole cannot be read.
    """
    layout = detect_layout_or_refuse(path, largest_bytes=settings.IMPORT_MAX_MB * BYTES_PER_MB)
    rows = FileReader(path, layout)
    columns = NumberColumns(
        layout, list(islice(rows, SAMPLE_ROWS)), region, is_number_of_another_kind=_is_hash
    )
    counts = SuppressionCounts(added=0, known=0, unreadable_lines=[])
    if layout.has_header:
        _insert_and_count_suppressions(
            _phone_hashes_with_key_ids_of_row(columns, layout.headings),
            owner_id,
            reason,
            counts,
        )
    numbered_rows = iter(rows)
    while chunk := list(islice(numbered_rows, CHUNK_LINES)):
        key_id_by_digest: dict[str, str] = {}
        for line, cells in chunk:
            found = _phone_hashes_with_key_ids_of_row(columns, cells)
            key_id_by_digest |= found
            if not found:
                counts["unreadable_lines"].append(line)
        _insert_and_count_suppressions(key_id_by_digest, owner_id, reason, counts)
    return counts


def _insert_and_count_suppressions(
    key_id_by_digest: Mapping[str, str],
    owner_id: int | None,
    reason: str,
    counts: SuppressionCounts,
) -> None:
    """Write suppressions, of hashes with the names of their keys."""
    for key in sorted(set(key_id_by_digest.values())):
        of_key = sorted(digest for digest, its_key in key_id_by_digest.items() if its_key == key)
        added = execute(SUPPRESS_HASHES, [owner_id, reason, key, of_key])
        counts["added"] += added
        counts["known"] += len(of_key) - added


# The hashes are sorted, so two statements at once cannot deadlock on the unique index.
SUPPRESS_HASHES = """
    INSERT INTO contacts_suppression (owner_id, reason, key_id, phone_hash)
    SELECT %s::bigint, %s, %s, digest FROM unnest(%s::text[]) AS digest
    ON CONFLICT DO NOTHING
"""


def _phone_hashes_with_key_ids_of_row(
    columns: NumberColumns, cells: Sequence[str]
) -> dict[str, str]:
    """The hashes that a row holds, and those of its numbers, with the names of their keys."""
    key_of_hash = _key_id_of_row_or_oldest_empty_if_unknown(cells)
    for positions in (columns.positions, columns.others):
        found: dict[str, str] = {}
        for at in positions:
            cell = cells[at].strip() if at < len(cells) else ""
            if _HASH.fullmatch(cell):
                if key_of_hash:
                    found[cell] = key_of_hash
            else:
                for phone in columns.find_all_possible_numbers(at, cells):
                    found[phone_hash(phone)] = present_key_id()
        if found:
            return found
    return {}


def _is_hash(cell: str) -> bool:
    return _HASH.fullmatch(cell.strip()) is not None


def _key_id_of_row_or_oldest_empty_if_unknown(cells: Sequence[str]) -> str:
    """The name of the key that made a row's hash; empty if it is no key that is set.

    A row that names none may be of the key before, as long as that one is set: then it is not taken
    for one of the present key, whose hashes need the other no more.
    """
    known = list(map(key_id, phone_hash_keys()))
    named = [match[1] for cell in cells if (match := _KEY.fullmatch(cell.strip()))]
    if not named:
        return known[-1]
    return named[0] if named[0] in known else ""


def describe_unreadable_lines(counts: SuppressionCounts) -> str:
    """A sentence that names the first lines without a number; empty if there are none."""
    lines = counts["unreadable_lines"]
    if not lines:
        return ""
    return ngettext(
        "%(count)s line holds no number: %(lines)s",
        "%(count)s lines hold no number: %(lines)s",
        len(lines),
    ) % {"count": format_count(len(lines)), "lines": ", ".join(map(str, lines[:LINES_NAMED]))}


def write_suppressions_csv(file: Writable, owner_id: int | None) -> int:
    """Write one store's suppressions, or those for all stores, as CSV; return how many."""
    line_count = 0
    for line in suppressions_csv_lines(owner_id):
        file.write(line)
        line_count += 1
    return line_count - 1  # without the heading


def suppressions_csv_lines(owner_id: int | None) -> Iterator[str]:
    """One store's suppressions, or those that hold for all stores, as CSV lines with a heading."""
    yield csv_line_with_escaped_formulas(["phone_hash", "reason", "since", "key"])
    suppressions = Suppression.objects.filter(owner=owner_id).order_by("pk")
    columns = suppressions.values_list("phone_hash", "reason", "created_at", "key_id")
    for digest, reason, since, key in columns.iterator():
        yield csv_line_with_escaped_formulas([digest, reason, since.isoformat(), f"key-{key}"])
