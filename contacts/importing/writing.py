"""Writing a chunk of a customer list: COPY to a staging table, then one upsert."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from django.db import connection

from contacts.consent import suppressed
from contacts.importing.validating import Row
from contacts.models import ContactImport

NULL = "\\N"
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


class Written(NamedTuple):
    created: int
    updated: int


def escaped(text: str) -> str:
    """A value of COPY's text format."""
    return text.translate(_ESCAPES)


def staging_line(row: Row) -> str:
    """A row as a line of COPY; its texts hold no control characters any more."""
    text = f"{row.email}\t{row.first_name}\t{row.last_name}"
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    return (
        f"{row.phone}\t{text}\t{row.gender or NULL}\t{row.birthday or NULL}\t"
        f"{'f' if row.consents is False else 't'}\n"
    )


def upsert(job: ContactImport, phones: Sequence[str], lines: bytes) -> Written:
    """Write contacts given as staging lines, sorted by phone; called in a transaction.

    An empty cell changes nothing. Consent is only ever given, never to somebody who opted out.
    """
    consent = bool(job.consent_source)
    with connection.cursor() as cursor:
        cursor.execute(STAGING)
        with cursor.copy("COPY staging FROM STDIN") as copy:
            copy.write(lines)
        if consent:
            barred = suppressed(job.owner_id, phones)
            if barred:
                cursor.execute(
                    "UPDATE staging SET consents = false WHERE phone = ANY(%s)", [list(barred)]
                )
        cursor.execute(
            UPSERT if job.update_existing else INSERT,
            {"owner": job.owner_id, "import": job.pk, "consent": consent, "welcome": job.welcome,
             "source": job.consent_source, "at": job.consent_at},
        )  # fmt: skip
        created, updated = cursor.fetchone()
        if job.list_id:
            cursor.execute(JOIN_LIST, {"list": job.list_id, "owner": job.owner_id})
    return Written(created, updated)


def copy_rejected(lines: bytes) -> None:
    """Keep rejected rows, given as lines of COPY."""
    with connection.cursor() as cursor, cursor.copy(REJECTED) as copy:
        copy.write(lines)


REJECTED = (
    'COPY contacts_rejectedrow (contact_import_id, line, "column", value, reason, row) FROM STDIN'
)
STAGING = (
    "CREATE TEMPORARY TABLE IF NOT EXISTS staging (phone text, email text, first_name text,"
    " last_name text, gender text, birthday date, consents bool) ON COMMIT DELETE ROWS"
)
# Sorted by phone: cheaper for the unique index, and two imports never wait for each other's rows
# crosswise. xmax is 0 only on a row that this statement inserted; consent is new where its time
# is this transaction's.
_INSERT = """
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
INSERT = _INSERT.format(conflict="NOTHING")
_AGREES = "(excluded.is_subscribed AND NOT c.is_subscribed AND c.unsubscribed_at IS NULL)"
UPSERT = _INSERT.format(
    conflict=f"""UPDATE SET
            email = COALESCE(NULLIF(excluded.email, ''), c.email),
            first_name = COALESCE(NULLIF(excluded.first_name, ''), c.first_name),
            last_name = COALESCE(NULLIF(excluded.last_name, ''), c.last_name),
            gender = COALESCE(excluded.gender, c.gender),
            birthday = COALESCE(excluded.birthday, c.birthday),
            is_subscribed = c.is_subscribed OR {_AGREES},
            sms_consent_status =
                CASE WHEN {_AGREES} THEN 'opted_in' ELSE c.sms_consent_status END,
            sms_consent_source = CASE WHEN {_AGREES} THEN 'import' ELSE c.sms_consent_source END,
            sms_consent_at = CASE WHEN {_AGREES} THEN now() ELSE c.sms_consent_at END,
            updated_at = now()
        WHERE {_AGREES} OR (c.email, c.first_name, c.last_name, c.gender, c.birthday)
            IS DISTINCT FROM (
                COALESCE(NULLIF(excluded.email, ''), c.email),
                COALESCE(NULLIF(excluded.first_name, ''), c.first_name),
                COALESCE(NULLIF(excluded.last_name, ''), c.last_name),
                COALESCE(excluded.gender, c.gender),
                COALESCE(excluded.birthday, c.birthday))"""
)
JOIN_LIST = """
    INSERT INTO contacts_listmembership (list_id, contact_id)
    SELECT %(list)s, c.id FROM contacts_contact c JOIN staging s USING (phone)
    WHERE c.owner_id = %(owner)s ORDER BY c.id ON CONFLICT DO NOTHING
"""
