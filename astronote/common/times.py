"""Times that others give us: reading their usual forms, and which of them are believed."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

# A time from outside is believed from here on, until so long after it came; clocks differ.
EARLIEST_BELIEVED_TIME = datetime(2000, 1, 1, tzinfo=UTC)
MAX_CLOCK_ADVANCE = timedelta(days=1)
# What Python reads as it is, which is what most receipts have.
_USUAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)", re.ASCII)
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,6})\d*)?"
    r" ?(Z|UTC|GMT|[+-]\d\d:?\d\d|[+-]\d\d)?",
    re.ASCII | re.IGNORECASE,
)
_RFC_2822 = re.compile(
    r"(?:[A-Z]{3}, *)?\d{1,2} [A-Z]{3} \d{4} \d\d:\d\d(?::\d\d)?(?: (?:GMT|UTC|UT|Z|[+-]\d{4}))?",
    re.ASCII | re.IGNORECASE,
)
_SECONDS = re.compile(r"\d{10}(\.\d+)?", re.ASCII)
_MILLISECONDS = re.compile(r"\d{13}", re.ASCII)
_DIGITS = re.compile(r"(\d{8})[T ]?(\d{6})Z?", re.ASCII)


def is_plausible_time(claimed: datetime, arrived: datetime) -> bool:
    """Whether something that came at `arrived` may have happened at the time that it claims."""
    return EARLIEST_BELIEVED_TIME <= claimed <= arrived + MAX_CLOCK_ADVANCE


def plausible_claimed_or_arrival_time(claimed: datetime | None, arrived: datetime) -> datetime:
    """The claimed time if it is plausible, else that of arrival.

    Args:
        claimed: the time that the source gives, if it gives one.
        arrived: when we heard of it.
    """
    return claimed if claimed and is_plausible_time(claimed, arrived) else arrived


def parse_time_as_utc_or_none(text: str) -> datetime | None:
    """Read a time in one of the usual forms, as UTC; None if it can be read in two ways or none.

    ISO 8601 and its relatives, RFC 2822, 14 digits from year to second, and seconds or milliseconds
    since 1970. Without a zone it is UTC. A date with the day first is not read: that may be the
    month. Nor are the 10 and 12 digits of SMPP: they look like seconds.
    """
    try:
        if _USUAL.fullmatch(text):
            return datetime.fromisoformat(text).astimezone(UTC)
        text = text.strip()
        if match := _ISO.fullmatch(text):
            return _parse_iso_parts(*match.groups())
        if _SECONDS.fullmatch(text):
            return datetime.fromtimestamp(float(text), UTC)
        if _MILLISECONDS.fullmatch(text):
            return datetime.fromtimestamp(int(text) / 1000, UTC)
        if match := _DIGITS.fullmatch(text):
            return datetime.strptime("".join(match.groups()), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        if _RFC_2822.fullmatch(text):
            time = parsedate_to_datetime(text)
            return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        pass
    return None


def _parse_iso_parts(date: str, time_of_day: str, fraction: str, zone: str) -> datetime:
    if not zone or zone[0] not in "+-":
        zone = "+00:00"
    elif len(zone) != 6:
        zone = f"{zone[:3]}:{zone[3:] or '00'}"
    if fraction and len(time_of_day) == 8:
        time_of_day += f".{fraction:0<6}"
    return datetime.fromisoformat(f"{date}T{time_of_day}{zone}").astimezone(UTC)
