"""Rewriting an uploaded file that an import still needs, so that a person is not in it any more.

What remains is written as a plain table with every row on its line. So an import that has read a
part goes on at its checkpoint, and the lines of its rejected rows stay true. All that an import
does not read, such as other sheets and notes above the headings, is not written again; so a file is
refused in which people say no on other sheets.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO
from zoneinfo import ZoneInfo

from django.utils.translation import gettext

from contacts.importing import files, planning
from contacts.importing.import_refused import ImportRefused
from contacts.importing.other_sheets import read_other_sheets_or_refuse
from contacts.importing.reading import FileReader, Layout, detect_layout_or_refuse
from contacts.models import ContactImport, ImportFileChunk
from contacts.phones import phone_region_of_store_or_default

READ_CHARACTERS = 1 << 20
OVERLAP_CHARACTERS = 400
_LINE_END = re.compile(r"\r\n|\r|\n")
DAMAGED = (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, NotImplementedError)

EditRow = Callable[[list[str]], list[str]]


def stored_or_detected_layout_or_refuse(contact_import: ContactImport, path: Path) -> Layout:
    """How the file is read: as it was planned, else as it would be.

    Raises:
        ImportRefused: if it cannot be read.
    """
    if contact_import.layout:
        return Layout.from_json(contact_import.layout)
    return detect_layout_or_refuse(
        path,
        region=phone_region_of_store_or_default(contact_import.owner),
        largest_bytes=planning.max_unpacked_bytes(),
    )


def iter_overlapping_texts_of_file(path: Path, layout: Layout) -> Iterator[str]:
    """All text in a file, also what an import does not read, in pieces that overlap."""
    if layout.kind == "xlsx":
        yield from iter_overlapping_texts_of_workbook(path)
    else:
        yield from iter_overlapping_texts_of_csv(
            path, layout.encoding, compressed=layout.compressed
        )


def iter_overlapping_texts_of_workbook(path: Path) -> Iterator[str]:
    """All text in a workbook, in pieces that overlap."""
    with zipfile.ZipFile(path) as workbook:
        for part in workbook.namelist():
            with workbook.open(part) as stream:
                yield from _iter_overlapping_pieces(stream, "utf-8")


def iter_overlapping_texts_of_csv(path: Path, encoding: str, *, compressed: bool) -> Iterator[str]:
    """All text in a file of text, in pieces that overlap."""
    with gzip.open(path) if compressed else path.open("rb") as stream:
        yield from _iter_overlapping_pieces(stream, encoding)


def _iter_overlapping_pieces(binary: IO[bytes] | gzip.GzipFile, encoding: str) -> Iterator[str]:
    end = ""
    with io.TextIOWrapper(binary, encoding, errors="replace") as stream:
        while piece := stream.read(READ_CHARACTERS):
            yield end + piece
            end = (end + piece)[-OVERLAP_CHARACTERS:]


def is_person_named_in_file_or_refuse(
    contact_import: ContactImport, edit_row: EditRow, is_named_in: Callable[[str], bool]
) -> bool:
    """Whether the stored file of an import names a person.

    For arguments see `rewrite_file_if_person_named_or_refuse`.

    Raises:
        ImportRefused: if the file cannot be read, so that nobody knows what is in it.
    """
    with files.temporary_local_copy_or_refuse(contact_import.pk) as path:
        return _is_named_in_copy_of_file_or_refuse(contact_import, path, edit_row, is_named_in)


def _is_named_in_copy_of_file_or_refuse(
    contact_import: ContactImport,
    path: Path,
    edit_row: EditRow,
    is_named_in: Callable[[str], bool],
) -> bool:
    try:
        layout = stored_or_detected_layout_or_refuse(contact_import, path)
        return any(map(is_named_in, iter_overlapping_texts_of_file(path, layout))) or any(
            edit_row(cells) is not cells for _, cells in FileReader(path, layout)
        )
    except DAMAGED as error:
        raise ImportRefused(gettext("the file is damaged")) from error


def rewrite_file_if_person_named_or_refuse(
    contact_import: ContactImport, edit_row: EditRow, is_named_in: Callable[[str], bool]
) -> bool:
    """Store the file of an import anew without a person, if the person is in it.

    Called in a transaction that holds the import's row. A worker that is reading the file notices
    by its hash that it has changed, and begins again at its checkpoint.

    Args:
        contact_import: an import that has not ended.
        edit_row: returns the cells that stay of a row; the same list if nothing is to be changed.
        is_named_in: whether a text names the person.

    Returns:
        Whether the file was rewritten.

    Raises:
        ImportRefused: if the file cannot be read, so that nobody knows what is in it; or if people
            say no on sheets that would not be written.
    """
    with (
        files.temporary_local_copy_or_refuse(contact_import.pk) as path,
        tempfile.TemporaryFile() as target,
    ):
        if not _is_named_in_copy_of_file_or_refuse(contact_import, path, edit_row, is_named_in):
            return False
        _refuse_if_people_say_no_on_other_sheets(contact_import, path)
        rewritten = _write_edited_rows_as_csv(
            path, stored_or_detected_layout_or_refuse(contact_import, path), edit_row, target
        )
        target.seek(0)
        ImportFileChunk.objects.filter(contact_import=contact_import).delete()
        files.store_file_and_hash_or_refuse(
            contact_import, iter(lambda: target.read(files.CHUNK_BYTES), b"")
        )
    contact_import.layout = rewritten.as_json_dict()
    contact_import.save(update_fields=["layout"])
    return True


def _refuse_if_people_say_no_on_other_sheets(contact_import: ContactImport, path: Path) -> None:
    """Only the imported sheets are written anew, and a no on another one would be lost."""
    others = read_other_sheets_or_refuse(
        path,
        stored_or_detected_layout_or_refuse(contact_import, path),
        contact_import.mapping or {},
        phone_region_of_store_or_default(contact_import.owner),
        ZoneInfo(contact_import.owner.timezone),
    )
    if others.by_phone or others.by_email:
        raise ImportRefused(gettext("people say no on sheets that are not imported"))


def _write_edited_rows_as_csv(
    path: Path, layout: Layout, edit_row: EditRow, target: IO[bytes]
) -> Layout:
    """Write headings and rows as they stay; return how the result is read.

    What was compressed is compressed again: unpacked it may be larger than a file may be.
    """
    written = replace(
        layout,
        kind="csv",
        compressed=layout.compressed or layout.kind == "xlsx",
        encoding="utf-8",
        delimiter=layout.delimiter if layout.kind == "csv" else ",",
        spaced=False,
        has_nul=False,
        sheets=(),
        escaped=False,
        headings=headings_or_generic_names_if_edited(layout.headings, edit_row),
        notes=(),
        titles=(),
    )
    packed = gzip.GzipFile(fileobj=target, mode="wb") if written.compressed else None
    text = io.TextIOWrapper(packed or target, "utf-8", newline="")
    line = 1
    if layout.has_header:
        headings = [" ".join(heading.split()) for heading in written.headings]
        line += _write_row_and_count_lines(text, headings, written.delimiter)
    for number, cells in FileReader(path, layout):
        if line < number:
            text.write("\n" * (number - line))
            line = number
        line += _write_row_and_count_lines(text, edit_row(cells), written.delimiter)
    text.detach()
    if packed:
        packed.close()
    return written


def headings_or_generic_names_if_edited(
    headings: Sequence[str], edit_row: EditRow
) -> tuple[str, ...]:
    """The headings, or names in their place if they are a row of the person."""
    cells = list(headings)
    if edit_row(cells) is cells:
        return tuple(headings)
    return tuple(f"column {position + 1}" for position in range(len(headings)))


def _write_row_and_count_lines(
    target: io.TextIOWrapper, cells: Sequence[str], delimiter: str
) -> int:
    """Write one row; return how many lines it takes."""
    row = io.StringIO(newline="")
    csv.writer(row, delimiter=delimiter).writerow(cells)
    target.write(row.getvalue())
    return len(_LINE_END.findall(row.getvalue()))
