"""Waiting for work that other processes do, with a progress bar on a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


def follow(
    label: str,
    total: int | None,
    look: Callable[[], tuple[int, bool]],
    *,
    longest_seconds: float | None = None,
) -> None:
    """Call `look` until it says that all is done, showing how far it is on stderr.

    Args:
        total: how many there are; None if it is not known.
        look: returns how many are done, and whether the work has ended.

    Raises:
        TimeoutError: after `longest_seconds`.
    """
    deadline = time.monotonic() + (longest_seconds or float("inf"))
    columns = (
        TextColumn("{task.description:9}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}" + ("/{task.total:.0f}" if total is not None else "")),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(label, total=total)
        while True:
            count, ended = look()
            progress.update(task, completed=count)
            if ended:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"{label} has not ended at {count} of {total}")
            time.sleep(0.1)
