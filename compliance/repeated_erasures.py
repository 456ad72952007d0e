"""Erasures that were made after a backup, made again after it was restored.

The audit trail holds of each erasure the keyed hash of the number. A list of them that is kept
outside PostgreSQL (`manage.py erasures list`) tells a restored database what it does not know.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from astronote.common.audit import AuditEntry
from compliance import rights
from compliance.known_numbers import iter_known_numbers
from contacts.phones import phone_hashes_with_each_key


def iter_recorded_erasures() -> Iterator[dict[str, Any]]:
    """The erasures of the audit trail, the oldest first: time, hash of the number, store."""
    entries = AuditEntry.objects.filter(action=rights.ERASED, details__has_key="person")
    for at, person, owner_id in entries.order_by("pk").values_list(
        "at", "details__person", "owner_id"
    ):
        yield {"at": at.isoformat(), "person": person, "store": owner_id}


def repeat_missing_erasures(lines: Iterable[str], *, by: str) -> tuple[int, int]:
    """Erase again those whose erasure this audit trail does not know.

    A person who came back between an erasure and the backup is so left alone.

    Args:
        lines: erasures as JSON, of a younger database.
        by: the program that asks, for the audit trail.

    Returns:
        How many persons were erased, and how many erasures the audit trail does not know.
    """
    known = {tuple(erasure.values()) for erasure in iter_recorded_erasures()}
    missing: dict[str, set[int | None]] = {}
    for erasure in map(json.loads, lines):
        person, store = erasure["person"], erasure["store"]
        if (erasure["at"], person, store) not in known:
            missing.setdefault(person, set()).add(store)
    # Found before anything is erased: numbers are read while they are there.
    found = {
        number: stores
        for number in (iter_known_numbers() if missing else ())
        for digest in phone_hashes_with_each_key(number)
        if (stores := missing.get(digest))
    }
    for number, stores in found.items():
        for owner_id in [None] if None in stores else sorted(filter(None, stores)):
            rights.erase_or_restrict_person(number, owner_id, by=by)
    return len(found), len(missing)
