"""Work that must not run twice at once."""

import threading
from contextlib import ExitStack

import pytest
from django.db import connection

from astronote.common.locks import advisory_lock
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


class OtherSession:
    """Holds, or tries to hold, work in a thread with a database session of its own."""

    def __init__(self, work, *, wait=False):
        self.mine, self.may_end = None, threading.Event()
        self.thread = threading.Thread(target=self._hold, args=(work, wait), daemon=True)

    def _hold(self, work, wait):
        try:
            with advisory_lock(work, wait=wait) as self.mine:
                self.may_end.wait(20)
        finally:
            connection.close()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.may_end.set()
        self.thread.join(20)


def waits_for_a_lock():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database"
            " WHERE locktype = 'advisory' AND NOT granted AND d.datname = current_database()"
        )
        return cursor.fetchone()[0] > 0


def test_the_same_work_runs_once_at_a_time():
    with OtherSession("watchdog") as other:
        wait_until(lambda: other.mine is not None)
        assert other.mine is True
        with advisory_lock("watchdog") as mine:
            assert mine is False
        with advisory_lock("watchdog") as mine:
            assert mine is False, "asking for it took it away"
    with advisory_lock("watchdog") as mine:
        assert mine is True


def test_different_work_runs_at_the_same_time():
    with OtherSession("import 1") as other:
        wait_until(lambda: other.mine is not None)
        with advisory_lock("import 2") as mine:
            assert mine is True


def test_work_that_waits_begins_when_the_other_has_ended():
    first = ExitStack()
    assert first.enter_context(advisory_lock("receipts"))
    with first, OtherSession("receipts", wait=True) as other:
        wait_until(waits_for_a_lock, seconds=10)
        assert other.mine is None
        first.close()
        wait_until(lambda: other.mine is True, seconds=10)


def test_work_that_failed_may_run_again():
    with pytest.raises(ZeroDivisionError), advisory_lock("retention"):
        raise ZeroDivisionError
    with OtherSession("retention") as other:
        wait_until(lambda: other.mine is not None)
        assert other.mine is True
