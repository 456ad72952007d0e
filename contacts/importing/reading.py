"""Reading a customer list of whatever shape: how it is written, and its rows as a stream."""

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

from contacts.importing import cells, workbook

PIECE = 1 << 20
SAMPLE_BYTES = 1 << 18
SAMPLE_RECORDS = 50
DELIMITERS = ",;\t|"
LONGEST_HEADING = 100
BOMB_FROM = 10_000_000
BOMB_RATIO = 200

_GZIP = b"\x1f\x8b"
_ZIP = (b"PK\3\4", b"PK\5\6")
_SAVE = "save the list as CSV or .xlsx in the program it comes from"
_FOREIGN = (
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "an Excel 97 workbook (.xls) or one with a password",
        "open it in Excel and save it as CSV or .xlsx, without a password",
    ),
    (b"%PDF", "a PDF document", _SAVE),
    (b"\x89PNG", "an image", _SAVE),
    (b"\xff\xd8\xff", "an image", _SAVE),
    (b"GIF8", "an image", _SAVE),
    (b"{\\rtf", "a text document (.rtf)", _SAVE),
    (b"<", "a web page or an XML document", "open it in Excel and save it as CSV or .xlsx"),
    (b"BEGIN:VCARD", "a file of business cards (.vcf)", _SAVE),
)
_SEPARATOR_LINE = re.compile(f'"?sep=([{re.escape(DELIMITERS)}])"?', re.IGNORECASE)
_LINE_NOT_ASCII = re.compile(rb"(?<=[\r\n])[^\r\n]*[\x80-\xff][^\r\n]*(?=[\r\n])")
_UNREADABLE_WORKBOOK = "the workbook is damaged: open it in Excel and save it again, or as CSV"
_WORKBOOK_REFUSED = {
    workbook.TOO_MANY_ROWS: f"the sheet has more than {workbook.MOST_ROWS:,} rows: save it as CSV",
    1: _UNREADABLE_WORKBOOK,
}


class ImportRefused(Exception):
    """The file as a whole cannot be used; says why and what to do."""


@dataclass(frozen=True)
class Layout:
    """How a file is to be read; found once, so that a restart reads exactly the same rows.

    Of an .xlsx workbook only `has_header`, `headings`, `skip` and `largest_bytes` mean anything.
    """

    kind: str  # "csv" or "xlsx"
    largest_bytes: int  # most bytes that are read, unpacked
    compressed: bool = False
    encoding: str = "utf-8"
    delimiter: str = ","
    spaced: bool = False  # a space follows each delimiter, before the quotation mark
    has_nul: bool = False
    has_header: bool = True
    headings: tuple[str, ...] = ()
    skip: int = 0  # lines (or rows of the sheet) before the first customer

    def as_json(self) -> dict:
        """What `from_json` turns into the same layout."""
        return asdict(self) | {"headings": list(self.headings)}

    @classmethod
    def from_json(cls, stored: dict) -> Layout:
        return cls(**stored | {"headings": tuple(stored["headings"])})


def detect(path: Path, *, has_header: bool | None = None, largest_bytes: int) -> Layout:
    """Find out how a file is to be read.

    Args:
        has_header: whether the first row holds headings; None to judge by what it holds.
        largest_bytes: most bytes the file may have, unpacked.

    Raises:
        ImportRefused: if the file cannot be used; says what to do.
    """
    with path.open("rb") as file:
        start = file.read(512)
    if not start:
        raise ImportRefused("the file is empty: export the list again")
    if start.startswith(_ZIP):
        _check_workbook(path, largest_bytes)
        layout = Layout("xlsx", largest_bytes)
    else:
        layout = _csv_layout(path, start.startswith(_GZIP), largest_bytes)
    return _with_headings(path, layout, has_header)


def rows(path: Path, layout: Layout) -> Iterator[tuple[int, list[str]]]:
    """The data records of a file that are not blank, each with the line on which it starts.

    Raises:
        ImportRefused: at the line from which on the file cannot be read.
    """
    return iter(Reader(path, layout))


class Reader:
    """Iterates over `rows`; `share` is how much of the file has been read, from 0 to 1."""

    def __init__(self, path: Path, layout: Layout) -> None:
        self.path, self.layout = path, layout
        self._source: _Source | None = None
        self._number, self._height = 0, 1
        self._ended = False

    @property
    def share(self) -> float:
        if self._source:
            return self._source.position / self._source.size
        return self._number / self._height

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        return self._sheet_rows() if self.layout.kind == "xlsx" else self._csv_rows()

    def _csv_rows(self) -> Iterator[tuple[int, list[str]]]:
        layout = self.layout
        self._source = _Source(self.path, layout.compressed, layout.largest_bytes)
        self._ended = False
        with io.TextIOWrapper(
            io.BufferedReader(self._source, PIECE), layout.encoding, errors="replace", newline=""
        ) as stream:
            lines: Iterable[str] = stream
            if layout.has_nul:
                lines = (line.replace("\0", "") for line in stream)
            reader = csv.reader(
                chain(islice(lines, layout.skip, None), self._end()),
                delimiter=layout.delimiter,
                skipinitialspace=layout.spaced,
            )
            before = layout.skip
            line = 1
            try:
                for record in reader:
                    last = reader.line_num
                    if last != line and self._ended:
                        raise _never_closed(before + line)
                    # The first comparison spares nearly every row the look at all its cells.
                    if record and (record[0] >= "!" or any(map(str.strip, record))):
                        yield before + line, record
                    line = last + 1
            except csv.Error:
                if reader.line_num > line:
                    raise _never_closed(before + line) from None
                raise _too_long("line", before + line) from None

    def _end(self) -> Iterator[str]:
        """An empty line behind the last one; a cell still open there takes it in."""
        self._ended = True
        yield ""

    def _sheet_rows(self) -> Iterator[tuple[int, list[str]]]:
        process = subprocess.Popen(
            [sys.executable, "-P", workbook.__file__, self.path],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._number = 0
        try:
            stream = io.TextIOWrapper(process.stdout, "utf-8", newline="")
            reader = csv.reader(stream)
            self._height = max(1, int(next(reader, ["0"])[0]))
            for number, record in enumerate(reader, 1):
                self._number = number
                if number > self.layout.skip and any(record):
                    yield number, record
            if status := process.wait():
                raise ImportRefused(
                    _WORKBOOK_REFUSED.get(
                        status, "the workbook needs too much memory: save it as CSV"
                    )
                )
        except csv.Error:
            raise _too_long("row", self._number + 1) from None
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def _never_closed(line: int) -> ImportRefused:
    return ImportRefused(
        f"line {line}: a quotation mark is opened and never closed; remove it or close it"
    )


def _too_long(kind: str, number: int) -> ImportRefused:
    return ImportRefused(
        f"{kind} {number}: a cell has more than {csv.field_size_limit():,} characters; "
        "is this a list of customers?"
    )


class _Source(io.RawIOBase):
    """The bytes of a file, unpacked; refuses to unpack more than a customer list holds."""

    def __init__(self, path: Path, compressed: bool, largest_bytes: int) -> None:
        self.file = path.open("rb", buffering=0)
        self.size = path.stat().st_size
        self.unpacked = gzip.GzipFile(fileobj=self.file) if compressed else self.file
        self.largest_bytes = largest_bytes
        self.position = self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        try:
            count = self.unpacked.readinto(buffer)
        except (gzip.BadGzipFile, EOFError, zlib.error):
            raise ImportRefused(
                "the compressed file is damaged or incomplete: make it and upload it again"
            ) from None
        self.count += count
        self.position = self.file.tell()
        _check_size(self.position, self.count, self.largest_bytes)
        return count

    def close(self) -> None:
        self.file.close()
        super().close()


def _check_size(packed: int, unpacked: int, largest_bytes: int) -> None:
    if unpacked > largest_bytes:
        raise ImportRefused(
            f"the file has more than {largest_bytes / 1e6:,.0f} MB (unpacked, if it is "
            "compressed): split it into several files"
        )
    if unpacked > BOMB_FROM and unpacked > BOMB_RATIO * packed:
        raise ImportRefused(
            f"the file unpacks to more than {BOMB_RATIO} times its size, as no list of customers "
            "does: upload it as CSV, not compressed"
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
    _check_size(path.stat().st_size, sum(part.file_size for part in parts), largest_bytes)


@dataclass
class _Survey:
    """What one pass over all bytes of a file tells."""

    head: bytes = b""
    whole: bool = False  # whether the head is all of the file
    not_ascii: bytes = b""  # lines of which the encoding has to be judged
    is_utf8: bool = True
    has_nul: bool = False


def _survey(path: Path, compressed: bool, largest_bytes: int) -> _Survey:
    found = _Survey()
    decoder = codecs.getincrementaldecoder("utf-8")()
    not_ascii: list[bytes] = []
    size = 0
    with io.BufferedReader(_Source(path, compressed, largest_bytes), PIECE) as source:
        while piece := source.read(PIECE):
            if not size:
                found.head = piece[:SAMPLE_BYTES]
            size += len(piece)
            found.has_nul = found.has_nul or b"\0" in piece
            if len(piece) == PIECE and b"\n" not in piece and b"\r" not in piece:
                raise ImportRefused(
                    f"the file has a line of more than {PIECE:,} characters; is this a list of "
                    f"customers? If so, {_SAVE}"
                )
            if found.is_utf8:
                try:
                    decoder.decode(piece)
                except UnicodeDecodeError:
                    found.is_utf8 = False
            if not piece.isascii() and sum(map(len, not_ascii)) < SAMPLE_BYTES:
                not_ascii += islice(
                    (line[0] for line in _LINE_NOT_ASCII.finditer(b"\n" + piece + b"\n")), 1000
                )
    if found.is_utf8 and decoder.getstate()[0]:
        found.is_utf8 = False
    found.whole = size <= SAMPLE_BYTES
    found.not_ascii = b"\n".join(not_ascii)
    return found


def _csv_layout(path: Path, compressed: bool, largest_bytes: int) -> Layout:
    survey = _survey(path, compressed, largest_bytes)
    _refuse_foreign(survey.head)
    encoding = _encoding(survey)
    text = survey.head.decode(encoding, "replace").replace("\0", "")
    strange = sum(character < " " and character not in "\t\r\n" for character in text[:10_000])
    if strange > 0.02 * len(text[:10_000]):
        raise ImportRefused(f"this is no list in text form, but a file of another kind: {_SAVE}")
    lines = list(io.StringIO(text, newline=""))
    if not survey.whole:
        lines.pop()
    skip = next((number for number, line in enumerate(lines) if line.strip()), 0)
    if lines and (separator := _SEPARATOR_LINE.fullmatch(lines[skip].strip(" \r\n"))):
        delimiter = separator[1]
        skip += 1
    else:
        delimiter = max(DELIMITERS, key=lambda candidate: _fitness(lines[skip:], candidate))
    spaced = any(f'{delimiter} "' in line for line in lines[skip:])
    return Layout(
        "csv", largest_bytes, compressed, encoding, delimiter, spaced, survey.has_nul, skip=skip
    )


def _refuse_foreign(head: bytes) -> None:
    """Refuse what is no table, by its first bytes."""
    text = head.removeprefix(codecs.BOM_UTF8).lstrip()
    for signature, kind, advice in _FOREIGN:
        if head.startswith(signature) or text.startswith(signature):
            raise ImportRefused(f"this is {kind}, not a table: {advice}")
    if head.startswith((*_ZIP, _GZIP)) or head[257:262] == b"ustar":
        raise ImportRefused(
            "there is an archive or a workbook inside the compressed file: unpack it and upload "
            "the CSV or .xlsx in it"
        )


def _encoding(survey: _Survey) -> str:
    head = survey.head
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    # Digits, delimiters and line ends have a zero byte on one side, in whatever alphabet.
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if max(even, odd) > len(head) / 10 and min(even, odd) < max(even, odd) / 10:
        return "utf-16-le" if odd > even else "utf-16-be"
    if survey.is_utf8:
        return "utf-8"
    sample = survey.not_ascii or head
    text = sample.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    if broken * 10 < sum(character > "\x7f" for character in text):
        return "utf-8"
    # Greek words are runs of letters beyond ASCII; elsewhere those stand alone or in pairs.
    beyond = sum(byte > 0x7F for byte in sample)
    if sum(map(len, re.findall(rb"[\xb8-\xfe]{3,}", sample))) * 2 <= beyond:
        return "cp1252"
    # Both Greek encodings differ in few letters; only ISO writes the accented capital alpha as
    # B6, which is a pilcrow in Windows-1253.
    return "iso8859_7" if b"\xb6" in sample else "cp1253"


def _fitness(lines: list[str], delimiter: str) -> tuple[float, int]:
    """How well a delimiter divides the lines into a table.

    Records of equal width speak for it, and cells that are all of a phone number, an e-mail
    address or a date: a decimal comma or a comma within a name yields neither.
    """
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    records = []
    try:
        for record in reader:
            if any(record):
                records.append(record)
            if len(records) == SAMPLE_RECORDS:
                break
    except csv.Error:
        pass  # a cell without an end; reading the rows names its line
    if not records:
        return 0, 0
    width, alike = Counter(map(len, records)).most_common(1)[0]
    if width == 1:
        return 0, 0
    known = sum(_is_value(cell) for record in records for cell in record)
    return alike / len(records) * (1 + known / len(records)), width


def _is_value(cell: str) -> bool:
    return cells.is_phone(cell) or cells.is_email(cell) or cells.is_date(cell)


def _with_headings(path: Path, layout: Layout, has_header: bool | None) -> Layout:
    sample = list(islice(rows(path, layout), SAMPLE_RECORDS + 1))
    if not sample:
        raise ImportRefused("the file has no rows: export the list again")
    first = sample[0][1]
    if has_header is None:
        has_header = not any(map(_is_value, first))
    records = sample[has_header:]
    if not records:
        raise ImportRefused("the file has headings and no rows below them: export the list again")
    return replace(
        layout,
        has_header=has_header,
        headings=_headings(first if has_header else [], max(len(record) for _, record in sample)),
        skip=records[0][0] - 1,
    )


def _headings(header: list[str], width: int) -> tuple[str, ...]:
    """One name for each column, no two alike."""
    headings: dict[str, None] = {}
    for position in range(max(width, len(header))):
        written = (
            header[position].strip("\ufeff \t\r\n")[:LONGEST_HEADING]
            if position < len(header)
            else ""
        )
        name = heading = written or f"column {position + 1}"
        count = 1
        while heading in headings:
            count += 1
            heading = f"{name} ({count})"
        headings[heading] = None
    return tuple(headings)
