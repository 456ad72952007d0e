"""Test data by the million, written by the database itself."""

from __future__ import annotations

from django.db import connection

from astronote.models import User
from contacts.models import List


def make_contacts(store: User, size: int, *, first: int = 0) -> None:
    """So many contacts of a store; their numbers count on from +30 690 0000000 + `first`."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO contacts_contact (owner_id, phone, first_name, last_name, email, birthday,
                gender)
            SELECT %s, '+3069' || lpad((n)::text, 8, '0'), 'Name' || n %% 1000,
                'Family' || n %% 777, '', date '1950-01-01' + (n %% 18000)::int,
                CASE n %% 3 WHEN 0 THEN 'male' WHEN 1 THEN 'female' END
            FROM generate_series(%s::bigint, %s::bigint) AS n
            """,
            [store.pk, first, first + size - 1],
        )
        cursor.execute("ANALYZE contacts_contact")


def make_big_list(store: User, size: int, *, first: int = 0) -> List:
    """A list of so many new contacts of the store."""
    make_contacts(store, size, first=first)
    target = List.objects.create(owner=store, name="big")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO contacts_listmembership (list_id, contact_id)"
            " SELECT %s, id FROM contacts_contact WHERE owner_id = %s ORDER BY id",
            [target.pk, store.pk],
        )
        cursor.execute("ANALYZE contacts_listmembership")
    return target
