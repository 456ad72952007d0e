"""Importing a customer list: stored in the database, read as a stream, written by the chunk."""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import json
import logging
import re
import unicodedata
from collections.abc import Iterator
from datetime import date
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import charset_normalizer
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import connection, transaction
from django.utils import timezone

from contacts import jobs
from contacts.consent import suppressed
from contacts.models import ContactImport, ImportFileChunk, ImportStatus, List
from contacts.phones import normalise

log = logging.getLogger(__name__)

IMPORT_CONTACTS = "contacts.tasks.import_contacts"
CHUNK_ROWS = 5000
FILE_CHUNK = 1 << 20
HEADINGS = {
    "phone": "phone phonenumber mobile mobilephone mobilenumber cell telephone tel msisdn τηλεφωνο "
    "κινητο",
    "first_name": "firstname first givenname forename ονομα vorname prenom nombre nome",
    "last_name": "lastname last surname familyname επωνυμο nachname nom apellido cognome",
    "email": "email emailaddress mail",
    "gender": "gender sex φυλο geschlecht",
    "birthday": "birthday birthdate dateofbirth dob γενεθλια ημερομηνιαγεννησης geburtstag",
}  # fmt: skip
_FIELD_OF = {heading: field for field, names in HEADINGS.items() for heading in names.split()}
GENDERS = {
    "male": "m male man ανδρας αντρας herr homme",
    "female": "f female woman γυναικα frau femme",
    "other": "other o diverse",
    "prefer_not_to_say": "prefernottosay n/a unknown",
}
_GENDER_OF = {word: gender for gender, words in GENDERS.items() for word in words.split()}


class ImportRefused(Exception):
    """The file as a whole cannot be used; says why."""


class Row(NamedTuple):
    phone: str
    email: str
    first_name: str
    last_name: str
    gender: str | None
    birthday: date | None


class Rejection(NamedTuple):
    column: str
    value: str
    reason: str


def store_file(
    owner_id: int, path: Path, list_name: str | None = None, *, welcome: bool = False
) -> ContactImport:
    """Keep a file in the database and enqueue its import.

    Args:
        welcome: whether new contacts may get the store's welcome message.

    Raises:
        ImportRefused: if the file is empty or larger than IMPORT_MAX_MB.
    """
    size = path.stat().st_size
    if size > settings.IMPORT_MAX_MB * 1_000_000:
        raise ImportRefused(
            f"{path.name} has {size / 1e6:.0f} MB; at most {settings.IMPORT_MAX_MB} MB are taken "
            "(IMPORT_MAX_MB)"
        )
    if not size:
        raise ImportRefused(f"{path.name} is empty")
    with transaction.atomic(), path.open("rb") as file:
        target = None
        if list_name:
            target = List.objects.get_or_create(owner_id=owner_id, name=list_name)[0]
        job = ContactImport.objects.create(
            owner_id=owner_id, list=target, file_name=path.name, file_size=size, file_sha256="",
            welcome=welcome,
        )  # fmt: skip
        digest = hashlib.sha256()
        for number, data in enumerate(iter(lambda: file.read(FILE_CHUNK), b"")):
            digest.update(data)
            ImportFileChunk.objects.create(contact_import=job, number=number, data=data)
        job.file_sha256 = digest.hexdigest()
        job.save()
        jobs.enqueue("contact_import", IMPORT_CONTACTS, job.pk)
    return job


def run(import_id: int) -> ContactImport:
    """Read the file from its checkpoint to its end; a second run of a done import does nothing."""
    ContactImport.objects.filter(pk=import_id, status=ImportStatus.PENDING).update(
        status=ImportStatus.PROCESSING, started_at=timezone.now()
    )
    job = ContactImport.objects.select_related("owner").get(pk=import_id)
    if job.status != ImportStatus.PROCESSING:
        return job
    region = job.owner.phone_region or settings.DEFAULT_PHONE_REGION
    try:
        rows, mapping = _open(job)
    except ImportRefused as refused:
        return _finish(job, ImportStatus.FAILED, str(refused))
    ContactImport.objects.filter(pk=import_id).update(
        mapping={heading: field for field, (_, heading) in mapping.items()}
    )
    rows = islice(rows, job.processed, None)
    while chunk := list(islice(rows, CHUNK_ROWS)):
        _write_chunk(job, chunk, mapping, region)
        job.refresh_from_db()
    return _finish(job, ImportStatus.COMPLETED)


def _finish(job: ContactImport, status: str, error: str = "") -> ContactImport:
    job.status, job.error, job.finished_at = status, error[:500], timezone.now()
    job.save(update_fields=["status", "error", "finished_at"])
    log.info("import %s of store %s: %s, %s rows", job.pk, job.owner_id, status, job.processed)
    return job


class _StoredFile(io.RawIOBase):
    """The chunks of a stored file as one stream of bytes."""

    def __init__(self, import_id: int) -> None:
        self.import_id, self.number, self.rest = import_id, 0, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        if not self.rest:
            chunk = ImportFileChunk.objects.filter(
                contact_import=self.import_id, number=self.number
            ).first()
            if chunk is None:
                return 0
            self.rest, self.number = memoryview(bytes(chunk.data)), self.number + 1
        count = min(len(buffer), len(self.rest))
        buffer[:count] = self.rest[:count]
        self.rest = self.rest[count:]
        return count


def _open(job: ContactImport) -> tuple[Iterator, dict[str, tuple[int, str]]]:
    """The file's rows with their line numbers, and which column holds which field."""
    first = ImportFileChunk.objects.filter(contact_import=job, number=0).first()
    if first is None:
        raise ImportRefused("the file is gone: upload it again")
    sample = bytes(first.data)[:200_000]
    encoding = _encoding(sample)
    stream = io.TextIOWrapper(
        io.BufferedReader(_StoredFile(job.pk), FILE_CHUNK), encoding, errors="replace", newline=""
    )
    head = sample.decode(encoding, "replace").lstrip("\ufeff").splitlines()[:1]
    delimiter = max(",;\t|", key=head[0].count) if head else ","
    reader = csv.reader((line.replace("\0", "") for line in stream), delimiter=delimiter)
    headings = next(reader, [])
    mapping: dict[str, tuple[int, str]] = {}
    for position, heading in enumerate(headings):
        field = _FIELD_OF.get(_simplified(heading))
        if field and field not in mapping:
            mapping[field] = (position, heading.strip())
    if "phone" not in mapping:
        names = ", ".join(heading.strip()[:30] for heading in headings[:10])
        raise ImportRefused(f"no column holds the phone number; the file has: {names}")
    return ((reader.line_num, row) for row in reader if any(row)), mapping


def _encoding(sample: bytes) -> str:
    if sample.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
        return "utf-8"
    except UnicodeDecodeError:
        # One-byte encodings that real exports of our stores use.
        best = charset_normalizer.from_bytes(
            sample, cp_isolation=["cp1252", "cp1253", "iso8859_7", "latin_1"]
        ).best()
        found = best.encoding if best else "cp1252"
        # Both Greek encodings differ in few letters; only ISO writes the accented capital alpha
        # as B6, which is a pilcrow in Windows-1253.
        return "cp1253" if found == "iso8859_7" and b"\xb6" not in sample else found


def _simplified(heading: str) -> str:
    """Lower case, no accents, letters and digits only."""
    plain = unicodedata.normalize("NFD", heading.lower().replace("ς", "σ"))
    return re.sub(r"[\W_]", "", "".join(c for c in plain if not unicodedata.combining(c)))


def _write_chunk(job: ContactImport, chunk: list, mapping: dict, region: str) -> None:
    """Validate and write one chunk; its rows, counters and checkpoint commit together."""
    good: dict[str, tuple[int, Row]] = {}
    rejections = []
    duplicate = 0
    for line, cells in chunk:
        judged = _judge(cells, mapping, region)
        if isinstance(judged, Rejection):
            rejections.append((job.pk, line, *judged, json.dumps(cells)))
        elif judged.phone in good:
            duplicate += 1
        else:
            good[judged.phone] = (line, judged)
    with transaction.atomic():
        held = ContactImport.objects.select_for_update().get(pk=job.pk)
        if held.processed != job.processed or held.status != ImportStatus.PROCESSING:
            raise RuntimeError(f"import {job.pk} is being read by another worker")
        created, updated = _upsert(job, [row for _, row in good.values()])
        with connection.cursor() as cursor, cursor.copy(
            'COPY contacts_rejectedrow (contact_import_id, line, "column", value, reason, row) '
            "FROM STDIN"
        ) as copy:  # fmt: skip
            for rejection in rejections:
                copy.write_row(rejection)
        held.processed += len(chunk)
        held.created += created
        held.updated += updated
        held.unchanged += len(good) - created - updated
        held.duplicate += duplicate
        held.rejected += len(rejections)
        held.save()


def _judge(cells: list[str], mapping: dict, region: str) -> Row | Rejection:
    values = {
        field: cells[position].strip() if position < len(cells) else ""
        for field, (position, _) in mapping.items()
    }

    def reject(field: str, reason: str) -> Rejection:
        return Rejection(mapping[field][1][:200], values[field][:200], reason)

    if not values["phone"]:
        return reject("phone", "the phone number is missing")
    phone = normalise(values["phone"], region)
    if phone is None:
        return reject("phone", f"not a valid phone number (country if none is given: {region})")
    email = values.get("email", "")
    if email:
        try:
            validate_email(email)
        except ValidationError:
            return reject("email", "not a valid e-mail address")
    birthday = None
    if values.get("birthday"):
        try:
            birthday = date.fromisoformat(values["birthday"][:10])
        except ValueError:
            return reject("birthday", "not a date such as 1990-12-31")
        if not date.today().year - 150 <= birthday.year or birthday > date.today():
            return reject("birthday", "not within the last 150 years")
    gender = None
    if values.get("gender"):
        gender = _GENDER_OF.get(_simplified(values["gender"]))
        if gender is None:
            return reject("gender", "not a gender we know: male, female, other")
    return Row(
        phone, email, values.get("first_name", "")[:120], values.get("last_name", "")[:120],
        gender, birthday,
    )  # fmt: skip


def _upsert(job: ContactImport, rows: list[Row]) -> tuple[int, int]:
    """Create or update the contacts; an empty cell changes nothing. Returns both counts."""
    rows.sort()  # by phone: cheaper for the unique index, and two imports never deadlock
    barred = suppressed(job.owner_id, [row.phone for row in rows])
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE IF NOT EXISTS staging (phone text, email text,"
            " first_name text, last_name text, gender text, birthday date, subscribed bool)"
            " ON COMMIT DELETE ROWS"
        )
        with cursor.copy("COPY staging FROM STDIN") as copy:
            for row in rows:
                copy.write_row((*row, row.phone not in barred))
        cursor.execute(UPSERT, [job.owner_id, job.welcome])
        written = [row[0] for row in cursor.fetchall()]
        if job.list_id:
            cursor.execute(
                "INSERT INTO contacts_listmembership (list_id, contact_id)"
                " SELECT %s, c.id FROM contacts_contact c JOIN staging s USING (phone)"
                " WHERE c.owner_id = %s ORDER BY c.id ON CONFLICT DO NOTHING",
                [job.list_id, job.owner_id],
            )
    created = sum(written)
    return created, len(written) - created


# xmax is 0 only on a row that this statement inserted.
UPSERT = """
    INSERT INTO contacts_contact AS c (owner_id, phone, email, first_name, last_name, gender,
        birthday, is_subscribed, awaits_welcome)
    SELECT %s, phone, email, first_name, last_name, gender, birthday, subscribed, %s
    FROM staging ORDER BY phone
    ON CONFLICT (owner_id, phone) DO UPDATE SET
        email = COALESCE(NULLIF(excluded.email, ''), c.email),
        first_name = COALESCE(NULLIF(excluded.first_name, ''), c.first_name),
        last_name = COALESCE(NULLIF(excluded.last_name, ''), c.last_name),
        gender = COALESCE(excluded.gender, c.gender),
        birthday = COALESCE(excluded.birthday, c.birthday),
        updated_at = now()
    WHERE (c.email, c.first_name, c.last_name, c.gender, c.birthday) IS DISTINCT FROM (
        COALESCE(NULLIF(excluded.email, ''), c.email),
        COALESCE(NULLIF(excluded.first_name, ''), c.first_name),
        COALESCE(NULLIF(excluded.last_name, ''), c.last_name),
        COALESCE(excluded.gender, c.gender),
        COALESCE(excluded.birthday, c.birthday))
    RETURNING (xmax = 0)
"""
