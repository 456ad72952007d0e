"""What more machines would carry: a simulation fed with the figures of `make bench`.

python -m tests.benchmarks.scale --cores 8

Workers go round: a job from Redis, the batch from PostgreSQL, a turn at the provider's rate, its
answer, the settle, then the batch's receipts. Whoever finds all cores of a place busy waits there.
A worker takes the next batch when the receipts of the last are worked off: the steady state.
"""

from __future__ import annotations

import argparse
import heapq
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from tests.benchmarks.__main__ import REPORT

BATCH = 1000
LATENCY = 0.2
WARM_UP, END = 60.0, 180.0
HOURS_A_MONTH = 730
# The part of a batch's work in PostgreSQL, and in its worker, that comes before the call.
BEFORE_CALL = 0.3


@dataclass(frozen=True)
class Demand:
    """Processor seconds of a batch at each place, its receipts apart."""

    worker: float
    database: float
    redis: float
    receipts: float
    receipts_database: float


@dataclass(frozen=True)
class Site:
    """So many machines; `calls` is the provider's limit a second, 0 for none."""

    machines: int
    databases: int = 1
    calls: int = 0


SITES = [
    Site(1, calls=20), Site(1), Site(10, calls=20), Site(10, calls=100), Site(10),
    Site(100, calls=100), Site(100), Site(100, databases=10), Site(100, databases=30),
]  # fmt: skip


class Place:
    """Cores that serve whoever comes, in turn."""

    def __init__(self, cores: int) -> None:
        self.cores, self.used = cores, 0.0
        self._free = [0.0] * cores

    def serve(self, now: float, seconds: float) -> float:
        """When work of so many seconds that comes now is done."""
        done = max(now, heapq.heappop(self._free)) + seconds
        heapq.heappush(self._free, done)
        if done > WARM_UP:
            self.used += min(done, END) - min(max(done - seconds, WARM_UP), END)
        return done

    @property
    def busy(self) -> float:
        return self.used / self.cores / (END - WARM_UP)


class Limit:
    """So many calls a second, one behind the other."""

    def __init__(self, calls: int) -> None:
        self.apart = 1 / calls if calls else 0.0
        self.count, self._free = 0, 0.0

    def serve(self, now: float) -> float:
        granted = max(now, self._free)
        self._free = granted + self.apart
        self.count += WARM_UP < granted <= END
        return granted

    @property
    def busy(self) -> float:
        return self.count * self.apart / (END - WARM_UP)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cores", type=int, default=8, help="of each machine (8)")
    parser.add_argument("--workers", type=int, default=16, help="on each machine (16)")
    parser.add_argument(
        "--core-hour", type=float, default=0.04, help="price of a core for an hour, assumed (0.04)"
    )
    options = parser.parse_args()
    demand = measured(orjson.loads(REPORT.read_bytes()))
    table = Table(title=_sentence(demand))
    headings = (
        "machines",
        "databases",
        "calls/s",
        "messages/s",
        "machines busy",
        "PostgreSQL",
        "Redis",
        "provider's rate",
        "first to give",
        "price a million",
        "a month",
    )
    for heading in headings:
        table.add_column(heading, justify="right")
    for site in SITES:
        rate, busy = simulate(site, demand, options.cores, options.workers)
        hour = site.machines * options.cores * options.core_hour
        first = max(busy, key=busy.get)
        table.add_row(
            str(site.machines),
            str(site.databases),
            str(site.calls or "any"),
            f"{rate:,.0f}",
            *(f"{share:.0%}" for share in busy.values()),
            first if busy[first] > 0.85 else "the provider's latency",
            f"{hour / rate / 3600 * 1e6:.4f}",
            f"{hour * HOURS_A_MONTH:,.0f}",
        )
    Console(width=150).print(table)
    return 0


def measured(report: Sequence[dict[str, Any]]) -> Demand:
    """Processor seconds of a batch and of its receipts, as the report has them.

    Raises:
        SystemExit: if the report lacks them.
    """
    rows = {(row["scenario"], row["what"]): row["also"] for row in report}
    try:
        send = rows["send", "1 workers, 0 ms"]
        receipts = rows["receipts", "accepted, 1 a request"]
    except KeyError:
        sys.exit(f"{REPORT} has no figures of sending and receipts: run `make bench` first")
    each = BATCH / 1e6
    return Demand(
        worker=send["sms-0 µs"] * each,
        database=send["postgres µs"] * each,
        redis=send["redis µs"] * each,
        receipts=(receipts["web µs"] + receipts["poller µs"]) * each,
        receipts_database=receipts["postgres µs"] * each,
    )


def simulate(
    site: Site, demand: Demand, cores: int, workers: int
) -> tuple[float, dict[str, float]]:
    """Messages a second, and how busy each kind of place is, from 0 to 1.

    A single machine holds everything. Of several one is Redis's, one is each database's, and the
    rest run workers and web; stores are spread over the databases.
    """
    if site.machines == 1:
        machines = databases = [Place(cores)]
        redis = machines[0]
    else:
        machines = [Place(cores) for _ in range(site.machines - site.databases - 1)]
        databases = [Place(cores) for _ in range(site.databases)]
        redis = Place(1)
    limit = Limit(site.calls)
    before, after = BEFORE_CALL, 1 - BEFORE_CALL
    sent = 0
    waiting = [(0.001 * n, n, 0) for n in range(len(machines) * workers)]
    while waiting:
        now, worker, step = heapq.heappop(waiting)
        if now > END:
            continue
        machine = machines[worker % len(machines)]
        database = databases[worker % len(databases)]
        match step:
            case 0:
                now = redis.serve(now, demand.redis)
            case 1:
                now = machine.serve(now, demand.worker * before)
            case 2:
                now = database.serve(now, demand.database * before)
            case 3:
                now = limit.serve(now) + LATENCY
            case 4:
                now = machine.serve(now, demand.worker * after)
            case 5:
                now = database.serve(now, demand.database * after)
                sent += WARM_UP < now <= END
            case 6:
                now = machine.serve(now, demand.receipts)
            case 7:
                now = database.serve(now, demand.receipts_database)
        heapq.heappush(waiting, (now, worker, (step + 1) % 8))
    busy = {
        "machines": sum(place.busy for place in machines) / len(machines),
        "PostgreSQL": sum(place.busy for place in databases) / len(databases),
        "Redis": redis.busy,
        "provider's rate": limit.busy,
    }
    return sent * BATCH / (END - WARM_UP), busy


def _sentence(demand: Demand) -> str:
    return (
        f"Processor time of a thousand messages, measured: worker {demand.worker * 1000:.0f} ms, "
        f"PostgreSQL {demand.database * 1000:.0f}, Redis {demand.redis * 1000:.0f}; of their "
        f"receipts: web and worker {demand.receipts * 1000:.0f}, PostgreSQL "
        f"{demand.receipts_database * 1000:.0f}. Provider: {LATENCY * 1000:.0f} ms."
    )


if __name__ == "__main__":
    sys.exit(main())
