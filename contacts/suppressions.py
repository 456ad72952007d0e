"""Lists of numbers that must not be marketed to, brought in and taken out.

Only keyed hashes are kept, so what is taken out is hashes; they mean the same wherever the
PHONE_HASH_KEY is the same.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TextIO

from django.db import connection

from contacts.models import Suppression
from contacts.phones import normalise, phone_hash
from contacts.spreadsheet import csv_line

CHUNK = 5000
_HASH = re.compile(r"[0-9a-f]{64}")


def bring_in(lines: Iterable[str], owner_id: int | None, *, region: str, reason: str) -> dict:
    """Add the numbers, or hashes, of a list to one store's suppressions or to those of all.

    Args:
        lines: CSV lines whose first column holds them; a heading is passed over.
        region: country of numbers without a country code.

    Returns:
        Counts of new entries, of those known before, and the line numbers that hold neither.
    """
    counts: dict = {"added": 0, "known": 0, "unreadable_lines": []}
    rows = enumerate(csv.reader(lines), 1)
    while chunk := list(islice(rows, CHUNK)):
        digests = set()
        for line, cells in chunk:
            cell = cells[0].strip() if cells else ""
            phone = None if _HASH.fullmatch(cell) else normalise(cell, region)
            if phone or _HASH.fullmatch(cell):
                digests.add(phone_hash(phone) if phone else cell)
            elif cell and line > 1:
                counts["unreadable_lines"].append(line)
        with connection.cursor() as cursor:
            cursor.execute(ADD, [owner_id, reason, sorted(digests)])
            counts["added"] += cursor.rowcount
            counts["known"] += len(digests) - cursor.rowcount
    return counts


ADD = """
    INSERT INTO contacts_suppression (owner_id, reason, phone_hash)
    SELECT %s::bigint, %s, digest FROM unnest(%s::text[]) AS digest
    ON CONFLICT DO NOTHING
"""


def take_out(file: TextIO, owner_id: int | None) -> int:
    """Write one store's suppressions, or those of all stores, as CSV; return how many."""
    return sum(bool(file.write(line)) for line in csv_lines(owner_id)) - 1


def csv_lines(owner_id: int | None) -> Iterator[str]:
    """The same, a line at a time, the heading first."""
    yield csv_line(["phone_hash", "reason", "since"])
    entries = Suppression.objects.filter(owner=owner_id).order_by("pk")
    rows = entries.values_list("phone_hash", "reason", "created_at")
    for digest, reason, since in rows.iterator():
        yield csv_line([digest, reason, since.isoformat()])
