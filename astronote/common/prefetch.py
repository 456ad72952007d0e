"""Computing the next results in a thread while the caller works on the present one."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

# How long a computing thread holds the interpreter after another asks for it. The caller asks many
# times for each result, whenever PostgreSQL answers; by Python's 5 ms its waits would add up.
SWITCH_SECONDS = 0.0003


def prefetch_in_one_thread(calls: Iterable[Callable[[], T]], *, max_ahead: int) -> Iterator[T]:
    """Yield the results of the calls, in order; one thread makes up to `max_ahead` in advance.

    So one processor computes while PostgreSQL writes what the caller has. A caller that stops early
    waits for the call that is running; calls not begun are dropped. An iterator is prefetched by
    `prefetch_in_one_thread(repeat(iterator.__next__), max_ahead=…)`.

    Args:
        calls: iterated by the caller's own thread. The calls run in the other thread, one after
            another, and must not use the caller's database connection. A call that raises
            StopIteration ends the results.
        max_ahead: the most results that are ready or in the making while the caller works.

    Raises:
        Exception: the exception of a call, in its place.
    """
    executor = ThreadPoolExecutor(1, thread_name_prefix="prefetch")
    pending: deque[Future[T]] = deque()

    def next_result() -> T:
        return pending.popleft().result()

    switch_seconds_before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        for call in calls:
            pending.append(executor.submit(call))
            if len(pending) > max_ahead:
                yield next_result()
        while pending:
            yield next_result()
    except StopIteration:
        return
    finally:
        sys.setswitchinterval(switch_seconds_before)
        executor.shutdown(cancel_futures=True)
