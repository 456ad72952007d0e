"""Campaigns, their messages, what customers did with offers, and exports.

Automations and rules are in `automations/models.py`, tags and sign-ups in `signup/models.py`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Self, cast

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import models, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from astronote.common.constraints import choice_constraint
from astronote.common.fields import ComposedTextField
from astronote.common.sql import execute
from campaigns.automations.models import EVENT_DATE as EVENT_DATE
from campaigns.automations.models import EVENT_TAGS as EVENT_TAGS
from campaigns.automations.models import EVENT_TIME as EVENT_TIME
from campaigns.automations.models import Automation as Automation
from campaigns.automations.models import AutomationMessage as AutomationMessage
from campaigns.automations.models import AutomationRule as AutomationRule
from campaigns.automations.models import AutomationSend as AutomationSend
from campaigns.automations.models import AutomationType as AutomationType
from campaigns.automations.models import EventTimeField as EventTimeField
from campaigns.automations.models import RuleTrigger as RuleTrigger
from campaigns.signup.models import (
    NfcScan as NfcScan,
)
from campaigns.signup.models import (
    NfcScanStatus as NfcScanStatus,
)
from campaigns.signup.models import (
    NfcTag as NfcTag,
)
from campaigns.signup.models import (
    NfcTagType as NfcTagType,
)
from campaigns.signup.models import (
    PublicSignupEvent as PublicSignupEvent,
)
from campaigns.signup.models import (
    RetailAsset as RetailAsset,
)
from campaigns.signup.models import (
    SignupOutcome as SignupOutcome,
)
from campaigns.signup.models import (
    SignupPage as SignupPage,
)
from campaigns.text_tags import validate_text_tags
from contacts.models import (
    Contact,
    CustomerEvent,
    Gender,
    List,
    MessageType,
)
from messaging.addresses import clean_address
from messaging.models import (
    Batch,
    MessageTemplate,
    OutboundMessage,
    SendDecision,
    StatusChange,
)
from messaging.statuses import COUNTED_STATUSES, MessageStatus
from messaging.text import address_problem_or_empty

if TYPE_CHECKING:
    from datetime import datetime


class AgeGroup(models.TextChoices):
    """Age groups of an audience, in completed years."""

    AGE_18_24 = "age_18_24", _("18 to 24")
    AGE_25_39 = "age_25_39", _("25 to 39")
    AGE_40_PLUS = "age_40_plus", _("40 and over")


class CampaignStatus(models.TextChoices):
    """The status of a campaign (rules.md#campaign-status-transitions)."""

    DRAFT = "draft", _("draft")  # can be changed, scheduled or started
    SCHEDULED = "scheduled", _("scheduled")  # starts at `scheduled_at`
    SENDING = "sending", _("sending")  # its messages are written and not all have an outcome
    PAUSED = "paused", _("paused")  # its batches are held
    COMPLETED = "completed", _("completed")  # every message has an outcome
    FAILED = "failed", _("failed")  # it could not start, or every message failed
    CANCELLED = "cancelled", _("cancelled")  # by an operator; its unsent messages are skipped


# The campaign was not started: it can be changed, started or deleted.
STARTABLE_STATUSES = (CampaignStatus.DRAFT, CampaignStatus.SCHEDULED)
# The campaign was started and not all of its messages have an outcome.
RUNNING_STATUSES = (CampaignStatus.SENDING, CampaignStatus.PAUSED)
FINAL_CAMPAIGN_STATUSES = (
    CampaignStatus.COMPLETED,
    CampaignStatus.FAILED,
    CampaignStatus.CANCELLED,
)


class Segment(models.Model):
    """A named filter of a store's contacts; it is applied anew each time that it is used.

    `conditions` has a value by the name of each condition that is set (`segments.py`).
    """

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, db_index=False, verbose_name=_("store")
    )
    name = models.CharField(_("name"), max_length=160)
    conditions = models.JSONField(_("conditions"), default=dict)
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("updated at"), db_default=Now(), auto_now=True)

    class Meta:
        verbose_name = _("segment")
        verbose_name_plural = _("segments")
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="segment_name_once_per_store")
        ]

    def __str__(self) -> str:
        return self.name


class Campaign(models.Model):
    """One text to one audience.

    The audience is `list`, the filters or everybody, and `audience_choices`.

    Each counter holds the number of messages in that status; the others of `total` are queued.
    `block_reason` says why the campaign did not start, `retry_after` when that is tried again.
    """

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="campaigns", verbose_name=_("store")
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("created by")
    )
    name = models.CharField(_("name"), max_length=200)
    message_text = ComposedTextField(_("text"), max_length=2000)
    template = models.ForeignKey(
        MessageTemplate,
        models.SET_NULL,
        null=True,
        blank=True,
        help_text=_("The template that the text started from; its results count this campaign."),
        verbose_name=_("template"),
    )
    offer_url = models.URLField(
        _("offer address"),
        max_length=2000,
        blank=True,
        default="",
        validators=[URLValidator(["http", "https"])],
        help_text=_("Where {{offer_link}} leads; a text without it ends with it."),
    )
    message_type = models.CharField(
        _("message type"), max_length=20, choices=MessageType.choices, default=MessageType.MARKETING
    )
    list = models.ForeignKey(List, models.PROTECT, null=True, blank=True, verbose_name=_("list"))
    filter_gender = models.CharField(
        _("gender"), max_length=20, choices=Gender.choices, null=True, blank=True
    )
    filter_age_group = models.CharField(
        _("age"), max_length=20, choices=AgeGroup.choices, null=True, blank=True
    )
    to_everybody = models.BooleanField(
        _("everybody"),
        db_default=False,
        default=False,
        help_text=_("Every contact of the store who agreed to this type of message."),
    )
    not_reached_by = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        help_text=_("the ended campaign whose unreached contacts are the audience"),
        verbose_name=_("not reached by"),
    )
    status = models.CharField(
        _("status"), max_length=12, choices=CampaignStatus.choices, default=CampaignStatus.DRAFT
    )
    scheduled_at = models.DateTimeField(_("scheduled at"), null=True, blank=True)
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    total = models.IntegerField(_("total"), default=0)
    sent = models.IntegerField(_("sent"), default=0)
    delivered = models.IntegerField(_("delivered"), default=0)
    failed = models.IntegerField(_("failed"), default=0)
    skipped = models.IntegerField(_("skipped"), default=0)
    unknown = models.IntegerField(_("unknown"), default=0)
    conversions = models.IntegerField(_("conversions"), default=0)
    block_reason = models.CharField(_("reason for waiting"), max_length=200, blank=True)
    retry_after = models.DateTimeField(_("retry after"), null=True, blank=True)
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("updated at"), db_default=Now(), auto_now=True)

    class Meta:
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        permissions = [("send_service", "Can write and send service messages")]
        constraints = [
            choice_constraint("status", CampaignStatus, "campaign_status_known"),
            choice_constraint("message_type", MessageType, "campaign_message_type_known"),
            models.CheckConstraint(
                condition=Q(filter_gender__isnull=True) | Q(filter_gender__in=Gender.values),
                name="campaign_filter_gender_known",
            ),
            models.CheckConstraint(
                condition=Q(filter_age_group__isnull=True)
                | Q(filter_age_group__in=AgeGroup.values),
                name="campaign_filter_age_group_known",
            ),
            models.CheckConstraint(
                condition=~Q(status="scheduled") | Q(scheduled_at__isnull=False),
                name="campaign_scheduled_has_time",
            ),
            models.CheckConstraint(
                condition=Q(
                    sent__gte=0,
                    delivered__gte=0,
                    failed__gte=0,
                    skipped__gte=0,
                    unknown__gte=0,
                    total__gte=F("sent")
                    + F("delivered")
                    + F("failed")
                    + F("skipped")
                    + F("unknown"),
                ),
                name="campaign_counters_within_total",
            ),
        ]
        indexes = [
            models.Index(
                fields=["scheduled_at"], name="campaign_due", condition=Q(status="scheduled")
            ),
            models.Index(
                fields=["status"],
                name="campaign_running",
                condition=Q(status__in=["sending", "paused"]),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save, with the choices of the audience if they were chosen anew."""
        chosen = self._unsaved_choices
        if chosen is None:
            super().save(*args, **kwargs)
            return
        with transaction.atomic():
            super().save(*args, **kwargs)
            self.audiencechoices.all().delete()
            for choice in chosen:
                choice.campaign = self
            AudienceChoice.objects.bulk_create(chosen)
        self._unsaved_choices = None

    def refresh_from_db(self, *args: Any, **kwargs: Any) -> None:
        """Read the row again, and the choices of its audience."""
        super().refresh_from_db(*args, **kwargs)
        self._unsaved_choices = None

    # Parts that were chosen and are not saved yet; None if the rows in the database hold.
    _unsaved_choices: Sequence[AudienceChoice] | None = None

    def choose_audience(self, choices: Iterable[AudienceChoice]) -> None:
        """Set lists and segments of the audience besides `list`; saved with the campaign."""
        self._unsaved_choices = list(choices)

    def offer_problem_or_empty(self) -> str:
        """What is wrong with the offer address, to which all recipients are led alike."""
        if "{" in self.offer_url or "}" in self.offer_url:
            return gettext("An offer address has no tags: they are filled in the text only.")
        return address_problem_or_empty(self.offer_url)

    def audience_choices(self) -> Sequence[AudienceChoice]:
        """The lists and segments of the audience besides `list`, as chosen or as saved."""
        if self._unsaved_choices is not None:
            return self._unsaved_choices
        if self.pk is None:
            return []
        return list(self.audiencechoices.select_related("list", "segment").order_by("pk"))

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        """Check each field; what nobody sees is removed from the offer address.

        Raises:
            ValidationError: if a field has a value that it may not have.
        """
        self.offer_url = clean_address(self.offer_url)
        super().clean_fields(exclude)

    def clean(self) -> None:
        """Check that lists and segments are of this store, and the tags of the text.

        Raises:
            ValidationError: if a list or segment is of another store, if the audience is chosen in
                ways that exclude each other, if a tag is unknown or does not work, or if the offer
                address has a tag or leads nowhere.
        """
        validate_text_tags("message_text", self.message_text, self.owner_id)
        if problem := self.offer_problem_or_empty():
            raise ValidationError({"offer_url": problem})
        choices = self.audience_choices()
        chosen = [self.list, *(choice.source for choice in choices)]
        for one in chosen:
            if one and self.owner_id and one.owner_id != self.owner_id:
                kind = one._meta.verbose_name
                problem = gettext("This %(kind)s belongs to another store.") % {"kind": kind}
                raise ValidationError({"list": problem})
        if self.template and self.owner_id and self.template.owner_id != self.owner_id:
            raise ValidationError({"template": gettext("This template belongs to another store.")})
        has_filters = bool(self.filter_gender or self.filter_age_group)
        included = [choice for choice in choices if not choice.is_excluded]
        if self.list and has_filters:
            raise ValidationError({"list": gettext("Choose a list or filters, not both.")})
        if self.not_reached_by_id and (self.list or has_filters or self.to_everybody or included):
            raise ValidationError(
                {
                    "list": gettext(
                        "The audience is those whom another campaign did not reach: choose none."
                    )
                }
            )

    @property
    def processed(self) -> int:
        """The number of messages that have an outcome."""
        return self.sent + self.delivered + self.failed + self.skipped + self.unknown

    @property
    def queued(self) -> int:
        """The number of messages that have no outcome yet."""
        return self.total - self.processed


class AudienceChoice(models.Model):
    """A list or segment whose contacts are in a campaign's audience, or are left out of it."""

    campaign = models.ForeignKey(
        Campaign,
        models.CASCADE,
        db_index=False,
        related_name="audiencechoices",
        verbose_name=_("campaign"),
    )
    list = models.ForeignKey(List, models.PROTECT, null=True, verbose_name=_("list"))
    segment = models.ForeignKey(Segment, models.PROTECT, null=True, verbose_name=_("segment"))
    is_excluded = models.BooleanField(_("is excluded"), default=False)

    class Meta:
        verbose_name = _("audience choice")
        verbose_name_plural = _("audience choices")
        constraints = [
            models.CheckConstraint(
                condition=Q(list=None, segment__isnull=False) | Q(list__isnull=False, segment=None),
                name="audiencechoice_list_or_segment",
            ),
            models.UniqueConstraint(
                fields=["campaign", "list", "segment"],
                name="audiencechoice_once",
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        if self.is_excluded:
            return gettext("without %(list)s") % {"list": self.source}
        return str(self.source)

    @property
    def source(self) -> List | Segment:
        """The list or segment."""
        return cast("List | Segment", self.list or self.segment)


class ServiceConfirmation(models.Model):
    """A second person's confirmation of a service campaign, asked for and perhaps given.

    It holds as long as the campaign's text and audience settings have the same digest.
    """

    campaign = models.OneToOneField(
        Campaign, models.CASCADE, primary_key=True, verbose_name=_("campaign")
    )
    settings_digest = models.CharField(_("settings digest"), max_length=64)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("asked by")
    )
    asked_at = models.DateTimeField(_("asked at"))
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        related_name="+",
        null=True,
        verbose_name=_("confirmed by"),
    )
    confirmed_at = models.DateTimeField(_("confirmed at"), null=True)

    class Meta:
        verbose_name = _("service confirmation")
        verbose_name_plural = _("service confirmations")
        constraints = [
            models.CheckConstraint(
                condition=Q(confirmed_by=None, confirmed_at=None)
                | Q(confirmed_by__isnull=False, confirmed_at__isnull=False),
                name="serviceconfirmation_has_time",
            ),
            models.CheckConstraint(
                condition=Q(confirmed_by=None) | ~Q(confirmed_by=F("asked_by")),
                name="serviceconfirmation_by_second_person",
            ),
        ]

    def __str__(self) -> str:
        return gettext("confirmation of campaign %(number)s") % {"number": self.campaign_id}


class CampaignMessage(OutboundMessage):
    """The message of a campaign to one contact."""

    batch_kind = "campaign"
    kind_name = pgettext_lazy("kind of message", "campaign")

    # The unique index on campaign and contact also serves the lookup by campaign.
    campaign = models.ForeignKey(
        Campaign, models.CASCADE, db_index=False, verbose_name=_("campaign")
    )
    source_column = "campaign_id"

    class Meta(OutboundMessage.Meta):
        verbose_name = _("campaign message")
        verbose_name_plural = _("campaign messages")
        constraints = [
            *OutboundMessage.Meta.constraints,
            models.UniqueConstraint(
                fields=["campaign", "contact"], name="campaignmessage_once_per_contact"
            ),
        ]
        indexes = [
            *OutboundMessage.Meta.indexes,
            models.Index(
                fields=["campaign", "error_code", "contact"],
                name="campaignmessage_reason",
                condition=~Q(error_code=""),
            ),
        ]

    @classmethod
    def decide_whether_to_send(cls, batch: Batch) -> SendDecision:
        """Send batches of a sending campaign; drop those of a cancelled one; others wait."""
        status = Campaign.objects.values_list("status", flat=True).get(
            pk=cast(int, batch.source_id)  # a batch of a campaign has a source
        )
        return SendDecision(
            status == CampaignStatus.SENDING,
            gettext("the campaign is %(status)s") % {"status": CampaignStatus(status).label},
            drop=status == CampaignStatus.CANCELLED,
        )

    @classmethod
    def exclude_sent_otherwise(cls, messages: QuerySet[Self]) -> QuerySet[Self]:
        """Leave out those to whom a campaign to those not reached has sent a message."""
        again = cls.objects.filter(
            campaign__not_reached_by=OuterRef("campaign"), contact=OuterRef("contact")
        )
        return messages.exclude(
            Exists(again.exclude(status__in=[MessageStatus.FAILED, MessageStatus.SKIPPED]))
        )

    @classmethod
    def on_outcomes_changed(cls, changes: list[StatusChange]) -> None:
        """Update the campaigns' counters; end campaigns whose last message has an outcome."""
        deltas_by_campaign: dict[int, Counter[str]] = defaultdict(Counter)
        for campaign_id, before, after, count in changes:
            if campaign_id is not None:
                deltas_by_campaign[campaign_id][before] -= count
                deltas_by_campaign[campaign_id][after] += count
        # In order of id, so that two transactions do not lock each other out.
        for campaign_id, deltas in sorted(deltas_by_campaign.items()):
            execute(COUNT_OUTCOMES, [*(deltas[status] for status in COUNTED_STATUSES), campaign_id])


_ASSIGNMENTS = ", ".join(f"{name} = {name} + change.{name}_delta" for name in COUNTED_STATUSES)
_PROCESSED = " + ".join(f"c.{name} + change.{name}_delta" for name in COUNTED_STATUSES)
_DELTAS = ", ".join(f"%s AS {name}_delta" for name in COUNTED_STATUSES)
# A campaign fails if all of its messages failed. A cancelled one stays cancelled. One that has
# ended is sending again when an operator has unknown messages sent again. Locks the campaign's row.
COUNT_OUTCOMES = f"""
    UPDATE campaigns_campaign c SET {_ASSIGNMENTS},
        status = CASE
            WHEN c.status IN ('completed', 'failed') AND {_PROCESSED} < total THEN 'sending'
            WHEN c.status NOT IN ('sending', 'paused') OR {_PROCESSED} < total THEN c.status
            WHEN c.failed + change.failed_delta = total THEN 'failed'
            ELSE 'completed' END,
        finished_at = CASE
            WHEN c.status IN ('completed', 'failed') AND {_PROCESSED} < total THEN NULL
            WHEN c.status NOT IN ('sending', 'paused') OR {_PROCESSED} < total THEN finished_at
            ELSE now() END,
        updated_at = now()
    FROM (SELECT {_DELTAS}) change
    WHERE c.id = %s
"""


class Redemption(models.Model):
    """A customer used the offer of a campaign message."""

    message = models.OneToOneField(
        CampaignMessage, models.CASCADE, primary_key=True, verbose_name=_("message")
    )
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, verbose_name=_("store"))
    redeemed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        db_index=False,
        related_name="+",
        help_text=_("The operator; empty: the customer, at a tag."),
        verbose_name=_("redeemed by"),
    )
    evidence_json = models.JSONField(_("proof"), null=True, blank=True)
    redeemed_at = models.DateTimeField(_("at"), db_default=Now())

    class Meta:
        verbose_name = _("redemption")
        verbose_name_plural = _("redemptions")

    def __str__(self) -> str:
        return gettext("redemption of message %(number)s") % {"number": self.message_id}


class AutomationRedemption(models.Model):
    """A customer used the offer of an automation message."""

    message = models.OneToOneField(
        AutomationMessage, models.CASCADE, primary_key=True, verbose_name=_("message")
    )
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, verbose_name=_("store"))
    redeemed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        db_index=False,
        related_name="+",
        help_text=_("The operator; empty: the customer, at a tag."),
        verbose_name=_("redeemed by"),
    )
    evidence_json = models.JSONField(_("proof"), null=True, blank=True)
    redeemed_at = models.DateTimeField(_("at"), db_default=Now())

    class Meta:
        verbose_name = _("automation redemption")
        verbose_name_plural = _("automation redemptions")

    def __str__(self) -> str:
        return gettext("redemption of message %(number)s") % {"number": self.message_id}


class OfferViewEvent(models.Model):
    """A customer opened the offer link of a message."""

    campaign_message = models.ForeignKey(
        CampaignMessage, models.CASCADE, verbose_name=_("campaign message")
    )
    campaign = models.ForeignKey(
        Campaign, models.CASCADE, db_index=False, verbose_name=_("campaign")
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, db_index=False, verbose_name=_("store")
    )
    ip_address = models.CharField(_("IP address"), max_length=45, null=True, blank=True)
    user_agent = models.CharField(_("user agent"), max_length=500, null=True, blank=True)
    device_type = models.CharField(_("device type"), max_length=50, null=True, blank=True)
    viewed_at = models.DateTimeField(_("at"), db_default=Now(), db_index=True)

    class Meta:
        verbose_name = _("offer view event")
        verbose_name_plural = _("offer view events")
        indexes = [
            models.Index(fields=["campaign", "viewed_at"], name="offerviewevent_campaign"),
            models.Index(fields=["owner", "viewed_at"], name="offerviewevent_owner"),
        ]

    def __str__(self) -> str:
        return gettext("visit %(number)s") % {"number": self.pk}


class ExportContent(models.TextChoices):
    """What an export is of."""

    CONTACTS = "contacts", _("contacts")
    MESSAGES = "messages", _("messages")
    CLICKS = "clicks", _("visits of offers")
    LEDGER = "ledger", _("ledger of credits")


class ExportKind(models.TextChoices):
    """Why an export is made."""

    WEEKLY = "weekly", _("weekly")
    ON_DEMAND = "on_demand", _("on demand")


class ExportStatus(models.TextChoices):
    """Where an export is. Its file is committed together with `completed`."""

    PENDING = "pending", _("pending: waiting for a worker, or being written")
    COMPLETED = "completed", _("completed")
    FAILED = "failed", _("failed")


class ExportRun(models.Model):
    """A CSV file of a store's data, made by a job, to be downloaded for a time (`exports.py`).

    The range is of days on the store's clock, both included; without one it is all.
    """

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, db_index=False, verbose_name=_("store")
    )
    content = models.CharField(_("content"), max_length=12, choices=ExportContent.choices)
    kind = models.CharField(
        _("kind"),
        max_length=12,
        choices=ExportKind.choices,
        default=ExportKind.ON_DEMAND,
        editable=False,
    )
    status = models.CharField(
        _("status"),
        max_length=12,
        choices=ExportStatus.choices,
        default=ExportStatus.PENDING,
        editable=False,
    )
    range_start = models.DateField(_("first day"), null=True, blank=True)
    range_end = models.DateField(_("last day"), null=True, blank=True)
    attempts = models.SmallIntegerField(
        _("attempts"),
        default=0,
        editable=False,
        help_text=_("How often a worker began to write it."),
    )
    lines = models.IntegerField(_("rows"), null=True, editable=False)
    file_size = models.BigIntegerField(_("size"), null=True, editable=False, help_text=_("bytes"))
    error = models.CharField(_("error"), max_length=200, blank=True, db_default="", editable=False)
    started_at = models.DateTimeField(_("started at"), null=True, editable=False)
    completed_at = models.DateTimeField(_("completed at"), null=True, editable=False)
    created_at = models.DateTimeField(_("requested at"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("export")
        verbose_name_plural = _("exports")
        constraints = [
            choice_constraint("content", ExportContent, "exportrun_content_known"),
            choice_constraint("kind", ExportKind, "exportrun_kind_known"),
            choice_constraint("status", ExportStatus, "exportrun_status_known"),
            models.CheckConstraint(
                condition=~Q(status="completed")
                | Q(completed_at__isnull=False, file_size__isnull=False),
                name="exportrun_completed_has_file",
            ),
            models.UniqueConstraint(
                fields=["owner", "content", "range_start"],
                name="exportrun_once_a_week",
                condition=Q(kind="weekly"),
            ),
        ]
        indexes = [
            models.Index(fields=["owner", "id"], name="exportrun_owner"),
            models.Index(fields=["id"], name="exportrun_pending", condition=Q(status="pending")),
        ]

    # The database's time, where a list asks for it.
    now: datetime

    def __str__(self) -> str:
        return gettext("export %(number)s of %(content)s") % {
            "number": self.pk,
            "content": self.get_content_display(),
        }


class ExportFileChunk(models.Model):
    """A part of an export's file, of whole lines."""

    export_run = models.ForeignKey(
        ExportRun, models.CASCADE, db_index=False, verbose_name=_("export run")
    )
    number = models.IntegerField(_("number"))
    data = models.BinaryField(_("data"))

    class Meta:
        verbose_name = _("export file chunk")
        verbose_name_plural = _("export file chunks")
        constraints = [
            models.UniqueConstraint(fields=["export_run", "number"], name="exportfilechunk_once")
        ]

    def __str__(self) -> str:
        return gettext("chunk %(number)s of export %(export)s") % {
            "number": self.number,
            "export": self.export_run_id,
        }


class ConversionEvent(models.Model):
    """A purchase after a campaign's message; written by `conversions.py`, once for each purchase.

    Without a constraint on the purchase: it goes with its contact, and its value stays as a figure.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, verbose_name=_("store"))
    contact = models.ForeignKey(Contact, models.CASCADE, verbose_name=_("contact"))
    campaign = models.ForeignKey(
        Campaign, models.SET_NULL, null=True, blank=True, verbose_name=_("campaign")
    )
    campaign_message = models.ForeignKey(
        CampaignMessage, models.SET_NULL, null=True, blank=True, verbose_name=_("campaign message")
    )
    nfc_tag = models.ForeignKey(
        NfcTag, models.CASCADE, null=True, blank=True, verbose_name=_("nfc tag")
    )
    customer_event = models.ForeignKey(
        CustomerEvent,
        models.DO_NOTHING,
        null=True,
        blank=True,
        db_index=False,
        db_constraint=False,
        verbose_name=_("purchase"),
    )
    value = models.DecimalField(
        _("value"),
        max_digits=11,
        decimal_places=2,
        null=True,
        blank=True,
        help_text=_("of the purchase"),
    )
    metadata = models.JSONField(_("metadata"), null=True, blank=True)
    occurred_at = models.DateTimeField(_("at"), db_default=Now(), db_index=True)

    class Meta:
        verbose_name = _("conversion event")
        verbose_name_plural = _("conversion events")
        constraints = [
            models.UniqueConstraint(
                fields=["customer_event"],
                name="conversionevent_once_per_purchase",
                condition=Q(customer_event__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return gettext("conversion %(number)s") % {"number": self.pk}
