"""Contacts, their consent, lists, suppressions, events and imports."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.core.validators import RegexValidator
from django.db import models, transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce, ExtractDay, ExtractMonth, Now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from astronote.common.constraints import choice_constraint
from astronote.common.fields import ComposedCharField
from contacts.phones import present_key_id


class MessageType(models.TextChoices):
    """What a message is for; each kind has its own consent."""

    MARKETING = "marketing", _("Marketing")
    SERVICE = "service", _("Service")


class Gender(models.TextChoices):
    """A contact's gender; unknown is NULL."""

    MALE = "male", _("Male")
    FEMALE = "female", _("Female")
    OTHER = "other", _("Other")
    PREFER_NOT_TO_SAY = "prefer_not_to_say", _("Prefer Not To Say")


class ConsentEventType(models.TextChoices):
    """How consent changes.

    `subscribed` is a first consent, `resubscribed` one after an opt-out. `consent_reset` is no
    opt-out: the contact got another number or store.
    """

    SUBSCRIBED = "subscribed", _("Subscribed")
    UNSUBSCRIBED = "unsubscribed", _("Unsubscribed")
    RESUBSCRIBED = "resubscribed", _("Resubscribed")
    SERVICE_ALLOWED = "service_allowed", _("Service Allowed")
    SERVICE_REVOKED = "service_revoked", _("Service Revoked")
    CONSENT_RESET = "consent_reset", _("Consent Reset")


OPT_INS = (ConsentEventType.SUBSCRIBED, ConsentEventType.RESUBSCRIBED)
MARKETING_EVENTS = (*OPT_INS, ConsentEventType.UNSUBSCRIBED)
WITHDRAWALS = (ConsentEventType.UNSUBSCRIBED, ConsentEventType.SERVICE_REVOKED)


class SmsConsentStatus(models.TextChoices):
    """The last change of consent to marketing; empty if there was none."""

    OPTED_IN = "opted_in", _("Opted In")
    OPTED_OUT = "opted_out", _("Opted Out")


class ImportStatus(models.TextChoices):
    """Where an import is. If a worker dies, `processing` stays and a restart continues it."""

    UPLOADED = "uploaded", _("uploaded: waiting for confirmation of the mapping")
    PENDING = "pending", _("pending: waiting for a worker")
    PROCESSING = "processing", _("processing: being read, or waiting to continue")
    COMPLETED = "completed", _("Completed")
    FAILED = "failed", _("failed: the file cannot be used")
    CANCELLED = "cancelled", _("cancelled: contacts written before stay")


OPEN_IMPORT_STATUSES = (ImportStatus.PENDING, ImportStatus.PROCESSING)
# Columns of ContactImport. `processed` is the sum of the next five; `kept_incomplete` counts some
# of their rows again.
IMPORT_COUNTERS = (
    "processed",
    "created",
    "updated",
    "unchanged",
    "duplicate",
    "rejected",
    "kept_incomplete",
)


class DateOrder(models.TextChoices):
    """The order of day, month and year in a file's dates."""

    ISO = "iso", "1990-12-31"
    DMY = "dmy", "31/12/1990"
    MDY = "mdy", "12/31/1990"


class CustomerEventType(models.TextChoices):
    """What a customer event is."""

    APPOINTMENT = "appointment", _("Appointment")
    MEMBERSHIP = "membership", _("Membership")
    STAY = "stay", _("Stay")
    PURCHASE = "purchase", _("Purchase")
    VISIT = "visit", _("Visit")
    CUSTOM = "custom", _("Custom")


class CustomerEventStatus(models.TextChoices):
    """What became of a customer event; spelled as in the Prisma schema."""

    SCHEDULED = "scheduled", _("Scheduled")
    COMPLETED = "completed", _("Completed")
    CANCELED = "canceled", _("cancelled")
    NO_SHOW = "no_show", _("no-show")


# By these a contact is active: its last one tells since when it has not come.
ACTIVITY_TYPES = (CustomerEventType.VISIT, CustomerEventType.PURCHASE)


# What a contact's consent to marketing is and rests on.
CONSENT_PROOF_FIELDS = (
    "is_subscribed",
    "gdpr_consent_at",
    "gdpr_consent_source",
    "gdpr_consent_version",
    "sms_consent_status",
    "sms_consent_at",
    "sms_consent_source",
    "consent_evidence",
)


class Contact(models.Model):
    """A customer of one store. `phone` is E.164, and NULL only after the contact was anonymised."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, db_index=False, verbose_name=_("store")
    )
    phone = models.CharField(_("number"), max_length=16, null=True)
    email = models.EmailField(_("email"), max_length=320, blank=True)
    first_name = ComposedCharField(_("first name"), max_length=120, blank=True)
    last_name = ComposedCharField(_("last name"), max_length=120, blank=True)
    gender = models.CharField(
        _("gender"), max_length=20, choices=Gender.choices, null=True, blank=True
    )
    birthday = models.DateField(_("birthday"), null=True, blank=True)
    is_subscribed = models.BooleanField(
        _("agrees to marketing"),
        db_default=False,
        help_text=_("Consent to marketing; false until the customer gives it."),
    )
    service_allowed = models.BooleanField(
        _("allows service messages"),
        db_default=True,
        help_text=_(
            "Service messages rest on the contract with the customer; they are allowed until "
            "the customer objects."
        ),
    )
    unsubscribed_at = models.DateTimeField(_("opted out at"), null=True, blank=True)
    # `gdpr_consent_*` and `consent_evidence` are the consent to marketing that was given last;
    # `sms_consent_*` is its last change, given or withdrawn.
    gdpr_consent_at = models.DateTimeField(_("consent given at"), null=True, blank=True)
    gdpr_consent_source = models.CharField(
        _("consent given by"), max_length=80, blank=True, db_default=""
    )
    gdpr_consent_version = models.CharField(
        _("version of the wording"), max_length=80, blank=True, db_default=""
    )
    sms_consent_status = models.CharField(
        _("last change of consent"), max_length=40, blank=True, db_default=""
    )
    sms_consent_at = models.DateTimeField(_("time of the last change"), null=True, blank=True)
    sms_consent_source = models.CharField(
        _("source of the last change"), max_length=80, blank=True, db_default=""
    )
    consent_evidence = models.JSONField(_("proof of consent"), null=True, blank=True)
    anonymised_at = models.DateTimeField(_("anonymised at"), null=True, blank=True)
    erase_on = models.DateField(
        _("to be erased on"),
        null=True,
        blank=True,
        help_text=_("Retention erases the contact on this day."),
    )
    legal_hold = models.BooleanField(
        _("legal hold"),
        db_default=False,
        help_text=_("Retention never erases the contact, for example during a legal dispute."),
    )
    restricted_at = models.DateTimeField(
        _("restricted since"),
        null=True,
        blank=True,
        help_text=_(
            "Since then the contact is only stored: no messages, no changes, no retention."
        ),
    )
    restricted_reason = models.CharField(
        _("reason of the restriction"), max_length=200, blank=True, db_default=""
    )
    custom_values = models.JSONField(
        _("custom fields"),
        default=dict,
        db_default=Value({}, models.JSONField()),
        blank=True,
        help_text=_("Values of the store's custom fields by their keys; a missing one is empty."),
    )
    awaits_welcome = models.BooleanField(
        _("awaits welcome"),
        db_default=False,
        help_text=_("New, and not yet checked for the welcome message."),
    )
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("updated at"), db_default=Now(), auto_now=True)

    class Meta:
        verbose_name, verbose_name_plural = _("contact"), _("contacts")
        constraints = [
            models.UniqueConstraint(fields=["owner", "phone"], name="contact_phone_once_per_store"),
            models.CheckConstraint(
                condition=Q(phone__regex=r"^\+[1-9][0-9]{6,14}$")
                | Q(phone__isnull=True, anonymised_at__isnull=False),
                name="contact_phone_is_e164",
            ),
            models.CheckConstraint(
                condition=Q(gender__isnull=True) | Q(gender__in=Gender.values),
                name="contact_gender_known",
            ),
        ]
        indexes = [
            models.Index(
                ExtractMonth("birthday"),
                ExtractDay("birthday"),
                F("owner"),
                name="contact_birthday",
                condition=Q(birthday__isnull=False),
            ),
            models.Index(
                fields=["unsubscribed_at"],
                name="contact_retention",
                condition=Q(unsubscribed_at__isnull=False, anonymised_at__isnull=True),
            ),
            models.Index(
                fields=["owner"], name="contact_welcome", condition=Q(awaits_welcome=True)
            ),
            GinIndex(
                fields=["custom_values"], name="contact_custom", condition=~Q(custom_values={})
            ),
        ]

    def __str__(self) -> str:
        return gettext("contact %(id)s") % {"id": self.pk}

    def save(self, *args: Any, actor: str = "", **options: Any) -> None:
        """Save the contact; with another number or store it starts without consent.

        Suppressions stay, and so does an opt-out (rules.md#consent).

        Args:
            args: see Django.
            actor: who changes it, by `audit.account_id_or_program_name`.
            options: see Django.
        """
        with transaction.atomic():
            changed = self.lock_and_get_changed_owner_and_phone(options.get("update_fields"))
            if changed:
                self._clear_consent_fields_unsaved_but_keep_opt_out()
                OptInRequest.objects.filter(contact=self).close_unanswered()
                if options.get("update_fields") is not None:
                    options["update_fields"] = {*options["update_fields"], *CONSENT_PROOF_FIELDS}
            super().save(*args, **options)
            if changed:
                ConsentEvent.objects.create(
                    owner_id=self.owner_id,
                    contact=self,
                    type=ConsentEventType.CONSENT_RESET,
                    source="contact_changed",
                    actor=actor,
                    meta={"changed": changed},
                )

    def lock_and_get_changed_owner_and_phone(
        self, fields: Collection[str] | None = None
    ) -> list[str]:
        """Which of `owner` and `phone` differ from the stored row, of these fields or of all.

        Locks the row; called in a transaction.
        """
        locked = Contact.objects.select_for_update().filter(pk=self.pk)
        stored = locked.values("owner_id", "phone").first() if self.pk else None
        if stored is None:
            return []
        changed = {
            "owner": self.owner_id != stored["owner_id"],
            "phone": self.phone != stored["phone"],
        }
        return [
            name
            for name, is_changed in changed.items()
            if is_changed and (fields is None or not {name, f"{name}_id"}.isdisjoint(fields))
        ]

    def _clear_consent_fields_unsaved_but_keep_opt_out(self) -> None:
        """Empty what another number's or store's consent has left."""
        self.is_subscribed = False
        self.gdpr_consent_at = self.consent_evidence = None
        self.gdpr_consent_source = self.gdpr_consent_version = ""
        if self.sms_consent_status == SmsConsentStatus.OPTED_IN:
            self.sms_consent_status = self.sms_consent_source = ""
            self.sms_consent_at = None


class CustomFieldType(models.TextChoices):
    """What the values of a custom field are; a date is kept as 2026-05-17."""

    TEXT = "text", _("Text")
    NUMBER = "number", _("Number")
    DATE = "date", _("Date")


class CustomField(models.Model):
    """A field of contacts that a store defines; `Contact.custom_values` has its values.

    Values are read and written by `contacts/custom_fields.py`.
    """

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, db_index=False, verbose_name=_("store")
    )
    key = models.CharField(
        _("key"),
        max_length=40,
        validators=[RegexValidator(r"^[a-z][a-z0-9_]*$", _("Letters a to z, digits and _ only."))],
        help_text=_("By which files and segments name it, such as city."),
    )
    label = models.CharField(_("label"), max_length=80, help_text=_("By which people know it."))
    type = models.CharField(
        _("type"), max_length=8, choices=CustomFieldType.choices, default=CustomFieldType.TEXT
    )
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)

    class Meta:
        verbose_name, verbose_name_plural = _("custom field"), _("custom fields")
        constraints = [
            choice_constraint("type", CustomFieldType, "customfield_type_known"),
            models.UniqueConstraint(fields=["owner", "key"], name="customfield_once_per_store"),
        ]

    def __str__(self) -> str:
        return self.label


class ConsentEvent(models.Model):
    """One change of a contact's consent, with its proof; append-only.

    An event of an import names the import in `meta`, which holds the wording of the whole file.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, verbose_name=_("store"))
    contact = models.ForeignKey(Contact, models.CASCADE, verbose_name=_("contact"))
    type = models.CharField(_("change"), max_length=20, choices=ConsentEventType.choices)
    source = models.CharField(_("source"), max_length=80)
    decided_at = models.DateTimeField(
        _("decided at"),
        null=True,
        blank=True,
        help_text=_("When the person decided; the row is as old as our record."),
    )
    actor = models.CharField(
        _("recorded by"),
        max_length=80,
        blank=True,
        db_default="",
        help_text=_("Who recorded it: an account's id, or a program; empty if the person acted."),
    )
    wording = models.TextField(
        _("wording"),
        blank=True,
        db_default="",
        help_text=_("What the person agreed to, word for word."),
    )
    version = models.CharField(
        _("version"),
        max_length=80,
        blank=True,
        db_default="",
        help_text=_("The wording's version."),
    )
    meta = models.JSONField(
        _("further proof"), null=True, blank=True, help_text=_("Further proof.")
    )
    created_at = models.DateTimeField(_("recorded at"), db_default=Now(), editable=False)

    class Meta:
        verbose_name, verbose_name_plural = _("consent event"), _("consent events")
        constraints = [choice_constraint("type", ConsentEventType, "consentevent_type_known")]
        indexes = [
            # Not of what an import writes for each contact: the list finds the newest by their key.
            models.Index(
                fields=["type", "id"], name="consentevent_type", condition=~Q(type="subscribed")
            )
        ]

    def __str__(self) -> str:
        return gettext("%(change)s of contact %(id)s") % {
            "change": self.type,
            "id": self.contact_id,
        }


class OptInPurpose(models.TextChoices):
    """What a person confirms by an opt-in request."""

    DOUBLE_OPT_IN = "double_opt_in", _("double opt-in: agrees, by a link or a reply")
    OPT_IN_AGAIN = "opt_in_again", _("opt-in again: enters a code on the opt-out page")


class OptInRequestQuerySet(models.QuerySet["OptInRequest"]):
    """Requests by their state."""

    def neither_answered_nor_closed(self) -> OptInRequestQuerySet:
        """Requests that may still be answered, or wait to be sent."""
        return self.filter(answered_at=None, closed_at=None)

    def without_written_message(self) -> OptInRequestQuerySet:
        """Requests whose message is not written yet."""
        return self.neither_answered_nor_closed().filter(tracking_id=None)

    def neither_answered_nor_closed_expiring_after(self, time: datetime) -> OptInRequestQuerySet:
        """Requests that were sent and could be answered at this time."""
        return self.neither_answered_nor_closed().filter(expires_at__gt=time)

    def close_unanswered(self) -> int:
        """Close those that were not answered; return how many."""
        return self.neither_answered_nor_closed().update(closed_at=Now())


class OptInRequest(models.Model):
    """An SMS that asks a contact to confirm that it agrees to marketing; one at a time is open.

    What it takes to answer, a link or a code, is made from the tracking ID of the message and
    stored nowhere (`messaging/opt_in_secrets.py`).
    """

    contact = models.ForeignKey(Contact, models.CASCADE, verbose_name=_("contact"))
    purpose = models.CharField(_("purpose"), max_length=20, choices=OptInPurpose.choices)
    wording = models.TextField(
        _("wording"), help_text=_("What the person is asked, word for word.")
    )
    version = models.CharField(_("version"), max_length=80, blank=True, db_default="")
    tracking_id = models.CharField(
        _("tracking ID"),
        max_length=16,
        null=True,
        blank=True,
        help_text=_("of its message; empty until it is written"),
    )
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    attempts = models.SmallIntegerField(
        _("wrong codes"), default=0, db_default=0, help_text=_("wrong codes")
    )
    answered_at = models.DateTimeField(_("answered at"), null=True, blank=True)
    closed_at = models.DateTimeField(
        _("closed at"),
        null=True,
        blank=True,
        help_text=_("when it was given up, replaced or withdrawn"),
    )
    meta = models.JSONField(
        _("what led to it"), null=True, blank=True, help_text=_("what led to it, such as an import")
    )
    created_at = models.DateTimeField(_("asked at"), db_default=Now(), editable=False)

    objects = OptInRequestQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("opt-in request"), _("opt-in requests")
        constraints = [
            choice_constraint("purpose", OptInPurpose, "optinrequest_purpose_known"),
            models.UniqueConstraint(
                fields=["contact"],
                name="optinrequest_one_open",
                condition=Q(answered_at=None, closed_at=None),
            ),
            models.UniqueConstraint(fields=["tracking_id"], name="optinrequest_tracking_id_once"),
        ]
        indexes = [
            models.Index(
                fields=["id"],
                name="optinrequest_waiting",
                condition=Q(tracking_id=None, answered_at=None, closed_at=None),
            )
        ]

    def __str__(self) -> str:
        return gettext("opt-in request %(id)s") % {"id": self.pk}


class Suppression(models.Model):
    """A number that must not be marketed to, as a keyed hash so that it outlives the contact.

    Without an owner it holds for every store.
    """

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, verbose_name=_("store")
    )
    phone_hash = models.CharField(_("hash of the number"), max_length=64)
    key_id = models.CharField(
        _("key of the hash"),
        max_length=8,
        default=present_key_id,
        db_index=True,
        editable=False,
        help_text=_("Which PHONE_HASH_KEY made the hash."),
    )
    reason = models.CharField(_("reason"), max_length=80)
    created_at = models.DateTimeField(_("since"), db_default=Now(), editable=False)

    class Meta:
        verbose_name, verbose_name_plural = _("suppression"), _("suppressions")
        constraints = [
            models.UniqueConstraint(
                fields=["phone_hash", "owner"],
                name="suppression_once",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return gettext("suppression %(id)s") % {"id": self.pk}


class MarketingHold(models.Model):
    """A number that marketing waits for, until a person has decided about a reply of its owner.

    Without an owner it holds for every store. `reply_id` is the reply's event.
    """

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, verbose_name=_("owner")
    )
    phone_hash = models.CharField(_("phone hash"), max_length=64)
    key_id = models.CharField(
        _("key id"),
        max_length=8,
        default=present_key_id,
        db_index=True,
        editable=False,
        help_text=_("Which PHONE_HASH_KEY made the hash."),
    )
    reply_id = models.BigIntegerField(_("reply id"), db_index=True)
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)

    class Meta:
        verbose_name, verbose_name_plural = _("marketing hold"), _("marketing holds")
        constraints = [
            models.UniqueConstraint(
                fields=["phone_hash", "owner", "reply_id"],
                name="marketinghold_once",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return gettext("hold for reply %(id)s") % {"id": self.reply_id}


class List(models.Model):
    """A named set of chosen contacts of a store; a filter of contacts is a segment."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, db_index=False, verbose_name=_("store")
    )
    name = models.CharField(_("name"), max_length=160)
    description = models.CharField(_("description"), max_length=400, blank=True)
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("updated at"), db_default=Now(), auto_now=True)

    class Meta:
        verbose_name, verbose_name_plural = _("list"), _("lists")
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="list_name_once_per_store")
        ]

    def __str__(self) -> str:
        return self.name


class ListMembership(models.Model):
    """A contact on a list."""

    list = models.ForeignKey(List, models.CASCADE, db_index=False, verbose_name=_("list"))
    contact = models.ForeignKey(Contact, models.CASCADE, verbose_name=_("contact"))
    created_at = models.DateTimeField(_("since"), db_default=Now(), editable=False)

    class Meta:
        verbose_name, verbose_name_plural = _("list membership"), _("list memberships")
        constraints = [
            models.UniqueConstraint(fields=["list", "contact"], name="listmembership_once")
        ]

    def __str__(self) -> str:
        return gettext("contact %(contact)s on list %(list)s") % {
            "contact": self.contact_id,
            "list": self.list_id,
        }


class CustomerEvent(models.Model):
    """Something between a contact and its store, such as an appointment or a purchase.

    `meta` has the `value` of a purchase. Rows are written by `contacts/customer_events.py`.
    """

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, db_index=False, verbose_name=_("store")
    )
    contact = models.ForeignKey(Contact, models.CASCADE, db_index=False, verbose_name=_("contact"))
    external_ref = models.CharField(
        _("reference"),
        max_length=120,
        blank=True,
        db_default="",
        help_text=_(
            "Its number in the store's own system; an event with the same one replaces it."
        ),
    )
    event_type = models.CharField(_("type"), max_length=20, choices=CustomerEventType.choices)
    status = models.CharField(
        _("status"),
        max_length=20,
        choices=CustomerEventStatus.choices,
        default=CustomerEventStatus.SCHEDULED,
    )
    start_at = models.DateTimeField(_("start"), null=True, blank=True)
    end_at = models.DateTimeField(_("end"), null=True, blank=True)
    meta = models.JSONField(_("further data"), null=True, blank=True)
    created_at = models.DateTimeField(_("recorded at"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("updated at"), db_default=Now(), auto_now=True)

    class Meta:
        verbose_name, verbose_name_plural = _("customer event"), _("customer events")
        constraints = [
            choice_constraint("event_type", CustomerEventType, "customerevent_type_known"),
            choice_constraint("status", CustomerEventStatus, "customerevent_status_known"),
            models.CheckConstraint(
                condition=Q(start_at__isnull=False) | Q(end_at__isnull=False),
                name="customerevent_has_time",
            ),
            models.UniqueConstraint(
                fields=["owner", "external_ref"],
                name="customerevent_once_per_reference",
                condition=~Q(external_ref=""),
            ),
        ]
        indexes = [
            # Rules of automations find what is due by the first two, and what was recorded or
            # changed since their last run by the third.
            models.Index(
                fields=["owner", "event_type", "status", "start_at"], name="customerevent_start"
            ),
            models.Index(
                F("owner"),
                F("event_type"),
                F("status"),
                Coalesce("end_at", "start_at"),
                name="customerevent_end",
            ),
            models.Index(fields=["owner", "updated_at"], name="customerevent_changed"),
            models.Index(
                F("contact"), Coalesce("end_at", "start_at"), name="customerevent_contact"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_event_type_display()} {self.pk}"


class ContactImport(models.Model):
    """One uploaded customer list and how far it has been read (rules.md#import).

    Always: processed = created + updated + unchanged + duplicate + rejected. `processed` is the
    checkpoint: it is committed together with the rows that it counts.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, verbose_name=_("store"))
    list = models.ForeignKey(List, models.SET_NULL, null=True, blank=True, verbose_name=_("list"))
    file_name = models.CharField(_("file"), max_length=255)
    file_size = models.BigIntegerField(_("size"), help_text=_("bytes"))
    file_sha256 = models.CharField(_("SHA-256"), max_length=64)
    status = models.CharField(
        _("status"), max_length=20, choices=ImportStatus.choices, default=ImportStatus.PENDING
    )
    processed = models.IntegerField(_("rows read"), default=0)
    created = models.IntegerField(_("created"), default=0)
    updated = models.IntegerField(_("updated"), default=0)
    unchanged = models.IntegerField(_("unchanged"), default=0)
    duplicate = models.IntegerField(_("duplicate"), default=0)
    rejected = models.IntegerField(_("rejected"), default=0)
    kept_incomplete = models.IntegerField(
        _("kept incomplete"),
        default=0,
        help_text=_("Rows of which an unusable cell was left out; listed as rejected rows."),
    )
    attempts = models.IntegerField(
        _("attempts"),
        default=0,
        help_text=_("How often a worker began to read since rows were last written."),
    )
    layout = models.JSONField(
        _("layout"), null=True, blank=True, help_text=_("how the file is read")
    )
    mapping = models.JSONField(
        _("mapping"),
        null=True,
        blank=True,
        help_text=_("positions of columns by contact field, preferred first"),
    )
    date_order = models.CharField(
        _("date order"), max_length=3, choices=DateOrder.choices, blank=True, default=""
    )
    update_existing = models.BooleanField(
        _("update existing"),
        default=True,
        help_text=_("Update contacts that the store already has; otherwise leave them unchanged."),
    )
    consent_source = models.CharField(
        _("consent source"),
        max_length=80,
        blank=True,
        default="",
        help_text=_("Where customers agreed to marketing. If empty, they are stored unsubscribed."),
    )
    consent_at = models.DateTimeField(
        _("consent at"), null=True, blank=True, help_text=_("when they agreed")
    )
    consent_wording = models.TextField(
        _("consent wording"),
        max_length=2000,
        blank=True,
        default="",
        help_text=_("What they agreed to, word for word."),
    )
    consent_version = models.CharField(
        _("consent version"),
        max_length=80,
        blank=True,
        default="",
        help_text=_("The wording's version."),
    )
    welcome = models.BooleanField(
        _("welcome"), default=False, help_text=_("New contacts may receive the welcome message.")
    )
    share_read = models.FloatField(
        _("share read"), default=0, help_text=_("share of the file that was read, 0 to 1")
    )
    error = models.CharField(_("error"), max_length=500, blank=True)
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    created_at = models.DateTimeField(_("uploaded at"), db_default=Now(), editable=False)

    class Meta:
        verbose_name, verbose_name_plural = _("import"), _("imports")
        constraints = [
            choice_constraint("status", ImportStatus, "contactimport_status_known"),
            models.CheckConstraint(
                condition=Q(
                    processed=F("created")
                    + F("updated")
                    + F("unchanged")
                    + F("duplicate")
                    + F("rejected")
                ),
                name="contactimport_every_row_counted",
            ),
        ]

    def __str__(self) -> str:
        return gettext("import %(id)s of %(file)s") % {"id": self.pk, "file": self.file_name}


class ImportFileChunk(models.Model):
    """A part of an uploaded file. Workers on other machines share only the database."""

    contact_import = models.ForeignKey(
        ContactImport, models.CASCADE, db_index=False, verbose_name=_("import")
    )
    number = models.IntegerField(_("number"))
    data = models.BinaryField(_("data"))

    class Meta:
        verbose_name, verbose_name_plural = _("import file chunk"), _("import file chunks")
        constraints = [
            models.UniqueConstraint(
                fields=["contact_import", "number"], name="importfilechunk_once"
            )
        ]

    def __str__(self) -> str:
        return gettext("chunk %(number)s of import %(id)s") % {
            "number": self.number,
            "id": self.contact_import_id,
        }


class RejectedRow(models.Model):
    """A row that an import could not use, or not fully: line, cell and reason, and all its cells.

    The reason of a row that was used without some of its cells begins with "kept without".
    """

    contact_import = models.ForeignKey(
        ContactImport, models.CASCADE, db_index=False, verbose_name=_("import")
    )
    line = models.IntegerField(_("line"), help_text=_("line in the file, counted from 1"))
    column = models.CharField(_("column"), max_length=200, blank=True)
    value = models.CharField(_("value"), max_length=200, blank=True)
    reason = models.CharField(_("reason"), max_length=200)
    row = models.JSONField(_("row"))

    class Meta:
        verbose_name, verbose_name_plural = _("rejected row"), _("rejected rows")
        constraints = [
            models.UniqueConstraint(fields=["contact_import", "line"], name="rejectedrow_once")
        ]

    def __str__(self) -> str:
        return gettext("line %(line)s of import %(id)s") % {
            "line": self.line,
            "id": self.contact_import_id,
        }
