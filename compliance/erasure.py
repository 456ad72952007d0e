"""Removing a person from the rows that hold their data, for many contacts at once.

Opt-outs outlive it, because suppressions hold keyed hashes of numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import models

from astronote.common.sql import execute
from contacts.models import Contact
from messaging.models import message_classes


def anonymise_contacts(contact_ids: Sequence[int]) -> None:
    """Remove the personal data of these contacts and mask their messages; the rows stay.

    Called in a transaction.
    """
    execute(ANONYMISE_CONTACTS, [list(contact_ids)])
    execute(EMPTY_CONSENT_PROOFS, [list(contact_ids)])
    _empty_messages(contact_ids)


ANONYMISE_CONTACTS = """
    UPDATE contacts_contact SET
        phone = NULL, email = '', first_name = '', last_name = '', gender = NULL, birthday = NULL,
        is_subscribed = false, consent_evidence = NULL, erase_on = NULL, awaits_welcome = false,
        anonymised_at = now(), updated_at = now()
    WHERE id = ANY(%s)
"""

EMPTY_CONSENT_PROOFS = """
    UPDATE contacts_consentevent SET meta = NULL WHERE contact_id = ANY(%s) AND meta IS NOT NULL
"""


def delete_contacts(contact_ids: Sequence[int]) -> None:
    """Delete these contacts and the rows that belong to them.

    Their messages stay, masked and without a contact. Called in a transaction.
    """
    _empty_messages(contact_ids)
    ids = [list(contact_ids)]
    for relation in Contact._meta.related_objects:
        table, column = relation.related_model._meta.db_table, relation.field.column
        if relation.on_delete is models.SET_NULL:
            execute(f"UPDATE {table} SET {column} = NULL WHERE {column} = ANY(%s)", ids)
        else:
            execute(f"DELETE FROM {table} WHERE {column} = ANY(%s)", ids)
    execute("DELETE FROM contacts_contact WHERE id = ANY(%s)", ids)


def _empty_messages(contact_ids: Sequence[int]) -> None:
    """Empty number and text of these contacts' messages, of those not sent yet, too.

    A message whose number is not that of its contact is never sent.
    """
    for model in message_classes():
        execute(MASK_MESSAGES.format(table=model._meta.db_table), [list(contact_ids)])


MASK_MESSAGES = """
    UPDATE {table} SET "to" = '', text = '' WHERE contact_id = ANY(%s) AND "to" <> ''
"""
