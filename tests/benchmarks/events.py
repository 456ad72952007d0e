"""Rules on events: so many appointments due in an hour beside old ones, and the bare minimum.

EVENTS_OLD is the number of old events beside them.
"""

from __future__ import annotations

import os
import time
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

SIZES = [100_000]
STORES = 100
REPEATS = 3


def run(place: Installation, size: int) -> list[Result]:
    from astronote.queues.workers import tune_garbage_collection

    old = int(os.environ.get("EVENTS_OLD", "1000000"))
    _make_stores(size // STORES)
    tune_garbage_collection()
    alone = _measure(size)
    _make_old_events(old)
    beside = _measure(size)
    _, statements = counted(_enqueue)
    return [
        Result(
            "events",
            f"due of {STORES} stores",
            size,
            "messages/s",
            plan=beside["plan"],
            ours=size / beside["ours"],
            bare=size / beside["bare"],
            statements=statements / size * 1000,
            peak_mb=peak_mb(os.getpid()),
            also={
                "run s": round(beside["ours"], 2),
                "bare s": round(beside["bare"], 2),
                "old events": f"{old:,}",
                "of the time without them": round(beside["ours"] / alone["ours"], 2),
                "full scan": "Seq Scan on contacts_customerevent" in beside["plan"],
            },
        )
    ]


def _enqueue() -> dict[str, int]:
    from campaigns.automations import rules

    return rules.enqueue_rule_messages()


def _measure(size: int) -> dict[str, Any]:
    """Medians of our run and the bare one, each undone, and the plan of our query."""
    from campaigns.models import AutomationSend

    ours, bare = [], []
    for _ in range(REPEATS):
        bare.append(_bare(size))
        began = time.monotonic()
        counts = _enqueue()
        ours.append(time.monotonic() - began)
        assert counts["messages"] == size == AutomationSend.objects.count(), counts
        _undo()
    return {"ours": median(ours), "bare": median(bare), "plan": _plan()}


def _execute(sql: str, params: Any = None) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def _make_stores(contacts_each: int) -> None:
    """With credits, a reminder a day before, and an appointment of each contact due in an hour."""
    make_stores_with_credits(STORES)
    _execute(
        """
        INSERT INTO campaigns_automationrule (owner_id, name, is_active, message_type,
            message_body, trigger_type, event_type, event_status, event_time_field,
            offset_minutes, dedupe_window_minutes, max_per_contact_per_day)
        SELECT id, 'Reminder', true, 'service', 'Hello {{first_name}}, see you tomorrow!', 'event',
            'appointment', 'scheduled', 'start_at', -1440, 1440, 1 FROM astronote_user
        """
    )
    _execute(
        """
        INSERT INTO contacts_contact (owner_id, phone, first_name, last_name, email, is_subscribed)
        SELECT u.id, '+3069' || lpad(n::text, 8, '0'), 'Name' || n, '', '', true
        FROM generate_series(1, %s) n, astronote_user u
        """,
        [contacts_each],
    )
    _execute(
        """
        INSERT INTO contacts_customerevent (owner_id, contact_id, event_type, status, start_at,
            updated_at)
        SELECT owner_id, id, 'appointment', 'scheduled',
            now() + interval '23 hours' + (id % 3600) * interval '1 second',
            now() - interval '10 days'
        FROM contacts_contact
        """
    )
    _execute("VACUUM ANALYZE")
    _execute("CHECKPOINT")
    _undo()


def _make_old_events(count: int) -> None:
    """Appointments of the last years, of the same contacts, written in the order of their time."""
    # The rows are right by their making: no foreign key is looked up for any.
    _execute("SET session_replication_role = replica")
    _execute("SET synchronous_commit = off")
    _execute(
        """
        INSERT INTO contacts_customerevent (owner_id, contact_id, event_type, status, start_at,
            updated_at)
        SELECT c.owner_id, c.id, 'appointment', 'scheduled',
            now() - (n * interval '7 days' + (c.id %% 86400) * interval '1 second'),
            now() - interval '10 days'
        FROM (SELECT count(*) AS all FROM contacts_contact) total, contacts_contact c,
            generate_series(1, 1000) n
        WHERE n <= %s / total.all ORDER BY n DESC, c.id DESC
        """,
        [count],
    )
    _execute("RESET session_replication_role")
    _execute("RESET synchronous_commit")
    _execute("VACUUM ANALYZE contacts_customerevent")
    _execute("CHECKPOINT")


def _undo() -> None:
    undo_messages(
        "campaigns_automationsend",
        "UPDATE campaigns_automationrule SET last_run_at = now() - interval '2 hours'",
        "VACUUM campaigns_automationrule",
    )


def _plan() -> str:
    """PostgreSQL's plan of the query as the run asks it."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext
    from django.utils import timezone

    from campaigns.automations import rules

    now = timezone.now()
    with CaptureQueriesContext(connection) as captured:
        next(rules.find_consenting_contacts_due_by_rules(rules.eligible_rules(), now, until=now))
    query = next(one["sql"] for one in captured if "conditions AS" in one["sql"])
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (COSTS OFF) {query.split(' FOR ', 1)[1]}")
        return "\n".join(row[0] for row in cursor.fetchall())


DUE = """
    SELECT r.owner_id, r.id, c.id, c.phone, c.first_name, e.id,
        e.start_at - interval '1 day'
    FROM campaigns_automationrule r
    JOIN contacts_customerevent e ON e.owner_id = r.owner_id AND e.event_type = 'appointment'
        AND e.status = 'scheduled' AND e.start_at > now() - interval '2 hours' + interval '1 day'
        AND e.start_at <= now() + interval '1 day'
    JOIN contacts_contact c ON c.id = e.contact_id
    ORDER BY r.id, c.id
"""


def _bare(size: int) -> float:
    """The bare minimum, undone afterwards: the query, and COPY of its rows, batches, credits."""
    from django.db import connection, transaction

    began = time.monotonic()
    with connection.cursor() as cursor, transaction.atomic():
        cursor.execute(DUE)
        due = cursor.fetchall()
        owners = sorted({row[0] for row in due})
        batch_of = insert_batch_of_each_store(cursor, owners, kind="rule", message_type="service")
        with cursor.copy(
            'COPY campaigns_automationsend (owner_id, rule_id, contact_id, "to", text, segments,'
            " batch_id, status, tracking_id, event_id, scheduled_for) FROM STDIN"
        ) as copy:
            for place, row in enumerate(due):
                copy.write_row(
                    (
                        *row[:4],
                        f"Hello {row[4]}, see you tomorrow!",
                        1,
                        batch_of[row[0]],
                        "queued",
                        f"bare{place:08}",
                        *row[5:],
                    )
                )
        hold_credit_of_each_store(cursor, owners)
    seconds = time.monotonic() - began
    assert len(due) == size, len(due)
    _undo()
    return seconds
