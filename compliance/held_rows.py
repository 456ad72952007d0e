"""The rows of the database that are a person's, or that name a person, by the declarations.

Access, erasure and the search after it all go through here, so that they agree.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.models import F, Func, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast

from astronote.accounts.models import User
from astronote.operations import registry
from astronote.operations.personal_data import OnErasure, PersonalData
from compliance.person import Person
from compliance.traces import iter_texts_numbers_and_keys_in_json
from contacts.importing.cells import UnusableCell
from contacts.importing.phone_cells import PhoneReader
from contacts.models import Contact
from contacts.phones import phone_region_of_store_or_default

TEXT_FIELDS = (models.CharField, models.TextField, models.JSONField)


def declarations_with_contacts_last() -> list[PersonalData]:
    """The declarations, those of contacts last, since other rows are found by them."""
    return sorted(registry.personal_data, key=lambda one: model_of_declaration(one) is Contact)


def model_of_declaration(declaration: PersonalData) -> type[models.Model]:
    """The model of a declaration."""
    return apps.get_model(declaration.model)


def free_text_and_json_fields(declaration: PersonalData) -> list[str]:
    """The declared fields in which a text may name somebody."""
    fields = {
        field.name: field for field in model_of_declaration(declaration)._meta.concrete_fields
    }
    return [
        name
        for name in declaration.fields
        if isinstance(fields[name], TEXT_FIELDS) and not fields[name].choices
    ]


def rows_belonging_to_person(declaration: PersonalData, person: Person) -> QuerySet[Any]:
    """The rows that belong to the person by a contact, number or hash."""
    rows = model_of_declaration(declaration)._default_manager.order_by("pk")
    condition = declaration.found_by.condition
    return rows.filter(condition(person)) if condition else rows.none()


class NamingRow(NamedTuple):
    """A row in whose texts the person is named.

    Args:
        row: the row.
        is_own: whether it is a record of the person, and does not only mention the person.
        number_only: whether a name or e-mail address in it is that of somebody else.
    """

    row: Any
    is_own: bool
    number_only: bool


def other_rows_naming_person(declaration: PersonalData, person: Person) -> Iterator[NamingRow]:
    """The rows that name the person at the stores that are asked about, but not its own."""
    fields = free_text_and_json_fields(declaration)
    if not fields:
        return
    texts = [Cast(F(name), TextField()) for name in fields]
    text = Func(Value("\n"), *texts, function="concat_ws", output_field=TextField())
    named = Q(text_of_row__regex=person.traces.sql_pattern)
    if declaration.found_by.contact:  # what is a name of another contact is not this person's
        numbered = Q(text_of_row__regex=person.traces.sql_number_pattern)
        named = numbered | (_without_contact_q(declaration) & named)
    rows = model_of_declaration(declaration)._default_manager.annotate(text_of_row=text)
    rows = rows.filter(person.stores_asked_and_not_held_q(declaration.store)).filter(named)
    own = rows_belonging_to_person(declaration, person).order_by().values("pk")
    for row in rows.exclude(pk__in=own).order_by("pk").iterator(chunk_size=500):
        values = [getattr(row, name) for name in fields]
        is_of_another = _is_row_of_some_contact(declaration, row)
        reader = RecordReader(person, _phone_region_of_row(declaration, row))
        is_erased = declaration.on_erasure in (OnErasure.DELETE, OnErasure.EMPTY)
        is_own = is_erased and not is_of_another and reader.is_own(values)
        number_only = is_of_another or (declaration.found_by.is_record and not is_own)
        if is_own or person.traces.are_in(values, number_only=number_only):
            yield NamingRow(row, is_own, number_only)


def _without_contact_q(declaration: PersonalData) -> Q:
    """The rows that belong to no contact."""
    contact = declaration.found_by.contact
    return Q(pk__in=[]) if contact == "pk" else Q(**{f"{contact}__isnull": True})


def _is_row_of_some_contact(declaration: PersonalData, row: Any) -> bool:
    """Whether a row that is not the person's belongs to another contact."""
    return bool(declaration.found_by.contact) and _value_at_lookup_or_none(
        row, declaration.found_by.contact
    )


def _phone_region_of_row(declaration: PersonalData, row: Any) -> str:
    """The country of national numbers in a row: its store's."""
    store = _value_at_lookup_or_none(row, declaration.store)
    return (
        phone_region_of_store_or_default(store)
        if isinstance(store, User)
        else settings.DEFAULT_PHONE_REGION
    )


def _value_at_lookup_or_none(row: Any, lookup: str) -> Any:
    """What a lookup leads to from a row; None if it leads nowhere."""
    for step in filter(None, lookup.split("__")):
        row = getattr(row, step) if row is not None else None
    return row


class RecordReader:
    """Tells records of the person from those that only mention the person.

    Args:
        person: the person.
        region: two-letter country of national numbers in the records.
    """

    def __init__(self, person: Person, region: str) -> None:
        self.person, self.reader = person, PhoneReader(region)

    def is_own(
        self, values: Sequence[Any], identifying_values: Sequence[Any] | None = None
    ) -> bool:
        """Whether values, JSON at any depth, are a record of the person.

        They are if one that tells whose they are is as a whole the person's number; or if none is
        the number of somebody else, and the person is named anywhere in them.

        Args:
            values: the columns of a row, or the cells of a row of a list.
            identifying_values: those that tell whose record it is, such as a list's columns of
                numbers; None if any may.
        """
        numbers: set[str] = set()
        for text in iter_texts_numbers_and_keys_in_json(
            list(values if identifying_values is None else identifying_values)
        ):
            if self.person.traces.is_phone_or_its_last_digits(text):
                return True
            numbers |= self._possible_numbers_in_phone_cell(text)
        if self.person.phone in numbers:
            return True
        return not numbers and self.names_person_anywhere(values)

    def names_person_anywhere(self, values: Sequence[Any]) -> bool:
        """Whether the person is named anywhere in values."""
        return self.person.traces.are_in(list(values)) or any(
            self.person.phone in self._possible_numbers_in_phone_cell(text)
            for text in iter_texts_numbers_and_keys_in_json(list(values))
        )

    def _possible_numbers_in_phone_cell(self, cell: str) -> set[str]:
        """The numbers of a cell that holds nothing else."""
        try:
            return {self.reader.parse_or_raise_unusable(cell).phone}
        except UnusableCell:
            # Several numbers, or one with two readings: any of them may be meant.
            is_text = any(map(str.isalpha, cell))
            return set() if is_text else set(self.reader.find_all_possible_numbers(cell))
