"""The catalogue of named RQ queues and their options (docs/rules.md#queues).

Settings, workers and `manage.py serve` read it; nothing is enqueued here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

MINUTE, HOUR, DAY = 60, 3600, 86400


@dataclass(frozen=True)
class QueueOptions:
    """One named queue.

    `attempts` counts runs of a job that raises; between them the worker waits `backoff_ms`,
    doubled each time. Finished and failed jobs are kept for so many seconds and at most so many
    of them (`keep_count`). `timeout` is the longest a job may run, in seconds.
    """

    name: str
    purpose: str | StrPromise
    concurrency_variable: str | None = None
    attempts: int = 1
    backoff_ms: int = 0
    keep_finished: int = DAY
    keep_failed: int = 7 * DAY
    keep_count: int | None = None
    timeout: int = 10 * MINUTE


QUEUES = [
    QueueOptions(
        "sms",
        _("sends batches of messages through Mitto"),
        "WORKER_CONCURRENCY",
        keep_finished=HOUR,
        keep_count=1000,
    ),
    QueueOptions(
        "scheduler",
        _("starts scheduled campaigns"),
        "SCHEDULER_CONCURRENCY",
        keep_finished=0,
        timeout=HOUR,
    ),
    QueueOptions(
        "contact_import",
        _("reads customer lists"),
        "CONTACT_IMPORT_CONCURRENCY",
        attempts=5,
        backoff_ms=3000,
        keep_finished=HOUR,
        keep_failed=DAY,
        timeout=6 * HOUR,
    ),
    QueueOptions(
        "birthday",
        _("sends messages of automations and opt-in requests, applies sign-ups"),
        attempts=5,
        backoff_ms=3000,
        keep_count=100,
        timeout=HOUR,
    ),
    QueueOptions(
        "status_refresh",
        _("asks Mitto about messages long without a final status"),
        "STATUS_REFRESH_CONCURRENCY",
        attempts=5,
        backoff_ms=3000,
        keep_finished=0,
    ),
    QueueOptions(
        "delivery_status_poller",
        _("applies delivery receipts and asks Mitto about young messages"),
        "DELIVERY_STATUS_POLLER_CONCURRENCY",
        attempts=3,
        backoff_ms=5000,
        keep_count=100,
    ),
    QueueOptions(
        "watchdog",
        _("finds and mends stuck campaigns and batches"),
        "WATCHDOG_CONCURRENCY",
        attempts=3,
        backoff_ms=5000,
        keep_count=100,
    ),
    QueueOptions(
        "pii_retention",
        _("removes personal data that is past its time"),
        attempts=5,
        backoff_ms=3000,
        keep_count=100,
        timeout=6 * HOUR,
    ),
    QueueOptions(
        "exports",
        _("writes exports"),
        attempts=5,
        backoff_ms=3000,
        keep_count=100,
        timeout=HOUR,
    ),
]


def queues_markdown_table() -> str:
    """The table of queues in the documentation."""
    lines = [
        "| Queue | What its jobs do | Processes | Attempts | Finished kept | Failed kept |",
        "|---|---|---|---|---|---|",
    ]
    for queue in QUEUES:
        backoff = f", {queue.backoff_ms} ms doubled between" if queue.attempts > 1 else ""
        count = f", at most {queue.keep_count}" if queue.keep_count else ""
        processes = f"`{queue.concurrency_variable}`" if queue.concurrency_variable else "1"
        lines.append(
            f"| `{queue.name}` | {queue.purpose} | {processes} | {queue.attempts}{backoff} "
            f"| {_hours_kept_or_no(queue.keep_finished)}{count} "
            f"| {_hours_kept_or_no(queue.keep_failed)}{count} |"
        )
    return "\n".join(lines)


def _hours_kept_or_no(seconds: int) -> str:
    return f"{seconds // HOUR} h" if seconds else "no"


QUEUES_BY_NAME = {queue.name: queue for queue in QUEUES}
