"""The life of an import: uploaded, started, read in chunks until it is complete, or cancelled.

A chunk's contacts, rejected rows, counters and checkpoint commit together. An import that is killed
continues at its checkpoint and ends as if it had not been killed (rules.md#import).
"""

from __future__ import annotations

import json
import logging
import re
import sqlite3
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from itertools import islice, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

import psycopg
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from rq.timeouts import BaseTimeoutException

from astronote.accounts.models import User
from astronote.common import audit
from astronote.common.counts import format_count
from astronote.common.locks import advisory_lock
from astronote.common.prefetch import prefetch_in_one_thread
from astronote.common.sql import database_now
from astronote.common.times import is_plausible_time
from astronote.queues import jobs
from contacts.importing import files, planning, reading, writing
from contacts.importing.consent_cells import Consent
from contacts.importing.custom_cells import CustomCells, without_custom_fields
from contacts.importing.import_refused import ImportRefused
from contacts.importing.mapping import CONSENT_FIELDS
from contacts.importing.other_sheets import read_other_sheets_or_refuse
from contacts.importing.reading import Layout
from contacts.importing.refusals import Refusals
from contacts.importing.validating import (
    MAX_REASON_LENGTH,
    ContactRow,
    DroppedCell,
    Refusal,
    Rejection,
    build_reader_of_refusals_and_withheld_consents,
    build_row_validator,
)
from contacts.models import (
    IMPORT_COUNTERS,
    OPEN_IMPORT_STATUSES,
    ContactImport,
    DateOrder,
    ImportStatus,
    List,
)
from contacts.phones import phone_region_of_store_or_default

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

log = logging.getLogger(__name__)

IMPORT_CONTACTS = "contacts.tasks.import_contacts"
CHUNK_ROWS = 10_000
CHUNKS_AHEAD = 2
# So often a worker may begin to read without writing a row, because it is killed or takes too long.
MAX_ATTEMPTS = 5
# Errors after which a later job may go on: the database was away or busy (within COPY, Django does
# not translate psycopg's errors), or the job took too long.
_DATABASE_AWAY = (
    OperationalError,
    InterfaceError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
)
_INTERRUPTIONS = (*_DATABASE_AWAY, BaseTimeoutException)
# Characters that PostgreSQL stores in no text: zero, and halves of a pair.
_UNSTORABLE = re.compile(r"[\0\ud800-\udfff]")


class DatabaseUnavailable(Exception):
    """The database cannot be reached or is busy; a later job continues the import."""


class RowError(Exception):
    """An error of the program at a row; only the kind of the error is kept, never its words."""

    def __init__(self, kind: str, first_line: int, last_line: int) -> None:
        super().__init__(kind)
        self.kind, self.first_line, self.last_line = kind, first_line, last_line


def implausible_consent_time_text() -> str:
    """What is said of a file's consent in the future, or before any that we believe."""
    return gettext(
        "The time of the consent cannot be true: give one between the year 2000 and now."
    )


def create_unstarted_import_or_refuse(
    owner_id: int,
    file_name: str,
    file_chunks: Iterable[bytes],
    *,
    list_name: str = "",
    **options: Any,
) -> ContactImport:
    """Store a file as an import that is not read before `start_import_audit_and_enqueue_or_raise`.

    Args:
        owner_id: the store.
        file_name: the file's name.
        file_chunks: the file's bytes.
        list_name: a list for the contacts, created if the store has none of this name.
        options: fields of ContactImport, such as `consent_source`.

    Raises:
        ImportRefused: if the file is empty or too large, or the store has left.
    """
    if User.objects.filter(pk=owner_id, left_at__isnull=False).exists():
        raise ImportRefused(gettext("the store has left"))
    with transaction.atomic():
        target_list = None
        if list_name:
            target_list = List.objects.get_or_create(owner_id=owner_id, name=list_name)[0]
        contact_import = ContactImport.objects.create(
            owner_id=owner_id,
            list=target_list,
            file_name=file_name[:255],
            file_size=0,
            file_sha256="",
            status=ImportStatus.UPLOADED,
            **options,
        )
        files.store_file_and_hash_or_refuse(contact_import, file_chunks)
    return contact_import


def create_import_and_enqueue_or_refuse(
    owner_id: int, path: Path, list_name: str = "", **options: Any
) -> ContactImport:
    """Store a file and start its import at once.

    For arguments see `create_unstarted_import_or_refuse`.

    Raises:
        ImportRefused: as there, and if the consent cannot have been given at `consent_at`.
    """
    if (at := options.get("consent_at")) and not is_plausible_time(at, database_now()):
        raise ImportRefused(implausible_consent_time_text())
    with transaction.atomic():
        contact_import = create_unstarted_import_or_refuse(
            owner_id, path.name, files.iter_file_chunks(path), list_name=list_name, **options
        )
        start_import_audit_and_enqueue_or_raise(contact_import, by="program")
    return contact_import


def start_import_audit_and_enqueue_or_raise(
    contact_import: ContactImport, *, by: User | AnonymousUser | str
) -> None:
    """Make an uploaded import pending, write an audit entry and enqueue its job.

    Raises:
        ValueError: if it was started already.
    """
    with transaction.atomic():
        _change_status_or_raise(
            contact_import,
            [ImportStatus.UPLOADED],
            ImportStatus.PENDING,
            _("import %(id)s was started already: it is %(status)s"),
        )
        audit.write_entry(
            "import started", contact_import, by=by, consent=bool(contact_import.consent_source)
        )
        jobs.enqueue_on_commit("contact_import", IMPORT_CONTACTS, contact_import.pk)


def cancel_import_and_audit_or_raise_ended(
    contact_import: ContactImport, *, by: User | AnonymousUser | str
) -> None:
    """End an import and write an audit entry; the contacts that it has written stay.

    Raises:
        ValueError: if it has ended.
    """
    with transaction.atomic():
        _change_status_or_raise(
            contact_import,
            [ImportStatus.UPLOADED, *OPEN_IMPORT_STATUSES],
            ImportStatus.CANCELLED,
            _("import %(id)s has ended: it is %(status)s"),
            finished_at=Now(),
        )
        audit.write_entry("import cancelled", contact_import, by=by, rows=contact_import.processed)


def _change_status_or_raise(
    contact_import: ContactImport,
    allowed_before: Sequence[ImportStatus],
    status: ImportStatus,
    problem: StrPromise,
    **changes: Any,
) -> None:
    """Set the status and other fields in the database and on the object.

    Raises:
        ValueError: with the problem, filled with id and status, if the status before is not
            allowed.
    """
    allowed = ContactImport.objects.filter(pk=contact_import.pk, status__in=allowed_before)
    changed = allowed.update(status=status, **changes)
    contact_import.refresh_from_db()
    if not changed:
        raise ValueError(problem % {"id": contact_import.pk, "status": contact_import.status})


def run_open_import_unless_running(import_id: int) -> ContactImport:
    """Read a started import from its checkpoint until it is complete, failed or cancelled.

    Does nothing if the import has ended, was not started, or is being read by another process. Any
    error ends the import as failed, and so does MAX_ATTEMPTS times without a written row. No text
    of the file is in what is logged or raised.

    Raises:
        DatabaseUnavailable: if the database cannot be reached; the import stays open.
        BaseTimeoutException: if the job takes too long; the import stays open.
    """
    try:
        return _run_to_end_status_unless_locked(import_id)
    except _DATABASE_AWAY as error:
        kind = type(error.__cause__ or error).__name__
    raise DatabaseUnavailable(f"import {import_id} stays open: {kind}")


def _run_to_end_status_unless_locked(import_id: int) -> ContactImport:
    with advisory_lock(f"import {import_id}") as acquired:
        ContactImport.objects.filter(pk=import_id, status=ImportStatus.PENDING).update(
            status=ImportStatus.PROCESSING, started_at=Now()
        )
        contact_import = ContactImport.objects.select_related("owner").get(pk=import_id)
        if not acquired or contact_import.status != ImportStatus.PROCESSING:
            return contact_import
        if contact_import.attempts >= MAX_ATTEMPTS:
            return _set_end_status_if_processing(
                contact_import,
                ImportStatus.FAILED,
                gettext(
                    "the import was interrupted too often: %(count)s times it could not read on"
                    " after row %(row)s; split the file, or tell the operator"
                )
                % {"count": MAX_ATTEMPTS, "row": format_count(contact_import.processed)},
            )
        ContactImport.objects.filter(pk=import_id).update(attempts=F("attempts") + 1)
        try:
            while not _write_rows_and_tell_if_file_unchanged(contact_import):
                contact_import.refresh_from_db()
        except ImportRefused as error:
            return _set_end_status_if_processing(
                contact_import, ImportStatus.FAILED, error.command_line_text()
            )
        except _INTERRUPTIONS:
            raise
        except Exception as error:  # noqa: BLE001 - every way to end is an end
            return _set_end_status_if_processing(
                contact_import,
                ImportStatus.FAILED,
                _log_error_place_and_build_reason(import_id, error),
            )
    return _set_end_status_if_processing(contact_import, ImportStatus.COMPLETED)


def _write_rows_and_tell_if_file_unchanged(contact_import: ContactImport) -> bool:
    """Write the file's rows from the checkpoint on; False if an erasure has changed it meanwhile.

    Then what was read may hold the erased person: it is read again.
    """
    try:
        with files.temporary_local_copy_or_refuse(contact_import.pk) as path:
            layout, mapping = _load_or_make_and_store_plan_or_refuse(contact_import, path)
            _write_rows_after_checkpoint_unless_cancelled(contact_import, path, layout, mapping)
    except files.FileChanged:
        return False
    return True


def _log_error_place_and_build_reason(import_id: int, error: Exception) -> str:
    """A reason without the words of the error, which may hold cells of the file; logs its place."""
    row_error = error if isinstance(error, RowError) else None
    kind = row_error.kind if row_error else type(error).__name__
    cause = row_error.__cause__ if row_error and row_error.__cause__ else error
    frames = traceback.extract_tb(cause.__traceback__)
    own = [
        frame
        for frame in frames
        if frame.filename.startswith(str(settings.BASE_DIR)) and "/lib/" not in frame.filename
    ] or frames
    place = f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else "unknown"
    if row_error is None:
        log.error("import %s failed: %s in %s", import_id, kind, place)
        return gettext("an unexpected error (%(error)s in %(place)s): tell the operator") % {
            "error": kind,
            "place": place,
        }
    first, last = row_error.first_line, row_error.last_line
    log.error("import %s failed in lines %s to %s: %s in %s", import_id, first, last, kind, place)
    reason = (
        gettext("an unexpected error in line %(first)s (%(error)s in %(place)s): tell the operator")
        if first == last
        else gettext(
            "an unexpected error in lines %(first)s to %(last)s (%(error)s in %(place)s): tell the"
            " operator"
        )
    )
    return reason % {
        "first": format_count(first),
        "last": format_count(last),
        "error": kind,
        "place": place,
    }


def _load_or_make_and_store_plan_or_refuse(
    contact_import: ContactImport, path: Path
) -> tuple[Layout, dict[str, list[int]]]:
    """The layout and mapping of an import; planned and stored once, so that a restart uses them."""
    layout = Layout.from_json(contact_import.layout) if contact_import.layout else None
    mapping: dict[str, list[int]] | None = contact_import.mapping
    if layout is not None and mapping is not None and contact_import.date_order:
        return layout, mapping
    plan = planning.plan_import_or_refuse(
        path,
        contact_import.owner,
        has_header=layout.has_header if layout else None,
        chosen=mapping,
        date_order=contact_import.date_order,
        **planning.stored_encoding_and_sheet(contact_import),
        file_name=contact_import.file_name,
        with_preview=False,
    )
    if plan.refusal:
        raise plan.refusal
    planning.store_plan_or_raise_file_changed(
        contact_import, plan, plan.date_order or DateOrder.ISO
    )
    return plan.layout, plan.mapping


class ValidatedChunk(NamedTuple):
    """A validated chunk of the file, with its contacts and listed rows as lines of COPY."""

    row_count: int
    new_count: int  # rows with a number that no row above has
    staged: writing.StagedRows
    rejected_count: int
    kept_incomplete_count: int
    listed_lines: bytes
    last_line: int
    share_read: float
    custom_values: dict[str, dict[str, Any]]  # by number
    custom_repeated: list[str]  # of these numbers, those that an earlier chunk has


def _write_rows_after_checkpoint_unless_cancelled(
    contact_import: ContactImport, path: Path, layout: Layout, mapping: dict[str, list[int]]
) -> None:
    """Validate the file and write the chunks beyond the checkpoint, unless it is cancelled."""
    reader = reading.FileReader(path, layout)
    # A restart decides the same, by the same first rows.
    sample = [cells for _, cells in islice(reader, planning.SAMPLE_ROWS)]
    order, region = (
        contact_import.date_order,
        phone_region_of_store_or_default(contact_import.owner),
    )
    custom = CustomCells.of_mapping(contact_import.owner, layout.headings, mapping)
    mapping = without_custom_fields(mapping)
    zone = ZoneInfo(contact_import.owner.timezone)
    read_refusals = build_reader_of_refusals_and_withheld_consents(
        layout.headings, mapping, order, region, sample=sample, zone=zone
    )
    others = read_other_sheets_or_refuse(path, layout, mapping, region, zone)
    chunks = _iter_all_chunks_one_ending_at_checkpoint(
        reader,
        others.overrule_consent_of(
            build_row_validator(layout.headings, mapping, order, region, sample=sample, zone=zone)
        ),
        contact_import.pk,
        checkpoint=contact_import.processed,
        silence_agrees=not mapping.get("sms_consent"),
        read_refusals=read_refusals,
        reads_refusals_first=any(mapping.get(field) for field in CONSENT_FIELDS),
        custom=custom,
        phones_opted_out_elsewhere=others.opted_out_phones,
    )
    rows_read, last_line = 0, 0
    # A thread validates rows while PostgreSQL writes the chunks before them.
    for chunk in prefetch_in_one_thread(repeat(chunks.__next__), max_ahead=CHUNKS_AHEAD):
        rows_read += chunk.row_count
        if rows_read > contact_import.processed:
            try:
                if not _write_chunk_if_processing_or_raise_file_changed(contact_import, chunk):
                    return
            except (*_INTERRUPTIONS, files.FileChanged):
                raise
            except Exception as error:
                raise RowError(type(error).__name__, last_line + 1, chunk.last_line) from error
        last_line = chunk.last_line


def _iter_all_chunks_one_ending_at_checkpoint(
    reader: reading.FileReader,
    validate_row: Callable[[list[str]], ContactRow | Rejection],
    import_id: int,
    *,
    checkpoint: int,
    silence_agrees: bool = True,
    read_refusals: Callable[[list[str]], Sequence[Refusal]] = lambda cells: (),
    reads_refusals_first: bool = False,
    custom: CustomCells = CustomCells((), []),  # noqa: B008 - a tuple that nobody changes
    phones_opted_out_elsewhere: Sequence[str] = (),
) -> Iterator[ValidatedChunk]:
    """All chunks of the file; one ends at the checkpoint.

    If columns speak of consent, the file is read once for refusals alone, because a no counts for
    every row of its person. Chunks before the checkpoint are validated again, because their numbers
    make later rows duplicates.

    Args:
        reader: the file.
        validate_row: see `build_row_validator`.
        import_id: the import.
        checkpoint: how many rows have been written.
        silence_agrees: whether the consent that is declared for the file holds for rows that say
            nothing, because the file has no column that asks for consent.
        read_refusals: see `build_reader_of_refusals_and_withheld_consents`.
        reads_refusals_first: whether columns speak of consent.
        custom: columns of custom fields; of a person's rows the first that has a value counts.
        phones_opted_out_elsewhere: of people who say no on other sheets; in the first chunk.
    """
    refusals = Refusals(
        _iter_refusals_of_file(reader, read_refusals) if reads_refusals_first else ()
    )
    rows, rows_read = iter(reader), 0
    with closing(refusals), SeenPhones() as seen_phones:
        while True:
            chunk = islice(rows, min(CHUNK_ROWS, checkpoint - rows_read or CHUNK_ROWS))
            row_by_phone: dict[str, ContactRow] = {}
            custom_values: dict[str, dict[str, Any]] = {}
            rejected_refusals: list[str] = []  # numbers of rejected rows that say no
            row_count = rejected_count = 0
            listed_lines = []
            for line, cells in chunk:
                row_count += 1
                try:
                    result = validate_row(cells)
                except BaseTimeoutException:
                    raise
                except Exception as error:
                    raise RowError(type(error).__name__, line, line) from error
                if isinstance(result, Rejection):
                    rejected_count += 1
                    listed_lines.append(
                        _build_rejected_row_copy_line(import_id, line, result, cells)
                    )
                    rejected_refusals += [
                        refusal.phone
                        for refusal in read_refusals(cells)
                        if refusal.consent == Consent.OPTED_OUT
                    ]
                    continue
                if custom.columns:
                    values, dropped = custom.read(cells)
                    if dropped:
                        result = replace(result, dropped=(*result.dropped, *dropped))
                    if values:
                        known = custom_values.setdefault(result.phone, {})
                        custom_values[result.phone] = values | known
                if result.dropped:
                    listed_lines.append(
                        _build_rejected_row_copy_line(
                            import_id, line, _summarize_as_rejection(result.dropped), cells
                        )
                    )
                first = row_by_phone.get(result.phone)
                row_by_phone[result.phone] = (
                    first.with_blanks_filled_and_stricter_consent_of(result) if first else result
                )
            if not row_count:
                return
            rows_read += row_count
            checkpoint = max(checkpoint, rows_read)
            refusals.overwrite_consent_of(row_by_phone)
            contact_rows = [row_by_phone[phone] for phone in sorted(row_by_phone)]
            states = seen_phones.merge_states_and_get_previous_by_phone(contact_rows)
            staged = _stage_rows_where_earlier_rows_left_blanks(
                contact_rows, states, silence_agrees=silence_agrees
            )
            opted_out_phones = [*staged.opted_out_phones, *rejected_refusals]
            if rows_read == row_count:
                opted_out_phones += phones_opted_out_elsewhere
            yield ValidatedChunk(
                row_count=row_count,
                new_count=len(contact_rows) - len(states),
                staged=staged._replace(opted_out_phones=opted_out_phones),
                rejected_count=rejected_count,
                kept_incomplete_count=len(listed_lines) - rejected_count,
                listed_lines="".join(listed_lines).encode(),
                last_line=line,
                share_read=reader.share_read,
                custom_values=custom_values,
                custom_repeated=[phone for phone in custom_values if phone in states],
            )


def _iter_refusals_of_file(
    reader: reading.FileReader, read_refusals: Callable[[list[str]], Sequence[Refusal]]
) -> Iterator[Refusal]:
    for line, cells in reader:
        try:
            yield from read_refusals(cells)
        except BaseTimeoutException:
            raise
        except Exception as error:
            raise RowError(type(error).__name__, line, line) from error


def _stage_rows_where_earlier_rows_left_blanks(
    rows: Iterable[ContactRow], earlier_state_by_phone: Mapping[str, int], *, silence_agrees: bool
) -> writing.StagedRows:
    """The rows to write.

    Args:
        rows: the rows of a chunk, one for each number, sorted by number.
        earlier_state_by_phone: of the numbers that earlier chunks have, as SeenPhones keeps them.
            Their rows only fill what is blank so far, and only say what was not said.
        silence_agrees: see `_iter_all_chunks_one_ending_at_checkpoint`.
    """
    agreeing = (Consent.AGREES, Consent.SILENT) if silence_agrees else (Consent.AGREES,)
    phones, lines, opted_out = [], [], []
    for row in rows:
        phone = row.phone
        agrees = row.consent in agreeing
        if phone in earlier_state_by_phone:
            filled, said = (
                earlier_state_by_phone[phone] & FILLED_BITS,
                Consent(earlier_state_by_phone[phone] >> CONSENT_SHIFT),
            )
            row = row.without_fields(filled)
            agrees = agrees and row.consent > said
            if row.consent <= said:
                row = replace(row, consent=Consent.SILENT, said_at=None)
            if not row.filled_bits and row.consent == Consent.SILENT:
                continue
        if row.consent == Consent.OPTED_OUT:
            opted_out.append(phone)
        phones.append(phone)
        lines.append(writing.build_staging_copy_line(row, agrees=agrees))
    return writing.StagedRows(
        phones,
        "".join(lines).encode(),
        [phone for phone in phones if phone in earlier_state_by_phone]
        if earlier_state_by_phone
        else [],
        opted_out,
    )


def _summarize_as_rejection(dropped: Sequence[DroppedCell]) -> Rejection:
    """What is listed of a row without some of its cells: the first cell, and all reasons."""
    reasons = "; ".join(cell.reason for cell in dropped)
    return Rejection(dropped[0].column, dropped[0].value, reasons[:MAX_REASON_LENGTH])


def _build_rejected_row_copy_line(
    import_id: int, line_number: int, rejection: Rejection, cells: list[str]
) -> str:
    """A row of the list of rejected rows, as a line of COPY."""
    row = json.dumps([_UNSTORABLE.sub("\ufffd", cell) for cell in cells])
    values = [_UNSTORABLE.sub("\ufffd", value) for value in rejection]
    escaped = map(writing.escape_copy_text, (str(import_id), str(line_number), *values, row))
    return "\t".join(escaped) + "\n"


# The state of a number: a bit for each field that is filled (`ContactRow.filled_bits`), and its
# Consent.
FILLED_BITS = 0b11111
CONSENT_SHIFT = 5
STATE_BITS = 8


class SeenPhones:
    """The phone numbers of a file so far, on disk, so that memory does not grow with the file."""

    def __enter__(self) -> SeenPhones:
        # One thread uses it at a time, but another one may close it when the import is cancelled.
        self.database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        # The sorted numbers of a chunk touch most pages, so few large ones take less time.
        self.database.execute("PRAGMA page_size = 16384")
        self.database.execute("PRAGMA journal_mode = OFF")
        self.database.execute("PRAGMA synchronous = OFF")
        self.database.execute(
            "CREATE TABLE seen (number INTEGER PRIMARY KEY, state INTEGER) WITHOUT ROWID"
        )
        return self

    def __exit__(self, *exc: object) -> None:
        self.database.close()

    def merge_states_and_get_previous_by_phone(self, rows: Iterable[ContactRow]) -> dict[str, int]:
        """Add the numbers of rows with their states; return those that were there, as they were.

        The state of a number that was there gets the fields of both, and the higher consent.
        """
        packed = json.dumps(
            [
                int(row.phone) << STATE_BITS | row.consent << CONSENT_SHIFT | row.filled_bits
                for row in rows
            ]
        )
        seen = self.database.execute(FIND_SEEN_PHONES, [packed])
        states_before = {f"+{number}": state for number, state in seen}
        self.database.execute(ADD_SEEN_PHONES, [packed])
        return states_before


FIND_SEEN_PHONES = f"""
    SELECT number, state FROM json_each(?) JOIN seen ON number = value >> {STATE_BITS}
"""
ADD_SEEN_PHONES = f"""
    INSERT INTO seen SELECT value >> {STATE_BITS}, value & {(1 << STATE_BITS) - 1}
    FROM json_each(?) WHERE true
    ON CONFLICT (number) DO UPDATE SET state = ((state | excluded.state) & {FILLED_BITS})
        | (max(state >> {CONSENT_SHIFT}, excluded.state >> {CONSENT_SHIFT}) << {CONSENT_SHIFT})
"""


@transaction.atomic
def _write_chunk_if_processing_or_raise_file_changed(
    contact_import: ContactImport, chunk: ValidatedChunk
) -> bool:
    """Write a chunk with its counters and checkpoint; False if the import is cancelled.

    Raises:
        FileChanged: if the file that the chunk was read from is no longer the stored one.
    """
    locked = ContactImport.objects.select_for_update().get(pk=contact_import.pk)
    if locked.status != ImportStatus.PROCESSING:
        return False
    if locked.file_sha256 != contact_import.file_sha256:
        raise files.FileChanged
    written = writing.upsert_contacts_with_consent_suppressions_and_list(locked, chunk.staged)
    if chunk.custom_values:
        writing.fill_custom_values(
            locked, chunk.custom_values, repeated_phones=chunk.custom_repeated
        )
    if chunk.listed_lines:
        writing.insert_rejected_rows_by_copy(chunk.listed_lines)
    locked.attempts = 0
    locked.processed += chunk.row_count
    locked.created += written.created
    locked.updated += written.updated
    locked.unchanged += chunk.new_count - written.created - written.updated
    locked.duplicate += chunk.row_count - chunk.new_count - chunk.rejected_count
    locked.rejected += chunk.rejected_count
    locked.kept_incomplete += chunk.kept_incomplete_count
    locked.share_read = chunk.share_read
    locked.save()
    return True


def _set_end_status_if_processing(
    contact_import: ContactImport, status: ImportStatus, error: str = ""
) -> ContactImport:
    """End an import that is being read; a cancelled import stays cancelled."""
    ended = ContactImport.objects.filter(pk=contact_import.pk, status=ImportStatus.PROCESSING)
    ended.update(status=status, error=error[:500], finished_at=Now())
    contact_import.refresh_from_db()
    log.info(
        "import %s of store %s: %s, %s rows",
        contact_import.pk,
        contact_import.owner_id,
        status,
        contact_import.processed,
    )
    return contact_import


def enqueue_open_imports_if_queue_empty(dry_run: bool) -> int:
    """Repair of the watchdog: enqueue open imports if no job waits; return how many.

    The job of an import that is being read does nothing. A dry run counts the open imports.
    """
    open_imports = ContactImport.objects.filter(status__in=OPEN_IMPORT_STATUSES)
    if dry_run:
        return open_imports.count()
    if jobs.count_waiting_jobs("contact_import"):
        return 0
    ids = list(open_imports.values_list("pk", flat=True))
    jobs.enqueue_each_on_commit("contact_import", IMPORT_CONTACTS, ids)
    return len(ids)


def import_progress(contact_import: ContactImport, now: datetime) -> dict[str, Any]:
    """How far an import is, as JSON for a page or program: percent, rows a second, seconds left."""
    started_at, ended_at = contact_import.started_at, contact_import.finished_at or now
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
