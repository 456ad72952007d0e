"""Taking a person out of the rows that know them, for many contacts at once.

Opt-outs outlive it: the suppression list holds keyed hashes of numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection, models

from contacts.models import Contact
from messaging.models import message_classes

ANONYMISE = """
    UPDATE contacts_contact SET
        phone = NULL, email = '', first_name = '', last_name = '', gender = NULL, birthday = NULL,
        is_subscribed = false, consent_evidence = NULL, erase_on = NULL, awaits_welcome = false,
        anonymised_at = now(), updated_at = now()
    WHERE id = ANY(%s)
"""
# Also what still waits to be sent: a message whose number is not its contact's is never sent.
MASK_MESSAGES = """
    UPDATE {table} SET "to" = '', text = '' WHERE contact_id = ANY(%s) AND "to" <> ''
"""


def anonymise(contact_ids: Sequence[int]) -> None:
    """Leave of these contacts what counts and not who they are; called in a transaction."""
    with connection.cursor() as cursor:
        cursor.execute(ANONYMISE, [list(contact_ids)])
    _mask_messages(contact_ids)


def delete(contact_ids: Sequence[int]) -> None:
    """Delete these contacts and what belongs to them; their messages stay, without a person."""
    _mask_messages(contact_ids)
    with connection.cursor() as cursor:
        for relation in Contact._meta.related_objects:
            table, column = relation.related_model._meta.db_table, relation.field.column
            if relation.on_delete is models.SET_NULL:
                cursor.execute(
                    f"UPDATE {table} SET {column} = NULL WHERE {column} = ANY(%s)",
                    [list(contact_ids)],
                )
            else:
                cursor.execute(f"DELETE FROM {table} WHERE {column} = ANY(%s)", [list(contact_ids)])
        cursor.execute("DELETE FROM contacts_contact WHERE id = ANY(%s)", [list(contact_ids)])


def _mask_messages(contact_ids: Sequence[int]) -> None:
    with connection.cursor() as cursor:
        for model in message_classes():
            cursor.execute(MASK_MESSAGES.format(table=model._meta.db_table), [list(contact_ids)])
