"""Removing personal data that is past its time (GDPR, article 5(1)(e); overview, section 7)."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from compliance.models import ActionType, RetentionAction, RetentionRun, RetentionStatus
from messaging.models import message_classes

log = logging.getLogger(__name__)
CHUNK = 5000

# Contacts who opted out longer ago than the retention time; the suppression entry, a keyed hash,
# stays. Their numbers in messages go with them.
ANONYMISE = """
    UPDATE contacts_contact SET
        phone = NULL, email = '', first_name = '', last_name = '', gender = NULL, birthday = NULL,
        consent_evidence = NULL, anonymised_at = now(), updated_at = now()
    WHERE id IN (
        SELECT id FROM contacts_contact
        WHERE unsubscribed_at < %s AND anonymised_at IS NULL
        ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)
    RETURNING id
"""
MASK_MESSAGES = """
    UPDATE {table} SET "to" = '', text = ''
    WHERE contact_id = ANY(%s) AND status <> 'queued' AND "to" <> ''
"""


def run() -> RetentionRun:
    """Anonymise what is past PII_RETENTION_DAYS, in chunks; every chunk is recorded."""
    days = settings.PII_RETENTION_DAYS
    cutoff = timezone.now() - timedelta(days=days)
    record = RetentionRun.objects.create(retention_days=days, cutoff=cutoff)
    contacts = 0
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(ANONYMISE, [cutoff, CHUNK])
            ids = [row[0] for row in cursor.fetchall()]
            if not ids:
                break
            for model in message_classes():
                cursor.execute(MASK_MESSAGES.format(table=model._meta.db_table), [ids])
            RetentionAction.objects.create(
                run=record,
                table="contacts_contact",
                action=ActionType.ANONYMISE,
                rows=len(ids),
                first_id=min(ids),
                last_id=max(ids),
            )
            contacts += len(ids)
    record.status, record.finished_at = RetentionStatus.COMPLETED, timezone.now()
    record.counts = {"contacts": contacts}
    record.save()
    log.info("retention run %s: %s", record.pk, record.counts)
    return record
