"""How a process ends: with its parent, and within a time after SIGTERM whatever is away."""

from __future__ import annotations

import ctypes
import logging
import multiprocessing
import os
import signal
import threading

log = logging.getLogger(__name__)
_libc = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1
# Longer than a call to Mitto takes by default; shorter than service managers wait.
END_SECONDS = 40


def end_with_parent() -> None:
    """Have the kernel end this process when the one that started it ends, however it does."""
    _libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM))
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():  # before the kernel was asked
        os._exit(1)


def force_exit_after_in_background(seconds: float = END_SECONDS) -> None:
    """End this process by force unless it has ended by itself in this time.

    Call it at SIGTERM: what is in hand may wait for a server that is away. It is left as by a
    crash, from which nothing is lost or repeated.
    """

    def end() -> None:
        log.error("the work in hand did not end within %s s of SIGTERM and is left", seconds)
        os._exit(1)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
