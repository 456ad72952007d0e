"""The sending window of a store: from reading consent to Mitto's answer (rules.md#opt-outs)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction

from astronote.common.sql import CONNECTION_ERRORS, execute

log = logging.getLogger(__name__)

SENDING_LOCK = 0x5E4D  # first key of the advisory lock; the second is the store's id
OPT_OUT_MAX_WAIT_SECONDS = 90


@contextmanager
def sending_window(owner_id: int) -> Iterator[None]:
    """Hold the store's sending window open while consent is read and Mitto is called.

    An opt-out waits until all windows of its store are closed, so Mitto accepts no message after
    the opt-out was committed.

    If PostgreSQL ends the session during the call, the window closes with it. An opt-out that
    waited is then committed while Mitto is at work. The call had begun before it, so what must hold
    does hold: no call begins with somebody in it who has opted out. The window is not opened again:
    what follows records an answer and calls nobody.
    """
    execute(OPEN_SENDING_WINDOW, [SENDING_LOCK, owner_id])
    try:
        yield
    finally:
        try:
            # In a session that was opened meanwhile, this changes nothing.
            execute(CLOSE_SENDING_WINDOW, [SENDING_LOCK, owner_id])
        except CONNECTION_ERRORS:
            connection.close()  # with its session, if there still is one, and its locks


# Locks of the database session, not of a transaction: no transaction is open during the call, and
# PostgreSQL releases the lock of a worker that dies.
OPEN_SENDING_WINDOW = "SELECT pg_advisory_lock_shared(%s, %s)"
CLOSE_SENDING_WINDOW = "SELECT pg_advisory_unlock_shared(%s, %s)"


def wait_for_open_sending_windows(owner_id: int) -> None:
    """Wait until no sending window of the store is open; none opens before we commit.

    Called in a transaction.

    Gives up after OPT_OUT_MAX_WAIT_SECONDS: the call of a stopped worker was made long ago and
    cannot be cancelled.
    """
    try:
        with transaction.atomic():
            execute(f"SET LOCAL lock_timeout = '{OPT_OUT_MAX_WAIT_SECONDS}s'")
            execute(LOCK_OUT_SENDING, [SENDING_LOCK, owner_id])
    except OperationalError:
        log.warning("store %s: a sending window was open too long; opting out anyway", owner_id)


# Exclusive, so it waits for the shared locks of all open windows; released at the commit.
LOCK_OUT_SENDING = "SELECT pg_advisory_xact_lock(%s, %s)"
