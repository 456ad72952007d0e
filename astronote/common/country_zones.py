"""The time zones of countries, from the time zone database."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo


@cache
def zones_by_country() -> dict[str, list[str]]:
    """The time zones of each country, by its two letters; the one of most people first."""
    found: dict[str, list[str]] = defaultdict(list)
    table = resources.files("tzdata").joinpath("zoneinfo", "zone.tab").read_text()
    for line in table.splitlines():
        if not line.startswith("#"):
            country, _, zone = line.split("\t")[:3]
            found[country].append(zone)
    return dict(found)


def only_zone_of_country(country: str) -> str:
    """The time zone of a country; empty if clocks differ within it, or it is not known."""
    zones = zones_by_country().get(country, [])
    year = datetime.now(UTC).year
    offsets = {
        tuple(
            datetime(year, month, 1, tzinfo=UTC).astimezone(ZoneInfo(zone)).utcoffset()
            for month in range(1, 13)
        )
        for zone in zones
    }
    return zones[0] if len(offsets) == 1 else ""
