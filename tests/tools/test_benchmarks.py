"""The benchmark's scenarios are found before Django knows its database."""

import subprocess
import sys


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
