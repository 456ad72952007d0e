"""Rate limits in Redis, shared by all processes on all machines.

Each limit is one number: the time at which it is free again. Whoever is let through moves it on by
what the call costs, so in any window no more than the limit goes out, on average over batches.
When Redis cannot be asked, sending waits.
"""

from __future__ import annotations

import time
from datetime import timedelta

from django.conf import settings
from django.utils import timezone
from redis.exceptions import RedisError

from contacts import jobs
from messaging.guards import NotYet
from messaging.models import Batch, BatchStatus

LONGEST_SLEEP_MS = 2000
WITHOUT_REDIS_SECONDS = 5
PREFIX = "astronote:rate:"

# Grants all limits or none: a refusal uses nothing up. Granted calls are made after the wait that
# is returned, one behind the other, so nobody asks twice and nobody starves.
TAKE = """
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


def wait_for_turn(batch: Batch) -> None:
    """Return when the batch's call may be made; sleeps at most LONGEST_SLEEP_MS.

    Raises:
        NotYet: if the wait is longer, or Redis cannot be asked.
    """
    call = settings.QUEUE_RATE_DURATION_MS / settings.QUEUE_RATE_MAX
    costs = {"calls": call}
    if settings.RATE_LIMIT_TRAFFIC_ACCOUNT_MAX:
        costs["account"] = batch.size * 1000 / settings.RATE_LIMIT_TRAFFIC_ACCOUNT_MAX
    if settings.RATE_LIMIT_TENANT_MAX:
        costs[f"store:{batch.owner_id}"] = batch.size * 1000 / settings.RATE_LIMIT_TENANT_MAX
    try:
        wait = take(costs, LONGEST_SLEEP_MS)
    except RedisError:
        raise NotYet(
            "Redis, which keeps the rate limits",
            timezone.now() + timedelta(seconds=WITHOUT_REDIS_SECONDS),
        ) from None
    if wait <= LONGEST_SLEEP_MS:
        time.sleep(wait / 1000)
        return
    # Those before it in line come first: each batch returns at about its own time.
    ahead = Batch.objects.filter(status=BatchStatus.PENDING, turn__lt=batch.turn)
    if not settings.RATE_LIMIT_TRAFFIC_ACCOUNT_MAX:
        ahead = ahead.filter(owner=batch.owner_id)
    wait += ahead.count() * max(costs.values())
    raise NotYet("the rate limit", timezone.now() + timedelta(milliseconds=wait))


def take(costs: dict[str, float], longest_ms: float) -> float:
    """Use limits up by so many milliseconds each; return how long to wait, in milliseconds.

    If the wait is longer than `longest_ms`, nothing was used up.

    Raises:
        RedisError: if Redis cannot be asked.
    """
    keys = [PREFIX + name for name in costs]
    _, wait = jobs.redis().eval(TAKE, len(keys), *keys, longest_ms, *costs.values())
    return float(wait)
