"""Running SQL that is written as SQL, PostgreSQL's clock, and work that outlives a connection."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar, cast

from django.db import InterfaceError, OperationalError, connection

log = logging.getLogger(__name__)

# A connection was lost or cannot be made, or the transaction was ended by a lock or by its server.
CONNECTION_ERRORS = (OperationalError, InterfaceError)
FIRST_WAIT_SECONDS, MAX_WAIT_SECONDS = 0.1, 5.0
Result = TypeVar("Result")

Parameters = Sequence[Any] | Mapping[str, Any] | None


def rows(sql: str, params: Parameters = None) -> list[tuple[Any, ...]]:
    """Run a statement and return its rows."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cast("list[tuple[Any, ...]]", cursor.fetchall())


def execute(sql: str, params: Parameters = None) -> int:
    """Run a statement and return the number of rows that it changed."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return int(cursor.rowcount)


def array_literal(values: Iterable[object]) -> str:
    """A PostgreSQL array of numbers, texts or times, as a text to be cast to its type.

    For long arrays: psycopg takes four times as long for a list.
    """
    elements = [
        "NULL"
        if value is None
        else '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
        for value in values
    ]
    return "{" + ",".join(elements) + "}"


def database_now() -> datetime:
    """The time by PostgreSQL's clock, which all machines share.

    A time that is compared with a column comes from here or from `Now()`: the clocks of the
    machines differ.
    """
    return cast("datetime", rows("SELECT clock_timestamp()")[0][0])


def repeat_while_connection_is_lost(work: Callable[[], Result]) -> Result:
    """Do work in the database, again and again if its connection is lost, until it is committed.

    The work may have been committed although its answer was lost, so doing it twice must be the
    same as doing it once. It must begin its own transaction. It ends with an exception of another
    kind, such as the timeout of a job.
    """
    wait = FIRST_WAIT_SECONDS
    while True:
        try:
            return work()
        except CONNECTION_ERRORS as error:
            log.warning("PostgreSQL: %s, again in %.1f s", type(error).__name__, wait)
            connection.close()
            time.sleep(wait)
            wait = min(wait * 2, MAX_WAIT_SECONDS)
