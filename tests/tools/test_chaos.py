"""A short run of the chaos suite; `make chaos` is the long one."""

import os
import subprocess
import sys

from astronote import environment, environment_variables


def test_a_short_chaos_breaks_no_rule():
    own = {variable.name for variable in environment_variables.variables()} | {
        "ASTRONOTE_TEST_ROOT"
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos", "--rounds", "8", "--seed", "1"],
        cwd=environment.ROOT,
        capture_output=True,
        text=True,
        timeout=500,
        env={name: value for name, value in os.environ.items() if name not in own},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("│ 0 ") == 15
