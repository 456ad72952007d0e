"""Python imports this first in each process of a chaos run: its clock can be set while it runs.

The folder CHAOS_CLOCKS holds a file for each process whose clock is wrong: its name is the process
ID, its text the seconds by which the clock is ahead. The monotonic clock stays right, as it does
when a person or NTP sets a machine's clock.
"""

import os
import time
from datetime import datetime, timedelta
from pathlib import Path

from django.utils import timezone

LOOK_SECONDS = 0.1
_folder = Path(os.environ["CHAOS_CLOCKS"])
_right_time, _right_now = time.time, timezone.now
_looked_at, _ahead = float("-inf"), 0.0


def _seconds_ahead() -> float:
    global _looked_at, _ahead
    if time.monotonic() - _looked_at > LOOK_SECONDS:
        _looked_at = time.monotonic()
        try:
            _ahead = float((_folder / str(os.getpid())).read_text())
        except (OSError, ValueError):
            _ahead = 0.0
    return _ahead


def _set_time() -> float:
    return _right_time() + _seconds_ahead()


def _set_now() -> datetime:
    return _right_now() + timedelta(seconds=_seconds_ahead())


time.time, timezone.now = _set_time, _set_now
