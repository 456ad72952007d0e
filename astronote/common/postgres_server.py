"""What Astronote needs of a PostgreSQL server, or of the pooler before it."""

from __future__ import annotations

import contextlib
from typing import Any

from django.db import NotSupportedError, OperationalError, connection
from django.db.backends.postgresql.features import DatabaseFeatures
from django.db.backends.signals import connection_created

MINIMUM_POSTGRES = (15,)
PROBES = 3
# cursor_tuple_fraction: cursors are read to their end, so plan for all rows, not for the first.
# random_page_cost: looked-up rows are recent and in memory; do not read a table for 1,000 of them.
# jit: compiling the plans of the receipt statements takes longer than it saves.
# enable_parallel_hash: to count a list, its members and the contacts are joined in the order of
# their indexes, which takes two thirds of the time.
# tcp_…: PostgreSQL notices within about a minute that a machine is cut off, and frees its locks.
SESSION_SETTINGS = {
    "cursor_tuple_fraction": "1",
    "random_page_cost": "1.1",
    "jit": "off",
    "enable_parallel_hash": "off",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "60000",
}


_sessions_are_our_own = False


def configure_connections() -> None:
    """Have each new connection set its session up, and refuse a server that cannot be used."""
    DatabaseFeatures.minimum_database_version = MINIMUM_POSTGRES
    connection_created.connect(
        _set_session_settings_or_refuse_transaction_pooler, dispatch_uid="session"
    )


def check_postgres_server() -> None:
    """Connect once, so that a process does not start with a server that it cannot work with.

    On PostgreSQL 14 messages would be sent and none recorded. A server that cannot be reached is
    waited for elsewhere.

    Raises:
        NotSupportedError: if the server is older than MINIMUM_POSTGRES, or its sessions are shared.
    """
    with contextlib.suppress(OperationalError):
        connection.ensure_connection()


def _set_session_settings_or_refuse_transaction_pooler(connection: Any, **_: Any) -> None:
    """Set the session up by statement: poolers refuse the same as `options` of the connection."""
    global _sessions_are_our_own
    names = ", ".join(["set_config(%s, %s, false)"] * len(SESSION_SETTINGS))
    values = [each for item in SESSION_SETTINGS.items() for each in item]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_backend_pid(), {names}", values)
        pid = cursor.fetchone()[0]
    if _sessions_are_our_own:
        return
    # A pooler names no process of the server, since it may change.
    if pid != connection.connection.info.backend_pid and _are_server_sessions_shared_by_pooler(
        connection
    ):
        connection.close()
        raise NotSupportedError(
            "A pooler gives PostgreSQL's sessions to others between transactions, and locks would"
            " be left behind: set pool_mode = session for this database (PgBouncer)."
        )
    _sessions_are_our_own = True


def _are_server_sessions_shared_by_pooler(connection: Any) -> bool:
    """Whether two connections that stay open are served by one session of the server."""
    with connection.get_new_connection(connection.get_connection_params()) as other:
        other.autocommit = True
        pids = [
            one.execute("SELECT pg_backend_pid()").fetchone()[0]
            for _ in range(PROBES)
            for one in (connection.connection, other)
        ]
    return pids[0] == pids[1] or pids != pids[:2] * PROBES
