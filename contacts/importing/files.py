"""Uploaded files, stored in the database: workers on other machines share nothing else."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext

from astronote.common.sql import database_now
from contacts.importing.import_refused import ImportRefused
from contacts.models import OPEN_IMPORT_STATUSES, ContactImport, ImportFileChunk

CHUNK_BYTES = 1 << 20
BYTES_PER_MB = 1_000_000
ERASED_ROW = "erased on request"  # what a row says whose person was erased from a stored file


class FileChanged(Exception):
    """The stored file of an import was changed by an erasure since it was read."""


def is_erased_row(cells: Iterable[str]) -> bool:
    """Whether an erasure has left this row; it says nothing of the others.

    Args:
        cells: those of the row.
    """
    return [cell for cell in cells if cell] == [ERASED_ROW]


def iter_file_chunks(path: Path) -> Iterator[bytes]:
    """A file's bytes in chunks of CHUNK_BYTES."""
    with path.open("rb") as file:
        yield from iter(lambda: file.read(CHUNK_BYTES), b"")


def store_file_and_hash_or_refuse(contact_import: ContactImport, chunks: Iterable[bytes]) -> None:
    """Store the file's bytes, and its size and hash on the import; called in a transaction.

    Raises:
        ImportRefused: if the file is empty or larger than IMPORT_MAX_MB.
    """
    digest, size = hashlib.sha256(), 0
    for number, data in enumerate(chunks):
        size += len(data)
        if size > settings.IMPORT_MAX_MB * BYTES_PER_MB:
            raise ImportRefused(
                gettext(
                    "%(file)s has more than %(count)s MB (IMPORT_MAX_MB): split it into several"
                    " files"
                )
                % {"file": contact_import.file_name, "count": settings.IMPORT_MAX_MB}
            )
        digest.update(data)
        ImportFileChunk.objects.create(contact_import=contact_import, number=number, data=data)
    if not size:
        raise ImportRefused(gettext("%(file)s is empty") % {"file": contact_import.file_name})
    contact_import.file_size, contact_import.file_sha256 = size, digest.hexdigest()
    contact_import.save(update_fields=["file_size", "file_sha256"])


@contextmanager
def temporary_local_copy_or_refuse(import_id: int) -> Iterator[Path]:
    """A temporary copy of the stored file; see `unnamed_temporary_file`.

    Raises:
        ImportRefused: if the stored file was deleted.
    """
    chunks = ImportFileChunk.objects.filter(contact_import=import_id).order_by("number")
    with unnamed_temporary_file(
        chunks.values_list("data", flat=True).iterator(chunk_size=4)
    ) as path:
        if not path.stat().st_size:
            raise ImportRefused(
                gettext("the file was deleted after IMPORT_FILE_RETENTION_HOURS: upload it again")
            )
        yield path


@contextmanager
def unnamed_temporary_file(chunks: Iterable[bytes | memoryview]) -> Iterator[Path]:
    """A temporary file of these bytes on this machine's disk.

    It has no name, so that nothing is left of it even if the process is killed.
    """
    with tempfile.TemporaryFile() as file:
        file.writelines(chunks)
        file.flush()
        yield Path(f"/proc/{os.getpid()}/fd/{file.fileno()}")


def delete_files_of_expired_imports() -> int:
    """Delete the files of imports that ended IMPORT_FILE_RETENTION_HOURS ago; return how many.

    The file of an import that was never started is deleted as long after its upload.
    """
    cutoff = database_now() - timedelta(hours=settings.IMPORT_FILE_RETENTION_HOURS)
    has_file = ImportFileChunk.objects.filter(contact_import=OuterRef("pk"))
    not_open = ContactImport.objects.exclude(status__in=OPEN_IMPORT_STATUSES)
    times = not_open.filter(Exists(has_file)).values_list("pk", "finished_at", "created_at")
    ids = [pk for pk, finished_at, created_at in times if (finished_at or created_at) < cutoff]
    ImportFileChunk.objects.filter(contact_import__in=ids).delete()
    return len(ids)
