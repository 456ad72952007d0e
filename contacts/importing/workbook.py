"""A program that writes the first filled sheet of a workbook as CSV; it runs in its own process.

The library allocates a sheet as one block of cells and aborts the process if the block does not fit
into memory. Two cells in opposite corners are enough for that, and no check of the file's size
finds them. So a worker reads workbooks through this program.

The first record of the output is the number of rows of the sheet; each row of the sheet follows.
"""

from __future__ import annotations

import csv
import io
import resource
import sys
from datetime import datetime, time
from decimal import Decimal

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


def main(path: str) -> int:
    """Write the sheet to standard output within MEMORY_LIMIT_BYTES; return the exit status."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    limit = MEMORY_LIMIT_BYTES if hard == resource.RLIM_INFINITY else min(MEMORY_LIMIT_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    out = io.TextIOWrapper(sys.stdout.buffer, "utf-8", errors="replace", newline="")
    try:
        with load_workbook(path) as workbook:
            sheet = _first_filled_sheet(workbook)
            height = sheet.end[0] + 1 if sheet and sheet.end else 0
            if height > MAX_ROWS:
                return TOO_MANY_ROWS
            writer = csv.writer(out)
            writer.writerow([height])
            if sheet:
                writer.writerows(map(cell_text, row) for row in sheet.iter_rows())
            out.flush()
    except MemoryError:
        return OUT_OF_MEMORY
    return 0


def _first_filled_sheet(workbook: CalamineWorkbook) -> CalamineSheet | None:
    for metadata in workbook.sheets_metadata:
        if (metadata.typ, metadata.visible) == (
            SheetTypeEnum.WorkSheet,
            SheetVisibleEnum.Visible,
        ):
            sheet = workbook.get_sheet_by_name(metadata.name)
            if sheet.height:
                return sheet
    return None


def cell_text(cell: object) -> str:
    """The text of a cell: integers without a fraction, dates in ISO format."""
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
