"""What the scenarios `birthday` and `events` share: stores with credits, and the bare minimum."""

from __future__ import annotations

from typing import Any

from django.db import connection

BALANCE = 10_000_000


def execute_all(*statements: str) -> None:
    """Run statements that need no values."""
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def make_stores_with_credits(count: int) -> None:
    """Stores that may send, by the model: a new column has its default here, too."""
    from astronote.models import User

    User.objects.bulk_create(
        User(email=f"store{n}@example.com", sender_name=f"SHOP{n}", password="!")
        for n in range(count)
    )
    execute_all(
        "INSERT INTO messaging_wallet (owner_id, balance, reserved_balance, updated_at)"
        f" SELECT id, {BALANCE}, 0, now() FROM astronote_user"
    )


def insert_batch_of_each_store(
    cursor: Any, owner_ids: list[int], *, kind: str, message_type: str
) -> dict[int, int]:
    """The bare minimum of batches; returns the id of each store's."""
    cursor.execute(
        "INSERT INTO messaging_batch (owner_id, kind, message_type, sender, size, status, turn,"
        " attempts, deferrals) SELECT id, %s, %s, sender_name, 1, 'pending', 0, 0, 0"
        " FROM astronote_user WHERE id = ANY(%s) RETURNING owner_id, id",
        [kind, message_type, owner_ids],
    )
    return dict(cursor.fetchall())


def hold_credit_of_each_store(cursor: Any, owner_ids: list[int]) -> None:
    """The bare minimum of credits: a reservation of each batch, and the wallets."""
    cursor.execute(
        "INSERT INTO messaging_creditreservation (owner_id, batch_id, amount, charged, released,"
        " status, expires_at) SELECT owner_id, id, size, 0, 0, 'reserved',"
        " now() + interval '1 day' FROM messaging_batch"
    )
    cursor.execute(
        "UPDATE messaging_wallet SET reserved_balance = reserved_balance + 1"
        " WHERE owner_id = ANY(%s)",
        [owner_ids],
    )


def undo_messages(table: str, *others: str) -> None:
    """Take back messages, batches, jobs and held credits.

    Args:
        table: that of the messages.
        others: statements that take back the rest.
    """
    from astronote.queues import jobs

    jobs.get_queue("sms").empty()
    execute_all(
        f"TRUNCATE {table}, messaging_creditreservation, messaging_batch CASCADE",
        "UPDATE messaging_wallet SET reserved_balance = 0",
        *others,
        "VACUUM messaging_wallet",
        "CHECKPOINT",
    )
