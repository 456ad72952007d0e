"""Birthday messages: found by index, once per contact and year (overview, section 4)."""

from __future__ import annotations

import calendar
import logging
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from crontab import CronTab
from django.conf import settings
from django.utils import timezone

from campaigns import automatic
from campaigns.audience import ADULT, years_before
from campaigns.models import Automation, AutomationType
from contacts.locks import only_one

log = logging.getLogger(__name__)

RUN_BIRTHDAYS = "campaigns.tasks.run_birthdays"


def run(*, day: date | None = None, dry_run: bool = False) -> dict[str, int]:
    """Send the birthday messages of each store's local day; running it again sends nothing twice.

    Args:
        day: this day for every store instead of its own.
        dry_run: only count who is due.

    Returns:
        Counts of stores, messages and stores that could not pay; empty if another run is at work.
    """
    with only_one("birthday") as mine:
        if not mine:
            return {}
        began = timezone.now()
        counts = {"stores": 0, "messages": 0, "stores_without_credit": 0}
        for local_day, automations in _by_local_day(day).items():
            counts["stores"] += len(automations)
            due = _due(local_day, automations)
            if dry_run:
                counts["messages"] += sum(1 for _ in due)
                continue
            for name, count in automatic.send(due, _key(local_day)).items():
                counts[name] += count
            Automation.objects.filter(pk__in=automations).update(last_run_at=began)
    log.info("birthdays%s: %s", " (dry run)" if dry_run else "", counts)
    return counts


def _by_local_day(day: date | None) -> dict[date, list[int]]:
    """Active birthday automations of stores that may send, by what day it is there."""
    grouped: dict[date, list[int]] = defaultdict(list)
    automations = Automation.objects.filter(
        type=AutomationType.BIRTHDAY, is_active=True, owner__billing_hold=False,
        owner__subscription_status="active",
    )  # fmt: skip
    now = timezone.now()
    for pk, zone in automations.values_list("pk", "owner__timezone"):
        grouped[day or now.astimezone(ZoneInfo(zone)).date()].append(pk)
    return grouped


def _key(day: date) -> str:
    return str(day.year)


def days_kept(day: date) -> list[int]:
    """Days of the month whose birthdays are kept on this day.

    29 February is kept on 28 February in common years.
    """
    leapless = (day.month, day.day) == (2, 28) and not calendar.isleap(day.year)
    return [28, 29] if leapless else [day.day]


def _due(day: date, automations: list[int]) -> Iterator[automatic.Due]:
    """Adults whose birthday it is and who have no message of this year yet, by automation."""
    return automatic.find(
        DUE,
        _key(day),
        automations=automations,
        month=day.month,
        days=days_kept(day),
        adult=years_before(day, ADULT),
    )


# By the index on month, day and store.
DUE = """
    a.id = ANY(%(automations)s) AND c.birthday IS NOT NULL AND c.birthday <= %(adult)s
    AND EXTRACT(MONTH FROM c.birthday) = %(month)s
    AND EXTRACT(DAY FROM c.birthday) = ANY(%(days)s::numeric[])
"""


def missed() -> bool:
    """Whether a store has had no run since the time at which the last one was due."""
    ago = CronTab(settings.BIRTHDAY_AUTOMATION_CRON).previous(
        now=datetime.now(UTC), default_utc=True
    )
    last_due = timezone.now() + timedelta(seconds=ago)
    return Automation.objects.filter(
        type=AutomationType.BIRTHDAY, is_active=True, last_run_at__lt=last_due,
        owner__billing_hold=False, owner__subscription_status="active",
    ).exists()  # fmt: skip
