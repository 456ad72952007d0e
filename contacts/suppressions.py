"""Importing and exporting suppressions: numbers that must not be marketed to.

Only keyed hashes are stored, so an export holds hashes. Another installation with the same
PHONE_HASH_KEY can import them.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Protocol, TypedDict

from django.conf import settings
from django.contrib.auth.models import AnonymousUser

from astronote.accounts.models import User
from astronote.common import audit
from astronote.common.spreadsheet_csv import csv_line
from astronote.common.sql import execute
from contacts.models import Suppression
from contacts.phones import phone_hash, phone_region_of, to_e164

CHUNK_LINES = 5000
LINES_NAMED = 20
_HASH = re.compile(r"[0-9a-f]{64}")


class Writable(Protocol):
    """A text file, or the output of a management command."""

    def write(self, text: str, /) -> object:
        """Write the text."""


class SuppressionCounts(TypedDict):
    """What an import of suppressions did: new and known entries, lines without a number."""

    added: int
    known: int
    unreadable_lines: list[int]


def import_list(
    lines: Iterable[str], store: User | None, *, reason: str, by: User | AnonymousUser | str
) -> SuppressionCounts:
    """Import a list as `import_suppressions` does and write an audit entry.

    Args:
        lines: see `import_suppressions`.
        store: the store, whose country is that of national numbers; None for all stores.
        reason: stored with each new suppression.
        by: the account or program that imports the list.
    """
    region = phone_region_of(store) if store else settings.DEFAULT_PHONE_REGION
    owner_id = store.pk if store else None
    counts = import_suppressions(lines, owner_id, region=region, reason=reason)
    audit.write_entry(
        "suppressions imported",
        by=by,
        owner_id=owner_id,
        added=counts["added"],
        known=counts["known"],
    )
    return counts


def import_suppressions(
    lines: Iterable[str], owner_id: int | None, *, region: str, reason: str
) -> SuppressionCounts:
    """Suppress the numbers or hashes of a list at one store or at all stores.

    Args:
        lines: CSV lines with the numbers or hashes in the first column; a heading is skipped.
        owner_id: the store; None for all stores.
        region: two-letter country of numbers without a country code.
        reason: stored with each new suppression.
    """
    counts = SuppressionCounts(added=0, known=0, unreadable_lines=[])
    numbered_rows = enumerate(csv.reader(lines), 1)
    while chunk := list(islice(numbered_rows, CHUNK_LINES)):
        digests = set()
        for line, cells in chunk:
            cell = cells[0].strip() if cells else ""
            digest = _digest_of(cell, region)
            if digest:
                digests.add(digest)
            elif cell and line > 1:
                counts["unreadable_lines"].append(line)
        added = execute(ADD_SUPPRESSIONS, [owner_id, reason, sorted(digests)])
        counts["added"] += added
        counts["known"] += len(digests) - added
    return counts


# The digests are sorted, so two imports at once cannot deadlock on the unique index.
ADD_SUPPRESSIONS = """
    INSERT INTO contacts_suppression (owner_id, reason, phone_hash)
    SELECT %s::bigint, %s, digest FROM unnest(%s::text[]) AS digest
    ON CONFLICT DO NOTHING
"""


def _digest_of(cell: str, region: str) -> str | None:
    """The hash that a cell holds, or that of its number; None if it holds neither."""
    if _HASH.fullmatch(cell):
        return cell
    phone = to_e164(cell, region)
    return phone_hash(phone) if phone else None


def describe_unreadable_lines(counts: SuppressionCounts) -> str:
    """A sentence that names the first lines without a number; empty if there are none."""
    lines = counts["unreadable_lines"]
    if not lines:
        return ""
    return f"{len(lines):,} lines hold no number: {', '.join(map(str, lines[:LINES_NAMED]))}"


def export_suppressions(file: Writable, owner_id: int | None) -> int:
    """Write one store's suppressions, or those for all stores, as CSV; return how many."""
    line_count = 0
    for line in suppression_csv_lines(owner_id):
        file.write(line)
        line_count += 1
    return line_count - 1  # without the heading


def suppression_csv_lines(owner_id: int | None) -> Iterator[str]:
    """One store's suppressions, or those that hold for all stores, as CSV lines with a heading."""
    yield csv_line(["phone_hash", "reason", "since"])
    suppressions = Suppression.objects.filter(owner=owner_id).order_by("pk")
    columns = suppressions.values_list("phone_hash", "reason", "created_at")
    for digest, reason, since in columns.iterator():
        yield csv_line([digest, reason, since.isoformat()])
