"""Removing persons from the rows that hold their data: one on request, or many contacts at once.

Opt-outs outlive it, because suppressions hold keyed hashes of numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.db import models
from django.db.models.functions import Cast, Concat

from astronote.common.sql import execute, rows
from astronote.operations.personal_data import OnErasure, PersonalData
from compliance import held_rows
from compliance.held_rows import NamingRow
from compliance.person import Person
from compliance.traces import MASK
from contacts.models import Contact, CustomerEvent
from contacts.phones import phone_hash, present_key_id
from messaging.models import message_classes


def anonymise_contacts(contact_ids: Sequence[int]) -> None:
    """Remove the personal data of these contacts and mask their messages; the rows stay.

    Called in a transaction.
    """
    _suppress_numbers_that_opted_out(contact_ids)
    execute(ANONYMISE_CONTACTS, [list(contact_ids)])
    execute(EMPTY_CONSENT_EVENTS, [list(contact_ids)])
    execute(EMPTY_OPT_IN_REQUESTS, [list(contact_ids)])
    CustomerEvent.objects.filter(contact__in=contact_ids).delete()
    _clear_message_numbers_and_texts(contact_ids)


ANONYMISE_CONTACTS = """
    UPDATE contacts_contact SET
        phone = NULL, email = '', first_name = '', last_name = '', gender = NULL, birthday = NULL,
        is_subscribed = false, consent_evidence = NULL, custom_values = '{}',
        erase_on = NULL, awaits_welcome = false, anonymised_at = now(), updated_at = now()
    WHERE id = ANY(%s)
"""
EMPTY_CONSENT_EVENTS = """
    UPDATE contacts_consentevent SET meta = NULL WHERE contact_id = ANY(%s) AND meta IS NOT NULL
"""
EMPTY_OPT_IN_REQUESTS = """
    UPDATE contacts_optinrequest SET meta = NULL WHERE contact_id = ANY(%s) AND meta IS NOT NULL
"""


def delete_contacts(contact_ids: Sequence[int]) -> None:
    """Delete these contacts and the rows that belong to them.

    Their messages stay, masked and without a contact. Called in a transaction.
    """
    ids = [list(contact_ids)]
    # Contacts are locked before what belongs to them, as everywhere.
    execute("SELECT FROM contacts_contact WHERE id = ANY(%s) ORDER BY id FOR UPDATE", ids)
    _suppress_numbers_that_opted_out(contact_ids)
    _clear_message_numbers_and_texts(contact_ids)
    for relation in Contact._meta.related_objects:
        table, column = relation.related_model._meta.db_table, relation.field.column
        if relation.on_delete is models.SET_NULL:
            execute(f"UPDATE {table} SET {column} = NULL WHERE {column} = ANY(%s)", ids)
        else:
            execute(f"DELETE FROM {table} WHERE {column} = ANY(%s)", ids)
    execute("DELETE FROM contacts_contact WHERE id = ANY(%s)", ids)


def _suppress_numbers_that_opted_out(contact_ids: Sequence[int]) -> None:
    """Suppress the numbers of these contacts that opted out, unless they are suppressed already.

    The suppression, with its reason and time, is the proof of the opt-out that outlives them.
    """
    opted_out = rows(READ_OPT_OUTS, [list(contact_ids)])
    hashed = [(owner, phone_hash(phone), reason, at) for owner, phone, reason, at in opted_out]
    if hashed:
        columns = map(list, zip(*hashed, strict=True))
        execute(KEEP_OPT_OUTS, [present_key_id(), *columns])


# An opt-out has been recorded by the contact's last change at the latest.
READ_OPT_OUTS = """
    SELECT owner_id, phone, COALESCE(NULLIF(sms_consent_source, ''), 'opt-out'),
        LEAST(GREATEST(unsubscribed_at, created_at), updated_at)
    FROM contacts_contact
    WHERE id = ANY(%s) AND phone IS NOT NULL AND NOT is_subscribed AND unsubscribed_at IS NOT NULL
"""
# The hashes are sorted, as in other statements that suppress, so that none wait crosswise.
KEEP_OPT_OUTS = """
    INSERT INTO contacts_suppression (key_id, owner_id, phone_hash, reason, created_at)
    SELECT %s, opt_out.* FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::timestamptz[])
        AS opt_out (owner_id, phone_hash, reason, at)
    ORDER BY phone_hash
    ON CONFLICT DO NOTHING
"""


def _clear_message_numbers_and_texts(contact_ids: Sequence[int]) -> None:
    """Empty number and text of these contacts' messages, of those not sent yet, too.

    A message whose number is not that of its contact is never sent.
    """
    for model in message_classes():
        execute(MASK_MESSAGES.format(table=model._meta.db_table), [list(contact_ids)])


MASK_MESSAGES = """
    UPDATE {table} SET "to" = '', text = '' WHERE contact_id = ANY(%s) AND "to" <> ''
"""


def erase_or_mask_person_and_count_by_table(person: Person) -> Counter[str]:
    """Erase a person from every row by the declarations; called in a transaction.

    Rows that are the person's are deleted or emptied. In other rows that name the person the names
    are replaced.

    Returns:
        How many rows of each table were deleted, emptied or changed.
    """
    counts: Counter[str] = Counter()
    for declaration in held_rows.declarations_with_contacts_last():
        if declaration.on_erasure == OnErasure.KEEP:
            continue
        table = held_rows.model_of_declaration(declaration)._meta.db_table
        for found in held_rows.other_rows_naming_person(declaration, person):
            counts[table] += _mask_or_erase_naming_row(declaration, found, person)
        own = list(
            held_rows.rows_belonging_to_person(declaration, person).values_list("pk", flat=True)
        )
        counts[table] += _erase_and_count_own_rows(declaration, own)
    return counts


def _erase_and_count_own_rows(declaration: PersonalData, ids: Sequence[int]) -> int:
    model = held_rows.model_of_declaration(declaration)
    if not ids:
        return 0
    if model is Contact:
        delete_contacts(ids)
        return len(ids)
    own = model._default_manager.filter(pk__in=ids)
    if declaration.on_erasure == OnErasure.DELETE:
        own.delete()
        return len(ids)
    fields = held_rows.free_text_and_json_fields(declaration)
    return own.update(**{name: _value_of_emptied_column(model, name) for name in fields})


def erased_value_of_column(
    model: type[models.Model], name: str, on_erasure: OnErasure
) -> str | dict[str, Any] | Concat | None:
    """What a column holds after all of it was erased: nothing, or a mask where texts are masked."""
    emptied = _value_of_emptied_column(model, name)
    return MASK if on_erasure == OnErasure.MASK and emptied == "" else emptied


def _value_of_emptied_column(
    model: type[models.Model], name: str
) -> str | dict[str, Any] | Concat | None:
    """What an emptied column holds; where rows must differ, a text with the row's number."""
    if _is_column_in_unique_key(model, name):
        number = Cast("pk", models.CharField())
        return Concat(models.Value(f"{MASK[:-1]} "), number, models.Value("]"))
    field = {field.name: field for field in model._meta.concrete_fields}[name]
    if isinstance(field, models.JSONField) and not field.null:
        return {}
    return None if field.null else ""


def _mask_or_erase_naming_row(declaration: PersonalData, found: NamingRow, person: Person) -> int:
    """Erase a row that names the person: all of it if it is a record of the person's."""
    row = found.row
    if found.is_own:
        return _erase_and_count_own_rows(declaration, [row.pk])
    changes: dict[str, Any] = {}
    for name in held_rows.free_text_and_json_fields(declaration):
        field = {field.name: field for field in row._meta.concrete_fields}[name]
        if isinstance(field, models.EmailField):
            continue  # another contact's address, which would be none any more
        mask = f"{MASK[:-1]} {row.pk}]" if _is_column_in_unique_key(type(row), name) else MASK
        before = getattr(row, name)
        after = person.traces.mask_person_in(before, mask, number_only=found.number_only)
        if after != before:
            is_text = isinstance(after, str) and field.max_length
            changes[name] = after[: field.max_length] if is_text else after
    if changes:
        type(row)._default_manager.filter(pk=row.pk).update(**changes)
    return bool(changes)


def _is_column_in_unique_key(model: type[models.Model], name: str) -> bool:
    """Whether a column is part of what tells rows apart, so that two masks must differ."""
    constraints = model._meta.constraints
    return any(
        isinstance(one, models.UniqueConstraint) and name in one.fields for one in constraints
    ) or any(field.name == name and field.unique for field in model._meta.concrete_fields)
