"""The life of an import: stored, started, read in chunks to its end, or cancelled.

A chunk's contacts, rejected rows, counters and checkpoint commit together, so an import that is
killed anywhere goes on at its checkpoint and ends as if it had not been.
"""

from __future__ import annotations

import json
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from django.db import transaction
from django.utils import timezone

from contacts import audit, jobs
from contacts.importing import files, planning, reading, writing
from contacts.importing.reading import ImportRefused, Layout
from contacts.importing.validating import Rejection, Row, judge_of
from contacts.locks import only_one
from contacts.models import IMPORT_OPEN, ContactImport, DateOrder, ImportStatus, List
from contacts.phones import region_of

log = logging.getLogger(__name__)
T = TypeVar("T")

IMPORT_CONTACTS = "contacts.tasks.import_contacts"
CHUNK_ROWS = 10_000


def upload(
    owner_id: int, name: str, pieces: Iterable[bytes], *, list_name: str = "", **options: Any
) -> ContactImport:
    """Store a file; it is not read before `start`.

    Args:
        options: fields of ContactImport, such as `consent_source`.

    Raises:
        ImportRefused: if it is empty or too large.
    """
    with transaction.atomic():
        target = None
        if list_name:
            target = List.objects.get_or_create(owner_id=owner_id, name=list_name)[0]
        job = ContactImport.objects.create(
            owner_id=owner_id, list=target, file_name=name[:255], file_size=0, file_sha256="",
            status=ImportStatus.UPLOADED, **options,
        )  # fmt: skip
        files.keep(job, pieces)
    return job


def store_file(owner_id: int, path: Path, list_name: str = "", **options: Any) -> ContactImport:
    """Store a file and start its import at once; the arguments are those of `upload`."""
    with transaction.atomic():
        job = upload(owner_id, path.name, files.pieces_of(path), list_name=list_name, **options)
        start(job, by="program")
    return job


def start(job: ContactImport, *, by: Any) -> None:
    """Let workers read an uploaded file.

    Raises:
        ValueError: if it was started already.
    """
    with transaction.atomic():
        _move(job, [ImportStatus.UPLOADED], ImportStatus.PENDING, "was started already")
        audit.record("import started", job, by=by, consent=bool(job.consent_source))
        jobs.enqueue("contact_import", IMPORT_CONTACTS, job.pk)


def cancel(job: ContactImport, *, by: Any) -> None:
    """End an import; the contacts it has written stay.

    Raises:
        ValueError: if it has ended.
    """
    with transaction.atomic():
        _move(job, [ImportStatus.UPLOADED, *IMPORT_OPEN], ImportStatus.CANCELLED, "has ended",
              finished_at=timezone.now())  # fmt: skip
        audit.record("import cancelled", job, by=by, rows=job.processed)


def _move(job: ContactImport, before: list, after: str, problem: str, **changes: Any) -> None:
    moved = ContactImport.objects.filter(pk=job.pk, status__in=before)
    changed = moved.update(status=after, **changes)
    job.refresh_from_db()
    if not changed:
        raise ValueError(f"import {job.pk} {problem}: it is {job.status}")


def run(import_id: int) -> ContactImport:
    """Read a started import from its checkpoint to its end; one that has ended is left alone."""
    with only_one(f"import {import_id}") as mine:
        ContactImport.objects.filter(pk=import_id, status=ImportStatus.PENDING).update(
            status=ImportStatus.PROCESSING, started_at=timezone.now()
        )
        job = ContactImport.objects.select_related("owner").get(pk=import_id)
        if not mine or job.status != ImportStatus.PROCESSING:
            return job
        try:
            with files.local_copy(import_id) as path:
                _settle_plan(job, path)
                _read(job, path)
        except ImportRefused as refused:
            return _finish(job, ImportStatus.FAILED, str(refused))
    return _finish(job, ImportStatus.COMPLETED)


def _settle_plan(job: ContactImport, path: Path) -> None:
    """Decide once how the file is read, so that a restart reads the same."""
    if job.layout is not None and job.mapping is not None and job.date_order:
        return
    layout = Layout.from_json(job.layout) if job.layout else None
    planned = planning.plan(
        path, job.owner, has_header=layout.has_header if layout else None, chosen=job.mapping,
        date_order=job.date_order,
    )  # fmt: skip
    if planned.problem:
        raise ImportRefused(planned.problem)
    job.layout, job.mapping = planned.layout.as_json(), planned.mapping
    job.date_order = planned.date_order or DateOrder.ISO
    job.save(update_fields=["layout", "mapping", "date_order"])


class Chunk(NamedTuple):
    """A chunk of the file, judged, with its contacts and rejected rows as lines of COPY."""

    rows: int
    phones: list[str]
    contacts: bytes
    rejected: int
    rejected_lines: bytes
    share_read: float


def _read(job: ContactImport, path: Path) -> None:
    layout = Layout.from_json(job.layout)
    judge = judge_of(layout.headings, job.mapping, job.date_order, region_of(job.owner))
    reader = reading.Reader(path, layout)
    done = 0
    for chunk in ahead(_chunks(reader, judge, job.pk, checkpoint=job.processed)):
        done += chunk.rows
        if done > job.processed and not _write(job, chunk):
            return


def _chunks(
    reader: reading.Reader,
    judge: Callable[[list[str]], Row | Rejection],
    import_id: int,
    *,
    checkpoint: int,
) -> Iterator[Chunk]:
    """The file from its first row on, since what is before the checkpoint counts as seen, too."""
    rows, done = iter(reader), 0
    with Seen() as seen:
        while some := list(islice(rows, min(CHUNK_ROWS, checkpoint - done or CHUNK_ROWS))):
            done += len(some)
            checkpoint = max(checkpoint, done)
            good: dict[str, str] = {}
            rejected = []
            for line, cells in some:
                judged = judge(cells)
                if isinstance(judged, Rejection):
                    values = (str(import_id), str(line), *judged, json.dumps(cells))
                    rejected.append("\t".join(map(writing.escaped, values)) + "\n")
                elif judged.phone not in good:
                    good[judged.phone] = writing.staging_line(judged)
            phones = sorted(good.keys() - seen.add(good))
            yield Chunk(
                len(some), phones, "".join([good[phone] for phone in phones]).encode(),
                len(rejected), "".join(rejected).encode(), reader.share,
            )  # fmt: skip


def ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items, made by a thread while the caller is busy with those before.

    Judging keeps one processor busy and PostgreSQL another.
    """
    made: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(maxsize=2)
    gone = threading.Event()

    def make() -> None:
        try:
            for item in items:
                while not gone.is_set():
                    try:
                        made.put((item, None), timeout=0.1)
                        break
                    except queue.Full:
                        continue
                if gone.is_set():
                    return
            made.put((None, None))
        except BaseException as error:
            made.put((None, error))

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    try:
        while True:
            item, error = made.get()
            if error is not None:
                raise error
            if item is None:
                return
            yield item
    finally:
        gone.set()
        thread.join()


class Seen:
    """The phone numbers of a file so far, on disk, so that memory does not grow with the file."""

    def __enter__(self) -> Seen:
        # Used by one thread at a time, but closed by another if the import is cut short.
        self.database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self.database.execute("PRAGMA journal_mode = OFF")
        self.database.execute("PRAGMA synchronous = OFF")
        self.database.execute("CREATE TABLE seen (number INTEGER PRIMARY KEY) WITHOUT ROWID")
        return self

    def __exit__(self, *exc: object) -> None:
        self.database.close()

    def add(self, phones: Iterable[str]) -> set[str]:
        """Note these numbers; return those that were seen before."""
        numbers = json.dumps(sorted(int(phone) for phone in phones))
        before = self.database.execute(
            "SELECT value FROM json_each(?) WHERE value IN seen", [numbers]
        )
        found = {f"+{number}" for (number,) in before}
        self.database.execute(
            "INSERT OR IGNORE INTO seen SELECT value FROM json_each(?)", [numbers]
        )
        return found


@transaction.atomic
def _write(job: ContactImport, chunk: Chunk) -> bool:
    """Write a chunk that is beyond the checkpoint; False if the import was cancelled meanwhile."""
    held = ContactImport.objects.select_for_update().get(pk=job.pk)
    if held.status != ImportStatus.PROCESSING:
        return False
    written = writing.upsert(held, chunk.phones, chunk.contacts)
    if chunk.rejected:
        writing.copy_rejected(chunk.rejected_lines)
    held.processed += chunk.rows
    held.created += written.created
    held.updated += written.updated
    held.unchanged += len(chunk.phones) - written.created - written.updated
    held.duplicate += chunk.rows - len(chunk.phones) - chunk.rejected
    held.rejected += chunk.rejected
    held.share_read = chunk.share_read
    held.save()
    return True


def _finish(job: ContactImport, status: str, error: str = "") -> ContactImport:
    ended = ContactImport.objects.filter(pk=job.pk, status=ImportStatus.PROCESSING)
    ended.update(status=status, error=error[:500], finished_at=timezone.now())
    job.refresh_from_db()
    log.info("import %s of store %s: %s, %s rows", job.pk, job.owner_id, status, job.processed)
    return job


def progress(job: ContactImport) -> dict[str, Any]:
    """How far an import is, for a page or a program; times in seconds, the share in percent."""
    counters = ("processed", "created", "updated", "unchanged", "duplicate", "rejected")
    ended = job.finished_at or timezone.now()
    seconds = (ended - job.started_at).total_seconds() if job.started_at else 0
    share = 1 if job.status == ImportStatus.COMPLETED else job.share_read
    left = seconds * (1 - share) / share if share and job.status in IMPORT_OPEN else None
    return {
        "id": job.pk,
        "status": job.status,
        "error": job.error,
        "percent": round(100 * share),
        **{name: getattr(job, name) for name in counters},
        "rows_per_second": round(job.processed / seconds) if seconds else 0,
        "seconds_left": None if left is None else round(left),
    }
