"""Counts and durations of calls to Mitto, in Redis, for all processes together.

`operations.py` turns them into metrics. They are for information only: if Redis cannot be reached,
a count is lost and sending goes on.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import NamedTuple

from redis.exceptions import RedisError

from astronote.queues import jobs
from messaging import mitto

CALLS_KEY = "astronote:mitto-calls"
# Metrics have these names as labels.
RESULT_NAMES = {
    mitto.Accepted: "accepted",
    mitto.CallRefused: "refused",
    mitto.RetryLater: "nottaken",
    mitto.Ambiguous: "ambiguous",
}
BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # upper bounds, in seconds


class Call:
    """A call in progress; the caller sets its `result`."""

    result: mitto.SendResult


@contextlib.contextmanager
def measure_and_record_call_unless_raised() -> Iterator[Call]:
    """Count a call to Mitto by its result, with its duration; a call that raises is not counted."""
    call, began = Call(), time.monotonic()
    yield call
    seconds = time.monotonic() - began
    result_name = RESULT_NAMES[type(call.result)]
    bucket = next((str(bound) for bound in BUCKETS if seconds <= bound), "+Inf")
    with contextlib.suppress(RedisError):
        pipeline = jobs.redis_connection().pipeline(transaction=False)
        pipeline.hincrby(CALLS_KEY, f"count:{result_name}:{bucket}", 1)
        pipeline.hincrbyfloat(CALLS_KEY, f"seconds:{result_name}", round(seconds, 6))
        pipeline.execute()


class CallCounts(NamedTuple):
    """Counts by name of the result and bucket, and total seconds by name of the result."""

    counts: dict[tuple[str, str], int]
    seconds: dict[str, float]


def read_mitto_call_counts_and_seconds() -> CallCounts:
    """Read the counts; a result that there has not been is there with 0 seconds.

    Raises:
        RedisError: if Redis cannot be reached.
    """
    calls = CallCounts({}, dict.fromkeys(RESULT_NAMES.values(), 0.0))
    for key, value in jobs.redis_connection().hgetall(CALLS_KEY).items():
        what, result_name, *bucket = key.decode().split(":")
        if what == "count":
            calls.counts[result_name, bucket[0]] = int(value)
        else:
            calls.seconds[result_name] = float(value)
    return calls
