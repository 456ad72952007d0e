"""Writing what several requests bring at one time in one transaction."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Row = TypeVar("Row")


class _Turn(Generic[Row]):
    """What one caller brought, and whether it is written."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self.done = False
        self.error: BaseException | None = None


class Together(Generic[Row]):
    """Calls `write` with the rows of every thread that waits; one thread writes for all of them.

    While one writes, the others gather; the next takes what they brought. A call returns once its
    rows are written, and raises if that failed.
    """

    def __init__(self, write: Callable[[list[Row]], object]) -> None:
        self._write = write
        self._changed = threading.Condition()
        self._waiting: list[_Turn[Row]] = []
        self._busy = False

    def __call__(self, rows: Sequence[Row]) -> None:
        mine = _Turn(rows)
        with self._changed:
            self._waiting.append(mine)
            while self._busy and not mine.done:
                self._changed.wait()
            if not mine.done:
                self._busy = True
                turns, self._waiting = self._waiting, []
        if not mine.done:
            self._lead(turns)
        if mine.error:
            raise mine.error

    def _lead(self, turns: list[_Turn[Row]]) -> None:
        error: BaseException | None = None
        try:
            self._write([row for turn in turns for row in turn.rows])
        except BaseException as raised:
            error = raised
        with self._changed:
            for turn in turns:
                turn.done, turn.error = True, error
            self._busy = False
            self._changed.notify_all()
