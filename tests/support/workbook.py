"""Writes small .xlsx workbooks by hand, for what no spreadsheet program would let one write."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from xml.sax.saxutils import escape

_TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_DAY_ZERO = date(1899, 12, 30)
_DATE_STYLE = (
    f'<styleSheet xmlns="{_MAIN}"><cellXfs count="2"><xf numFmtId="0"/>'
    '<xf numFmtId="14" applyNumberFormat="1"/></cellXfs></styleSheet>'
)


def write_workbook(
    path: Path,
    *sheets: Iterable[tuple[int, list]],
    names: Iterable[str] = (),
    hidden_rows: Iterable[int] = (),
    merged: Iterable[str] = (),
) -> Path:
    """Write a workbook; each sheet is its rows, each of them its number and its cells.

    Without names the sheets are `Sheet1` and so on. A cell is a str (`#N/A` and the like become
    errors), bool, int, float, date or None. Each sheet has the same hidden rows, by their numbers,
    and the same merged cells, such as `C3:C5`.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        numbers = range(1, len(sheets) + 1)
        parts = [("workbook.xml", "sheet.main"), ("styles.xml", "styles")]
        parts += [(f"worksheets/sheet{n}.xml", "worksheet") for n in numbers]
        overrides = "".join(
            f'<Override PartName="/xl/{name}" ContentType="{_TYPES}.{kind}+xml"/>'
            for name, kind in parts
        )
        file.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
            'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f"{overrides}</Types>",
        )
        file.writestr("_rels/.rels", _relations([("officeDocument", "xl/workbook.xml")]))
        targets = [("styles", "styles.xml")]
        targets += [("worksheet", f"worksheets/sheet{n}.xml") for n in numbers]
        file.writestr("xl/_rels/workbook.xml.rels", _relations(targets))
        titles = "".join(
            f'<sheet name="{escape(name)}" sheetId="{n}" r:id="rId{n + 1}"/>'
            for n, name in zip(numbers, names or [f"Sheet{n}" for n in numbers], strict=True)
        )
        file.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}">'
            f"<sheets>{titles}</sheets></workbook>",
        )
        file.writestr("xl/styles.xml", _DATE_STYLE)
        for number, rows in zip(numbers, sheets, strict=True):
            with file.open(f"xl/worksheets/sheet{number}.xml", "w") as sheet:
                sheet.write(f'<worksheet xmlns="{_MAIN}"><sheetData>'.encode())
                for row, cells in rows:
                    written = "".join(
                        _cell(f"{column_name(n)}{row}", cell) for n, cell in enumerate(cells)
                    )
                    hidden = ' hidden="1"' if row in hidden_rows else ""
                    sheet.write(f'<row r="{row}"{hidden}>{written}</row>'.encode())
                sheet.write(b"</sheetData>")
                if merged:
                    ranges = "".join(f'<mergeCell ref="{each}"/>' for each in merged)
                    sheet.write(f"<mergeCells>{ranges}</mergeCells>".encode())
                sheet.write(b"</worksheet>")
    return path


def column_name(position: int) -> str:
    """The letters of a column: 0 is A, 27 is AB."""
    name = ""
    position += 1
    while position:
        position, letter = divmod(position - 1, 26)
        name = chr(ord("A") + letter) + name
    return name


def _relations(targets: list[tuple[str, str]]) -> str:
    inner = "".join(
        f'<Relationship Id="rId{n}" Type="{_RELATIONS}/{kind}" Target="{target}"/>'
        for n, (kind, target) in enumerate(targets, 1)
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{inner}</Relationships>'


def _cell(place: str, value) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return f'<c r="{place}" t="b"><v>{value:d}</v></c>'
    if isinstance(value, date):
        return f'<c r="{place}" s="1"><v>{(value - _DAY_ZERO).days}</v></c>'
    if isinstance(value, (int, float)):
        return f'<c r="{place}"><v>{value}</v></c>'
    if value.startswith("#"):
        return f'<c r="{place}" t="e"><v>{value}</v></c>'
    return f'<c r="{place}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'
