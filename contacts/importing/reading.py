"""From a file to rows of text: gzip, encoding, separator, heading, spreadsheets; flat memory.

How a file is read is found once (`detect`) and kept, so that a restart reads the same rows.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import math
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import charset_normalizer
import python_calamine

SAMPLE_BYTES = 200_000
SAMPLE_ROWS = 50
DELIMITERS = ",;\t|"
LONGEST_CELL = 100_000
GZIP, ZIP, OLE2 = b"\x1f\x8b", b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
OTHER_KINDS = {
    OLE2: "an old Excel file (.xls)",
    b"%PDF": "a PDF",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"GIF8": "an image",
    b"BZh": "a bzip2 archive",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"Rar!": "a RAR archive",
    b"{\\rtf": "a text document",
}
_PHONE = re.compile(r"['+(]?\+?[\d\s()./-]{6,}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_DATE = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}.*")


class ImportRefused(Exception):
    """The file as a whole cannot be used; says why and what to do."""


@dataclass(frozen=True)
class Layout:
    """How a file is read: `skip` records (a `sep=` line, the heading) come before the data."""

    kind: str  # csv or xlsx
    compressed: bool
    encoding: str
    delimiter: str
    has_header: bool
    headings: list[str]
    skip: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Layout:
        return cls(**data)


def detect(path: Path, *, largest_bytes: int, has_header: bool | None = None) -> Layout:
    """Find out how a file is to be read.

    Args:
        largest_bytes: more than that is not unpacked.
        has_header: whether the first row names the columns; None finds out.

    Raises:
        ImportRefused: if it is no table that we read.
    """
    with path.open("rb") as file:
        start = file.read(8)
    compressed = start.startswith(GZIP)
    if compressed:
        start = _unpacked_start(path, largest_bytes)
    for magic, name in OTHER_KINDS.items():
        if start.startswith(magic):
            raise ImportRefused(f"this is {name}: save it as CSV or .xlsx")
    if start.startswith(ZIP):
        if compressed:
            raise ImportRefused("this is a zip in a gzip: upload the .xlsx itself")
        _check_xlsx(path, largest_bytes)
        kind, encoding, delimiter = "xlsx", "", ""
        records = [cells for _, cells in islice(_xlsx_rows(_sheet(path)), SAMPLE_ROWS)]
        first = 0
    else:
        kind = "csv"
        with _bytes(path, compressed) as file:
            sample = file.read(SAMPLE_BYTES)
        encoding = _encoding(sample)
        text = _text_of(sample, encoding)
        delimiter, first = _separator(text)
        records = list(islice(csv.reader(io.StringIO(text), delimiter=delimiter), SAMPLE_ROWS))
        records = [record for record in records if any(cell.strip() for cell in record)][first:]
    if not records:
        raise ImportRefused("the file holds no rows")
    if has_header is None:
        has_header = not any(_is_data(cell) for cell in records[0])
    headings = _headings(records[0], has_header, max(map(len, records)))
    return Layout(kind, compressed, encoding, delimiter, has_header, headings, first + has_header)


class Reader:
    """The data rows of a file: (line at which the row begins, its cells), blank rows left out.

    `share` tells how much of the file has been read, from 0 to 1.
    """

    def __init__(self, path: Path, layout: Layout, *, largest_bytes: float = math.inf) -> None:
        self.path, self.layout, self.largest_bytes = path, layout, largest_bytes
        self._size = path.stat().st_size
        self._position = lambda: 0

    @property
    def share(self) -> float:
        return min(1.0, self._position() / self._size) if self._size else 1.0

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        rows = self._xlsx() if self.layout.kind == "xlsx" else self._csv()
        return islice(rows, self.layout.skip, None)

    def _xlsx(self) -> Iterator[tuple[int, list[str]]]:
        sheet = _sheet(self.path)
        total = max(1, sheet.total_height)
        done = 0
        self._position = lambda: self._size * done / total
        for done, cells in _xlsx_rows(sheet):  # noqa: B007 - read by _position
            yield done, cells

    def _csv(self) -> Iterator[tuple[int, list[str]]]:
        csv.field_size_limit(LONGEST_CELL)
        with self.path.open("rb") as raw:
            self._position = lambda: 0 if raw.closed else raw.tell()
            source = _Counted(raw, self.layout.compressed, self.largest_bytes)
            lines = io.TextIOWrapper(
                io.BufferedReader(source, 1 << 16), self.layout.encoding, "replace", newline=""
            )
            reader = csv.reader(_without_nul(lines), delimiter=self.layout.delimiter)
            before = 0
            try:
                for cells in reader:
                    line, before = before + 1, reader.line_num
                    if any(cells) and not all(cell.isspace() or not cell for cell in cells):
                        yield line, cells
            except csv.Error:
                raise ImportRefused(
                    f"line {before + 1}: a quotation mark is opened and not closed: mend the row "
                    "or export the file again"
                ) from None
            except (OSError, EOFError, zlib.error):
                raise ImportRefused("the gzip file is damaged: compress it again") from None
            finally:
                self._position = lambda: self._size


class _Counted(io.RawIOBase):
    """A file's bytes, unpacked if they are compressed, with a limit on their number."""

    def __init__(self, raw: BinaryIO, compressed: bool, largest_bytes: float) -> None:
        self._source = gzip.GzipFile(fileobj=raw) if compressed else raw
        self._left = largest_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        data = self._source.read(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise ImportRefused("the file is larger than it may be once it is unpacked: split it")
        buffer[: len(data)] = data
        return len(data)


def _without_nul(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield line.replace("\0", "") if "\0" in line else line


def _bytes(path: Path, compressed: bool) -> BinaryIO:
    return gzip.open(path) if compressed else path.open("rb")


def _unpacked_start(path: Path, largest_bytes: int) -> bytes:
    """The first bytes of a gzip that does not unpack to more than it may."""
    total, start = 0, b""
    try:
        with gzip.open(path) as file:
            while data := file.read(1 << 20):
                start = start or data[:8]
                total += len(data)
                if total > largest_bytes:
                    raise ImportRefused(
                        f"it unpacks to more than {largest_bytes / 1e6:.0f} MB: split the file"
                    )
    except (OSError, EOFError, zlib.error):
        raise ImportRefused("the gzip file is damaged: compress it again") from None
    return start


def _encoding(sample: bytes) -> str:
    for bom, name in (
        (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):  # fmt: skip
        if sample.startswith(bom):
            return name
    even, odd = sample[:4000:2].count(0), sample[1:4000:2].count(0)
    if max(even, odd) > len(sample[:4000]) / 5:
        return "utf-16-be" if even > odd else "utf-16-le"
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


def _text_of(sample: bytes, encoding: str) -> str:
    """The sample as text, without the line that its end may have cut."""
    text = codecs.getincrementaldecoder(encoding)("replace").decode(sample).replace("\0", "")
    if len(sample) == SAMPLE_BYTES and "\n" in text:
        text = text[: text.rindex("\n") + 1]
    return text


def _separator(text: str) -> tuple[str, int]:
    """The character between cells, and how many records before the table name it."""
    named = re.match(r'\s*"?sep=(.)"?\r?(?:\n|$)', text, re.IGNORECASE)
    if named:
        return named[1], 1

    def regularity(delimiter: str) -> tuple[float, int]:
        records = islice(csv.reader(io.StringIO(text), delimiter=delimiter), SAMPLE_ROWS)
        widths = Counter(len(record) for record in records if any(record))
        if not widths:
            return 0, 0
        width, times = widths.most_common(1)[0]
        return (0, 0) if width == 1 else (times / widths.total(), width)

    csv.field_size_limit(len(text) + 1)
    best = max(DELIMITERS, key=regularity)
    return best, 0


def _is_data(cell: str) -> bool:
    """Whether a cell can be no heading: a phone number, an e-mail address or a date."""
    cell = cell.strip()
    return bool(_PHONE.fullmatch(cell) or _EMAIL.fullmatch(cell) or _DATE.fullmatch(cell))


def _headings(first: list[str], has_header: bool, width: int) -> list[str]:
    """A name for each column, none twice."""
    names: list[str] = []
    for number in range(1, max(len(first), width) + 1):
        given = first[number - 1].strip() if has_header and number <= len(first) else ""
        name = base = " ".join(given.split())[:200] or f"column {number}"
        copies = 2
        while name in names:
            name, copies = f"{base} ({copies})", copies + 1
        names.append(name)
    return names


def _check_xlsx(path: Path, largest_bytes: int) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except zipfile.BadZipFile:
        raise ImportRefused("the .xlsx file is damaged: save it again") from None
    if not any(part.filename.startswith("xl/") for part in parts):
        raise ImportRefused("this is a zip archive: unpack it and upload the CSV or .xlsx in it")
    if sum(part.file_size for part in parts) > largest_bytes:
        raise ImportRefused(
            f"it unpacks to more than {largest_bytes / 1e6:.0f} MB: split it, or save it as CSV"
        )


def _sheet(path: Path) -> python_calamine.CalamineSheet:
    """The first sheet that holds something."""
    try:
        book = python_calamine.CalamineWorkbook.from_path(str(path))
        for name in book.sheet_names:
            sheet = book.get_sheet_by_name(name)
            if sheet.total_height:
                return sheet
    except Exception as error:  # calamine raises bare classes of several kinds for damaged files
        raise ImportRefused(f"the .xlsx file cannot be read ({error}): save it again") from None
    raise ImportRefused("the file holds no rows")


def _xlsx_rows(sheet: python_calamine.CalamineSheet) -> Iterator[tuple[int, list[str]]]:
    first = (sheet.start or (0, 0))[0]
    for number, row in enumerate(sheet.iter_rows(), first + 1):
        cells = [_cell(value) for value in row]
        if any(cells):
            yield number, cells


def _cell(value: Any) -> str:
    """A spreadsheet's value as it is written in a CSV; a whole number has no decimals."""
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == value.time().min else value.isoformat()
    return value.isoformat() if isinstance(value, date) else str(value)
