"""Writing a chunk of a customer list: COPY into a staging table, then one upsert."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from django.db import connection

from astronote.common.sql import database_now
from astronote.common.times import EARLIEST_BELIEVED_TIME, plausible_claimed_or_arrival_time
from contacts.importing.consent_cells import Consent
from contacts.importing.validating import ContactRow
from contacts.marketing_blocks import (
    phones_suppressed_at_store_or_everywhere,
    wait_for_sends_and_suppress_phones,
)
from contacts.models import ContactImport
from contacts.opt_in_wording import own_or_standard_opt_in_question_of

COPY_NULL = "\\N"
_COPY_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


class UpsertCounts(NamedTuple):
    """How many contacts a chunk created and updated."""

    created: int
    updated: int


class StagedRows(NamedTuple):
    """The contacts of a chunk, as lines of COPY sorted by number.

    Args:
        phones: their numbers in E.164.
        lines: the lines.
        repeated_phones: those that an earlier chunk has written; their lines only have what is new.
        opted_out_phones: those that say no.
    """

    phones: Sequence[str]
    lines: bytes
    repeated_phones: Sequence[str] = ()
    opted_out_phones: Sequence[str] = ()


def escape_copy_text(text: str) -> str:
    """Escape a value for COPY's text format."""
    return text.translate(_COPY_ESCAPES)


def build_staging_copy_line(row: ContactRow, *, agrees: bool) -> str:
    """A row as a line of COPY into the staging table.

    Args:
        row: the row.
        agrees: whether it consents to marketing, if the import gives consent at all.
    """
    # Validation removed control characters, so only backslashes are left to escape.
    text = f"{row.email}\t{row.first_name}\t{row.last_name}"
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    birthday = row.birthday.isoformat() if row.birthday else COPY_NULL
    return (
        f"{row.phone}\t{text}\t{row.gender or COPY_NULL}\t{birthday}\t"
        f"{'t' if agrees else 'f'}\t{'t' if row.consent == Consent.OPTED_OUT else 'f'}\t"
        f"{row.said_at or COPY_NULL}\n"
    )


def upsert_contacts_with_consent_suppressions_and_list(
    contact_import: ContactImport, rows: StagedRows
) -> UpsertCounts:
    """Create and update contacts, with consent events and memberships; called in a transaction.

    An empty cell changes nothing. Consent is not given to a contact that opted out or whose number
    is suppressed. If the store uses double opt-in, an opt-in request is left for each contact that
    agrees, and messaging sends it. A no is written in any case: as an opt-out with its event, and
    as a suppression. A restricted contact is not changed; a no is then the suppression alone.

    Args:
        contact_import: the import, whose options decide what is written.
        rows: the contacts.
    """
    has_consent = bool(contact_import.consent_source)
    asks_first = has_consent and contact_import.owner.double_opt_in
    owner_id, now = contact_import.owner_id, database_now()
    if rows.opted_out_phones:
        wait_for_sends_and_suppress_phones(owner_id, rows.opted_out_phones, reason="import")
    statement = UPSERT_CONTACTS
    if not contact_import.update_existing:
        # Known contacts stay as they are, but for a no, and for the rows above of this import.
        needs_update = rows.opted_out_phones or rows.repeated_phones
        statement = UPSERT_OWN_CONTACTS if needs_update else INSERT_CONTACTS
    with connection.cursor() as cursor:
        cursor.execute(CREATE_STAGING_TABLE)
        with cursor.copy("COPY staging FROM STDIN") as copy:
            copy.write(rows.lines)
        if has_consent:
            suppressed = phones_suppressed_at_store_or_everywhere(owner_id, rows.phones)
            if suppressed:
                cursor.execute(REVOKE_STAGED_CONSENT, [list(suppressed)])
        cursor.execute(
            statement,
            {
                "owner": owner_id,
                "consent": has_consent and not asks_first,
                "welcome": contact_import.welcome,
                "source": contact_import.consent_source,
                "version": contact_import.consent_version,
                "at": contact_import.consent_at
                and plausible_claimed_or_arrival_time(contact_import.consent_at, now),
                "earliest": EARLIEST_BELIEVED_TIME,
                "proof": _consent_proof_json(contact_import),
                "since": contact_import.started_at,
                "repeated": list(rows.repeated_phones),
            },
        )
        created, updated = cursor.fetchone()
        if asks_first:
            question = own_or_standard_opt_in_question_of(contact_import.owner)
            cursor.execute(
                ADD_OPT_IN_REQUESTS,
                {
                    "owner": owner_id,
                    "wording": question.wording,
                    "version": question.version,
                    "proof": _consent_proof_json(contact_import),
                    "known_too": contact_import.update_existing,
                    "since": contact_import.started_at,
                },
            )
        if rows.opted_out_phones:
            phones = list(rows.opted_out_phones)
            cursor.execute(CLOSE_OPT_IN_REQUESTS, {"owner": owner_id, "phones": phones})
        if contact_import.list_id:
            cursor.execute(ADD_TO_LIST, {"list": contact_import.list_id, "owner": owner_id})
    return UpsertCounts(created, updated)


def _consent_proof_json(contact_import: ContactImport) -> str:
    """What a consent event of an import holds as proof, as JSON; the import holds the wording."""
    proof = {"import": contact_import.pk, "file": contact_import.file_name}
    if contact_import.consent_source:
        proof["evidence"] = contact_import.consent_source
    return json.dumps(proof)


CREATE_STAGING_TABLE = (
    "CREATE TEMPORARY TABLE IF NOT EXISTS staging (phone text, email text, first_name text,"
    " last_name text, gender text, birthday date, consents bool, opts_out bool,"
    " said_at timestamptz) ON COMMIT DELETE ROWS"
)
REVOKE_STAGED_CONSENT = "UPDATE staging SET consents = false WHERE phone = ANY(%s)"
# Sorted by phone: cheaper for the unique index, and two imports at once lock rows in one order, so
# they cannot deadlock. xmax is 0 only on a row that this statement inserted. Consent is new, and a
# no, where its time is that of this transaction. A row's own time that is not plausible stays in
# the proof alone (see `plausible_claimed_or_arrival_time`).
_INSERT_TEMPLATE = """
    WITH written AS (
        INSERT INTO contacts_contact AS c (owner_id, phone, email, first_name, last_name, gender,
            birthday, awaits_welcome, is_subscribed, unsubscribed_at, sms_consent_status,
            sms_consent_source, sms_consent_at, gdpr_consent_at, gdpr_consent_source,
            gdpr_consent_version, consent_evidence)
        SELECT %(owner)s, phone, email, first_name, last_name, gender, birthday, %(welcome)s,
            agrees, CASE WHEN opts_out THEN least(coalesce(said_at, now()), now()) END,
            CASE WHEN agrees THEN 'opted_in' WHEN opts_out THEN 'opted_out' ELSE '' END,
            CASE WHEN agrees OR opts_out THEN 'import' ELSE '' END,
            CASE WHEN agrees OR opts_out THEN now() END,
            CASE WHEN agrees THEN coalesce(said_at, %(at)s::timestamptz, now()) END,
            CASE WHEN agrees THEN %(source)s ELSE '' END,
            CASE WHEN agrees THEN %(version)s ELSE '' END,
            CASE WHEN agrees THEN %(proof)s::jsonb END
        FROM (
            SELECT phone, email, first_name, last_name, gender, birthday, opts_out,
                %(consent)s AND consents AND NOT opts_out AS agrees,
                CASE WHEN said_at >= %(earliest)s THEN said_at END AS said_at
            FROM staging) s
        ORDER BY phone
        ON CONFLICT (owner_id, phone) DO {conflict}
        RETURNING id, phone, (xmax = 0) AS is_new, is_subscribed, sms_consent_at = now() AS is_said,
            CASE WHEN is_subscribed THEN gdpr_consent_at ELSE unsubscribed_at END AS decided_at
    ), events AS (
        INSERT INTO contacts_consentevent (owner_id, contact_id, type, source, decided_at, version,
            meta)
        SELECT %(owner)s, id, CASE WHEN is_subscribed THEN 'subscribed' ELSE 'unsubscribed' END,
            'import', decided_at, CASE WHEN is_subscribed THEN %(version)s ELSE '' END,
            CASE WHEN s.said_at <> decided_at
                THEN {event_proof} || jsonb_build_object('claimed_at', s.said_at)
                ELSE {event_proof} END
        FROM written JOIN staging s USING (phone) WHERE is_said
    )
    SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new)
    FROM written WHERE phone <> ALL(%(repeated)s::text[])
"""
# Where the customers agreed proves no opt-out.
_EVENT_PROOF = (
    "(CASE WHEN is_subscribed THEN %(proof)s::jsonb ELSE %(proof)s::jsonb - 'evidence' END)"
)
INSERT_CONTACTS = _INSERT_TEMPLATE.format(conflict="NOTHING", event_proof=_EVENT_PROOF)
_NEWLY_AGREES = "(excluded.is_subscribed AND NOT c.is_subscribed AND c.unsubscribed_at IS NULL)"
_NEWLY_OPTS_OUT = (
    "(excluded.unsubscribed_at IS NOT NULL AND (c.is_subscribed OR c.unsubscribed_at IS NULL))"
)
_UPDATE_TEMPLATE = """UPDATE SET
            email = {email}, first_name = {first_name}, last_name = {last_name}, gender = {gender},
            birthday = {birthday},
            is_subscribed = (c.is_subscribed OR {agrees}) AND NOT {opts_out},
            unsubscribed_at =
                CASE WHEN {opts_out} THEN excluded.unsubscribed_at ELSE c.unsubscribed_at END,
            sms_consent_status = CASE WHEN {agrees} OR {opts_out} THEN excluded.sms_consent_status
                ELSE c.sms_consent_status END,
            sms_consent_source = CASE WHEN {agrees} OR {opts_out} THEN excluded.sms_consent_source
                ELSE c.sms_consent_source END,
            sms_consent_at =
                CASE WHEN {agrees} OR {opts_out} THEN now() ELSE c.sms_consent_at END,
            gdpr_consent_at =
                CASE WHEN {agrees} THEN excluded.gdpr_consent_at ELSE c.gdpr_consent_at END,
            gdpr_consent_source = CASE WHEN {agrees} THEN excluded.gdpr_consent_source
                ELSE c.gdpr_consent_source END,
            gdpr_consent_version = CASE WHEN {agrees} THEN excluded.gdpr_consent_version
                ELSE c.gdpr_consent_version END,
            consent_evidence =
                CASE WHEN {agrees} THEN excluded.consent_evidence ELSE c.consent_evidence END,
            updated_at = now()
        WHERE c.restricted_at IS NULL AND ({agrees} OR {opts_out}
            OR (c.email, c.first_name, c.last_name, c.gender, c.birthday) IS DISTINCT FROM
            ({email}, {first_name}, {last_name}, {gender}, {birthday}))"""
_FILLED = {
    "email": "COALESCE(NULLIF(excluded.email, ''), c.email)",
    "first_name": "COALESCE(NULLIF(excluded.first_name, ''), c.first_name)",
    "last_name": "COALESCE(NULLIF(excluded.last_name, ''), c.last_name)",
    "gender": "COALESCE(excluded.gender, c.gender)",
    "birthday": "COALESCE(excluded.birthday, c.birthday)",
}
UPSERT_CONTACTS = _INSERT_TEMPLATE.format(
    conflict=_UPDATE_TEMPLATE.format(**_FILLED, agrees=_NEWLY_AGREES, opts_out=_NEWLY_OPTS_OUT),
    event_proof=_EVENT_PROOF,
)
# Fills only contacts that an earlier chunk of the same import created.
_IS_OWN = "(c.created_at >= %(since)s AND c.phone = ANY(%(repeated)s::text[]))"
UPSERT_OWN_CONTACTS = _INSERT_TEMPLATE.format(
    conflict=_UPDATE_TEMPLATE.format(
        **{
            column: f"CASE WHEN {_IS_OWN} THEN {filled} ELSE c.{column} END"
            for column, filled in _FILLED.items()
        },
        agrees=f"({_IS_OWN} AND {_NEWLY_AGREES})",
        opts_out=_NEWLY_OPTS_OUT,
    ),
    event_proof=_EVENT_PROOF,
)
ADD_TO_LIST = """
    INSERT INTO contacts_listmembership (list_id, contact_id)
    SELECT %(list)s, c.id FROM contacts_contact c JOIN staging s USING (phone)
    WHERE c.owner_id = %(owner)s AND c.restricted_at IS NULL ORDER BY c.id ON CONFLICT DO NOTHING
"""
# After the contacts, which are locked before their requests everywhere.
CLOSE_OPT_IN_REQUESTS = """
    UPDATE contacts_optinrequest r SET closed_at = now()
    FROM contacts_contact c
    WHERE c.owner_id = %(owner)s AND c.phone = ANY(%(phones)s) AND r.contact_id = c.id
        AND r.answered_at IS NULL AND r.closed_at IS NULL
"""
# Who was asked before is not asked again by a file.
ADD_OPT_IN_REQUESTS = """
    INSERT INTO contacts_optinrequest (contact_id, purpose, wording, version, meta)
    SELECT c.id, 'double_opt_in', %(wording)s, %(version)s, %(proof)s::jsonb
    FROM contacts_contact c JOIN staging s USING (phone)
    WHERE c.owner_id = %(owner)s AND s.consents AND NOT s.opts_out
        AND NOT c.is_subscribed AND c.unsubscribed_at IS NULL AND c.service_allowed
        AND c.restricted_at IS NULL
        AND (%(known_too)s OR c.created_at >= %(since)s)
        AND NOT EXISTS (
            SELECT FROM contacts_optinrequest r
            WHERE r.contact_id = c.id AND (r.tracking_id IS NOT NULL OR r.closed_at IS NULL))
    ORDER BY c.id ON CONFLICT DO NOTHING
"""


def fill_custom_values(
    contact_import: ContactImport,
    values_by_phone: Mapping[str, Mapping[str, Any]],
    *,
    repeated_phones: Sequence[str],
) -> None:
    """Fill custom fields of the contacts of a chunk, after they were written.

    Args:
        contact_import: the import; one that leaves known contacts as they are fills its own alone.
        values_by_phone: by number, the values by key.
        repeated_phones: numbers that an earlier chunk has written: what that one filled stays.
    """
    repeated = set(repeated_phones)
    with connection.cursor() as cursor:
        cursor.execute(
            FILL_CUSTOM_VALUES,
            {
                "phones": list(values_by_phone),
                "values": [orjson.dumps(values).decode() for values in values_by_phone.values()],
                "repeated": [phone in repeated for phone in values_by_phone],
                "owner": contact_import.owner_id,
                "known_too": contact_import.update_existing,
                "since": contact_import.started_at,
            },
        )


# The contacts were locked in the order of numbers as they were written.
FILL_CUSTOM_VALUES = """
    UPDATE contacts_contact c
    SET custom_values = n.merged, updated_at = now()
    FROM (
        SELECT c.id, CASE WHEN t.is_repeated THEN t.new::jsonb || c.custom_values
            ELSE c.custom_values || t.new::jsonb END AS merged
        FROM unnest(%(phones)s::text[], %(values)s::text[], %(repeated)s::bool[])
            AS t (phone, new, is_repeated)
        JOIN contacts_contact c ON c.owner_id = %(owner)s AND c.phone = t.phone
        WHERE c.restricted_at IS NULL AND (%(known_too)s OR c.created_at >= %(since)s)) n
    WHERE c.id = n.id AND c.custom_values <> n.merged
"""


def insert_rejected_rows_by_copy(lines: bytes) -> None:
    """Store rejected rows, given as lines of COPY; called in a transaction."""
    with connection.cursor() as cursor, cursor.copy(COPY_REJECTED_ROWS) as copy:
        copy.write(lines)


COPY_REJECTED_ROWS = (
    'COPY contacts_rejectedrow (contact_import_id, line, "column", value, reason, row) FROM STDIN'
)
