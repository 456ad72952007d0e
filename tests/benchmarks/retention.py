"""Rows a second of retention over a store of which a tenth is past its time."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

from tests.benchmarks.result import Result, counted
from tests.support.installation import Installation

SIZES = [1_000_000]
CHUNK = 5000
EXPIRE = """
    UPDATE contacts_contact SET created_at = now() - interval '200 days',
        unsubscribed_at = now() - interval '100 days', is_subscribed = false,
        phone = COALESCE(phone, '+3069' || lpad((id / 10)::text, 8, '0')), anonymised_at = NULL,
        first_name = 'Name', last_name = 'Family', birthday = '1990-05-05', gender = 'female'
    WHERE id %% 10 = 0
"""
# What anonymising writes, found by the same condition, and nothing else.
BARE = """
    WITH due AS (
        SELECT id FROM contacts_contact
        WHERE id > %s AND unsubscribed_at < now() - interval '90 days' AND anonymised_at IS NULL
        ORDER BY id LIMIT %s)
    UPDATE contacts_contact c SET phone = NULL, email = '', first_name = '', last_name = '',
        gender = NULL, birthday = NULL, is_subscribed = false, anonymised_at = now()
    FROM due WHERE c.id = due.id RETURNING c.id
"""


def run(place: Installation, size: int) -> list[Result]:
    from compliance import retention
    from tests.support.factories import make_store
    from tests.support.volume import make_contacts

    # Numbers of nine and more do not meet those that EXPIRE gives back.
    make_contacts(make_store(balance=0), size, first=90_000_000)
    _expire()
    began, done, after = time.monotonic(), 0, 0
    while ids := _bare(after):
        done, after = done + len(ids), max(ids)
    bare = done / (time.monotonic() - began)
    _expire()
    dry = _command("--dry-run")
    started = datetime.now(UTC)
    wet = _command()
    assert dry == wet == {"contacts_contact": done}, (dry, wet)
    seconds, actions = _took(started)
    _expire()
    _, statements = counted(retention.run_retention_or_raise_if_running)
    return [
        Result(
            "retention",
            "contacts past their time",
            size,
            "contacts/s",
            ours=done / seconds,
            bare=bare,
            peak_mb=_peak(),
            statements=statements / done * 1000,
            also={"due": f"{done:,}", "recorded actions": actions},
        )
    ]


def _expire() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(EXPIRE.replace("%%", "%"))
        cursor.execute("VACUUM ANALYZE contacts_contact")
        cursor.execute("CHECKPOINT")


def _bare(after: int) -> list[int]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(BARE, [after, CHUNK])
        return [row[0] for row in cursor.fetchall()]


def _command(*options: str) -> dict[str, int]:
    """`manage.py run_pii_retention` as an operator types it, in a process of its own."""
    import subprocess

    from astronote.processes import supervisor

    done = subprocess.run(
        supervisor.manage_command("run_pii_retention", "--json", *options),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def _took(since: datetime) -> tuple[float, int]:
    from compliance.models import RetentionAction, RetentionRun

    run = RetentionRun.objects.get(started_at__gte=since, dry_run=False)
    seconds = (run.finished_at - run.started_at).total_seconds()
    return seconds, RetentionAction.objects.filter(run=run).count()


def _peak() -> float:
    """The largest of the processes that were run."""
    import resource

    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
