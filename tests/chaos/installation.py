"""A whole installation of its own for the chaos run: servers, sandbox, web, workers, scheduler.

Imported before Django is set up, since it decides the environment.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from astronote import embedded, environment

WORKERS = ["sms", "sms", "sms", "scheduler", "contact_import", "birthday",
           "delivery_status_poller", "status_refresh", "watchdog"]  # fmt: skip
# Short, so that minutes of an operator's life pass in seconds; a claim outlives a call's time-out.
HASTE = {
    "SMS_BATCH_SIZE": "20",
    "QUEUE_RATE_MAX": "1000",
    "QUEUE_BACKOFF_MS": "200",
    "MITTO_READ_TIMEOUT": "1.5",
    "MITTO_CONNECT_TIMEOUT": "1",
    "STUCK_LOCKED_MINUTES": "0.1",
    "STUCK_SENDING_MINUTES": "0.05",
    "WATCHDOG_INTERVAL": "2000",
    "SCHEDULE_SWEEP_INTERVAL_MS": "2000",
    "CREDIT_RESERVATION_TTL_MINUTES": "0.3",
    "LOG_LEVEL": "WARNING",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Installation:
    """Starts everything on entering and leaves nothing behind."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="astchaos-"))
        self.root.chmod(0o755)
        self.web_port, self.sandbox_port = free_port(), free_port()
        self.sandbox_url = f"http://127.0.0.1:{self.sandbox_port}"
        for variable in environment.variables():
            os.environ[variable.name] = variable.local or variable.default or ""
        os.environ |= HASTE | {
            "DATABASE_URL": embedded.database_url(self.root),
            "REDIS_URL": embedded.redis_url(self.root),
            "SECRET_KEY": "only for chaos",
            "PHONE_HASH_KEY": "only for chaos",
            "PUBLIC_WEB_BASE_URL": f"http://127.0.0.1:{self.web_port}",
            "MITTO_API_BASE": self.sandbox_url,
            "DJANGO_SETTINGS_MODULE": "astronote.settings",
        }
        self.services = embedded.EmbeddedServices(self.root)
        self.log = self.root / "chaos.log"

    def __enter__(self) -> Installation:
        import django

        from astronote import processes

        self.services.start()
        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        self.sandbox = processes.Processes(log=self.log)
        self.sandbox.start(
            "sandbox",
            processes.manage(
                "mitto_sandbox", "--port", str(self.sandbox_port), "--latency-ms", "150",
                "--undelivered-share", "0.05", "--receipt-delay-ms", "300",
                "--ledger", str(self.root / "ledger.jsonl"),
            ),
        )  # fmt: skip
        self.group = processes.Processes(log=self.log)
        self.group.start("web", processes.web(self.web_port, 1))
        for number, queue in enumerate(WORKERS):
            self.group.start(f"{queue}-{number}", processes.manage("rqworker", queue))
        for number in range(2):
            self.group.start(f"rqscheduler-{number}", processes.manage("rqscheduler"))
        return self

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
