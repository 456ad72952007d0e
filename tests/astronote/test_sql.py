"""Parameters of SQL statements."""

from datetime import UTC, datetime

import pytest

from astronote.common.sql import array_literal, rows

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("sql_type", "values"),
    [
        ("text", ["a", "", "null", None, '"', "\\", '\\"', "{a,b}", " a\tb\n", "'", "%s", "ω 🎉"]),
        ("bigint", [1, None, 9223372036854775807]),
        ("timestamptz", [datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC), None]),
        ("int", []),
    ],
)
def test_an_array_literal_arrives_as_its_values(sql_type, values):
    literal = array_literal(values)
    assert rows(f"SELECT (%s)::{sql_type}[]", [literal]) == [(values,)]
