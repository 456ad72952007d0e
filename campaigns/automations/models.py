"""Automations, rules on events, and their messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from astronote.common.constraints import choice_constraint
from astronote.common.fields import ComposedTextField
from astronote.common.sql import database_now, rows
from astronote.common.store_clock import utc_time_of_hour
from campaigns.automations import daily
from campaigns.text_tags import validate_text_tags
from contacts.models import (
    CustomerEvent,
    CustomerEventStatus,
    CustomerEventType,
    MessageType,
)
from messaging import limits
from messaging.custom_tags import custom_keys_for_text
from messaging.models import (
    Batch,
    MessageId,
    OutboundMessage,
    SendDecision,
)
from messaging.text import Template, text_problem_or_empty


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


# Tags of the text of a rule on events; they are filled with the event's time on the store's clock.
EVENT_DATE, EVENT_TIME = "{{event_date}}", "{{event_time}}"
EVENT_TAGS = (EVENT_DATE, EVENT_TIME)


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
        keys = custom_keys_for_text(self.owner_id, self.message_body)
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
        validate_text_tags("message_body", self.message_body, self.owner_id)
        if "offer_link" in Template(self.message_body).fields:
            raise ValidationError(
                {"message_body": gettext("An automation has no offer: remove {{offer_link}}.")}
            )
        if self.send_hour is not None and self.message_type in MessageType.values:
            self._require_quiet_hours_to_end_on_same_day(self.send_hour)

    def _require_quiet_hours_to_end_on_same_day(self, hour: int) -> None:
        zone = self.owner.timezone if self.owner_id else "UTC"
        today = database_now().astimezone(ZoneInfo(zone)).date()
        quiet_until = limits.quiet_hours_end(
            utc_time_of_hour(today, hour, zone), self.message_type, zone
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
        keys = custom_keys_for_text(self.owner_id, self.message_body, event_tags)
        return text_problem_or_empty(self.message_body, event_tags, keys)

    def _event_tags_if_event_trigger(self) -> Sequence[str]:
        return EVENT_TAGS if self.trigger_type == RuleTrigger.EVENT else ()

    def clean(self) -> None:
        """Check that the trigger is complete, and that the text has no tag that a rule cannot fill.

        Raises:
            ValidationError: if it is not, or the text has one.
        """
        validate_text_tags(
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
