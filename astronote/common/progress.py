"""Waiting for work of other processes, with a progress bar on a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


def wait_with_progress_bar(
    label: str,
    total: int | None,
    get_progress: Callable[[], tuple[int, bool]],
    *,
    timeout_seconds: float | None = None,
) -> None:
    """Show progress on stderr until the work has ended.

    Args:
        label: what is being done.
        total: how many there are; None if it is not known.
        get_progress: returns how many are done, and whether the work has ended; called ten times
            a second.
        timeout_seconds: how long to wait at most; None: without limit.

    Raises:
        TimeoutError: after `timeout_seconds`.
    """
    deadline = time.monotonic() + (timeout_seconds or float("inf"))
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
            count, ended = get_progress()
            progress.update(task, completed=count)
            if ended:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"{label} has not ended at {count} of {total}")
            time.sleep(0.1)
