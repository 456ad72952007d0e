"""Birthday messages: found by index, once per contact and year (rules.md#birthday)."""

from __future__ import annotations

import calendar
import logging
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta

from crontab import CronTab
from django.conf import settings

from astronote.common.locks import advisory_lock
from astronote.common.sql import database_now
from astronote.models import User
from campaigns.automations.due_messages import (
    DueContact,
    EligibleAutomation,
    eligible_automations,
    enqueue_due_messages,
    find_due_contacts,
)
from campaigns.models import Automation, AutomationType

log = logging.getLogger(__name__)

RUN_BIRTHDAYS = "campaigns.tasks.run_birthdays"


def enqueue_birthday_messages(
    *, day_for_all_stores: date | None = None, dry_run: bool = False
) -> dict[str, int]:
    """Enqueue the birthday messages of each store's local day; a second call sends nothing twice.

    Args:
        day_for_all_stores: this day for every store instead of its own.
        dry_run: only count who is due.

    Returns:
        Counts of stores, messages and stores that could not pay; empty if another process is
        doing this now.
    """
    with advisory_lock("birthday") as acquired:
        if not acquired:
            return {}
        began = database_now()
        counts = {"stores": 0, "messages": 0, "stores_without_credit": 0}
        for local_day, automations in _automations_by_local_day(day_for_all_stores).items():
            counts["stores"] += len(automations)
            due_contacts = _find_adults_with_birthday(local_day, automations)
            if dry_run:
                counts["messages"] += sum(1 for _ in due_contacts)
                continue
            written = enqueue_due_messages(due_contacts, _year_as_occurrence_key(local_day))
            for name, count in written.items():
                counts[name] += count
            ids = [automation.id for automation in automations]
            Automation.objects.filter(pk__in=ids).update(last_run_at=began)
    log.info("birthdays%s: %s", " (dry run)" if dry_run else "", counts)
    return counts


def _automations_by_local_day(
    day_for_all_stores: date | None,
) -> dict[date, list[EligibleAutomation]]:
    """The birthday automations that may send, by the present day in their stores' time zones."""
    grouped: dict[date, list[EligibleAutomation]] = defaultdict(list)
    for automation in eligible_automations(AutomationType.BIRTHDAY):
        grouped[day_for_all_stores or automation.local_today()].append(automation)
    return grouped


def _year_as_occurrence_key(day: date) -> str:
    return str(day.year)


def birth_days_celebrated_on(day: date) -> list[int]:
    """The days of the month whose birthdays are celebrated on this day.

    A birthday on 29 February is celebrated on 28 February in common years.
    """
    last_of_common_february = (day.month, day.day) == (2, 28) and not calendar.isleap(day.year)
    return [28, 29] if last_of_common_february else [day.day]


def _find_adults_with_birthday(
    day: date, automations: list[EligibleAutomation]
) -> Iterator[DueContact]:
    """Adults whose birthday it is and who have no message of this year yet."""
    return find_due_contacts(
        automations,
        BIRTHDAY_IS_DUE,
        _year_as_occurrence_key(day),
        day=day,
        month=day.month,
        days=birth_days_celebrated_on(day),
    )


# By the index on month, day and store.
BIRTHDAY_IS_DUE = """
    c.birthday IS NOT NULL
    AND EXTRACT(MONTH FROM c.birthday) = %(month)s
    AND EXTRACT(DAY FROM c.birthday) = ANY(%(days)s::numeric[])
"""


def birthday_run_missed() -> bool:
    """Whether an active automation has not been run since the last time it was due."""
    now = database_now()
    seconds_since_due = CronTab(settings.BIRTHDAY_AUTOMATION_CRON).previous(
        now=now, default_utc=True
    )  # negative
    last_due = now + timedelta(seconds=seconds_since_due)
    automations = Automation.objects.filter(
        type=AutomationType.BIRTHDAY, is_active=True, last_run_at__lt=last_due
    )
    return automations.filter(
        owner__in=User.objects.eligible_to_send_with_sender().values("pk")
    ).exists()
