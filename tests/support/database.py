"""The test database of a process: creating it once, emptying it between tests."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
from django.conf import settings
from django.db import IntegrityError, connection

TEMPLATE = "test_template"

# Written by the migrations and by no test.
KEPT_TABLES = {
    "auth_group",
    "auth_group_permissions",
    "auth_permission",
    "django_content_type",
    "django_migrations",
}
LARGE_TABLE_BYTES = 1_000_000
EMPTY_TABLES = "SELECT pg_advisory_unlock_all(), empty_tables()"


def create_test_database(name: str) -> None:
    """Create the database and connect to it: the first process migrates, each takes a copy."""
    root = Path(os.environ["ASTRONOTE_TEST_ROOT"])
    with (root / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as server:
            query = "SELECT FROM pg_database WHERE datname = %s"
            if server.execute(query, [TEMPLATE]).fetchone() is None:
                connection.settings_dict["TEST"]["NAME"] = TEMPLATE
                connection.creation.create_test_db(verbosity=0, serialize=False)
                _create_function_that_empties_tables(connection.connection)
                empty_tables()  # of the submission counter, which knows a copy from its database
                connection.close()
            server.execute(f'CREATE DATABASE "{name}" TEMPLATE {TEMPLATE}')
    settings.DATABASES["default"]["NAME"] = connection.settings_dict["NAME"] = name


def url_of_test_database() -> str:
    """What another process is given as DATABASE_URL to work on the database of this one."""
    name = connection.settings_dict["NAME"]
    return os.environ["DATABASE_URL"].replace("/app?", f"/{name}?")


def empty_tables() -> None:
    """Delete the rows of all tables except KEPT_TABLES; sequences go on, locks are given back."""
    if connection.errors_occurred:  # perhaps the test has ended the session
        connection.close()
    with connection.cursor() as cursor:
        try:
            cursor.execute(EMPTY_TABLES)
        except IntegrityError:  # a process that the test killed has still written something
            cursor.execute(EMPTY_TABLES)


def _create_function_that_empties_tables(server: psycopg.Connection) -> None:
    """Planning so many statements takes far longer than running them: a function plans them once.

    TRUNCATE takes a quarter of a second, so it is used only if a table has grown. The foreign keys
    are checked at the end of the transaction, so the order of the tables does not matter.
    Temporary tables, such as that of an import, end with their connection.
    """
    query = "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = current_schema()"
    tables = {name for (name,) in server.execute(query)} - KEPT_TABLES
    sizes = ", ".join(f"pg_relation_size('{table}')" for table in tables)
    deletes = "; ".join(f"DELETE FROM {table}" for table in tables)
    server.execute(f"""
        CREATE FUNCTION empty_tables() RETURNS void LANGUAGE plpgsql AS $$
        BEGIN
            IF greatest({sizes}) > {LARGE_TABLE_BYTES} THEN
                TRUNCATE {", ".join(tables)};
            ELSE
                {deletes};
            END IF;
        END $$""")


def columns_containing(text: str) -> Iterator[str]:
    """Columns of text of any table that contain a text."""
    with connection.cursor() as cursor:
        cursor.execute(LIST_TEXT_COLUMNS)
        for table, column in cursor.fetchall():
            query = f'SELECT 1 FROM "{table}" WHERE "{column}"::text LIKE %s LIMIT 1'
            cursor.execute(query, [f"%{text}%"])
            if cursor.fetchall():
                yield f"{table}.{column}"


LIST_TEXT_COLUMNS = """
    SELECT table_name, column_name FROM information_schema.columns
    WHERE table_schema = current_schema() AND data_type IN
        ('text', 'character varying', 'character', 'json', 'jsonb', 'bytea', 'ARRAY')
    ORDER BY 1, 2
"""
