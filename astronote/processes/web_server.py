"""The web server: granian, on a socket that outlives its processes.

Granian opens a socket in each of its processes, and what waits in one is lost with it. Here all
processes share one, which `serve` or systemd keeps open while others take their place.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
from typing import Any

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import MPServer

APPLICATION = "astronote.rsgi:application"
KILL_SECONDS = 10  # for the requests under way when a process is to end
# Of a request's line and headers, which anybody may send; up to twice as many if they come at once.
MAX_HEAD_BYTES = 32_768
BACKLOG = 1024  # connections that wait while the processes change
FIRST_PASSED_FD = 3  # systemd's protocol (sd_listen_fds)


class ListenError(Exception):
    """One sentence: why the address cannot be listened on."""


def listening_socket(address: str, port: int) -> socket.socket:
    """The socket that systemd passed to this process, or a new one.

    Raises:
        ListenError: if the address is not this machine's, or somebody listens there.
    """
    if os.environ.get("LISTEN_PID") == str(os.getpid()) and os.environ.get("LISTEN_FDS") == "1":
        return socket.socket(fileno=FIRST_PASSED_FD)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.create_server((address, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise ListenError(f"{address}:{port} cannot be listened on: {error.strerror}") from None


def serve_on_until_sigterm(listener: socket.socket, processes: int) -> None:
    """Answer requests until SIGTERM; SIGHUP replaces the processes one after another."""
    # Forked processes would keep the modules of before an update.
    multiprocessing.set_start_method("spawn")
    _ServerOnOpenListener(
        listener,
        workers=processes,
        # Proxies speak HTTP/1; by HTTP/2 headers of 16 MB would be taken.
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(max_buffer_size=MAX_HEAD_BYTES),
        # A receipt costs a third less processor time than in the event loop of Python.
        loop=Loops.uvloop,
        respawn_failed_workers=True,
        # Now and then a process has closed all and does not end.
        workers_kill_timeout=KILL_SECONDS,
        log_level=LogLevels.error,
    ).serve()


class _ServerOnOpenListener(MPServer):
    """Granian, which itself shares a socket only where the system has no SO_REUSEPORT."""

    def __init__(self, listener: socket.socket, **options: Any) -> None:
        self._listener = listener
        super().__init__(APPLICATION, interface=Interfaces.RSGI, **options)

    def _init_shared_socket(self) -> None:
        self._listener.set_inheritable(True)
        self._ssp = None
        holder: Any = SocketHolder  # its stub lacks the arguments that granian pickles it with
        self._shd = holder(self._listener.fileno(), False, BACKLOG)
        self._sso = self._listener  # passed on to the processes
