"""Connections to the master that Sentinel names."""

from __future__ import annotations

from typing import Any

from redis.sentinel import SentinelManagedConnection, SentinelManagedSSLConnection


class ReconnectingSentinelConnection(SentinelManagedConnection):
    """Asks Sentinel anew whenever it has to connect, also in the middle of a command's retries.

    The client asks only when it takes a connection from its pool: a worker that waited for a job
    would try the master that has gone for a minute.
    """

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        """Send a command, to the present master if the connection was lost."""
        if not self._sock:
            self.connect()
        super().send_packed_command(command, check_health)


class SentinelTLSConnection(ReconnectingSentinelConnection, SentinelManagedSSLConnection):
    """The same over TLS."""
