"""Group commit: rows of concurrent callers are written in one transaction.

Nothing here knows what the rows are; `receipts.py` uses it for webhook requests.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Row = TypeVar("Row")


class _Write(Generic[Row]):
    """The rows of one caller, and whether they are written or failed."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self.done = False
        self.error: BaseException | None = None


class WriteCoalescer(Generic[Row]):
    """Calls a function with the rows of all threads that wait at the time.

    While one thread writes, the rows of others wait. Then one of these threads writes them all.
    """

    def __init__(self, write: Callable[[list[Row]], object]) -> None:
        self._write = write
        self._changed = threading.Condition()
        self._waiting: list[_Write[Row]] = []
        self._is_writing = False

    def __call__(self, rows: Sequence[Row]) -> None:
        """Write rows; returns once they are written, by this thread or another.

        Raises:
            BaseException: what the function raised when it wrote them.
        """
        own = _Write(rows)
        with self._changed:
            self._waiting.append(own)
            while self._is_writing and not own.done:
                self._changed.wait()
            if not own.done:
                self._is_writing = True
                writes, self._waiting = self._waiting, []
        if not own.done:
            self._write_all(writes)
        if own.error:
            raise own.error

    def _write_all(self, writes: list[_Write[Row]]) -> None:
        error: BaseException | None = None
        try:
            self._write([row for write in writes for row in write.rows])
        except BaseException as raised:  # noqa: BLE001 - each caller raises it
            error = raised
        with self._changed:
            for write in writes:
                write.done, write.error = True, error
            self._is_writing = False
            self._changed.notify_all()
