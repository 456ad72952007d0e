"""What a function does with a row that another session is changing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction

from astronote.common.sql import rows
from tests.support.waiting import wait_until

LONGEST_WAIT_SECONDS = 10
ONE_WAITS_FOR_THIS_SESSION = """
    SELECT count(*) > 0 FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))
"""


class OtherSession:
    """Makes a change in a transaction, and commits once another session waits for it."""

    def __init__(self, change: Callable[[], Any], look: Callable[[], Any]) -> None:
        self.change, self.look, self.seen = change, look, None
        self.changed, self.may_commit = threading.Event(), threading.Event()
        self.was_waited_for = False
        self.errors: list[BaseException] = []

    def run(self) -> None:
        """Change, wait and commit; what `look` returns meanwhile is kept as `seen`."""
        try:
            with transaction.atomic():
                kept = self.change()
                self.changed.set()
                wait_until(lambda: self.may_commit.is_set() or self._is_waited_for(), 10)
                self.seen = self.look()
            del kept
        except BaseException as error:  # noqa: BLE001 - the test raises it
            self.errors.append(error)
        finally:
            self.changed.set()
            connection.close()

    def _is_waited_for(self) -> bool:
        self.was_waited_for = self.was_waited_for or rows(ONE_WAITS_FOR_THIS_SESSION)[0][0]
        return self.was_waited_for


@contextmanager
def changed_meanwhile(
    change: Callable[[], Any], look: Callable[[], Any] = lambda: None
) -> Iterator[OtherSession]:
    """Another session makes a change, and commits it as soon as the block waits for it.

    If the block does not wait, the change is committed when it ends.

    Args:
        change: what the other session does.
        look: called in it just before it commits.
    """
    other = OtherSession(change, look)
    thread = threading.Thread(target=other.run, daemon=True)
    thread.start()
    assert other.changed.wait(LONGEST_WAIT_SECONDS)
    try:
        yield other
    finally:
        other.may_commit.set()
        thread.join(LONGEST_WAIT_SECONDS)
    assert not other.errors, other.errors
