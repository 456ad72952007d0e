"""Tables of sending: batches, messages, templates, short links, credits, events and tallies.

Only fields, constraints and indexes are here. The code that changes rows is in `batch_queue.py`,
`outcomes.py`, `credits.py`, `inbox.py` and `tallies.py`; statuses are in `statuses.py`. Tables of
money are in `billing/models.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple, NewType, Self

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce, Length, Now, Sign
from django.db.models.lookups import Exact
from django.utils.translation import gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from astronote.common.constraints import choice_constraint
from astronote.common.counts import format_count
from astronote.common.fields import ComposedTextField
from astronote.common.languages import Language
from contacts.models import Contact, MessageType
from messaging.billing.models import (
    BillingProfile,
    InvoiceRecord,
    Package,
    Payment,
    PaymentAdjustment,
    Subscription,
)
from messaging.custom_tags import custom_keys_for_text
from messaging.opt_in_secrets import fill_in_confirm_link_and_code
from messaging.statuses import (
    TRANSACTION_WORDS,
    BatchStatus,
    MessageStatus,
    ReservationStatus,
    StopReason,
    TallyEvent,
    TransactionType,
    WebhookEventStatus,
    WebhookEventType,
)
from messaging.text import Template, text_problem_or_empty

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

# Django finds an app's models here.
__all__ = [
    "BillingProfile",
    "InvoiceRecord",
    "Package",
    "Payment",
    "PaymentAdjustment",
    "Subscription",
]

BatchId = NewType("BatchId", int)
MessageId = NewType("MessageId", int)  # unique within its message class
BatchCount = int  # as a result: how many batches
MessageCount = int
MAX_ANSWER = 1000  # characters of an answer to a customer


class SendDecision(NamedTuple):
    """Whether a due batch may be sent now; if not, why not, and whether it must be dropped."""

    may_send: bool
    reason: str = ""
    drop: bool = False


class StatusChange(NamedTuple):
    """How many messages of one campaign or automation changed from one status to another."""

    source_id: int | None
    before: str
    after: str
    messages: int


class Batch(models.Model):
    """The unit of sending: at most SMS_BATCH_SIZE messages of one store, sent in one call to Mitto.

    `kind` names the message class, `source_id` the campaign or automation. Each claim has a new
    `claim_token`, so that a worker that lost its claim changes nothing.
    """

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, db_index=False, verbose_name=_("store")
    )
    kind = models.CharField(_("messages of"), max_length=20)
    source_id = models.BigIntegerField(_("campaign or automation"), null=True, blank=True)
    message_type = models.CharField(
        _("message type"), max_length=20, choices=MessageType.choices, default=MessageType.MARKETING
    )
    sender = models.CharField(_("sender"), max_length=16)
    size = models.IntegerField(
        _("messages"),
    )
    status = models.CharField(
        _("status"), max_length=20, choices=BatchStatus.choices, default=BatchStatus.PENDING
    )
    turn = models.BigIntegerField(
        _("turn"),
        default=0,
        help_text=_("the lowest due turn is sent first; each batch of a campaign has its own turn"),
    )
    claim_token = models.UUIDField(_("claim token"), null=True, blank=True)
    claimed_at = models.DateTimeField(_("claimed at"), null=True, blank=True)
    not_before = models.DateTimeField(_("not before"), null=True, blank=True)
    waiting_for = models.CharField(_("waiting for"), max_length=200, blank=True, db_default="")
    attempts = models.IntegerField(
        _("attempts"), default=0, help_text=_("calls that may have reached Mitto")
    )
    deferrals = models.IntegerField(
        _("calls repeated"),
        default=0,
        help_text=_("calls that Mitto did not accept and that were repeated later"),
    )
    halved_from = models.BigIntegerField(
        _("half of"),
        null=True,
        blank=True,
        help_text=_(
            "the batch of whose messages it is a part, because Mitto refused them together"
        ),
    )
    probe_of = models.BigIntegerField(
        _("probe of"),
        null=True,
        blank=True,
        help_text=_("the batch that its message was taken from to be a probe"),
    )
    provider_bulk_id = models.CharField(_("Mitto's bulk ID"), max_length=64, null=True, blank=True)
    error = models.CharField(_("error"), max_length=500, blank=True, db_default="")
    submitted_at = models.DateTimeField(
        _("last call at"), null=True, blank=True, help_text=_("time of the last call to Mitto")
    )
    settled_at = models.DateTimeField(_("settled at"), null=True, blank=True)
    awaiting = models.IntegerField(
        _("without a final receipt"),
        default=0,
        db_default=0,
        help_text=_("messages that are sent and have no final receipt"),
    )
    checked_at = models.DateTimeField(
        _("checked at"),
        null=True,
        blank=True,
        help_text=_("time of the last status query for them"),
    )
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("batch")
        verbose_name_plural = _("batches")
        constraints = [
            choice_constraint("status", BatchStatus, "batch_status_known"),
            choice_constraint("message_type", MessageType, "batch_message_type_known"),
            models.CheckConstraint(condition=Q(size__gt=0), name="batch_has_messages"),
        ]
        indexes = [
            models.Index(fields=["kind", "source_id"], name="batch_source"),
            models.Index(fields=["owner", "submitted_at"], name="batch_submitted"),
            # The message log walks batches by these (message_log.py).
            models.Index(
                F("kind"), Coalesce("submitted_at", "created_at"), F("id"), name="batch_log"
            ),
            models.Index(
                F("owner"),
                F("kind"),
                Coalesce("submitted_at", "created_at"),
                F("id"),
                name="batch_log_of_store",
            ),
            models.Index(
                fields=["turn", "id"], name="batch_waiting", condition=Q(status="pending")
            ),
            models.Index(
                fields=["claimed_at"],
                name="batch_in_flight",
                condition=Q(status__in=["claimed", "submitting"]),
            ),
            models.Index(fields=["checked_at"], name="batch_awaiting", condition=Q(awaiting__gt=0)),
            models.Index(fields=["settled_at"], name="batch_settled"),
            models.Index(
                fields=["halved_from"],
                name="batch_halved_from",
                condition=Q(halved_from__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return gettext("batch %(number)s") % {"number": self.pk}

    @property
    def message_class(self) -> type[OutboundMessage]:
        """The class of the batch's messages."""
        return message_class(self.kind)


class SendingStop(models.Model):
    """Why nothing is sent at present: a row for each reason, deleted when sending goes on.

    `next_probe_at` is null if only a person ends the stop. `sending_stop.py` changes the rows.
    """

    reason = models.CharField(
        _("reason"), max_length=20, choices=StopReason.choices, primary_key=True
    )
    since = models.DateTimeField(_("since"), db_default=Now(), editable=False)
    by = models.CharField(_("by"), max_length=80, help_text=_("an account's id, or a program"))
    details = models.CharField(_("details"), max_length=500, blank=True, db_default="")
    probes = models.IntegerField(
        _("probes"),
        default=0,
        db_default=0,
        help_text=_("probes since then that Mitto did not accept"),
    )
    next_probe_at = models.DateTimeField(_("next probe at"), null=True, blank=True)

    class Meta:
        verbose_name = _("sending stop")
        verbose_name_plural = _("sending stops")
        constraints = [choice_constraint("reason", StopReason, "sendingstop_reason_known")]

    def __str__(self) -> str:
        return self.get_reason_display()


class SendingState(models.Model):
    """What decides whether the next call that is refused stops all sending: one row."""

    id = models.SmallIntegerField(_("id"), primary_key=True, default=1)
    refused_calls = models.IntegerField(
        _("refused calls"),
        default=0,
        db_default=0,
        help_text=_("calls that Mitto refused since it last accepted one"),
    )
    refused_at = models.DateTimeField(
        _("refused at"), null=True, help_text=_("when Mitto last refused a call")
    )
    resumed_at = models.DateTimeField(
        _("resumed at"), null=True, help_text=_("when sending last went on after a stop")
    )

    class Meta:
        verbose_name = verbose_name_plural = _("sending")
        constraints = [models.CheckConstraint(condition=Q(id=1), name="sendingstate_one_row")]

    def __str__(self) -> str:
        return gettext("sending")


class SubmissionCounter(models.Model):
    """One row: how many submissions were begun. Redis has a copy, see `database_age.py`."""

    number = models.BigIntegerField(_("number"))
    database_identity = models.CharField(
        _("database identity"),
        max_length=100,
        blank=True,
        db_default="",
        help_text=_("where it was counted: server, timeline, database and table"),
    )

    class Meta:
        verbose_name = _("submission counter")
        verbose_name_plural = _("submission counters")

    def __str__(self) -> str:
        return ngettext("%(count)s submission", "%(count)s submissions", self.number) % {
            "count": format_count(self.number)
        }


class OutboundMessage(models.Model):
    """One SMS to one number. Concrete classes are here and in the apps that send.

    Sending works on any subclass. It finds a batch's class by `batch_kind`, asks
    `decide_whether_to_send` before each call and reports status changes to `on_outcomes_changed`.
    """

    batch_kind: str
    kind_name: str | StrPromise  # the kind as people read it
    source_column: str  # the column with the id of the campaign or automation
    extra_columns: tuple[str, ...] = ()  # the class's own columns, written with each message
    # Whether the messages go to contacts, so that consent, quiet hours and caps apply. They do not
    # apply to an operator's test message.
    to_contacts = True

    objects: ClassVar[models.Manager[Self]]  # for mypy: Django adds it to concrete classes only

    # No database constraint on owner and batch: only this app writes them, and checking both costs
    # more than inserting the row.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        db_index=False,
        db_constraint=False,
        verbose_name=_("store"),
    )
    batch = models.ForeignKey(
        Batch, models.CASCADE, null=True, db_constraint=False, verbose_name=_("batch")
    )
    contact = models.ForeignKey(
        Contact, models.SET_NULL, null=True, blank=True, verbose_name=_("contact")
    )
    to = models.CharField(_("number"), max_length=16)
    text = models.TextField(_("text"))
    segments = models.SmallIntegerField(_("SMS parts"), help_text=_("SMS parts, each one credit"))
    tracking_id = models.CharField(_("tracking ID"), max_length=16)
    status = models.CharField(
        _("status"), max_length=12, choices=MessageStatus.choices, default=MessageStatus.QUEUED
    )
    provider_message_id = models.CharField(
        _("Mitto's message ID"), max_length=64, null=True, blank=True
    )
    delivery_status = models.CharField(
        _("Mitto's status"),
        max_length=40,
        blank=True,
        db_default="",
        help_text=_("the provider's status"),
    )
    delivery_status_at = models.DateTimeField(
        _("time of Mitto's status"),
        null=True,
        blank=True,
        help_text=_("the provider's time of that status"),
    )
    delivery_last_checked_at = models.DateTimeField(_("last asked Mitto at"), null=True, blank=True)
    error_code = models.CharField(
        _("reason"),
        max_length=40,
        blank=True,
        db_default="",
        help_text=_("why it failed, was skipped or is unknown"),
    )
    last_error = models.CharField(_("Mitto's words"), max_length=500, blank=True, db_default="")
    sent_at = models.DateTimeField(
        _("accepted at"), null=True, blank=True, help_text=_("when Mitto's acceptance was recorded")
    )
    delivered_at = models.DateTimeField(
        _("delivered at"), null=True, blank=True, help_text=_("by Mitto's clock")
    )
    failed_at = models.DateTimeField(_("failed at"), null=True, blank=True)
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)

    class Meta:
        abstract = True
        constraints = [
            choice_constraint("status", MessageStatus, "%(class)s_status_known"),
            models.CheckConstraint(condition=Q(segments__gt=0), name="%(class)s_has_parts"),
            # Not unique=True, which would add a second index for LIKE that no query uses.
            models.UniqueConstraint(fields=["tracking_id"], name="%(class)s_tracking_id_once"),
            models.UniqueConstraint(
                fields=["provider_message_id"],
                name="%(class)s_provider_id_once",
                condition=Q(provider_message_id__isnull=False),
            ),
        ]
        # Partial: few rows have an error code, and a delivered message's update can be HOT.
        indexes = [
            models.Index(fields=["id"], name="%(class)s_trouble", condition=~Q(error_code="")),
            # Of contacts that were deleted: finds the store whose message a reply answers.
            models.Index(
                fields=["to"], name="%(class)s_no_contact", condition=Q(contact=None) & ~Q(to="")
            ),
            # The message log: messages that were not delivered by batch, and those in no batch.
            # The condition is none that `trouble` serves: with stale statistics PostgreSQL would
            # take that for as good, and read all of it for each batch. It has no statistics of this
            # one, so it always takes it for rare.
            models.Index(
                fields=["batch", "id"],
                name="%(class)s_trouble_log",
                condition=Q(Exact(Sign(Length("error_code")), 1)),
            ),
            models.Index(
                fields=["created_at", "id"], name="%(class)s_unsent", condition=Q(batch=None)
            ),
            models.Index(
                fields=["owner", "created_at", "id"],
                name="%(class)s_unsent_own",
                condition=Q(batch=None),
            ),
        ]

    def __str__(self) -> str:
        return gettext("message %(number)s") % {"number": self.pk}

    @classmethod
    def text_to_send(cls, text: str, tracking_id: str) -> str:
        """The stored text as it is sent."""
        return text

    @classmethod
    def decide_whether_to_send(cls, batch: Batch) -> SendDecision:
        """Whether the batch may be sent now; called just before each attempt."""
        return SendDecision(True)

    @classmethod
    def exclude_sent_otherwise(cls, messages: QuerySet[Self]) -> QuerySet[Self]:
        """Of messages that did not reach their people, those that nothing was sent for since."""
        return messages

    @classmethod
    def find_pointless_messages(cls, batch: Batch) -> dict[MessageId, str]:
        """The queued messages of a batch that have lost their point, each with its Reason.

        Called in the transaction that marks the batch as submitting; they are skipped.
        """
        return {}

    @classmethod
    def on_outcomes_changed(cls, changes: list[StatusChange]) -> None:
        """Update counters; called in the transaction in which messages changed status."""


def message_classes() -> list[type[OutboundMessage]]:
    """Every concrete message class."""
    return [model for model in apps.get_models() if issubclass(model, OutboundMessage)]


def message_class(batch_kind: str) -> type[OutboundMessage]:
    """The message class of a batch kind.

    Raises:
        LookupError: if no message class has this kind.
    """
    for model in message_classes():
        if model.batch_kind == batch_kind:
            return model
    raise LookupError(f"no message class has the batch kind {batch_kind!r}")


class DirectMessage(OutboundMessage):
    """A single message to one number; one for each `idempotency_key` of a store.

    It has a contact if the store addresses somebody, as with an opt-in request; then that contact's
    consent counts. A test and a code have none, and marketing always has one.
    """

    batch_kind = "direct"
    kind_name = pgettext_lazy("kind of message", "direct")
    to_contacts = False

    idempotency_key = models.CharField(_("key"), max_length=128)

    class Meta(OutboundMessage.Meta):
        verbose_name = _("direct message")
        verbose_name_plural = _("direct messages")
        constraints = [
            *OutboundMessage.Meta.constraints,
            models.UniqueConstraint(fields=["owner", "idempotency_key"], name="directmessage_once"),
        ]

    @classmethod
    def text_to_send(cls, text: str, tracking_id: str) -> str:
        """The stored text with the link and the code that are stored nowhere."""
        return fill_in_confirm_link_and_code(text, tracking_id)


class TemplateCategory(models.TextChoices):
    """The kind of business that a template is written for."""

    GENERIC = "generic", _("any business")
    CAFE = "cafe", _("café")
    RESTAURANT = "restaurant", _("restaurant")
    GYM = "gym", _("gym")
    SPORTS_CLUB = "sports_club", _("sports club")
    HOTELS = "hotels", _("hotel")


class MessageTemplate(models.Model):
    """A text of a store that campaigns and automations start from, as a copy."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, db_index=False, verbose_name=_("store")
    )
    name = models.CharField(_("name"), max_length=160)
    text = ComposedTextField(_("text"), max_length=2000)
    category = models.CharField(
        _("category"),
        max_length=20,
        choices=TemplateCategory.choices,
        default=TemplateCategory.GENERIC,
    )
    goal = models.CharField(
        _("goal"),
        max_length=200,
        blank=True,
        db_default="",
        help_text=_("What a message with it is to reach."),
    )
    language = models.CharField(
        _("language"), max_length=2, choices=Language.choices, default=Language.ENGLISH
    )
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("message template")
        verbose_name_plural = _("message templates")
        constraints = [
            choice_constraint("category", TemplateCategory, "messagetemplate_category_known"),
            choice_constraint("language", Language, "messagetemplate_language_known"),
            models.UniqueConstraint(fields=["owner", "name"], name="messagetemplate_name_once"),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Check the tags of the text.

        Raises:
            ValidationError: if it has something else than tags in braces.
        """
        keys = custom_keys_for_text(self.owner_id, self.text)
        if problem := text_problem_or_empty(self.text, custom_keys=keys):
            raise ValidationError({"text": problem})


class SavedAnswer(models.Model):
    """A text of a store that operators choose as the answer to a customer and may change first."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, db_index=False, verbose_name=_("store")
    )
    name = models.CharField(_("name"), max_length=80, help_text=_("What it is chosen by."))
    text = ComposedTextField(
        _("text"), max_length=MAX_ANSWER, help_text=_("As it is sent: it has no tags.")
    )
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("saved answer")
        verbose_name_plural = _("saved answers")
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="savedanswer_name_once")
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Check that the text has no tags.

        Raises:
            ValidationError: if it has braces, which an answer has nothing to fill with.
        """
        template = Template(self.text)
        if template.tags or template.unknown_tags:
            raise ValidationError(
                {"text": gettext("An answer is sent as it is written: it has no tags.")}
            )


class ShortLink(models.Model):
    """A short link that several messages share; a message's own links need no row (`links.py`)."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, db_index=False, verbose_name=_("store")
    )
    short_code = models.CharField(_("code"), max_length=16, unique=True)
    kind = models.CharField(_("kind"), max_length=20, default="message")
    target_url = models.TextField(
        _("leads to"),
    )
    long_url_hash = models.CharField(_("hash of the address"), max_length=64)
    campaign_id = models.BigIntegerField(
        _("campaign"),
        null=True,
        blank=True,
        help_text=_("the campaign whose text has the link; empty for automations"),
    )
    click_count = models.IntegerField(_("visits"), default=0)
    last_clicked_at = models.DateTimeField(_("last visit"), null=True, blank=True)
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("short link")
        verbose_name_plural = _("short links")
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
    """A store's prepaid credits: `balance` is the sum of its ledger, `reserved_balance` is held.

    `allowance_balance` is what of the balance a plan's month gave and is not spent.
    """

    owner = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, verbose_name=_("store"))
    balance = models.BigIntegerField(_("balance"), default=0)
    reserved_balance = models.BigIntegerField(_("held"), default=0)
    allowance_balance = models.BigIntegerField(
        _("of the allowance"),
        default=0,
        db_default=0,
        help_text=_("Part of the balance; used first, and gone at the end of the plan's month."),
    )
    alert_below = models.IntegerField(
        _("alert below"),
        null=True,
        blank=True,
        help_text=_("Alerts tell when fewer credits than so many are available; empty: never."),
    )
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    class Meta:
        verbose_name = _("wallet")
        verbose_name_plural = _("wallets")
        constraints = [
            models.CheckConstraint(condition=Q(balance__gte=0), name="wallet_balance_not_negative"),
            models.CheckConstraint(
                condition=Q(reserved_balance__gte=0, reserved_balance__lte=F("balance")),
                name="wallet_reserved_within_balance",
            ),
            models.CheckConstraint(
                condition=Q(allowance_balance__gte=0, allowance_balance__lte=F("balance")),
                name="wallet_allowance_within_balance",
            ),
        ]

    def __str__(self) -> str:
        return gettext("wallet of store %(number)s") % {"number": self.owner_id}

    @property
    def available(self) -> int:
        """Credits that are not held."""
        return self.balance - self.reserved_balance


class CreditReservation(models.Model):
    """Credits held for one batch, until its messages have outcomes or it expires."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, verbose_name=_("store"))
    batch = models.OneToOneField(Batch, models.CASCADE, verbose_name=_("batch"))
    amount = models.IntegerField(
        _("held at first"),
    )
    charged = models.IntegerField(_("charged"), default=0)
    released = models.IntegerField(_("released"), default=0)
    status = models.CharField(
        _("status"),
        max_length=12,
        choices=ReservationStatus.choices,
        default=ReservationStatus.RESERVED,
    )
    reserved_at = models.DateTimeField(_("reserved at"), db_default=Now())
    expires_at = models.DateTimeField(_("expires at"))
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True)

    class Meta:
        verbose_name = _("credit reservation")
        verbose_name_plural = _("credit reservations")
        constraints = [
            choice_constraint("status", ReservationStatus, "creditreservation_status_known"),
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

    def __str__(self) -> str:
        return gettext("reservation of batch %(number)s") % {"number": self.batch_id}

    @property
    def held(self) -> int:
        """Credits that are still held."""
        return self.amount - self.charged - self.released


class CreditTransaction(models.Model):
    """One entry of a store's ledger; append-only, one for each `idempotency_key`."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, verbose_name=_("store"))
    type = models.CharField(_("kind"), max_length=8, choices=TransactionType.choices)
    amount = models.PositiveBigIntegerField(
        _("credits"),
    )
    balance_after = models.BigIntegerField(
        _("balance after"),
    )
    allowance_after = models.BigIntegerField(_("of the allowance after"), default=0, db_default=0)
    reason = models.CharField(_("reason"), max_length=200)
    batch = models.ForeignKey(
        Batch, models.SET_NULL, null=True, blank=True, verbose_name=_("batch")
    )
    idempotency_key = models.CharField(_("key"), max_length=128, unique=True)
    created_at = models.DateTimeField(_("at"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("credit transaction")
        verbose_name_plural = _("credit transactions")
        constraints = [choice_constraint("type", TransactionType, "credittransaction_type_known")]

    def __str__(self) -> str:
        return ngettext(
            "%(type)s of %(count)s credit", "%(type)s of %(count)s credits", self.amount
        ) % {
            "type": TRANSACTION_WORDS[TransactionType(self.type)],
            "count": format_count(self.amount),
        }


class WebhookEvent(models.Model):
    """An event as Mitto sent it (`payload`), with the fields that were read when it was stored.

    Answers to status queries that changed a message are stored too, so that each change has its
    source. The `event_id` of a receipt begins with the message's provider ID.
    """

    provider = models.CharField(_("provider"), max_length=20, default="mitto")
    event_id = models.CharField(_("event ID"), max_length=200)
    event_type = models.CharField(_("kind"), max_length=20, choices=WebhookEventType.choices)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        blank=True,
        db_index=False,
        verbose_name=_("store"),
        help_text=_("the store to whose contact a reply belongs"),
    )
    contact = models.ForeignKey(
        Contact,
        models.SET_NULL,
        null=True,
        blank=True,
        db_index=False,
        help_text=_("the store's contact that a reply came from"),
        verbose_name=_("contact"),
    )
    read_at = models.DateTimeField(
        _("read at"),
        null=True,
        blank=True,
        help_text=_("when an operator opened the conversation of a reply"),
    )
    provider_message_id = models.CharField(_("Mitto's message ID"), max_length=64, blank=True)
    provider_status = models.CharField(
        _("Mitto's status"),
        max_length=40,
        blank=True,
        db_default="",
        help_text=_("the provider's status of the message, in lower case"),
    )
    consent_request = models.CharField(
        _("asks for"),
        max_length=8,
        blank=True,
        db_default="",
        help_text=_("what a reply asks for: stop, start; review until a person has decided"),
    )
    occurred_at = models.DateTimeField(
        _("time by Mitto"),
        null=True,
        blank=True,
        help_text=_("the provider's time of the event, if it gave one"),
    )
    error_code = models.CharField(_("code"), max_length=40, blank=True, db_default="")
    error = models.CharField(_("error"), max_length=200, blank=True, db_default="")
    payload = models.JSONField(_("as it came"), null=True)
    status = models.CharField(
        _("status"),
        max_length=12,
        choices=WebhookEventStatus.choices,
        default=WebhookEventStatus.RECEIVED,
    )
    received_at = models.DateTimeField(_("received at"), db_default=Now())
    retry_at = models.DateTimeField(
        _("retry at"), null=True, blank=True, help_text=_("when its message is searched again")
    )
    processed_at = models.DateTimeField(_("processed at"), null=True, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("event from Mitto"), _("events from Mitto")
        constraints = [
            choice_constraint("event_type", WebhookEventType, "webhookevent_type_known"),
            choice_constraint("status", WebhookEventStatus, "webhookevent_status_known"),
            models.UniqueConstraint(fields=["provider", "event_id"], name="webhookevent_once"),
        ]
        indexes = [
            models.Index(
                fields=["id"], name="webhookevent_waiting", condition=Q(status="received")
            ),
            models.Index(fields=["id"], name="webhookevent_review", condition=Q(status="review")),
            models.Index(
                fields=["id"],
                name="webhookevent_stop_waiting",
                condition=Q(status="received", consent_request__in=["stop", "review"]),
            ),
            models.Index(
                fields=["id"],
                name="webhookevent_reply",
                condition=Q(event_type="inbound"),
            ),
            models.Index(
                fields=["id"],
                name="webhookevent_unread",
                condition=Q(event_type="inbound", read_at=None),
            ),
            models.Index(
                fields=["contact"],
                name="webhookevent_contact",
                condition=Q(contact__isnull=False),
            ),
            models.Index(
                fields=["owner", "id"], name="webhookevent_owner", condition=Q(owner__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_event_type_display()} {self.pk}"


class Reply(WebhookEvent):
    """What a customer wrote, as the inbox shows it, with permissions of its own."""

    class Meta:
        proxy = True
        verbose_name, verbose_name_plural = _("reply"), _("replies")

    def __str__(self) -> str:
        return gettext("reply %(number)s") % {"number": self.pk}


class ReplyReview(WebhookEvent):
    """A reply about which a person decides; shown in the admin with permissions of its own."""

    class Meta:
        proxy = True
        verbose_name = _("reply to decide")
        verbose_name_plural = _("replies to decide")

    def __str__(self) -> str:
        return gettext("reply %(number)s") % {"number": self.pk}


class Tally(models.Model):
    """How many messages of one campaign or automation had one event in five minutes.

    `detail` is the error code for `failed` and `skipped`. For `delivered` it is the index in
    `tallies.WAIT_BOUNDS` of the time since sending. Counts equal what counting messages would give.
    """

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, db_index=False, verbose_name=_("owner")
    )
    kind = models.CharField(_("kind"), max_length=20)
    source_id = models.BigIntegerField(_("source id"), null=True, blank=True)
    slot = models.DateTimeField(_("slot"), help_text=_("start of the five minutes"))
    event = models.CharField(_("event"), max_length=12, choices=TallyEvent.choices)
    detail = models.CharField(_("detail"), max_length=40, blank=True, db_default="")
    count = models.IntegerField(_("count"))

    class Meta:
        verbose_name = _("tally")
        verbose_name_plural = _("tallies")
        constraints = [
            choice_constraint("event", TallyEvent, "tally_event_known"),
            models.UniqueConstraint(
                fields=["kind", "source_id", "slot", "event", "detail", "owner"],
                name="tally_once",
                nulls_distinct=False,
            ),
        ]
        indexes = [
            models.Index(fields=["owner", "slot"], name="tally_of_store"),
            models.Index(fields=["slot"], name="tally_slot"),
        ]

    def __str__(self) -> str:
        return f"{self.count} {self.event}"
