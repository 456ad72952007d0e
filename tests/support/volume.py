"""Test data by the million, written by the database itself."""

from __future__ import annotations

from django.db import connection

from astronote.models import User
from campaigns.models import Campaign
from contacts.models import List


def make_contacts(store: User, size: int, *, first: int = 0) -> None:
    """So many contacts of a store; their numbers count on from +30 690 0000000 + `first`."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO contacts_contact (owner_id, phone, first_name, last_name, email, birthday,
                gender)
            SELECT %s, '+3069' || lpad((n)::text, 8, '0'), 'Name' || n %% 1000,
                'Family' || n %% 777, '', date '1950-01-01' + (n %% 18000)::int,
                CASE n %% 3 WHEN 0 THEN 'male' WHEN 1 THEN 'female' END
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
    campaign = Campaign.objects.create(
        owner=store, created_by=store, name="sent", message_text="Hello", status="completed",
        total=size, sent=size,
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH batches AS (
                INSERT INTO messaging_batch (owner_id, kind, source_id, message_type, sender, size,
                    status, turn, attempts, deferrals, submitted_at, settled_at, awaiting)
                SELECT %(store)s, 'campaign', %(campaign)s, 'marketing', 'TESTSHOP',
                    %(batch_size)s, 'settled', 0, 1, 0, now() - interval '11 minutes',
                    now() - interval '11 minutes', %(batch_size)s
                FROM generate_series(1, %(batches)s)
                RETURNING id)
            SELECT min(id) FROM batches
            """,
            {"store": store.pk, "campaign": campaign.pk, "batch_size": batch_size,
             "batches": -(-size // batch_size)},
        )  # fmt: skip
        cursor.execute(
            """
            INSERT INTO campaigns_campaignmessage (id, owner_id, campaign_id, contact_id, batch_id,
                "to", text, segments, tracking_id, status, provider_message_id, sent_at)
            SELECT n, %(store)s, %(campaign)s, c.id, %(first_batch)s + (place - 1) / %(batch_size)s,
                c.phone, 'Hello', 1,
                translate(left(encode(sha256(n::text::bytea), 'base64'), 12), '+/', '-_'),
                'sent', 'R' || n, now() - interval '11 minutes'
            FROM (
                SELECT id, phone, row_number() OVER (ORDER BY id) AS place,
                    nextval('campaigns_campaignmessage_id_seq') AS n
                FROM contacts_contact WHERE owner_id = %(store)s AND phone >= %(phone)s
                ORDER BY id LIMIT %(size)s) c
            """,
            {"store": store.pk, "campaign": campaign.pk, "first_batch": cursor.fetchone()[0],
             "batch_size": batch_size, "phone": f"+3069{first:08}", "size": size},
        )  # fmt: skip
        cursor.execute("ANALYZE campaigns_campaignmessage")
    return campaign
