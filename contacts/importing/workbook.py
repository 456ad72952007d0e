"""A program that writes sheets of a workbook as CSV; it runs in its own process.

The library allocates a sheet as one block of cells and aborts the process if the block does not fit
into memory. Two cells in opposite corners are enough for that, and no check of the file's size
finds them. So a worker reads workbooks through this program.

`workbook.py FILE ROW SHEET…`: the first record of the output is the number of rows of each sheet;
their rows follow. A cell that is merged over several rows stands in each of them, from ROW on
(counted from 0; -1 for nowhere). `workbook.py --sheets FILE`: the names of the sheets that have
cells, each with `visible` or `hidden`.
"""

from __future__ import annotations

import csv
import io
import re
import resource
import sys
from collections.abc import Iterator
from datetime import datetime, time
from decimal import Decimal
from typing import Any

from python_calamine import (
    CalamineSheet,
    CalamineWorkbook,
    SheetTypeEnum,
    SheetVisibleEnum,
    load_workbook,
)

MEMORY_LIMIT_BYTES = 4 << 30
MAX_ROWS = 1_048_576  # the limit of Excel
# Exit statuses.
TOO_MANY_ROWS = 3
OUT_OF_MEMORY = 4
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")


def main(arguments: list[str]) -> int:
    """Write to standard output within MEMORY_LIMIT_BYTES; return the exit status."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    limit = MEMORY_LIMIT_BYTES if hard == resource.RLIM_INFINITY else min(MEMORY_LIMIT_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    out = io.TextIOWrapper(sys.stdout.buffer, "utf-8", errors="replace", newline="")
    writer = csv.writer(out)
    try:
        if arguments[0] == "--sheets":
            with load_workbook(arguments[1]) as workbook:
                writer.writerows(_filled_sheet_names_and_visibility(workbook))
        else:
            with load_workbook(arguments[0]) as workbook:
                merged_from = int(arguments[1])
                sheets = list(map(workbook.get_sheet_by_name, arguments[2:]))
                heights = [sheet.end[0] + 1 if sheet.end else 0 for sheet in sheets]
                if max(heights) > MAX_ROWS:
                    return TOO_MANY_ROWS
                writer.writerow(heights)
                for sheet in sheets:
                    rows = _rows_with_merged_cells_filled(sheet, merged_from)
                    writer.writerows(map(cell_to_text, row) for row in rows)
        out.flush()
    except MemoryError:
        return OUT_OF_MEMORY
    return 0


def _rows_with_merged_cells_filled(sheet: CalamineSheet, first_row: int) -> Iterator[list]:
    """The rows, of which a cell that is merged over several stands in each, as a person reads it.

    Args:
        sheet: the sheet.
        first_row: the first row of which merged cells are filled, counted from 0; -1 for none.
    """
    ends_by_start: dict[int, list[tuple[int, int]]] = {}
    for (top, left), (bottom, _) in (sheet.merged_cell_ranges or ()) if first_row >= 0 else ():
        if first_row <= top < bottom:
            ends_by_start.setdefault(top, []).append((left, bottom))
    if not ends_by_start:
        yield from sheet.iter_rows()
        return
    value_and_end_by_column: dict[int, tuple[Any, int]] = {}
    for number, row in enumerate(sheet.iter_rows()):
        for column, (value, end) in value_and_end_by_column.items():
            if number <= end:
                row[column] = value
        for column, end in ends_by_start.get(number, ()):
            value_and_end_by_column[column] = row[column], end
        yield row


def _filled_sheet_names_and_visibility(workbook: CalamineWorkbook) -> list[tuple[str, str]]:
    return [
        (
            metadata.name,
            "visible" if metadata.visible == SheetVisibleEnum.Visible else "hidden",
        )
        for metadata in workbook.sheets_metadata
        if metadata.typ == SheetTypeEnum.WorkSheet
        and workbook.get_sheet_by_name(metadata.name).height
    ]


def cell_to_text(cell: object) -> str:
    """The text of a cell: integers without a fraction, dates in ISO format."""
    if isinstance(cell, str):
        return (
            cell
            if cell.isprintable() and "_x" not in cell
            else _decode_and_drop_control_chars(cell)
        )
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else format(Decimal(repr(cell)), "f")
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat(" ", "seconds")
    return str(cell)


def _decode_and_drop_control_chars(text: str) -> str:
    """The text without control characters, of which workbooks write some as `_x0000_`."""
    text = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
    return "".join(c for c in text if (c >= " " and c != "\x7f") or c in "\t\r\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
