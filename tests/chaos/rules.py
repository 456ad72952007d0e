"""What must always hold (design, Always true), counted as violations after a chaos run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from django.db import connection
from django.db.models import F

from astronote.models import User
from campaigns.models import FINAL_CAMPAIGN_STATUSES, AutomationMessage, Campaign, CampaignMessage
from contacts.models import Contact, ContactImport
from messaging.models import Batch, CreditReservation, CreditTransaction

LARGEST_WORKER_MB = 250
BIRTHDAY = "Birthday"  # how the driver's birthday messages begin


class Evidence:
    """What the run promised and what the sandbox's ledger holds."""

    def __init__(self) -> None:
        self.ledger: list[dict[str, Any]] = []
        # (sender, phone, text) of messages that were written and sent after a backup that was
        # restored: PostgreSQL has forgotten them, and their rows are not lost by anybody's fault.
        self.forgotten: set[tuple[str, str, str]] = set()
        self.opted_out: dict[tuple[str, str], float] = {}  # (sender, phone): committed at
        self.imported: set[tuple[int, str]] = set()  # (store, phone) in files
        self.without_consent: set[tuple[str, str]] = set()  # (sender, phone) that never agreed
        self.largest_mb = 0.0
        self.changed_by_repetition = 0
        self.mispriced = 0  # campaigns that held another price than their preview showed
        self.log = ""


def _key(message: dict[str, Any]) -> tuple[str, str, str]:
    return message["sender"], message["destination"], message["text"]


def accepted_without_row(ledger: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    """What the sandbox accepted and PostgreSQL does not know."""
    return {_key(message) for message in ledger} - _rows().keys()


def twice(evidence: Evidence) -> int:
    """How often the same text went to the same number again.

    A birthday message that was written after a backup that was restored may come once more: the
    driver asks for the day's birthdays again and again, which nobody does after a restore.
    """
    seen = Counter(map(_key, evidence.ledger))
    return sum(
        max(0, count - 1 - (key in evidence.forgotten and key[2].startswith(BIRTHDAY)))
        for key, count in seen.items()
    )


def lost(evidence: Evidence) -> int:
    """Messages without an outcome, campaigns and imports without an end, accepted without a row."""
    queued = sum(
        model.objects.filter(status="queued").count()
        for model in (CampaignMessage, AutomationMessage)
    )
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
    for message in evidence.ledger:
        if (key := _key(message)) in evidence.forgotten and key not in rows:
            continue
        row = rows.get(key)
        # Accepted means: not skipped, not given up as never taken.
        no_row += row is None or row[2] in ("queued", "skipped") or row[4] == "not_taken"
    known = {message["id"] for message in evidence.ledger}
    invented = sum(1 for provider_id in ids if provider_id and provider_id not in known)
    return queued + going + counted + imports + len(evidence.imported - have) + no_row + invented


def _rows() -> dict[tuple, tuple]:
    """(owner, parts, status, provider id, error code) by (sender, number, text)."""
    rows = {}
    for model in (CampaignMessage, AutomationMessage):
        for sender, to, text, *rest in model.objects.values_list(
            "batch__sender",
            "to",
            "text",
            "owner_id",
            "segments",
            "status",
            "provider_message_id",
            "error_code",
        ):
            rows[sender, to, text] = tuple(rest)
    return rows


def after_opting_out(evidence: Evidence) -> int:
    return sum(
        message["accepted_at"] > evidence.opted_out[message["sender"], message["destination"]]
        for message in evidence.ledger
        if (message["sender"], message["destination"]) in evidence.opted_out
    )


def without_consent(evidence: Evidence) -> int:
    return sum(
        (message["sender"], message["destination"]) in evidence.without_consent
        for message in evidence.ledger
    )


def across_stores(evidence: Evidence) -> int:
    """Messages to, from or paid by another store than their own."""
    owners = dict(User.objects.exclude(sender_name="").values_list("sender_name", "pk"))
    rows = _rows()
    wrong = sum(
        rows.get(_key(m), [None])[0] != owners[m["sender"]]
        for m in evidence.ledger
        if _key(m) in rows or _key(m) not in evidence.forgotten
    )
    for model in (CampaignMessage, AutomationMessage):
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
            FROM campaigns_automationmessage) m
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
    }
    return [f"{rows.count()} {name}" for name, rows in found.items() if rows.exists()]


def ended() -> int:
    """How many batches, campaigns and imports have ended: it grows as long as work goes on."""
    return (
        Batch.objects.filter(status__in=["settled", "cancelled"]).count()
        + Campaign.objects.filter(status__in=FINAL_CAMPAIGN_STATUSES).count()
        + ContactImport.objects.filter(status="completed").count()
    )
