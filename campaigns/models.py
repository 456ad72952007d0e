"""Campaigns, automations, their messages and what customers did (data model, section 6)."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import connection, models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from contacts.constraints import one_of
from contacts.models import Contact, Gender, List, MessageType
from messaging.models import Batch, MessageStatus, OutboundMessage, StatusChange, Verdict
from messaging.text import placeholders


class AgeGroup(models.TextChoices):
    AGE_18_24 = "age_18_24", "18 to 24"
    AGE_25_39 = "age_25_39", "25 to 39"
    AGE_40_PLUS = "age_40_plus", "40 and over"


class CampaignStatus(models.TextChoices):
    DRAFT = "draft"
    SCHEDULED = "scheduled"
    SENDING = "sending"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class AutomationType(models.TextChoices):
    WELCOME = "welcome_message", "welcome message"
    BIRTHDAY = "birthday_message", "birthday message"


STARTABLE = (CampaignStatus.DRAFT, CampaignStatus.SCHEDULED)
RUNNING = (CampaignStatus.SENDING, CampaignStatus.PAUSED)
ENDED = (CampaignStatus.COMPLETED, CampaignStatus.FAILED, CampaignStatus.CANCELLED)
COUNTED = [status.value for status in MessageStatus if status != MessageStatus.QUEUED]


class Campaign(models.Model):
    """One text to one audience.

    The counters hold the number of messages in each status; what is left of `total` is queued.
    `block_reason` says why a due campaign has not started, `retry_after` when it is tried again.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="campaigns")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    name = models.CharField(max_length=200)
    message_text = models.TextField(max_length=2000)
    offer_url = models.URLField(
        max_length=2000, blank=True, default="", validators=[URLValidator(["http", "https"])],
        help_text="Where {{offer_link}} leads; a text without it ends with it.",
    )  # fmt: skip
    message_type = models.CharField(
        max_length=20, choices=MessageType.choices, default=MessageType.MARKETING
    )
    list = models.ForeignKey(List, models.PROTECT, null=True, blank=True)
    filter_gender = models.CharField(max_length=20, choices=Gender.choices, null=True, blank=True)
    filter_age_group = models.CharField(
        max_length=20, choices=AgeGroup.choices, null=True, blank=True
    )
    status = models.CharField(
        max_length=12, choices=CampaignStatus.choices, default=CampaignStatus.DRAFT
    )
    scheduled_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    total = models.IntegerField(default=0)
    sent = models.IntegerField(default=0)
    delivered = models.IntegerField(default=0)
    failed = models.IntegerField(default=0)
    skipped = models.IntegerField(default=0)
    unknown = models.IntegerField(default=0)
    conversions = models.IntegerField(default=0)
    block_reason = models.CharField(max_length=200, blank=True)
    retry_after = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), auto_now=True)

    class Meta:
        constraints = [
            one_of("status", CampaignStatus, "campaign_status_known"),
            one_of("message_type", MessageType, "campaign_message_type_known"),
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

    def clean(self) -> None:
        if self.list and self.owner_id and self.list.owner_id != self.owner_id:
            raise ValidationError({"list": "This list is another store's."})
        if self.list and (self.filter_gender or self.filter_age_group):
            raise ValidationError({"list": "Choose a list or filters, not both."})

    @property
    def processed(self) -> int:
        """Messages that have an outcome."""
        return self.sent + self.delivered + self.failed + self.skipped + self.unknown

    @property
    def queued(self) -> int:
        return self.total - self.processed


class CampaignMessage(OutboundMessage):
    """One recipient's message of a campaign."""

    batch_kind = "campaign"

    # (campaign, contact) serves the lookup by campaign.
    campaign = models.ForeignKey(Campaign, models.CASCADE, db_index=False)
    source_column = "campaign_id"

    class Meta(OutboundMessage.Meta):
        constraints = [
            *OutboundMessage.Meta.constraints,
            models.UniqueConstraint(
                fields=["campaign", "contact"], name="campaignmessage_once_per_contact"
            ),
        ]

    @classmethod
    def verdict(cls, batch: Batch) -> Verdict:
        status = Campaign.objects.values_list("status", flat=True).get(pk=batch.source_id)
        return Verdict(
            status == CampaignStatus.SENDING,
            f"the campaign is {status}",
            for_good=status == CampaignStatus.CANCELLED,
        )

    @classmethod
    def outcomes_changed(cls, changes: list[StatusChange]) -> None:
        """Move the campaigns' counters; end those whose last message has an outcome."""
        moved: dict[int, dict[str, int]] = {}
        for source_id, before, after, count in changes:
            counters = moved.setdefault(source_id, {})
            counters[before] = counters.get(before, 0) - count
            counters[after] = counters.get(after, 0) + count
        with connection.cursor() as cursor:
            # In order of id, so that two transactions never wait for each other's campaign.
            for campaign_id in sorted(moved):
                deltas = [moved[campaign_id].get(status, 0) for status in COUNTED]
                cursor.execute(COUNT_OUTCOMES, [*deltas, campaign_id])


_COUNTS = ", ".join(f"{name} = {name} + moved.d_{name}" for name in COUNTED)
_DONE = " + ".join(f"c.{name} + moved.d_{name}" for name in COUNTED)
_MOVED = ", ".join(f"%s AS d_{name}" for name in COUNTED)
# A campaign of which nothing at all went out has failed; one that was cancelled stays so; one that
# has ended goes on when an operator has messages sent again.
COUNT_OUTCOMES = f"""
    UPDATE campaigns_campaign c SET {_COUNTS},
        status = CASE
            WHEN c.status IN ('completed', 'failed') AND {_DONE} < total THEN 'sending'
            WHEN c.status NOT IN ('sending', 'paused') OR {_DONE} < total THEN c.status
            WHEN c.failed + moved.d_failed = total THEN 'failed'
            ELSE 'completed' END,
        finished_at = CASE
            WHEN c.status IN ('completed', 'failed') AND {_DONE} < total THEN NULL
            WHEN c.status NOT IN ('sending', 'paused') OR {_DONE} < total THEN finished_at
            ELSE now() END,
        updated_at = now()
    FROM (SELECT {_MOVED}) moved
    WHERE c.id = %s
"""


class Automation(models.Model):
    """A store's standing message: a welcome, or a birthday wish. Off until switched on."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, db_index=False)
    type = models.CharField(max_length=20, choices=AutomationType.choices)
    is_active = models.BooleanField(default=False)
    last_run_at = models.DateTimeField(
        null=True, blank=True, help_text="when its due messages were last written"
    )
    message_body = models.TextField(max_length=2000, default="Hello!")
    message_type = models.CharField(
        max_length=20, choices=MessageType.choices, default=MessageType.MARKETING
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), auto_now=True)

    class Meta:
        constraints = [
            one_of("type", AutomationType, "automation_type_known"),
            one_of("message_type", MessageType, "automation_message_type_known"),
            models.UniqueConstraint(fields=["owner", "type"], name="automation_once_per_store"),
        ]

    def __str__(self) -> str:
        return self.get_type_display()

    def clean(self) -> None:
        if "offer_link" in placeholders(self.message_body):
            raise ValidationError({"message_body": "An automation has no offer to link to."})

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Switched on, it begins with the next run, not with one that is past."""
        if self.is_active and not Automation.objects.filter(pk=self.pk, is_active=True).exists():
            self.last_run_at = timezone.now()
        super().save(*args, **kwargs)


class AutomationMessage(OutboundMessage):
    """One automatic message; `occurrence_key` (a year, or `welcome`) makes it happen once."""

    batch_kind = "automation"

    automation = models.ForeignKey(Automation, models.CASCADE, db_index=False)
    occurrence_key = models.CharField(max_length=20)
    source_column = "automation_id"

    class Meta(OutboundMessage.Meta):
        constraints = [
            *OutboundMessage.Meta.constraints,
            models.UniqueConstraint(
                fields=["automation", "contact", "occurrence_key"],
                name="automationmessage_once_per_occurrence",
            ),
        ]


class Redemption(models.Model):
    """A customer used the offer of a campaign message."""

    message = models.OneToOneField(CampaignMessage, models.CASCADE, primary_key=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    evidence_json = models.JSONField(null=True, blank=True)
    redeemed_at = models.DateTimeField(db_default=Now())


class AutomationRedemption(models.Model):
    """A customer used the offer of an automatic message."""

    message = models.OneToOneField(AutomationMessage, models.CASCADE, primary_key=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    evidence_json = models.JSONField(null=True, blank=True)
    redeemed_at = models.DateTimeField(db_default=Now())


class OfferViewEvent(models.Model):
    """A customer opened the offer link of a message."""

    campaign_message = models.ForeignKey(CampaignMessage, models.CASCADE)
    campaign = models.ForeignKey(Campaign, models.CASCADE, db_index=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, db_index=False)
    ip_address = models.CharField(max_length=45, null=True, blank=True)
    user_agent = models.CharField(max_length=500, null=True, blank=True)
    device_type = models.CharField(max_length=50, null=True, blank=True)
    viewed_at = models.DateTimeField(db_default=Now(), db_index=True)

    class Meta:
        indexes = [
            models.Index(fields=["campaign", "viewed_at"], name="offerviewevent_campaign"),
            models.Index(fields=["owner", "viewed_at"], name="offerviewevent_owner"),
        ]


class NfcTag(models.Model):
    """A tag in the shop that customers touch with their phone."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    public_id = models.CharField(max_length=64, unique=True)
    campaign = models.ForeignKey(Campaign, models.SET_NULL, null=True, blank=True)
    label = models.CharField(max_length=200)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return self.label


class NfcScan(models.Model):
    """One touch of a tag."""

    tag = models.ForeignKey(NfcTag, models.CASCADE)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    contact = models.ForeignKey(Contact, models.SET_NULL, null=True, blank=True)
    ip_address = models.CharField(max_length=45, null=True, blank=True)
    user_agent = models.CharField(max_length=500, null=True, blank=True)
    device_type = models.CharField(max_length=50, null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), db_index=True)


class ConversionEvent(models.Model):
    """A customer of a campaign bought something in the shop."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    contact = models.ForeignKey(Contact, models.CASCADE)
    campaign = models.ForeignKey(Campaign, models.SET_NULL, null=True, blank=True)
    campaign_message = models.ForeignKey(CampaignMessage, models.SET_NULL, null=True, blank=True)
    nfc_tag = models.ForeignKey(NfcTag, models.CASCADE)
    metadata = models.JSONField(null=True, blank=True)
    occurred_at = models.DateTimeField(db_default=Now(), db_index=True)
