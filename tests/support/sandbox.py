"""The Mitto sandbox as a process of its own on a free port."""

from __future__ import annotations

import argparse
import multiprocessing
import os
from dataclasses import asdict
from multiprocessing.connection import Connection

import requests

from messaging import sandbox

# A process that has imported the sandbox once: a fork of it starts in a hundredth of the time.
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["messaging.sandbox"])
SWITCHES_OF_LONG_CALLS = {"latency_ms", "status_latency_ms", "timeout_ms"}


def _run(output: Connection, arguments: tuple[str, ...]) -> None:
    os.dup2(output.fileno(), 1)
    parser = argparse.ArgumentParser()
    sandbox.add_arguments(parser, port=0, key="sandbox", secret="sandbox")
    sandbox.run(vars(parser.parse_args(["--die-with-parent", *arguments])))


class SandboxProcess:
    def __init__(self, *arguments: str) -> None:
        ours, theirs = multiprocessing.Pipe(duplex=False)
        self.process = _processes.Process(target=_run, args=(theirs, arguments), daemon=True)
        self.process.start()
        theirs.close()
        with os.fdopen(os.dup(ours.fileno())) as lines:
            self.url = lines.readline().split()[-1]
        ours.close()
        self.session = requests.Session()
        self.session.trust_env = False  # looking for proxies takes longer than the request
        self.has_changed = False
        self.may_have_open_calls = False

    def __enter__(self) -> SandboxProcess:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self.session.close()
        self.process.kill()
        self.process.join()

    def reset(self) -> None:
        """Behave as at the start and forget all calls, for another test."""
        if self.has_changed:
            self.behave(**asdict(sandbox.Behaviour()))
            self.has_changed = False
        self.session.post(f"{self.url}/_sandbox/reset", timeout=5).raise_for_status()

    def behave(self, **switches: object) -> None:
        self.has_changed = True
        if SWITCHES_OF_LONG_CALLS & switches.keys() or "timeout" in str(switches.get("fault")):
            self.may_have_open_calls = True
        self.session.put(
            f"{self.url}/_sandbox/behaviour", json=switches, timeout=5
        ).raise_for_status()

    def summary(self) -> dict:
        return self.session.get(f"{self.url}/_sandbox/summary", timeout=5).json()

    def messages(self) -> list[dict]:
        return self.session.get(f"{self.url}/_sandbox/messages", timeout=5).json()
