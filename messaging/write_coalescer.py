"""Group commit: rows of concurrent callers are written in one transaction.

Nothing here knows what the rows are; `receipts.py` uses it for webhook requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Row = TypeVar("Row")
# A transaction costs as much processor time as the rows of twenty requests, so it waits for more.
GATHER_SECONDS = 0.002


class WriteCoalescer(Generic[Row]):
    """Calls a function in a thread with the rows of all coroutines that wait at the time.

    It is called GATHER_SECONDS after the first row came. While it runs, the rows of others wait.
    """

    def __init__(self, write: Callable[[list[Row]], object]) -> None:
        self._write = write
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="write")
        self._waiting: list[tuple[Sequence[Row], asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, rows: Sequence[Row]) -> None:
        """Write rows; returns once they are written.

        Raises:
            Exception: what the function raised when it wrote them.
        """
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        self._waiting.append((rows, done))
        if self._task is None:
            self._task = loop.create_task(self._write_all_waiting())
        await done

    async def _write_all_waiting(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            await asyncio.sleep(GATHER_SECONDS)
            writes, self._waiting = self._waiting, []
            rows = [row for rows, _ in writes for row in rows]
            error: Exception | None = None
            try:
                await loop.run_in_executor(self._thread, self._write, rows)
            except Exception as raised:  # noqa: BLE001 - each caller raises it
                error = raised
            for _, done in writes:
                if done.done():
                    continue  # its caller was cancelled
                if error:
                    done.set_exception(error)
                else:
                    done.set_result(None)
        self._task = None
