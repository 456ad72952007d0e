"""Finding a number at every store, without an index on numbers alone."""

from __future__ import annotations

from django.contrib.auth import get_user_model

from astronote.common.sql import rows


def users_u_join_contacts_c_by_phone_sql() -> str:
    """SQL of stores u joined with their contacts c that have the number in parameter 1."""
    return CONTACTS_BY_PHONE.format(users=get_user_model()._meta.db_table)


# One index lookup a store, by the unique (owner_id, phone).
CONTACTS_BY_PHONE = "{users} u JOIN contacts_contact c ON c.owner_id = u.id AND c.phone = %s"


def contact_ids_with_phone(e164_phone: str) -> list[int]:
    """The ids of all stores' contacts with this number, as E.164."""
    return [
        pk
        for (pk,) in rows(
            f"SELECT c.id FROM {users_u_join_contacts_c_by_phone_sql()}", [e164_phone]
        )
    ]
