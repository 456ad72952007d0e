"""Visits of offers, scans of NFC tags, conversions and redemptions in the admin."""

from django.contrib import admin

from astronote.common.admin_lists import LargeTableAdmin, ReadOnlyAdmin
from campaigns.models import (
    AutomationRedemption,
    ConversionEvent,
    NfcScan,
    NfcTag,
    OfferViewEvent,
    Redemption,
)


@admin.register(NfcTag)
class NfcTagAdmin(LargeTableAdmin):
    empty_hint = "An NFC tag in a shop leads customers who touch it to an offer."
    list_display = ["label", "owner", "campaign", "is_active"]
    list_select_related = ["owner", "campaign"]
    autocomplete_fields = ["owner", "campaign"]


@admin.register(OfferViewEvent)
class OfferViewEventAdmin(ReadOnlyAdmin):
    list_display = ["campaign_message_id", "owner", "viewed_at"]
    list_select_related = ["owner"]


@admin.register(NfcScan)
class NfcScanAdmin(ReadOnlyAdmin):
    list_display = ["tag", "owner", "created_at"]
    list_select_related = ["tag", "owner"]


@admin.register(ConversionEvent)
class ConversionEventAdmin(ReadOnlyAdmin):
    list_display = ["id", "owner", "campaign", "occurred_at"]
    list_select_related = ["owner", "campaign"]


@admin.register(Redemption, AutomationRedemption)
class RedemptionAdmin(ReadOnlyAdmin):
    list_display = ["message_id", "owner", "redeemed_at"]
    list_select_related = ["owner"]
