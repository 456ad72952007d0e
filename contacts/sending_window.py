"""The sending window of a store: from reading consent to Mitto's answer (rules.md#opt-outs)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction

from astronote.common.sql import CONNECTION_ERRORS, execute, rows

log = logging.getLogger(__name__)

# First keys of the advisory locks; the second is the store's id. A window holds the first while it
# is open. Whoever opens one passes the second, the gate, which an opt-out closes until its commit:
# otherwise windows that open once it has given up waiting would read the consent from before.
SENDING_LOCK, GATE_LOCK = 0x5E4D, 0x5E4E
# Longer than a call takes to begin after consent was read (`MAX_CONSENT_AGE_SECONDS`).
OPT_OUT_MAX_WAIT_SECONDS = 2


@contextmanager
def sending_window(owner_id: int) -> Iterator[None]:
    """Hold the store's sending window open while consent is read and Mitto is called.

    A change of consent waits for it, at most until the call has begun: no call begins with somebody
    in it whose opt-out is committed. One that is under way by then may have the person in it.

    If PostgreSQL ends the session during the call, the window closes with it. It is not opened
    again: what follows records an answer and calls nobody.
    """
    execute(OPEN_SENDING_WINDOW, [GATE_LOCK, owner_id, SENDING_LOCK, owner_id, GATE_LOCK, owner_id])
    try:
        yield
    finally:
        try:
            # In a session that was opened meanwhile, this changes nothing.
            execute(CLOSE_SENDING_WINDOW, [SENDING_LOCK, owner_id])
        except CONNECTION_ERRORS:
            connection.close()  # with its session, if there still is one, and its locks


# Locks of the database session, not of a transaction: no transaction is open during the call, and
# PostgreSQL releases the lock of a worker that dies. One statement, so that a worker which is
# stopped does not leave the gate locked.
OPEN_SENDING_WINDOW = """
    SELECT pg_advisory_lock(%s, %s), pg_advisory_lock_shared(%s, %s), pg_advisory_unlock(%s, %s)
"""
CLOSE_SENDING_WINDOW = "SELECT pg_advisory_unlock_shared(%s, %s)"


def lock_out_sending_if_no_window_is_open(owner_id: int) -> bool:
    """If no sending window of the store is open, let none open before we commit.

    Called in a transaction. Returns whether none is open.
    """
    return bool(rows(TRY_LOCK_OUT_SENDING, [GATE_LOCK, owner_id, SENDING_LOCK, owner_id])[0][0])


TRY_LOCK_OUT_SENDING = """
    SELECT CASE WHEN pg_try_advisory_xact_lock_shared(%s, %s)
        THEN pg_try_advisory_xact_lock(%s, %s) ELSE false END
"""


def lock_out_sending_windows(owner_id: int) -> None:
    """Wait until no sending window of the store is open; none opens before we commit.

    Called in a transaction.

    Gives up after OPT_OUT_MAX_WAIT_SECONDS: by then a call has begun and cannot be cancelled, and a
    worker that was stopped before its call makes none.
    """
    if lock_out_sending_if_no_window_is_open(owner_id):
        return
    for statement, lock in ((CLOSE_GATE, GATE_LOCK), (LOCK_OUT_SENDING, SENDING_LOCK)):
        try:
            with transaction.atomic():
                execute(f"SET LOCAL lock_timeout = '{OPT_OUT_MAX_WAIT_SECONDS}s'")
                execute(statement, [lock, owner_id])
        except OperationalError:
            log.info("store %s: a call is under way; opting out meanwhile", owner_id)


# Shared by all opt-outs of the store, so that none waits for another one's commit.
CLOSE_GATE = "SELECT pg_advisory_xact_lock_shared(%s, %s)"
# Exclusive, so it waits for the shared locks of all open windows; released at the commit.
LOCK_OUT_SENDING = "SELECT pg_advisory_xact_lock(%s, %s)"
