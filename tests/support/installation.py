"""A whole installation of its own, for chaos and benchmarks: servers, sandbox, web and workers.

Imported before Django is set up, since it decides the environment.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import requests
from rq import Worker

from astronote import environment_variables
from astronote.processes import embedded, supervisor
from tests.support.waiting import wait_until

TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def peak_mb(pid: int) -> float:
    """The largest size that a process has had, in megabytes."""
    with open(f"/proc/{pid}/status") as status:
        size = next((line for line in status if line.startswith("VmHWM")), "VmHWM: 0 kB")
    return int(size.split()[1]) / 1024


def cpu_seconds(pid: int) -> float:
    """Processor time that a process and its descendants have used."""
    used: dict[int, float] = {}
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            fields = path.read_text().rsplit(")", 1)[1].split()
            used[one := int(path.parent.name)] = sum(map(int, fields[11:15])) / TICKS
            children.setdefault(int(fields[1]), []).append(one)
    total, waiting = 0.0, [pid]
    while waiting:
        one = waiting.pop()
        total += used.get(one, 0.0)
        waiting += children.get(one, [])
    return total


class Installation:
    """Starts everything on entering and leaves nothing behind but, after an error, its data.

    Args:
        commands: management commands to run, such as `rqworker sms`, each in a process.
        sandbox: arguments of `mitto_sandbox`.
        variables: environment variables.
        postgres: PostgreSQL's settings.
    """

    def __init__(
        self,
        *,
        commands: Sequence[str] = (),
        web: bool = True,
        sandbox: Sequence[str] = (),
        variables: Mapping[str, str],
        postgres: Mapping[str, str] | None = None,
    ) -> None:
        self.commands, self.web, self.sandbox_arguments = commands, web, sandbox
        self.postgres = postgres or {}
        self.root = Path(tempfile.mkdtemp(prefix="astplace-"))
        self.root.chmod(0o755)
        self.web_port, self.sandbox_port = free_port(), free_port()
        self.sandbox_url = f"http://127.0.0.1:{self.sandbox_port}"
        for variable in environment_variables.variables():
            os.environ[variable.name] = variable.local or variable.default or ""
        os.environ |= {
            "DATABASE_URL": embedded.database_url(self.root),
            "REDIS_URL": embedded.redis_url(self.root),
            "SECRET_KEY": "only-for-tests-0123456789-abcdefghijkl",
            "PHONE_HASH_KEY": "only-for-tests-0123456789-abcdefghijkl",
            "PUBLIC_WEB_BASE_URL": f"http://127.0.0.1:{self.web_port}",
            "MITTO_API_BASE": self.sandbox_url,
            "DJANGO_SETTINGS_MODULE": "astronote.settings",
            **variables,
        }
        self.services = embedded.EmbeddedServices(self.root)
        self.log = self.root / "processes.log"

    def __enter__(self) -> Installation:
        import django

        self.services.start()
        django.setup()
        self._configure_postgres()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        self.sandbox = supervisor.ProcessGroup(log=self.log)
        self.sandbox.start(
            "sandbox",
            supervisor.manage_command(
                "mitto_sandbox",
                "--port",
                str(self.sandbox_port),
                "--ledger",
                str(self.root / "ledger.jsonl"),
                *self.sandbox_arguments,
            ),
        )
        wait_until(self._sandbox_answers)
        self.group = supervisor.ProcessGroup(log=self.log)
        if self.web:
            self.group.start("web", supervisor.web_command(self.web_port, 1))
        for number, command in enumerate(self.commands):
            self.start(f"{command.split()[-1]}-{number}", command)
        return self

    def start(self, name: str, command: str) -> None:
        """Run a management command in a process of this name."""
        self.group.start(name, supervisor.manage_command(*command.split()))

    def wait_for_worker(self, name: str) -> int:
        """Wait until the worker in the process of this name takes jobs; return its process ID."""
        from astronote.queues import jobs

        pid = self.group.pids()[name]
        redis = jobs.redis_connection()
        wait_until(lambda: pid in {worker.pid for worker in Worker.all(redis)}, 120)
        return pid

    def behave(self, **switches: Any) -> None:
        """Change how the sandbox answers."""
        requests.put(
            f"{self.sandbox_url}/_sandbox/behaviour", json=switches, timeout=10
        ).raise_for_status()

    def summary(self) -> dict[str, Any]:
        """What the sandbox has accepted."""
        return requests.get(f"{self.sandbox_url}/_sandbox/summary", timeout=30).json()

    def cpu(self) -> dict[str, float]:
        """Processor seconds used so far by PostgreSQL, Redis and each process, by name."""
        pids = {name: self.server_pid(name) for name in ("postgres", "redis")} | self.group.pids()
        return {name: cpu_seconds(pid) for name, pid in pids.items()}

    def _sandbox_answers(self) -> bool:
        try:
            return bool(self.summary())
        except requests.ConnectionError:
            return False

    def _configure_postgres(self) -> None:
        from django.db import connection

        if not self.postgres:
            return
        with connection.cursor() as cursor:
            for name, value in self.postgres.items():
                cursor.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        connection.close()
        self.services.stop()
        self.services.start()

    def __exit__(self, *exc: object) -> None:
        for pid in self.group.pids().values():
            os.kill(pid, signal.SIGCONT)
            os.kill(pid, signal.SIGKILL)
        self.group.stop()
        self.sandbox.stop()
        self.services.stop()
        if exc == (None, None, None):
            shutil.rmtree(self.root, ignore_errors=True)

    def server_pid(self, name: str) -> int:
        found = subprocess.run(
            ["pgrep", "-o", "-f", str(self._mark(name))], capture_output=True, text=True
        )
        return int(found.stdout.split()[0])

    def _mark(self, name: str) -> Path:
        data = self.root / ".astronote" / "postgres"
        return data if name == "postgres" else embedded.socket_folder(self.root) / "valkey.sock"

    def restart(self, name: str, how: signal.Signals) -> None:
        """Stop a server in this way and start it again."""
        running = {"postgres": embedded.postgres_is_running, "redis": embedded.redis_is_running}
        os.kill(self.server_pid(name), how)
        deadline = time.monotonic() + 20
        while running[name](self.root) and time.monotonic() < deadline:
            time.sleep(0.02)
        self.services.start()
