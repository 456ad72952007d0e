"""Exports: CSV files of a store's contacts, messages, visits or ledger, made by a job.

A file is stored in the database, in the transaction that completes its run: of an export that is
killed nothing is there, and a later job writes it from the beginning. The rules are in
rules.md#exports; what an erasure does with files is in `compliance/exported_files.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.postgres.aggregates import StringAgg
from django.core.exceptions import ValidationError
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Now
from django.utils.translation import gettext
from rq.timeouts import BaseTimeoutException

from astronote.accounts.models import User
from astronote.common import audit
from astronote.common.locks import advisory_lock
from astronote.common.spreadsheet_csv import BOM, csv_line_with_escaped_formulas
from astronote.common.sql import database_now, execute
from astronote.common.store_clock import utc_time_of_hour
from astronote.queues import jobs
from campaigns.models import (
    ExportContent,
    ExportFileChunk,
    ExportKind,
    ExportRun,
    ExportStatus,
    OfferViewEvent,
)
from contacts.custom_fields import fields_of_store
from contacts.models import Contact, ListMembership
from messaging.message_log import LogFilter, log_csv_lines
from messaging.models import CreditTransaction

log = logging.getLogger(__name__)

QUEUE, WRITE_EXPORT = "exports", "campaigns.tasks.write_export"
CHUNK_BYTES = 1 << 20
ROWS_PER_FETCH = 5000
# So often a worker may begin to write: it is killed, or takes too long.
MAX_ATTEMPTS = 5
ERASED = "a person was erased, whom the file may name: request it again"
EARLIEST, LATEST = date(2000, 1, 1), date(2200, 1, 1)
REQUESTS_LOCK = 0x0A57E890  # an advisory lock


class ExportUnavailable(Exception):
    """A file cannot be downloaded: it is not there yet, not any more, or never will be."""


class Days(NamedTuple):
    """Days on a store's clock, both included; None leaves a side open."""

    first: date | None = None
    last: date | None = None


def request_export(
    store: User,
    content: str,
    days: Days = Days(),  # noqa: B008 - a tuple cannot change
    *,
    by: User | AnonymousUser | str,
) -> ExportRun:
    """Have a job write an export, and write an audit entry.

    One that waits already for the same is returned instead.

    Args:
        store: whose data it is.
        content: an ExportContent.
        days: of messages, visits or entries; contacts have none.
        by: who asks.

    Raises:
        ValidationError: if the days are in the wrong order, or contacts are asked for by day.
    """
    require_days_that_fit(content, days)
    with transaction.atomic():
        _keep_requests_and_erasures_apart(is_erasure=False)
        waiting = ExportRun.objects.filter(
            owner=store,
            content=content,
            kind=ExportKind.ON_DEMAND,
            status=ExportStatus.PENDING,
            range_start=days.first,
            range_end=days.last,
        ).first()
        if waiting:
            return waiting
        run = ExportRun.objects.create(
            owner=store, content=content, range_start=days.first, range_end=days.last
        )
        audit.write_entry("export requested", run, by=by, content=content)
        jobs.enqueue_on_commit(QUEUE, WRITE_EXPORT, run.pk)
    return run


def require_days_that_fit(content: str, days: Days) -> None:
    """Check the days of a request.

    Raises:
        ValidationError: as `request_export`.
    """
    if content == ExportContent.CONTACTS and any(days):
        raise ValidationError(
            gettext("Contacts are exported as they are now: leave the days empty.")
        )
    if days.first and days.last and days.last < days.first:
        raise ValidationError(gettext("The last day is before the first."))
    if any(day and not EARLIEST <= day <= LATEST for day in days):
        raise ValidationError(gettext("No store has data of such a day."))


def request_weekly_exports() -> int:
    """Request the exports of the last whole week, Monday to Sunday, of each store that wants them.

    Each is requested once, however often this runs.

    Returns:
        How many were requested.
    """
    requested = 0
    now = database_now()
    for store in User.objects.filter(weekly_exports=True, is_staff=False, left_at=None):
        monday = _monday_of_last_whole_week(now, store.timezone)
        with transaction.atomic():
            _keep_requests_and_erasures_apart(is_erasure=False)
            of_week = ExportRun.objects.filter(
                owner=store, kind=ExportKind.WEEKLY, range_start=monday
            )
            known = set(of_week.values_list("content", flat=True))
            runs = ExportRun.objects.bulk_create(
                [
                    ExportRun(
                        owner=store,
                        content=content,
                        kind=ExportKind.WEEKLY,
                        range_start=monday,
                        range_end=monday + timedelta(days=6),
                    )
                    for content in ExportContent.values
                    if content not in known
                ],
                ignore_conflicts=True,  # another scheduler may be as fast
            )
            requested += len(runs)
    if requested:
        enqueue_pending_exports_if_queue_empty(dry_run=False)
    return requested


def _monday_of_last_whole_week(now: datetime, zone: str) -> date:
    today = now.astimezone(ZoneInfo(zone)).date()
    return today - timedelta(days=today.weekday() + 7)


def enqueue_pending_exports_if_queue_empty(dry_run: bool) -> int:
    """Repair of the watchdog: enqueue exports that wait if no job does; return how many.

    The job of an export that is being written does nothing. A dry run counts them.
    """
    pending = ExportRun.objects.filter(status=ExportStatus.PENDING)
    if dry_run:
        return pending.count()
    if jobs.count_waiting_jobs(QUEUE):
        return 0
    ids = list(pending.order_by("pk").values_list("pk", flat=True))
    jobs.enqueue_each_on_commit(QUEUE, WRITE_EXPORT, ids)
    return len(ids)


def write_export_unless_written(run_id: int) -> ExportRun | None:
    """Write the file of an export that waits; nothing if another process does, or it is gone.

    Raises:
        OperationalError: if the database cannot be reached or an erasure came in between; the
            export still waits.
        BaseTimeoutException: if the job takes too long; the export still waits.
    """
    with advisory_lock(f"export {run_id}") as acquired:
        run = ExportRun.objects.select_related("owner").filter(pk=run_id).first()
        if run is None or not acquired or run.status != ExportStatus.PENDING:
            return run
        if run.attempts >= MAX_ATTEMPTS:
            _fail(run, f"it was interrupted {MAX_ATTEMPTS} times: choose fewer days")
        else:
            ExportRun.objects.filter(pk=run_id).update(attempts=F("attempts") + 1, started_at=Now())
            try:
                _write_file_and_complete(run)
            except (OperationalError, InterfaceError, BaseTimeoutException):
                raise
            except Exception as error:  # noqa: BLE001 - every way to end is an end
                log.error("export %s failed: %s", run_id, type(error).__name__)
                _fail(run, f"an unexpected error ({type(error).__name__}): tell the operator")
        run.refresh_from_db()
    return run


def _fail(run: ExportRun, reason: str) -> None:
    pending = ExportRun.objects.filter(pk=run.pk, status=ExportStatus.PENDING)
    pending.update(status=ExportStatus.FAILED, error=reason)


def _write_file_and_complete(run: ExportRun) -> None:
    """Write the chunks and complete the run in one transaction, of one moment of the database.

    If an erasure changed the run since that moment, PostgreSQL refuses the last statement.
    """
    with transaction.atomic():
        execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        lines = Counted(EXPORT_LINES[ExportContent(run.content)](run))
        size = 0
        for number, data in enumerate(_join_to_chunks(lines)):
            size += len(data)
            ExportFileChunk.objects.create(export_run=run, number=number, data=data)
        ExportRun.objects.filter(pk=run.pk, status=ExportStatus.PENDING).update(
            status=ExportStatus.COMPLETED,
            completed_at=Now(),
            file_size=size,
            lines=lines.count - 1,  # without the heading
            error="",
        )


class Counted:
    """Passes lines on and counts them."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines, self.count = lines, 0

    def __iter__(self) -> Iterator[str]:
        for line in self.lines:
            self.count += 1
            yield line


def _join_to_chunks(lines: Iterable[str]) -> Iterator[bytes]:
    """The lines as UTF-8, in chunks of whole lines of about CHUNK_BYTES."""
    parts: list[bytes] = []
    size = 0
    for line in lines:
        parts.append(line.encode())
        size += len(parts[-1])
        if size >= CHUNK_BYTES:
            yield b"".join(parts)
            parts, size = [], 0
    if parts:
        yield b"".join(parts)


def _of_days(rows: QuerySet[Any], time: str, run: ExportRun) -> QuerySet[Any]:
    """The rows of the days of a run, by the store's clock."""
    zone = run.owner.timezone
    if run.range_start:
        rows = rows.filter(**{f"{time}__gte": utc_time_of_hour(run.range_start, 0, zone)})
    if run.range_end:
        after = run.range_end + timedelta(days=1)
        rows = rows.filter(**{f"{time}__lt": utc_time_of_hour(after, 0, zone)})
    return rows


CONTACT_COLUMNS = (
    "phone",
    "first_name",
    "last_name",
    "email",
    "gender",
    "birthday",
    "is_subscribed",
    "service_allowed",
    "sms_consent_status",
    "sms_consent_at",
    "gdpr_consent_at",
    "gdpr_consent_source",
    "gdpr_consent_version",
    "unsubscribed_at",
    "created_at",
)


def _contact_lines(run: ExportRun) -> Iterator[str]:
    """The contacts as they are now; those that are restricted are marked."""
    names = ListMembership.objects.filter(contact=OuterRef("pk")).order_by().values("contact")
    lists = names.annotate(names=StringAgg("list__name", Value("; "), order_by="list__name"))
    contacts = Contact.objects.filter(owner=run.owner, phone__isnull=False).order_by("pk")
    rows = contacts.annotate(lists=Subquery(lists.values("names"))).values_list(
        *CONTACT_COLUMNS, "lists", "custom_values", "restricted_at"
    )
    keys = [field.key for field in fields_of_store(run.owner)]
    yield BOM + csv_line_with_escaped_formulas([*CONTACT_COLUMNS, "lists", *keys, "restricted"])
    for *cells, values, restricted_at in rows.iterator(chunk_size=ROWS_PER_FETCH):
        custom = (values.get(key) for key in keys)
        yield csv_line_with_escaped_formulas(
            [*map(_cell, cells), *custom, _cell(bool(restricted_at))]
        )


def _message_lines(run: ExportRun) -> Iterator[str]:
    return log_csv_lines(LogFilter(run.owner, run.range_start, run.range_end))


CLICK_COLUMNS = {
    "viewed_at": "viewed_at",
    "campaign": "campaign__name",
    "to": "campaign_message__to",
    "device_type": "device_type",
}


def _click_lines(run: ExportRun) -> Iterator[str]:
    """Visits of the offers of campaigns."""
    views = _of_days(OfferViewEvent.objects.filter(owner=run.owner), "viewed_at", run)
    rows = views.order_by("viewed_at", "pk").values_list(*CLICK_COLUMNS.values())
    yield BOM + csv_line_with_escaped_formulas(CLICK_COLUMNS)
    for cells in rows.iterator(chunk_size=ROWS_PER_FETCH):
        yield csv_line_with_escaped_formulas(cells)


LEDGER_COLUMNS = ("created_at", "type", "amount", "balance_after", "reason", "batch")


def _ledger_lines(run: ExportRun) -> Iterator[str]:
    """The entries of the ledger, in their order."""
    entries = _of_days(CreditTransaction.objects.filter(owner=run.owner), "created_at", run)
    yield BOM + csv_line_with_escaped_formulas(LEDGER_COLUMNS)
    rows = entries.order_by("pk").values_list(*LEDGER_COLUMNS)
    for cells in rows.iterator(chunk_size=ROWS_PER_FETCH):
        yield csv_line_with_escaped_formulas(cells)


def _cell(value: Any) -> Any:
    """A truth as a word that an import reads."""
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value


EXPORT_LINES: dict[ExportContent, Callable[[ExportRun], Iterator[str]]] = {
    ExportContent.CONTACTS: _contact_lines,
    ExportContent.MESSAGES: _message_lines,
    ExportContent.CLICKS: _click_lines,
    ExportContent.LEDGER: _ledger_lines,
}


def available_until(run: ExportRun) -> datetime | None:
    """Until when the file can be downloaded; None if there is none."""
    if run.status != ExportStatus.COMPLETED or run.completed_at is None:
        return None
    return run.completed_at + timedelta(hours=settings.EXPORT_FILE_RETENTION_HOURS)


def file_name(run: ExportRun) -> str:
    """The name of the file for whoever downloads it."""
    days = [day.isoformat() for day in (run.range_start, run.range_end) if day]
    return f"{'-'.join([run.content, *days, str(run.pk)])}.csv"


def open_file(run: ExportRun, *, by: User | AnonymousUser | str) -> Iterator[bytes]:
    """The file of an export, chunk by chunk; writes an audit entry.

    Raises:
        ExportUnavailable: if there is none, or its time is over.
    """
    until = available_until(run)
    if until is None:
        raise ExportUnavailable(
            gettext("it failed: %(error)s") % {"error": run.error}
            if run.status == ExportStatus.FAILED
            else gettext("it is not written")
        )
    if until <= database_now():
        raise ExportUnavailable(gettext("its time is over: request it again"))
    if not ExportFileChunk.objects.filter(export_run=run, number=0).exists():
        raise ExportUnavailable(gettext("its file was deleted with the store's data"))
    audit.write_entry("export downloaded", run, by=by, content=run.content)
    return _iter_chunks(run)


def _iter_chunks(run: ExportRun) -> Iterator[bytes]:
    """Each chunk by a statement of its own, so that no cursor stays open for a slow reader."""
    number = 0
    chunks = ExportFileChunk.objects.filter(export_run=run).values_list("data", flat=True)
    while (data := chunks.filter(number=number).first()) is not None:
        yield bytes(data)
        number += 1


def delete_expired_export_files() -> int:
    """Delete the files whose time is over; return how many exports had one."""
    cutoff = database_now() - timedelta(hours=settings.EXPORT_FILE_RETENTION_HOURS)
    expired = ExportRun.objects.filter(completed_at__lte=cutoff)
    with_file = set(
        ExportFileChunk.objects.filter(export_run__in=expired, number=0).values_list(
            "export_run", flat=True
        )
    )
    ExportFileChunk.objects.filter(export_run__in=with_file).delete()
    return len(with_file)


def withdraw_files(runs: QuerySet[ExportRun], *, possible: QuerySet[ExportRun]) -> int:
    """Delete the files of some exports, and have others that are being written begin anew.

    Called in a transaction that erases a person, as its last change.

    Args:
        runs: the exports whose files name the person.
        possible: those that may name the person once they are written.

    Returns:
        How many files were deleted.
    """
    _keep_requests_and_erasures_apart(is_erasure=True)
    # One that is being written sees that its row was changed, and rolls back.
    possible.filter(status=ExportStatus.PENDING).update(started_at=None)
    ids = list(runs.values_list("pk", flat=True))
    ExportRun.objects.filter(pk__in=ids).update(
        status=ExportStatus.FAILED, error=ERASED, completed_at=None
    )
    ExportFileChunk.objects.filter(export_run__in=ids).delete()
    return len(ids)


def _keep_requests_and_erasures_apart(*, is_erasure: bool) -> None:
    """Hold a lock until the transaction ends: an erasure alone, requests together.

    An export that is requested while a person is being erased so begins after that.
    """
    suffix = "" if is_erasure else "_shared"
    execute(f"SELECT pg_advisory_xact_lock{suffix}(%s)", [REQUESTS_LOCK])
