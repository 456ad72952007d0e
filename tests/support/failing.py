"""Statements that fail in the middle of a change, to see that nothing of it stays."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import DataError, connection, transaction

from tests.support.checks import table_fingerprints

WRITES = re.compile(r"\b(INSERT INTO|UPDATE \S+\s+(?:\w+\s+)?SET|DELETE FROM)\b", re.IGNORECASE)
MOST_FAILURES = 8


@contextmanager
def failing_write(number: int | None) -> Iterator[list[str]]:
    """Make the n-th statement that writes fail in PostgreSQL; yields the statements until then."""
    seen: list[str] = []

    def count(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        if WRITES.search(str(sql)):
            seen.append(str(sql))
            if len(seen) == number:
                return execute("SELECT 1 / 0", None, False, context)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(count):
        yield seen


def assert_nothing_stays_of_a_failed_change(change: Callable[[], Any]) -> None:
    """Let the writes of a change fail in turn; the database must be as before each time.

    Of a change with many writes some fail, the last two always.

    Args:
        change: can be made several times, since it is undone.
    """
    before = table_fingerprints()
    with transaction.atomic(), failing_write(None) as writes:
        change()
        assert table_fingerprints() != before, "it changes nothing"
        transaction.set_rollback(True)
    count = len(writes)
    assert count > 1, "it writes too little to be half done"
    for number in sorted({*range(1, count, 1 + count // MOST_FAILURES), count - 1, count}):
        with failing_write(number) as writes, pytest.raises(DataError):
            change()
        changed = {table for table, rows in table_fingerprints().items() if rows != before[table]}
        assert not changed, f"something stayed after this had failed: {writes[number - 1]}"
