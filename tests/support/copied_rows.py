"""Copies of the rows that are there, by the ten thousand, written by the database itself."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import connection, models

from astronote.common.admin_lists import ReadOnlyAdmin
from astronote.common.sql import rows

LARGE = 10_000  # rows; references to a larger table go to its rows in turn
WRITTEN_BY_PEOPLE = 2_000  # rows of a table that nobody fills by the thousand


def copy_rows_of_every_list(size: int) -> dict[str, int]:
    """Fill the table behind each list of the admin with copies of its rows; return their numbers.

    Args:
        size: rows of a table that grows by itself; one that people write gets 2,000 at most.
    """
    models_by_table = {
        model._meta.db_table: model for model in admin.site._registry if model._meta.managed
    }
    counts = {table: _count(table) for table in models_by_table}
    # Stores first, since others belong to them. Twice: a table may refer to one that comes later.
    ordered = sorted(models_by_table, key=lambda table: table != "astronote_user")
    with connection.cursor() as cursor:
        # The rows are right by their making: no foreign key is looked up for any.
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("SET synchronous_commit = off")
        cursor.execute("SET enable_nestloop = off")  # the planner takes the series for short
    for table in ordered * 2:
        model = models_by_table[table]
        grows = isinstance(admin.site._registry[model], ReadOnlyAdmin) or any(
            counts.get(field.related_model._meta.db_table, 0) > LARGE
            for field in model._meta.concrete_fields
            if isinstance(field, models.ForeignKey)
        )
        wanted = size if grows else min(size, WRITTEN_BY_PEOPLE)
        # A table with many rows has been filled with ones that belong together.
        if 0 < counts[table] < min(wanted, LARGE // 10):
            _copy_rows(model, wanted - counts[table], counts)
            counts[table] = _count(table)
    with connection.cursor() as cursor:
        cursor.execute("RESET session_replication_role")
        cursor.execute("RESET synchronous_commit")
        cursor.execute("RESET enable_nestloop")
    return counts


def _copy_rows(model: type[models.Model], size: int, counts: dict[str, int]) -> None:
    """Copy a table's rows in turn, so many times; what must be unique gets another value."""
    table = model._meta.db_table
    distinct = _columns_to_make_distinct(model)
    columns, values, joins = [], [], ""
    for field in model._meta.concrete_fields:
        if isinstance(field, models.AutoField):
            continue
        value = f'old."{field.column}"'
        if isinstance(field, models.ForeignKey):
            target = field.related_model._meta
            if field.column in distinct or counts.get(target.db_table, 0) > LARGE:
                keys = f"keys_{len(columns)}"
                joins += f"""
                    JOIN (SELECT {target.pk.column} AS key, row_number() OVER () AS place
                          FROM {target.db_table} LIMIT {size}) AS {keys} ON {keys}.place = n"""
                value = f"CASE WHEN {value} IS NOT NULL THEN {keys}.key END"
        elif field.column in distinct:
            value = _distinct_value(field, value)
        columns.append(f'"{field.column}"')
        values.append(value)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH old AS MATERIALIZED (
                SELECT *, row_number() OVER () - 1 AS place, count(*) OVER () AS count
                FROM {table} LIMIT 1000)
            INSERT INTO {table} ({", ".join(columns)})
            SELECT {", ".join(values)}
            FROM generate_series(1, {size}) AS n
            JOIN old ON old.place = n % LEAST(old.count, 1000) {joins}
            ON CONFLICT DO NOTHING
            """
        )
        cursor.execute(f"VACUUM ANALYZE {table}")


def _columns_to_make_distinct(model: type[models.Model]) -> set[str]:
    """Of each unique index of the table a column whose values may be others."""
    sql = """
        SELECT array_agg(a.attname::text) FROM pg_index i
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
        WHERE i.indrelid = %s::regclass AND i.indisunique GROUP BY i.indexrelid
    """
    fields = {field.column: field for field in model._meta.concrete_fields}
    found = set()
    for (columns,) in rows(sql, [model._meta.db_table]):
        if not any(isinstance(fields[column], models.AutoField) for column in columns):
            found.add(max(columns, key=lambda column: _ease_of_another_value(fields[column])))
    return found


def _ease_of_another_value(field: models.Field[Any, Any]) -> int:
    if isinstance(field, models.ForeignKey):
        return 1
    if field.choices or isinstance(field, models.SmallIntegerField):
        return 0
    return 3 if isinstance(field, models.CharField) else 2


def _distinct_value(field: models.Field[Any, Any], value: str) -> str:
    """SQL of a value for copy `n` of a row; what is empty stays so."""
    text = f"left(md5(n::text), {field.max_length or 32})"
    by_kind = {
        "EmailField": "'shop' || n || '@example.com'",
        "BinaryField": "sha256(n::text::bytea)",
        "UUIDField": "gen_random_uuid()",
        "DateTimeField": f"{value} + n * interval '1 minute'",
        "DateField": f"{value} + n",
    }
    another = by_kind.get(field.get_internal_type(), text)
    if field.column == "phone":
        another = f"'+3069' || lpad(({LARGE} + n)::text, 8, '0')"
    elif isinstance(field, models.IntegerField):
        another = f"{LARGE} + n"
    elif isinstance(field, models.EmailField):
        another = by_kind["EmailField"]
    return f"CASE WHEN {value} IS NOT NULL THEN {another} END"


def _count(table: str) -> int:
    [(count,)] = rows(f"SELECT count(*) FROM {table}", [])
    return int(count)
