"""The Mitto sandbox as a process of its own on a free port."""

from __future__ import annotations

import subprocess
import sys

import requests


class SandboxProcess:
    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "messaging.sandbox",
                "--port",
                "0",
                "--die-with-parent",
                *arguments,
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = self.process.stdout.readline().split()[-1]
        self.is_as_started = True

    def __enter__(self) -> SandboxProcess:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def reset(self) -> None:
        requests.post(f"{self.url}/_sandbox/reset", timeout=5).raise_for_status()

    def behave(self, **switches: object) -> None:
        self.is_as_started = False
        requests.put(f"{self.url}/_sandbox/behaviour", json=switches, timeout=5).raise_for_status()

    def summary(self) -> dict:
        return requests.get(f"{self.url}/_sandbox/summary", timeout=5).json()

    def messages(self) -> list[dict]:
        return requests.get(f"{self.url}/_sandbox/messages", timeout=5).json()
