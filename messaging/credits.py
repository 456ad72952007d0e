"""Prepaid credits: the only code that changes wallets, reservations and the ledger.

One credit pays one SMS part. A batch has one reservation; its ledger entries are keyed by the
total charged so far, so that charging twice for the same messages is impossible. Locks are taken
in the order reservation, wallet.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from messaging.models import CreditTransaction, TransactionType, Wallet

log = logging.getLogger(__name__)


class InsufficientCredits(Exception):
    """The wallet cannot pay; says how much is needed and how much is free."""

    def __init__(self, needed: int, available: int) -> None:
        self.needed, self.available = needed, available
        super().__init__(
            f"{needed} credits are needed and {available} are available: top up at least "
            f"{needed - available}"
        )


def wallet_of(owner_id: int) -> Wallet:
    """The store's wallet; an empty one is made for a new store."""
    return Wallet.objects.get_or_create(owner_id=owner_id)[0]


def top_up(owner_id: int, amount: int, *, reason: str, key: str) -> Wallet:
    """Add credits to a store's wallet; the same `key` adds them once.

    Raises:
        ValueError: if the amount is not positive.
    """
    if amount <= 0:
        raise ValueError(f"a top-up must be 1 credit or more, not {amount}")
    wallet_of(owner_id)
    with transaction.atomic():
        wallet = Wallet.objects.select_for_update().get(owner_id=owner_id)
        if CreditTransaction.objects.filter(idempotency_key=key).exists():
            return wallet
        wallet.balance += amount
        wallet.save()
        CreditTransaction.objects.create(
            owner_id=owner_id,
            type=TransactionType.CREDIT,
            amount=amount,
            balance_after=wallet.balance,
            reason=reason,
            idempotency_key=key,
        )
    return wallet


def hold(needs: Mapping[int, int]) -> set[int]:
    """Hold so many credits of each store's wallet, all of them or none; return who could pay.

    In the same transaction `keep` must write down which batches they are held for.
    """
    with connection.cursor() as cursor:
        cursor.execute(HOLD, [list(needs), list(needs.values())])
        return {row[0] for row in cursor.fetchall()}


# Wallets are locked in the order of stores; one that somebody else changes is looked at again.
HOLD = """
    WITH rich AS (
        SELECT w.owner_id, t.amount
        FROM messaging_wallet w
        JOIN unnest(%s::bigint[], %s::int[]) AS t (owner_id, amount) ON t.owner_id = w.owner_id
        WHERE w.balance - w.reserved_balance >= t.amount
        ORDER BY w.owner_id
        FOR NO KEY UPDATE OF w)
    UPDATE messaging_wallet w
    SET reserved_balance = reserved_balance + rich.amount, updated_at = now()
    FROM rich WHERE w.owner_id = rich.owner_id
    RETURNING w.owner_id
"""


def keep(batches: Sequence[tuple[int, int, int]]) -> None:
    """Write down which new batches held credits are for, as (store, batch, parts)."""
    expires_at = timezone.now() + timedelta(minutes=settings.CREDIT_RESERVATION_TTL_MINUTES)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO messaging_creditreservation
                (owner_id, batch_id, amount, charged, released, status, expires_at)
            SELECT owner_id, batch_id, amount, 0, 0, 'reserved', %s
            FROM unnest(%s::bigint[], %s::bigint[], %s::int[]) AS new (owner_id, batch_id, amount)
            """,
            [expires_at, *(list(column) for column in zip(*batches, strict=True))],
        )


def reserve(batches: Sequence[tuple[int, int, int]]) -> None:
    """Hold credits for new batches of a store, given as (store, batch, parts); all or none.

    Raises:
        InsufficientCredits: if a wallet has too few that are free.
    """
    if not batches:
        return
    needs: Counter[int] = Counter()
    for owner_id, _, amount in batches:
        needs[owner_id] += amount
    for owner_id in needs.keys() - hold(needs):
        raise InsufficientCredits(needs[owner_id], wallet_of(owner_id).available)
    keep(batches)


def expire(batch_ids: Sequence[int]) -> list[tuple[int, int, int]]:
    """Give back what these batches still hold; returns (store, batch, credits) of each.

    For batches that are settled, whose unknown messages no receipt has settled in time.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(EXPIRE, [list(batch_ids)])
        expired = cursor.fetchall()
        back: Counter[int] = Counter()
        for owner_id, _, amount in expired:
            back[owner_id] += amount
        owners = sorted(back)
        list(Wallet.objects.select_for_update().filter(owner__in=owners).order_by("owner"))
        cursor.execute(
            """
            UPDATE messaging_wallet w
            SET reserved_balance = reserved_balance - t.amount, updated_at = now()
            FROM unnest(%s::bigint[], %s::int[]) AS t (owner_id, amount)
            WHERE w.owner_id = t.owner_id
            """,
            [owners, [back[owner] for owner in owners]],
        )
    return expired


# The batch is looked at again under the reservation's lock: an operator may have had its messages
# sent once more.
EXPIRE = """
    WITH old AS (
        SELECT r.id, r.amount - r.charged - r.released AS held
        FROM messaging_creditreservation r JOIN messaging_batch b ON b.id = r.batch_id
        WHERE r.batch_id = ANY(%s) AND r.status = 'reserved' AND r.expires_at < now()
            AND b.status IN ('settled', 'cancelled')
        ORDER BY r.id
        FOR UPDATE OF r)
    UPDATE messaging_creditreservation r
    SET status = 'expired', released = released + old.held, closed_at = now()
    FROM old WHERE r.id = old.id
    RETURNING r.owner_id, r.batch_id, old.held
"""


def settle(owner_id: int, batch_id: int, *, charge: int, release: int) -> None:
    """Charge the parts Mitto accepted and give back those it will never send.

    Called in the transaction that changes the messages' status, with each part passed once.
    """
    if not charge and not release:
        return
    with connection.cursor() as cursor:
        cursor.execute(CLOSE_RESERVATION, [charge, release, charge, release, charge, batch_id])
        row = cursor.fetchone()
        if row is None:
            _charge_after_expiry(cursor, owner_id, batch_id, charge)
            return
        charged_so_far = row[0]
        cursor.execute(TAKE_FROM_WALLET, [charge, charge + release, owner_id])
        balance = cursor.fetchone()[0]
        if charge:
            _write_debit(cursor, owner_id, batch_id, charge, balance, charged_so_far)


CLOSE_RESERVATION = """
    UPDATE messaging_creditreservation SET
        charged = charged + %s,
        released = released + %s,
        status = CASE
            WHEN charged + released + %s + %s < amount THEN 'reserved'
            WHEN charged + %s > 0 THEN 'committed'
            ELSE 'released' END,
        closed_at = now()
    WHERE batch_id = %s AND status = 'reserved'
    RETURNING charged
"""
TAKE_FROM_WALLET = """
    UPDATE messaging_wallet
    SET balance = balance - %s, reserved_balance = reserved_balance - %s, updated_at = now()
    WHERE owner_id = %s
    RETURNING balance
"""


def _charge_after_expiry(cursor, owner_id: int, batch_id: int, charge: int) -> None:
    """A message proved accepted after its reservation ran out is paid from what is free."""
    if not charge:
        return
    cursor.execute(
        """
        UPDATE messaging_creditreservation SET charged = charged + %s, amount = amount + %s
        WHERE batch_id = %s RETURNING charged
        """,
        [charge, charge, batch_id],
    )
    charged_so_far = cursor.fetchone()[0]
    wallet = Wallet.objects.select_for_update().get(owner_id=owner_id)
    paid = min(charge, wallet.available)
    if paid < charge:
        log.error(
            "store %s: %s parts of batch %s were sent after the reservation expired and the "
            "wallet cannot pay for them",
            owner_id,
            charge - paid,
            batch_id,
        )
    if paid:
        wallet.balance -= paid
        wallet.save()
        _write_debit(cursor, owner_id, batch_id, paid, wallet.balance, charged_so_far)


def _write_debit(
    cursor, owner_id: int, batch_id: int, amount: int, balance: int, charged_so_far: int
) -> None:
    cursor.execute(
        """
        INSERT INTO messaging_credittransaction
            (owner_id, batch_id, type, amount, balance_after, reason, idempotency_key)
        VALUES (%s, %s, 'debit', %s, %s, 'messages sent', %s)
        """,
        [owner_id, batch_id, amount, balance, f"batch:{batch_id}:{charged_so_far}"],
    )
