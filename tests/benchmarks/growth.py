"""What a message costs, enqueue to settle: in small and large campaigns, and beside old ones."""

from __future__ import annotations

import sys
from statistics import median
from typing import Any, NamedTuple

from tests.benchmarks.result import Result
from tests.benchmarks.send import send_all, started
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
    peak_mb: float

    @property
    def whole(self) -> float:
        return self.enqueue + self.send


def run(place: Installation, size: int) -> list[Result]:
    from tests.support.factories import make_store
    from tests.support.volume import make_big_list, make_history

    place.behave(receipts="never")
    stores = {n: make_store(f"store{n}", balance=10 * n) for n in (SMALL, MIDDLE, LARGE)}
    lists = {n: make_big_list(store, n) for n, store in stores.items()}

    def cost(n: int, times: int = REPEAT) -> Cost:
        measured = _cost(place, stores[n], lists[n], times)
        print(f"  {n:,}: {measured.whole:.0f} µs a message", file=sys.stderr)
        return measured

    cost(SMALL)  # the first fills the caches
    first, medium, large = cost(SMALL), cost(MIDDLE), cost(LARGE, times=1)
    print(f"  writing {size:,} old messages", file=sys.stderr)
    make_history(make_store("old", balance=0), size)
    old = f"{size:,} old messages"
    later, medium_later = cost(SMALL), cost(MIDDLE)
    return [
        _result(SMALL, "no old messages", first),
        _result(MIDDLE, "no old messages", medium, first),
        _result(LARGE, "no old messages", large, first),
        _result(SMALL, old, later, first),
        _result(MIDDLE, old, medium_later, medium),
    ]


def _cost(place: Installation, store: Any, target: Any, times: int) -> Cost:
    """Medians of so many campaigns to the list, sent by one worker, provider without latency."""
    costs = []
    for _ in range(times):
        campaign = started(store, target)
        sent = send_all(place, campaign, 1)
        costs.append(Cost(campaign.seconds / campaign.total * 1e6, 1e6 / sent.rate, sent.peak_mb))
    return Cost(*(median(column) for column in zip(*costs, strict=True)))


def _result(size: int, beside: str, cost: Cost, than: Cost | None = None) -> Result:
    """`than` is what it must not be much more than: the smallest size, or without old messages."""
    also = {"enqueue": round(cost.enqueue, 1), "send": round(cost.send, 1)}
    if than:
        also["times as much"] = round(cost.whole / than.whole, 2)
    return Result("growth", f"a message, {beside}", size, "µs", ours=cost.whole,
                  peak_mb=cost.peak_mb, also=also)  # fmt: skip
