"""Which test runs through which line, and how long each takes: measured once per state of code.

Lines that run in a process which a test starts count as the test's, if that process ends by itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path

import coverage

from tests.mutants import finding
from tests.mutants.choosing import Measured
from tests.mutants.plugin import TEST_VARIABLE
from tests.mutants.running import Copy

RULES = """
[run]
data_file = {folder}/data
parallel = true
sigterm = true
source = {packages}
context = ${{{variable}-}}
"""
# Of the tests, these do not change what a test of product code runs through.
_BESIDE_TESTS = {"mutants", "chaos", "benchmarks", "test_mutants.py"}


class MeasuringFailed(Exception):
    """The unmutated tests did not run."""


def digest(root: Path) -> str:
    """A name for this state of product and tests."""
    files = [*finding.product_files(root), *(root / "tests").rglob("*.py"), root / "pyproject.toml"]
    kept = [path for path in files if not _BESIDE_TESTS & {*path.relative_to(root).parts}]
    kept += [Path(__file__), Path(__file__).with_name("plugin.py")]
    whole = hashlib.sha256()
    for path in sorted(kept):
        whole.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return whole.hexdigest()[:16]


def measured(root: Path, kept: Path, copy: Copy, jobs: int) -> Measured:
    """What is kept from an earlier run on the same code, or measured now.

    Raises:
        MeasuringFailed: with pytest's last words.
    """
    path = kept / f"tests-{digest(root)}.json"
    if not path.exists():
        found = _measure(copy, jobs)
        kept.mkdir(parents=True, exist_ok=True)
        for old in kept.glob("tests-*.json"):
            old.unlink()
        path.write_text(json.dumps(_packed(found)))
    return _unpacked(json.loads(path.read_text()))


def _measure(copy: Copy, jobs: int) -> Measured:
    folder = copy.folder / "coverage"
    folder.mkdir(exist_ok=True)
    rules = folder / "rules"
    packages = ",".join(str(copy.root / name) for name in finding.packages(copy.root))
    rules.write_text(RULES.format(folder=folder, packages=packages, variable=TEST_VARIABLE))
    variables = {"COVERAGE_PROCESS_START": str(rules), "COVERAGE_CORE": "ctrace"}
    run = copy.pytest(["-n", str(jobs)], variables=variables)
    if run.exit_code not in (0, 1) or not run.tests:
        raise MeasuringFailed(f"pytest ended with {run.exit_code}: {run.output[-2000:]}")
    data = coverage.CoverageData(str(folder / "all"))
    for part in sorted(folder.glob("data.*")):
        other = coverage.CoverageData(str(part))
        with contextlib.suppress(coverage.exceptions.DataError):  # of a process killed as it wrote
            other.read()
            data.update(other)
    lines: dict[str, dict[int, frozenset[str]]] = {}
    for name in data.measured_files():
        path = Path(name).resolve().relative_to(copy.root.resolve())
        lines[str(path)] = {
            line: tests
            for line, contexts in data.contexts_by_lineno(name).items()
            if (tests := frozenset(context for context in contexts if context))
        }
    passed = {name: test["seconds"] for name, test in run.tests.items() if test["passed"]}
    failed = [name for name, test in run.tests.items() if test["failed"]]
    return Measured({n: s for n, s in passed.items() if n not in failed}, lines, failed)


def _packed(found: Measured) -> dict:
    names = sorted(found.seconds)
    number = {name: n for n, name in enumerate(names)}
    return {
        "tests": [[name, round(found.seconds[name], 3)] for name in names],
        "failed": found.failed,
        "lines": {
            path: {line: [number[test] for test in sorted(tests) if test in number]
                   for line, tests in of_file.items()}
            for path, of_file in found.lines.items()
        },
    }  # fmt: skip


def _unpacked(packed: dict) -> Measured:
    names = [name for name, _ in packed["tests"]]
    return Measured(
        dict(packed["tests"]),
        {
            path: {int(line): frozenset(names[n] for n in tests) for line, tests in lines.items()}
            for path, lines in packed["lines"].items()
        },
        packed["failed"],
    )
