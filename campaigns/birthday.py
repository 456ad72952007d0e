"""Birthday messages: found by index, once per contact and year (overview, section 4)."""

from __future__ import annotations

import calendar
import logging
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from crontab import CronTab
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection
from django.utils import timezone

from campaigns import automatic
from campaigns.audience import ADULT, local_today, years_before
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
    ).select_related("owner")  # fmt: skip
    for automation in automations:
        grouped[day or local_today(automation.owner)].append(automation.pk)
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
    with connection.chunked_cursor() as cursor:
        cursor.execute(
            DUE.format(users=get_user_model()._meta.db_table),
            [settings.MITTO_SENDER, automations, day.month, days_kept(day),
             years_before(day, ADULT), settings.MITTO_SENDER, _key(day)],
        )  # fmt: skip
        while rows := cursor.fetchmany(automatic.CHUNK):
            yield from (automatic.Due(*row) for row in rows)


# By the index on month, day and store.
DUE = """
    SELECT a.owner_id, a.id, a.message_body, a.message_type,
        COALESCE(NULLIF(u.sender_name, ''), %s),
        c.id, c.phone, c.first_name, c.last_name, c.email
    FROM contacts_contact c
    JOIN campaigns_automation a ON a.owner_id = c.owner_id AND a.id = ANY(%s)
    JOIN {users} u ON u.id = a.owner_id
    WHERE EXTRACT(MONTH FROM c.birthday) = %s AND EXTRACT(DAY FROM c.birthday) = ANY(%s::numeric[])
        AND c.birthday IS NOT NULL AND c.birthday <= %s AND c.phone IS NOT NULL
        AND CASE a.message_type WHEN 'marketing' THEN c.is_subscribed ELSE c.service_allowed END
        AND COALESCE(NULLIF(u.sender_name, ''), %s) <> ''
        AND NOT EXISTS (
            SELECT FROM campaigns_automationmessage m
            WHERE m.automation_id = a.id AND m.contact_id = c.id AND m.occurrence_key = %s)
    ORDER BY a.id, c.id
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
