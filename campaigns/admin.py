"""Campaigns, automations and their messages in the admin."""

from django.contrib import admin

from campaigns import models
from contacts.listing import Listing, ReadOnlyListing

COUNTERS = ["total", "queued", "sent", "delivered", "failed", "skipped", "unknown"]


@admin.register(models.Campaign)
class CampaignAdmin(Listing):
    list_display = ["id", "name", "owner", "status", "scheduled_at", *COUNTERS, "block_reason"]
    list_display_links = ["id", "name"]
    list_filter = ["status", "message_type"]
    list_select_related = ["owner"]
    search_fields = ["name"]
    autocomplete_fields = ["owner", "created_by", "list"]
    readonly_fields = [
        "status", "scheduled_at", "started_at", "finished_at", *COUNTERS, "conversions",
        "block_reason", "retry_after",
    ]  # fmt: skip


class MessageAdmin(ReadOnlyListing):
    list_filter = ["status"]
    list_select_related = ["owner"]
    search_fields = ["=to", "=provider_message_id"]
    list_display = ["id", "owner", "to", "status", "delivery_status", "error_code", "sent_at"]


admin.site.register(models.CampaignMessage, MessageAdmin)
admin.site.register(models.AutomationMessage, MessageAdmin)


@admin.register(models.Automation)
class AutomationAdmin(Listing):
    list_display = ["owner", "type", "is_active"]
    list_filter = ["type", "is_active"]
    list_select_related = ["owner"]
    autocomplete_fields = ["owner"]


@admin.register(models.NfcTag)
class NfcTagAdmin(Listing):
    list_display = ["label", "owner", "campaign", "is_active"]
    list_select_related = ["owner", "campaign"]
    autocomplete_fields = ["owner", "campaign"]


@admin.register(models.OfferViewEvent)
class OfferViewEventAdmin(ReadOnlyListing):
    list_display = ["campaign_message_id", "owner", "viewed_at"]
    list_select_related = ["owner"]


@admin.register(models.NfcScan)
class NfcScanAdmin(ReadOnlyListing):
    list_display = ["tag", "owner", "created_at"]
    list_select_related = ["tag", "owner"]


@admin.register(models.ConversionEvent)
class ConversionEventAdmin(ReadOnlyListing):
    list_display = ["id", "owner", "campaign", "occurred_at"]
    list_select_related = ["owner", "campaign"]


@admin.register(models.Redemption, models.AutomationRedemption)
class RedemptionAdmin(ReadOnlyListing):
    list_display = ["message_id", "owner", "redeemed_at"]
    list_select_related = ["owner"]
