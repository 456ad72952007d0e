"""`make mutants`: breaks product code in small ways, and counts which of them some test notices.

python -m tests.mutants --seed 1 --sample 60 --only messaging/
"""

from __future__ import annotations

import argparse
import queue
import signal
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from tests.mutants import choosing, finding, measuring
from tests.mutants.finding import KINDS, Mutant
from tests.mutants.running import NOT_DECIDED, NOT_NOTICED, NOTICED, Copy, Verdict

ROOT = Path(__file__).resolve().parents[2]
KEPT = Path(".astronote") / "mutants"
ENOUGH = 0.9  # of those decided


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--sample", type=int, default=60, help="so many mutants")
    parser.add_argument("--jobs", type=int, default=2, help="so many at once")
    parser.add_argument("--seconds", type=float, default=120, help="time limit of each")
    parser.add_argument("--only", default="", metavar="PATH_PREFIX", help="of these files alone")
    parser.add_argument("--list", action="store_true", help="show the sample, run nothing")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    mutants = finding.find_all(ROOT, options.only)
    drawn = choosing.sample(mutants, options.sample, options.seed)
    console = Console(stderr=True)
    console.print(f"seed {options.seed}: {len(drawn)} of {len(mutants):,} mutants")
    if options.list:
        for mutant in drawn:
            _show(Console(width=120), mutant)
        return 0
    try:
        verdicts = _try_all(drawn, options.jobs, options.seconds, console)
    except measuring.MeasuringFailed as error:
        console.print(f"The tests do not run unmutated: {error}", markup=False)
        return 2
    report = KEPT / f"report-{options.seed}.json"
    report.write_bytes(_as_json(verdicts, options.seed, len(mutants)))
    _print(verdicts)
    console.print(f"The report is also in {report}")
    outcomes = Counter(verdict.outcome for verdict in verdicts)
    decided = outcomes[NOTICED] + outcomes[NOT_NOTICED]
    return int(outcomes[NOTICED] < ENOUGH * decided)


def _try_all(mutants: list[Mutant], jobs: int, seconds: float, console: Console) -> list[Verdict]:
    """Judge each mutant in one of `jobs` copies of the checkout."""
    copies = [Copy(ROOT) for _ in range(jobs)]
    try:
        with console.status("Which test runs which line"):
            measured = measuring.measured(ROOT, KEPT, copies[0], jobs)
        for test in measured.failed:
            console.print(f"{test} fails unmutated: it is left out", markup=False)
        chooser = choosing.TestChooser(ROOT, measured)
        free: queue.Queue[Copy] = queue.Queue()
        for copy in copies:
            free.put(copy)

        def judge(mutant: Mutant) -> Verdict:
            copy = free.get()
            try:
                return copy.judge(mutant, chooser.tests_of(mutant), seconds)
            finally:
                free.put(copy)

        with ThreadPoolExecutor(jobs) as pool:
            try:
                verdicts = []
                results = pool.map(judge, mutants)
                for verdict in track(results, "Mutants", total=len(mutants), console=console):
                    console.print(_in_one_line(verdict), markup=False, highlight=False)
                    verdicts.append(verdict)
                return verdicts
            except BaseException:  # Ctrl-C does not reach the processes: they have own sessions
                pool.shutdown(wait=False, cancel_futures=True)
                for copy in copies:
                    copy.stop()
                raise
    finally:
        for copy in copies:
            copy.remove()


def _in_one_line(verdict: Verdict) -> str:
    mutant = verdict.mutant
    line = f"{verdict.outcome}: {mutant.path}:{mutant.line} {mutant.kind} {verdict.how}"
    return " ".join(line.split())[:200]


def _show(console: Console, mutant: Mutant, note: str = "") -> None:
    before, after = mutant.before_and_after((ROOT / mutant.path).read_text())
    head = f"{mutant.path}:{mutant.line} {mutant.kind} {note}".rstrip()
    console.print(head, highlight=False, markup=False)
    console.print(f"  [red]- {escape(before)}[/red]", highlight=False)
    console.print(f"  [green]+ {escape(after)}[/green]", highlight=False)


def _print(verdicts: list[Verdict]) -> None:
    console = Console(width=120)
    outcomes = (NOTICED, NOT_NOTICED, NOT_DECIDED)
    table = Table("kind", *outcomes)
    for kind in [*KINDS, "all"]:
        of_kind = Counter(v.outcome for v in verdicts if kind in (v.mutant.kind, "all"))
        table.add_row(kind, *(str(of_kind[outcome]) for outcome in outcomes))
    console.print(table)
    for verdict in verdicts:
        tests = f"{verdict.ran} of {verdict.chosen} tests in {verdict.seconds:.0f} s"
        if verdict.outcome == NOT_NOTICED:
            _show(console, verdict.mutant, f"not noticed by {tests}")
        elif verdict.outcome == NOT_DECIDED:
            _show(console, verdict.mutant, f"not decided by {tests}: {verdict.how}")


def _as_json(verdicts: list[Verdict], seed: int, found: int) -> bytes:
    rows = []
    for verdict in verdicts:
        mutant = verdict.mutant
        before, after = mutant.before_and_after((ROOT / mutant.path).read_text())
        rows.append({
            "path": mutant.path, "line": mutant.line, "kind": mutant.kind,
            "before": before, "after": after, "outcome": verdict.outcome, "how": verdict.how,
            "ran": verdict.ran, "chosen": verdict.chosen, "seconds": verdict.seconds,
        })  # fmt: skip
    totals = Counter(verdict.outcome for verdict in verdicts)
    whole = {
        "seed": seed,
        "found": found,
        "digest": measuring.digest(ROOT),
        "totals": totals,
        "mutants": rows,
    }
    return orjson.dumps(whole, option=orjson.OPT_INDENT_2)


if __name__ == "__main__":
    sys.exit(main())
