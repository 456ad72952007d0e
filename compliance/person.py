"""Who is asked about: a number with the contacts that have it, at one store or at all.

The e-mail addresses and names of these contacts are taken once, before anything is erased, so that
they can be searched afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db.models import Q, QuerySet

from compliance.traces import Traces
from contacts.lookup import contact_ids_of_all_stores_with_phone
from contacts.models import Contact


@dataclass(frozen=True)
class Person:
    """The human behind contacts with one number; a `registry.PersonKey`.

    Args:
        phone: the number in E.164.
        owner_id: the store that is asked about; None for all.
        contact_ids: the contacts with the number there.
        traces: what names the person.
        kept_owner_ids: stores whose rows stay, because a legal hold is on their contact.
    """

    phone: str
    owner_id: int | None
    contact_ids: tuple[int, ...]
    traces: Traces
    kept_owner_ids: frozenset[int] = field(default=frozenset())

    def stores_asked_and_not_held_q(self, lookup: str) -> Q:
        """The rows of the stores that are asked about, by the lookup of their store.

        Rows of a model that belong to no store (an empty lookup) are all reached.
        """
        condition = Q()
        if lookup and self.owner_id:
            condition &= Q(**{lookup: self.owner_id})
        if lookup and self.kept_owner_ids:
            condition &= ~Q(**{f"{lookup}__in": self.kept_owner_ids})
        return condition


def contacts_with_phone_at_store_or_all(e164_phone: str, owner_id: int | None) -> QuerySet[Contact]:
    """The contacts with a number, at one store or at all."""
    contacts = Contact.objects.filter(pk__in=contact_ids_of_all_stores_with_phone(e164_phone))
    return contacts.filter(owner=owner_id) if owner_id else contacts


def find_contacts_and_traces_of_person(
    e164_phone: str, owner_id: int | None, *, without_contacts_on_legal_hold: bool = False
) -> Person:
    """The person with a number.

    Args:
        e164_phone: the number in E.164.
        owner_id: a store, or None for all stores.
        without_contacts_on_legal_hold: leave out the stores whose contact is under a legal hold.
    """
    contacts = list(
        contacts_with_phone_at_store_or_all(e164_phone, owner_id).order_by("owner", "pk")
    )
    held = (
        frozenset(c.owner_id for c in contacts if c.legal_hold)
        if without_contacts_on_legal_hold
        else frozenset()
    )
    traces = Traces(
        e164_phone,
        sorted({contact.email for contact in contacts if contact.email}),
        sorted({(contact.first_name, contact.last_name) for contact in contacts}),
    )
    ids = tuple(contact.pk for contact in contacts if contact.owner_id not in held)
    return Person(e164_phone, owner_id, ids, traces, held)
