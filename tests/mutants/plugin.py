"""The pytest plugin of the mutation sampler: which tests run, what they run through, how they end.

It reports to the folder that MUTANTS_REPORT names.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import coverage
import pytest

from tests.mutants import finding

# Browsers, chaos, races and whole installations: minutes for what quicker tests show too.
SLOW_FILES = {"test_opt_out_race"}
# `tools` tests the tools of the tests.
LEFT_OUT_FOLDERS = {"browser", "end_to_end", "tools"}
SLOW_FIXTURES = {"browser"}
COMMITTING_FIXTURES = {"transactional_db", "live_server"}
# Read by `coverage` in each process that a test starts: in which test its lines are run.
TEST_VARIABLE = "MUTANTS_TEST"
_product = finding.packages(Path(__file__).resolve().parents[2])
_ended: dict[str, dict] = {}
_shared: list[float] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    slow = [item for item in items if _is_left_out(item)]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]
    arguments = Path(os.environ["MUTANTS_REPORT"]) / "arguments"
    place = {test: n for n, test in enumerate(arguments.read_text().splitlines())}
    # Servers start only for the tests that need them; within that, as they were asked for.
    items.sort(key=lambda item: (_database_use(item), place.get(item.nodeid, 0)))


def _is_left_out(item: pytest.Item) -> bool:
    fixtures = set(getattr(item, "fixturenames", ()))
    return (
        item.path.stem in SLOW_FILES
        or item.path.parent.name in LEFT_OUT_FOLDERS
        or bool(fixtures & SLOW_FIXTURES)
    )


def _database_use(item: pytest.Item) -> int:
    """0: none, 1: in a transaction that is rolled back, 2: with rows that are committed."""
    fixtures = set(getattr(item, "fixturenames", ()))
    marker = item.get_closest_marker("django_db")
    if fixtures & COMMITTING_FIXTURES or (marker and marker.kwargs.get("transaction")):
        return 2
    return int(bool(marker) or "db" in fixtures)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item):
    measuring = coverage.Coverage.current()
    os.environ[TEST_VARIABLE] = item.nodeid
    if measuring:
        _forget_cached_results()
        measuring.switch_context(item.nodeid)
    try:
        return (yield)
    finally:
        os.environ.pop(TEST_VARIABLE, None)
        if measuring:
            measuring.switch_context("")


def _forget_cached_results() -> None:
    """A cached function runs in the first test that calls it; others depend on its lines too."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in _product:
            for value in list(vars(module).values()):
                if isinstance(value, functools._lru_cache_wrapper):
                    value.cache_clear()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef):
    """Time what is set up for all tests, such as the database: it is not the first test's."""
    began = time.monotonic()
    try:
        return (yield)
    finally:
        if fixturedef.scope == "session":
            _shared.append(time.monotonic() - began)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    report = yield
    if _shared:
        report.duration = max(0.0, report.duration - max(_shared))
        _shared.clear()
    return report


def pytest_runtest_logstart(nodeid: str) -> None:
    _write([nodeid, None])


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:  # its controller gets the report too
        return
    test = _ended.setdefault(report.nodeid, {"seconds": 0.0, "failed": "", "passed": False})
    test["seconds"] += report.duration
    test["passed"] |= report.passed and report.when == "call"
    if report.failed and not test["failed"]:
        crash = getattr(report.longrepr, "reprcrash", None)
        words = crash.message if crash else str(report.longrepr)
        test["failed"] = f"{report.when}: {words[:300]}"
    if report.failed or report.when == "teardown":
        # At once: a process that hangs is killed.
        _write([report.nodeid, test])


def _write(line: list[Any]) -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        with _report(Path(os.environ["MUTANTS_REPORT"])).open("a") as file:
            file.write(json.dumps([*line, time.time()]) + "\n")


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    if measuring := coverage.Coverage.current():  # an xdist worker may end without atexit
        measuring.stop()
        measuring.save()


def tests_that_ended(folder: Path) -> dict[str, dict]:
    """What became of each test, in the order of their ends, from the report in this folder."""
    return {name: test for name, test, _ in _lines(folder) if test}


def last_test_and_its_begin(folder: Path) -> tuple[str, float]:
    """The test that was begun last and its time since 1970, or an empty name and 0."""
    began = [(name, at) for name, test, at in _lines(folder) if test is None]
    return began[-1] if began else ("", 0.0)


def _lines(folder: Path) -> list[Any]:
    path = _report(folder)
    return [json.loads(line) for line in path.open()] if path.exists() else []


def _report(folder: Path) -> Path:
    return folder / "tests.jsonl"
