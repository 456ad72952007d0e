"""Noticing that Mitto accepts messages and reports on none of them."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext

from astronote.common.counts import format_count
from astronote.common.sql import rows
from astronote.operations.registry import Notice
from messaging.statuses import WebhookEventType

# Receipts come within seconds; phones that are off delay theirs, not those of all.
WAITED, LOOKED_BACK = timedelta(minutes=30), timedelta(hours=6)
ENOUGH_MESSAGES = 20


def notices_if_no_receipts_came() -> list[Notice]:
    """A notice if messages were accepted half an hour ago and no receipt has come since."""
    params = {
        "looked_back": LOOKED_BACK,
        "waited": WAITED,
        "receipt": WebhookEventType.RECEIPT,
    }
    [(accepted, first, has_receipt)] = rows(ACCEPTED_AND_RECEIPTS, params)
    if accepted < ENOUGH_MESSAGES or has_receipt:
        return []
    text = gettext(
        "Mitto has accepted %(count)s messages since %(time)s UTC and sent no receipt."
        " Look whether Mitto has the address of the webhook,"
        " %(address)s/webhooks/mitto, and whether it can be reached."
    ) % {
        "count": format_count(accepted),
        "time": f"{first:%H:%M}",
        "address": settings.PUBLIC_WEB_BASE_URL,
    }
    return [Notice(text, reverse("admin:messaging_webhookevent_changelist"))]


# Tallies by their index on the time; the newest events by primary key, as receipts are most of
# them: the first one found ends the search.
ACCEPTED_AND_RECEIPTS = """
    SELECT COALESCE(sum(count), 0)::int, min(slot), EXISTS (
        SELECT 1 FROM (
            SELECT event_type, received_at FROM messaging_webhookevent ORDER BY id DESC LIMIT 1000
        ) newest WHERE event_type = %(receipt)s AND received_at >= now() - %(looked_back)s)
    FROM messaging_tally
    WHERE event = 'accepted' AND slot >= now() - %(looked_back)s AND slot < now() - %(waited)s
"""
