"""Which local days birthday runs do: every zone, every hour, through clock changes and outages."""

import zoneinfo
from bisect import bisect_left
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from astronote.common.store_clock import utc_time_of_hour
from campaigns.automations import daily

BEGIN, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC)
DAY, HALF_HOUR, QUARTER = timedelta(days=1), timedelta(minutes=30), timedelta(minutes=15)
ZONES = sorted(zoneinfo.available_timezones() - {"localtime", "Factory"})


def offset_changes(zone):
    """When the zone's offset from UTC changes between BEGIN and END."""
    changes, moment = [], BEGIN
    while moment < END:
        later = moment + timedelta(hours=6)
        if moment.astimezone(zone).utcoffset() != later.astimezone(zone).utcoffset():
            changes.append(later)
        moment = later
    return changes


@cache
def zones_by_clock():
    """A zone of each way in which clocks run in these years, with its changes of clocks, by name.

    Together they stand for all zones.
    """
    names = defaultdict(list)
    for name in ZONES:
        zone = ZoneInfo(name)
        changes = offset_changes(zone)
        key = (BEGIN.astimezone(zone).utcoffset(), tuple(changes))
        offsets = tuple(moment.astimezone(zone).utcoffset() for moment in changes)
        names[key, offsets].append(name)
    return {same[0]: (ZoneInfo(same[0]), key[1]) for (key, _), same in names.items()}


def greeted(zone_name, hour, runs, done_until):
    """The moments at which each local day's birthdays are greeted, and the last day done."""
    moments = defaultdict(list)
    for run in runs:
        days = daily.local_days_due_latest_first(run, zone_name, hour, done_until)
        for day in days:
            moments[day].append(run)
        done_until = days[0] if days else done_until
    return moments, done_until


@pytest.mark.slow
@pytest.mark.parametrize("hour", range(24))
def test_every_day_is_done_once_on_its_own_day_in_every_zone_through_every_clock_change(hour):
    """Runs each half hour around each change of clocks, or in a few days where there is none."""
    for name, (zone, changes) in zones_by_clock().items():
        for change in changes or [BEGIN + 400 * DAY]:
            first = change - 1.5 * DAY
            runs = [first + HALF_HOUR * n for n in range(3 * 48)]
            begin = first.astimezone(zone).date()
            moments, _ = greeted(name, hour, runs, begin)
            for day in (begin + DAY, begin + 2 * DAY):
                assert len(moments[day]) == 1, (name, hour, day, moments[day])
                local = moments[day][0].astimezone(zone)
                assert local.date() == day, (name, hour, day, local)
                late = moments[day][0] - utc_time_of_hour(day, hour, name)
                assert timedelta() <= late < HALF_HOUR, (name, hour, day, local)


@pytest.mark.slow
def test_the_hour_of_every_day_of_three_years_lies_on_that_day():
    days = [BEGIN.date() + DAY * n for n in range((END - BEGIN).days)]
    for name, (zone, _) in zones_by_clock().items():
        for hour in (0, 1, 2, 3, 10, 22, 23):
            for day in days:
                moment = utc_time_of_hour(day, hour, name)
                assert moment.astimezone(zone).date() == day, (name, hour, day)


@pytest.mark.slow
@hypothesis_settings(max_examples=300, deadline=None)
@given(
    name=st.sampled_from(ZONES),
    hour=st.integers(0, 23),
    begin=st.datetimes(datetime(2026, 1, 3), datetime(2028, 12, 1), timezones=st.just(UTC)),
    outages=st.lists(
        st.tuples(st.integers(0, 30 * 96), st.integers(1, 2 * 96)), min_size=1, max_size=4
    ),
)
def test_after_an_outage_of_up_to_two_days_nobody_is_left_out_or_greeted_twice(
    name, hour, begin, outages
):
    """Each contact is greeted on its day, or at the first hour of a run after the outage."""

    def local_date(moment):
        return moment.astimezone(ZoneInfo(name)).date()

    ends, up = 0, set(range(32 * 96))
    for start, length in sorted(outages):
        if start > ends + 96:  # two outages are a day apart at least
            ends = start + length
            up -= set(range(start, ends))
    runs = [begin + QUARTER * n for n in sorted(up)]
    done_until = daily.last_day_begun(begin - QUARTER, name, hour)
    moments, done = greeted(name, hour, runs, done_until)
    for n in range(1, 29):
        day = done_until + DAY * n
        later = runs[bisect_left(runs, utc_time_of_hour(day, hour, name)) :]
        by_day = (run for run in later if run >= utc_time_of_hour(local_date(run), hour, name))
        assert moments[day] == [next(by_day)], day
        assert local_date(moments[day][0]) - day <= 2 * DAY
    assert done >= done_until + 28 * DAY


def test_a_night_after_an_outage_is_not_the_time_to_greet():
    yesterday = date(2026, 5, 16)
    night = datetime(2026, 5, 17, 2, 0, tzinfo=UTC)  # 05:00 in Athens
    assert daily.local_days_due_latest_first(night, "Europe/Athens", 10, yesterday - DAY) == []
    at_ten = datetime(2026, 5, 17, 7, 0, tzinfo=UTC)
    assert daily.local_days_due_latest_first(at_ten, "Europe/Athens", 10, yesterday - DAY) == [
        yesterday + DAY,
        yesterday,
    ]
    assert daily.local_days_due_latest_first(at_ten, "Europe/Athens", 10, yesterday + DAY) == []


def test_by_default_athens_is_greeted_at_ten():
    before, at_ten = (
        datetime(2026, 5, 17, 6, 59, tzinfo=UTC),
        datetime(2026, 5, 17, 7, tzinfo=UTC),
    )
    done = date(2026, 5, 16)
    assert daily.local_days_due_latest_first(before, "Europe/Athens", None, done) == []
    assert daily.local_days_due_latest_first(at_ten, "Europe/Athens", None, done) == [
        date(2026, 5, 17)
    ]


def test_the_installation_may_greet_at_midnight_utc_and_a_store_at_its_own_hour(settings):
    settings.BIRTHDAY_AUTOMATION_CRON = "0 0 * * *"
    midnight = datetime(2026, 5, 17, 0, 0, 1, tzinfo=UTC)
    done = date(2026, 5, 16)
    for zone in ("UTC", "Europe/Athens"):
        assert daily.local_days_due_latest_first(midnight - QUARTER, zone, None, done) == []
        assert daily.local_days_due_latest_first(midnight, zone, None, done) == [date(2026, 5, 17)]
        assert daily.local_days_due_latest_first(midnight, zone, 9, done) == []


def test_more_than_two_days_late_nobody_is_greeted():
    at_ten = datetime(2026, 5, 17, 10, tzinfo=UTC)
    today = date(2026, 5, 17)
    for missed, days in ((0, 0), (1, 1), (2, 2), (3, 3), (4, 3), (30, 3)):
        due = daily.local_days_due_latest_first(at_ten, "UTC", 10, today - missed * DAY)
        assert due == [today - n * DAY for n in range(days)]
    assert daily.local_days_due_latest_first(at_ten, "UTC", 10, None) == [today]
    assert daily.local_days_due_latest_first(at_ten, "UTC", 10, today + DAY) == [], (
        "another zone was a day ahead"
    )
