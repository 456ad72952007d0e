"""Campaigns, automations, rules, their messages, what customers did with offers, and exports."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Self, cast
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, URLValidator
from django.db import models, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from astronote.common.constraints import choice_constraint
from astronote.common.fields import ComposedTextField
from astronote.common.sql import database_now, execute, rows
from astronote.common.store_clock import utc_time_of_first_or_nearest_hour_on_day
from campaigns.automations import daily
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
from contacts.models import (
    Contact,
    CustomerEvent,
    CustomerEventStatus,
    CustomerEventType,
    Gender,
    List,
    MessageType,
)
from messaging import limits
from messaging.addresses import clean_address
from messaging.custom_tags import custom_keys_if_tags_unknown
from messaging.models import (
    Batch,
    MessageId,
    MessageTemplate,
    OutboundMessage,
    SendDecision,
    StatusChange,
)
from messaging.statuses import COUNTED_STATUSES, MessageStatus
from messaging.text import Template, address_problem_or_empty, text_problem_or_empty

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


class RuleTrigger(models.TextChoices):
    """What a rule waits for."""

    EVENT = "event", _("an event of the customer")
    INACTIVITY = "inactivity", _("no visit or purchase for some days")
    BIRTHDAY = "birthday", _("the customer's birthday")


class EventTimeField(models.TextChoices):
    """From which time of an event a rule counts; one without an end ends as it starts."""

    START = "start_at", _("start")
    END = "end_at", _("end")


class AutomationType(models.TextChoices):
    """What an automation is for."""

    WELCOME = "welcome_message", _("welcome message")
    BIRTHDAY = "birthday_message", _("birthday message")


MAX_OFFSET_MINUTES = 366 * 24 * 60
# The campaign was not started: it can be changed, started or deleted.
STARTABLE_STATUSES = (CampaignStatus.DRAFT, CampaignStatus.SCHEDULED)
# The campaign was started and not all of its messages have an outcome.
RUNNING_STATUSES = (CampaignStatus.SENDING, CampaignStatus.PAUSED)
FINAL_CAMPAIGN_STATUSES = (
    CampaignStatus.COMPLETED,
    CampaignStatus.FAILED,
    CampaignStatus.CANCELLED,
)


# Tags of the text of a rule on events; they are filled with the event's time on the store's clock.
EVENT_DATE, EVENT_TIME = "{{event_date}}", "{{event_time}}"
EVENT_TAGS = (EVENT_DATE, EVENT_TIME)


def _validate_text_tags(
    field: str, text: str, owner_id: int | None, other_tags: Sequence[str] = ()
) -> None:
    """Refuse a text whose tags, placeholders or addresses would be sent otherwise than meant."""
    keys = custom_keys_if_tags_unknown(owner_id, text, other_tags)
    if problem := text_problem_or_empty(text, other_tags, keys):
        raise ValidationError({field: problem})


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
        _validate_text_tags("message_text", self.message_text, self.owner_id)
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


class Automation(models.Model):
    """A store's standing message: a welcome or a birthday message. Off until switched on."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, db_index=False, verbose_name=_("store")
    )
    type = models.CharField(_("type"), max_length=20, choices=AutomationType.choices)
    is_active = models.BooleanField(_("is on"), default=False)
    send_hour = models.PositiveSmallIntegerField(
        _("hour"),
        null=True,
        blank=True,
        choices=[(hour, f"{hour:02}:00") for hour in range(24)],
        help_text=_(
            "From when on the day's birthday messages are sent, on the store's clock; empty:"
            " 10:00, or BIRTHDAY_AUTOMATION_CRON."
        ),
    )
    done_until = models.DateField(
        _("done until"),
        null=True,
        editable=False,
        help_text=_("the last local day whose birthday messages were written"),
    )
    block_reason = models.CharField(
        _("block reason"),
        max_length=200,
        blank=True,
        db_default="",
        editable=False,
        help_text=_("why messages wait"),
    )
    message_body = ComposedTextField(_("text"), max_length=2000, default="Hello!")
    message_type = models.CharField(
        _("message type"), max_length=20, choices=MessageType.choices, default=MessageType.MARKETING
    )
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("updated at"), db_default=Now(), auto_now=True)

    class Meta:
        verbose_name = _("automation")
        verbose_name_plural = _("automations")
        constraints = [
            choice_constraint("type", AutomationType, "automation_type_known"),
            choice_constraint("message_type", MessageType, "automation_message_type_known"),
            models.UniqueConstraint(fields=["owner", "type"], name="automation_once_per_store"),
            models.CheckConstraint(condition=Q(send_hour__lt=24), name="automation_hour_of_a_day"),
        ]

    def __str__(self) -> str:
        return self.get_type_display()

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save; one that is switched on begins with the next day whose hour comes."""
        self._set_done_until_to_last_begun_day_if_switched_on()
        super().save(*args, **kwargs)

    def text_problem(self) -> str:
        """Why the text cannot be sent; empty if it can."""
        keys = custom_keys_if_tags_unknown(self.owner_id, self.message_body)
        return text_problem_or_empty(self.message_body, custom_keys=keys)

    def _set_done_until_to_last_begun_day_if_switched_on(self) -> None:
        if self.is_active and not Automation.objects.filter(pk=self.pk, is_active=True).exists():
            self.done_until = daily.last_day_begun(
                database_now(), self.owner.timezone, self.send_hour
            )

    def clean(self) -> None:
        """Check that the text has no tag that an automation cannot fill, and that the hour serves.

        Raises:
            ValidationError: if it has one, or if its opt-out link stands where it does not work; if
                the quiet hours would keep birthday messages until the next day.
        """
        _validate_text_tags("message_body", self.message_body, self.owner_id)
        if "offer_link" in Template(self.message_body).fields:
            raise ValidationError(
                {"message_body": gettext("An automation has no offer: remove {{offer_link}}.")}
            )
        if self.send_hour is not None and self.message_type in MessageType.values:
            self._require_quiet_hours_to_end_on_same_day(self.send_hour)

    def _require_quiet_hours_to_end_on_same_day(self, hour: int) -> None:
        zone = self.owner.timezone if self.owner_id else "UTC"
        today = database_now().astimezone(ZoneInfo(zone)).date()
        quiet_until = limits.find_quiet_hours_end_unless_exempt(
            utc_time_of_first_or_nearest_hour_on_day(today, hour, zone), self.message_type, zone
        )
        if quiet_until and quiet_until.date() > today:
            raise ValidationError(
                {
                    "send_hour": gettext(
                        "Quiet hours keep messages of %(hour)s until %(end)s of the next day:"
                        " choose an hour outside of them."
                    )
                    % {"hour": f"{hour:02}:00", "end": f"{quiet_until:%H:%M}"}
                }
            )


class AutomationMessage(OutboundMessage):
    """The message of an automation to one contact, once for each `occurrence_key`.

    The key is a year, or `welcome`.
    """

    batch_kind = "automation"
    kind_name = pgettext_lazy("kind of message", "automation")

    automation = models.ForeignKey(
        Automation, models.CASCADE, db_index=False, verbose_name=_("automation")
    )
    occurrence_key = models.CharField(_("occurrence key"), max_length=20)
    source_column = "automation_id"
    extra_columns = ("occurrence_key",)

    class Meta(OutboundMessage.Meta):
        verbose_name = _("automation message")
        verbose_name_plural = _("automation messages")
        constraints = [
            *OutboundMessage.Meta.constraints,
            models.UniqueConstraint(
                fields=["automation", "contact", "occurrence_key"],
                name="automationmessage_once_per_occurrence",
            ),
        ]


class AutomationRule(models.Model):
    """A store's message before or after events, after days of inactivity, or around birthdays.

    Off until switched on. It counts from the time of an event, or from 10:00 on a birthday, by
    `offset_minutes`; negative ones are before it.
    """

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, db_index=False, verbose_name=_("store")
    )
    preset_key = models.CharField(
        _("preset"), max_length=120, blank=True, db_default="", editable=False
    )
    name = models.CharField(_("name"), max_length=200)
    description = models.CharField(_("description"), max_length=400, blank=True, db_default="")
    is_active = models.BooleanField(_("is on"), default=False)
    message_type = models.CharField(
        _("message type"), max_length=20, choices=MessageType.choices, default=MessageType.MARKETING
    )
    message_body = ComposedTextField(
        _("text"),
        max_length=2000,
        help_text=_("A rule on events may also have {{event_date}} and {{event_time}}."),
    )
    trigger_type = models.CharField(_("trigger"), max_length=20, choices=RuleTrigger.choices)
    event_type = models.CharField(
        _("event type"), max_length=20, choices=CustomerEventType.choices, blank=True, db_default=""
    )
    event_status = models.CharField(
        _("event status"),
        max_length=20,
        choices=CustomerEventStatus.choices,
        blank=True,
        db_default="",
    )
    event_time_field = models.CharField(
        _("counts from its"),
        max_length=20,
        choices=EventTimeField.choices,
        default=EventTimeField.START,
    )
    offset_minutes = models.IntegerField(
        _("minutes after"),
        default=0,
        validators=[MinValueValidator(-MAX_OFFSET_MINUTES), MaxValueValidator(MAX_OFFSET_MINUTES)],
        help_text=_("Negative: before. A day has 1,440 minutes."),
    )
    inactivity_days = models.PositiveSmallIntegerField(
        _("days of inactivity"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    dedupe_window_minutes = models.PositiveIntegerField(
        _("minutes between messages"),
        default=1440,
        validators=[MaxValueValidator(MAX_OFFSET_MINUTES)],
        help_text=_("A customer gets no other message of the rule within this time."),
    )
    max_per_contact_per_day = models.PositiveSmallIntegerField(
        _("most per customer and day"), default=1, validators=[MinValueValidator(1)]
    )
    last_run_at = models.DateTimeField(
        _("last run at"),
        null=True,
        editable=False,
        help_text=_("until when all that was due is written"),
    )
    block_reason = models.CharField(
        _("block reason"),
        max_length=200,
        blank=True,
        db_default="",
        editable=False,
        help_text=_("why messages wait"),
    )
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("updated at"), db_default=Now(), auto_now=True)

    # What decides when a message is due.
    TRIGGER_FIELDS = (
        "trigger_type",
        "event_type",
        "event_status",
        "event_time_field",
        "offset_minutes",
        "inactivity_days",
    )

    class Meta:
        verbose_name = _("automation rule")
        verbose_name_plural = _("automation rules")
        constraints = [
            choice_constraint("trigger_type", RuleTrigger, "automationrule_trigger_known"),
            choice_constraint("event_time_field", EventTimeField, "automationrule_time_known"),
            choice_constraint("message_type", MessageType, "automationrule_message_type_known"),
            models.CheckConstraint(
                condition=~Q(trigger_type="event") | ~Q(event_type="") & ~Q(event_status=""),
                name="automationrule_has_event",
            ),
            models.CheckConstraint(
                condition=~Q(trigger_type="inactivity") | Q(inactivity_days__isnull=False),
                name="automationrule_has_days",
            ),
            models.UniqueConstraint(
                fields=["owner", "preset_key"],
                name="automationrule_preset_once",
                condition=~Q(preset_key=""),
            ),
        ]
        indexes = [models.Index(fields=["owner"], name="automationrule_owner")]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save; one that is switched on, or gets another trigger, begins with what is due later."""
        same = {name: getattr(self, name) for name in self.TRIGGER_FIELDS}
        stored = AutomationRule.objects.filter(pk=self.pk, is_active=True, **same)
        if self.is_active and not stored.exists():
            self.last_run_at = database_now()
        super().save(*args, **kwargs)

    def text_problem(self) -> str:
        """Why the text cannot be sent; empty if it can."""
        event_tags = self._event_tags_if_event_trigger()
        keys = custom_keys_if_tags_unknown(self.owner_id, self.message_body, event_tags)
        return text_problem_or_empty(self.message_body, event_tags, keys)

    def _event_tags_if_event_trigger(self) -> Sequence[str]:
        return EVENT_TAGS if self.trigger_type == RuleTrigger.EVENT else ()

    def clean(self) -> None:
        """Check that the trigger is complete, and that the text has no tag that a rule cannot fill.

        Raises:
            ValidationError: if it is not, or the text has one.
        """
        _validate_text_tags(
            "message_body", self.message_body, self.owner_id, self._event_tags_if_event_trigger()
        )
        if "offer_link" in Template(self.message_body).fields:
            raise ValidationError(
                {"message_body": gettext("A rule has no offer: remove {{offer_link}}.")}
            )
        if self.trigger_type == RuleTrigger.EVENT:
            for name in ("event_type", "event_status"):
                if not getattr(self, name):
                    raise ValidationError({name: gettext("A rule on events needs it.")})
        if self.trigger_type == RuleTrigger.INACTIVITY and not self.inactivity_days:
            raise ValidationError({"inactivity_days": gettext("A rule on inactivity needs them.")})


class AutomationSend(OutboundMessage):
    """The message of a rule to one contact, once for each time that it is due."""

    batch_kind = "rule"
    kind_name = pgettext_lazy("kind of message", "rule")

    rule = models.ForeignKey(AutomationRule, models.CASCADE, db_index=False, verbose_name=_("rule"))
    # Without a constraint: an event goes with its contact, and its messages stay as figures.
    event = models.ForeignKey(
        CustomerEvent,
        models.DO_NOTHING,
        null=True,
        db_index=False,
        db_constraint=False,
        verbose_name=_("event"),
    )
    scheduled_for = models.DateTimeField(_("due at"))
    source_column = "rule_id"
    extra_columns = ("event_id", "scheduled_for")

    class Meta(OutboundMessage.Meta):
        verbose_name = _("automation send")
        verbose_name_plural = _("automation sends")
        constraints = [
            *OutboundMessage.Meta.constraints,
            models.UniqueConstraint(
                fields=["rule", "contact", "scheduled_for"], name="automationsend_once"
            ),
        ]

    @classmethod
    def decide_whether_to_send(cls, batch: Batch) -> SendDecision:
        """Drop the batches of a rule that was switched off."""
        rule_id = cast(int, batch.source_id)  # a batch of a rule has a source
        is_on = AutomationRule.objects.filter(pk=rule_id, is_active=True).exists()
        return SendDecision(is_on, gettext("the rule is off"), drop=not is_on)

    @classmethod
    def find_pointless_messages(cls, batch: Batch) -> dict[MessageId, str]:
        """Messages whose event was moved, cancelled or followed by another, or has begun."""
        return dict(rows(FIND_POINTLESS_SENDS, [batch.pk]))


# The event of an inactivity is the last visit or purchase.
FIND_POINTLESS_SENDS = """
    SELECT id, CASE WHEN is_same THEN 'event_begun' ELSE 'event_changed' END
    FROM (
        SELECT m.id, r.trigger_type, r.offset_minutes, event_at,
            COALESCE(e.contact_id = m.contact_id, false) AND CASE r.trigger_type
                WHEN 'event' THEN e.event_type = r.event_type AND e.status = r.event_status
                    AND event_at + make_interval(mins => r.offset_minutes) = m.scheduled_for
                ELSE e.status = 'completed'
                    AND event_at + make_interval(days => r.inactivity_days) = m.scheduled_for
                    AND NOT EXISTS (
                        SELECT FROM contacts_customerevent later
                        WHERE later.contact_id = m.contact_id AND later.status = 'completed'
                            AND later.event_type IN ('visit', 'purchase')
                            AND COALESCE(later.end_at, later.start_at) > event_at)
                END AS is_same
        FROM campaigns_automationsend m
        JOIN campaigns_automationrule r ON r.id = m.rule_id
        LEFT JOIN contacts_customerevent e ON e.id = m.event_id
        CROSS JOIN LATERAL (
            SELECT CASE WHEN r.trigger_type = 'event' AND r.event_time_field = 'start_at'
                THEN e.start_at ELSE COALESCE(e.end_at, e.start_at) END AS event_at) AS time
        WHERE m.batch_id = %s AND m.status = 'queued' AND r.trigger_type <> 'birthday'
    ) AS queued
    WHERE is_same IS NOT TRUE
        OR trigger_type = 'event' AND offset_minutes < 0 AND event_at <= clock_timestamp()
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
