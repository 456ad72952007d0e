"""Advisory locks of a database session, for work that must not run twice at once."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, transaction
from psycopg.errors import LockNotAvailable

from astronote.common.sql import Parameters, execute, rows

WORK_LOCK = 0x0A57  # first key of the advisory lock; the second is the work's
LONGEST_WAIT_IN_A_REQUEST_MS = 10


class LockIsHeld(Exception):
    """Somebody else holds a lock for longer than a request of the public may wait."""


@contextmanager
def transaction_with_short_lock_timeout() -> Iterator[None]:
    """A transaction for a request of the public, which must not wait for an import or a call.

    Raises:
        LockIsHeld: if it waited for one lock for LONGEST_WAIT_IN_A_REQUEST_MS.
    """
    try:
        with transaction.atomic():
            execute(f"SET LOCAL lock_timeout = '{LONGEST_WAIT_IN_A_REQUEST_MS}ms'")
            yield
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise LockIsHeld from error
        raise


def execute_unless_locked(sql: str, params: Parameters) -> None:
    """Run a statement for a request of the public that may be left out, in one round trip.

    It waits for no disk: a crash of PostgreSQL may lose it within the second.

    Raises:
        LockIsHeld: if it waited for one lock for LONGEST_WAIT_IN_A_REQUEST_MS.
    """
    short_wait = (
        f"SET LOCAL lock_timeout = '{LONGEST_WAIT_IN_A_REQUEST_MS}ms';"
        " SET LOCAL synchronous_commit = off;"
    )
    try:
        execute(f"{short_wait} {sql}", params)
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise LockIsHeld from error
        raise


@contextmanager
def advisory_lock(work_name: str, *, wait: bool = False) -> Iterator[bool]:
    """Hold the lock of this work and yield whether it was acquired.

    PostgreSQL releases the lock of a process that dies.

    Args:
        work_name: of the work, such as `watchdog`.
        wait: wait until the lock is free; then it is always acquired.
    """
    key = zlib.crc32(work_name.encode()) - 2**31
    if wait:
        acquired = rows("SELECT true FROM pg_advisory_lock(%s, %s)", [WORK_LOCK, key])[0][0]
    else:
        acquired = rows("SELECT pg_try_advisory_lock(%s, %s)", [WORK_LOCK, key])[0][0]
    try:
        yield acquired
    finally:
        if acquired:
            execute("SELECT pg_advisory_unlock(%s, %s)", [WORK_LOCK, key])
