"""The simulation behind docs/scale.md, where the answer can be told without it."""

from __future__ import annotations

import pytest

from tests.benchmarks.scale import Demand, Site, simulate

LIGHT = {
    "worker": 1e-6,
    "database": 1e-6,
    "redis": 1e-6,
    "receipts": 1e-6,
    "receipts_database": 1e-6,
}


@pytest.mark.parametrize(
    ("site", "heavy", "messages", "first"),
    [
        # 20 calls of a thousand a second.
        (Site(10, calls=20), {}, 20_000, "provider's rate"),
        # A tenth of a second of one of eight cores for each thousand.
        (Site(10), {"database": 0.1}, 80_000, "PostgreSQL"),
        (Site(20, databases=3), {"database": 0.05, "receipts_database": 0.05}, 240_000,
         "PostgreSQL"),
        (Site(10), {"redis": 0.02}, 50_000, "Redis"),
        (Site(10), {"worker": 0.5, "receipts": 0.5}, 64_000, "machines"),
        (Site(1), {"worker": 0.4, "database": 0.4}, 10_000, "machines"),
    ],
)  # fmt: skip
def test_the_scarcest_place_decides(site, heavy, messages, first):
    rate, busy = simulate(site, Demand(**LIGHT | heavy), 8, 16)
    assert rate == pytest.approx(messages, rel=0.02)
    assert max(busy, key=busy.get) == first
    assert busy[first] > 0.95


def test_with_nothing_scarce_the_providers_latency_decides():
    rate, busy = simulate(Site(3), Demand(**LIGHT), 8, 10)
    assert rate == pytest.approx(10 * 1000 / 0.2, rel=0.02)
    assert max(busy.values()) < 0.1
