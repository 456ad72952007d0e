"""What must always hold (design, Always true), counted as violations after a chaos run."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from django.db import connection
from django.db.models import F

from astronote.models import AuditEntry, User
from campaigns.models import (
    FINAL_CAMPAIGN_STATUSES,
    AutomationMessage,
    AutomationRedemption,
    Campaign,
    CampaignMessage,
    ExportFileChunk,
    ExportRun,
    PublicSignupEvent,
    Redemption,
)
from contacts.models import Contact, ContactImport, OptInRequest
from messaging.models import (
    Batch,
    CreditReservation,
    CreditTransaction,
    DirectMessage,
    message_classes,
)
from messaging.opt_in_secrets import fill_in_confirm_link_and_code

LARGEST_WORKER_MB = 250
# How the driver's birthday messages and reminders begin.
BIRTHDAY, REMINDER = "Birthday", "Reminder"
REQUEST_LINK = "/c/"  # in every message that asks for consent, and in no other


class Evidence:
    """What the run promised and what the sandbox's ledger holds."""

    def __init__(self) -> None:
        self.ledger: list[dict[str, Any]] = []
        # (sender, phone, text) of messages that were written and sent after a backup that was
        # restored: PostgreSQL has forgotten them, and their rows are not lost by anybody's fault.
        self.forgotten: set[tuple[str, str, str]] = set()
        self.opted_out: dict[tuple[str, str], float] = {}  # (sender, phone): committed at
        self.imported: set[tuple[int, str]] = set()  # (store, phone) in files
        # (sender, phone) that never agreed, or that agreed later, and then when they did.
        self.without_consent: set[tuple[str, str]] = set()
        self.agreed_at: dict[tuple[str, str], float] = {}
        self.confirmed: set[tuple[str, str]] = set()  # whom a page thanked for agreeing
        self.signed_up: dict[str, tuple[int, str]] = {}  # (store, phone) by the key of the form
        self.used: dict[tuple[str, int], int] = {}  # "used now" was said so often of a message
        self.exported: dict[int, set[str]] = {}  # who must be in an export of contacts
        self.half_downloads = 0
        self.erased: set[tuple[int, str]] = set()  # (store, phone)
        self.largest_mb = 0.0
        self.changed_by_repetition = 0
        self.mispriced = 0  # campaigns that held another price than their preview showed
        self.log = ""


def _key(message: dict[str, Any]) -> tuple[str, str, str]:
    return message["sender"], message["destination"], message["text"]


def accepted_without_row(ledger: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    """What the sandbox accepted and PostgreSQL does not know."""
    return {_key(message) for message in ledger} - _rows().keys()


def _of_persons_not_erased(evidence: Evidence) -> Iterator[dict[str, Any]]:
    """What the sandbox accepted for those whose messages can still be told from others."""
    senders = dict(User.objects.exclude(sender_name="").values_list("pk", "sender_name"))
    erased = {(senders[owner_id], phone) for owner_id, phone in evidence.erased}
    for message in evidence.ledger:
        if (message["sender"], message["destination"]) not in erased:
            yield message


def twice(evidence: Evidence) -> int:
    """How often the same text went to the same number again.

    A birthday message or reminder that was written after a backup that was restored may come once
    more: the driver asks for what is due again and again, which nobody does after a restore.
    """
    seen = Counter(map(_key, evidence.ledger))
    return sum(
        max(0, count - 1 - (key in evidence.forgotten and key[2].startswith((BIRTHDAY, REMINDER))))
        for key, count in seen.items()
    )


def lost(evidence: Evidence) -> int:
    """Messages without an outcome, campaigns and imports without an end, accepted without a row."""
    queued = sum(model.objects.filter(status="queued").count() for model in message_classes())
    going = (
        Campaign.objects.exclude(status__in=FINAL_CAMPAIGN_STATUSES).filter(block_reason="").count()
    )
    counted = sum(
        campaign.total != campaign.campaignmessage_set.count() or campaign.queued != 0
        for campaign in Campaign.objects.filter(status__in=FINAL_CAMPAIGN_STATUSES)
    )
    imports = ContactImport.objects.exclude(status="completed").count()
    have = set(Contact.objects.values_list("owner_id", "phone"))
    rows = _rows()
    ids = {row[3] for row in rows.values()}
    no_row = 0
    for message in _of_persons_not_erased(evidence):
        if (key := _key(message)) in evidence.forgotten and key not in rows:
            continue
        row = rows.get(key)
        # Accepted means: not skipped, not given up as never taken.
        no_row += row is None or row[2] in ("queued", "skipped") or row[4] == "not_taken"
    known = {message["id"] for message in evidence.ledger}
    invented = sum(1 for provider_id in ids if provider_id and provider_id not in known)
    gone = len(evidence.imported - have - evidence.erased)
    return queued + going + counted + imports + gone + no_row + invented


def _rows() -> dict[tuple, tuple]:
    """(owner, parts, status, provider id, error code) by (sender, number, text)."""
    rows = {}
    for model in message_classes():
        for tracking_id, sender, to, text, *rest in model.objects.values_list(
            "tracking_id",
            "batch__sender",
            "to",
            "text",
            "owner_id",
            "segments",
            "status",
            "provider_message_id",
            "error_code",
        ):
            if model is DirectMessage:
                text = fill_in_confirm_link_and_code(text, tracking_id)
            rows[sender, to, text] = tuple(rest)
    return rows


def after_opting_out(evidence: Evidence) -> int:
    """Messages to who opted out before; reminders are no marketing."""
    return sum(
        message["accepted_at"] > evidence.opted_out[message["sender"], message["destination"]]
        for message in evidence.ledger
        if (message["sender"], message["destination"]) in evidence.opted_out
        and not message["text"].startswith(REMINDER)
    )


def without_consent(evidence: Evidence) -> int:
    return sum(
        (who := (message["sender"], message["destination"])) in evidence.without_consent
        and message["accepted_at"] < evidence.agreed_at.get(who, float("inf"))
        and REQUEST_LINK not in message["text"]
        and not message["text"].startswith(REMINDER)
        for message in evidence.ledger
    )


def across_stores(evidence: Evidence) -> int:
    """Messages to, from or paid by another store than their own."""
    owners = dict(User.objects.exclude(sender_name="").values_list("sender_name", "pk"))
    rows = _rows()
    wrong = sum(
        rows.get(_key(m), [None])[0] != owners[m["sender"]]
        for m in _of_persons_not_erased(evidence)
        if _key(m) in rows or _key(m) not in evidence.forgotten
    )
    for model in message_classes():
        table = model._meta.db_table
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT count(*) FROM {table} m LEFT JOIN contacts_contact c"
                " ON c.id = m.contact_id LEFT JOIN messaging_batch b ON b.id = m.batch_id"
                " WHERE c.owner_id <> m.owner_id OR b.owner_id <> m.owner_id"
            )
            wrong += cursor.fetchone()[0]
    wrong += CreditTransaction.objects.exclude(batch=None).exclude(batch__owner=F("owner")).count()
    return wrong


def unbalanced(evidence: Evidence) -> int:
    """Stores whose wallet, ledger, reservations and messages do not agree to the credit.

    And ledger entries that do not follow from the one before, payments and refunds whose credits
    are not in the ledger, and campaigns whose price was not the one shown.
    """
    wrong: list[tuple] = []
    with connection.cursor() as cursor:
        for statement in (BALANCES, BROKEN_CHAIN, MONEY_WITHOUT_CREDITS):
            cursor.execute(statement)
            wrong += cursor.fetchall()
    early = CreditReservation.objects.filter(status="expired", closed_at__lt=F("batch__settled_at"))
    return len(wrong) + early.count() + evidence.mispriced


BALANCES = """
    SELECT w.owner_id FROM messaging_wallet w
    CROSS JOIN LATERAL (
        SELECT COALESCE(sum(CASE type WHEN 'credit' THEN amount ELSE -amount END), 0) AS balance,
            COALESCE(sum(amount) FILTER (WHERE type = 'debit'), 0) AS debited
        FROM messaging_credittransaction WHERE owner_id = w.owner_id) ledger
    CROSS JOIN LATERAL (
        SELECT COALESCE(sum(amount - charged - released) FILTER (WHERE status = 'reserved'), 0)
            AS held,
            COALESCE(sum(charged), 0) AS charged
        FROM messaging_creditreservation WHERE owner_id = w.owner_id) reservations
    CROSS JOIN LATERAL (
        SELECT COALESCE(sum(segments) FILTER (WHERE status IN ('sent', 'delivered')
                OR status = 'failed' AND provider_message_id IS NOT NULL), 0) AS accepted,
            COALESCE(sum(segments) FILTER (WHERE status = 'unknown'), 0) AS unknown
        FROM (SELECT segments, status, provider_message_id, owner_id FROM campaigns_campaignmessage
            UNION ALL SELECT segments, status, provider_message_id, owner_id
            FROM campaigns_automationmessage
            UNION ALL SELECT segments, status, provider_message_id, owner_id
            FROM campaigns_automationsend
            UNION ALL SELECT segments, status, provider_message_id, owner_id
            FROM messaging_directmessage) m
        WHERE owner_id = w.owner_id) messages
    WHERE w.balance <> ledger.balance OR w.reserved_balance <> reservations.held
        OR ledger.debited <> messages.accepted OR reservations.charged <> messages.accepted
        OR reservations.held > messages.unknown
"""


# Each entry from the one before: the balance by its amount; the allowance by what is charged first,
# by what a month grants, and by what expires.
BROKEN_CHAIN = """
    SELECT e.id FROM (
        SELECT t.*, w.balance, w.allowance_balance,
            COALESCE(lag(balance_after) OVER entries, 0) AS balance_before,
            COALESCE(lag(allowance_after) OVER entries, 0) AS allowance_before,
            lead(t.id) OVER entries IS NULL AS is_newest
        FROM messaging_credittransaction t JOIN messaging_wallet w ON w.owner_id = t.owner_id
        WINDOW entries AS (PARTITION BY t.owner_id ORDER BY t.id)) e
    WHERE balance_after <> balance_before + CASE type WHEN 'credit' THEN amount ELSE -amount END
        OR allowance_after <> CASE
            WHEN type = 'debit' THEN greatest(allowance_before - amount, 0)
            WHEN type = 'expiry' THEN allowance_before - amount
            WHEN idempotency_key LIKE 'allowance:%' THEN allowance_before + amount
            ELSE allowance_before END
        OR is_newest AND (balance_after <> balance OR allowance_after <> allowance_balance)
"""
# A purchase has added its credits once. What was returned of it has taken its share, each rounded
# to a credit, as far as it was there; a dispute that was won has given it again.
MONEY_WITHOUT_CREDITS = """
    SELECT p.id FROM messaging_payment p
    LEFT JOIN messaging_credittransaction t
        ON t.idempotency_key = 'payment:' || p.id AND t.owner_id = p.owner_id AND t.type = 'credit'
    CROSS JOIN LATERAL (
        SELECT COALESCE(sum(amount), 0) AS cents, COALESCE(sum(credits_due), 0) AS due,
            count(*) AS count
        FROM messaging_paymentadjustment WHERE payment_id = p.id AND status <> 'won') returned
    WHERE p.kind = 'topup' AND t.amount IS DISTINCT FROM p.credits
        OR returned.cents > p.amount OR returned.due > p.credits * returned.cents / p.amount + count
    UNION ALL
    SELECT a.id FROM messaging_paymentadjustment a
    LEFT JOIN messaging_credittransaction taken
        ON taken.idempotency_key = 'adjustment:' || a.id AND taken.type = 'refund'
    LEFT JOIN messaging_credittransaction again
        ON again.idempotency_key = 'adjustment:' || a.id || ':won' AND again.type = 'credit'
    WHERE COALESCE(taken.amount, 0) <> a.credits_taken
        OR COALESCE(again.amount, 0)
            <> CASE a.status WHEN 'won' THEN a.credits_taken ELSE 0 END
"""


def reminded_not_once(evidence: Evidence) -> int:
    """Appointments that have not one message each."""
    with connection.cursor() as cursor:
        cursor.execute(REMINDED_NOT_ONCE)
        return len(cursor.fetchall())


# One that was cancelled may have been reminded of before.
REMINDED_NOT_ONCE = """
    SELECT e.id FROM contacts_customerevent e
    LEFT JOIN campaigns_automationsend m ON m.event_id = e.id
    GROUP BY e.id
    HAVING count(m.id) > 1 OR e.status = 'scheduled' AND count(m.id) = 0
"""


def signed_up_not_once(evidence: Evidence) -> int:
    """Sign-ups that a page took and that are lost, wait, or did more or less than they say."""
    missing = evidence.signed_up.keys() - set(
        PublicSignupEvent.objects.values_list("idempotency_key", flat=True)
    )
    wrong = len(missing)
    contacts = dict(PublicSignupEvent.objects.values_list("idempotency_key", "contact__phone"))
    for key, (owner_id, phone) in evidence.signed_up.items():
        # Of a number that is suppressed no contact is made.
        if key not in missing and (owner_id, phone) not in evidence.erased:
            wrong += contacts[key] not in (phone, None)
    with connection.cursor() as cursor:
        cursor.execute(SIGNUPS_NOT_ONCE)
        return wrong + len(cursor.fetchall())


# By the proof that a consent or a request keeps of the sign-up that led to it. Who has an open
# request is not asked again. Nothing of what was typed stays.
SIGNUPS_NOT_ONCE = """
    SELECT s.id FROM campaigns_publicsignupevent s
    CROSS JOIN LATERAL (
        SELECT count(*) AS count FROM contacts_consentevent WHERE meta ->> 'signup' = s.id::text
    ) consents
    CROSS JOIN LATERAL (
        SELECT count(*) AS count FROM contacts_optinrequest WHERE meta ->> 'signup' = s.id::text
    ) requests
    WHERE s.outcome = 'waiting' OR s.meta ->> 'phone' IS NOT NULL
        OR consents.count > 1 OR requests.count > 1
        OR s.contact_id IS NOT NULL AND CASE s.outcome
            WHEN 'subscribed' THEN consents.count <> 1 OR requests.count <> 0
            WHEN 'asked' THEN NOT EXISTS (
                SELECT FROM contacts_optinrequest WHERE contact_id = s.contact_id)
            ELSE consents.count + requests.count <> 0 END
"""


def consented_not_once(evidence: Evidence) -> int:
    """Consents that changed twice in the same way, are not what they last were, or are lost."""
    with connection.cursor() as cursor:
        cursor.execute(CONSENTS_NOT_ONCE)
        wrong = len(cursor.fetchall())
    agreed = set(
        Contact.objects.filter(consentevent__type__in=["subscribed", "resubscribed"]).values_list(
            "owner__sender_name", "phone"
        )
    )
    left = {who for who in evidence.confirmed if who in evidence.opted_out}
    senders = dict(User.objects.exclude(sender_name="").values_list("pk", "sender_name"))
    left |= {(senders[owner_id], phone) for owner_id, phone in evidence.erased}
    answered_twice = OptInRequest.objects.filter(
        answered_at__isnull=False, closed_at__isnull=False
    ).count()
    return wrong + len(evidence.confirmed - agreed - left) + answered_twice


CONSENTS_NOT_ONCE = """
    SELECT e.id FROM (
        SELECT id, contact_id, type = 'unsubscribed' AS is_no,
            lag(type = 'unsubscribed') OVER entries AS was_no,
            lead(id) OVER entries IS NULL AS is_newest
        FROM contacts_consentevent
        WHERE type IN ('subscribed', 'resubscribed', 'unsubscribed')
        WINDOW entries AS (PARTITION BY contact_id ORDER BY id)) e
    JOIN contacts_contact c ON c.id = e.contact_id
    WHERE is_no = was_no OR is_newest AND c.is_subscribed = is_no
"""


def used_not_once(evidence: Evidence) -> int:
    """Offers of which it was said twice that they are used now, or that are not stored as used.

    And uses with more or less than one audit entry.
    """
    wrong = sum(max(0, count - 1) for count in evidence.used.values())
    for model, messages in (
        (Redemption, CampaignMessage),
        (AutomationRedemption, AutomationMessage),
    ):
        stored = dict(model.objects.values_list("message_id", "pk"))
        said = {
            pk for (name, pk), count in evidence.used.items() if name == messages.__name__ and count
        }
        wrong += len(said - stored.keys())
        entries = Counter(
            AuditEntry.objects.filter(action="offer redeemed").values_list("subject", flat=True)
        )
        wrong += sum(entries[f"{model._meta.verbose_name} {pk}"] != 1 for pk in stored.values())
    return wrong


def half_exports(evidence: Evidence) -> int:
    """Files that are there before their export is complete, and files that are not whole."""
    wrong = evidence.half_downloads
    with_file = set(ExportFileChunk.objects.values_list("export_run", flat=True))
    for run in ExportRun.objects.all():
        if run.status != "completed":
            wrong += run.status == "pending" or run.pk in with_file
            continue
        chunks = ExportFileChunk.objects.filter(export_run=run).order_by("number")
        numbers = list(chunks.values_list("number", flat=True))
        text = _text_of_export(run)
        lines = list(csv.reader(io.StringIO(text, newline="")))
        promised = {
            phone
            for phone in evidence.exported.get(run.pk, set())
            if (run.owner_id, phone) not in evidence.erased
        }
        phones = {line[0].lstrip("'") for line in lines}
        wrong += (
            numbers != list(range(len(numbers)))
            or len(text.encode()) != run.file_size
            or len(lines) - 1 != run.lines
            or len({len(line) for line in lines}) != 1
            or not promised <= phones
        )
    return wrong


def _text_of_export(run: ExportRun) -> str:
    chunks = ExportFileChunk.objects.filter(export_run=run).order_by("number")
    return b"".join(map(bytes, chunks.values_list("data", flat=True))).decode()


def erased_in_files(evidence: Evidence) -> int:
    """Files of a store that name a person whom it has erased."""
    return sum(
        any(phone[1:] in text for owner_id, phone in evidence.erased if owner_id == run.owner_id)
        for run in ExportRun.objects.all()
        if (text := _text_of_export(run))
    )


def grown(evidence: Evidence) -> int:
    return int(evidence.largest_mb > LARGEST_WORKER_MB)


def ran_before_commit(evidence: Evidence) -> int:
    return evidence.log.count("DoesNotExist")


def changed_by_repetition(evidence: Evidence) -> int:
    return evidence.changed_by_repetition


RULES: dict[str, Callable[[Evidence], int]] = {
    "1 Mitto never receives a message twice": twice,
    "2 no message, campaign or import is lost": lost,
    "3 nobody is messaged after opting out": after_opting_out,
    "3 nobody is messaged without consent": without_consent,
    "4 no store touches another's anything": across_stores,
    "5 the ledger balances to the credit, and the price shown was charged": unbalanced,
    f"6 no worker is larger than {LARGEST_WORKER_MB} MB": grown,
    "7 a job run twice, late or by two changes nothing": changed_by_repetition,
    "8 an appointment is reminded of once": reminded_not_once,
    "8 a sign-up is applied once": signed_up_not_once,
    "8 consent changes once, and an answer is not lost": consented_not_once,
    "8 an offer is used once": used_not_once,
    "8 no export is half": half_exports,
    "8 no erased person is in an export": erased_in_files,
    "– no job comes before its row is committed": ran_before_commit,
}


def state() -> tuple:
    """A digest of everything that a job repeated must leave as it is."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT (SELECT count(*) FROM contacts_contact),
                (SELECT sum(balance) FROM messaging_wallet),
                (SELECT sum(reserved_balance) FROM messaging_wallet),
                (SELECT count(*) FROM messaging_credittransaction),
                (SELECT md5(string_agg(id || status || COALESCE(provider_message_id, ''), ','
                    ORDER BY id)) FROM campaigns_campaignmessage),
                (SELECT count(*) FROM campaigns_automationmessage),
                (SELECT count(*) FROM campaigns_automationsend),
                (SELECT count(*) FROM contacts_consentevent),
                (SELECT count(*) FROM contacts_optinrequest),
                (SELECT count(*) FROM messaging_directmessage),
                (SELECT md5(string_agg(id || outcome, ',' ORDER BY id))
                    FROM campaigns_publicsignupevent),
                (SELECT md5(string_agg(id || status || attempts || COALESCE(file_size, 0), ','
                    ORDER BY id)) FROM campaigns_exportrun),
                (SELECT string_agg(id || status || total || sent || delivered || failed, ','
                    ORDER BY id) FROM campaigns_campaign)
            """
        )
        return cursor.fetchone()


def unfinished() -> list[str]:
    """What the run still waits for, in words."""
    found = {
        "open batches": Batch.objects.filter(status__in=["pending", "claimed", "submitting"]),
        "campaigns": Campaign.objects.filter(status__in=["sending", "paused", "scheduled"]).filter(
            block_reason=""
        ),
        "imports": ContactImport.objects.filter(status__in=["pending", "processing"]),
        "sign-ups": PublicSignupEvent.objects.filter(outcome="waiting"),
        "opt-in requests": OptInRequest.objects.without_written_message(),
        "exports": ExportRun.objects.filter(status="pending"),
    }
    return [f"{rows.count()} {name}" for name, rows in found.items() if rows.exists()]


def ended() -> int:
    """How many pieces of work have ended: it grows as long as work goes on."""
    return (
        Batch.objects.filter(status__in=["settled", "cancelled"]).count()
        + Campaign.objects.filter(status__in=FINAL_CAMPAIGN_STATUSES).count()
        + ContactImport.objects.filter(status="completed").count()
        + PublicSignupEvent.objects.exclude(outcome="waiting").count()
        + ExportRun.objects.exclude(status="pending").count()
    )
