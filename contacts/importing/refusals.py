"""Who says no in any row of a file, known before the first contact is written.

So no row subscribes a person whom a later row of a large file would unsubscribe.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from contacts.importing.consent_cells import Consent
from contacts.importing.validating import ContactRow, Refusal


class Refusals:
    """The refusals of a file by number, on disk, so that memory does not grow with the file."""

    def __init__(self, refusals: Iterable[Refusal] = ()) -> None:
        """Keep the refusals; of several of one number, the first of the highest consent.

        Args:
            refusals: those of all rows, in the order of the file.
        """
        # One thread uses it at a time, but another one may close it.
        self.database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self.database.execute("PRAGMA journal_mode = OFF")
        self.database.execute("PRAGMA synchronous = OFF")
        self.database.execute(
            "CREATE TABLE refusal (number INTEGER PRIMARY KEY, consent INTEGER, said_at TEXT)"
        )
        self.database.execute("BEGIN")
        self.database.executemany(
            ADD_REFUSAL,
            (
                (int(refusal.phone), refusal.consent, refusal.said_at and str(refusal.said_at))
                for refusal in refusals
            ),
        )
        self.database.execute("COMMIT")

    def close(self) -> None:
        """Delete what is on disk."""
        self.database.close()

    def overwrite_consent_of(self, row_by_phone: dict[str, ContactRow]) -> None:
        """Let the rows say what the refusals of their numbers say, wherever these stand."""
        numbers = json.dumps([int(phone) for phone in row_by_phone])
        for number, consent, said_at in self.database.execute(FIND_REFUSALS, [numbers]):
            phone = f"+{number}"
            row_by_phone[phone] = replace(
                row_by_phone[phone],
                consent=Consent(consent),
                said_at=datetime.fromisoformat(said_at) if said_at else None,
            )


ADD_REFUSAL = """
    INSERT INTO refusal VALUES (?, ?, ?) ON CONFLICT (number) DO UPDATE
    SET consent = excluded.consent, said_at = excluded.said_at WHERE excluded.consent > consent
"""
FIND_REFUSALS = "SELECT * FROM refusal WHERE number IN (SELECT value FROM json_each(?))"
