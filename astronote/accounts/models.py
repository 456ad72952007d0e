"""The store (tenant) and operator account; everything else belongs to the apps."""

from __future__ import annotations

import zoneinfo
from functools import cache
from typing import Any, ClassVar, NewType, cast

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator, URLValidator
from django.db import models
from django.db.models.functions import Coalesce, Lower, Now, NullIf
from phonenumbers import SUPPORTED_REGIONS

from astronote.accounts.sessions import Session
from astronote.common.constraints import choice_constraint
from astronote.common.fields import ComposedCharField
from astronote.common.languages import Language
from astronote.operations import registry

StoreId = NewType("StoreId", int)


class BusinessProfile(models.TextChoices):
    """What kind of business a store is."""

    RETAIL = "retail"
    GYM = "gym"
    APPOINTMENTS = "appointments"
    HOTEL = "hotel"
    OTHER = "other"


class SubscriptionStatus(models.TextChoices):
    """Only an `active` store may send."""

    ACTIVE = "active"
    TRIALING = "trialing"
    PAST_DUE = "past_due"
    UNPAID = "unpaid"
    INCOMPLETE = "incomplete"
    PAUSED = "paused"
    INACTIVE = "inactive"
    CANCELLED = "cancelled"


@cache
def _timezone_names() -> frozenset[str]:
    """The names of the time zones; finding them walks hundreds of files."""
    return frozenset(zoneinfo.available_timezones())


def validate_timezone(value: str) -> None:
    """Accept IANA time zones."""
    if value not in _timezone_names():
        raise ValidationError(f"{value!r} is not an IANA time zone such as Europe/Athens")


def validate_region(value: str) -> None:
    """Accept two-letter countries that have phone numbers."""
    if value not in SUPPORTED_REGIONS:
        raise ValidationError(f"{value!r} is not a two-letter country code such as GR")


class UserQuerySet(models.QuerySet["User"]):
    """Queries for many stores at once."""

    def eligible_to_send_annotated_with_sender(self) -> UserQuerySet:
        """Stores that may send.

        The rule is that of `eligibility.own_or_default_sender_or_raise_sending_blocked`. Each
        has `sender`, its sender ID.
        """
        default_sender = models.Value(settings.MITTO_SENDER)
        own_sender = NullIf("sender_name", models.Value(""))
        return (
            self.filter(
                left_at=None, billing_hold=False, subscription_status=SubscriptionStatus.ACTIVE
            )
            .annotate(sender=Coalesce(own_sender, default_sender))
            .exclude(sender="")
        )


class UserManager(BaseUserManager.from_queryset(UserQuerySet)):  # type: ignore[misc]  # made at run time
    """Creates accounts; e-mail addresses are kept in lower case."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Create a store, or an operator with `is_staff`.

        Raises:
            ValidationError: if a field is not valid, the e-mail address is known, or the password
                is weak.
        """
        user: User = self.model(email=email.strip().lower(), **fields)
        if password is not None:
            validate_password(password, user)
        user.set_password(password)
        user.full_clean(exclude=["password"])
        user.save()
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Create an operator with every permission."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        """The account of an e-mail address in any case of letters."""
        return cast("User", self.get(email=(username or "").strip().lower()))


# rules.md#sender
SENDER_PATTERN = r"^([A-Za-z0-9][A-Za-z0-9 ]{1,9}[A-Za-z0-9]|\+[0-9]{7,15})\Z"
SENDER_DESCRIPTION = "3 to 11 letters, digits and inner spaces, or a number with + and country code"


class User(AbstractBaseUser, PermissionsMixin):
    """A store owner, or an operator (`is_staff`), who signs in with an e-mail address."""

    email = models.EmailField("e-mail address", unique=True)
    sender_name = models.CharField(
        "sender ID",
        max_length=16,
        blank=True,
        validators=[RegexValidator(SENDER_PATTERN, f"Use {SENDER_DESCRIPTION}.")],
        help_text=f"Sender ID on the customers' phones: {SENDER_DESCRIPTION}; only a number can be "
        "answered.",
    )
    company = ComposedCharField("name", max_length=160, blank=True)
    timezone = models.CharField(
        "time zone", max_length=50, default="UTC", validators=[validate_timezone]
    )
    retention_days = models.PositiveSmallIntegerField(
        "days until personal data is removed",
        null=True,
        blank=True,
        help_text="After an opt-out, if shorter than PII_RETENTION_DAYS.",
    )
    phone_region = models.CharField(
        "country",
        max_length=2,
        blank=True,
        validators=[validate_region],
        help_text="Country of phone numbers written without a country code; empty: the default.",
    )
    language = models.CharField(
        max_length=2,
        blank=True,
        choices=Language.choices,
        help_text="Of the opt-out line and customers' pages; empty: that of the country.",
    )
    opt_out_line = ComposedCharField(
        "opt-out line",
        max_length=160,
        blank=True,
        help_text="Ends marketing texts instead of the line in the store's language; holds"
        " {{unsubscribe_link}}, or a word such as STOP if the sender ID is a number.",
    )
    privacy_notice_url = models.URLField(
        "privacy notice",
        max_length=500,
        blank=True,
        validators=[URLValidator(["http", "https"])],
        help_text="Address of the store's own, linked on the page behind the opt-out link.",
    )
    double_opt_in = models.BooleanField(
        "double opt-in",
        default=False,
        help_text="Imported consent counts only after the customer has confirmed it by SMS.",
    )
    opt_in_wording = ComposedCharField(
        "opt-in wording",
        max_length=300,
        blank=True,
        help_text="What the SMS asks, in the customers' language; empty: a standard question. "
        "{{confirm_link}} is where the customer agrees; without it, it is added at the end.",
    )
    opt_in_version = models.CharField(
        "version of the opt-in wording",
        max_length=80,
        blank=True,
        help_text="A name for this version of the wording.",
    )
    confirms_opt_outs = models.BooleanField(
        "confirms opt-outs",
        default=False,
        help_text="Answer an opt-out by SMS with one message; it costs credits.",
    )
    sends_to_any_number = models.BooleanField(
        default=False,
        help_text="Also message numbers that are no mobiles, such as landlines; they cost credits"
        " though few can receive SMS.",
    )
    writes_greek_in_capitals = models.BooleanField(
        "writes Greek in capitals",
        default=False,
        help_text="Offer Greek texts in the capitals of the GSM alphabet and write names in them: a"
        " part then holds 160 characters instead of 70.",
    )
    weekly_exports = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Each Monday, files of its contacts, messages, visits and ledger are made.",
    )
    business_profile = models.CharField(
        max_length=20, choices=BusinessProfile.choices, default=BusinessProfile.RETAIL
    )
    subscription_status = models.CharField(
        max_length=20, choices=SubscriptionStatus.choices, default=SubscriptionStatus.ACTIVE
    )
    service_max_recipients = models.PositiveIntegerField(
        "recipients of a service campaign",
        default=500,
        help_text="One to more than so many needs a second person's confirmation.",
    )
    billing_hold = models.BooleanField(default=False, help_text="Blocks all sending.")
    billing_hold_reason = models.CharField(max_length=255, blank=True)
    billing_hold_at = models.DateTimeField(null=True, blank=True)
    is_staff = models.BooleanField(default=False, help_text="May use the admin.")
    is_active = models.BooleanField(default=True)
    gets_alerts = models.BooleanField(
        "gets alerts by e-mail",
        default=False,
        editable=False,
        help_text="An operator switches it on the page of the own account.",
    )
    # rules.md#off-boarding
    left_at = models.DateTimeField("left", null=True, blank=True, editable=False)
    erase_on = models.DateField("data erased from", null=True, blank=True, editable=False)
    erased_at = models.DateTimeField("data erased", null=True, blank=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    # Set by django-otp on the account of a request: what confirmed the login, or None.
    otp_device: Any

    USERNAME_FIELD = "email"
    objects = UserManager()

    class Meta:
        verbose_name = "store"
        permissions = [
            ("change_service_limit", "Can change how many a service campaign reaches unconfirmed"),
            ("off_board_user", "Can off-board a store and export all of its data"),
        ]
        constraints = [
            models.UniqueConstraint(Lower("email"), name="user_email_any_case"),
            models.CheckConstraint(
                condition=models.Q(language__in=["", *Language.values]), name="user_language_known"
            ),
            choice_constraint("business_profile", BusinessProfile, "user_business_profile_known"),
            choice_constraint(
                "subscription_status", SubscriptionStatus, "user_subscription_status_known"
            ),
        ]

    def __str__(self) -> str:
        return self.company or self.email

    @property
    def kind_of_account(self) -> str:
        """`operator` or `store`."""
        return "operator" if self.is_staff else "store"

    def clean(self) -> None:
        """Check what the apps know of a store's settings.

        Raises:
            ValidationError: if a setting does not fit.
        """
        super().clean()
        self.email = self.email.strip().lower()
        for item in registry.store_checks:
            item.check(self)

    def save(self, *args: Any, **options: Any) -> None:
        """Save the account; a new password ends its sessions."""
        ends_sessions = getattr(self, "_password", None) is not None and self.pk is not None
        super().save(*args, **options)
        if ends_sessions:
            Session.objects.filter(account_id=self.pk).delete()


class OperatorManager(UserManager):
    """Operators alone."""

    def get_queryset(self) -> UserQuerySet:
        """Accounts that may use the admin."""
        return cast("UserQuerySet", super().get_queryset().filter(is_staff=True))


class Operator(User):
    """An account that may use the admin, with permissions of its own."""

    objects: ClassVar[OperatorManager] = OperatorManager()

    class Meta:
        proxy = True
