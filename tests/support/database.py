"""Emptying the test database between tests."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from django.db import connection

# Written by the migrations and by no test.
KEPT_TABLES = {
    "auth_group",
    "auth_group_permissions",
    "auth_permission",
    "django_content_type",
    "django_migrations",
}
LARGE_TABLE_BYTES = 1_000_000


def empty_filled_tables() -> None:
    """Delete the rows of all tables except KEPT_TABLES; sequences go on.

    TRUNCATE reaches nearly every table by foreign keys and takes a quarter of a second, so it is
    used only if a table has grown.
    """
    with connection.cursor() as cursor:
        cursor.execute(_find_filled_tables())
        filled = cursor.fetchall()
        if any(size > LARGE_TABLE_BYTES for _, size in filled):
            cursor.execute(f"TRUNCATE {', '.join(table for table, _ in filled)} CASCADE")
        elif filled:
            deletes = "; ".join(f"DELETE FROM {table}" for table, _ in filled)
            # A replica checks no foreign keys, so the order of the tables does not matter.
            cursor.execute(
                f"SET session_replication_role = replica; {deletes};"
                " SET session_replication_role = DEFAULT"
            )


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


@cache
def _find_filled_tables() -> str:
    """A query for the names of the tables that have rows, and their sizes in bytes.

    Temporary tables, such as that of an import, end with their connection and are not asked.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        tables = sorted({name for (name,) in cursor.fetchall()} - KEPT_TABLES)
    return " UNION ALL ".join(
        f"""SELECT '"{table}"', pg_relation_size('"{table}"')
        WHERE EXISTS (SELECT FROM "{table}")"""
        for table in tables
    )
