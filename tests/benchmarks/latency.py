"""From the end of an enqueue to the provider's first call, with idle workers."""

from __future__ import annotations

import statistics
import time

import requests

from tests.benchmarks.result import Result
from tests.support.installation import Installation, peak_mb
from tests.support.waiting import wait_until

SIZES = [100]
WORKERS = 2
VARIABLES = {"QUEUE_RATE_MAX": "100000"}


def run(place: Installation, size: int) -> list[Result]:
    """So many campaigns of one recipient, one after the other."""
    from campaigns import enqueue
    from tests.support.factories import make_campaign, make_list, make_store

    names = [f"sms-{n}" for n in range(WORKERS)]
    for name in names:
        place.start(name, "rqworker sms")
    wait_until(lambda: all(peak_mb(place.group.pids()[name]) > 60 for name in names))
    store = make_store()
    target = make_list(store, 1)
    waits = []
    # The first of each worker opens its connections.
    for number in range(size + 4 * WORKERS):
        campaign = make_campaign(store, target, message_text=f"Hello {number}")
        enqueue.enqueue_campaign(campaign.pk)
        enqueued = time.time()
        wait_until(lambda number=number: place.summary()["accepted"] > number)
        messages = f"{place.sandbox_url}/_sandbox/messages"
        (message,) = requests.get(messages, params={"after": number}, timeout=10).json()
        waits.append((message["accepted_at"] - enqueued) * 1000)
    waits = sorted(waits[4 * WORKERS :])
    return [
        Result(
            "latency",
            "from enqueue to Mitto's first call",
            size,
            "ms",
            ours=statistics.median(waits),
            also={"p90 ms": round(waits[int(size * 0.9)]), "worst ms": round(waits[-1])},
        )
    ]
