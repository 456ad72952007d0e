"""`make bench`: what Astronote does in a second, beside the bare minimum, in one run.

python -m tests.benchmarks --only fairness --size 10000
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table

from tests.benchmarks.result import Result
from tests.support.installation import Installation

# Each is a module of this package with SIZES and `run(place, size)`.
SCENARIOS = {"fairness": "fairness", "import": "import_contacts"}
REPORT = Path(".astronote") / "bench.json"
VARIABLES = {"LOG_LEVEL": "WARNING", "QUEUE_RATE_MAX": "100000", "SMS_BATCH_SIZE": "1000"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=SCENARIOS, help="this scenario alone")
    parser.add_argument("--size", type=int, help="of this size alone")
    options = parser.parse_args()
    console = Console(stderr=True)
    results: list[Result] = []
    for name in [options.only] if options.only else SCENARIOS:
        scenario = importlib.import_module(f"tests.benchmarks.{SCENARIOS[name]}")
        for size in [options.size] if options.size else scenario.SIZES:
            console.print(f"{name}, {size:,} …")
            with Installation(
                web=False, variables=VARIABLES | getattr(scenario, "VARIABLES", {})
            ) as place:
                results += scenario.run(place, size)
    Console(width=int(os.environ.get("COLUMNS", 120))).print(_table(results))
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_bytes(
        orjson.dumps([result.as_dict() for result in results], option=orjson.OPT_INDENT_2)
    )
    console.print(f"The report is also in {REPORT}")
    return 0


def _table(results: list[Result]) -> Table:
    table = Table("scenario", "what")
    for heading in ("size", "ours", "bare", "ours / bare", "naive", "ours / naive", "peak MB"):
        table.add_column(heading, justify="right")
    table.add_column("also")
    for result in results:
        table.add_row(*result.cells())
    return table


if __name__ == "__main__":
    sys.exit(main())
