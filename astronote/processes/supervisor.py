"""Child processes of `serve` and `demo`: starting, replacing and stopping them.

The kernel signals them when their parent dies, however it dies.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from astronote.processes.ending import END_SECONDS, PR_SET_PDEATHSIG

_libc = ctypes.CDLL(None)
STOP_SECONDS = END_SECONDS + 2
MANAGE = str(Path(__file__).resolve().parents[2] / "manage.py")


def manage_command(*arguments: str) -> list[str]:
    """The command line of a management command."""
    return [sys.executable, MANAGE, *arguments]


def web_command(port: int, processes: int, *, fd: int | None = None) -> list[str]:
    """The command line of the web server, on this machine's own address or an open socket."""
    where = ["--bind", "127.0.0.1", "--port", str(port)] if fd is None else ["--fd", str(fd)]
    return manage_command("web", *where, "--processes", str(processes))


class ProcessGroup:
    """A group of child processes by name."""

    def __init__(self, log: Path | None = None, **environment: str) -> None:
        self.environment = os.environ | environment
        self.log = log
        self._running: dict[str, tuple[list[str], subprocess.Popen[bytes]]] = {}
        self._passed_fds: tuple[int, ...] = ()

    def pass_fd_to_processes_started_later(self, fd: int) -> None:
        """Let the processes that are started from now on use an open file."""
        self._passed_fds += (fd,)

    def start(self, name: str, command: list[str]) -> None:
        """Start a process under a name; it ends with this one."""
        parent = os.getpid()

        def prepare() -> None:
            _libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM))
            if os.getppid() != parent:
                os._exit(1)

        output = open(self.log, "ab") if self.log else None
        try:
            process = subprocess.Popen(
                command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=prepare,
                start_new_session=True,
                pass_fds=self._passed_fds,
            )
        finally:
            if output:
                output.close()
        self._running[name] = (command, process)

    def pids(self) -> dict[str, int]:
        """Process ids of those that run, by name."""
        return {name: p.pid for name, (_, p) in self._running.items() if p.poll() is None}

    def names_of_ended(self) -> list[str]:
        """Names of those that have ended."""
        return [name for name, (_, process) in self._running.items() if process.poll() is not None]

    def restart_dead_and_return_names(self) -> list[str]:
        """Start again what has ended; return the names."""
        names = self.names_of_ended()
        for name in names:
            self.start(name, self._running[name][0])
        return names

    def signal_all_to_end_or_reload(self, reloading: str) -> None:
        """Have every process end after what it has in hand; `restart_…` then starts it again.

        The one called `reloading` replaces its own children at SIGHUP.
        """
        for name, (_, process) in self._running.items():
            if process.poll() is None:
                process.send_signal(signal.SIGHUP if name == reloading else signal.SIGTERM)

    def stop(self) -> None:
        """Let each finish what it has in hand; kill what takes too long."""
        for _, process in self._running.values():
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for _, process in self._running.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()
