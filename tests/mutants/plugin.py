"""The pytest plugin of the mutation sampler: which tests run, what they run through, how they end.

It reports to the folder that MUTANTS_REPORT names.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import coverage
import pytest

# Browsers, chaos, races and whole installations: minutes for what quicker tests show too.
SLOW_FILES = {"test_opt_out_race"}
# `tools` tests the tools of the tests.
LEFT_OUT_FOLDERS = {"browser", "end_to_end", "tools"}
SLOW_FIXTURES = {"browser"}
DATABASE_FIXTURES = {"db", "transactional_db", "live_server"}
# Read by `coverage` in each process that a test starts: in which test its lines are run.
TEST_VARIABLE = "MUTANTS_TEST"
_ended: dict[str, dict] = {}
_shared: list[float] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    slow = [item for item in items if _is_left_out(item)]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]
    # pytest-django puts them last, but they are the quickest.
    items.sort(key=_uses_database)


def _is_left_out(item: pytest.Item) -> bool:
    fixtures = set(getattr(item, "fixturenames", ()))
    return (
        item.path.stem in SLOW_FILES
        or item.path.parent.name in LEFT_OUT_FOLDERS
        or bool(fixtures & SLOW_FIXTURES)
    )


def _uses_database(item: pytest.Item) -> bool:
    fixtures = set(getattr(item, "fixturenames", ()))
    return bool(item.get_closest_marker("django_db") or fixtures & DATABASE_FIXTURES)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item):
    measuring = coverage.Coverage.current()
    os.environ[TEST_VARIABLE] = item.nodeid
    if measuring:
        measuring.switch_context(item.nodeid)
    try:
        return (yield)
    finally:
        os.environ.pop(TEST_VARIABLE, None)
        if measuring:
            measuring.switch_context("")


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
        with _report(Path(os.environ["MUTANTS_REPORT"])).open("a") as file:
            file.write(json.dumps([report.nodeid, test]) + "\n")


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    if measuring := coverage.Coverage.current():  # an xdist worker may end without atexit
        measuring.stop()
        measuring.save()


def tests_that_ended(folder: Path) -> dict[str, dict]:
    """What became of each test, in the order of their ends, from the report in this folder."""
    path = _report(folder)
    return dict(json.loads(line) for line in path.open()) if path.exists() else {}


def _report(folder: Path) -> Path:
    return folder / "tests.jsonl"
