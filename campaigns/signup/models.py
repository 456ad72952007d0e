"""Tags, what happens at them, and how a store's sign-up page looks."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from astronote.common.constraints import choice_constraint
from astronote.common.fields import ComposedCharField
from contacts.models import Contact
from messaging.codes import alphanumeric_code

PUBLIC_ID_LENGTH = 10
COLOR_PATTERN = r"^#[0-9a-fA-F]{6}\Z"
STANDARD_COLOR = "#1f5f8b"


def new_public_id() -> str:
    """A random code for the address of a tag."""
    return alphanumeric_code(secrets.token_bytes(4 * PUBLIC_ID_LENGTH))[:PUBLIC_ID_LENGTH]


class NfcTagType(models.TextChoices):
    """Where a tag leads."""

    OPT_IN = "opt_in", _("sign-up: customers join the store's list")
    REDEMPTION = "redemption", _("redemption: customers mark an offer as used")


class NfcScanStatus(models.TextChoices):
    """What came of opening the page of a tag."""

    OPENED = "opened", _("opened")
    SUBMITTED = "submitted", _("signed up, or used an offer")


class SignupOutcome(models.TextChoices):
    """What became of a sign-up."""

    WAITING = "waiting", _("waiting: not applied yet")
    SUBSCRIBED = "subscribed", _("subscribed")
    ASKED = "asked", _("asked by SMS to confirm")
    SUBSCRIBED_BEFORE = "subscribed_before", _("was subscribed before")
    OPTED_OUT = "opted_out", _("opted out before: nothing changed")
    REFUSED = "refused", _("the contact must not be asked or changed: nothing changed")
    ERASED = "erased", _("erased before it was applied")


class NfcTag(models.Model):
    """A QR code or NFC tag of a store: the address of a page that customers open by phone."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, verbose_name=_("store"))
    public_id = models.CharField(
        _("code"), max_length=64, unique=True, default=new_public_id, editable=False
    )
    type = models.CharField(
        _("type"),
        max_length=20,
        choices=NfcTagType.choices,
        default=NfcTagType.OPT_IN,
        db_default="opt_in",
    )
    campaign = models.ForeignKey(
        "campaigns.Campaign",
        models.SET_NULL,
        null=True,
        blank=True,
        help_text=_(
            "Redemption: only this campaign's offers are used here; empty: any of the store."
        ),
        verbose_name=_("campaign"),
    )
    label = models.CharField(
        _("label"), max_length=200, help_text=_("Where it is, such as: till, front door.")
    )
    is_active = models.BooleanField(
        _("is on"), default=True, help_text=_("Off: its page says that the link leads nowhere.")
    )
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)

    class Meta:
        verbose_name, verbose_name_plural = _("shop tag"), _("QR codes and NFC tags")
        constraints = [choice_constraint("type", NfcTagType, "nfctag_type_known")]

    def __str__(self) -> str:
        return self.label

    def clean(self) -> None:
        """Check that the campaign is of the tag's store.

        Raises:
            ValidationError: if it is not.
        """
        if self.campaign and self.owner_id and self.campaign.owner_id != self.owner_id:
            raise ValidationError({"campaign": gettext("This campaign belongs to another store.")})


class NfcScan(models.Model):
    """Somebody opened the page of a tag."""

    tag = models.ForeignKey(NfcTag, models.CASCADE, verbose_name=_("tag"))
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, verbose_name=_("store"))
    contact = models.ForeignKey(
        Contact, models.SET_NULL, null=True, blank=True, verbose_name=_("contact")
    )
    status = models.CharField(
        _("status"),
        max_length=20,
        choices=NfcScanStatus.choices,
        default=NfcScanStatus.OPENED,
        db_default="opened",
    )
    ip_address = models.CharField(_("IP address"), max_length=45, null=True, blank=True)
    user_agent = models.CharField(_("user agent"), max_length=500, null=True, blank=True)
    device_type = models.CharField(_("device type"), max_length=50, null=True, blank=True)
    created_at = models.DateTimeField(_("at"), db_default=Now(), db_index=True)

    class Meta:
        verbose_name, verbose_name_plural = _("scan"), _("scans")
        constraints = [choice_constraint("status", NfcScanStatus, "nfcscan_status_known")]

    def __str__(self) -> str:
        return gettext("scan %(number)s") % {"number": self.pk}


class SignupPage(models.Model):
    """How a store's sign-up page looks and what it asks; without a row, the standard one."""

    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, verbose_name=_("store"), related_name="+"
    )
    display_name = ComposedCharField(
        _("brand name"), max_length=160, blank=True, help_text=_("Empty: the store's name.")
    )
    primary_color = models.CharField(
        _("color"),
        max_length=7,
        default=STANDARD_COLOR,
        validators=[RegexValidator(COLOR_PATTERN, _("Use # and six digits such as #1f5f8b."))],
        help_text=_("Of the button and the bar on top."),
    )
    headline_en = ComposedCharField(_("headline, English"), max_length=120, blank=True)
    headline_el = ComposedCharField(_("headline, Greek"), max_length=120, blank=True)
    blurb_en = ComposedCharField(
        _("text, English"),
        max_length=400,
        blank=True,
        help_text=_("What customers get for joining."),
    )
    blurb_el = ComposedCharField(_("text, Greek"), max_length=400, blank=True)
    asks_name = models.BooleanField(_("asks for the first name"), default=True)
    asks_birthday = models.BooleanField(_("asks for the birthday"), default=True)
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("updated at"), db_default=Now(), auto_now=True)

    class Meta:
        verbose_name = _("sign-up page")
        verbose_name_plural = _("sign-up pages")
        constraints = [
            models.CheckConstraint(
                condition=Q(primary_color__regex=r"^#[0-9a-fA-F]{6}$"),
                name="signuppage_color_is_hex",
            )
        ]

    def __str__(self) -> str:
        return gettext("sign-up page of %(store)s") % {"store": self.owner}


class RetailAsset(models.Model):
    """The logo of a store's public pages. A new one is a new row, so that its address changes."""

    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, verbose_name=_("store"), related_name="+"
    )
    mime_type = models.CharField(_("mime type"), max_length=40)
    byte_size = models.PositiveIntegerField(_("byte size"))
    data = models.BinaryField(_("data"))
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("logo")
        verbose_name_plural = _("logos")

    def __str__(self) -> str:
        return gettext("logo %(number)s") % {"number": self.pk}


class PublicSignupEvent(models.Model):
    """What somebody sent from a sign-up page, written before it is applied.

    While it waits, `meta` has what was typed; then only where it came from.
    """

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, db_index=False, verbose_name=_("store")
    )
    tag = models.ForeignKey(NfcTag, models.CASCADE, verbose_name=_("tag"))
    contact = models.ForeignKey(
        Contact, models.SET_NULL, null=True, blank=True, verbose_name=_("contact")
    )
    outcome = models.CharField(
        _("outcome"), max_length=20, choices=SignupOutcome.choices, default=SignupOutcome.WAITING
    )
    idempotency_key = models.CharField(
        _("idempotency key"),
        max_length=32,
        unique=True,
        help_text=_("Of the form: each makes one sign-up at most."),
    )
    ip_address = models.CharField(_("IP address"), max_length=45, null=True, blank=True)
    user_agent = models.CharField(_("user agent"), max_length=500, null=True, blank=True)
    meta = models.JSONField(_("further data"), null=True, blank=True)
    created_at = models.DateTimeField(_("at"), db_default=Now(), db_index=True, editable=False)

    class Meta:
        verbose_name = _("sign-up")
        verbose_name_plural = _("sign-ups")
        constraints = [choice_constraint("outcome", SignupOutcome, "publicsignupevent_outcome")]
        indexes = [
            models.Index(fields=["owner", "created_at"], name="publicsignupevent_owner"),
            models.Index(
                fields=["id"], name="publicsignupevent_waiting", condition=Q(outcome="waiting")
            ),
        ]

    def __str__(self) -> str:
        return gettext("sign-up %(number)s") % {"number": self.pk}
