"""Counts of calls to Mitto, by outcome and duration, kept in Redis for all processes together.

They only inform: a Redis that cannot be asked loses a count, never a message.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from redis.exceptions import RedisError

from contacts import jobs

CALLS = "astronote:mitto-calls"
# Upper bounds of the histogram, in seconds.
BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Call:
    """A call under way; its `result` is set once it is answered."""

    result: Any = None


@contextlib.contextmanager
def timed_call() -> Iterator[Call]:
    """Count one call to Mitto and how long it took."""
    call, began = Call(), time.monotonic()
    yield call
    seconds = time.monotonic() - began
    outcome = type(call.result).__name__.lower()
    bucket = next((str(bound) for bound in BUCKETS if seconds <= bound), "+Inf")
    with contextlib.suppress(RedisError):
        pipeline = jobs.redis().pipeline(transaction=False)
        pipeline.hincrby(CALLS, f"count:{outcome}:{bucket}", 1)
        pipeline.hincrbyfloat(CALLS, f"seconds:{outcome}", round(seconds, 6))
        pipeline.execute()


def read_calls() -> tuple[dict[tuple[str, str], int], dict[str, float]]:
    """Counts by (outcome, bucket), and total seconds by outcome."""
    counts: dict[tuple[str, str], int] = {}
    seconds: dict[str, float] = {}
    for key, value in jobs.redis().hgetall(CALLS).items():
        what, outcome, *bucket = key.decode().split(":")
        if what == "count":
            counts[outcome, bucket[0]] = int(value)
        else:
            seconds[outcome] = float(value)
    return counts, seconds
