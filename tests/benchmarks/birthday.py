"""A birthday run over the contacts of a thousand stores, by the index on month and day."""

from __future__ import annotations

import os
import time
from datetime import date
from statistics import median
from typing import Any

from tests.benchmarks.automation_load import (
    hold_credit_of_each_store,
    insert_batch_of_each_store,
    make_stores_with_credits,
    undo_messages,
)
from tests.benchmarks.result import Result, counted
from tests.support.installation import Installation, peak_mb

SIZES = [1_000_000]
STORES = 1000
# Medians of these days.
DAYS = [date(2027, 5, day) for day in (5, 6, 7, 10, 11)]
NAIVE = 200


def run(place: Installation, size: int) -> list[Result]:
    from astronote.queues.workers import tune_garbage_collection
    from campaigns.automations import birthday
    from campaigns.models import AutomationMessage

    _make_stores(size // STORES)
    plan = _plan(DAYS[0])
    naive = _naive(DAYS[0])
    tune_garbage_collection()
    bare, bare_jobs, ours, rows = [], [], [], []
    for day in DAYS:
        birthday.enqueue_birthday_messages(
            day_for_all_stores=day, dry_run=True
        )  # so that the first who reads them is not at a loss
        written, enqueued, count = _bare(day)
        began = time.monotonic()
        counts = birthday.enqueue_birthday_messages(day_for_all_stores=day)
        ours.append(time.monotonic() - began)
        assert counts["messages"] == count == AutomationMessage.objects.count(), (counts, count)
        bare.append(written)
        bare_jobs.append(enqueued)
        rows.append(count)
        _undo()
    _, statements = counted(lambda: birthday.enqueue_birthday_messages(day_for_all_stores=DAYS[0]))
    seconds, alone, jobs = median(ours), median(bare), median(bare_jobs)
    return [
        Result(
            "birthday",
            f"of {STORES:,} stores",
            size,
            "messages/s",
            plan=plan,
            ours=median(rows) / seconds,
            bare=median(rows) / alone,
            naive=naive,
            statements=statements / median(rows) * 1000,
            peak_mb=peak_mb(os.getpid()),
            also={
                "due": f"{median(rows):,}",
                "run s": round(seconds, 2),
                "bare s": round(alone, 2),
                "jobs of bare s": round(jobs, 2),
                "of bare with its jobs": round((alone + jobs) / seconds, 2),
                "full scan": "Seq Scan on contacts_contact" in plan,
            },
        )
    ]


def _make_stores(contacts_each: int) -> None:
    """With credits, an active birthday automation, and birthdays spread over the year."""
    from django.db import connection

    make_stores_with_credits(STORES)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO campaigns_automation (owner_id, type, is_active, message_body,"
            " message_type) SELECT id, 'birthday_message', true,"
            " 'Happy birthday {{first_name}}!', 'marketing' FROM astronote_user"
        )
        cursor.execute(
            """
            INSERT INTO contacts_contact (owner_id, phone, first_name, last_name, email, birthday,
                is_subscribed)
            SELECT u.id, '+3069' || lpad(n::text, 8, '0'), 'Name' || n, '', '',
                date '1980-01-01' + ((n * 7919 + u.id * 31) %% 365)::int, true
            FROM generate_series(1, %s) n, astronote_user u
            """,
            [contacts_each],
        )
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")


def _due(day: date) -> tuple[str, dict[str, Any]]:
    """The query that finds who is due, as the run asks it."""
    from campaigns.automations import birthday, due_messages
    from campaigns.models import Automation
    from contacts.ages import ADULT_AGE, years_before

    query = due_messages.FIND_DUE_CONTACTS.format(condition=birthday.BIRTHDAY_IS_DUE)
    automations = list(Automation.objects.values_list("pk", flat=True))
    return query, {
        "key": str(day.year), "month": day.month, "days": [day.day], "automations": automations,
        "adults_born_until": [years_before(day, ADULT_AGE)] * len(automations),
    }  # fmt: skip


def _plan(day: date) -> str:
    from django.db import connection

    with connection.cursor() as cursor:
        query, values = _due(day)
        cursor.execute(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {query}", values)
        return "\n".join(row[0] for row in cursor.fetchall())


def _bare(day: date) -> tuple[float, float, int]:
    """The bare minimum, undone afterwards.

    Returns the seconds of the query and of inserting its rows, batches and reservations, the
    seconds of putting a job per batch on a queue, and how many rows there were.
    """
    from django.db import connection, transaction

    from astronote.queues import jobs
    from messaging.batch_queue import SEND_NEXT

    query, values = _due(day)
    with connection.cursor() as cursor:
        began = time.monotonic()
        with transaction.atomic():
            cursor.execute(query, values)
            due = cursor.fetchall()
            owners = sorted({row[0] for row in due})
            batch_of = insert_batch_of_each_store(
                cursor, owners, kind="automation", message_type="marketing"
            )
            with cursor.copy(
                'COPY campaigns_automationmessage (owner_id, automation_id, contact_id, "to", text,'
                " segments, batch_id, status, tracking_id, occurrence_key) FROM STDIN"
            ) as copy:
                for place, row in enumerate(due):
                    copy.write_row(
                        (
                            row[0],
                            row[1],
                            row[4],
                            row[5],
                            f"Happy birthday {row[6]}!",
                            1,
                            batch_of[row[0]],
                            "queued",
                            f"bare{place:08}",
                            "2027",
                        )
                    )
            hold_credit_of_each_store(cursor, owners)
            cursor.execute("UPDATE campaigns_automation SET done_until = now()")
        written = time.monotonic()
        jobs.enqueue_copies_on_commit("sms", SEND_NEXT, len(owners))
        enqueued = time.monotonic()
        _undo()
    return written - began, enqueued - written, len(due)


def _undo() -> None:
    undo_messages("campaigns_automationmessage", "VACUUM campaigns_automation")


def _naive(day: date) -> float:
    """A contact at a time, by the ORM: every contact of the store is looked at."""
    from campaigns.models import Automation
    from contacts.models import Contact

    began, found = time.monotonic(), 0
    for automation in Automation.objects.filter(is_active=True)[:NAIVE]:
        for contact in Contact.objects.filter(owner=automation.owner_id):
            if (contact.birthday.month, contact.birthday.day) == (day.month, day.day):
                found += 1
    return found / (time.monotonic() - began)
