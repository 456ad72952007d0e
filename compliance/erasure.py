"""Removing a person from the rows that hold their data, for many contacts at once.

Opt-outs outlive it, because suppressions hold keyed hashes of numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import models

from astronote.common.sql import execute, rows
from contacts.models import Contact
from contacts.phones import phone_hash, present_key_id
from messaging.models import message_classes


def anonymise_contacts(contact_ids: Sequence[int]) -> None:
    """Remove the personal data of these contacts and mask their messages; the rows stay.

    Called in a transaction.
    """
    _keep_opt_outs(contact_ids)
    execute(ANONYMISE_CONTACTS, [list(contact_ids)])
    _empty_messages(contact_ids)


ANONYMISE_CONTACTS = """
    UPDATE contacts_contact SET
        phone = NULL, email = '', first_name = '', last_name = '', gender = NULL, birthday = NULL,
        is_subscribed = false, consent_evidence = NULL, erase_on = NULL, awaits_welcome = false,
        anonymised_at = now(), updated_at = now()
    WHERE id = ANY(%s)
"""


def delete_contacts(contact_ids: Sequence[int]) -> None:
    """Delete these contacts and the rows that belong to them.

    Their messages stay, masked and without a contact. Called in a transaction.
    """
    _keep_opt_outs(contact_ids)
    _empty_messages(contact_ids)
    ids = [list(contact_ids)]
    for relation in Contact._meta.related_objects:
        table, column = relation.related_model._meta.db_table, relation.field.column
        if relation.on_delete is models.SET_NULL:
            execute(f"UPDATE {table} SET {column} = NULL WHERE {column} = ANY(%s)", ids)
        else:
            execute(f"DELETE FROM {table} WHERE {column} = ANY(%s)", ids)
    execute("DELETE FROM contacts_contact WHERE id = ANY(%s)", ids)


def _keep_opt_outs(contact_ids: Sequence[int]) -> None:
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


def _empty_messages(contact_ids: Sequence[int]) -> None:
    """Empty number and text of these contacts' messages, of those not sent yet, too.

    A message whose number is not that of its contact is never sent.
    """
    for model in message_classes():
        execute(MASK_MESSAGES.format(table=model._meta.db_table), [list(contact_ids)])


MASK_MESSAGES = """
    UPDATE {table} SET "to" = '', text = '' WHERE contact_id = ANY(%s) AND "to" <> ''
"""
