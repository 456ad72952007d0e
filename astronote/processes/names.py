"""The name by which a process is known to PostgreSQL."""

from __future__ import annotations

import sys
from pathlib import Path


def running_command_and_queue_name() -> str:
    """Such as `astronote rqworker sms`: the command, and of workers the queue.

    Other arguments may hold numbers or names of persons.
    """
    program, *arguments = sys.argv or [""]
    if Path(program).name != "manage.py":
        return f"astronote {Path(program).stem}"
    shown = arguments[:2] if arguments and arguments[0].startswith("rqworker") else arguments[:1]
    return " ".join(["astronote", *shown])[:63]
