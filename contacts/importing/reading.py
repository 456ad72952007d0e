"""Reading a customer list: detecting its layout, and streaming its rows (rules.md#import)."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import struct
import subprocess
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from contacts.importing import cells, workbook

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

READ_BYTES = 1 << 20
SAMPLE_BYTES = 1 << 18
SAMPLE_ROWS = 50
DELIMITERS = ",;\t|"
MAX_HEADING_LENGTH = 100
# A file that unpacks to more than this many bytes, and to more than this many times its size, is
# not a customer list but made to exhaust the worker.
BOMB_MIN_BYTES = 10_000_000
BOMB_UNPACK_RATIO = 200
MAX_CONTROL_SHARE = 0.02
CONTROL_SAMPLE_CHARACTERS = 10_000

_GZIP_SIGNATURE = b"\x1f\x8b"
_ZIP_SIGNATURES = (b"PK\3\4", b"PK\5\6")
_SAVE_AS_CSV = "save the list as CSV or .xlsx in the program it comes from"
# Formats that people upload by mistake: signature, name, advice.
_OTHER_FORMATS = (
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "an Excel 97 workbook (.xls) or one with a password",
        "open it in Excel and save it as CSV or .xlsx, without a password",
    ),
    (b"%PDF", "a PDF document", _SAVE_AS_CSV),
    (b"\x89PNG", "an image", _SAVE_AS_CSV),
    (b"\xff\xd8\xff", "an image", _SAVE_AS_CSV),
    (b"GIF8", "an image", _SAVE_AS_CSV),
    (b"{\\rtf", "a text document (.rtf)", _SAVE_AS_CSV),
    (b"<", "a web page or an XML document", "open it in Excel and save it as CSV or .xlsx"),
    (b"BEGIN:VCARD", "a file of business cards (.vcf)", _SAVE_AS_CSV),
)
_SEPARATOR_LINE = re.compile(f'"?sep=([{re.escape(DELIMITERS)}])"?', re.IGNORECASE)
_NON_ASCII_LINE = re.compile(rb"(?<=[\r\n])[^\r\n]*[\x80-\xff][^\r\n]*(?=[\r\n])")
_DAMAGED_WORKBOOK = "the workbook is damaged: open it in Excel and save it again, or as CSV"
_WORKBOOK_ERRORS = {
    workbook.TOO_MANY_ROWS: f"the sheet has more than {workbook.MAX_ROWS:,} rows: save it as CSV",
    1: _DAMAGED_WORKBOOK,
}


class ImportRefused(Exception):
    """The file as a whole cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class Layout:
    """How a file is read; detected once and stored, so that a restart reads the same rows.

    For an .xlsx workbook only `has_header`, `headings`, `skip` and `largest_bytes` are used.
    """

    kind: str  # "csv" or "xlsx"
    largest_bytes: int  # the most bytes that are read, unpacked
    compressed: bool = False
    encoding: str = "utf-8"
    delimiter: str = ","
    spaced: bool = False  # a space follows each delimiter, before the quotation mark
    has_nul: bool = False  # the file holds zero bytes, which are dropped
    has_header: bool = True
    headings: tuple[str, ...] = ()
    skip: int = 0  # lines (or rows of the sheet) before the first customer

    def as_json(self) -> dict:
        """The layout as JSON, for `from_json`."""
        return asdict(self) | {"headings": list(self.headings)}

    @classmethod
    def from_json(cls, stored: dict) -> Layout:
        """The layout that `as_json` stored."""
        return cls(**stored | {"headings": tuple(stored["headings"])})


def detect_layout(path: Path, *, has_header: bool | None = None, largest_bytes: int) -> Layout:
    """Detect how a file is to be read.

    Args:
        path: the file.
        has_header: whether the first row holds headings; None to decide by its cells.
        largest_bytes: the most bytes that the file may have, unpacked.

    Raises:
        ImportRefused: if the file as a whole cannot be used.
    """
    with path.open("rb") as file:
        start = file.read(512)
    if not start:
        raise ImportRefused("the file is empty: export the list again")
    if start.startswith(_ZIP_SIGNATURES):
        _check_workbook(path, largest_bytes)
        layout = Layout("xlsx", largest_bytes)
    else:
        layout = _csv_layout(path, start.startswith(_GZIP_SIGNATURE), largest_bytes)
    return _with_headings(path, layout, has_header)


class FileReader:
    """Iterates over a file's rows that are not blank, each with the line on which it starts.

    Iterating raises ImportRefused at the line from which on the file cannot be read.
    """

    def __init__(self, path: Path, layout: Layout) -> None:
        self.path, self.layout = path, layout
        self._file: _UnpackedFile | None = None
        self._rows_read, self._row_count = 0, 1
        self._at_end = False

    @property
    def share(self) -> float:
        """How much of the file has been read, from 0 to 1."""
        if self._file:
            return self._file.position / self._file.size
        return self._rows_read / self._row_count

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        return self._sheet_rows() if self.layout.kind == "xlsx" else self._csv_rows()

    def _csv_rows(self) -> Iterator[tuple[int, list[str]]]:
        layout = self.layout
        self._file = _UnpackedFile(self.path, layout.compressed, layout.largest_bytes)
        self._at_end = False
        with io.TextIOWrapper(
            io.BufferedReader(self._file, READ_BYTES), layout.encoding, errors="replace", newline=""
        ) as stream:
            lines: Iterable[str] = stream
            if layout.has_nul:
                lines = (line.replace("\0", "") for line in stream)
            reader = csv.reader(
                chain(islice(lines, layout.skip, None), self._sentinel_line()),
                delimiter=layout.delimiter,
                skipinitialspace=layout.spaced,
            )
            lines_skipped = layout.skip
            line = 1
            try:
                for record in reader:
                    last_line = reader.line_num
                    if last_line != line and self._at_end:
                        raise _unclosed_quote_error(lines_skipped + line)
                    # The first comparison saves most rows the check of all cells.
                    if record and (record[0] >= "!" or any(map(str.strip, record))):
                        yield lines_skipped + line, record
                    line = last_line + 1
            except csv.Error:
                if reader.line_num > line:
                    raise _unclosed_quote_error(lines_skipped + line) from None
                raise _long_cell_error("line", lines_skipped + line) from None

    def _sentinel_line(self) -> Iterator[str]:
        """An empty line after the last one; it ends up in a quoted cell that was never closed."""
        self._at_end = True
        yield ""

    def _sheet_rows(self) -> Iterator[tuple[int, list[str]]]:
        process = subprocess.Popen(
            [sys.executable, "-P", workbook.__file__, self.path],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        output = process.stdout
        assert output is not None  # stdout=PIPE
        self._rows_read = 0
        try:
            stream = io.TextIOWrapper(output, "utf-8", newline="")
            reader = csv.reader(stream)
            self._row_count = max(1, int(next(reader, ["0"])[0]))
            for number, record in enumerate(reader, 1):
                self._rows_read = number
                if number > self.layout.skip and any(record):
                    yield number, record
            if status := process.wait():
                raise ImportRefused(
                    _WORKBOOK_ERRORS.get(
                        status, "the workbook needs too much memory: save it as CSV"
                    )
                )
        except csv.Error:
            raise _long_cell_error("row", self._rows_read + 1) from None
        finally:
            process.kill()
            process.wait()
            output.close()


def _unclosed_quote_error(line: int) -> ImportRefused:
    return ImportRefused(
        f"line {line}: a quotation mark is opened and never closed; remove it or close it"
    )


def _long_cell_error(kind: str, number: int) -> ImportRefused:
    return ImportRefused(
        f"{kind} {number}: a cell has more than {csv.field_size_limit():,} characters; "
        "is this a list of customers?"
    )


class _UnpackedFile(io.RawIOBase):
    """The bytes of a file, unpacked; raises ImportRefused if they are too many."""

    def __init__(self, path: Path, compressed: bool, largest_bytes: int) -> None:
        self.file = path.open("rb", buffering=0)
        self.size = path.stat().st_size
        self.unpacked = gzip.GzipFile(fileobj=self.file) if compressed else self.file
        self.largest_bytes = largest_bytes
        self.position = self.count = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read unpacked bytes into the buffer; return their number."""
        try:
            count = self.unpacked.readinto(buffer)
        except (gzip.BadGzipFile, EOFError, zlib.error):
            raise ImportRefused(
                "the compressed file is damaged or incomplete: create and upload it again"
            ) from None
        self.count += count
        self.position = self.file.tell()
        _check_unpacked_size(self.position, self.count, self.largest_bytes)
        return count

    def close(self) -> None:
        """Close the packed file, too."""
        self.file.close()
        super().close()


def _check_unpacked_size(packed: int, unpacked: int, largest_bytes: int) -> None:
    if unpacked > largest_bytes:
        raise ImportRefused(
            f"the file has more than {largest_bytes / 1e6:,.0f} MB (unpacked, if it is "
            "compressed): split it into several files"
        )
    if unpacked > BOMB_MIN_BYTES and unpacked > BOMB_UNPACK_RATIO * packed:
        raise ImportRefused(
            f"the file unpacks to more than {BOMB_UNPACK_RATIO} times its size; is this a list of "
            "customers? If so, upload it as CSV, not compressed"
        )


def _check_workbook(path: Path, largest_bytes: int) -> None:
    try:
        with zipfile.ZipFile(path) as file:
            parts = file.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, struct.error):
        raise ImportRefused(
            "the workbook is damaged or incomplete: upload it again, or save it as CSV"
        ) from None
    names = {part.filename for part in parts}
    if "xl/workbook.xml" not in names:
        if "xl/workbook.bin" in names:
            raise ImportRefused(
                "this is a binary workbook (.xlsb): open it in Excel and save it as CSV or .xlsx"
            )
        if "content.xml" in names:
            raise ImportRefused(
                "this is an OpenDocument file: open it in LibreOffice and save it as CSV or .xlsx"
            )
        raise ImportRefused(
            "this is an archive (.zip), not a list: unpack it and upload the CSV or .xlsx in it"
        )
    _check_unpacked_size(path.stat().st_size, sum(part.file_size for part in parts), largest_bytes)


@dataclass
class _FileScan:
    """The result of one pass over all bytes of a file."""

    head: bytes = b""
    is_complete: bool = False  # whether the head is the full file
    non_ascii_lines: bytes = b""  # lines that show the encoding
    is_utf8: bool = True
    has_nul: bool = False


def _scan_file(path: Path, compressed: bool, largest_bytes: int) -> _FileScan:
    scan = _FileScan()
    decoder = codecs.getincrementaldecoder("utf-8")()
    non_ascii_lines: list[bytes] = []
    size = 0
    with io.BufferedReader(_UnpackedFile(path, compressed, largest_bytes), READ_BYTES) as source:
        while block := source.read(READ_BYTES):
            if not size:
                scan.head = block[:SAMPLE_BYTES]
            size += len(block)
            scan.has_nul = scan.has_nul or b"\0" in block
            if len(block) == READ_BYTES and b"\n" not in block and b"\r" not in block:
                raise ImportRefused(
                    f"the file has a line of more than {READ_BYTES:,} characters; is this a list "
                    f"of customers? If so, {_SAVE_AS_CSV}"
                )
            if scan.is_utf8:
                try:
                    decoder.decode(block)
                except UnicodeDecodeError:
                    scan.is_utf8 = False
            if not block.isascii() and sum(map(len, non_ascii_lines)) < SAMPLE_BYTES:
                non_ascii_lines += islice(
                    (line[0] for line in _NON_ASCII_LINE.finditer(b"\n" + block + b"\n")), 1000
                )
    if scan.is_utf8 and decoder.getstate()[0]:
        scan.is_utf8 = False
    scan.is_complete = size <= SAMPLE_BYTES
    scan.non_ascii_lines = b"\n".join(non_ascii_lines)
    return scan


def _csv_layout(path: Path, compressed: bool, largest_bytes: int) -> Layout:
    scan = _scan_file(path, compressed, largest_bytes)
    _refuse_other_formats(scan.head)
    encoding = _detect_encoding(scan)
    text = scan.head.decode(encoding, "replace").replace("\0", "")
    sample = text[:CONTROL_SAMPLE_CHARACTERS]
    control_count = sum(character < " " and character not in "\t\r\n" for character in sample)
    if control_count > MAX_CONTROL_SHARE * len(sample):
        raise ImportRefused(f"this is not a text file, but a file of another kind: {_SAVE_AS_CSV}")
    lines = list(io.StringIO(text, newline=""))
    if not scan.is_complete:
        lines.pop()
    skip = next((number for number, line in enumerate(lines) if line.strip()), 0)
    if lines and (separator := _SEPARATOR_LINE.fullmatch(lines[skip].strip(" \r\n"))):
        delimiter = separator[1]
        skip += 1
    else:
        delimiter = max(DELIMITERS, key=lambda candidate: _delimiter_score(lines[skip:], candidate))
    spaced = any(f'{delimiter} "' in line for line in lines[skip:])
    return Layout(
        "csv", largest_bytes, compressed, encoding, delimiter, spaced, scan.has_nul, skip=skip
    )


def _refuse_other_formats(head: bytes) -> None:
    """Refuse files that are not tables, by their first bytes."""
    text = head.removeprefix(codecs.BOM_UTF8).lstrip()
    for signature, kind, advice in _OTHER_FORMATS:
        if head.startswith(signature) or text.startswith(signature):
            raise ImportRefused(f"this is {kind}, not a table: {advice}")
    if head.startswith((*_ZIP_SIGNATURES, _GZIP_SIGNATURE)) or head[257:262] == b"ustar":
        raise ImportRefused(
            "there is an archive or a workbook inside the compressed file: unpack it and upload "
            "the CSV or .xlsx in it"
        )


def _detect_encoding(scan: _FileScan) -> str:
    head = scan.head
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    # UTF-16 without a mark: in any alphabet, digits, delimiters and line ends have a zero byte on
    # the same side.
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if max(even, odd) > len(head) / 10 and min(even, odd) < max(even, odd) / 10:
        return "utf-16-le" if odd > even else "utf-16-be"
    if scan.is_utf8:
        return "utf-8"
    sample = scan.non_ascii_lines or head
    text = sample.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    if broken * 10 < sum(character > "\x7f" for character in text):
        return "utf-8"
    # Greek words are runs of non-ASCII letters; in other languages these stand alone or in pairs.
    non_ascii_count = sum(byte > 0x7F for byte in sample)
    if sum(map(len, re.findall(rb"[\xb8-\xfe]{3,}", sample))) * 2 <= non_ascii_count:
        return "cp1252"
    # The two Greek encodings differ in few letters. ISO 8859-7 writes the accented capital alpha as
    # B6, which is a pilcrow in Windows-1253.
    return "iso8859_7" if b"\xb6" in sample else "cp1253"


def _delimiter_score(lines: list[str], delimiter: str) -> tuple[float, int]:
    """How well a delimiter divides the lines into a table, and the width of that table.

    Records of equal width raise the score, as do cells that hold exactly a phone number, an e-mail
    address or a date. A decimal comma or a comma within a name yields neither.
    """
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    records = []
    try:
        for record in reader:
            if any(record):
                records.append(record)
            if len(records) == SAMPLE_ROWS:
                break
    except csv.Error:
        pass  # a cell that is never closed; reading the rows names its line
    if not records:
        return 0, 0
    width, same_width_count = Counter(map(len, records)).most_common(1)[0]
    if width == 1:
        return 0, 0
    value_count = sum(_looks_like_value(cell) for record in records for cell in record)
    return same_width_count / len(records) * (1 + value_count / len(records)), width


def _looks_like_value(cell: str) -> bool:
    return cells.is_phone(cell) or cells.is_email(cell) or cells.is_date(cell)


def _with_headings(path: Path, layout: Layout, has_header: bool | None) -> Layout:
    sample = list(islice(FileReader(path, layout), SAMPLE_ROWS + 1))
    if not sample:
        raise ImportRefused("the file has no rows: export the list again")
    first_row = sample[0][1]
    if has_header is None:
        has_header = not any(map(_looks_like_value, first_row))
    records = sample[has_header:]
    if not records:
        raise ImportRefused("the file has headings and no rows below them: export the list again")
    return replace(
        layout,
        has_header=has_header,
        headings=_headings(
            first_row if has_header else [], max(len(record) for _, record in sample)
        ),
        skip=records[0][0] - 1,
    )


def _headings(header: list[str], width: int) -> tuple[str, ...]:
    """A unique name for each column."""
    headings: dict[str, None] = {}
    for position in range(max(width, len(header))):
        heading_text = (
            header[position].strip("\ufeff \t\r\n")[:MAX_HEADING_LENGTH]
            if position < len(header)
            else ""
        )
        name = heading = heading_text or f"column {position + 1}"
        count = 1
        while heading in headings:
            count += 1
            heading = f"{name} ({count})"
        headings[heading] = None
    return tuple(headings)
