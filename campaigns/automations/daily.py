"""Which local days a daily automation has still to do (rules.md#birthday)."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from crontab import CronTab
from django.conf import settings

from astronote.common.store_clock import utc_time_of_hour

DEFAULT_HOUR = 10
MAX_DAYS_LATE = 2


def local_days_due_latest_first(
    now: datetime, zone_name: str, hour: int | None, done_until: date | None
) -> list[date]:
    """The local days whose messages are due, the present one first.

    The present day is due from the automation's hour on, and with it the days before that were not
    done, MAX_DAYS_LATE of them at most: after an outage nobody is greeted in the night.

    Args:
        now: the present moment.
        zone_name: the store's time zone.
        hour: the hour from which a day is due, on the store's clock; None for the default.
        done_until: the last day that was done; None if no day was.
    """
    today = _local_day_due_or_none_before_hour(now, zone_name, hour)
    if today is None:
        return []
    missed = (today - done_until).days if done_until else 1
    return [today - timedelta(days=late) for late in range(min(missed, MAX_DAYS_LATE + 1))]


def last_day_begun(now: datetime, zone_name: str, hour: int | None) -> date:
    """The last local day whose messages are due or have been; before its hour that is yesterday."""
    yesterday = now.astimezone(ZoneInfo(zone_name)).date() - timedelta(days=1)
    return _local_day_due_or_none_before_hour(now, zone_name, hour) or yesterday


def _local_day_due_or_none_before_hour(
    now: datetime, zone_name: str, hour: int | None
) -> date | None:
    """The present local day if its messages are due; None before its hour.

    By default that is from DEFAULT_HOUR on. With BIRTHDAY_AUTOMATION_CRON it is the day of the last
    of those times.
    """
    zone = ZoneInfo(zone_name)
    if hour is None and settings.BIRTHDAY_AUTOMATION_CRON:
        return _last_time_of_cron(now).astimezone(zone).date()
    today = now.astimezone(zone).date()
    begins = utc_time_of_hour(today, DEFAULT_HOUR if hour is None else hour, zone_name)
    return today if now >= begins else None


def _last_time_of_cron(now: datetime) -> datetime:
    seconds = CronTab(settings.BIRTHDAY_AUTOMATION_CRON).previous(now=now, default_utc=True)
    return now + timedelta(seconds=seconds)  # negative
