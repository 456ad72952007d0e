"""Birthday messages: found by index, once per contact and year (rules.md#birthday)."""

from __future__ import annotations

import calendar
import logging
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import date, timedelta

from astronote.accounts.models import StoreId
from astronote.common import audit
from astronote.common.locks import advisory_lock
from astronote.common.sql import database_now
from campaigns.automations import daily
from campaigns.automations.due_messages import (
    DueContact,
    EligibleAutomation,
    eligible_automations,
    enqueue_due_messages,
    find_due_contacts,
    set_block_reasons,
    text_problems_by_automation_id,
)
from campaigns.models import Automation, AutomationMessage, AutomationType

DAY = timedelta(days=1)
log = logging.getLogger(__name__)


def enqueue_birthday_messages(
    *, day_for_all_stores: date | None = None, dry_run: bool = False
) -> dict[str, int]:
    """Enqueue the birthday messages of each store's days that are due and not done yet.

    A second call sends nothing twice. A store that cannot pay is tried again by the next call.

    Args:
        day_for_all_stores: this day for every store, whether or not its hour has come.
        dry_run: only count who is due.

    Returns:
        Counts of stores, messages and stores that could not pay; empty if another process is
        doing this now.
    """
    with advisory_lock("birthday") as acquired:
        if not acquired:
            return {}
        days_by_automation = _due_days_by_eligible_birthday_automation(day_for_all_stores)
        problems = text_problems_by_automation_id(days_by_automation)
        messages, credits_needed_by_store = 0, Counter[StoreId]()
        for day, automations in _sendable_by_day_latest_first(days_by_automation, problems).items():
            due_contacts = _find_due_adults_with_birthday(day, automations)
            if dry_run:
                messages += sum(1 for _ in due_contacts)
                continue
            result = enqueue_due_messages(AutomationMessage, due_contacts)
            messages += result.messages
            credits_needed_by_store.update(result.credits_needed_by_store)
        if not dry_run:
            waiting_automation_ids = set_block_reasons(
                Automation, days_by_automation, problems, credits_needed_by_store
            )
            if not day_for_all_stores:
                _save_done_until_and_audit_missed_days(days_by_automation, waiting_automation_ids)
    counts = {
        "stores": len(days_by_automation.keys()) - len(problems),
        "messages": messages,
        "stores_without_credit": len(credits_needed_by_store),
    }
    log.info("birthdays%s: %s", " (dry run)" if dry_run else "", counts)
    return counts


def _due_days_by_eligible_birthday_automation(
    day_for_all_stores: date | None,
) -> dict[EligibleAutomation, list[date]]:
    """The birthday automations that have days due, with these days, the present one first."""
    now = database_now()
    days_by_automation = {
        automation: [day_for_all_stores]
        if day_for_all_stores
        else daily.local_days_due_latest_first(
            now, automation.timezone, automation.send_hour, automation.done_until
        )
        for automation in eligible_automations(AutomationType.BIRTHDAY)
    }
    return {automation: days for automation, days in days_by_automation.items() if days}


def _sendable_by_day_latest_first(
    days_by_automation: Mapping[EligibleAutomation, list[date]],
    automation_ids_with_text_problem: Collection[int],
) -> dict[date, list[EligibleAutomation]]:
    """The automations whose text can be sent, by the day that they have to do.

    Later days come first, so that where credits are few those get them whose birthday it is.
    """
    grouped: dict[date, list[EligibleAutomation]] = defaultdict(list)
    for automation, days in days_by_automation.items():
        for day in days:
            if automation.id not in automation_ids_with_text_problem:
                grouped[day].append(automation)
    return dict(sorted(grouped.items(), reverse=True))


def _save_done_until_and_audit_missed_days(
    days_by_automation: Mapping[EligibleAutomation, list[date]],
    waiting_automation_ids: Collection[int],
) -> None:
    """Mark the days as done, and write to the audit trail which days before were left out."""
    ids_by_day: dict[date, list[int]] = defaultdict(list)
    for automation, days in days_by_automation.items():
        if automation.id in waiting_automation_ids:
            continue
        ids_by_day[days[0]].append(automation.id)
        if automation.done_until and (first_left_out := automation.done_until + DAY) < days[-1]:
            audit.write_entry(
                "birthdays left out",
                Automation(pk=automation.id, owner_id=automation.owner_id),
                by="automation",
                first_day=first_left_out.isoformat(),
                last_day=(days[-1] - DAY).isoformat(),
            )
    for day, ids in ids_by_day.items():
        Automation.objects.filter(pk__in=ids).update(done_until=day)


def _year_as_occurrence_key(day: date) -> str:
    return str(day.year)


def days_of_month_celebrated_on(day: date) -> list[int]:
    """The days of the month whose birthdays are celebrated on this day.

    A birthday on 29 February is celebrated on 28 February in common years.
    """
    last_of_common_february = (day.month, day.day) == (2, 28) and not calendar.isleap(day.year)
    return [28, 29] if last_of_common_february else [day.day]


def _find_due_adults_with_birthday(
    day: date, automations: list[EligibleAutomation]
) -> Iterator[DueContact]:
    """Adults whose birthday it is and who have no message of this year yet."""
    return find_due_contacts(
        automations,
        BIRTHDAY_IS_DUE,
        _year_as_occurrence_key(day),
        day=day,
        month=day.month,
        days=days_of_month_celebrated_on(day),
    )


# By the index on month, day and store.
BIRTHDAY_IS_DUE = """
    c.birthday IS NOT NULL
    AND EXTRACT(MONTH FROM c.birthday) = %(month)s
    AND EXTRACT(DAY FROM c.birthday) = ANY(%(days)s::numeric[])
"""
