"""Migrations do not block an installation that is at work.

The rules are django-migration-linter's, its warnings included: indexes are built concurrently, and
what web processes of the version before still use is neither dropped, renamed nor required.
"""

from contextlib import contextmanager

import pytest
import sqlparse
from django.contrib.postgres.operations import AddIndexConcurrently
from django.core.management import CommandError, call_command
from django.db import connection, models
from django.db.migrations import (
    AddConstraint,
    AddField,
    AddIndex,
    Migration,
    RemoveField,
    RenameField,
    RunSQL,
)
from django.db.migrations.loader import MigrationLoader
from django_migration_linter.sql_analyser import analyse_sql_statements
from django_migration_linter.sql_analyser.postgresql import PostgresqlAnalyser

from astronote.management.commands import migrate
from astronote.settings import PROJECT_APPS
from tests.support.holding import Holding

pytestmark = pytest.mark.django_db(transaction=True)
# They make and fill in the tables of the first release, which nobody has used before.
OF_FIRST_RELEASE = {"0001_initial", "0002_message_fillfactor", "0002_contact_search"}


def problems(migration, state):
    """What the linter says of a migration's statements, each on a line of its own."""
    with connection.schema_editor(collect_sql=True, atomic=migration.atomic) as editor:
        migration.apply(state, editor, collect_sql=True)
    statements = [
        " ".join(sqlparse.format(statement, strip_comments=True).split())
        for collected in editor.collected_sql
        for statement in sqlparse.split(collected)
    ]
    begin = ["BEGIN;"] if migration.atomic else []
    errors, _, warnings = analyse_sql_statements(PostgresqlAnalyser, begin + statements, [])
    return [problem.code for problem in (*errors, *warnings)]


def test_no_migration_of_a_later_release_blocks_or_breaks_the_version_before():
    loader = MigrationLoader(connection)
    found = {
        f"{app}.{name}": problems(migration, loader.project_state((app, name), at_end=False))
        for (app, name), migration in loader.disk_migrations.items()
        if app in PROJECT_APPS and name not in OF_FIRST_RELEASE
    }
    assert {name: codes for name, codes in found.items() if codes} == {}


INDEX = models.Index(fields=["last_name"], name="by_last_name")
UNIQUE = models.UniqueConstraint(fields=["last_name"], name="last_name_once")


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        (AddIndex("contact", INDEX), "CREATE_INDEX"),
        (RunSQL("SELECT 1; CREATE INDEX x\n ON contacts_contact (city)"), "CREATE_INDEX"),
        (AddField("contact", "shoe", models.IntegerField(default=1)), "NOT_NULL"),
        (RemoveField("contact", "last_name"), "DROP_COLUMN"),
        (RenameField("contact", "last_name", "surname"), "RENAME_COLUMN"),
        (AddConstraint("contact", UNIQUE), "ADD_UNIQUE"),
    ],
)
def test_what_would_block_or_break_is_found(operation, code):
    migration = Migration("test", "contacts")
    migration.operations = [operation]
    assert code in problems(migration, MigrationLoader(connection).project_state())


def test_an_index_that_is_built_concurrently_and_a_default_of_the_database_are_well():
    state = MigrationLoader(connection).project_state()
    concurrent = Migration("test", "contacts")
    concurrent.atomic, concurrent.operations = False, [AddIndexConcurrently("contact", INDEX)]
    assert problems(concurrent, state.clone()) == []
    default = Migration("test", "contacts")
    default.operations = [AddField("contact", "shoe", models.IntegerField(db_default=1))]
    assert problems(default, state.clone()) == []


@contextmanager
def locked_table():
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE django_migrations")
    yield


def test_a_migration_gives_up_after_a_while_where_a_table_stays_locked(monkeypatch):
    """Whoever came after it would wait as long as the migration does."""
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT", "50ms")
    with Holding(locked_table), pytest.raises(CommandError, match="kept a table locked for 50ms"):
        call_command("migrate", verbosity=0)
    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("0",)
