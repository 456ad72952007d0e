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
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import accumulate, chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from astronote.common.counts import format_count
from contacts.importing import cells, encodings, heading_rows, workbook, workbook_marks
from contacts.importing.column_legends import divide_rows_and_legends, headings_with_legends
from contacts.importing.dates import is_month_name_or_abbreviation
from contacts.importing.heading_words import CONCEPTS_BY_WORD, canonical_heading_words
from contacts.importing.import_refused import ImportRefused, Question
from contacts.importing.refusing_cells import (
    cell_refuses_messages,
    title_names_opt_outs_or_former_people,
)

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

READ_BYTES = 1 << 20
SAMPLE_BYTES = 1 << 18
SAMPLE_ROWS = 50
DELIMITERS = ",;\t|^~"
MAX_HEADING_LENGTH = 100
MAX_SHEETS = 50
# A file that unpacks to more than this many bytes, and to more than this many times its size, is
# not a customer list but made to exhaust the worker.
BOMB_MIN_BYTES = 10_000_000
BOMB_UNPACK_RATIO = 200
MAX_CONTROL_SHARE = 0.02
CONTROL_SAMPLE_CHARACTERS = 10_000

_GZIP_SIGNATURE = b"\x1f\x8b"
_ZIP_SIGNATURES = (b"PK\3\4", b"PK\5\6")
_NO_TEXT = _(
    "this is not a text file, but a file of another kind: save the list as CSV or .xlsx in the"
    " program it comes from"
)
_IMAGE = _(
    "this is an image, not a table: save the list as CSV or .xlsx in the program it comes from"
)
_BUSINESS_CARDS = _(
    "this is a file of business cards (.vcf), not a table: save the list as CSV or .xlsx in the"
    " program it comes from"
)
_CALENDAR = _(
    "this is a calendar (.ics), not a table: save the list as CSV or .xlsx in the program it comes"
    " from"
)
# Formats that people upload by mistake: signature, and what they are told.
_OTHER_FORMATS = (
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        _(
            "this is an Excel 97 workbook (.xls) or one with a password, not a table: open it in"
            " Excel and save it as CSV or .xlsx, without a password"
        ),
    ),
    (
        b"%PDF",
        _(
            "this is a PDF document, not a table: save the list as CSV or .xlsx in the program it"
            " comes from"
        ),
    ),
    (b"\x89PNG", _IMAGE),
    (b"\xff\xd8\xff", _IMAGE),
    (b"GIF8", _IMAGE),
    (
        b"{\\rtf",
        _(
            "this is a text document (.rtf), not a table: save the list as CSV or .xlsx in the"
            " program it comes from"
        ),
    ),
    (
        b"<",
        _(
            "this is a web page or an XML document, not a table: open it in Excel and save it as"
            " CSV or .xlsx"
        ),
    ),
    (b"BEGIN:VCARD", _BUSINESS_CARDS),
    (b"BEGIN:VCALENDAR", _CALENDAR),
)
# The same for formats that their text shows, in any encoding.
_OTHER_TEXTS = (
    (
        re.compile(r"\s{0,99}(?:\{|\[\s{0,99}[\[{\"\d\]])"),
        _(
            "this is a JSON file, not a table: save the list as CSV or .xlsx in the program it"
            " comes from"
        ),
    ),
    (re.compile(r"\s{0,99}BEGIN:V(?:CARD)", re.IGNORECASE), _BUSINESS_CARDS),
    (re.compile(r"\s{0,99}BEGIN:VCALENDAR", re.IGNORECASE), _CALENDAR),
    (
        re.compile(r"\s{0,99}<(?:!|\?|\w)"),
        _(
            "this is a web page or an XML document, not a table: save the list as CSV or .xlsx in"
            " the program it comes from"
        ),
    ),
    (
        re.compile(
            r"^(?:INSERT\s{1,9}INTO|CREATE\s{1,9}(?:TABLE|DATABASE)|DROP\s{1,9}TABLE|COPY\s\S{1,99}\s"
            r"[^\n]{0,999}FROM stdin)\b",
            re.IGNORECASE | re.MULTILINE,
        ),
        _(
            "this is a dump of a database (.sql), not a table: save the list as CSV or .xlsx in the"
            " program it comes from"
        ),
    ),
    (
        re.compile(r"\s{0,99}(?:version: 1\s{1,9})?dn: ", re.IGNORECASE),
        _(
            "this is a directory export (.ldif), not a table: save the list as CSV or .xlsx in the"
            " program it comes from"
        ),
    ),
)
_SEPARATOR_LINE = re.compile(f'"?sep=([{re.escape(DELIMITERS)}])"?', re.IGNORECASE)
# A quotation mark after a backslash, within a cell: neither of them ends it.
_ESCAPED_QUOTE = re.compile(r'"[^"\r\n]*\\"[^"\r\n,;\t|]')
_NON_ASCII_LINE = re.compile(rb"(?<=[\r\n])[^\r\n]*[\x80-\xff][^\r\n]*(?=[\r\n])")
OVERLAP_BYTES = 4096
# A cell with a formula and without a value. An empty text as a result has an empty value.
_FORMULA_WITHOUT_RESULT = re.compile(
    rb"<c\b(?P<attributes>[^>]{0,200})>\s{0,9}<f\b(?:[^>]{0,999}/>|[^>]{0,999}>[^<]{0,3000}</f>)\s{0,9}"
    rb"(?P<value><v\s{0,9}/>|<v>\s{0,9}</v>)?\s{0,9}</c>"
)


@dataclass(frozen=True)
class Layout:
    """How a file is read; detected once and stored, so that a restart reads the same rows.

    For an .xlsx workbook only `has_header`, `headings`, `skip`, `sheets`, `notes` and
    `largest_bytes` are used.
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
    skip: int = 0  # lines (or rows of each sheet) before the first customer
    sheets: tuple[str, ...] = ()  # of a workbook, read one after the other
    escaped: bool = False  # a backslash stands before a quotation mark within a cell
    notes: tuple[str, ...] = ()  # what is left out, for the person who imports
    titles: tuple[tuple[int, str], ...] = ()  # texts above the headings, each with its line

    def as_json_dict(self) -> dict:
        """The layout as JSON, for `from_json`."""
        return asdict(self) | {
            "headings": list(self.headings),
            "sheets": list(self.sheets),
            "notes": list(self.notes),
            "titles": list(self.titles),
        }

    @classmethod
    def from_json(cls, stored: dict) -> Layout:
        """The layout that `as_json_dict` stored."""
        return cls(
            **stored
            | {name: tuple(stored.get(name, ())) for name in ("headings", "sheets", "notes")}
            | {"titles": tuple((line, text) for line, text in stored.get("titles", ()))}
        )


def detect_layout_or_refuse(
    path: Path,
    *,
    has_header: bool | None = None,
    encoding: str = "",
    sheet: str = "",
    region: str = "",
    largest_bytes: int,
) -> Layout:
    """Detect how a file is to be read.

    Args:
        path: the file.
        has_header: whether a row holds headings; None to decide by the cells.
        encoding: the encoding of the text; "" to detect it.
        sheet: the sheet of a workbook; "" for the only list in it.
        region: two-letter country of the store, a hint to the encoding; "" if unknown.
        largest_bytes: the most bytes that the file may have, unpacked.

    Raises:
        ImportRefused: if the file as a whole cannot be used.
    """
    with path.open("rb") as file:
        start = file.read(512)
    if not start:
        raise ImportRefused(gettext("the file is empty: export the list again"))
    if start.startswith(_ZIP_SIGNATURES):
        _refuse_unusable_workbook(path, largest_bytes)
        return _detect_workbook_layout_or_refuse(path, sheet, has_header, largest_bytes)
    is_compressed = start.startswith(_GZIP_SIGNATURE)
    layout = _detect_csv_layout_or_refuse(path, is_compressed, encoding, region, largest_bytes)
    return _add_headings_or_refuse(path, layout, has_header)


class FileReader:
    """Iterates over a file's rows that are not blank, each with the line on which it starts.

    Iterating raises ImportRefused at the line from which on the file cannot be read.
    """

    def __init__(self, path: Path, layout: Layout) -> None:
        self.path, self.layout = path, layout
        self._file: _UnpackingReader | None = None
        self._rows_read, self._row_count = 0, 1
        self._at_end = False

    @property
    def share_read(self) -> float:
        """How much of the file has been read, from 0 to 1."""
        if self._file:
            return self._file.position / self._file.size
        return self._rows_read / self._row_count

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        return (
            self._iter_filled_sheet_rows_by_subprocess_or_refuse()
            if self.layout.kind == "xlsx"
            else self._iter_filled_csv_rows_or_refuse()
        )

    def _iter_filled_csv_rows_or_refuse(self) -> Iterator[tuple[int, list[str]]]:
        layout = self.layout
        self._file = _UnpackingReader(self.path, layout.compressed, layout.largest_bytes)
        self._at_end = False
        with io.TextIOWrapper(
            io.BufferedReader(self._file, READ_BYTES), layout.encoding, errors="replace", newline=""
        ) as stream:
            lines: Iterable[str] = stream
            if layout.has_nul:
                lines = (line.replace("\0", "") for line in stream)
            reader = csv.reader(
                chain(islice(lines, layout.skip, None), self._mark_end_and_yield_empty_string()),
                delimiter=layout.delimiter,
                skipinitialspace=layout.spaced,
                escapechar="\\" if layout.escaped else None,
            )
            lines_skipped = layout.skip
            line = 1
            try:
                for record in reader:
                    last_line = reader.line_num
                    if last_line != line and self._at_end:
                        raise _build_unclosed_quote_refusal(lines_skipped + line)
                    if last_line != line and _has_rows_within_quoted_cell(record, layout):
                        raise _build_stray_quote_refusal(lines_skipped + line)
                    # The first comparison saves most rows the check of all cells.
                    if record and (record[0] >= "!" or any(map(str.strip, record))):
                        yield lines_skipped + line, record
                    line = last_line + 1
            except csv.Error:
                if reader.line_num > line:
                    raise _build_unclosed_quote_refusal(lines_skipped + line) from None
                raise _build_long_cell_refusal(
                    gettext("line %(line)s") % {"line": lines_skipped + line}
                ) from None

    def _mark_end_and_yield_empty_string(self) -> Iterator[str]:
        """An empty line after the last one; it ends up in a quoted cell that was never closed."""
        self._at_end = True
        yield ""

    def _iter_filled_sheet_rows_by_subprocess_or_refuse(self) -> Iterator[tuple[int, list[str]]]:
        # Headings in two rows are merged cells, too; they are read as they stand.
        merged_from = str(self.layout.skip or -1)
        process = subprocess.Popen(
            [sys.executable, "-P", workbook.__file__, self.path, merged_from, *self.layout.sheets],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        output = process.stdout
        assert output is not None  # stdout=PIPE
        self._rows_read = 0
        try:
            stream = io.TextIOWrapper(output, "utf-8", newline="")
            reader = csv.reader(stream)
            heights = list(map(int, next(reader, ["0"])))
            self._row_count = max(1, sum(heights))
            sheet_starts = accumulate(heights[:-1])  # rows of later sheets are numbered on
            start, end = 0, next(sheet_starts, self._row_count)
            for number, record in enumerate(reader, 1):
                self._rows_read = number
                if number > end:
                    start, end = end, next(sheet_starts, self._row_count)
                if number - start > self.layout.skip and any(map(str.strip, record)):
                    yield number, record
            if status := process.wait():
                raise _build_workbook_refusal(status)
        except csv.Error:
            raise _build_long_cell_refusal(
                gettext("row %(row)s") % {"row": self._rows_read + 1}
            ) from None
        finally:
            process.kill()
            process.wait()
            output.close()


def _build_workbook_refusal(status: int) -> ImportRefused:
    """Why the process that reads a workbook ended with this status."""
    if status == workbook.TOO_MANY_ROWS:
        return ImportRefused(
            gettext("the sheet has more than %(count)s rows: save it as CSV")
            % {"count": format_count(workbook.MAX_ROWS)}
        )
    if status == 1:
        return ImportRefused(
            gettext("the workbook is damaged: open it in Excel and save it again, or as CSV")
        )
    return ImportRefused(gettext("the workbook needs too much memory: save it as CSV"))


def _build_unclosed_quote_refusal(line: int) -> ImportRefused:
    return ImportRefused(
        gettext("line %(line)s: a quotation mark is opened and never closed; remove it or close it")
        % {"line": line}
    )


def _build_stray_quote_refusal(line: int) -> ImportRefused:
    return ImportRefused(
        gettext(
            "line %(line)s: a quotation mark joins several rows to one; remove it, or write two for"
            " one that belongs to the text"
        )
        % {"line": line}
    )


def _has_rows_within_quoted_cell(record: list[str], layout: Layout) -> bool:
    """Whether a cell with several lines holds what looks like rows of the table."""
    delimiter, width = layout.delimiter, max(2, len(layout.headings))
    for cell in record:
        if "\n" not in cell and "\r" not in cell:
            continue
        rows = [
            line.split(delimiter)
            for line in cell.splitlines()[1:]
            if line.count(delimiter) >= width - 1
        ]
        if len(rows) > 1 or any(map(_looks_like_phone_email_or_date, chain.from_iterable(rows))):
            return True
    return False


def _build_long_cell_refusal(place: str) -> ImportRefused:
    return ImportRefused(
        gettext(
            "%(place)s: a cell has more than %(count)s characters; is this a list of customers?"
        )
        % {"place": place, "count": format_count(csv.field_size_limit())}
    )


class _UnpackingReader(io.RawIOBase):
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
                gettext("the compressed file is damaged or incomplete: create and upload it again")
            ) from None
        self.count += count
        self.position = self.file.tell()
        _refuse_if_unpacked_too_large(self.position, self.count, self.largest_bytes)
        return count

    def close(self) -> None:
        """Close the packed file, too."""
        self.file.close()
        super().close()


def _refuse_if_unpacked_too_large(packed: int, unpacked: int, largest_bytes: int) -> None:
    if unpacked > largest_bytes:
        raise ImportRefused(
            gettext(
                "the file has more than %(count)s MB (unpacked, if it is compressed): split it into"
                " several files"
            )
            % {"count": format_count(round(largest_bytes / 1e6))}
        )
    if unpacked > BOMB_MIN_BYTES and unpacked > BOMB_UNPACK_RATIO * packed:
        raise ImportRefused(
            gettext(
                "the file unpacks to more than %(count)s times its size; is this a list of"
                " customers? If so, upload it as CSV, not compressed"
            )
            % {"count": BOMB_UNPACK_RATIO}
        )


def _refuse_unusable_workbook(path: Path, largest_bytes: int) -> None:
    try:
        with zipfile.ZipFile(path) as file:
            parts = file.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, struct.error):
        raise ImportRefused(
            gettext("the workbook is damaged or incomplete: upload it again, or save it as CSV")
        ) from None
    names = {part.filename for part in parts}
    if "xl/workbook.xml" not in names:
        if "xl/workbook.bin" in names:
            raise ImportRefused(
                gettext(
                    "this is a binary workbook (.xlsb): open it in Excel and save it as CSV or"
                    " .xlsx"
                )
            )
        if "content.xml" in names:
            raise ImportRefused(
                gettext(
                    "this is an OpenDocument file: open it in LibreOffice and save it as CSV or"
                    " .xlsx"
                )
            )
        raise ImportRefused(
            gettext(
                "this is an archive (.zip), not a list: unpack it and upload the CSV or .xlsx in it"
            )
        )
    _refuse_if_unpacked_too_large(
        path.stat().st_size, sum(part.file_size for part in parts), largest_bytes
    )
    if any(map(partial(_has_formula_without_result, path), filter(_is_worksheet_part, names))):
        raise ImportRefused(
            gettext(
                "the workbook has formulas whose results are not stored in it: open it in Excel,"
                " save it again and upload that file"
            )
        )


def _is_worksheet_part(part_name: str) -> bool:
    return part_name.startswith("xl/worksheets/") and part_name.endswith(".xml")


def _has_formula_without_result(path: Path, part_name: str) -> bool:
    """Whether a sheet has a formula without a result, which would be read as an empty cell."""
    tail = b""
    try:
        with zipfile.ZipFile(path) as file, file.open(part_name) as part:
            while block := part.read(READ_BYTES):
                block = tail + block
                if b"<f" in block:
                    for cell in _FORMULA_WITHOUT_RESULT.finditer(block):
                        if not cell["value"] or b't="str"' not in cell["attributes"]:
                            return True
                tail = block[-OVERLAP_BYTES:]
    except (zipfile.BadZipFile, EOFError, zlib.error, OSError, NotImplementedError, RuntimeError):
        return False  # reading the rows says that it is damaged
    return False


@dataclass
class _FileScan:
    """The result of one pass over all bytes of a file."""

    head: bytes = b""
    is_complete: bool = False  # whether the head is the full file
    non_ascii_lines: bytes = b""  # lines that show the encoding
    is_utf8: bool = True
    has_nul: bool = False


def _scan_file_or_refuse(path: Path, compressed: bool, largest_bytes: int) -> _FileScan:
    scan = _FileScan()
    decoder = codecs.getincrementaldecoder("utf-8")()
    non_ascii_lines: list[bytes] = []
    size = 0
    with io.BufferedReader(_UnpackingReader(path, compressed, largest_bytes), READ_BYTES) as source:
        while block := source.read(READ_BYTES):
            if not size:
                scan.head = block[:SAMPLE_BYTES]
            size += len(block)
            scan.has_nul = scan.has_nul or b"\0" in block
            if len(block) == READ_BYTES and b"\n" not in block and b"\r" not in block:
                raise ImportRefused(
                    gettext(
                        "the file has a line of more than %(count)s characters; is this a list of"
                        " customers? If so, save the list as CSV or .xlsx in the program it comes"
                        " from"
                    )
                    % {"count": format_count(READ_BYTES)}
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


def _detect_csv_layout_or_refuse(
    path: Path, compressed: bool, encoding: str, region: str, largest_bytes: int
) -> Layout:
    scan = _scan_file_or_refuse(path, compressed, largest_bytes)
    _refuse_other_formats(scan.head)
    encoding = (
        _canonical_encoding_or_refuse(encoding)
        if encoding
        else _detect_encoding_or_refuse(scan, region)
    )
    text = scan.head.decode(encoding, "replace").replace("\0", "")
    for pattern, refusal in _OTHER_TEXTS:
        if pattern.match(text) or (pattern.flags & re.MULTILINE and pattern.search(text[:4000])):
            raise ImportRefused(str(refusal))
    # Lines cannot be cut from UTF-16 and UTF-32 by their bytes; the head may end within a letter.
    is_wide = encoding.startswith(("utf-16", "utf-32"))
    letters = text[:-1] if is_wide else scan.non_ascii_lines.decode(encoding, "replace")
    if encodings.is_mojibake(letters):
        raise ImportRefused(
            gettext(
                "the letters of this file were damaged before (such as \u00c3\u00a9 for \u00e9): "
                "export the list again as UTF-8"
            )
        )
    sample = text[:CONTROL_SAMPLE_CHARACTERS]
    control_count = sum(character < " " and character not in "\t\r\n" for character in sample)
    if control_count > MAX_CONTROL_SHARE * len(sample):
        raise ImportRefused(str(_NO_TEXT))
    lines = list(io.StringIO(text, newline=""))
    if not scan.is_complete:
        lines.pop()
    skip = next((number for number, line in enumerate(lines) if line.strip()), 0)
    if lines and (separator := _SEPARATOR_LINE.fullmatch(lines[skip].strip(" \r\n"))):
        delimiter = separator[1]
        skip += 1
    else:
        delimiter = max(
            DELIMITERS,
            key=lambda candidate: _delimiter_score_and_table_width(lines[skip:], candidate),
        )
    spaced = any(f'{delimiter} "' in line for line in lines[skip:])
    return Layout(
        "csv",
        largest_bytes,
        compressed,
        encoding,
        delimiter,
        spaced,
        scan.has_nul,
        skip=skip,
        escaped=_ESCAPED_QUOTE.search(text) is not None,
    )


def _canonical_encoding_or_refuse(name: str) -> str:
    """The name of an encoding, if it exists."""
    try:
        "".encode(name)
        return codecs.lookup(name).name
    except (LookupError, UnicodeError):
        raise ImportRefused(
            gettext("there is no encoding %(name)s: name one such as utf-8, cp1252 or cp1253")
            % {"name": name}
        ) from None


def _refuse_other_formats(head: bytes) -> None:
    """Refuse files that are not tables, by their first bytes."""
    text = head.removeprefix(codecs.BOM_UTF8).lstrip()
    for signature, refusal in _OTHER_FORMATS:
        if head.startswith(signature) or text.startswith(signature):
            raise ImportRefused(str(refusal))
    if head.startswith((*_ZIP_SIGNATURES, _GZIP_SIGNATURE)) or head[257:262] == b"ustar":
        raise ImportRefused(
            gettext(
                "there is an archive or a workbook inside the compressed file: unpack it and"
                " upload the CSV or .xlsx in it"
            )
        )


def _detect_encoding_or_refuse(scan: _FileScan, region: str) -> str:
    head = scan.head
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
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
    controls = sum(
        byte < 0x20 and byte not in b"\t\r\n" for byte in head[:CONTROL_SAMPLE_CHARACTERS]
    )
    if controls > MAX_CONTROL_SHARE * min(len(head), CONTROL_SAMPLE_CHARACTERS):
        raise ImportRefused(str(_NO_TEXT))
    encoding = encodings.detect_legacy_encoding_or_empty(sample, region)
    if not encoding and len(set(map(_is_utf8, sample.splitlines()))) > 1:
        raise ImportRefused(
            gettext(
                "some lines of this file are written in UTF-8 and others in another encoding:"
                " export the list again as UTF-8"
            )
        )
    if not encoding:
        raise ImportRefused(
            Question(
                gettext(
                    "the letters of this file can be read in several ways: save it as UTF-8, or"
                    " name its encoding, such as cp1252"
                ),
                "--encoding ENCODING",
            )
        )
    return encoding


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _delimiter_score_and_table_width(lines: list[str], delimiter: str) -> tuple[float, int]:
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
    value_count = sum(
        _looks_like_phone_email_or_date(cell) for record in records for cell in record
    )
    return same_width_count / len(records) * (1 + value_count / len(records)), width


def _looks_like_phone_email_or_date(cell: str) -> bool:
    return (
        cells.looks_like_phone(cell)
        or cells.looks_like_email(cell)
        or cells.looks_like_date_with_year(cell)
    )


def _add_headings_or_refuse(path: Path, layout: Layout, has_header: bool | None) -> Layout:
    sample = list(islice(FileReader(path, layout), SAMPLE_ROWS + heading_rows.MAX_ROWS_ABOVE))
    if not sample:
        raise ImportRefused(gettext("the file has no rows: export the list again"))
    found = heading_rows.find_headings_or_refuse(sample, has_header=has_header)
    records = sample[found.end :]
    if not records:
        raise ImportRefused(
            gettext("the file has headings and no rows below them: export the list again")
        )
    widths = [_width_without_trailing_blanks(record) for _, record in records]
    width = len(found.cells)
    if layout.kind == "csv" and found.cells:
        too_wide = [
            line for (line, _), filled in zip(records, widths, strict=True) if filled > width
        ]
        if len(too_wide) * 2 > len(records):
            raise ImportRefused(
                gettext(
                    "line %(line)s: the rows have more cells than the headings; put quotation marks"
                    " around cells that hold the separator, or give each column a heading"
                )
                % {"line": too_wide[0]}
            )
    elif layout.kind == "csv":
        common = Counter(widths)
        # Rows of many widths have no usual one; then the most common counts.
        width = max(
            (filled for filled, count in common.items() if count * 5 >= len(widths)),
            default=common.most_common(1)[0][0],
        )
    else:
        width = max(width, *widths)
    if layout.kind == "csv" and width == 1 and _are_rows_quoted_as_one_cell(records):
        raise ImportRefused(
            gettext("each line is one cell, in quotation marks: export the list again without them")
        )
    return replace(
        layout,
        has_header=bool(found.cells),
        headings=_unique_heading_names(found.cells, width),
        skip=records[0][0] - 1,
        notes=layout.notes + found.notes,
        titles=found.titles,
    )


def _width_without_trailing_blanks(record: list[str]) -> int:
    """How many cells a row has without empty ones at its end."""
    width = len(record)
    while width and not record[width - 1].strip():
        width -= 1
    return width


def _are_rows_quoted_as_one_cell(records: list[tuple[int, list[str]]]) -> bool:
    """Whether the only cell of most rows holds a separator and a value."""
    count = 0
    for _number, record in records:
        for delimiter in DELIMITERS:
            parts = record[0].split(delimiter)
            if len(parts) > 1 and any(map(_looks_like_phone_email_or_date, parts)):
                count += 1
                break
    return count * 2 > len(records)


def _detect_workbook_layout_or_refuse(
    path: Path, sheet: str, has_header: bool | None, largest_bytes: int
) -> Layout:
    """The layout of the only list of a workbook, or of all its sheets with the same headings."""
    visible, hidden = read_names_of_visible_and_hidden_filled_sheets_or_refuse(path)
    _refuse_if_comment_refuses_messages(path)
    names = visible
    if sheet:
        if sheet not in (*visible, *hidden):
            raise ImportRefused(
                gettext("there is no sheet %(sheet)s; there are: %(sheets)s")
                % {"sheet": sheet, "sheets": ", ".join(visible)}
            )
        names = [sheet]
    elif names:
        refusing = [
            name
            for name in hidden
            if title_names_opt_outs_or_former_people(name)
            and _may_sheet_hold_customers(path, name, largest_bytes)
        ]
        if refusing:
            lists_and_refusing = [*names, *refusing]
            raise _build_question_which_sheet(
                gettext("the workbook has a hidden list; choose the sheet of one: %(sheets)s")
                % {"sheets": ", ".join(lists_and_refusing)},
                lists_and_refusing,
            )
    if not names:
        raise ImportRefused(gettext("the file has no rows: export the list again"))
    layouts: dict[str, Layout] = {}
    refusals: dict[str, ImportRefused] = {}
    for name in names[:MAX_SHEETS]:
        try:
            layout = Layout("xlsx", largest_bytes, sheets=(name,))
            layouts[name] = _add_headings_or_refuse(path, layout, has_header)
        except ImportRefused as error:
            refusals[name] = error
    if not layouts:
        raise next(iter(refusals.values()))
    lists = {
        name: layout for name, layout in layouts.items() if _is_sheet_a_customer_list(path, layout)
    } or dict(islice(layouts.items(), 1))
    first = next(iter(lists.values()))
    if len({(layout.headings, layout.skip) for layout in lists.values()}) > 1:
        raise _build_question_which_sheet(
            gettext("the workbook has several lists; choose the sheet of one: %(sheets)s")
            % {"sheets": ", ".join(lists)},
            lists,
        )
    other = [name for name in lists if not _is_sheet_named_for_customers_place_or_time(name)]
    if other and len(lists) > 1:
        raise _build_question_which_sheet(
            gettext(
                "the workbook has several lists with the same headings, and sheet %(sheet)s may"
                " hold other people than customers; choose the sheet of one: %(sheets)s"
            )
            % {"sheet": other[0], "sheets": ", ".join(lists)},
            lists,
        )
    other_sheets = [
        layout_of_sheet_or_refuse(path, name, largest_bytes)
        for name in visible[:MAX_SHEETS]
        if name not in lists
    ]
    first = _with_legends_of_sheets(path, first, other_sheets)
    _refuse_if_filled_rows_are_hidden(path, lists)
    notes = _notes_on_marks_of_cells(path)
    titles = chain.from_iterable(layout.titles for layout in lists.values())
    return replace(first, sheets=tuple(lists), notes=(*first.notes, *notes), titles=tuple(titles))


def _with_legends_of_sheets(path: Path, layout: Layout, others: Sequence[Layout]) -> Layout:
    """The layout of a list with the legends of other sheets in its headings."""
    legends = [
        legend
        for other in others
        for legend in divide_rows_and_legends(
            [
                *([text] for _, text in other.titles),
                other.headings,
                *(row for _, row in islice(FileReader(path, other), SAMPLE_ROWS)),
            ]
        ).legends
    ]
    if not legends:
        return layout
    rows = [row for _, row in islice(FileReader(path, layout), SAMPLE_ROWS)]
    return replace(layout, headings=tuple(headings_with_legends(layout.headings, legends, rows)))


def _build_question_which_sheet(question: str, names: Iterable[str]) -> ImportRefused:
    """The question, with what to do about the sheets among these whose names speak of opt-outs."""
    for name in filter(title_names_opt_outs_or_former_people, names):
        question = gettext(
            "%(question)s; sheet %(sheet)s says by its name that these people want no messages:"
            " they get none if another sheet is chosen"
        ) % {"question": question, "sheet": name}
    return ImportRefused(Question(question, "--sheet NAME"))


def layout_of_sheet_or_refuse(path: Path, name: str, largest_bytes: int) -> Layout:
    """How one sheet of a workbook is read; if nobody can tell which row holds headings, none does.

    Args:
        path: the workbook.
        name: of the sheet, which has cells.
        largest_bytes: the most bytes that the file may have, unpacked.

    Raises:
        ImportRefused: if the sheet cannot be read.
    """
    layout = Layout("xlsx", largest_bytes, sheets=(name,))
    try:
        return _add_headings_or_refuse(path, layout, None)
    except ImportRefused:
        return _add_headings_or_refuse(path, layout, has_header=False)


def _may_sheet_hold_customers(path: Path, name: str, largest_bytes: int) -> bool:
    layout = Layout("xlsx", largest_bytes, sheets=(name,))
    try:
        return _is_sheet_a_customer_list(path, _add_headings_or_refuse(path, layout, None))
    except ImportRefused:
        return False


def _refuse_if_comment_refuses_messages(path: Path) -> None:
    for comment in workbook_marks.read_comments(path):
        if cell_refuses_messages(comment):
            raise ImportRefused(
                gettext(
                    "a comment on a cell says no to messages: %(text)s; comments are not read, so"
                    " write what they say into a column of notes and remove them"
                )
                % {"text": repr(comment[:60])}
            )


def _refuse_if_filled_rows_are_hidden(path: Path, sheet_names: Collection[str]) -> None:
    """Refuse rows that nobody sees, such as those that a filter left out."""
    if count := workbook_marks.count_hidden_filled_rows(path, sheet_names):
        raise ImportRefused(
            ngettext(
                "%(count)s filled row is hidden, by a filter or by hand: show all rows and delete"
                " those of people who are not to be imported, then upload the file again",
                "%(count)s filled rows are hidden, by a filter or by hand: show all rows and delete"
                " those of people who are not to be imported, then upload the file again",
                count,
            )
            % {"count": format_count(count)}
        )


def _notes_on_marks_of_cells(path: Path) -> list[str]:
    """What is not read of a workbook beside the text of its cells."""
    comments = len(workbook_marks.read_comments(path))
    struck = workbook_marks.count_struck_cells(path)
    notes = []
    if comments:
        notes.append(
            gettext("comments on cells: not read (%(count)s)") % {"count": format_count(comments)}
        )
    if struck:
        notes.append(
            gettext(
                "cells that are struck through: %(count)s; they are read as others, so remove the"
                " rows of people who want no messages"
            )
            % {"count": format_count(struck)}
        )
    return notes


def _is_sheet_named_for_customers_place_or_time(sheet_name: str) -> bool:
    """Whether a sheet is named for customers, a place or a time, or has the name of a new one.

    So are `Clienti 2024`, `A-M`, `März` and `Tabelle1`; nobody knows who is on `Problemfälle`.
    """
    return all(
        word.isdigit()
        or len(word) == 1
        or word in _NAMES_OF_NEW_SHEETS
        or is_month_name_or_abbreviation(word)
        or bool(CONCEPTS_BY_WORD.get(word, set()) & _CONCEPTS_OF_CUSTOMERS)
        for word in canonical_heading_words(sheet_name)
    )


_NEW_SHEETS = (
    "sheet worksheet table tabelle blatt feuil feuille hoja foglio φυλλο export import data list "
    "liste lista λιστα page seite pagina all alle tous todos tutti ολοι μελη πελατολογιο"
)
_NAMES_OF_NEW_SHEETS = frozenset(_NEW_SHEETS.split())
_CONCEPTS_OF_CUSTOMERS = frozenset(
    {"person", "contact", "date", "shop", "place", "area", "phone", "mobile"}
)


def _is_sheet_a_customer_list(path: Path, layout: Layout) -> bool:
    """Whether a sheet could be a list of customers: a heading of a contact, or phone numbers."""
    if layout.has_header and any(map(heading_rows.is_heading_of_contact_field, layout.headings)):
        return True
    rows = islice(FileReader(path, layout), SAMPLE_ROWS)
    return any(cells.looks_like_phone(cell) for _, record in rows for cell in record)


def read_names_of_visible_and_hidden_filled_sheets_or_refuse(
    path: Path,
) -> tuple[list[str], list[str]]:
    """The names of the visible and of the hidden sheets that have cells, in their order."""
    result = subprocess.run(
        [sys.executable, "-P", workbook.__file__, "--sheets", path],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if result.returncode:
        raise _build_workbook_refusal(result.returncode)
    reader = csv.reader(io.StringIO(result.stdout.decode(), newline=""))
    sheets = [row for row in reader if row]
    return (
        [name for name, visibility in sheets if visibility == "visible"],
        [name for name, visibility in sheets if visibility == "hidden"],
    )


def _unique_heading_names(header: Sequence[str], width: int) -> tuple[str, ...]:
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
