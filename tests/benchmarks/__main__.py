"""`make bench`: what Astronote does in a second, beside the bare minimum, in one run.

python -m tests.benchmarks --only fairness --size 10000
"""

from __future__ import annotations

import argparse
import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import orjson
from rich.console import Console
from rich.table import Table

from tests.benchmarks import chart
from tests.benchmarks.result import Result
from tests.support.installation import Installation

# Each is a module of this package with SIZES and `run(place, size)`.
SCENARIOS = {
    "enqueue": "enqueue",
    "segments": "segments",
    "send": "send",
    "growth": "growth",
    "latency": "latency",
    "birthday": "birthday",
    "events": "events",
    "fairness": "fairness",
    "import": "import_contacts",
    "receipts": "receipts",
    "polling": "polling",
    "retention": "retention",
    "pages": "pages",
    "log": "log",
    "slow": "slow",
}
NUMBERS = ("size", "ours", "bare", "ours / bare", "naive", "ours / naive", "SQL / 1,000", "peak MB")
REPORT = Path(".astronote") / "bench.json"
CHART = Path(".astronote") / "bench.svg"
VARIABLES = {"LOG_LEVEL": "WARNING", "QUEUE_RATE_MAX": "100000", "SMS_BATCH_SIZE": "1000"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=SCENARIOS, help="this scenario alone")
    parser.add_argument("--size", type=int, help="of this size alone")
    options = parser.parse_args()
    console = Console(stderr=True)
    results: list[Result] = []
    if options.only and options.size:
        console.print(f"{options.only}, {options.size:,} …")
        results = _run(options.only, options.size)
    else:
        for name in [options.only] if options.only else SCENARIOS:
            for size in [options.size] if options.size else _scenario(name).SIZES:
                results += _run_apart(name, size)
                _keep(results)
    Console(width=int(os.environ.get("COLUMNS", 120))).print(_table(results))
    for remark in _remarks(results):
        print(remark)
    _keep(results)
    console.print(f"The report is also in {REPORT}, and as a picture in {CHART}")
    return 0


def _keep(results: list[Result]) -> None:
    """Write the files of the report; of a run that is stopped they hold what was measured."""
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_bytes(
        orjson.dumps([result.as_dict() for result in results], option=orjson.OPT_INDENT_2)
    )
    CHART.write_text(chart.svg(results))


def _scenario(name: str) -> ModuleType:
    return importlib.import_module(f"tests.benchmarks.{SCENARIOS[name]}")


def _run(name: str, size: int) -> list[Result]:
    scenario = _scenario(name)
    place = Installation(
        web=getattr(scenario, "WEB", False),
        variables=VARIABLES | getattr(scenario, "VARIABLES", {}),
        postgres=getattr(scenario, "POSTGRES", None),
    )
    with place:
        return scenario.run(place, size)


def _run_apart(name: str, size: int) -> list[Result]:
    """In a process of its own: Django knows one database for as long as it lives."""
    command = [sys.executable, "-m", "tests.benchmarks", "--only", name, "--size", str(size)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return [Result.from_dict(row) for row in orjson.loads(REPORT.read_bytes())]


def _table(results: list[Result]) -> Table:
    """Numbers only, without the columns that no result fills; the remarks are `_remarks`."""
    headings = ("scenario", "what", *NUMBERS)
    rows = [result.cells() for result in results]
    filled = [n for n in range(len(headings)) if any(row[n] for row in rows)]
    table = Table()
    for n in filled:
        is_number = headings[n] in NUMBERS
        table.add_column(
            headings[n], justify="right" if is_number else "left", min_width=0 if is_number else 12
        )
    for row in rows:
        table.add_row(*(row[n] for n in filled))
    return table


def _remarks(results: list[Result]) -> list[str]:
    """What belongs to a result and is not in the table, a line each."""
    return [
        f"{scenario}, {what}: {also}"
        for scenario, what, *_, also in (result.cells() for result in results)
        if also
    ]


if __name__ == "__main__":
    sys.exit(main())
