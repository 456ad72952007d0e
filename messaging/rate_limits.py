"""Rate limits in Redis, shared by all processes on all machines (docs/rules.md#rate-limits).

Each limit is one number: the time at which it is free again. A call moves it forward by its cost.
So calls keep to the limit on average. Without Redis, sending waits. Quiet hours and caps are in
`limits.py`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from datetime import timedelta

from django.conf import settings
from redis.exceptions import RedisError

from astronote.common.sql import database_now
from astronote.queues import jobs
from messaging.limits import Postponed
from messaging.models import Batch
from messaging.statuses import BatchStatus

MAX_SLEEP_MS = 2000
REDIS_RETRY_SECONDS = 5
KEY_PREFIX = "astronote:rate:"

# Acquires all limits or none. ARGV: the longest acceptable wait, then the cost of each key. Each
# caller gets a time of its own for its call, so that no caller starves.
ACQUIRE_RATE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local wait = 0
for _, key in ipairs(KEYS) do
    wait = math.max(wait, tonumber(redis.call('GET', key) or '0') - now)
end
if wait > tonumber(ARGV[1]) then
    return {0, string.format('%.3f', wait)}
end
for i, key in ipairs(KEYS) do
    local free = now + wait + tonumber(ARGV[i + 1])
    redis.call('SET', key, string.format('%.3f', free), 'PX', math.ceil(free - now) + 1000)
end
return {1, string.format('%.3f', wait)}
"""


def sleep_for_rate_or_raise_postponed(batch: Batch) -> None:
    """Wait until the batch's call may be made, sleeping at most MAX_SLEEP_MS.

    Raises:
        Postponed: if the wait is longer, or Redis cannot be reached.
    """
    costs = {"calls": settings.QUEUE_RATE_DURATION_MS / settings.QUEUE_RATE_MAX}
    if settings.RATE_LIMIT_TRAFFIC_ACCOUNT_MAX:
        costs["account"] = batch.size * 1000 / settings.RATE_LIMIT_TRAFFIC_ACCOUNT_MAX
    if settings.RATE_LIMIT_TENANT_MAX:
        costs[f"store:{batch.owner_id}"] = batch.size * 1000 / settings.RATE_LIMIT_TENANT_MAX
    try:
        wait_ms = reserve_slots_if_soon_and_get_wait_ms(costs, MAX_SLEEP_MS)
    except RedisError:
        raise Postponed(
            "Redis, which has the rate limits",
            database_now() + timedelta(seconds=REDIS_RETRY_SECONDS),
        ) from None
    if wait_ms <= MAX_SLEEP_MS:
        time.sleep(wait_ms / 1000)
        return
    # Add the time of the batches before it, so that not all postponed batches return at once.
    earlier = Batch.objects.filter(status=BatchStatus.PENDING, turn__lt=batch.turn)
    if not settings.RATE_LIMIT_TRAFFIC_ACCOUNT_MAX:
        earlier = earlier.filter(owner=batch.owner_id)
    wait_ms += earlier.count() * max(costs.values())
    raise Postponed("the rate limit", database_now() + timedelta(milliseconds=wait_ms))


def sleep_for_rate_of_one_call() -> None:
    """Wait for a further call of a batch; without Redis, for the length of the window."""
    cost_ms = settings.QUEUE_RATE_DURATION_MS / settings.QUEUE_RATE_MAX
    wait_ms: float = settings.QUEUE_RATE_DURATION_MS
    with contextlib.suppress(RedisError):
        wait_ms = reserve_slots_if_soon_and_get_wait_ms({"calls": cost_ms}, MAX_SLEEP_MS)
    time.sleep(min(wait_ms, MAX_SLEEP_MS) / 1000)


def reserve_slots_if_soon_and_get_wait_ms(
    cost_ms_by_limit: Mapping[str, float], max_wait_ms: float
) -> float:
    """Acquire several limits at once; return how long to wait before the call, in milliseconds.

    Args:
        cost_ms_by_limit: by limit, the milliseconds for which the call occupies it.
        max_wait_ms: if the wait would be longer, nothing is acquired.

    Raises:
        RedisError: if Redis cannot be reached.
    """
    keys = [KEY_PREFIX + name for name in cost_ms_by_limit]
    _, wait_ms = jobs.redis_connection().eval(
        ACQUIRE_RATE, len(keys), *keys, max_wait_ms, *cost_ms_by_limit.values()
    )
    return float(wait_ms)
