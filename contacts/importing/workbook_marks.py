"""What a workbook says beside the text of its cells: comments, hidden rows, cells struck through.

The library that reads workbooks knows none of them. Each may say that somebody wants no messages.
"""

from __future__ import annotations

import html
import re
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path

READ_BYTES = 1 << 20
OVERLAP_BYTES = 4096
MAX_ROW_BYTES = 8 << 20  # of a row; the beginning of a longer one is not looked at
MAX_PART_BYTES = 8 << 20  # of styles and of comments; what follows is not looked at

_COMMENT_PARTS = re.compile(r"xl/(?:comments|threadedComments)/?[^/]*\.xml")
_COMMENT = re.compile(r"<(?:\w+:)?(comment|threadedComment)\b[^>]*>(.*?)</(?:\w+:)?\1>", re.DOTALL)
_TEXT = re.compile(r"<(?:\w+:)?(t|text)\b[^>/]*>([^<]+)<")
_FONTS = re.compile(r"<fonts\b.*?</fonts>", re.DOTALL)
_FONT = re.compile(r"<font\s*/>|<font\b.*?</font>", re.DOTALL)
_STRIKE = re.compile(r'<strike\s*(?:val="(?:1|true)"\s*)?/>')
_FORMATS = re.compile(r"<cellXfs\b.*?</cellXfs>", re.DOTALL)
_FORMAT = re.compile(r"<xf\b[^>]*>")
_FONT_OF_FORMAT = re.compile(r'\bfontId="(\d{1,6})"')
_FILLED_CELL = re.compile(rb'<c\b[^>/]{0,200}\bs="(\d{1,6})"[^>/]{0,200}>')
_SHEET = re.compile(r"<(?:\w+:)?sheet\b[^>]*>")
_RELATION = re.compile(r"<(?:\w+:)?Relationship\b[^>]*>")
_ATTRIBUTE = re.compile(r'([\w:]+)="([^"]*)"')
_HIDDEN_ROW = re.compile(rb'<row\b[^>]{0,400}\bhidden="(?:1|true)"[^>]{0,400}(?<!/)>')
_VALUE_OF_CELL = re.compile(rb"<[vt](?: [^>]{0,99})?>\s{0,99}[^\s<]")
_DAMAGED = (
    zipfile.BadZipFile,
    EOFError,
    zlib.error,
    OSError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)


def read_comments(path: Path) -> list[str]:
    """The comments on the cells of a workbook; none if they cannot be read.

    Args:
        path: the workbook, whose rows say it if it is damaged.
    """
    try:
        with zipfile.ZipFile(path) as file:
            parts = [
                _read_start(file, name)
                for name in file.namelist()
                if _COMMENT_PARTS.fullmatch(name)
            ]
    except _DAMAGED:
        return []
    comments = [
        html.unescape("".join(text for _, text in _TEXT.findall(content)))
        for part in parts
        for _, content in _COMMENT.findall(part)
    ]
    return list(dict.fromkeys(filter(str.strip, comments)))


def count_struck_cells(path: Path) -> int:
    """How many filled cells of a workbook are struck through; 0 if that cannot be read.

    Args:
        path: the workbook, whose rows say it if it is damaged.
    """
    try:
        with zipfile.ZipFile(path) as file:
            names = set(file.namelist())
            formats = _struck_formats(
                _read_start(file, "xl/styles.xml") if "xl/styles.xml" in names else ""
            )
            if not formats:
                return 0
            return sum(
                _count_cells_of_formats(file, name, formats)
                for name in names
                if name.startswith("xl/worksheets/") and name.endswith(".xml")
            )
    except _DAMAGED:
        return 0


def count_hidden_filled_rows(path: Path, sheet_names: Collection[str]) -> int:
    """How many rows with values are hidden, by a filter or by hand; 0 if that cannot be read.

    Args:
        path: the workbook, whose rows say it if it is damaged.
        sheet_names: the sheets whose rows are counted.
    """
    try:
        with zipfile.ZipFile(path) as file:
            parts = _parts_of_sheets(file, sheet_names) & set(file.namelist())
            return sum(_count_hidden_filled_rows_of_part(file, part) for part in parts)
    except _DAMAGED:
        return 0


def _parts_of_sheets(file: zipfile.ZipFile, sheet_names: Collection[str]) -> set[str]:
    """The names of the parts that hold sheets."""
    ids = {
        attributes.get("r:id")
        for tag in _SHEET.findall(_read_start(file, "xl/workbook.xml"))
        if html.unescape((attributes := dict(_ATTRIBUTE.findall(tag))).get("name", ""))
        in sheet_names
    }
    relations = [
        dict(_ATTRIBUTE.findall(tag))
        for tag in _RELATION.findall(_read_start(file, "xl/_rels/workbook.xml.rels"))
    ]
    return {
        f"xl/{target.removeprefix('/xl/')}"
        for relation in relations
        if relation.get("Id") in ids and (target := relation.get("Target", ""))
    }


def _count_hidden_filled_rows_of_part(file: zipfile.ZipFile, name: str) -> int:
    count, tail = 0, b""
    with file.open(name) as part:
        while block := part.read(READ_BYTES):
            block = tail + block
            end = block.rfind(b"</row>")
            whole, tail = (block[:end], block[end:]) if end > 0 else (b"", block)
            tail = tail[-MAX_ROW_BYTES:]
            for row in _HIDDEN_ROW.finditer(whole):
                row_end = whole.find(b"</row>", row.end())
                cells = whole[row.end() : row_end if row_end >= 0 else len(whole)]
                count += _VALUE_OF_CELL.search(cells) is not None
    return count


def _read_start(file: zipfile.ZipFile, name: str) -> str:
    with file.open(name) as part:
        return part.read(MAX_PART_BYTES).decode("utf-8", "replace")


def _struck_formats(styles: str) -> set[int]:
    """The numbers of the formats of cells whose font is struck through."""
    fonts, formats = _FONTS.search(styles), _FORMATS.search(styles)
    if not fonts or not formats:
        return set()
    struck_fonts = {
        number
        for number, font in enumerate(_FONT.findall(fonts[0]))
        if _STRIKE.search(font) is not None
    }
    return {
        number
        for number, cell_format in enumerate(_FORMAT.findall(formats[0]))
        if (font := _FONT_OF_FORMAT.search(cell_format)) and int(font[1]) in struck_fonts
    }


def _count_cells_of_formats(file: zipfile.ZipFile, name: str, formats: set[int]) -> int:
    count, tail = 0, b""
    with file.open(name) as part:
        while block := part.read(READ_BYTES):
            block = tail + block
            end = block.rfind(b"<c ")
            whole, tail = (block[:end], block[end:]) if end > 0 else (b"", block)
            tail = tail[-OVERLAP_BYTES:] if len(tail) > READ_BYTES else tail
            count += sum(int(number) in formats for number in _FILLED_CELL.findall(whole))
    return count + sum(int(number) in formats for number in _FILLED_CELL.findall(tail))
