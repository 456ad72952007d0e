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
from astronote.operations.personal_data import (
    AS_LONG_AS_ITS_ROW,
    AS_LONG_AS_THE_ACCOUNT,
    BY_TEXT,
    FIGURES,
    FOR_RETENTION_DAYS,
    SETTINGS_OF_STORE,
    STATES_OF_WORK,
    FoundBy,
    LegalGround,
    NoPersonalData,
    OnErasure,
    PersonalData,
    PersonKey,
    Subjects,
)
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
from messaging.models import Batch, SendingStop, Wallet, WebhookEvent, message_classes
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


def _messages_to_person_q(person: PersonKey) -> Q:
    """The messages to a person: to its contacts, or to its number at the stores asked about."""
    to_number = Q(to=person.phone) & person.stores_asked_and_not_held_q("owner")
    return Q(contact__in=person.contact_ids) | to_number


def _receipts_of_person_q(person: PersonKey) -> Q:
    """The receipts of messages to a person."""
    condition = Q()
    for model in message_classes():
        messages = model.objects.filter(_messages_to_person_q(person), provider_message_id__gt="")
        condition |= Q(provider_message_id__in=messages.values("provider_message_id"))
    return condition


BY_CONTACT_OR_NUMBER = FoundBy(
    _("by the contact, and by the number"), _messages_to_person_q, "contact"
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
    Repair(
        "claims_taken_back", repairs.reset_stale_claims_to_pending_and_audit, _("claims taken back")
    ),
    Repair(
        "given_up_as_unknown",
        repairs.resend_or_give_up_unanswered_batches_and_audit,
        _("given up as unknown"),
    ),
    Repair("batches_enqueued", repairs.enqueue_missing_batch_jobs_and_audit, _("batches enqueued")),
    Repair(
        "reservations_expired",
        repairs.release_overdue_credits_of_ended_batches_and_audit,
        _("reservations expired"),
    ),
    Repair("wallets_wrong", repairs.log_and_audit_inconsistent_wallets, _("wallets wrong")),
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

BY_MITTO = _("Mitto, which passes on what phones and carriers report")
BY_MITTO_AND_PAGES = _(
    "Mitto, which passes on what phones and carriers report; the person's own presses on the pages"
    " of opting out and in"
)
BY_OPERATOR = _("the store or an operator, who typed it")
registry.personal_data.register(
    # Before the messages, which tell whose the receipts are.
    PersonalData(
        "messaging.WebhookEvent",
        # A reply is known by a hash of number and text: trying all numbers would tell whose it is.
        ("contact", "payload", "error", "event_id"),
        _("applying receipts, replies, and presses on the pages of opting out and in, each once"),
        _("PII_RETENTION_DAYS; not applied: AUDIT_RETENTION_DAYS; to decide: until the decision"),
        categories=_(
            "number, text of a reply, time and state of delivery; address and browser of who"
            " presses on a page"
        ),
        legal_ground=LegalGround.LEGITIMATE_INTEREST,
        source=BY_MITTO_AND_PAGES,
        found_by=FoundBy(
            _("by its message, and by the number at any depth"), _receipts_of_person_q
        ),
        on_erasure=OnErasure.EMPTY,
    ),
    PersonalData(
        "messaging.DirectMessage",
        ("contact", "to", "text", "last_error"),
        _("tests, opt-in requests, codes, answers, confirmations of opt-outs, and lines of a file"),
        FOR_RETENTION_DAYS,
        categories=_("number and text"),
        legal_ground=LegalGround.LEGITIMATE_INTEREST,
        source=_("the operator who tests; the contact that is asked or has opted out"),
        found_by=BY_CONTACT_OR_NUMBER,
        on_erasure=OnErasure.EMPTY,
    ),
    PersonalData(
        "messaging.DirectMessage",
        ("idempotency_key",),
        _("writing each message once"),
        AS_LONG_AS_ITS_ROW,
        categories=_("a key of the caller's, which may name a person"),
        legal_ground=LegalGround.LEGITIMATE_INTEREST,
        source=_("the program that sends"),
        found_by=BY_TEXT,
        on_erasure=OnErasure.MASK,
    ),
    PersonalData(
        "messaging.MessageTemplate",
        ("name", "text", "goal"),
        _("texts to copy into campaigns"),
        AS_LONG_AS_ITS_ROW,
        categories=_("free text, which may name a person"),
        legal_ground=LegalGround.LEGITIMATE_INTEREST,
        source=BY_OPERATOR,
        found_by=BY_TEXT,
        on_erasure=OnErasure.MASK,
    ),
    PersonalData(
        "messaging.SavedAnswer",
        ("name", "text"),
        _("texts to answer customers with"),
        AS_LONG_AS_ITS_ROW,
        categories=_("free text, which may name a person"),
        legal_ground=LegalGround.LEGITIMATE_INTEREST,
        source=BY_OPERATOR,
        found_by=BY_TEXT,
        on_erasure=OnErasure.MASK,
    ),
    PersonalData(
        "messaging.ShortLink",
        ("target_url",),
        _("short addresses in texts"),
        AS_LONG_AS_ITS_ROW,
        categories=_("an address of the web, which may name a person"),
        legal_ground=LegalGround.LEGITIMATE_INTEREST,
        source=BY_OPERATOR,
        found_by=BY_TEXT,
        on_erasure=OnErasure.MASK,
    ),
    PersonalData(
        "messaging.Batch",
        ("waiting_for", "error"),
        _("saying why a batch waits or failed"),
        AS_LONG_AS_ITS_ROW,
        categories=_("Mitto's words about a call, without long digits"),
        legal_ground=LegalGround.LEGITIMATE_INTEREST,
        source=BY_MITTO,
        found_by=BY_TEXT,
        on_erasure=OnErasure.MASK,
    ),
    PersonalData(
        "messaging.SendingStop",
        ("by", "details"),
        _("saying why sending is stopped, and who stopped it"),
        _("as long as it is stopped"),
        categories=_("name of an operator; Mitto's words about a call, without long digits"),
        legal_ground=LegalGround.LEGITIMATE_INTEREST,
        source=_("the operator who stops it; Mitto"),
        subjects=Subjects.BOTH,
        found_by=BY_TEXT,
        on_erasure=OnErasure.MASK,
        store="",
    ),
    PersonalData(
        "messaging.CreditTransaction",
        ("reason", "idempotency_key"),
        _("the ledger of a store's credits"),
        AS_LONG_AS_THE_ACCOUNT,
        categories=_("free text, which may name a person"),
        legal_ground=LegalGround.LEGITIMATE_INTEREST,
        source=BY_OPERATOR,
        found_by=BY_TEXT,
        on_erasure=OnErasure.MASK,
        kept_after_store=_("commercial records are kept for years"),
    ),
    PersonalData(
        "messaging.Payment",
        ("idempotency_key",),
        _("what a store has paid, each once"),
        AS_LONG_AS_THE_ACCOUNT,
        categories=_("number of a receipt, or free text, which may name a person"),
        legal_ground=LegalGround.LEGITIMATE_INTEREST,
        source=BY_OPERATOR,
        found_by=BY_TEXT,
        on_erasure=OnErasure.MASK,
        kept_after_store=_("commercial records are kept for years"),
    ),
    PersonalData(
        "messaging.PaymentAdjustment",
        ("reason",),
        _("why money of a payment was returned"),
        _("until the store's data is erased"),
        categories=_("free text, which may name a person"),
        legal_ground=LegalGround.LEGITIMATE_INTEREST,
        source=BY_OPERATOR,
        found_by=BY_TEXT,
        on_erasure=OnErasure.MASK,
    ),
    PersonalData(
        "messaging.PaymentAdjustment",
        ("idempotency_key",),
        _("what of a payment was returned, each once"),
        AS_LONG_AS_THE_ACCOUNT,
        categories=_("number of a receipt, or free text, which may name a person"),
        legal_ground=LegalGround.LEGITIMATE_INTEREST,
        source=BY_OPERATOR,
        found_by=BY_TEXT,
        on_erasure=OnErasure.MASK,
        kept_after_store=_("commercial records are kept for years"),
    ),
    PersonalData(
        "messaging.BillingProfile",
        ("legal_name", "vat_number", "billing_email", "billing_address"),
        _("to whom a store's invoices are made out"),
        _("until the store's data is erased"),
        categories=_(
            "name, address, VAT number and e-mail address of a business, which may be a person's"
        ),
        legal_ground=LegalGround.ACCOUNT_CONTRACT,
        source=BY_OPERATOR,
        found_by=BY_TEXT,
        on_erasure=OnErasure.DELETE,
        subjects=Subjects.ACCOUNTS,
    ),
    PersonalData(
        "messaging.InvoiceRecord",
        ("seller", "buyer", "buyer_vat_number"),
        _("invoices, which the law wants unchanged"),
        _("five years after the year of its issue, or longer where the law says so"),
        categories=_("name, address and VAT number of a business, which may be a person's"),
        legal_ground=LegalGround.BOOKKEEPING_DUTY,
        source=_("the store's invoice recipient as it was on the day of issue"),
        found_by=BY_TEXT,
        on_erasure=OnErasure.KEEP,
        subjects=Subjects.ACCOUNTS,
        kept_after_store=_(
            "invoices are kept by law: Greek law 4308/2014, article 7; directive"
            " 2006/112/EC, article 247; GDPR, article 17(3)(b)"
        ),
    ),
)
# Columns of every message class that hold no personal data once number and text are gone.
MESSAGE_CODES = (
    "tracking_id",
    "status",
    "provider_message_id",
    "delivery_status",
    "delivery_status_at",
    "delivery_last_checked_at",
    "error_code",
    "sent_at",
    "delivered_at",
    "failed_at",
    "created_at",
    "segments",
)
OF_ITS_MESSAGE = _(
    "states, times and codes of a message; they tell of a person while it has a number"
)
registry.no_personal_data.register(
    NoPersonalData(
        "messaging.Batch",
        (
            "kind",
            "message_type",
            "sender",
            "status",
            "claimed_at",
            "not_before",
            "provider_bulk_id",
            "submitted_at",
            "settled_at",
            "checked_at",
            "created_at",
            "source_id",
            "size",
            "turn",
            "claim_token",
            "attempts",
            "deferrals",
            "halved_from",
            "probe_of",
            "awaiting",
        ),
        STATES_OF_WORK,
    ),
    NoPersonalData("messaging.DirectMessage", MESSAGE_CODES, OF_ITS_MESSAGE),
    NoPersonalData(
        "messaging.MessageTemplate", ("category", "language", "created_at"), STATES_OF_WORK
    ),
    NoPersonalData("messaging.SavedAnswer", ("created_at",), STATES_OF_WORK),
    NoPersonalData(
        "messaging.ShortLink",
        (
            "short_code",
            "kind",
            "long_url_hash",
            "last_clicked_at",
            "created_at",
            "campaign_id",
            "click_count",
        ),
        _("one address for all who get a text; it does not tell who opened it"),
    ),
    NoPersonalData(
        "messaging.Wallet",
        ("updated_at", "balance", "reserved_balance", "allowance_balance", "alert_below"),
        FIGURES,
    ),
    NoPersonalData(
        "messaging.CreditReservation",
        ("status", "reserved_at", "expires_at", "closed_at", "amount", "charged", "released"),
        FIGURES,
    ),
    NoPersonalData(
        "messaging.CreditTransaction",
        ("type", "created_at", "amount", "balance_after", "allowance_after"),
        FIGURES,
    ),
    NoPersonalData(
        "messaging.Package",
        (
            "name",
            "credits",
            "price_cents",
            "price_cents_usd",
            "is_active",
            "provider_price_id_eur",
            "provider_price_id_usd",
            "created_at",
        ),
        _("what is sold to every store"),
    ),
    NoPersonalData(
        "messaging.Payment",
        (
            "kind",
            "amount",
            "currency",
            "credits",
            "plan_type",
            "covers_from",
            "covers_until",
            "paid_at",
            "provider_session_id",
            "provider_payment_intent_id",
            "provider_charge_id",
            "provider_invoice_id",
            "provider_customer_id",
            "provider_price_id",
            "created_at",
        ),
        _("figures of money, and a provider's numbers of a business' payment"),
    ),
    NoPersonalData(
        "messaging.PaymentAdjustment",
        (
            "type",
            "status",
            "amount",
            "credits_due",
            "credits_taken",
            "months_taken",
            "provider_id",
            "occurred_at",
            "created_at",
        ),
        _("figures of money, and a provider's number of a refund"),
    ),
    NoPersonalData(
        "messaging.Subscription",
        (
            "plan_type",
            "interval",
            "currency",
            "included_sms_per_period",
            "current_period_start",
            "current_period_end",
            "paid_until",
            "billing_day",
            "cancel_at_period_end",
            "provider_customer_id",
            "provider_subscription_id",
            "created_at",
            "updated_at",
        ),
        SETTINGS_OF_STORE,
    ),
    NoPersonalData(
        "messaging.BillingProfile",
        ("vat_number_checked", "vat_country", "tax_exempt", "created_at", "updated_at"),
        SETTINGS_OF_STORE,
    ),
    NoPersonalData(
        "messaging.InvoiceRecord",
        (
            "year",
            "number",
            "issued_on",
            "buyer_country",
            "currency",
            "subtotal",
            "tax",
            "total",
            "tax_rate",
            "tax_treatment",
            "created_at",
        ),
        FIGURES,
    ),
    NoPersonalData(
        "messaging.WebhookEvent",
        (
            "provider",
            "event_type",
            "provider_message_id",
            "provider_status",
            "consent_request",
            "occurred_at",
            "error_code",
            "status",
            "received_at",
            "retry_at",
            "processed_at",
            "read_at",
        ),
        _("states, times and codes of an event; they tell of a person while it has its payload"),
    ),
    NoPersonalData(
        "messaging.SendingState", ("refused_at", "resumed_at", "refused_calls"), STATES_OF_WORK
    ),
    NoPersonalData(
        "messaging.SendingStop", ("reason", "since", "next_probe_at", "probes"), STATES_OF_WORK
    ),
    NoPersonalData("messaging.SubmissionCounter", ("number", "database_identity"), STATES_OF_WORK),
    NoPersonalData(
        "messaging.Tally", ("kind", "slot", "event", "detail", "source_id", "count"), FIGURES
    ),
)


registry.sidebar_links.register(
    SidebarLink.to_admin_changelist(
        "",
        _("Inbox"),
        "inbox",
        "messaging.reply",
        15,
        count=conversations.count_unread_replies_up_to_limit,
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
