"""Runs tests in private copies of the checkout, and judges what became of a mutant there."""

from __future__ import annotations

import compileall
import contextlib
import os
import py_compile
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from astronote import environment_variables
from tests.mutants import finding, plugin
from tests.mutants.choosing import Chosen
from tests.mutants.finding import Mutant

NOT_COPIED = shutil.ignore_patterns(
    ".git", ".venv", ".astronote", ".env", "__pycache__", ".*_cache", ".hypothesis"
)
NOTICED, NOT_NOTICED, NOT_DECIDED = "noticed", "not noticed", "not decided"
_PASSED, _FAILED = 0, 1  # exit codes of pytest
# A test that takes so much longer than unmutated hangs, even on a busy machine.
HANGS_AFTER_SECONDS, HANGS_AFTER_TIMES = 30, 10


class Stopped(Exception):
    """The run was interrupted."""


class Run(NamedTuple):
    """How one pytest process ended; `exit_code` is None if it was stopped at the time limit.

    `running` is the test that was begun last, `running_seconds` how long ago.
    """

    exit_code: int | None
    tests: dict[str, dict]
    failed: str
    reason: str
    seconds: float
    output: str
    running: str
    running_seconds: float


class Verdict(NamedTuple):
    """What became of one mutant, and by which test."""

    mutant: Mutant
    outcome: str
    how: str
    ran: int
    chosen: int
    seconds: float


class Copy:
    """A private copy of the checkout; each run in it has servers of its own."""

    def __init__(self, checkout: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mutants-"))
        self.root = self.folder / checkout.name
        shutil.copytree(checkout, self.root, ignore=NOT_COPIED)
        # Bytecode by the source's hash: a mutated file may have the size and second of the other.
        compileall.compile_dir(
            self.root, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH
        )
        if (venv := checkout / ".venv").exists():
            (self.root / ".venv").symlink_to(venv.resolve())
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False
        self._sound: dict[str, bool] = {}

    def stop(self) -> None:
        """End what runs in the copy; whoever waits for it gets Stopped."""
        self._stopped = True
        self._end_process()

    def remove(self) -> None:
        """Delete the copy."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end_process(self) -> None:
        """End the running pytest and what it started in its session."""
        if process := self._process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def pytest(
        self,
        arguments: Sequence[str],
        tests: Sequence[str] = (),
        limit: float | None = None,
        variables: dict[str, str] | None = None,
    ) -> Run:
        """Run pytest with these tests, or all of them, for at most so many seconds."""
        place = Path(tempfile.mkdtemp(prefix="mutants-run-"))
        place.chmod(0o755)  # PostgreSQL may run as somebody else
        (place / "servers").mkdir()
        report = Path(tempfile.mkdtemp(prefix="report-", dir=self.folder))
        (report / "arguments").write_text("\n".join(tests))  # the plugin runs them in this order
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "tests.mutants.plugin",
            *arguments,
        ]
        if tests:
            command.append(f"@{report / 'arguments'}")
        own = {variable.name for variable in environment_variables.variables()}
        inherited = {name: value for name, value in os.environ.items() if name not in own}
        began = time.monotonic()
        exit_code = None
        try:
            with (report / "output").open("wb") as output:
                process = self._process = subprocess.Popen(
                    command,
                    cwd=self.root,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                    env=inherited
                    | {
                        "TMPDIR": str(place),
                        "ASTRONOTE_TEST_ROOT": str(place / "servers"),
                        "MUTANTS_REPORT": str(report),
                        "PYTHONDONTWRITEBYTECODE": "1",
                        **(variables or {}),
                    },
                )
            with contextlib.suppress(subprocess.TimeoutExpired):
                exit_code = process.wait(limit)
        finally:
            seconds, ended_at = time.monotonic() - began, time.time()
            self._end_process()
            self._process = None
            _kill_all_of(place)
            shutil.rmtree(place, ignore_errors=True)
        if self._stopped:
            raise Stopped
        ended = plugin.tests_that_ended(report)
        failed = next((name for name, test in ended.items() if test["failed"]), "")
        words = (report / "output").read_text(errors="replace")
        reason = ended[failed]["failed"] if failed else _last_error(words)
        running, running_since = plugin.last_test_and_its_begin(report)
        running_seconds = ended_at - running_since
        return Run(exit_code, ended, failed, reason, seconds, words, running, running_seconds)

    def judge(self, mutant: Mutant, chosen: Chosen, limit: float) -> Verdict:
        """Run the chosen tests, quickest first, against the mutated copy."""
        if not chosen.tests:
            return Verdict(mutant, NOT_NOTICED, "no test runs it", 0, 0, 0.0)
        if not finding.parses(mutant, (self.root / mutant.path).read_text()):
            return Verdict(mutant, NOT_DECIDED, "it does not parse", 0, len(chosen.tests), 0.0)
        with self._mutated(mutant):
            run = self.pytest(["-n", "0", "-x"], chosen.tests, limit)
        outcome, how = self._outcome(run, chosen, limit)
        return Verdict(
            mutant, outcome, how, len(run.tests), len(chosen.tests), round(run.seconds, 1)
        )

    @contextlib.contextmanager
    def _mutated(self, mutant: Mutant) -> Iterator[None]:
        path = self.root / mutant.path
        source = path.read_text()
        path.write_text(mutant.apply(source))
        try:
            yield
        finally:
            path.write_text(source)

    def _outcome(self, run: Run, chosen: Chosen, limit: float) -> tuple[str, str]:
        if run.exit_code is None:
            usual = chosen.seconds_by_test.get(run.running, limit)
            if run.running_seconds > HANGS_AFTER_SECONDS + HANGS_AFTER_TIMES * usual:
                return NOTICED, f"{run.running} hangs; unmutated it takes {usual:.1f} s"
            together = sum(chosen.seconds_by_test.values())
            return NOT_DECIDED, f"unmutated the tests take {together:.0f} s"
        if run.exit_code == _PASSED:
            return NOT_NOTICED, ""
        test = run.failed or chosen.tests[0]
        if not self._is_sound(test, limit):
            return NOT_DECIDED, f"{test} fails unmutated too"
        if run.exit_code == _FAILED and run.failed:
            return NOTICED, f"{run.failed}: {run.reason}"
        return NOTICED, f"the tests do not start: {run.reason}"

    def _is_sound(self, test: str, limit: float) -> bool:
        """Whether the test passes in the copy as it is: else it says nothing about a mutant."""
        if test not in self._sound:
            self._sound[test] = self.pytest(["-n", "0", "-x"], [test], limit).exit_code == _PASSED
        return self._sound[test]


def _kill_all_of(place: Path) -> None:
    """End what still runs with this temporary folder, such as servers of a mutated launcher."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
            if os.fsencode(place) in words:
                os.kill(int(process.name), signal.SIGKILL)


def _last_error(output: str) -> str:
    errors = [line for line in output.splitlines() if "Error" in line or "rror:" in line]
    return errors[-1].strip()[:300] if errors else output.strip()[-300:]
