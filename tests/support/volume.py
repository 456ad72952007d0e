"""Test data by the million, written by the database itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from django.db import connection

from astronote.common.sql import rows
from astronote.models import User
from campaigns.models import Campaign
from contacts.models import List


def make_contacts(store: User, size: int, *, first: int = 0) -> None:
    """So many contacts of a store that have agreed to marketing.

    Their numbers count on from +30 690 0000000 + `first`.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO contacts_contact (owner_id, phone, first_name, last_name, email, birthday,
                gender, is_subscribed)
            SELECT %s, '+3069' || lpad((n)::text, 8, '0'), 'Name' || n %% 1000,
                'Family' || n %% 777, '', date '1950-01-01' + (n %% 18000)::int,
                CASE n %% 3 WHEN 0 THEN 'male' WHEN 1 THEN 'female' END, true
            FROM generate_series(%s::bigint, %s::bigint) AS n
            """,
            [store.pk, first, first + size - 1],
        )
        cursor.execute("ANALYZE contacts_contact")


def make_big_list(store: User, size: int, *, first: int = 0) -> List:
    """A list of so many new contacts of the store."""
    make_contacts(store, size, first=first)
    target = List.objects.create(owner=store, name="big")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO contacts_listmembership (list_id, contact_id)"
            " SELECT %s, id FROM contacts_contact WHERE owner_id = %s ORDER BY id",
            [target.pk, store.pk],
        )
        cursor.execute("ANALYZE contacts_listmembership")
    return target


def make_sent_campaign(
    store: User, size: int, *, first: int = 0, batch_size: int = 1000
) -> Campaign:
    """A campaign that went to so many new contacts of the store and got no receipt yet.

    The provider's id of message n is R and n, the message's own id.
    """
    make_contacts(store, size, first=first)
    return _send(store, size, first=first, batch_size=batch_size)


def make_history(store: User, size: int, *, contacts: int = 1_000_000) -> Campaign:
    """So many messages of past campaigns, all to the same contacts; returns the last campaign.

    The last has no receipt yet, 40,000 clicks, and was sent eleven minutes ago; the others were
    delivered 40 days ago. Everything that is kept of them is there: batches, tallies, credits.
    """
    contacts = min(contacts, size)
    make_contacts(store, contacts)
    with connection.cursor() as cursor:
        # The rows are right by their making: no foreign key is looked up for any.
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("SET synchronous_commit = off")
        with _indexes_built_afterwards("campaigns_campaignmessage"):
            for _ in range(size // contacts - 1):
                _send(store, contacts, delivered=True)
            campaign = _send(store, contacts)
        cursor.execute(
            """
            INSERT INTO messaging_tally (owner_id, kind, source_id, slot, event, detail, count)
            SELECT %(store)s, 'campaign', c.id,
                date_bin('5 minutes', b.at + n * interval '5 minutes', '2000-01-01+00'),
                kind.event, kind.detail, 1000
            FROM campaigns_campaign c
            JOIN (
                SELECT source_id, max(settled_at) AS at FROM messaging_batch
                WHERE owner_id = %(store)s GROUP BY 1) b
                ON b.source_id = c.id,
            generate_series(1, 300) AS n,
            (VALUES ('accepted', ''), ('delivered', '8'), ('delivered', '12'),
                ('failed', 'undelivered')) AS kind (event, detail)
            """,
            {"store": store.pk},
        )
        cursor.execute(
            """
            INSERT INTO campaigns_offerviewevent (campaign_message_id, campaign_id, owner_id,
                device_type, viewed_at)
            SELECT id, campaign_id, owner_id, 'phone', now() - interval '1 minute'
            FROM campaigns_campaignmessage WHERE campaign_id = %s LIMIT 40000
            """,
            [campaign.pk],
        )
        cursor.execute(
            """
            INSERT INTO messaging_creditreservation (owner_id, batch_id, amount, charged, released,
                status, expires_at)
            SELECT owner_id, id, size, size, 0, 'committed', settled_at FROM messaging_batch
            WHERE owner_id = %s
            """,
            [store.pk],
        )
        cursor.execute(
            """
            INSERT INTO messaging_credittransaction (owner_id, batch_id, type, amount,
                balance_after, reason, idempotency_key)
            SELECT owner_id, id, 'debit', size, 0, 'messages sent', 'batch:' || id
            FROM messaging_batch WHERE owner_id = %s
            """,
            [store.pk],
        )
        cursor.execute("RESET session_replication_role")
        cursor.execute("RESET synchronous_commit")
        cursor.execute("VACUUM ANALYZE")
    return campaign


@contextlib.contextmanager
def _indexes_built_afterwards(table: str) -> Iterator[None]:
    """Drop the indexes of a table but that of its key, and build them when its rows are there."""
    constraints = rows(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conrelid = %s::regclass AND contype = 'u'",
        [table],
    )
    indexes = rows(
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index i"
        " WHERE indrelid = %s::regclass AND NOT EXISTS"
        " (SELECT FROM pg_constraint WHERE conindid = i.indexrelid AND conrelid = i.indrelid)",
        [table],
    )
    with connection.cursor() as cursor:
        for name, _ in constraints:
            cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
        for name, _ in indexes:
            cursor.execute(f"DROP INDEX {name}")
        yield
        cursor.execute("SET maintenance_work_mem = '512MB'")
        for name, definition in constraints:
            cursor.execute(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}')
        for _, definition in indexes:
            cursor.execute(definition)
        cursor.execute("RESET maintenance_work_mem")


def _send(
    store: User, size: int, *, first: int = 0, batch_size: int = 1000, delivered: bool = False
) -> Campaign:
    """A campaign to contacts of the store, from that number on: just sent, or long delivered."""
    status = "delivered" if delivered else "sent"
    campaign = Campaign.objects.create(
        owner=store,
        created_by=store,
        name=status,
        message_text="Hello",
        status="completed",
        total=size,
        **{status: size},
    )
    values = {
        "store": store.pk, "campaign": campaign.pk, "batch_size": batch_size, "status": status,
        "batches": -(-size // batch_size), "phone": f"+3069{first:08}", "size": size,
        "awaiting": 0 if delivered else batch_size, "age": "40 days" if delivered else "11 minutes",
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH batches AS (
                INSERT INTO messaging_batch (owner_id, kind, source_id, message_type, sender, size,
                    status, turn, attempts, deferrals, submitted_at, settled_at, awaiting)
                SELECT %(store)s, 'campaign', %(campaign)s, 'marketing', 'TESTSHOP',
                    %(batch_size)s, 'settled', 0, 1, 0, now() - %(age)s::interval,
                    now() - %(age)s::interval, %(awaiting)s
                FROM generate_series(1, %(batches)s)
                RETURNING id)
            SELECT min(id) FROM batches
            """,
            values,
        )
        cursor.execute(
            """
            INSERT INTO campaigns_campaignmessage (id, owner_id, campaign_id, contact_id, batch_id,
                "to", text, segments, tracking_id, status, provider_message_id, sent_at,
                delivery_status, delivered_at)
            SELECT n, %(store)s, %(campaign)s, c.id, %(first_batch)s + (place - 1) / %(batch_size)s,
                c.phone, 'Hello', 1,
                translate(left(encode(sha256(n::text::bytea), 'base64'), 12), '+/', '-_'),
                %(status)s, 'R' || n, now() - %(age)s::interval,
                CASE %(status)s WHEN 'delivered' THEN 'delivered' ELSE '' END,
                CASE %(status)s WHEN 'delivered' THEN now() - %(age)s::interval END
            FROM (
                SELECT id, phone, row_number() OVER (ORDER BY id) AS place,
                    nextval('campaigns_campaignmessage_id_seq') AS n
                FROM contacts_contact WHERE owner_id = %(store)s AND phone >= %(phone)s
                ORDER BY id LIMIT %(size)s) c
            """,
            values | {"first_batch": cursor.fetchone()[0]},
        )
        cursor.execute("ANALYZE campaigns_campaignmessage")
    return campaign
