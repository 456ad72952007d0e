"""Where messaging holds personal data (docs/rules.md#personal-data)."""

from __future__ import annotations

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from astronote.operations import registry
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
from messaging.models import message_classes


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
