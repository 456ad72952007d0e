"""Locks of a database session, for work that must not run twice at once."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

ONLY_ONE = 0x0A57  # first key of the advisory lock; the second is the work's


@contextmanager
def only_one(work: str, *, wait: bool = False) -> Iterator[bool]:
    """Yield whether nobody else is doing this work, or wait until nobody is.

    The lock goes with a process that dies.
    """
    key = zlib.crc32(work.encode()) - 2**31
    with connection.cursor() as cursor:
        if wait:
            cursor.execute("SELECT true FROM pg_advisory_lock(%s, %s)", [ONLY_ONE, key])
        else:
            cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [ONLY_ONE, key])
        mine = cursor.fetchone()[0]
    try:
        yield mine
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [ONLY_ONE, key])
