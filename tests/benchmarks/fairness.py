"""How long 100 recipients wait while another store's campaign of many is going out."""

from __future__ import annotations

import time

from tests.benchmarks.result import Result
from tests.support.installation import Installation
from tests.support.waiting import wait_until

SIZES = [1_000_000]
SMALL = 100
# The overview's own rate of calls, so that the long campaign takes its time.
VARIABLES = {"QUEUE_RATE_MAX": "20"}


def run(place: Installation, size: int) -> list[Result]:
    from campaigns import actions, enqueue
    from messaging.models import Batch
    from tests.support.factories import make_campaign, make_list, make_store
    from tests.support.volume import make_big_list

    for number in range(2):
        place.start(f"sms-{number}", "rqworker sms")
    place.behave(latency_ms=50)
    bob = make_store("bob", sender_name="BOBSHOP")
    target = make_list(bob, SMALL)

    def seconds_of_bobs() -> float:
        began = time.monotonic()
        campaign = enqueue.enqueue_campaign(make_campaign(bob, target).pk)

        def ended() -> bool:
            campaign.refresh_from_db()
            return campaign.status == "completed"

        wait_until(ended, seconds=600)
        return time.monotonic() - began

    alone = sorted(seconds_of_bobs() for _ in range(5))[2]
    alice = make_store(sender_name="ALICE", balance=size)
    long = make_campaign(alice, make_big_list(alice, size))
    began = time.monotonic()
    long = enqueue.enqueue_campaign(long.pk)
    enqueued = time.monotonic() - began
    wait_until(lambda: Batch.objects.filter(source_id=long.pk, status="settled").count() >= 2)
    beside = sorted(seconds_of_bobs() for _ in range(5))[2]
    long.refresh_from_db()
    actions.cancel_campaign(long, by="benchmark")
    also = {
        "alone s": round(alone, 2),
        f"beside {size:,} s": round(beside, 2),
        "of these still queued": f"{long.queued:,}",
        "their enqueue s": round(enqueued, 1),
    }
    return [
        Result(
            "fairness",
            f"{SMALL} recipients of another store",
            size,
            "campaigns/s",
            ours=1 / beside,
            bare=1 / alone,
            also=also,
        )
    ]
