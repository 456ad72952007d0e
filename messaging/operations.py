"""What messaging registers with `astronote.operations.registry`: jobs, panels, metrics, repairs.

The registered functions are in `panels.py`, `repairs.py`, `webhooks.py` and `tasks.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from django.db.models import Count, Min
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric

from astronote.operations import registry
from astronote.operations.registry import (
    FOR_RETENTION_DAYS,
    HomePanel,
    MetricSource,
    NoPersonalData,
    OperatorModels,
    PersonalData,
    RecurringJob,
    RecurringJobs,
    Repair,
    SidebarLink,
    StoreCheck,
    StorePanel,
    WsgiPath,
)
from messaging import call_metrics, panels, repairs, webhooks
from messaging.models import Batch
from messaging.opt_out_line import check_opt_out_line
from messaging.statuses import OPEN_BATCH_STATUSES, BatchStatus


def _recurring_jobs() -> Iterator[RecurringJob]:
    poller = "delivery_status_poller"
    yield RecurringJob("apply_receipts", poller, "messaging.tasks.apply_receipts", interval=60)
    yield RecurringJob("apply_replies", poller, "messaging.tasks.apply_replies", interval=60)
    yield RecurringJob(
        "opt_in_requests", "birthday", "messaging.tasks.send_opt_in_requests", interval=60
    )
    yield RecurringJob(
        "delivery_status_poller",
        poller,
        "messaging.tasks.poll_delivery_status",
        interval=settings.DELIVERY_POLL_INTERVAL_MS / 1000,
    )
    if settings.STATUS_REFRESH_ENABLED:
        yield RecurringJob(
            "status_refresh",
            "status_refresh",
            "messaging.tasks.refresh_status",
            interval=settings.STATUS_REFRESH_INTERVAL / 1000,
        )


def _batch_metrics() -> Iterator[Metric]:
    now = timezone.now()
    batches = GaugeMetricFamily(
        "astronote_open_batches", "Batches that have not ended, by status", labels=["status"]
    )
    open_batches = Batch.objects.filter(status__in=OPEN_BATCH_STATUSES).values_list("status")
    counts = dict(open_batches.annotate(Count("pk")).order_by())
    for status in OPEN_BATCH_STATUSES:
        batches.add_metric([status.value], counts.get(status, 0))
    pending = Batch.objects.filter(status=BatchStatus.PENDING)
    batches.add_metric(["delayed"], pending.filter(not_before__gt=now).count())
    yield batches
    due = pending.exclude(not_before__gt=now)
    oldest = due.aggregate(Min("created_at"))["created_at__min"]
    yield GaugeMetricFamily(
        "astronote_oldest_due_batch_seconds",
        "Age of the oldest batch that is due",
        value=(now - oldest).total_seconds() if oldest else 0,
    )


def _call_metrics() -> Iterator[Metric]:
    calls = HistogramMetricFamily(
        "astronote_mitto_call_seconds", "Calls that send, by outcome", labels=["outcome"]
    )
    counts, seconds = call_metrics.read_calls()
    for outcome, total in seconds.items():
        cumulative, buckets = 0, []
        for bound in [*map(str, call_metrics.BUCKETS), "+Inf"]:
            cumulative += counts.get((outcome, bound), 0)
            buckets.append((bound, cumulative))
        calls.add_metric([outcome], buckets=buckets, sum_value=total)
    yield calls


registry.recurring_jobs.register(RecurringJobs("messaging", _recurring_jobs))
registry.wsgi_paths.register(WsgiPath("mitto webhooks", webhooks.PREFIX, webhooks.application))
registry.home_panels.register(
    HomePanel(
        "replies to decide",
        "messaging/panels/reply_reviews.html",
        panels.reply_reviews_context,
        5,
    ),
    HomePanel("last days", "messaging/panels/last_days.html", panels.last_days_context, 30),
    HomePanel("wallets", "messaging/panels/wallets.html", panels.wallets_context, 80),
)
registry.store_panels.register(
    StorePanel("wallet", "messaging/panels/store_wallet.html", panels.store_wallet_context, 10),
    StorePanel("sending", "messaging/panels/store_sending.html", panels.store_sending_context, 20),
    StorePanel("ledger", "messaging/panels/store_ledger.html", panels.store_ledger_context, 40),
)
registry.metric_sources.register(
    MetricSource("batches", _batch_metrics),
    MetricSource("mitto calls", _call_metrics),
)
registry.repairs.register(
    Repair("claims_taken_back", repairs.return_stale_claims),
    Repair("given_up_as_unknown", repairs.give_up_unanswered_batches),
    Repair("batches_enqueued", repairs.enqueue_waiting_batches),
    Repair("reservations_expired", repairs.expire_reservations),
    Repair("wallets_wrong", repairs.check_wallets),
)
registry.store_checks.register(StoreCheck("opt-out line", check_opt_out_line))
registry.operator_models.register(OperatorModels("messaging", ("messagetemplate", "replyreview")))

registry.personal_data.register(
    PersonalData(
        "messaging.DirectMessage",
        ("to", "text"),
        "tests, opt-in requests and codes",
        FOR_RETENTION_DAYS,
    ),
    PersonalData(
        "messaging.WebhookEvent",
        ("payload",),
        "receipts and replies as received",
        f"{FOR_RETENTION_DAYS}; a reply to decide: until the decision",
    ),
)
# Columns of every message class that hold no personal data.
MESSAGE_CODES = (
    "tracking_id",
    "provider_message_id",
    "delivery_status",
    "error_code",
    "last_error",
)
registry.no_personal_data.register(
    NoPersonalData(
        "messaging.Batch", ("kind", "sender", "waiting_for", "provider_bulk_id", "error")
    ),
    NoPersonalData("messaging.DirectMessage", (*MESSAGE_CODES, "idempotency_key")),
    NoPersonalData("messaging.MessageTemplate", ("name", "text", "category", "language")),
    NoPersonalData("messaging.ShortLink", ("short_code", "kind", "target_url", "long_url_hash")),
    NoPersonalData("messaging.CreditTransaction", ("reason", "idempotency_key")),
    NoPersonalData(
        "messaging.WebhookEvent",
        (
            "provider",
            "event_id",
            "provider_message_id",
            "provider_status",
            "consent_request",
            "error_code",
            "error",
        ),
    ),
    NoPersonalData("messaging.Tally", ("kind", "detail")),
)


registry.sidebar_links.register(
    SidebarLink.to_list(
        "SMS messages", "Tests and requests", "science", "messaging.directmessage", 120
    ),
    SidebarLink.to_list("SMS messages", "Batches", "stacks", "messaging.batch", 130),
    SidebarLink.to_list(
        "SMS messages", "Replies and receipts", "forum", "messaging.webhookevent", 140
    ),
    SidebarLink.to_list(
        "SMS messages", "Replies to decide", "contact_support", "messaging.replyreview", 135
    ),
    SidebarLink.to_list("Money", "Wallets", "account_balance_wallet", "messaging.wallet", 200),
    SidebarLink.to_list("Money", "Ledger", "receipt_long", "messaging.credittransaction", 210),
    SidebarLink.to_list("Money", "Reservations", "lock_clock", "messaging.creditreservation", 220),
    SidebarLink.to_list("More", "Templates", "draft", "messaging.messagetemplate", 420),
    SidebarLink.to_list("More", "Short links", "link", "messaging.shortlink", 430),
)
