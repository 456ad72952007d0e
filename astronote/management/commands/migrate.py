"""`manage.py migrate`, which gives up instead of letting others wait behind it for a lock."""

from __future__ import annotations

from typing import Any

from django.core.management import CommandError
from django.core.management.commands.migrate import Command as DjangoMigrate
from django.db import OperationalError, connections
from psycopg.errors import LockNotAvailable

LOCK_TIMEOUT = "5s"


class Command(DjangoMigrate):
    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, false)", [LOCK_TIMEOUT])
        try:
            super().handle(*args, **options)
        except OperationalError as error:
            if not isinstance(error.__cause__, LockNotAvailable):
                raise
            raise CommandError(
                f"another transaction has kept a table locked for {LOCK_TIMEOUT}. What was finished"
                " stays; run migrate again for the rest."
            ) from None
        finally:
            with connection.cursor() as cursor:
                cursor.execute("RESET lock_timeout")
