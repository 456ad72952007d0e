"""Conversions: purchases that a campaign's message may have led to (rules.md#conversions)."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from django.contrib.auth import get_user_model
from django.db import transaction

from astronote.common.locks import advisory_lock
from astronote.common.sql import database_now, execute, rows

ATTRIBUTION_WINDOW = timedelta(days=7)
# Recent changes are looked at often. Every night those of a month are: by then late receipts have
# come, and workers that were down are up.
RECENT, MONTH = timedelta(hours=2), timedelta(days=31)


def attribute_changed_purchases(within: timedelta) -> dict[str, int]:
    """Attribute the purchases that were recorded or changed within a time; a second run is empty.

    A completed purchase belongs to the last campaign message that was delivered to its contact, or
    whose offer the contact opened, within ATTRIBUTION_WINDOW before it. One that was cancelled,
    moved or given to another contact loses its conversion or gets another. Each store's are written
    in one transaction with the counters of its campaigns.

    Returns:
        Counts of conversions that were written and deleted; empty if another process does this now.
    """
    with advisory_lock("conversions") as acquired:
        if not acquired:
            return {}
        counts: Counter[str] = Counter(written=0, deleted=0)
        since = database_now() - within
        find_stores = STORES_WITH_CHANGES.format(users=get_user_model()._meta.db_table)
        for (owner_id,) in rows(find_stores, [since]):
            parameters = {"owner": owner_id, "since": since, "window": ATTRIBUTION_WINDOW}
            with transaction.atomic():
                [(written, deleted, campaign_ids)] = rows(ATTRIBUTE_PURCHASES, parameters)
                counts.update(written=written, deleted=deleted)
                if written or deleted:
                    execute(LOCK_CAMPAIGNS, [campaign_ids])
                    execute(COUNT_CONVERSIONS, [campaign_ids])
        return dict(counts)


# By the index on owner and time of the change, of each store.
STORES_WITH_CHANGES = """
    SELECT u.id FROM {users} u WHERE EXISTS (
        SELECT FROM contacts_customerevent e WHERE e.owner_id = u.id AND e.updated_at > %s)
    ORDER BY u.id
"""
# The messages of a contact, and the visits of a message, are found by their indexes. An event that
# the statement does not attribute loses the conversion that it had; a restricted contact's stays.
ATTRIBUTE_PURCHASES = """
    WITH changed AS MATERIALIZED (
        SELECT e.id, e.contact_id, COALESCE(e.end_at, e.start_at) AS bought_at,
            e.event_type = 'purchase' AND e.status = 'completed' AS is_purchase,
            CASE WHEN e.meta ->> 'value' ~ '^[0-9]{1,9}([.][0-9]{1,2})?$'
                THEN (e.meta ->> 'value')::numeric END AS value
        FROM contacts_customerevent e JOIN contacts_contact c ON c.id = e.contact_id
        WHERE e.owner_id = %(owner)s AND e.updated_at > %(since)s AND c.restricted_at IS NULL
    ), attributed AS MATERIALIZED (
        SELECT p.*, touch.message_id, touch.campaign_id
        FROM changed p CROSS JOIN LATERAL (
            SELECT m.id AS message_id, m.campaign_id, GREATEST(
                CASE WHEN m.status = 'delivered' AND delivery.at <= p.bought_at
                    AND delivery.at > p.bought_at - %(window)s THEN delivery.at END,
                (SELECT max(v.viewed_at) FROM campaigns_offerviewevent v
                    WHERE v.campaign_message_id = m.id AND v.viewed_at <= p.bought_at
                        AND v.viewed_at > p.bought_at - %(window)s)) AS touched_at
            FROM campaigns_campaignmessage m
            CROSS JOIN LATERAL (SELECT COALESCE(m.delivered_at, m.sent_at) AS at) AS delivery
            WHERE m.contact_id = p.contact_id AND m.owner_id = %(owner)s
            ORDER BY touched_at DESC NULLS LAST, m.id DESC LIMIT 1) AS touch
        WHERE p.is_purchase AND touch.touched_at IS NOT NULL
    ), before AS MATERIALIZED (
        SELECT c.id, c.campaign_id, c.customer_event_id
        FROM campaigns_conversionevent c JOIN changed ON changed.id = c.customer_event_id
    ), deleted AS (
        DELETE FROM campaigns_conversionevent c USING before
        WHERE c.id = before.id
            AND before.customer_event_id NOT IN (SELECT id FROM attributed)
        RETURNING 1
    ), written AS (
        INSERT INTO campaigns_conversionevent AS c
            (owner_id, contact_id, campaign_id, campaign_message_id, customer_event_id, value,
            occurred_at)
        SELECT %(owner)s, contact_id, campaign_id, message_id, id, value, bought_at
        FROM attributed ORDER BY id
        ON CONFLICT (customer_event_id) WHERE customer_event_id IS NOT NULL DO UPDATE SET
            contact_id = excluded.contact_id, campaign_id = excluded.campaign_id,
            campaign_message_id = excluded.campaign_message_id, value = excluded.value,
            occurred_at = excluded.occurred_at
        WHERE (c.contact_id, c.campaign_message_id, c.value, c.occurred_at) IS DISTINCT FROM
            (excluded.contact_id, excluded.campaign_message_id, excluded.value,
            excluded.occurred_at)
        RETURNING c.campaign_id
    )
    SELECT (SELECT count(*) FROM written), (SELECT count(*) FROM deleted),
        ARRAY(SELECT campaign_id FROM before WHERE campaign_id IS NOT NULL
            UNION SELECT campaign_id FROM written)
"""
# By id, as whoever counts outcomes does.
LOCK_CAMPAIGNS = """
    SELECT FROM campaigns_campaign WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE
"""
COUNT_CONVERSIONS = """
    UPDATE campaigns_campaign campaign SET conversions = counted.conversions
    FROM (
        SELECT chosen.id, count(c.id) AS conversions
        FROM unnest(%s::bigint[]) AS chosen (id)
        LEFT JOIN campaigns_conversionevent c ON c.campaign_id = chosen.id
        GROUP BY chosen.id) AS counted
    WHERE campaign.id = counted.id AND campaign.conversions <> counted.conversions
"""
