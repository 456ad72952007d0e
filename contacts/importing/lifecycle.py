"""The life of an import: uploaded, started, read in chunks until it is complete, or cancelled.

A chunk's contacts, rejected rows, counters and checkpoint commit together. An import that is killed
continues at its checkpoint and ends as if it had not been killed (rules.md#import).
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, repeat
from pathlib import Path
from typing import Any, NamedTuple

from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.utils import timezone

from astronote.accounts.models import User
from astronote.common import audit
from astronote.common.locks import advisory_lock
from astronote.common.prefetch import prefetch
from astronote.queues import jobs
from contacts.importing import files, planning, reading, writing
from contacts.importing.reading import ImportRefused, Layout
from contacts.importing.validating import ContactRow, Rejection, row_validator
from contacts.models import (
    IMPORT_COUNTERS,
    OPEN_IMPORT_STATUSES,
    ContactImport,
    DateOrder,
    ImportStatus,
    List,
)
from contacts.phones import phone_region_of

log = logging.getLogger(__name__)

IMPORT_CONTACTS = "contacts.tasks.import_contacts"
CHUNK_ROWS = 10_000
CHUNKS_AHEAD = 2


def upload_file(
    owner_id: int, name: str, chunks: Iterable[bytes], *, list_name: str = "", **options: Any
) -> ContactImport:
    """Store a file as an import that is not read before `start_import`.

    Args:
        owner_id: the store.
        name: the file's name.
        chunks: the file's bytes.
        list_name: a list for the contacts, created if the store has none of this name.
        options: fields of ContactImport, such as `consent_source`.

    Raises:
        ImportRefused: if the file is empty or too large.
    """
    with transaction.atomic():
        target_list = None
        if list_name:
            target_list = List.objects.get_or_create(owner_id=owner_id, name=list_name)[0]
        contact_import = ContactImport.objects.create(
            owner_id=owner_id,
            list=target_list,
            file_name=name[:255],
            file_size=0,
            file_sha256="",
            status=ImportStatus.UPLOADED,
            **options,
        )
        files.store_file_chunks(contact_import, chunks)
    return contact_import


def import_file(owner_id: int, path: Path, list_name: str = "", **options: Any) -> ContactImport:
    """Store a file and start its import at once; for arguments and errors see `upload_file`."""
    with transaction.atomic():
        contact_import = upload_file(
            owner_id, path.name, files.read_chunks(path), list_name=list_name, **options
        )
        start_import(contact_import, by="program")
    return contact_import


def start_import(contact_import: ContactImport, *, by: User | AnonymousUser | str) -> None:
    """Make an uploaded import pending, write an audit entry and enqueue its job.

    Raises:
        ValueError: if it was started already.
    """
    with transaction.atomic():
        _change_status(
            contact_import, [ImportStatus.UPLOADED], ImportStatus.PENDING, "was started already"
        )
        audit.write_entry(
            "import started", contact_import, by=by, consent=bool(contact_import.consent_source)
        )
        jobs.enqueue("contact_import", IMPORT_CONTACTS, contact_import.pk)


def cancel_import(contact_import: ContactImport, *, by: User | AnonymousUser | str) -> None:
    """End an import and write an audit entry; the contacts that it has written stay.

    Raises:
        ValueError: if it has ended.
    """
    with transaction.atomic():
        _change_status(
            contact_import,
            [ImportStatus.UPLOADED, *OPEN_IMPORT_STATUSES],
            ImportStatus.CANCELLED,
            "has ended",
            finished_at=timezone.now(),
        )
        audit.write_entry("import cancelled", contact_import, by=by, rows=contact_import.processed)


def _change_status(
    contact_import: ContactImport,
    allowed_before: Sequence[ImportStatus],
    status: ImportStatus,
    problem: str,
    **changes: Any,
) -> None:
    """Set the status and other fields in the database and on the object.

    Raises:
        ValueError: with the problem, if the status before is not allowed.
    """
    allowed = ContactImport.objects.filter(pk=contact_import.pk, status__in=allowed_before)
    changed = allowed.update(status=status, **changes)
    contact_import.refresh_from_db()
    if not changed:
        raise ValueError(f"import {contact_import.pk} {problem}: it is {contact_import.status}")


def run_import(import_id: int) -> ContactImport:
    """Read a started import from its checkpoint until it is complete, failed or cancelled.

    Does nothing if the import has ended, was not started, or is being read by another process.
    """
    with advisory_lock(f"import {import_id}") as acquired:
        ContactImport.objects.filter(pk=import_id, status=ImportStatus.PENDING).update(
            status=ImportStatus.PROCESSING, started_at=timezone.now()
        )
        contact_import = ContactImport.objects.select_related("owner").get(pk=import_id)
        if not acquired or contact_import.status != ImportStatus.PROCESSING:
            return contact_import
        try:
            with files.local_copy(import_id) as path:
                layout, mapping = _ensure_plan(contact_import, path)
                _write_rows(contact_import, path, layout, mapping)
        except ImportRefused as error:
            return _finish(contact_import, ImportStatus.FAILED, str(error))
    return _finish(contact_import, ImportStatus.COMPLETED)


def _ensure_plan(contact_import: ContactImport, path: Path) -> tuple[Layout, dict[str, list[int]]]:
    """The layout and mapping of an import; planned and stored once, so that a restart uses them."""
    layout = Layout.from_json(contact_import.layout) if contact_import.layout else None
    mapping: dict[str, list[int]] | None = contact_import.mapping
    if layout is not None and mapping is not None and contact_import.date_order:
        return layout, mapping
    plan = planning.plan_import(
        path,
        contact_import.owner,
        has_header=layout.has_header if layout else None,
        chosen=mapping,
        date_order=contact_import.date_order,
    )
    if plan.problem:
        raise ImportRefused(plan.problem)
    contact_import.layout, contact_import.mapping = plan.layout.as_json(), plan.mapping
    contact_import.date_order = plan.date_order or DateOrder.ISO
    contact_import.save(update_fields=["layout", "mapping", "date_order"])
    return plan.layout, plan.mapping


class ValidatedChunk(NamedTuple):
    """A validated chunk of the file, with its contacts and rejected rows as lines of COPY."""

    row_count: int
    phones: list[str]
    staging_lines: bytes
    rejected_count: int
    rejected_lines: bytes
    share_read: float


def _write_rows(
    contact_import: ContactImport, path: Path, layout: Layout, mapping: dict[str, list[int]]
) -> None:
    """Validate the file and write the chunks beyond the checkpoint, unless it is cancelled."""
    validate_row = row_validator(
        layout.headings, mapping, contact_import.date_order, phone_region_of(contact_import.owner)
    )
    reader = reading.FileReader(path, layout)
    chunks = _validated_chunks(
        reader, validate_row, contact_import.pk, checkpoint=contact_import.processed
    )
    rows_read = 0
    # A thread validates rows while PostgreSQL writes the chunks before them.
    for chunk in prefetch(repeat(chunks.__next__), ahead=CHUNKS_AHEAD):
        rows_read += chunk.row_count
        if rows_read > contact_import.processed and not _write_chunk(contact_import, chunk):
            return


def _validated_chunks(
    reader: reading.FileReader,
    validate_row: Callable[[list[str]], ContactRow | Rejection],
    import_id: int,
    *,
    checkpoint: int,
) -> Iterator[ValidatedChunk]:
    """All chunks of the file; one ends at the checkpoint.

    Chunks before the checkpoint are validated again, because their numbers make later rows
    duplicates.
    """
    rows, rows_read = iter(reader), 0
    with SeenPhones() as seen_phones:
        while chunk := list(islice(rows, min(CHUNK_ROWS, checkpoint - rows_read or CHUNK_ROWS))):
            rows_read += len(chunk)
            checkpoint = max(checkpoint, rows_read)
            line_by_phone: dict[str, str] = {}
            rejected_lines = []
            for line, cells in chunk:
                result = validate_row(cells)
                if isinstance(result, Rejection):
                    values = (str(import_id), str(line), *result, json.dumps(cells))
                    escaped = map(writing.escape_copy_text, values)
                    rejected_lines.append("\t".join(escaped) + "\n")
                elif result.phone not in line_by_phone:
                    line_by_phone[result.phone] = writing.staging_line(result)
            phones = sorted(line_by_phone.keys() - seen_phones.add(line_by_phone))
            yield ValidatedChunk(
                row_count=len(chunk),
                phones=phones,
                staging_lines="".join([line_by_phone[phone] for phone in phones]).encode(),
                rejected_count=len(rejected_lines),
                rejected_lines="".join(rejected_lines).encode(),
                share_read=reader.share,
            )


class SeenPhones:
    """The phone numbers of a file so far, on disk, so that memory does not grow with the file."""

    def __enter__(self) -> SeenPhones:
        # One thread uses it at a time, but another one may close it when the import is cancelled.
        self.database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self.database.execute("PRAGMA journal_mode = OFF")
        self.database.execute("PRAGMA synchronous = OFF")
        self.database.execute("CREATE TABLE seen (number INTEGER PRIMARY KEY) WITHOUT ROWID")
        return self

    def __exit__(self, *exc: object) -> None:
        self.database.close()

    def add(self, phones: Iterable[str]) -> set[str]:
        """Add these numbers; return those that had been added before."""
        numbers = json.dumps(sorted(int(phone) for phone in phones))
        seen_numbers = self.database.execute(
            "SELECT value FROM json_each(?) WHERE value IN seen", [numbers]
        )
        seen_phones = {f"+{number}" for (number,) in seen_numbers}
        self.database.execute(
            "INSERT OR IGNORE INTO seen SELECT value FROM json_each(?)", [numbers]
        )
        return seen_phones


@transaction.atomic
def _write_chunk(contact_import: ContactImport, chunk: ValidatedChunk) -> bool:
    """Write a chunk with its counters and checkpoint; False if the import is cancelled."""
    locked = ContactImport.objects.select_for_update().get(pk=contact_import.pk)
    if locked.status != ImportStatus.PROCESSING:
        return False
    written = writing.upsert_contacts(locked, chunk.phones, chunk.staging_lines)
    if chunk.rejected_count:
        writing.copy_rejected_rows(chunk.rejected_lines)
    locked.processed += chunk.row_count
    locked.created += written.created
    locked.updated += written.updated
    locked.unchanged += len(chunk.phones) - written.created - written.updated
    locked.duplicate += chunk.row_count - len(chunk.phones) - chunk.rejected_count
    locked.rejected += chunk.rejected_count
    locked.share_read = chunk.share_read
    locked.save()
    return True


def _finish(contact_import: ContactImport, status: ImportStatus, error: str = "") -> ContactImport:
    """End an import that is being read; a cancelled import stays cancelled."""
    ended = ContactImport.objects.filter(pk=contact_import.pk, status=ImportStatus.PROCESSING)
    ended.update(status=status, error=error[:500], finished_at=timezone.now())
    contact_import.refresh_from_db()
    log.info(
        "import %s of store %s: %s, %s rows",
        contact_import.pk,
        contact_import.owner_id,
        status,
        contact_import.processed,
    )
    return contact_import


def enqueue_stopped_imports(dry_run: bool) -> int:
    """Repair of the watchdog: enqueue open imports if no job waits; return how many.

    The job of an import that is being read does nothing. A dry run counts the open imports.
    """
    open_imports = ContactImport.objects.filter(status__in=OPEN_IMPORT_STATUSES)
    if dry_run:
        return open_imports.count()
    if jobs.waiting_count("contact_import"):
        return 0
    ids = list(open_imports.values_list("pk", flat=True))
    jobs.enqueue_each("contact_import", IMPORT_CONTACTS, ids)
    return len(ids)


def import_progress(contact_import: ContactImport) -> dict[str, Any]:
    """How far an import is, as JSON for a page or program: percent, rows a second, seconds left."""
    started_at, ended_at = contact_import.started_at, contact_import.finished_at or timezone.now()
    seconds = (ended_at - started_at).total_seconds() if started_at else 0
    is_complete = contact_import.status == ImportStatus.COMPLETED
    share = 1 if is_complete else contact_import.share_read
    is_open = contact_import.status in OPEN_IMPORT_STATUSES
    seconds_left = seconds * (1 - share) / share if share and is_open else None
    return {
        "id": contact_import.pk,
        "status": contact_import.status,
        "error": contact_import.error,
        "percent": round(100 * share),
        **{name: getattr(contact_import, name) for name in IMPORT_COUNTERS},
        "rows_per_second": round(contact_import.processed / seconds) if seconds else 0,
        "seconds_left": None if seconds_left is None else round(seconds_left),
    }
