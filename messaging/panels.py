"""Panels of messaging on the home page and on a store's page: messages, replies, money.

Templates are in `templates/messaging/panels/`; `operations.py` registers the panels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple, cast

from django.conf import settings
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from astronote.accounts.eligibility import (
    SendingBlocked,
    sender_of_store,
)
from astronote.accounts.models import User
from astronote.common.charts import bar_chart_or_none_if_all_zero
from astronote.common.sql import rows
from contacts.models import Contact
from messaging import credits
from messaging.conversations import replies_received_by_sms, reply_text_or_empty_if_erased
from messaging.limits import store_cap_sentences
from messaging.models import message_class
from messaging.replies import describe_replies_set_aside_or_empty
from messaging.reply_reviews import describe_reviews, open_reviews
from messaging.statuses import TallyEvent

DAYS_SHOWN = 14
ROWS_SHOWN = 10
LEDGER_ENTRIES_READ = 2000
LOW_CREDITS = 100
REPLIES_SHOWN = 5
TOP_UP_PERMISSION = "messaging.add_credittransaction"
EVENTS_SHOWN = {
    TallyEvent.ACCEPTED: _("accepted"),
    TallyEvent.DELIVERED: _("delivered"),
    TallyEvent.FAILED: _("failed"),
}


def message_counts_by_day_context() -> dict[str, Any]:
    """Messages accepted, delivered and failed on each of the last days (UTC)."""
    now = timezone.now()
    first_day = now.date() - timedelta(days=DAYS_SHOWN - 1)
    counts_by_day: dict[date, Counter[str]] = {
        first_day + timedelta(days=n): Counter() for n in range(DAYS_SHOWN)
    }
    since = datetime.combine(first_day, time(), tzinfo=now.tzinfo)
    for day, event, count in rows(COUNTS_BY_DAY, {"since": since}):
        if day in counts_by_day:
            counts_by_day[day][event] = count
    accepted = sum(counts[TallyEvent.ACCEPTED] for counts in counts_by_day.values())
    delivered = sum(counts[TallyEvent.DELIVERED] for counts in counts_by_day.values())
    points = [
        (date_format(day, "D d M"), [counts[event] for event in EVENTS_SHOWN])
        for day, counts in counts_by_day.items()
    ]
    return {
        "days": DAYS_SHOWN,
        "accepted": accepted,
        "delivered_percent": 100 * delivered / accepted if accepted else None,
        "chart": bar_chart_or_none_if_all_zero(
            gettext("Messages a day"), [str(EVENTS_SHOWN[event]) for event in EVENTS_SHOWN], points
        ),
    }


COUNTS_BY_DAY = """
    SELECT (slot AT TIME ZONE 'UTC')::date, event, sum(count)::int FROM messaging_tally
    WHERE slot >= %(since)s AND event IN ('accepted', 'delivered', 'failed') GROUP BY 1, 2
"""


def open_reply_reviews_context() -> dict[str, Any]:
    """The oldest replies that wait for a person's decision, and how many do."""
    reviews = open_reviews().select_related("owner")
    return {
        "reviews": describe_reviews(reviews[:ROWS_SHOWN]),
        "count": reviews.count(),
        "set_aside": describe_replies_set_aside_or_empty(),
    }


class LowWallet(NamedTuple):
    """A store with few credits; `spent` in the last week."""

    store_id: int
    store_name: str
    available: int
    spent: int


def low_wallets_context() -> dict[str, Any]:
    """Active stores with fewer credits than they spent in a week, or fewer than LOW_CREDITS."""
    week_ago = timezone.now() - timedelta(days=7)
    params = {"week_ago": week_ago, "low_credits": LOW_CREDITS, "limit": ROWS_SHOWN}
    wallets = [LowWallet(*row) for row in rows(LOW_WALLETS, params)]
    return {"wallets": wallets, "has_stores": User.objects.filter(is_staff=False).exists()}


LOW_WALLETS = """
    SELECT u.id, COALESCE(NULLIF(u.company, ''), u.email) AS name,
        w.balance - w.reserved_balance AS available, COALESCE(spent.credits, 0) AS spent
    FROM messaging_wallet w
    JOIN astronote_user u ON u.id = w.owner_id AND u.is_active AND NOT u.is_staff
    CROSS JOIN LATERAL (
        SELECT sum(amount) AS credits FROM messaging_credittransaction
        WHERE owner_id = w.owner_id AND type = 'debit' AND created_at > %(week_ago)s) spent
    WHERE w.balance - w.reserved_balance < greatest(spent.credits, %(low_credits)s)
    ORDER BY 3 LIMIT %(limit)s
"""


def store_wallet_context(request: HttpRequest, store: User) -> dict[str, Any]:
    """A store's wallet, and whether the operator may top it up."""
    return {
        "wallet": credits.get_or_create_wallet(store.pk),
        "may_top_up": request.user.has_perm(TOP_UP_PERMISSION),
    }


def contact_replies_context(request: HttpRequest, contact: Contact) -> dict[str, Any]:
    """What a contact wrote last, and where it is answered; nothing for who may not read it."""
    if not request.user.has_perm("messaging.view_reply"):
        return {}
    newest = list(replies_received_by_sms().filter(contact=contact).order_by("-pk")[:REPLIES_SHOWN])
    if not newest:
        return {}
    return {
        "store": contact.owner,
        "replies": [
            (
                reply.received_at,
                reply_text_or_empty_if_erased(reply) or gettext("(the text was erased)"),
            )
            for reply in newest
        ],
        "conversation_url": reverse("admin:messaging_reply_change", args=[newest[0].pk]),
    }


def store_sending_eligibility_context(request: HttpRequest, store: User) -> dict[str, Any]:
    """Whether a store may send, as whom, and under which limits."""
    sender, block_reason = "", ""
    try:
        sender = sender_of_store(store)
    except SendingBlocked as blocked:
        block_reason = str(blocked)
    return {
        "sender": sender,
        "can_receive_replies": sender.startswith("+"),
        "block_reason": block_reason,
        "limits": list(_describe_caps_and_quiet_hours()),
        "retention_days": min(
            store.retention_days or settings.PII_RETENTION_DAYS, settings.PII_RETENTION_DAYS
        ),
    }


def _describe_caps_and_quiet_hours() -> Iterator[str]:
    yield from store_cap_sentences()
    if settings.QUIET_HOURS_ENABLED:
        start, end = settings.QUIET_HOURS_START, settings.QUIET_HOURS_END
        yield gettext("Quiet hours from %(start)s to %(end)s in the store's time zone.") % {
            "start": f"{start:%H:%M}",
            "end": f"{end:%H:%M}",
        }


class LedgerLine(NamedTuple):
    """What a campaign or automation cost on one day, or a single entry such as a top-up.

    `url` is the page of the campaign or automation, "" for a single entry.
    """

    at: datetime
    type: str
    reason: str
    amount: int
    balance_after: int
    url: str


def store_ledger_by_day_context(request: HttpRequest, store: User) -> dict[str, Any]:
    """The newest lines of a store's ledger: one a campaign and day, instead of one a batch."""
    params = {
        "owner": store.pk,
        "zone": store.timezone,
        "entries": LEDGER_ENTRIES_READ,
        "shown": ROWS_SHOWN,
    }
    found = rows(LEDGER_LINES, params)
    sources = _campaigns_and_automations_by_kind_and_id(
        {(row[5], row[6]) for row in found if row[6] is not None}
    )
    lines = []
    for at, entry_type, reason, amount, balance_after, kind, source_id in found:
        source = sources.get((kind, source_id))
        url = ""
        if source is not None:
            options = source._meta
            name = f"admin:{options.app_label}_{options.model_name}_change"
            url = reverse(name, args=[source.pk])
        lines.append(LedgerLine(at, entry_type, str(source or reason), amount, balance_after, url))
    return {"ledger": lines}


def _campaigns_and_automations_by_kind_and_id(
    keys: set[tuple[str, int]],
) -> dict[tuple[str, int], Model]:
    """The campaigns and automations of batches, in a query for each kind."""
    found: dict[tuple[str, int], Model] = {}
    for kind in {kind for kind, source_id in keys}:
        messages = message_class(kind)
        source = messages._meta.get_field(messages.source_column.removesuffix("_id"))
        model = cast("type[Model]", source.related_model)
        ids = [source_id for one, source_id in keys if one == kind]
        rows_by_id = model._default_manager.in_bulk(ids)
        found |= {(kind, source_id): row for source_id, row in rows_by_id.items()}
    return found


# The newest entries tell which lines to show; each is then summed over all of its batches, by the
# indexes on the source of batches and on the batch of entries.
LEDGER_LINES = """
    WITH newest AS (
        SELECT t.id, t.type, b.kind, b.source_id,
            (t.created_at AT TIME ZONE %(zone)s)::date AS day,
            CASE WHEN b.source_id IS NULL THEN t.id END AS single
        FROM (
            SELECT id, type, batch_id, created_at FROM messaging_credittransaction
            WHERE owner_id = %(owner)s ORDER BY id DESC LIMIT %(entries)s) t
        LEFT JOIN messaging_batch b ON b.id = t.batch_id),
    lines AS (
        SELECT kind, source_id, type, day, max(id) AS newest_id FROM newest
        GROUP BY kind, source_id, type, day, single ORDER BY max(id) DESC LIMIT %(shown)s)
    SELECT t.created_at, t.type, t.reason,
        CASE WHEN l.source_id IS NULL THEN t.amount ELSE (
            SELECT sum(c.amount)::bigint
            FROM messaging_batch b JOIN messaging_credittransaction c ON c.batch_id = b.id
            WHERE b.kind = l.kind AND b.source_id = l.source_id AND c.type = l.type
                AND (c.created_at AT TIME ZONE %(zone)s)::date = l.day) END,
        t.balance_after, l.kind, l.source_id
    FROM lines l JOIN messaging_credittransaction t ON t.id = l.newest_id ORDER BY t.id DESC
"""
