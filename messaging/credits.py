"""Prepaid credits: the only code that changes wallets, reservations and the ledger.

One credit pays one SMS part. The allowance of a plan's month is a part of the wallet's balance that
is charged first; holds need not tell it from bought credits. A batch has one reservation. Its
ledger entries are keyed by the batch's total charge so far, so that the same messages cannot be
charged twice. Reservations are locked before wallets. Rules: docs/rules.md#credits. When to charge
or release is decided in `outcomes.py`.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext, ngettext

from astronote.accounts.models import StoreId, User
from astronote.common import audit
from astronote.common.counts import format_count
from astronote.common.sql import database_now, execute, rows
from messaging.models import BatchId, CreditTransaction, Wallet
from messaging.statuses import TransactionType

log = logging.getLogger(__name__)

MAX_TOP_UP = 100_000_000  # credits; a larger amount is likely a slip


class NewBatch(NamedTuple):
    """A batch that is being written, and the parts of its messages."""

    owner_id: StoreId
    id: BatchId
    parts: int


class ExpiredReservation(NamedTuple):
    """A reservation that expired, and the credits that it released."""

    owner_id: StoreId
    batch_id: BatchId
    credits: int


class InsufficientCredits(Exception):
    """A wallet has fewer available credits than are needed."""

    def __init__(self, needed: int, available: int) -> None:
        self.needed, self.available = needed, available
        super().__init__(
            gettext("%(needed)s and %(available)s: top up at least %(missing)s")
            % {
                "needed": ngettext(
                    "%(count)s credit is needed", "%(count)s credits are needed", needed
                )
                % {"count": format_count(needed)},
                "available": ngettext(
                    "%(count)s is available", "%(count)s are available", available
                )
                % {"count": format_count(available)},
                "missing": needed - available,
            }
        )


def get_or_create_wallet(owner_id: int) -> Wallet:
    """The store's wallet; creates an empty one if it has none."""
    return Wallet.objects.get_or_create(owner_id=owner_id)[0]


def top_up(owner_id: int, amount: int, *, reason: str, key: str) -> Wallet:
    """Add credits to a store's wallet, once for each `key`, and write a ledger entry.

    Raises:
        ValueError: if the amount is not from 1 to MAX_TOP_UP, or the key has added another amount
            or belongs to another store.
    """
    if not 1 <= amount <= MAX_TOP_UP:
        raise ValueError(
            gettext("a top-up is from 1 to %(limit)s credits, not %(amount)s")
            % {"limit": format_count(MAX_TOP_UP), "amount": format_count(amount)}
        )
    with transaction.atomic():
        wallet = lock_wallet(owner_id)
        if earlier := CreditTransaction.objects.filter(idempotency_key=key).first():
            if (earlier.owner_id, earlier.amount) != (owner_id, amount):
                raise ValueError(
                    ngettext(
                        "this key has added %(count)s credit to store %(store)s already:"
                        " use another key",
                        "this key has added %(count)s credits to store %(store)s already:"
                        " use another key",
                        earlier.amount,
                    )
                    % {"count": format_count(earlier.amount), "store": earlier.owner_id}
                )
            return wallet
        wallet.balance += amount
        _save_and_write_entry(wallet, TransactionType.CREDIT, amount, reason=reason, key=key)
    return wallet


def top_up_and_audit_once(
    store: User, amount: int, *, reason: str, key: str, by: User | str
) -> Wallet:
    """Add credits to a store's wallet and write an audit entry, both once for each `key`.

    Raises:
        ValueError: see `top_up`.
    """
    with transaction.atomic():
        lock_wallet(store.pk)
        is_repeated = CreditTransaction.objects.filter(idempotency_key=key).exists()
        wallet = top_up(store.pk, amount, reason=reason, key=key)
        if not is_repeated:
            audit.write_entry("top up", store, by=by, owner_id=store.pk, credits=amount)
    return wallet


def lock_wallet(owner_id: int) -> Wallet:
    """The store's wallet, locked until the transaction ends; creates an empty one."""
    get_or_create_wallet(owner_id)
    return Wallet.objects.select_for_update().get(owner_id=owner_id)


def grant_allowance(owner_id: int, amount: int, *, reason: str, key: str) -> None:
    """Add the credits of a plan's month; they are used first. In the caller's transaction."""
    wallet = lock_wallet(owner_id)
    wallet.balance += amount
    wallet.allowance_balance += amount
    _save_and_write_entry(wallet, TransactionType.CREDIT, amount, reason=reason, key=key)


def expire_allowance(owner_id: int, *, reason: str, key: str) -> int:
    """Take away what is left of the allowance; in the caller's transaction.

    What is held for messages under way stays theirs. If they are not sent it is part of the
    allowance again, until the next call.

    Returns:
        The credits that were taken away.
    """
    wallet = lock_wallet(owner_id)
    expired = max(wallet.allowance_balance - wallet.reserved_balance, 0)
    if expired:
        wallet.balance -= expired
        wallet.allowance_balance -= expired
        _save_and_write_entry(wallet, TransactionType.EXPIRY, expired, reason=reason, key=key)
    return expired


def take_back_credits(owner_id: int, amount: int, *, reason: str, key: str) -> int:
    """Take bought credits that are neither spent nor held; in the caller's transaction.

    The allowance is not bought with the payment, and stays.

    Returns:
        The credits that were taken: the amount or less.
    """
    wallet = lock_wallet(owner_id)
    # Holds are of the allowance first, as charges are.
    taken = min(amount, wallet.available, wallet.balance - wallet.allowance_balance)
    if taken:
        wallet.balance -= taken
        _save_and_write_entry(wallet, TransactionType.REFUND, taken, reason=reason, key=key)
    return taken


def _save_and_write_entry(
    wallet: Wallet,
    entry_type: TransactionType,
    amount: int,
    *,
    reason: str,
    key: str,
    batch_id: int | None = None,
) -> None:
    """Save a locked wallet after a change of its balance, and write the ledger entry."""
    wallet.save()
    CreditTransaction.objects.create(
        owner_id=wallet.owner_id,
        batch_id=batch_id,
        type=entry_type,
        amount=amount,
        balance_after=wallet.balance,
        allowance_after=wallet.allowance_balance,
        reason=reason,
        idempotency_key=key,
    )


def hold_credits_where_sufficient(credits_by_store: Mapping[StoreId, int]) -> set[StoreId]:
    """Hold credits in the wallets of several stores.

    Call `insert_reservations` for the batches in the same transaction.

    Args:
        credits_by_store: credits by store. Each store's are held in full or not at all.

    Returns:
        The stores whose credits are held; the others have too few available.
    """
    held = rows(HOLD_CREDITS, [list(credits_by_store), list(credits_by_store.values())])
    return {owner_id for (owner_id,) in held}


# Wallets are locked in the order of stores. FOR NO KEY UPDATE checks the condition again for a
# wallet that another transaction has changed meanwhile.
HOLD_CREDITS = """
    WITH sufficient AS (
        SELECT w.owner_id, t.amount
        FROM messaging_wallet w
        JOIN unnest(%s::bigint[], %s::bigint[]) AS t (owner_id, amount) ON t.owner_id = w.owner_id
        WHERE w.balance - w.reserved_balance >= t.amount
        ORDER BY w.owner_id
        FOR NO KEY UPDATE OF w)
    UPDATE messaging_wallet w
    SET reserved_balance = reserved_balance + sufficient.amount, updated_at = now()
    FROM sufficient WHERE w.owner_id = sufficient.owner_id
    RETURNING w.owner_id
"""


def insert_reservations(batches: Sequence[NewBatch]) -> None:
    """Write the reservations of new batches, whose credits the caller has held."""
    expires_at = database_now() + timedelta(minutes=settings.CREDIT_RESERVATION_TTL_MINUTES)
    columns = [list(column) for column in zip(*batches, strict=True)]
    execute(RECORD_RESERVATIONS, [expires_at, *columns])


RECORD_RESERVATIONS = """
    INSERT INTO messaging_creditreservation
        (owner_id, batch_id, amount, charged, released, status, expires_at)
    SELECT owner_id, batch_id, amount, 0, 0, 'reserved', %s
    FROM unnest(%s::bigint[], %s::bigint[], %s::int[]) AS t (owner_id, batch_id, amount)
"""


def reserve_credits_or_raise(batches: Sequence[NewBatch]) -> None:
    """Hold credits for new batches and write their reservations; all or none.

    Raises:
        InsufficientCredits: if a wallet has too few credits available. Roll back then: credits of
            other stores are held already.
    """
    if not batches:
        return
    needs: Counter[StoreId] = Counter()
    for batch in batches:
        needs[batch.owner_id] += batch.parts
    for owner_id in needs.keys() - hold_credits_where_sufficient(needs):
        raise InsufficientCredits(needs[owner_id], get_or_create_wallet(owner_id).available)
    insert_reservations(batches)


def move_held_credits_to_new_reservation(batch_id: int, new_batch_id: int, parts: int) -> None:
    """Move held credits of a batch to a reservation of a new batch, which got these parts."""
    execute(SPLIT_RESERVATION, [parts, batch_id, new_batch_id, parts])


SPLIT_RESERVATION = """
    WITH kept AS (
        UPDATE messaging_creditreservation SET amount = amount - %s WHERE batch_id = %s
        RETURNING owner_id, reserved_at, expires_at)
    INSERT INTO messaging_creditreservation
        (owner_id, batch_id, amount, charged, released, status, reserved_at, expires_at)
    SELECT owner_id, %s, %s, 0, 0, 'reserved', reserved_at, expires_at FROM kept
"""


def prolong_reservations_of_open_batches(stopped_at: datetime, ended_at: datetime) -> None:
    """Add the time for which sending was stopped to the life of what waited for it."""
    execute(PROLONG_RESERVATIONS, {"stopped_at": stopped_at, "ended_at": ended_at})


PROLONG_RESERVATIONS = """
    UPDATE messaging_creditreservation r
    SET expires_at = r.expires_at + (%(ended_at)s - greatest(%(stopped_at)s, r.reserved_at))
    FROM messaging_batch b
    WHERE b.id = r.batch_id AND b.status IN ('pending', 'claimed', 'submitting')
        AND r.status = 'reserved' AND greatest(%(stopped_at)s, r.reserved_at) < %(ended_at)s
"""


def expire_overdue_reservations(
    batch_ids: Sequence[int],
) -> list[ExpiredReservation]:
    """Expire the overdue reservations of ended batches and release what they still hold.

    Their unknown messages have had no receipt in time.
    """
    with transaction.atomic():
        expired = [ExpiredReservation(*row) for row in rows(EXPIRE_RESERVATIONS, [list(batch_ids)])]
        released: Counter[StoreId] = Counter()
        for reservation in expired:
            released[reservation.owner_id] += reservation.credits
        owners = sorted(released)
        # Lock in the order of stores, as HOLD_CREDITS does.
        list(Wallet.objects.select_for_update().filter(owner__in=owners).order_by("owner"))
        execute(RELEASE_CREDITS, [owners, [released[owner_id] for owner_id in owners]])
    return expired


# The batch is checked under the reservation's lock: an operator may have sent its messages again.
EXPIRE_RESERVATIONS = """
    WITH overdue AS (
        SELECT r.id, r.amount - r.charged - r.released AS held
        FROM messaging_creditreservation r JOIN messaging_batch b ON b.id = r.batch_id
        WHERE r.batch_id = ANY(%s) AND r.status = 'reserved' AND r.expires_at < now()
            AND b.status IN ('settled', 'cancelled')
        ORDER BY r.id
        FOR UPDATE OF r)
    UPDATE messaging_creditreservation r
    SET status = 'expired', released = released + overdue.held, closed_at = now()
    FROM overdue WHERE r.id = overdue.id
    RETURNING r.owner_id, r.batch_id, overdue.held
"""
RELEASE_CREDITS = """
    UPDATE messaging_wallet w
    SET reserved_balance = reserved_balance - t.amount, updated_at = now()
    FROM unnest(%s::bigint[], %s::bigint[]) AS t (owner_id, amount)
    WHERE w.owner_id = t.owner_id
"""


def settle_reservation(owner_id: int, batch_id: int, *, charge: int, release: int) -> None:
    """Charge or release held credits of a batch; a charge writes a ledger entry.

    Call it in the transaction that changes the messages' statuses, once for each part. After the
    reservation has expired, a charge is paid from the available credits, as far as they suffice.

    Args:
        owner_id: the batch's store.
        batch_id: the batch.
        charge: parts that Mitto accepted.
        release: parts that will not be sent.
    """
    if not charge and not release:
        return
    values = {"batch": batch_id, "charge": charge, "release": release}
    if not rows(SETTLE_RESERVATION, values):
        _charge_expired_as_far_as_available(owner_id, batch_id, charge)


# Returns a row if the reservation was open. The batch's total charge makes the debit's key unique.
SETTLE_RESERVATION = """
    WITH settled AS (
        UPDATE messaging_creditreservation SET
            charged = charged + %(charge)s,
            released = released + %(release)s,
            status = CASE
                WHEN charged + released + %(charge)s + %(release)s < amount THEN 'reserved'
                WHEN charged + %(charge)s > 0 THEN 'committed'
                ELSE 'released' END,
            closed_at = now()
        WHERE batch_id = %(batch)s AND status = 'reserved'
        RETURNING owner_id, batch_id, charged
    ), wallet AS (
        UPDATE messaging_wallet w SET
            balance = balance - %(charge)s,
            allowance_balance = greatest(allowance_balance - %(charge)s, 0),
            reserved_balance = reserved_balance - %(charge)s - %(release)s,
            updated_at = now()
        FROM settled WHERE w.owner_id = settled.owner_id
        RETURNING w.owner_id, balance, allowance_balance
    ), debit AS (
        INSERT INTO messaging_credittransaction
            (owner_id, batch_id, type, amount, balance_after, allowance_after, reason,
             idempotency_key)
        SELECT owner_id, batch_id, 'debit', %(charge)s, balance, allowance_balance, 'messages sent',
            'batch:' || batch_id || ':' || charged
        FROM settled JOIN wallet USING (owner_id) WHERE %(charge)s > 0
    )
    SELECT 1 FROM wallet
"""


def _charge_expired_as_far_as_available(owner_id: int, batch_id: int, charge: int) -> None:
    """Charge messages that Mitto had accepted, after their reservation expired."""
    if not charge:
        return
    ((total_charge,),) = rows(CHARGE_EXPIRED_RESERVATION, [charge, charge, batch_id])
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
        wallet.allowance_balance = max(wallet.allowance_balance - paid, 0)
        _save_and_write_entry(
            wallet,
            TransactionType.DEBIT,
            paid,
            reason="messages sent",
            key=f"batch:{batch_id}:{total_charge}",
            batch_id=batch_id,
        )


CHARGE_EXPIRED_RESERVATION = """
    UPDATE messaging_creditreservation SET charged = charged + %s, amount = amount + %s
    WHERE batch_id = %s RETURNING charged
"""
