"""Which test runs through which line, and how long each takes: measured once per state of code.

When only test modules have changed, only these are measured anew.
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
# The process of an RQ job ends so, and would leave nothing.
patch = _exit
context = ${{{variable}-}}
"""
# Of the tests, these do not change what a test of product code runs through.
_BESIDE_TESTS = {"mutants", "chaos", "benchmarks", "test_mutants.py"}


class MeasuringFailed(Exception):
    """The unmutated tests did not run."""


def digest(root: Path) -> str:
    """A name for this state of product and tests."""
    return _digest(root, [*_files_of_all_tests(root), *_test_modules(root)])


def _files_of_all_tests(root: Path) -> list[Path]:
    """Product code and what all tests use: after a change of these all tests are measured."""
    support = [path for path in _python_of_tests(root) if not path.stem.startswith("test_")]
    own = [Path(__file__), Path(__file__).with_name("plugin.py")]
    return [*finding.product_files(root), *support, root / "pyproject.toml", *own]


def _test_modules(root: Path) -> list[Path]:
    return [path for path in _python_of_tests(root) if path.stem.startswith("test_")]


def _python_of_tests(root: Path) -> list[Path]:
    found = (root / "tests").rglob("*.py")
    return [path for path in found if not _BESIDE_TESTS & {*path.relative_to(root).parts}]


def _digest(root: Path, files: list[Path]) -> str:
    whole = hashlib.sha256()
    for path in sorted(files):
        whole.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return whole.hexdigest()[:16]


def measured(root: Path, kept: Path, copy: Copy, jobs: int) -> Measured:
    """What is kept from an earlier run on the same code, or measured now.

    Raises:
        MeasuringFailed: with pytest's last words.
    """
    path = kept / f"tests-{_digest(root, _files_of_all_tests(root))}.json"
    digests = {str(file.relative_to(root)): _digest(root, [file]) for file in _test_modules(root)}
    found, known = Measured({}, {}, []), {}
    if path.exists():
        packed = json.loads(path.read_text())
        found, known = _unpacked(packed), packed["digests"]
    changed = [name for name, state in digests.items() if known.get(name) != state]
    if changed:
        gone = {*changed, *(known.keys() - digests.keys())}
        found = _together(_without(found, gone), _measure(copy, jobs, changed if known else []))
        kept.mkdir(parents=True, exist_ok=True)
        for old in kept.glob("tests-*.json"):
            old.unlink()
        path.write_text(json.dumps(_packed(found) | {"digests": digests}))
    return found


def _without(found: Measured, modules: set[str]) -> Measured:
    """What is known of the tests of other modules."""
    return Measured(
        {t: s for t, s in found.seconds.items() if t.partition("::")[0] not in modules},
        found.lines,
        [test for test in found.failed if test.partition("::")[0] not in modules],
    )


def _together(found: Measured, more: Measured) -> Measured:
    lines: dict[str, dict[int, frozenset[str]]] = {}
    for path in found.lines.keys() | more.lines.keys():
        some, others = found.lines.get(path, {}), more.lines.get(path, {})
        none: frozenset[str] = frozenset()
        lines[path] = {
            line: (some.get(line, none) & found.seconds.keys()) | others.get(line, none)
            for line in some.keys() | others.keys()
        }
    return Measured(found.seconds | more.seconds, lines, [*found.failed, *more.failed])


def _measure(copy: Copy, jobs: int, modules: list[str]) -> Measured:
    """Run the tests of these modules, or all."""
    folder = copy.folder / "coverage"
    folder.mkdir(exist_ok=True)
    rules = folder / "rules"
    packages = ",".join(str(copy.root / name) for name in finding.packages(copy.root))
    rules.write_text(RULES.format(folder=folder, packages=packages, variable=TEST_VARIABLE))
    variables = {"COVERAGE_PROCESS_START": str(rules), "COVERAGE_CORE": "ctrace"}
    run = copy.pytest(["-n", str(jobs)], modules, variables=variables)
    # Modules may hold only tests that are left out: then none is collected.
    if run.exit_code not in (0, 1, *([5] if modules else [])) or not (run.tests or modules):
        raise MeasuringFailed(f"pytest ended with {run.exit_code}: {run.output[-2000:]}")
    (folder / "all").unlink(missing_ok=True)
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
