"""A store's clock: local times that clocks skip or show twice, and how a time is shown."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.utils import formats
from django.utils.translation import gettext

MINUTE = timedelta(minutes=1)


class ComesTwice(ValueError):
    """A local time that clocks show twice, as they go back; `readings` are the two moments."""

    def __init__(
        self, local: datetime, readings: tuple[datetime, datetime], zone_name: str
    ) -> None:
        first, second = readings
        super().__init__(
            gettext(
                "%(time)s comes twice in %(zone)s, where clocks go back: as %(first)s or"
                " %(second)s. Give another time, or this one with its offset, %(first_written)s or"
                " %(second_written)s"
            )
            % {
                "time": f"{local:%Y-%m-%d %H:%M}",
                "zone": zone_name,
                "first": clock_time_with_zone_and_offset(first),
                "second": clock_time_with_zone_and_offset(second),
                "first_written": first.isoformat(timespec="minutes"),
                "second_written": second.isoformat(timespec="minutes"),
            }
        )
        self.readings = readings


def local_to_aware(local: datetime, zone_name: str) -> datetime:
    """The moment at which a store's clocks show a time.

    Args:
        local: a time without a zone.
        zone_name: the store's time zone, such as Europe/Athens.

    Raises:
        ComesTwice: if clocks show the time twice.
        ValueError: if clocks skip it; says which times are next to it.
    """
    zone = ZoneInfo(zone_name)
    first, second = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    before, after = first.utcoffset(), second.utcoffset()
    if before == after or before is None or after is None:
        return first
    if before > after:
        raise ComesTwice(local, (first, second), zone.key)
    # With the offset after the change the time is read as one before it.
    last = second.astimezone(UTC).replace(second=0, microsecond=0)
    while (last + MINUTE).astimezone(zone).utcoffset() == before:
        last += MINUTE
    raise ValueError(
        gettext(
            "%(time)s does not exist in %(zone)s, where clocks go forward: give %(last)s or before,"
            " or %(next)s or after"
        )
        % {
            "time": f"{local:%Y-%m-%d %H:%M}",
            "zone": zone.key,
            "last": f"{last.astimezone(zone):%Y-%m-%d %H:%M}",
            "next": f"{(last + MINUTE).astimezone(zone):%Y-%m-%d %H:%M}",
        }
    )


def aware_in_zone_if_naive(at: datetime, zone_name: str) -> datetime:
    """A time that somebody names of the past; one without an offset is local.

    Of a time that clocks show twice it is the first.
    """
    return at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone_name))


def clock_time_with_zone_and_offset(moment: datetime) -> str:
    """A local time such as `03:30 EEST (UTC+03:00)`."""
    return f"{moment:%H:%M} {moment:%Z} (UTC{moment.isoformat()[-6:]})"


def utc_time_of_hour(day: date, hour: int, zone_name: str) -> datetime:
    """The moment at which an hour begins on a local day.

    Where clocks skip the hour it is the nearest moment of the same day. Where they show it twice it
    is the first. Where UTC has no such day, in the years 1 and 9999, it is the hour in UTC.
    """
    local = datetime.combine(day, time(hour), ZoneInfo(zone_name))
    try:
        moment = local.astimezone(UTC)
    except OverflowError:
        return local.replace(tzinfo=UTC)
    if moment.astimezone(local.tzinfo).date() == day:
        return moment
    return local.replace(fold=1).astimezone(UTC)  # clocks skip the end of the day


def format_time_with_zone_name(moment: datetime, zone_name: str) -> str:
    """A time such as `28 Nov 2026, 06:46 Europe/Athens`, as the store's clocks show it."""
    local = moment.astimezone(ZoneInfo(zone_name))
    shown = formats.date_format(local, "j M Y, H:i")
    return f"{shown} {zone_name}{offset_suffix_if_shown_twice(moment, zone_name)}"


def offset_suffix_if_shown_twice(moment: datetime, zone_name: str) -> str:
    """The offset that tells a time from the other one that clocks show alike; empty if none does.

    It begins with a space: ` (UTC+02:00)`.
    """
    local = moment.astimezone(ZoneInfo(zone_name))
    other = local.replace(fold=not local.fold)
    before_and_after = local.utcoffset(), other.utcoffset()
    return "" if len(set(before_and_after)) == 1 else f" (UTC{local.isoformat()[-6:]})"
