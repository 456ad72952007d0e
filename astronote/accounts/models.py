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
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from phonenumbers import SUPPORTED_REGIONS

from astronote.accounts.sessions import Session
from astronote.common.constraints import choice_constraint
from astronote.common.fields import ComposedCharField
from astronote.common.languages import Language
from astronote.operations import registry

StoreId = NewType("StoreId", int)


class BusinessProfile(models.TextChoices):
    """What kind of business a store is."""

    RETAIL = "retail", _("Retail")
    GYM = "gym", _("Gym")
    APPOINTMENTS = "appointments", _("Appointments")
    HOTEL = "hotel", _("Hotel")
    OTHER = "other", _("Other")


class SubscriptionStatus(models.TextChoices):
    """Only an `active` store may send."""

    ACTIVE = "active", _("Active")
    TRIALING = "trialing", _("Trialing")
    PAST_DUE = "past_due", _("Past Due")
    UNPAID = "unpaid", _("Unpaid")
    INCOMPLETE = "incomplete", _("Incomplete")
    PAUSED = "paused", _("Paused")
    INACTIVE = "inactive", _("Inactive")
    CANCELLED = "cancelled", _("Cancelled")


@cache
def _timezone_names() -> frozenset[str]:
    """The names of the time zones; finding them walks hundreds of files."""
    return frozenset(zoneinfo.available_timezones())


def validate_timezone(value: str) -> None:
    """Accept IANA time zones."""
    if value not in _timezone_names():
        raise ValidationError(
            gettext("%(value)s is not an IANA time zone such as Europe/Athens")
            % {"value": repr(value)}
        )


def validate_region(value: str) -> None:
    """Accept two-letter countries that have phone numbers."""
    if value not in SUPPORTED_REGIONS:
        raise ValidationError(
            gettext("%(value)s is not a two-letter country code such as GR")
            % {"value": repr(value)}
        )


class UserQuerySet(models.QuerySet["User"]):
    """Queries for many stores at once."""

    def eligible_to_send_annotated_with_sender(self) -> UserQuerySet:
        """Stores that may send.

        The rule is that of `eligibility.sender_of_store`. Each
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


class User(AbstractBaseUser, PermissionsMixin):
    """A store owner, or an operator (`is_staff`), who signs in with an e-mail address."""

    email = models.EmailField(_("e-mail address"), unique=True)
    sender_name = models.CharField(
        _("sender ID"),
        max_length=16,
        blank=True,
        validators=[
            RegexValidator(
                SENDER_PATTERN,
                _(
                    "Use 3 to 11 letters, digits and inner spaces, or a number with + and country"
                    " code."
                ),
            )
        ],
        help_text=_(
            "Sender ID on the customers' phones: 3 to 11 letters, digits and inner spaces, or a"
            " number with + and country code; only a number can be answered."
        ),
    )
    company = ComposedCharField(_("name"), max_length=160, blank=True)
    timezone = models.CharField(
        _("time zone"), max_length=50, default="UTC", validators=[validate_timezone]
    )
    retention_days = models.PositiveSmallIntegerField(
        _("days until personal data is removed"),
        null=True,
        blank=True,
        help_text=_("After an opt-out, if shorter than PII_RETENTION_DAYS."),
    )
    phone_region = models.CharField(
        _("country"),
        max_length=2,
        blank=True,
        validators=[validate_region],
        help_text=_("Country of phone numbers written without a country code; empty: the default."),
    )
    language = models.CharField(
        _("language"),
        max_length=2,
        blank=True,
        choices=Language.choices,
        help_text=_("Of the opt-out line and customers' pages; empty: that of the country."),
    )
    opt_out_line = ComposedCharField(
        _("opt-out line"),
        max_length=160,
        blank=True,
        help_text=_(
            "Ends marketing texts instead of the line in the store's language; holds"
            " {{unsubscribe_link}}, or a word such as STOP if the sender ID is a number."
        ),
    )
    privacy_notice_url = models.URLField(
        _("privacy notice"),
        max_length=500,
        blank=True,
        validators=[URLValidator(["http", "https"])],
        help_text=_("Address of the store's own, linked on the page behind the opt-out link."),
    )
    double_opt_in = models.BooleanField(
        _("double opt-in"),
        default=False,
        help_text=_("Imported consent counts only after the customer has confirmed it by SMS."),
    )
    opt_in_wording = ComposedCharField(
        _("opt-in wording"),
        max_length=300,
        blank=True,
        help_text=_(
            "What the SMS asks, in the customers' language; empty: a standard question. "
            "{{confirm_link}} is where the customer agrees; without it, it is added at the end."
        ),
    )
    opt_in_version = models.CharField(
        _("version of the opt-in wording"),
        max_length=80,
        blank=True,
        help_text=_("A name for this version of the wording."),
    )
    confirms_opt_outs = models.BooleanField(
        _("confirms opt-outs"),
        default=False,
        help_text=_("Answer an opt-out by SMS with one message; it costs credits."),
    )
    sends_to_any_number = models.BooleanField(
        _("sends to any number"),
        default=False,
        help_text=_(
            "Also message numbers that are no mobiles, such as landlines; they cost credits"
            " though few can receive SMS."
        ),
    )
    writes_greek_in_capitals = models.BooleanField(
        _("writes Greek in capitals"),
        default=False,
        help_text=_(
            "Offer Greek texts in the capitals of the GSM alphabet and write names in them: a"
            " part then holds 160 characters instead of 70."
        ),
    )
    weekly_exports = models.BooleanField(
        _("weekly exports"),
        default=False,
        db_default=False,
        help_text=_("Each Monday, files of its contacts, messages, visits and ledger are made."),
    )
    business_profile = models.CharField(
        _("business profile"),
        max_length=20,
        choices=BusinessProfile.choices,
        default=BusinessProfile.RETAIL,
    )
    subscription_status = models.CharField(
        _("subscription status"),
        max_length=20,
        choices=SubscriptionStatus.choices,
        default=SubscriptionStatus.ACTIVE,
    )
    service_max_recipients = models.PositiveIntegerField(
        _("recipients of a service campaign"),
        default=500,
        help_text=_("One to more than so many needs a second person's confirmation."),
    )
    billing_hold = models.BooleanField(
        _("billing hold"), default=False, help_text=_("Blocks all sending.")
    )
    billing_hold_reason = models.CharField(_("billing hold reason"), max_length=255, blank=True)
    billing_hold_at = models.DateTimeField(_("billing hold at"), null=True, blank=True)
    is_staff = models.BooleanField(_("is staff"), default=False, help_text=_("May use the admin."))
    is_active = models.BooleanField(_("is active"), default=True)
    gets_alerts = models.BooleanField(
        _("gets alerts by e-mail"),
        default=False,
        editable=False,
        help_text=_("An operator switches it on the page of the own account."),
    )
    # rules.md#off-boarding
    left_at = models.DateTimeField(_("left"), null=True, blank=True, editable=False)
    erase_on = models.DateField(_("data erased from"), null=True, blank=True, editable=False)
    erased_at = models.DateTimeField(_("data erased"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)

    # Set by django-otp on the account of a request: what confirmed the login, or None.
    otp_device: Any

    USERNAME_FIELD = "email"
    objects = UserManager()

    class Meta:
        verbose_name, verbose_name_plural = _("store"), _("stores")
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
        verbose_name, verbose_name_plural = _("operator"), _("operators")
