"""A store's clock: local times that clocks skip or show twice, and how a time is shown."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo


def local_to_aware(local: datetime, zone_name: str) -> datetime:
    """The moment at which a store's clocks show a time.

    Args:
        local: a time without a zone.
        zone_name: the store's time zone, such as Europe/Athens.

    Raises:
        ValueError: if clocks skip the time, or show it twice; says which times can be meant.
    """
    zone = ZoneInfo(zone_name)
    first, second = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    before, after = first.utcoffset(), second.utcoffset()
    if before == after or before is None or after is None:
        return first
    if before < after:
        shown = first.astimezone(UTC).astimezone(zone)
        raise ValueError(
            f"{local:%Y-%m-%d %H:%M} does not exist in {zone.key}, where clocks go forward: give"
            f" another time, such as {shown:%H:%M}"
        )
    raise ValueError(
        f"{local:%Y-%m-%d %H:%M} comes twice in {zone.key}, where clocks go back: give another"
        " time, or by the command line one with its offset,"
        f" {first.isoformat(timespec='minutes')} or {second.isoformat(timespec='minutes')}"
    )


def hour_on_day(day: date, hour: int, zone_name: str) -> datetime:
    """The moment at which an hour begins on a local day.

    Where clocks skip the hour it is the nearest moment of the same day. Where they show it twice it
    is the first.
    """
    local = datetime.combine(day, time(hour), ZoneInfo(zone_name))
    moment = local.astimezone(UTC)
    if moment.astimezone(local.tzinfo).date() == day:
        return moment
    return local.replace(fold=1).astimezone(UTC)  # clocks skip the end of the day


def show_time(moment: datetime, zone_name: str) -> str:
    """A moment as the store's clocks show it, with the name of the zone."""
    return f"{moment.astimezone(ZoneInfo(zone_name)):%Y-%m-%d %H:%M} {zone_name}"
