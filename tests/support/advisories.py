"""Known weaknesses of what is locked, by pip-audit; part of `make lint`.

Without a way to the advisories it says so and goes on: they cannot be asked for.
"""

from __future__ import annotations

import subprocess
import sys

COMMAND = [
    sys.executable,
    "-m",
    "pip_audit",
    "--requirement",
    "requirements.lock",
    "--no-deps",
    "--disable-pip",
    "--progress-spinner",
    "off",
]


def main() -> int:
    done = subprocess.run(COMMAND, capture_output=True, text=True)
    said = done.stdout + done.stderr
    unreachable = done.returncode != 0 and ("ConnectionError" in said or "timed out" in said)
    asked_in_vain = said.count("could not be audited")
    if unreachable or (asked_in_vain and done.returncode == 0):
        print(f"pip-audit: no advisories within reach, {asked_in_vain} packages not audited")
        return 0
    print(said.strip())
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
