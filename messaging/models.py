"""Batches, credits, receipts and links (data model, section 5; design, Sending and Credits)."""

from __future__ import annotations

from typing import NamedTuple

from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from contacts.constraints import one_of
from contacts.models import Contact, MessageType


class MessageStatus(models.TextChoices):
    QUEUED = "queued", "queued: waiting in its batch"
    SENT = "sent", "sent: Mitto gave an id"
    DELIVERED = "delivered", "delivered: a receipt said so"
    FAILED = "failed", "failed: refused by Mitto, or not delivered"
    SKIPPED = "skipped", "skipped: not sent, for the reason given"
    UNKNOWN = "unknown", "unknown: Mitto did not answer, never sent again"


class BatchStatus(models.TextChoices):
    PENDING = "pending", "pending: waiting for a worker"
    CLAIMED = "claimed", "claimed: a worker is preparing it, nothing sent yet"
    SUBMITTING = "submitting", "submitting: the call to Mitto may be under way"
    SETTLED = "settled", "settled: every message has an outcome"
    CANCELLED = "cancelled", "cancelled: never sent"


class ReservationStatus(models.TextChoices):
    RESERVED = "reserved", "reserved: part of it is still held"
    COMMITTED = "committed", "committed: nothing held, some charged"
    RELEASED = "released", "released: nothing held, nothing charged"
    EXPIRED = "expired", "expired: what was still held went back"


class TransactionType(models.TextChoices):
    CREDIT = "credit"
    DEBIT = "debit"
    REFUND = "refund"


class WebhookEventStatus(models.TextChoices):
    RECEIVED = "received", "received: not yet applied"
    PROCESSED = "processed"
    UNMATCHED = "unmatched", "unmatched: no message or customer belongs to it"
    FAILED = "failed", "failed: it cannot be read"


class WebhookEventType(models.TextChoices):
    RECEIPT = "dlr", "delivery receipt"
    POLL = "poll", "answer to a status query"
    INBOUND = "inbound", "message from a customer"


class TallyOf(models.TextChoices):
    ACCEPTED = "accepted", "accepted by Mitto"
    DELIVERED = "delivered"
    FAILED = "failed"
    SKIPPED = "skipped"
    OPTED_OUT = "opted_out", "opted out"


BATCH_OPEN = (BatchStatus.PENDING, BatchStatus.CLAIMED, BatchStatus.SUBMITTING)
BATCH_IN_FLIGHT = (BatchStatus.CLAIMED, BatchStatus.SUBMITTING)
NOT_CHARGED = (MessageStatus.QUEUED, MessageStatus.UNKNOWN)
ACCEPTED = (MessageStatus.SENT, MessageStatus.DELIVERED)


class Verdict(NamedTuple):
    """Whether a batch that is due may go out; if not, why, and whether it never may."""

    may_send: bool
    reason: str = ""
    for_good: bool = False


class StatusChange(NamedTuple):
    """So many messages of one source went from one status to another."""

    source_id: int | None
    before: str
    after: str
    count: int


class Batch(models.Model):
    """The unit of sending: at most SMS_BATCH_SIZE messages of one store, one provider call.

    `kind` names the message class, `source_id` the campaign or automation of that class.
    `claim_token` is fresh for each attempt, so that a worker that lost its claim finds out.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, db_index=False)
    kind = models.CharField(max_length=20)
    source_id = models.BigIntegerField(null=True, blank=True)
    message_type = models.CharField(
        max_length=20, choices=MessageType.choices, default=MessageType.MARKETING
    )
    sender = models.CharField(max_length=16)
    size = models.IntegerField()
    status = models.CharField(
        max_length=20, choices=BatchStatus.choices, default=BatchStatus.PENDING
    )
    turn = models.BigIntegerField(
        default=0, help_text="the lowest goes first; batches of one campaign have one turn each"
    )
    claim_token = models.UUIDField(null=True, blank=True)
    claimed_at = models.DateTimeField(null=True, blank=True)
    not_before = models.DateTimeField(null=True, blank=True)
    waiting_for = models.CharField(max_length=200, blank=True, db_default="")
    attempts = models.IntegerField(default=0, help_text="calls that may have reached Mitto")
    deferrals = models.IntegerField(default=0, help_text="times Mitto did not take it")
    provider_bulk_id = models.CharField(max_length=64, null=True, blank=True)
    error = models.CharField(max_length=500, blank=True, db_default="")
    submitted_at = models.DateTimeField(null=True, blank=True, help_text="last call to Mitto")
    settled_at = models.DateTimeField(null=True, blank=True)
    awaiting = models.IntegerField(
        default=0, db_default=0, help_text="messages sent and without a final receipt"
    )
    checked_at = models.DateTimeField(
        null=True, blank=True, help_text="when Mitto was last asked about them"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name_plural = "batches"
        constraints = [
            one_of("status", BatchStatus, "batch_status_known"),
            one_of("message_type", MessageType, "batch_message_type_known"),
            models.CheckConstraint(condition=Q(size__gt=0), name="batch_has_messages"),
        ]
        indexes = [
            models.Index(fields=["kind", "source_id"], name="batch_source"),
            models.Index(fields=["owner", "submitted_at"], name="batch_submitted"),
            models.Index(
                fields=["turn", "id"], name="batch_waiting", condition=Q(status="pending")
            ),
            models.Index(
                fields=["claimed_at"],
                name="batch_in_flight",
                condition=Q(status__in=["claimed", "submitting"]),
            ),
            models.Index(fields=["checked_at"], name="batch_awaiting", condition=Q(awaiting__gt=0)),
        ]

    def __str__(self) -> str:
        return f"batch {self.pk}"

    @property
    def message_class(self) -> type[OutboundMessage]:
        return message_class(self.kind)


class OutboundMessage(models.Model):
    """One SMS to one number; concrete classes live where the reason for sending does.

    The engine works on any subclass: it finds a batch's class by `batch_kind`, and tells the
    class what became of its messages through the two methods below.
    """

    batch_kind: str
    source_column: str  # of a campaign's or automation's id
    # Whether each message is to a contact whose consent counts, and must mind quiet hours and
    # caps. A test that an operator sends to one number is not.
    to_contacts = True

    # No database constraint on owner and batch: both are written by the engine alone, and two
    # checks a row would cost more than the row.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, db_index=False, db_constraint=False
    )
    batch = models.ForeignKey(Batch, models.CASCADE, null=True, db_constraint=False)
    contact = models.ForeignKey(Contact, models.SET_NULL, null=True, blank=True)
    to = models.CharField(max_length=16)
    text = models.TextField()
    segments = models.SmallIntegerField(help_text="SMS parts, each one credit")
    tracking_id = models.CharField(max_length=16)
    status = models.CharField(
        max_length=12, choices=MessageStatus.choices, default=MessageStatus.QUEUED
    )
    provider_message_id = models.CharField(max_length=64, null=True, blank=True)
    delivery_status = models.CharField(
        max_length=40, blank=True, db_default="", help_text="the provider's last word"
    )
    delivery_status_at = models.DateTimeField(
        null=True, blank=True, help_text="the provider's time of that word"
    )
    delivery_last_checked_at = models.DateTimeField(null=True, blank=True)
    error_code = models.CharField(
        max_length=40,
        blank=True,
        db_default="",
        help_text="why it failed, was skipped or is unknown",
    )
    last_error = models.CharField(max_length=500, blank=True, db_default="")
    sent_at = models.DateTimeField(null=True, blank=True, help_text="when we knew Mitto took it")
    delivered_at = models.DateTimeField(null=True, blank=True, help_text="by Mitto's clock")
    failed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        abstract = True
        constraints = [
            one_of("status", MessageStatus, "%(class)s_status_known"),
            models.CheckConstraint(condition=Q(segments__gt=0), name="%(class)s_has_parts"),
            # A unique field would have a second index, for LIKE, that nobody asks.
            models.UniqueConstraint(fields=["tracking_id"], name="%(class)s_tracking_id_once"),
            models.UniqueConstraint(
                fields=["provider_message_id"],
                name="%(class)s_provider_id_once",
                condition=Q(provider_message_id__isnull=False),
            ),
        ]
        # Few rows are in it, and a delivered message's update stays within its page.
        indexes = [
            models.Index(fields=["id"], name="%(class)s_trouble", condition=~Q(error_code="")),
        ]

    def __str__(self) -> str:
        return f"message {self.pk}"

    @classmethod
    def verdict(cls, batch: Batch) -> Verdict:
        """Whether the batch may go out now; asked just before it does."""
        return Verdict(True)

    @classmethod
    def outcomes_changed(cls, changes: list[StatusChange]) -> None:
        """Called in the transaction in which messages changed status; keeps counters right."""


def message_classes() -> list[type[OutboundMessage]]:
    """Every concrete message class."""
    return [model for model in apps.get_models() if issubclass(model, OutboundMessage)]


def message_class(kind: str) -> type[OutboundMessage]:
    """The message class of a batch kind."""
    for model in message_classes():
        if model.batch_kind == kind:
            return model
    raise LookupError(f"no message class has the batch kind {kind!r}")


class DirectMessage(OutboundMessage):
    """A single message to one number, such as a test send; `idempotency_key` sends it once."""

    batch_kind = "direct"
    to_contacts = False

    idempotency_key = models.CharField(max_length=128)

    class Meta(OutboundMessage.Meta):
        constraints = [
            *OutboundMessage.Meta.constraints,
            models.UniqueConstraint(fields=["owner", "idempotency_key"], name="directmessage_once"),
        ]


class MessageTemplate(models.Model):
    """A text to copy from; campaigns never refer to it."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, db_index=False)
    name = models.CharField(max_length=160)
    text = models.TextField(max_length=2000)
    category = models.CharField(max_length=20, default="generic")
    language = models.CharField(max_length=2, default="en")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="messagetemplate_name_once")
        ]

    def __str__(self) -> str:
        return self.name


class ShortLink(models.Model):
    """A link that several messages share; a message's own links are made from its tracking id."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, db_index=False)
    short_code = models.CharField(max_length=16, unique=True)
    kind = models.CharField(max_length=20, default="message")
    target_url = models.TextField()
    long_url_hash = models.CharField(max_length=64)
    campaign_id = models.BigIntegerField(
        null=True, blank=True, help_text="whose text holds it; a store's automations share theirs"
    )
    click_count = models.IntegerField(default=0)
    last_clicked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "kind", "long_url_hash", "campaign_id"],
                name="shortlink_once_per_target",
                nulls_distinct=False,
            )
        ]
        indexes = [models.Index(fields=["campaign_id"], name="shortlink_campaign")]

    def __str__(self) -> str:
        return self.short_code


class Wallet(models.Model):
    """A store's prepaid credits: balance = sum of its ledger, reserved = what is held."""

    owner = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE)
    balance = models.IntegerField(default=0)
    reserved_balance = models.IntegerField(default=0)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(balance__gte=0), name="wallet_balance_not_negative"),
            models.CheckConstraint(
                condition=Q(reserved_balance__gte=0, reserved_balance__lte=F("balance")),
                name="wallet_reserved_within_balance",
            ),
        ]

    def __str__(self) -> str:
        return f"wallet of store {self.owner_id}"

    @property
    def available(self) -> int:
        return self.balance - self.reserved_balance


class CreditReservation(models.Model):
    """Credits held for one batch; `amount - charged - released` of them are still held."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    batch = models.OneToOneField(Batch, models.CASCADE)
    amount = models.IntegerField()
    charged = models.IntegerField(default=0)
    released = models.IntegerField(default=0)
    status = models.CharField(
        max_length=12, choices=ReservationStatus.choices, default=ReservationStatus.RESERVED
    )
    reserved_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            one_of("status", ReservationStatus, "creditreservation_status_known"),
            models.CheckConstraint(
                condition=Q(
                    charged__gte=0, released__gte=0, amount__gte=F("charged") + F("released")
                ),
                name="creditreservation_within_amount",
            ),
        ]
        indexes = [
            models.Index(
                fields=["expires_at"],
                name="creditreservation_open",
                condition=Q(status="reserved"),
            )
        ]

    @property
    def held(self) -> int:
        return self.amount - self.charged - self.released


class CreditTransaction(models.Model):
    """One entry of a store's ledger; append-only, never the same key twice."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    type = models.CharField(max_length=8, choices=TransactionType.choices)
    amount = models.PositiveIntegerField()
    balance_after = models.IntegerField()
    reason = models.CharField(max_length=200)
    batch = models.ForeignKey(Batch, models.SET_NULL, null=True, blank=True)
    idempotency_key = models.CharField(max_length=128, unique=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [one_of("type", TransactionType, "credittransaction_type_known")]


class WebhookEvent(models.Model):
    """The inbox: one event as the provider sent it, and what was read from it at the door.

    It also keeps the answers to status queries that changed something, so that each change of a
    message has its source. Events of a message begin their `event_id` with its provider id.
    """

    provider = models.CharField(max_length=20, default="mitto")
    event_id = models.CharField(max_length=200)
    event_type = models.CharField(max_length=20, choices=WebhookEventType.choices)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, db_index=False,
        verbose_name="store", help_text="whose customer wrote an inbound message",
    )  # fmt: skip
    provider_message_id = models.CharField(max_length=64, blank=True)
    word = models.CharField(
        max_length=40, blank=True, db_default="",
        help_text="the provider's status of the message, or what an inbound message asks for",
    )  # fmt: skip
    occurred_at = models.DateTimeField(
        null=True, blank=True, help_text="the provider's time of it, if it gave one"
    )
    error_code = models.CharField(max_length=40, blank=True, db_default="")
    error = models.CharField(max_length=200, blank=True, db_default="")
    payload = models.JSONField(null=True)
    status = models.CharField(
        max_length=12, choices=WebhookEventStatus.choices, default=WebhookEventStatus.RECEIVED
    )
    received_at = models.DateTimeField(db_default=Now())
    retry_at = models.DateTimeField(
        null=True, blank=True, help_text="when its message is looked for again"
    )
    processed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            one_of("event_type", WebhookEventType, "webhookevent_type_known"),
            one_of("status", WebhookEventStatus, "webhookevent_status_known"),
            models.UniqueConstraint(fields=["provider", "event_id"], name="webhookevent_once"),
        ]
        indexes = [
            models.Index(
                fields=["id"], name="webhookevent_waiting", condition=Q(status="received")
            ),
            models.Index(
                fields=["owner", "id"], name="webhookevent_owner", condition=Q(owner__isnull=False)
            ),
        ]


class Tally(models.Model):
    """How many messages of one campaign or automation came to something in five minutes.

    `detail` tells why for `failed` and `skipped`, and for `delivered` which of WAITS it took from
    sending. Always: what counting the messages themselves would give.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, db_index=False)
    kind = models.CharField(max_length=20)
    source_id = models.BigIntegerField(null=True, blank=True)
    slot = models.DateTimeField(help_text="the beginning of the five minutes")
    what = models.CharField(max_length=12, choices=TallyOf.choices)
    detail = models.CharField(max_length=40, blank=True, db_default="")
    count = models.IntegerField()

    class Meta:
        verbose_name_plural = "tallies"
        constraints = [
            one_of("what", TallyOf, "tally_what_known"),
            models.UniqueConstraint(
                fields=["kind", "source_id", "slot", "what", "detail"],
                name="tally_once",
                nulls_distinct=False,
            ),
        ]
        indexes = [
            models.Index(fields=["owner", "slot"], name="tally_of_store"),
            models.Index(fields=["slot"], name="tally_slot"),
        ]
