"""An uploaded file in the database: workers on other machines share nothing else."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db.models import Exists, OuterRef
from django.utils import timezone

from contacts.importing.reading import ImportRefused
from contacts.models import IMPORT_OPEN, ContactImport, ImportFileChunk

CHUNK_BYTES = 1 << 20


def pieces_of(path: Path) -> Iterator[bytes]:
    """A file's bytes in pieces."""
    with path.open("rb") as file:
        yield from iter(lambda: file.read(CHUNK_BYTES), b"")


def keep(job: ContactImport, pieces: Iterable[bytes]) -> None:
    """Store the file's bytes and note their size and hash; called in a transaction.

    Raises:
        ImportRefused: if it is empty or larger than IMPORT_MAX_MB.
    """
    digest, size = hashlib.sha256(), 0
    for number, data in enumerate(pieces):
        size += len(data)
        if size > settings.IMPORT_MAX_MB * 1_000_000:
            raise ImportRefused(
                f"{job.file_name} has more than the {settings.IMPORT_MAX_MB} MB that are taken "
                "(IMPORT_MAX_MB): split it into several files"
            )
        digest.update(data)
        ImportFileChunk.objects.create(contact_import=job, number=number, data=data)
    if not size:
        raise ImportRefused(f"{job.file_name} is empty")
    job.file_size, job.file_sha256 = size, digest.hexdigest()
    job.save(update_fields=["file_size", "file_sha256"])


@contextmanager
def local_copy(import_id: int) -> Iterator[Path]:
    """The stored file on this machine's disk, for as long as the context lasts.

    Raises:
        ImportRefused: if it was deleted.
    """
    chunks = ImportFileChunk.objects.filter(contact_import=import_id).order_by("number")
    with tempfile.NamedTemporaryFile(prefix="astronote-import-") as file:
        for data in chunks.values_list("data", flat=True).iterator(chunk_size=4):
            file.write(data)
        file.flush()
        if not file.tell():
            raise ImportRefused("the file was deleted after its time: upload it again")
        yield Path(file.name)


def delete_old() -> int:
    """Delete files of imports that ended, or were never begun, IMPORT_FILE_RETENTION_HOURS ago."""
    before = timezone.now() - timedelta(hours=settings.IMPORT_FILE_RETENTION_HOURS)
    has_file = ImportFileChunk.objects.filter(contact_import=OuterRef("pk"))
    old = ContactImport.objects.filter(Exists(has_file)).exclude(status__in=IMPORT_OPEN)
    ids = [
        pk
        for pk, ended, made in old.values_list("pk", "finished_at", "created_at")
        if (ended or made) < before
    ]
    ImportFileChunk.objects.filter(contact_import__in=ids).delete()
    return len(ids)
