"""Prepaid credits: the only code that changes wallets, reservations and the ledger.

One credit pays one SMS part. A batch has one reservation; its ledger entries are keyed by the
total charged so far, so that charging twice for the same messages is impossible. Locks are taken
in the order reservation, wallet.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
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


def reserve(owner_id: int, batches: Sequence[tuple[int, int]]) -> None:
    """Hold credits for new batches, given as (batch id, parts); all of them or none.

    Raises:
        InsufficientCredits: if the wallet has too few that are free.
    """
    needed = sum(amount for _, amount in batches)
    wallet_of(owner_id)
    wallet = Wallet.objects.select_for_update().get(owner_id=owner_id)
    if wallet.available < needed:
        raise InsufficientCredits(needed, wallet.available)
    wallet.reserved_balance += needed
    wallet.save()
    expires_at = timezone.now() + timedelta(minutes=settings.CREDIT_RESERVATION_TTL_MINUTES)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO messaging_creditreservation
                (owner_id, batch_id, amount, charged, released, status, expires_at)
            SELECT %s, batch_id, amount, 0, 0, 'reserved', %s
            FROM unnest(%s::bigint[], %s::int[]) AS new (batch_id, amount)
            """,
            [owner_id, expires_at, [batch for batch, _ in batches], [n for _, n in batches]],
        )


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
