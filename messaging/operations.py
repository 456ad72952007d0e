"""What messaging registers with `astronote.operations.registry`: jobs, panels, metrics, repairs.

The registered functions are in `panels.py`, `repairs.py`, `webhooks.py` and `tasks.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from django.db.models import Count, F, Min, Q
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric

from astronote.common.sql import database_now
from astronote.operations import first_day, registry
from astronote.operations.registry import (
    AsyncPath,
    Banner,
    FirstStep,
    HealthCheck,
    HomePanel,
    MetricSource,
    NewStoreField,
    OperatorModels,
    RecurringJob,
    RecurringJobs,
    Repair,
    SidebarLink,
    StoreCheck,
    StorePanel,
)
from contacts.contact_page import ContactPanel, contact_panels
from messaging import (
    call_metrics,
    conversations,
    missing_receipts,
    panels,
    repairs,
    replies,
    sending_stop,
    views,
    webhooks,
)
from messaging.billing import low_balance, pages
from messaging.models import Batch, SendingStop, Wallet, WebhookEvent
from messaging.opt_in_requests import validate_opt_in_wording
from messaging.opt_out_line import validate_opt_out_line
from messaging.statuses import (
    OPEN_BATCH_STATUSES,
    BatchStatus,
    WebhookEventStatus,
    WebhookEventType,
)


def _recurring_jobs() -> Iterator[RecurringJob]:
    poller = "delivery_status_poller"
    yield RecurringJob("apply_receipts", poller, "messaging.tasks.apply_receipts", interval=60)
    yield RecurringJob("apply_replies", poller, "messaging.tasks.apply_replies", interval=60)
    yield RecurringJob(
        "opt_in_requests", "birthday", "messaging.tasks.send_opt_in_requests", interval=60
    )
    yield RecurringJob("plans", "scheduler", "messaging.tasks.begin_due_months", interval=60)
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
    now = database_now()
    batches = GaugeMetricFamily(
        "astronote_open_batches", "Batches that have not ended, by status", labels=["status"]
    )
    open_batches = Batch.objects.filter(status__in=OPEN_BATCH_STATUSES).values_list("status")
    counts: dict[str, int] = dict.fromkeys(OPEN_BATCH_STATUSES, 0)
    counts |= dict(open_batches.annotate(Count("pk")).order_by())
    for status, count in counts.items():
        batches.add_metric([str(status)], count)
    pending = Batch.objects.filter(status=BatchStatus.PENDING)
    batches.add_metric(["delayed"], pending.filter(not_before__gt=now).count())
    yield batches
    yield GaugeMetricFamily(
        "astronote_oldest_due_batch_seconds",
        "Age of the oldest batch that is due",
        value=_oldest_due_batch_age_seconds(),
    )


def _oldest_due_batch_age_seconds() -> float:
    """Age of the oldest batch that could go out; 0 if there is none."""
    now = database_now()
    due = Batch.objects.filter(status=BatchStatus.PENDING).exclude(not_before__gt=now)
    oldest = due.aggregate(Min("created_at"))["created_at__min"]
    return (now - oldest).total_seconds() if oldest else 0.0


def _late_batches_problem_unless_stopped() -> str:
    """Health check: whether a batch waits that could go out; while sending is stopped all do."""
    minutes = _oldest_due_batch_age_seconds() / 60
    if minutes <= settings.STUCK_SENDING_MINUTES or SendingStop.objects.exists():
        return ""
    return gettext(
        "a batch that is due waits for %(minutes)s min: see manage.py watchdog --dry-run"
    ) % {"minutes": f"{minutes:.0f}"}


def _event_metrics() -> Iterator[Metric]:
    received = WebhookEvent.objects.filter(status=WebhookEventStatus.RECEIVED)
    figures = received.aggregate(
        waiting=Count("pk"),
        without_message=Count(
            "pk", filter=Q(retry_at__isnull=False, event_type=WebhookEventType.RECEIPT)
        ),
        set_aside=Count(
            "pk", filter=Q(retry_at__isnull=False, event_type=WebhookEventType.INBOUND)
        ),
        oldest=Min("received_at", filter=Q(retry_at__isnull=True)),
    )
    yield GaugeMetricFamily(
        "astronote_waiting_events", "Receipts and replies not applied", value=figures["waiting"]
    )
    yield GaugeMetricFamily(
        "astronote_unmatched_receipts",
        "Receipts whose message is searched again",
        value=figures["without_message"],
    )
    yield GaugeMetricFamily(
        "astronote_replies_set_aside",
        "Replies that could not be applied and are tried again",
        value=figures["set_aside"],
    )
    age = (database_now() - figures["oldest"]).total_seconds() if figures["oldest"] else 0
    yield GaugeMetricFamily(
        "astronote_oldest_event_seconds", "Age of the oldest event not looked at", value=age
    )


def _mitto_call_metrics() -> Iterator[Metric]:
    calls = HistogramMetricFamily(
        "astronote_mitto_call_seconds", "Calls that send, by outcome", labels=["outcome"]
    )
    counts, seconds = call_metrics.read_mitto_call_counts_and_seconds()
    for outcome, total in seconds.items():
        cumulative, buckets = 0, []
        for bound in [*map(str, call_metrics.BUCKETS), "+Inf"]:
            cumulative += counts.get((outcome, bound), 0)
            buckets.append((bound, cumulative))
        calls.add_metric([outcome], buckets=buckets, sum_value=total)
    yield calls


def _sending_stop_and_waiting_metrics() -> Iterator[Metric]:
    is_stopped = SendingStop.objects.exists()
    yield GaugeMetricFamily(
        "astronote_sending_stopped", "1 while all sending is stopped", value=int(is_stopped)
    )
    waiting = sending_stop.count_waiting_messages_and_credits()
    yield GaugeMetricFamily(
        "astronote_waiting_messages", "Messages of open batches", value=waiting.messages
    )
    yield GaugeMetricFamily(
        "astronote_waiting_credits", "Credits held for open batches", value=waiting.credits
    )


def _newest_store_wallet_or_store_list_url() -> str:
    store_id = first_day.newest_store_id()
    if store_id is None:
        return reverse("admin:astronote_user_changelist")
    return reverse("admin:astronote_user_change", args=[store_id]) + "#wallet"


registry.first_steps.register(
    FirstStep(
        _("Connect Mitto"),
        _(
            "Whoever runs the installation sets MITTO_API_KEY and starts it again; without it"
            " nothing can be sent. `manage.py mitto_check` says whether Mitto accepts the key."
        ),
        lambda: bool(settings.MITTO_API_KEY),
        str,
        panels.TOP_UP_PERMISSION,
        30,
    ),
    FirstStep(
        _("Top up the store's wallet"),
        _("One credit pays one SMS part: 160 characters, or 70 with letters that plain SMS lack."),
        Wallet.objects.filter(balance__gt=F("reserved_balance")).exists,
        _newest_store_wallet_or_store_list_url,
        panels.TOP_UP_PERMISSION,
        40,
    ),
)
registry.recurring_jobs.register(RecurringJobs("messaging", _recurring_jobs))
registry.banners.register(
    Banner(
        "receipts missing",
        missing_receipts.notices_if_no_receipts_came,
        _("See the messages"),
        "messaging.view_webhookevent",
    ),
    Banner(
        "low balance",
        low_balance.low_balance_notices,
        _("See the store"),
        "astronote.view_user",
        is_for_alerts_only=True,
    ),
    Banner(
        "sending stops", sending_stop.stop_notices, _("Let sending go on"), sending_stop.PERMISSION
    ),
)
registry.health_checks.register(
    HealthCheck("sending", lambda: " ".join(sending_stop.describe_stops())),
    HealthCheck("replies", replies.describe_replies_set_aside_or_empty),
    HealthCheck("batches", _late_batches_problem_unless_stopped, needs_queues=True),
)
registry.async_paths.register(
    AsyncPath("mitto webhooks", webhooks.PREFIX, webhooks.authenticate_and_store_events_or_refuse)
)
registry.home_panels.register(
    HomePanel(
        "replies to decide",
        "messaging/panels/reply_reviews.html",
        panels.open_reply_reviews_context,
        5,
    ),
    HomePanel(
        "last days", "messaging/panels/last_days.html", panels.message_counts_by_day_context, 30
    ),
    HomePanel("wallets", "messaging/panels/wallets.html", panels.low_wallets_context, 80),
)
registry.store_panels.register(
    StorePanel("wallet", "messaging/panels/store_wallet.html", panels.store_wallet_context, 10),
    StorePanel("money", "messaging/billing/store_money.html", pages.store_money_context, 15),
    StorePanel(
        "sending",
        "messaging/panels/store_sending.html",
        panels.store_sending_eligibility_context,
        20,
    ),
    StorePanel(
        "ledger", "messaging/panels/store_ledger.html", panels.store_ledger_by_day_context, 40
    ),
)
contact_panels.register(
    ContactPanel(
        "replies",
        "messaging/panels/contact_replies.html",
        panels.contact_replies_context,
        15,
    )
)
registry.metric_sources.register(
    MetricSource("batches", _batch_metrics),
    MetricSource("events", _event_metrics),
    MetricSource("mitto calls", _mitto_call_metrics),
    MetricSource("sending stops", _sending_stop_and_waiting_metrics),
)
registry.repairs.register(
    Repair("claims_taken_back", repairs.reset_stale_claims, _("claims taken back")),
    Repair(
        "given_up_as_unknown",
        repairs.resend_or_give_up_unanswered_batches,
        _("given up as unknown"),
    ),
    Repair("batches_enqueued", repairs.enqueue_missing_batch_jobs, _("batches enqueued")),
    Repair(
        "reservations_expired",
        repairs.release_overdue_credits,
        _("reservations expired"),
    ),
    Repair("wallets_wrong", repairs.report_inconsistent_wallets, _("wallets wrong")),
)
registry.store_checks.register(StoreCheck("opt-out line", validate_opt_out_line))
registry.store_checks.register(StoreCheck("opt-in wording", validate_opt_in_wording))
registry.new_store_fields.register(
    NewStoreField(
        "first_credits", panels.TOP_UP_PERMISSION, views.first_credits_field, views.top_up_new_store
    )
)
registry.operator_models.register(
    OperatorModels("messaging", ("messagetemplate", "replyreview", "reply", "savedanswer"))
)


registry.sidebar_links.register(
    SidebarLink.to_admin_changelist(
        "",
        _("Inbox"),
        "inbox",
        "messaging.reply",
        15,
        count=conversations.count_unread_replies,
    ),
    SidebarLink(
        _("SMS messages"),
        _("Message log"),
        "list_alt",
        "admin:messaging_log",
        "messaging.view_directmessage",
        90,
    ),
    SidebarLink.to_admin_changelist(
        _("SMS messages"), _("Tests and requests"), "science", "messaging.directmessage", 120
    ),
    SidebarLink.to_admin_changelist(
        _("SMS messages"), _("Batches"), "stacks", "messaging.batch", 130
    ),
    SidebarLink.to_admin_changelist(
        _("SMS messages"), _("Events from Mitto"), "forum", "messaging.webhookevent", 140
    ),
    SidebarLink.to_admin_changelist(
        _("SMS messages"), _("Replies to decide"), "contact_support", "messaging.replyreview", 135
    ),
    SidebarLink.to_admin_changelist(
        _("SMS messages"), _("Sending stops"), "front_hand", "messaging.sendingstop", 150
    ),
    SidebarLink.to_admin_changelist(
        _("Money"), _("Wallets"), "account_balance_wallet", "messaging.wallet", 200
    ),
    SidebarLink.to_admin_changelist(
        _("Money"), _("Ledger"), "receipt_long", "messaging.credittransaction", 210
    ),
    SidebarLink.to_admin_changelist(
        _("Money"), _("Reservations"), "lock_clock", "messaging.creditreservation", 220
    ),
    SidebarLink.to_admin_changelist(
        _("Money"), _("Payments"), "payments", "messaging.payment", 230
    ),
    SidebarLink.to_admin_changelist(
        _("Money"),
        _("Refunds and disputes"),
        "currency_exchange",
        "messaging.paymentadjustment",
        240,
    ),
    SidebarLink.to_admin_changelist(
        _("Money"), _("Invoices"), "receipt", "messaging.invoicerecord", 250
    ),
    SidebarLink.to_admin_changelist(
        _("Money"), _("Invoice recipients"), "contact_mail", "messaging.billingprofile", 260
    ),
    SidebarLink.to_admin_changelist(
        _("Money"), _("Plans"), "event_repeat", "messaging.subscription", 270
    ),
    SidebarLink.to_admin_changelist(
        _("Money"), _("Packages"), "inventory_2", "messaging.package", 280
    ),
    SidebarLink.to_admin_changelist(
        _("More"), _("Templates"), "draft", "messaging.messagetemplate", 420
    ),
    SidebarLink.to_admin_changelist(
        _("More"), _("Saved answers"), "quickreply", "messaging.savedanswer", 425
    ),
    SidebarLink.to_admin_changelist(
        _("More"), _("Short links"), "link", "messaging.shortlink", 430
    ),
)
