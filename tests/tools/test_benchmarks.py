"""The benchmark's scenarios are found before Django knows its database, and run."""

import os
import subprocess
import sys

import pytest


def test_every_scenario_is_imported_without_settings():
    script = (
        "import importlib; from tests.benchmarks.__main__ import SCENARIOS\n"
        "for name in SCENARIOS.values():\n"
        "    assert importlib.import_module(f'tests.benchmarks.{name}').SIZES\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env={}, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["birthday", "events", "retention", "pages", "segments"])
def test_a_scenario_of_pages_and_rows_runs_at_a_small_size(scenario):
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", "--only", scenario, "--size", "2000"],
        capture_output=True, text=True, env=os.environ | {"EVENTS_OLD": "1000"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"│ {scenario} " in done.stdout
