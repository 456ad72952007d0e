"""Retention: removing personal data that is past its period (GDPR, article 5(1)(e)).

Each rule finds due rows in the order of the primary key and changes them in chunks, each in its own
transaction. So a run can be stopped anywhere, and the next one does the rest. Counters and tallies
hold no personal data and stay. The rules are in rules.md#retention.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils.translation import gettext

from astronote.common import audit
from astronote.common.locks import advisory_lock
from astronote.common.sql import database_now, execute, rows
from astronote.models import Session
from compliance.erasure import (
    anonymise_contacts,
    delete_contacts,
)
from compliance.models import ActionType, RetentionAction, RetentionRun, RetentionStatus
from contacts.models import ContactImport
from messaging.models import message_classes

log = logging.getLogger(__name__)

CHUNK_ROWS = 5000


class RetentionRule(NamedTuple):
    """Which rows of a table are due, and what is done with them.

    `condition` is an SQL condition on a row t; it may use the parameters of
    `_retention_cutoffs_as_sql_params`. `change` is what an UPDATE sets, or a function of the ids;
    rows of a `delete` rule without a function are deleted. `key` is the primary key.
    """

    table: str
    condition: str
    action: ActionType
    change: str | Callable[[Sequence[int]], object] = ""
    key: str = "id"


def _plausible_time_sql(column: str, *, earliest: str, otherwise: str) -> str:
    """SQL of a time that a provider or a till gave, if it can be true, else of one that we know.

    A period that began in 1970 would end at once, and one that began in 2100 never.

    Args:
        column: the time that was given.
        earliest: the given time cannot be before this one; nor can it be in the future.
        otherwise: our own time, used instead of one that cannot be true or is missing.
    """
    return f"CASE WHEN {column} BETWEEN {earliest} AND %(now)s THEN {column} ELSE {otherwise} END"


# When a contact's last consent event was written, by our clock.
RECORDED_AT = """
    COALESCE((SELECT max(e.created_at) FROM contacts_consentevent e
        WHERE e.contact_id = t.id {condition}), t.created_at)
"""
OPTED_OUT_AT = _plausible_time_sql(
    "t.unsubscribed_at",
    earliest="t.created_at",
    otherwise=RECORDED_AT.format(condition="AND e.type = 'unsubscribed'"),
)
EVIDENCE_GIVEN_AT = _plausible_time_sql(
    "t.sms_consent_at", earliest="t.created_at", otherwise=RECORDED_AT.format(condition="")
)
# A contact is due after the opt-out, by the store's own period if that is shorter; on its own
# date; or PII_INACTIVE_DAYS after its last change and message. Never under a legal hold, and never
# while it is restricted: the person may need the data (GDPR, article 18(1)(c)).
CONTACT_IS_DUE = """
    t.anonymised_at IS NULL AND NOT t.legal_hold AND t.restricted_at IS NULL AND (
        (t.unsubscribed_at IS NOT NULL AND {opted_out_at} < %(now)s - make_interval(days =>
            LEAST(%(days)s, (SELECT u.retention_days FROM {users} u WHERE u.id = t.owner_id))))
        OR t.erase_on <= %(now)s::date
        OR (%(inactive)s > 0 AND t.updated_at < %(inactive_since)s AND {not_messaged}))
"""
NOT_MESSAGED = """
    NOT EXISTS (SELECT FROM {table} m WHERE m.contact_id = t.id AND m.sent_at >= %(inactive_since)s)
"""
# What belongs to a contact that must stay as it is stays with it.
IS_NOT_KEPT = """
    NOT EXISTS (SELECT FROM contacts_contact c WHERE {contact}
        AND (c.legal_hold OR c.restricted_at IS NOT NULL))
"""
OF_CAMPAIGN_MESSAGE = (
    "c.id = (SELECT m.contact_id FROM campaigns_campaignmessage m WHERE m.id = t.{message})"
)
OF_AUTOMATION_MESSAGE = (
    "c.id = (SELECT m.contact_id FROM campaigns_automationmessage m WHERE m.id = t.{message})"
)
CLEAR_VISITOR = "ip_address = NULL, user_agent = NULL, device_type = NULL"
HAS_VISITOR = "COALESCE(t.ip_address, t.user_agent, t.device_type) IS NOT NULL"
# Keys of JSON columns that show who or where somebody was.
PERSONAL_KEYS = (
    "'{phone,ip,ipAddress,ip_address,userAgent,user_agent,agent,deviceType,device_type}'::text[]"
)
# The identity of a reply, or of what cannot be read, is a hash of the payload: trying all numbers
# would tell whose it was.
FORGET_PAYLOAD = """
    payload = NULL, event_id = CASE WHEN event_type = 'inbound' OR event_id LIKE 'unreadable:%%'
        THEN 'removed:' || id ELSE event_id END
"""
IMPORT_ENDED_BEFORE_CUTOFF = (
    "(SELECT i.finished_at FROM contacts_contactimport i WHERE i.id = t.contact_import_id)"
    " < %(cutoff)s"
)
# One that gave consent holds the wording of the consent events that name it, so it stays as proof.
IMPORT_IS_OLD = """
    t.status NOT IN ('pending', 'processing')
        AND COALESCE(t.finished_at, t.created_at) < %(audit_cutoff)s
"""


def retention_rules() -> list[RetentionRule]:
    """Every rule, in the order in which they are applied."""
    return [
        _build_delete_or_anonymise_contacts_rule(),
        _build_remove_personal_keys_rule(
            "contacts_contact", "consent_evidence", EVIDENCE_GIVEN_AT, "c.id = t.id"
        ),
        _build_remove_personal_keys_rule(
            "contacts_consentevent", "meta", "t.created_at", "c.id = t.contact_id"
        ),
        _build_remove_personal_keys_rule(
            "contacts_optinrequest", "meta", "t.created_at", "c.id = t.contact_id"
        ),
        _build_clear_visitor_rule(
            "campaigns_offerviewevent",
            "viewed_at",
            OF_CAMPAIGN_MESSAGE.format(message="campaign_message_id"),
        ),
        _build_clear_visitor_rule("campaigns_nfcscan", "created_at", "c.id = t.contact_id"),
        RetentionRule(
            "campaigns_publicsignupevent",
            "t.created_at < %(cutoff)s AND COALESCE(t.ip_address, t.user_agent, t.meta::text)"
            " IS NOT NULL AND " + IS_NOT_KEPT.format(contact="c.id = t.contact_id"),
            ActionType.NULLIFY,
            "ip_address = NULL, user_agent = NULL, meta = NULL",
        ),
        _build_remove_personal_keys_rule(
            "campaigns_conversionevent",
            "metadata",
            _time_not_before_parent_sql("occurred_at", "contacts_contact", "contact_id"),
            "c.id = t.contact_id",
        ),
        _build_remove_personal_keys_rule(
            "campaigns_redemption",
            "evidence_json",
            _time_not_before_parent_sql("redeemed_at", "campaigns_campaignmessage", "message_id"),
            OF_CAMPAIGN_MESSAGE.format(message="message_id"),
            primary_key="message_id",
        ),
        _build_remove_personal_keys_rule(
            "campaigns_automationredemption",
            "evidence_json",
            _time_not_before_parent_sql("redeemed_at", "campaigns_automationmessage", "message_id"),
            OF_AUTOMATION_MESSAGE.format(message="message_id"),
            primary_key="message_id",
        ),
        RetentionRule(
            "messaging_webhookevent",
            """t.payload IS NOT NULL AND t.status <> 'review' AND t.received_at <
                CASE WHEN t.status = 'received' THEN %(audit_cutoff)s ELSE %(cutoff)s END""",
            ActionType.NULLIFY,
            FORGET_PAYLOAD,
        ),
        RetentionRule(
            "messaging_directmessage",
            """t.created_at < %(cutoff)s AND t."to" <> '' AND """
            + IS_NOT_KEPT.format(contact="""c.owner_id = t.owner_id AND c.phone = t."to" """),
            ActionType.NULLIFY,
            """ "to" = '', text = ''""",
        ),
        RetentionRule("contacts_rejectedrow", IMPORT_ENDED_BEFORE_CUTOFF, ActionType.DELETE),
        RetentionRule(
            "contacts_contactimport",
            f"{IMPORT_IS_OLD} AND t.consent_source = ''",
            ActionType.DELETE,
            lambda ids: ContactImport.objects.filter(pk__in=ids).delete(),
        ),
        RetentionRule(
            "contacts_contactimport",
            f"{IMPORT_IS_OLD} AND t.file_name <> ''",
            ActionType.NULLIFY,
            "file_name = '', layout = NULL, mapping = NULL, error = ''",
        ),
        RetentionRule("django_admin_log", "t.action_time < %(audit_cutoff)s", ActionType.DELETE),
        RetentionRule("astronote_auditentry", "t.at < %(audit_cutoff)s", ActionType.DELETE),
        *(
            RetentionRule(table, "t.attempt_time < %(audit_cutoff)s", ActionType.DELETE)
            for table in ("axes_accessattempt", "axes_accessfailurelog", "axes_accesslog")
        ),
    ]


def _build_delete_or_anonymise_contacts_rule() -> RetentionRule:
    not_messaged = " AND ".join(
        NOT_MESSAGED.format(table=model._meta.db_table) for model in message_classes()
    )
    users = get_user_model()._meta.db_table
    condition = CONTACT_IS_DUE.format(
        users=users, not_messaged=not_messaged, opted_out_at=OPTED_OUT_AT
    )
    if settings.PII_RETENTION_ACTION == "delete":
        return RetentionRule(
            "contacts_contact",
            condition,
            ActionType.DELETE,
            delete_contacts,
        )
    return RetentionRule(
        "contacts_contact",
        condition,
        ActionType.ANONYMISE,
        anonymise_contacts,
    )


def _time_not_before_parent_sql(column: str, table: str, reference: str) -> str:
    """SQL of a time that cannot be before the row of another table that it belongs to."""
    created = f"(SELECT r.created_at FROM {table} r WHERE r.id = t.{reference})"
    return _plausible_time_sql(f"t.{column}", earliest=created, otherwise=created)


def _build_clear_visitor_rule(table: str, since: str, contact: str) -> RetentionRule:
    """A rule that empties address, browser and device of a visit; for `contact` see below."""
    condition = f"t.{since} < %(cutoff)s AND {HAS_VISITOR} AND {IS_NOT_KEPT}"
    condition = condition.format(contact=contact)
    return RetentionRule(table, condition, ActionType.NULLIFY, CLEAR_VISITOR)


def _build_remove_personal_keys_rule(
    table: str, json_column: str, since: str, contact: str, *, primary_key: str = "id"
) -> RetentionRule:
    """A rule that removes PERSONAL_KEYS from a JSON column.

    Args:
        table: the table.
        json_column: the column.
        since: SQL of the row's time.
        contact: SQL on the contact c that the row t belongs to.
        primary_key: the primary key.
    """
    is_not_kept = IS_NOT_KEPT.format(contact=contact)
    condition = f"{since} < %(cutoff)s AND t.{json_column} ?| {PERSONAL_KEYS} AND {is_not_kept}"
    change = f"{json_column} = {json_column} - {PERSONAL_KEYS}"
    return RetentionRule(table, condition, ActionType.NULLIFY, change, primary_key)


def run_retention_or_raise_if_running(
    *,
    dry_run: bool = False,
    progress: Callable[[int], Any] = lambda row_count: None,
    by: str = "retention",
) -> RetentionRun:
    """Apply every rule and store what was done as a retention run with its actions.

    A run that was stopped before is marked as failed.

    Args:
        dry_run: only count the due rows.
        progress: called with the number of rows after each chunk.
        by: who is in the audit trail.

    Raises:
        RuntimeError: if another run is in progress.
    """
    with advisory_lock("retention") as acquired:
        if not acquired:
            raise RuntimeError("another retention run is under way: wait for it to end")
        RetentionRun.objects.filter(status=RetentionStatus.RUNNING).update(
            status=RetentionStatus.FAILED,
            error=gettext("it was stopped; a later run does the rest"),
        )
        now = database_now()
        cutoff = now - timedelta(days=settings.PII_RETENTION_DAYS)
        run = RetentionRun.objects.create(
            retention_days=settings.PII_RETENTION_DAYS, cutoff=cutoff, dry_run=dry_run
        )
        for rule in retention_rules():
            count = (
                _count_due_rows(rule, now)
                if dry_run
                else _apply_rule_to_unlocked_rows_in_chunks(rule, now, run, progress)
            )
            if count:
                run.counts[rule.table] = run.counts.get(rule.table, 0) + count
        if count := _delete_or_count_expired_sessions(now, dry_run=dry_run):
            run.counts[Session._meta.db_table] = count
        run.status, run.finished_at = RetentionStatus.COMPLETED, database_now()
        run.save()
        if not dry_run:
            audit.write_entry("retention run", run, by=by, rows=sum(run.counts.values()))
    log.info("retention run %s%s: %s", run.pk, " (dry)" if dry_run else "", run.counts)
    return run


def _delete_or_count_expired_sessions(now: datetime, *, dry_run: bool) -> int:
    """Delete the sessions that have expired, which Django leaves in the table; return how many.

    Their keys are texts, so they are no rows of a rule.
    """
    expired = Session.objects.filter(expire_date__lt=now)
    return expired.count() if dry_run else expired.delete()[0]


def _retention_cutoffs_as_sql_params(now: datetime) -> dict[str, Any]:
    days, inactive = settings.PII_RETENTION_DAYS, settings.PII_INACTIVE_DAYS
    return {
        "now": now,
        "days": days,
        "cutoff": now - timedelta(days=days),
        "inactive": inactive,
        "inactive_since": now - timedelta(days=inactive),
        "audit_cutoff": now - timedelta(days=settings.AUDIT_RETENTION_DAYS),
    }


def _count_due_rows(rule: RetentionRule, now: datetime) -> int:
    query = f"SELECT count(*) FROM {rule.table} t WHERE {rule.condition}"
    return rows(query, _retention_cutoffs_as_sql_params(now))[0][0]


def _apply_rule_to_unlocked_rows_in_chunks(
    rule: RetentionRule, now: datetime, run: RetentionRun, progress: Callable[[int], Any]
) -> int:
    """Change the due rows in chunks; return how many.

    Each chunk is one transaction with its retention action. Rows that another transaction has
    locked are left to the next run.
    """
    lock_chunk = LOCK_DUE_ROWS.format(
        key=rule.key, table=rule.table, condition=rule.condition, limit=CHUNK_ROWS
    )
    changed, last_id = 0, 0
    while True:
        with transaction.atomic():
            due = rows(lock_chunk, _retention_cutoffs_as_sql_params(now) | {"last_id": last_id})
            ids = [pk for (pk,) in due]
            if not ids:
                return changed
            _change_rows_by_rule(rule, ids)
            RetentionAction.objects.create(
                run=run,
                table=rule.table,
                action=rule.action,
                rows=len(ids),
                first_id=ids[0],
                last_id=ids[-1],
            )
        last_id = ids[-1]
        changed += len(ids)
        progress(len(ids))


# Continues after the last chunk by the primary key, so a run looks at no row twice.
LOCK_DUE_ROWS = """
    SELECT t.{key} FROM {table} t WHERE t.{key} > %(last_id)s AND {condition}
    ORDER BY t.{key} LIMIT {limit} FOR UPDATE OF t SKIP LOCKED
"""


def _change_rows_by_rule(rule: RetentionRule, ids: list[int]) -> None:
    if callable(rule.change):
        rule.change(ids)
    elif rule.action == ActionType.DELETE:
        execute(f"DELETE FROM {rule.table} WHERE {rule.key} = ANY(%s)", [ids])
    else:
        execute(f"UPDATE {rule.table} SET {rule.change} WHERE {rule.key} = ANY(%s)", [ids])
