"""Writing a chunk of a customer list: COPY into a staging table, then one upsert."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from django.db import connection

from contacts.consent import suppressed_phones
from contacts.importing.validating import ContactRow
from contacts.models import ContactImport

COPY_NULL = "\\N"
_COPY_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


class UpsertCounts(NamedTuple):
    """How many contacts a chunk created and updated."""

    created: int
    updated: int


def escape_copy_text(text: str) -> str:
    """Escape a value for COPY's text format."""
    return text.translate(_COPY_ESCAPES)


def staging_line(row: ContactRow) -> str:
    """A row as a line of COPY into the staging table."""
    # Validation removed control characters, so only backslashes are left to escape.
    text = f"{row.email}\t{row.first_name}\t{row.last_name}"
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    return (
        f"{row.phone}\t{text}\t{row.gender or COPY_NULL}\t{row.birthday or COPY_NULL}\t"
        f"{'f' if row.consents is False else 't'}\n"
    )


def upsert_contacts(
    contact_import: ContactImport, phones: Sequence[str], lines: bytes
) -> UpsertCounts:
    """Create and update contacts, with consent events and memberships; called in a transaction.

    An empty cell changes nothing. Consent is only given, never withdrawn, and not given to a
    contact that opted out or whose number is suppressed.

    Args:
        contact_import: the import, whose options decide what is written.
        phones: the contacts' numbers in E.164.
        lines: the contacts as staging lines, sorted by phone.
    """
    has_consent = bool(contact_import.consent_source)
    with connection.cursor() as cursor:
        cursor.execute(CREATE_STAGING_TABLE)
        with cursor.copy("COPY staging FROM STDIN") as copy:
            copy.write(lines)
        if has_consent:
            suppressed = suppressed_phones(contact_import.owner_id, phones)
            if suppressed:
                cursor.execute(REVOKE_STAGED_CONSENT, [list(suppressed)])
        cursor.execute(
            UPSERT_CONTACTS if contact_import.update_existing else INSERT_CONTACTS,
            {
                "owner": contact_import.owner_id,
                "import": contact_import.pk,
                "consent": has_consent,
                "welcome": contact_import.welcome,
                "source": contact_import.consent_source,
                "at": contact_import.consent_at,
            },
        )
        created, updated = cursor.fetchone()
        if contact_import.list_id:
            cursor.execute(
                ADD_TO_LIST, {"list": contact_import.list_id, "owner": contact_import.owner_id}
            )
    return UpsertCounts(created, updated)


CREATE_STAGING_TABLE = (
    "CREATE TEMPORARY TABLE IF NOT EXISTS staging (phone text, email text, first_name text,"
    " last_name text, gender text, birthday date, consents bool) ON COMMIT DELETE ROWS"
)
REVOKE_STAGED_CONSENT = "UPDATE staging SET consents = false WHERE phone = ANY(%s)"
# Sorted by phone: cheaper for the unique index, and two imports at once lock rows in one order, so
# they cannot deadlock. xmax is 0 only on a row that this statement inserted. Consent is new where
# its time is that of this transaction.
_INSERT_TEMPLATE = """
    WITH written AS (
        INSERT INTO contacts_contact AS c (owner_id, phone, email, first_name, last_name, gender,
            birthday, awaits_welcome, is_subscribed, sms_consent_status, sms_consent_source,
            sms_consent_at)
        SELECT %(owner)s, phone, email, first_name, last_name, gender, birthday, %(welcome)s,
            agrees, CASE WHEN agrees THEN 'opted_in' ELSE '' END,
            CASE WHEN agrees THEN 'import' ELSE '' END,
            CASE WHEN agrees THEN now() END
        FROM (SELECT *, %(consent)s AND consents AS agrees FROM staging) s
        ORDER BY phone
        ON CONFLICT (owner_id, phone) DO {conflict}
        RETURNING id, (xmax = 0) AS is_new, is_subscribed AND sms_consent_at = now() AS agreed
    ), events AS (
        INSERT INTO contacts_consentevent (owner_id, contact_id, type, source, meta)
        SELECT %(owner)s, id, 'subscribed', 'import', jsonb_build_object('import',
            %(import)s::bigint, 'evidence', %(source)s::text, 'at', %(at)s::timestamptz)
        FROM written WHERE agreed
    )
    SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new) FROM written
"""
INSERT_CONTACTS = _INSERT_TEMPLATE.format(conflict="NOTHING")
_NEWLY_AGREES = "(excluded.is_subscribed AND NOT c.is_subscribed AND c.unsubscribed_at IS NULL)"
UPSERT_CONTACTS = _INSERT_TEMPLATE.format(
    conflict=f"""UPDATE SET
            email = COALESCE(NULLIF(excluded.email, ''), c.email),
            first_name = COALESCE(NULLIF(excluded.first_name, ''), c.first_name),
            last_name = COALESCE(NULLIF(excluded.last_name, ''), c.last_name),
            gender = COALESCE(excluded.gender, c.gender),
            birthday = COALESCE(excluded.birthday, c.birthday),
            is_subscribed = c.is_subscribed OR {_NEWLY_AGREES},
            sms_consent_status =
                CASE WHEN {_NEWLY_AGREES} THEN 'opted_in' ELSE c.sms_consent_status END,
            sms_consent_source =
                CASE WHEN {_NEWLY_AGREES} THEN 'import' ELSE c.sms_consent_source END,
            sms_consent_at = CASE WHEN {_NEWLY_AGREES} THEN now() ELSE c.sms_consent_at END,
            updated_at = now()
        WHERE {_NEWLY_AGREES} OR (c.email, c.first_name, c.last_name, c.gender, c.birthday)
            IS DISTINCT FROM (
                COALESCE(NULLIF(excluded.email, ''), c.email),
                COALESCE(NULLIF(excluded.first_name, ''), c.first_name),
                COALESCE(NULLIF(excluded.last_name, ''), c.last_name),
                COALESCE(excluded.gender, c.gender),
                COALESCE(excluded.birthday, c.birthday))"""
)
ADD_TO_LIST = """
    INSERT INTO contacts_listmembership (list_id, contact_id)
    SELECT %(list)s, c.id FROM contacts_contact c JOIN staging s USING (phone)
    WHERE c.owner_id = %(owner)s ORDER BY c.id ON CONFLICT DO NOTHING
"""


def copy_rejected_rows(lines: bytes) -> None:
    """Store rejected rows, given as lines of COPY; called in a transaction."""
    with connection.cursor() as cursor, cursor.copy(COPY_REJECTED_ROWS) as copy:
        copy.write(lines)


COPY_REJECTED_ROWS = (
    'COPY contacts_rejectedrow (contact_import_id, line, "column", value, reason, row) FROM STDIN'
)
