"""The oldest PostgreSQL that Astronote works with."""

import contextlib

from django.db import OperationalError, connection
from django.db.backends.postgresql.features import DatabaseFeatures

MINIMUM_POSTGRES = (15,)


def set_minimum_postgres_of_connections() -> None:
    """Have each new connection raise NotSupportedError if its server is older."""
    DatabaseFeatures.minimum_database_version = MINIMUM_POSTGRES


def raise_if_postgres_too_old() -> None:
    """Connect once, so that a process does not start with a server that is too old.

    On PostgreSQL 14 messages would be sent and none recorded. A server that cannot be reached is
    waited for elsewhere.

    Raises:
        NotSupportedError: if the server is older than MINIMUM_POSTGRES.
    """
    with contextlib.suppress(OperationalError):
        connection.ensure_connection()
