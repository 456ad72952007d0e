"""Finding a number at every store, without an index on numbers alone."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth import get_user_model

from astronote.accounts.models import User
from astronote.common.sql import rows
from contacts.importing.phone_cells import PhoneReader


def users_u_join_contacts_c_by_phone_sql() -> str:
    """SQL of stores u joined with their contacts c that have the number in parameter 1."""
    return CONTACTS_BY_PHONE.format(users=get_user_model()._meta.db_table)


# One index lookup a store, by the unique (owner_id, phone).
CONTACTS_BY_PHONE = "{users} u JOIN contacts_contact c ON c.owner_id = u.id AND c.phone = %s"


def contact_ids_of_all_stores_with_phone(e164_phone: str) -> list[int]:
    """The ids of all stores' contacts with this number, as E.164."""
    return [
        pk
        for (pk,) in rows(
            f"SELECT c.id FROM {users_u_join_contacts_c_by_phone_sql()}", [e164_phone]
        )
    ]


def regions_of_all_stores_and_default() -> list[str]:
    """The countries in which a number without a country code may have been dialled."""
    regions = User.objects.filter(is_staff=False).exclude(phone_region="")
    regions = regions.values_list("phone_region", flat=True).distinct()
    return list(dict.fromkeys([settings.DEFAULT_PHONE_REGION, *regions]))


def possible_numbers_in_countries_of_stores(text: str) -> list[str]:
    """The numbers that somebody may mean who writes one in any form, as E.164.

    Without a country code it is read as dialled in the country of each store.
    """
    readings = (
        number
        for region in regions_of_all_stores_and_default()
        for number in PhoneReader(region).find_all_possible_numbers(text)
    )
    return list(dict.fromkeys(readings))
