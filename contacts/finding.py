"""Finding a number at every store, without an index on numbers alone."""

from __future__ import annotations

from django.contrib.auth import get_user_model
from django.db import connection

# A store's contact is found by the unique (owner, phone).
BY_PHONE = "{users} u JOIN contacts_contact c ON c.owner_id = u.id AND c.phone = %s"


def by_phone_sql() -> str:
    """SQL of stores u and their contacts c with a number, the statement's first parameter."""
    return BY_PHONE.format(users=get_user_model()._meta.db_table)


def contacts_with(phone: str) -> list[int]:
    """The contacts of all stores with this number, as E.164."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT c.id FROM {by_phone_sql()}", [phone])
        return [row[0] for row in cursor.fetchall()]
