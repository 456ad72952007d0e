"""What several tests check or arrange: a store's ledger, and work that another connection does."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from django.db import connection

from astronote.common.locks import advisory_lock
from astronote.common.sql import rows
from astronote.models import User
from messaging.models import CreditReservation, CreditTransaction, Wallet


def ledger_balances(store: User) -> bool:
    """Whether the wallet equals the ledger and the open reservations."""
    wallet = Wallet.objects.get(owner=store)
    entries = CreditTransaction.objects.filter(owner=store)
    total = sum(e.amount if e.type == "credit" else -e.amount for e in entries)
    held = sum(r.held for r in CreditReservation.objects.filter(owner=store, status="reserved"))
    return wallet.balance == total and wallet.reserved_balance == held


@contextmanager
def lock_held_elsewhere(work: str) -> Iterator[None]:
    """Another connection holds the advisory lock of this work meanwhile."""
    acquired, may_end = Event(), Event()

    def hold() -> None:
        with advisory_lock(work):
            acquired.set()
            may_end.wait(20)
        connection.close()

    other = Thread(target=hold)
    other.start()
    assert acquired.wait(20)
    try:
        yield
    finally:
        may_end.set()
        other.join()


def table_fingerprints() -> dict[str, str]:
    """A hash of each table's rows, to see whether anything has changed."""
    found = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            with cursor.copy(f'COPY "{table}" TO STDOUT') as copy:
                rows = sorted(b"".join(map(bytes, copy)).split(b"\n"))
            found[table] = hashlib.sha256(b"\n".join(rows)).hexdigest()
    return found


def rows_of_other_stores(store: User) -> dict[str, list[str]]:
    """The rows of each table that belong to other stores, as text."""
    query = "SELECT table_name FROM information_schema.columns WHERE column_name = 'owner_id'"
    found = {
        table: [row for (row,) in rows(OTHERS.format(table=table), [store.pk])]
        for (table,) in rows(query + " AND table_schema = current_schema()")
    }
    found["members"] = [row for (row,) in rows(MEMBERS_OF_OTHERS, [store.pk])]
    found["requests"] = [row for (row,) in rows(REQUESTS_OF_OTHERS, [store.pk])]
    return found


OTHERS = "SELECT t::text FROM {table} t WHERE owner_id <> %s ORDER BY 1"
MEMBERS_OF_OTHERS = """
    SELECT m::text FROM contacts_listmembership m
    JOIN contacts_list l ON l.id = m.list_id JOIN contacts_contact c ON c.id = m.contact_id
    WHERE l.owner_id <> %s OR c.owner_id <> l.owner_id ORDER BY 1
"""
REQUESTS_OF_OTHERS = """
    SELECT r::text FROM contacts_optinrequest r JOIN contacts_contact c ON c.id = r.contact_id
    WHERE c.owner_id <> %s ORDER BY 1
"""
