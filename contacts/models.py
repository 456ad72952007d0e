"""Contacts, their consent, lists, suppressions and imports."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import ExtractDay, ExtractMonth, Now

from astronote.common.constraints import choice_constraint
from contacts.phones import present_key_id


class MessageType(models.TextChoices):
    """What a message is for; each kind has its own consent."""

    MARKETING = "marketing"
    SERVICE = "service"


class Gender(models.TextChoices):
    """A contact's gender; unknown is NULL."""

    MALE = "male"
    FEMALE = "female"
    OTHER = "other"
    PREFER_NOT_TO_SAY = "prefer_not_to_say"


class ConsentEventType(models.TextChoices):
    """How consent changes: `subscribed` is a first consent, `resubscribed` one after an opt-out."""

    SUBSCRIBED = "subscribed"
    UNSUBSCRIBED = "unsubscribed"
    RESUBSCRIBED = "resubscribed"
    SERVICE_ALLOWED = "service_allowed"
    SERVICE_REVOKED = "service_revoked"


class SmsConsentStatus(models.TextChoices):
    """The last change of consent to marketing; empty if there was none."""

    OPTED_IN = "opted_in"
    OPTED_OUT = "opted_out"


class ImportStatus(models.TextChoices):
    """Where an import is. If a worker dies, `processing` stays and a restart continues it."""

    UPLOADED = "uploaded", "uploaded: waiting for confirmation of the mapping"
    PENDING = "pending", "pending: waiting for a worker"
    PROCESSING = "processing", "processing: being read, or waiting to continue"
    COMPLETED = "completed"
    FAILED = "failed", "failed: the file cannot be used"
    CANCELLED = "cancelled", "cancelled: contacts written before stay"


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


class Contact(models.Model):
    """A customer of one store. `phone` is E.164, and NULL only after the contact was anonymised."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, db_index=False)
    phone = models.CharField(max_length=16, null=True)
    email = models.EmailField(max_length=320, blank=True)
    first_name = models.CharField(max_length=120, blank=True)
    last_name = models.CharField(max_length=120, blank=True)
    gender = models.CharField(max_length=20, choices=Gender.choices, null=True, blank=True)
    birthday = models.DateField(null=True, blank=True)
    is_subscribed = models.BooleanField(db_default=True, help_text="Consent to marketing.")
    service_allowed = models.BooleanField(db_default=True, help_text="Consent to service messages.")
    unsubscribed_at = models.DateTimeField(null=True, blank=True)
    gdpr_consent_at = models.DateTimeField(null=True, blank=True)
    gdpr_consent_source = models.CharField(max_length=80, blank=True, db_default="")
    gdpr_consent_version = models.CharField(max_length=80, blank=True, db_default="")
    sms_consent_status = models.CharField(max_length=40, blank=True, db_default="")
    sms_consent_at = models.DateTimeField(null=True, blank=True)
    sms_consent_source = models.CharField(max_length=80, blank=True, db_default="")
    consent_evidence = models.JSONField(null=True, blank=True)
    anonymised_at = models.DateTimeField(null=True, blank=True)
    erase_on = models.DateField(
        null=True, blank=True, help_text="Retention erases the contact on this day."
    )
    legal_hold = models.BooleanField(
        db_default=False,
        help_text="Retention never erases the contact, for example during a legal dispute.",
    )
    restricted_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="Since then the contact is only stored: no messages, no changes, no retention.",
    )
    restricted_reason = models.CharField(max_length=200, blank=True, db_default="")
    awaits_welcome = models.BooleanField(
        db_default=False, help_text="New, and not yet checked for the welcome message."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), auto_now=True)

    class Meta:
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
        ]

    def __str__(self) -> str:
        return f"contact {self.pk}"


class ConsentEvent(models.Model):
    """One change of a contact's consent; append-only."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    contact = models.ForeignKey(Contact, models.CASCADE)
    type = models.CharField(max_length=20, choices=ConsentEventType.choices)
    source = models.CharField(max_length=80)
    meta = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [choice_constraint("type", ConsentEventType, "consentevent_type_known")]

    def __str__(self) -> str:
        return f"{self.type} of contact {self.contact_id}"


class Suppression(models.Model):
    """A number that must not be marketed to, as a keyed hash so that it outlives the contact.

    Without an owner it holds for every store.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True)
    phone_hash = models.CharField(max_length=64)
    key_id = models.CharField(
        max_length=8,
        default=present_key_id,
        db_index=True,
        editable=False,
        help_text="Which PHONE_HASH_KEY made the hash.",
    )
    reason = models.CharField(max_length=80)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["phone_hash", "owner"],
                name="suppression_once",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return f"suppression {self.pk}"


class List(models.Model):
    """A named set of chosen contacts of a store.

    The filter fields follow the Prisma schema; no code applies them.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, db_index=False)
    name = models.CharField(max_length=160)
    description = models.CharField(max_length=400, blank=True)
    filter_gender = models.CharField(max_length=20, choices=Gender.choices, null=True, blank=True)
    filter_age_min = models.PositiveSmallIntegerField(null=True, blank=True)
    filter_age_max = models.PositiveSmallIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="list_name_once_per_store")
        ]

    def __str__(self) -> str:
        return self.name


class ListMembership(models.Model):
    """A contact on a list."""

    list = models.ForeignKey(List, models.CASCADE, db_index=False)
    contact = models.ForeignKey(Contact, models.CASCADE)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["list", "contact"], name="listmembership_once")
        ]

    def __str__(self) -> str:
        return f"contact {self.contact_id} on list {self.list_id}"


class ContactImport(models.Model):
    """One uploaded customer list and how far it has been read (rules.md#import).

    Always: processed = created + updated + unchanged + duplicate + rejected. `processed` is the
    checkpoint: it is committed together with the rows that it counts.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    list = models.ForeignKey(List, models.SET_NULL, null=True, blank=True)
    file_name = models.CharField(max_length=255)
    file_size = models.BigIntegerField(help_text="bytes")
    file_sha256 = models.CharField(max_length=64)
    status = models.CharField(
        max_length=20, choices=ImportStatus.choices, default=ImportStatus.PENDING
    )
    processed = models.IntegerField(default=0)
    created = models.IntegerField(default=0)
    updated = models.IntegerField(default=0)
    unchanged = models.IntegerField(default=0)
    duplicate = models.IntegerField(default=0)
    rejected = models.IntegerField(default=0)
    kept_incomplete = models.IntegerField(
        default=0, help_text="Rows of which an unusable cell was left out; listed as rejected rows."
    )
    attempts = models.IntegerField(
        default=0, help_text="How often a worker began to read since rows were last written."
    )
    layout = models.JSONField(null=True, blank=True, help_text="how the file is read")
    mapping = models.JSONField(
        null=True, blank=True, help_text="positions of columns by contact field, preferred first"
    )
    date_order = models.CharField(max_length=3, choices=DateOrder.choices, blank=True, default="")
    update_existing = models.BooleanField(
        default=True,
        help_text="Update contacts that the store already has; otherwise leave them unchanged.",
    )
    consent_source = models.CharField(
        max_length=80,
        blank=True,
        default="",
        help_text="Where customers agreed to marketing. If empty, they are stored unsubscribed.",
    )
    consent_at = models.DateTimeField(null=True, blank=True, help_text="when they agreed")
    welcome = models.BooleanField(
        default=False, help_text="New contacts may receive the welcome message."
    )
    share_read = models.FloatField(default=0, help_text="share of the file that was read, 0 to 1")
    error = models.CharField(max_length=500, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
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
        return f"import {self.pk} of {self.file_name}"


class ImportFileChunk(models.Model):
    """A part of an uploaded file. Workers on other machines share only the database."""

    contact_import = models.ForeignKey(ContactImport, models.CASCADE, db_index=False)
    number = models.IntegerField()
    data = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["contact_import", "number"], name="importfilechunk_once"
            )
        ]

    def __str__(self) -> str:
        return f"chunk {self.number} of import {self.contact_import_id}"


class RejectedRow(models.Model):
    """A row that an import could not use, or not fully: line, cell and reason, and all its cells.

    The reason of a row that was used without some of its cells begins with "kept without".
    """

    contact_import = models.ForeignKey(ContactImport, models.CASCADE, db_index=False)
    line = models.IntegerField(help_text="line in the file, counted from 1")
    column = models.CharField(max_length=200, blank=True)
    value = models.CharField(max_length=200, blank=True)
    reason = models.CharField(max_length=200)
    row = models.JSONField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["contact_import", "line"], name="rejectedrow_once")
        ]

    def __str__(self) -> str:
        return f"line {self.line} of import {self.contact_import_id}"
