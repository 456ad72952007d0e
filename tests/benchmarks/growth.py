"""What a message costs, enqueue to receipt: in small and large campaigns, and beside old ones."""

from __future__ import annotations

import sys
import time
from statistics import median
from typing import Any, NamedTuple

from tests.benchmarks.receipts import delivered_events, empty_inbox, fill_inbox, inbox_rows
from tests.benchmarks.result import Result
from tests.benchmarks.send import crowd, send_all, started
from tests.support.installation import Installation

# Old messages.
SIZES = [20_000_000]
SMALL, MIDDLE, LARGE = 10_000, 100_000, 1_000_000
VARIABLES = {"SMS_BATCH_SIZE": "1000"}
POSTGRES = {"max_wal_size": "8GB", "shared_buffers": "512MB"}
REPEAT = 3


class Cost(NamedTuple):
    """Of a message, in microseconds; the worker's largest size in megabytes."""

    enqueue: float
    send: float
    receipt: float
    peak_mb: float

    @property
    def whole(self) -> float:
        return self.enqueue + self.send + self.receipt


def run(place: Installation, size: int) -> list[Result]:
    from astronote.queues.workers import tune_garbage_collection
    from tests.support.factories import make_store
    from tests.support.volume import make_big_list, make_history

    place.behave(receipts="never")
    stores = {n: make_store(f"store{n}", balance=30 * n) for n in (SMALL, MIDDLE, LARGE)}
    lists = {n: make_big_list(store, n) for n, store in stores.items()}
    tune_garbage_collection()

    def cost(n: int, times: int = REPEAT) -> Cost:
        measured = _cost(place, stores[n], lists[n], times)
        print(f"  {n:,}: {measured.whole:.0f} µs a message", file=sys.stderr)
        return measured

    def small_and_medium() -> list[Cost]:
        return [cost(SMALL), cost(MIDDLE)]

    cost(SMALL)  # the first fills the caches
    first, large = small_and_medium(), cost(LARGE, times=1)
    _remove_messages()
    between = small_and_medium()
    print(f"  writing {size:,} old messages", file=sys.stderr)
    make_history(make_store("old", balance=0), size)
    beside = small_and_medium()
    each = _bytes_a_message()
    _remove_messages()
    last = small_and_medium()
    results = [_result(LARGE, "no old messages", large, _mean(first[0], between[0]))]
    for n, *costs in zip((SMALL, MIDDLE), first, between, beside, last, strict=True):
        results += [
            _result(n, "no old messages, at first", costs[0], first[0]),
            _result(n, f"no old messages, after {LARGE:,}", costs[1]),
            _result(n, f"{size:,} old messages", costs[2], _mean(costs[1], costs[3])),
            _result(n, "no old messages, in the end", costs[3]),
        ]
        results[-2].also["bytes a message"] = each
    return results


def _mean(before: Cost, after: Cost) -> Cost:
    """Of what was measured in empty tables before and after that which is compared with it.

    A machine's speed changes in the quarter of an hour that it takes to write and send them all.
    """
    return Cost(*((one + other) / 2 for one, other in zip(before, after, strict=True)))


def _remove_messages() -> None:
    from django.db import connection

    print("  removing all messages", file=sys.stderr)
    with connection.cursor() as cursor:
        cursor.execute(
            "TRUNCATE campaigns_campaign, campaigns_campaignmessage, messaging_batch,"
            " messaging_tally, messaging_creditreservation, messaging_credittransaction CASCADE"
        )


def _cost(place: Installation, store: Any, target: Any, times: int) -> Cost:
    """Medians of so many campaigns to the list, sent by one worker, provider without latency."""
    costs = []
    with crowd(place, 1) as pids:
        for _ in range(times):
            campaign = started(store, target)
            sent = send_all(place, campaign, pids)
            enqueue, receipts = campaign.seconds, _apply_receipts(campaign)
            each = 1e6 / campaign.total
            costs.append(Cost(enqueue * each, 1e6 / sent.rate, receipts * each, sent.peak_mb))
    return Cost(*(median(column) for column in zip(*costs, strict=True)))


def _apply_receipts(campaign: Any) -> float:
    """Seconds, in this process, to apply a receipt of each message."""
    from campaigns.models import CampaignMessage
    from messaging.receipts import apply_received_receipts

    ids = CampaignMessage.objects.filter(campaign=campaign).order_by("pk")
    for start in range(0, campaign.total, MIDDLE):
        some = ids.values_list("provider_message_id", flat=True)[start : start + MIDDLE]
        fill_inbox(inbox_rows(delivered_events(list(some))))
    began = time.monotonic()
    counts = apply_received_receipts()
    seconds = time.monotonic() - began
    assert counts["applied"] == campaign.total, counts
    empty_inbox()
    return seconds


def _bytes_a_message() -> int:
    """On disk, with its indexes."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_total_relation_size(oid) / reltuples FROM pg_class"
            " WHERE oid = 'campaigns_campaignmessage'::regclass"
        )
        return round(cursor.fetchone()[0])


def _result(size: int, beside: str, cost: Cost, than: Cost | None = None) -> Result:
    """`than` is what it must not be much more than."""
    also = {name: round(getattr(cost, name), 1) for name in ("enqueue", "send", "receipt")}
    if than:
        also["times as much"] = round(cost.whole / than.whole, 2)
        sending = (cost.enqueue + cost.send) / (than.enqueue + than.send)
        also["without the receipt"] = round(sending, 2)
    return Result(
        "growth",
        f"a message, {beside}",
        size,
        "µs",
        ours=cost.whole,
        peak_mb=cost.peak_mb,
        also=also,
    )
