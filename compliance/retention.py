"""Removing personal data that is past its time (GDPR, article 5(1)(e); overview, section 7).

Each rule finds what is due by the primary key and changes it in chunks that commit, so that a run
can be stopped anywhere: the next finds the rest. Counters and tallies tell of nobody and stay.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.utils import timezone

from compliance.erasing import anonymise, delete
from compliance.models import ActionType, RetentionAction, RetentionRun, RetentionStatus
from contacts.locks import only_one
from messaging.models import message_classes

log = logging.getLogger(__name__)
CHUNK = 5000


class Rule(NamedTuple):
    """What goes when: rows `t` of a table that meet an SQL condition, and what is done with them.

    The condition may use %(cutoff)s, the end of PII_RETENTION_DAYS. `change` is what SQL sets, or a
    function of the ids.
    """

    table: str
    condition: str
    action: ActionType
    change: str | Callable[[Sequence[int]], None]


# Who opted out too long ago, by the store's own period if that is shorter; who has a date of his
# own; who was neither messaged nor changed for PII_INACTIVE_DAYS. Not who is under a legal hold.
CONTACT_IS_DUE = """
    t.anonymised_at IS NULL AND NOT t.legal_hold AND (
        (t.unsubscribed_at IS NOT NULL AND t.unsubscribed_at < %(now)s - make_interval(days =>
            LEAST(%(days)s, (SELECT u.retention_days FROM {users} u WHERE u.id = t.owner_id))))
        OR t.erase_on <= %(now)s::date
        OR (%(inactive)s > 0 AND t.updated_at < %(inactive_since)s AND {unmessaged}))
"""
ACTIVE_UNTIL_MESSAGED = """
    NOT EXISTS (SELECT FROM {table} m WHERE m.contact_id = t.id AND m.sent_at >= %(inactive_since)s)
"""
TRACES = "ip_address = NULL, user_agent = NULL, device_type = NULL"
HAS_TRACES = "COALESCE(t.ip_address, t.user_agent, t.device_type) IS NOT NULL"
# Keys of JSON columns that tell who or where somebody was (behaviours, section 8).
PERSONAL_KEYS = (
    "'{phone,ip,ipAddress,ip_address,userAgent,user_agent,agent,deviceType,device_type}'::text[]"
)


def rules() -> list[Rule]:
    """Every rule, in the order in which they are applied."""
    unmessaged = " AND ".join(
        ACTIVE_UNTIL_MESSAGED.format(table=model._meta.db_table) for model in message_classes()
    )
    due = CONTACT_IS_DUE.format(users=get_user_model()._meta.db_table, unmessaged=unmessaged)
    deletes = settings.PII_RETENTION_ACTION == "delete"
    return [
        Rule("contacts_contact", due, ActionType.DELETE if deletes else ActionType.ANONYMISE,
             delete if deletes else anonymise),
        _without_keys("contacts_contact", "consent_evidence", "sms_consent_at"),
        Rule("campaigns_offerviewevent", f"t.viewed_at < %(cutoff)s AND {HAS_TRACES}",
             ActionType.NULLIFY, TRACES),
        Rule("campaigns_nfcscan", f"t.created_at < %(cutoff)s AND {HAS_TRACES}",
             ActionType.NULLIFY, TRACES),
        _without_keys("campaigns_conversionevent", "metadata", "occurred_at"),
        _without_keys("campaigns_redemption", "evidence_json", "redeemed_at", key="message_id"),
        _without_keys("campaigns_automationredemption", "evidence_json", "redeemed_at",
                      key="message_id"),
        Rule("messaging_webhookevent",
             "t.received_at < %(cutoff)s AND t.payload IS NOT NULL AND t.status <> 'received'",
             ActionType.NULLIFY, "payload = NULL"),
        Rule("messaging_directmessage", """t.created_at < %(cutoff)s AND t."to" <> ''""",
             ActionType.NULLIFY, """ "to" = '', text = ''"""),
        Rule("contacts_rejectedrow",
             "(SELECT i.finished_at FROM contacts_contactimport i WHERE i.id = t.contact_import_id)"
             " < %(cutoff)s", ActionType.DELETE, ""),
    ]  # fmt: skip


def _without_keys(table: str, column: str, clock: str, *, key: str = "id") -> Rule:
    condition = f"t.{clock} < %(cutoff)s AND t.{column} ?| {PERSONAL_KEYS}"
    change = f"{column} = {column} - {PERSONAL_KEYS}"
    return Rule(f"{table}:{key}", condition, ActionType.NULLIFY, change)


def run(
    *, dry_run: bool = False, progress: Callable[[int], Any] = lambda rows: None
) -> RetentionRun:
    """Apply every rule; what is done is kept with the run, and a dry run only counts.

    Raises:
        RuntimeError: if another run is under way.
    """
    with only_one("retention") as mine:
        if not mine:
            raise RuntimeError("another retention run is under way: wait for it to end")
        RetentionRun.objects.filter(status=RetentionStatus.RUNNING).update(
            status=RetentionStatus.FAILED, error="it was stopped; a later run does the rest"
        )
        now = timezone.now()
        cutoff = now - timedelta(days=settings.PII_RETENTION_DAYS)
        record = RetentionRun.objects.create(
            retention_days=settings.PII_RETENTION_DAYS, cutoff=cutoff, dry_run=dry_run
        )
        for rule in rules():
            table = rule.table.partition(":")[0]
            done = _count(rule, now) if dry_run else _apply(rule, now, record, progress)
            if done:
                record.counts[table] = record.counts.get(table, 0) + done
        record.status, record.finished_at = RetentionStatus.COMPLETED, timezone.now()
        record.save()
    log.info("retention run %s%s: %s", record.pk, " (dry)" if dry_run else "", record.counts)
    return record


def _values(now: datetime) -> dict[str, Any]:
    days, inactive = settings.PII_RETENTION_DAYS, settings.PII_INACTIVE_DAYS
    return {
        "now": now, "days": days, "cutoff": now - timedelta(days=days),
        "inactive": inactive, "inactive_since": now - timedelta(days=inactive),
    }  # fmt: skip


def _count(rule: Rule, now: datetime) -> int:
    table = rule.table.partition(":")[0]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table} t WHERE {rule.condition}", _values(now))
        return cursor.fetchone()[0]


def _apply(rule: Rule, now: datetime, record: RetentionRun, progress: Callable[[int], Any]) -> int:
    """Change what is due, a chunk a transaction; what somebody else holds waits for next time."""
    table, _, key = rule.table.partition(":")
    key = key or "id"
    pick = (
        f"SELECT t.{key} FROM {table} t WHERE t.{key} > %(after)s AND {rule.condition}"
        f" ORDER BY t.{key} LIMIT {CHUNK} FOR UPDATE OF t SKIP LOCKED"
    )
    done, after = 0, 0
    while True:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(pick, _values(now) | {"after": after})
                ids = [row[0] for row in cursor.fetchall()]
                if not ids:
                    return done
                if callable(rule.change):
                    rule.change(ids)
                elif rule.action == ActionType.DELETE:
                    cursor.execute(f"DELETE FROM {table} WHERE {key} = ANY(%s)", [ids])
                else:
                    cursor.execute(f"UPDATE {table} SET {rule.change} WHERE {key} = ANY(%s)", [ids])
            RetentionAction.objects.create(
                run=record, table=table, action=rule.action, rows=len(ids), first_id=ids[0],
                last_id=ids[-1],
            )  # fmt: skip
        after = ids[-1]
        done += len(ids)
        progress(len(ids))
