"""Writes the first sheet of a workbook that holds anything as CSV; runs as its own process.

The library lays a sheet out as one block of cells and ends the whole process when that block does
not fit into memory: two cells in opposite corners are enough, and no check of the file's size sees
them. So a worker reads workbooks through this program.

The first record is the number of rows of the sheet, then each row of the sheet follows.
"""

from __future__ import annotations

import csv
import io
import resource
import sys
from datetime import datetime, time
from decimal import Decimal

from python_calamine import CalamineSheet, SheetTypeEnum, SheetVisibleEnum, load_workbook

MEMORY = 4 << 30
MOST_ROWS = 1_048_576  # what Excel itself allows
TOO_MANY_ROWS = 3
OUT_OF_MEMORY = 4


def main(path: str) -> int:
    """Write the sheet to standard output; the result is the exit status."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    limit = MEMORY if hard == resource.RLIM_INFINITY else min(MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    out = io.TextIOWrapper(sys.stdout.buffer, "utf-8", errors="replace", newline="")
    try:
        with load_workbook(path) as workbook:
            sheet = _first_filled(workbook)
            height = sheet.end[0] + 1 if sheet else 0
            if height > MOST_ROWS:
                return TOO_MANY_ROWS
            writer = csv.writer(out)
            writer.writerow([height])
            if sheet:
                writer.writerows(map(text, row) for row in sheet.iter_rows())
            out.flush()
    except MemoryError:
        return OUT_OF_MEMORY
    return 0


def _first_filled(workbook) -> CalamineSheet | None:
    for described in workbook.sheets_metadata:
        if (described.typ, described.visible) == (
            SheetTypeEnum.WorkSheet,
            SheetVisibleEnum.Visible,
        ):
            sheet = workbook.get_sheet_by_name(described.name)
            if sheet.height:
                return sheet
    return None


def text(cell) -> str:
    """A cell as the person sees it: whole numbers without a fraction, dates as ISO."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else format(Decimal(repr(cell)), "f")
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat(" ", "seconds")
    return str(cell)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
