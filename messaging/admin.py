"""Batches, credits and receipts in the admin."""

from django.contrib import admin

from contacts.listing import Listing, ReadOnlyListing
from messaging import models


@admin.register(models.Batch)
class BatchAdmin(ReadOnlyListing):
    list_display = [
        "id", "owner", "kind", "source_id", "size", "status", "waiting_for", "not_before",
        "attempts", "error",
    ]  # fmt: skip
    list_filter = ["status", "kind"]
    list_select_related = ["owner"]
    search_fields = ["=source_id"]


@admin.register(models.DirectMessage)
class DirectMessageAdmin(ReadOnlyListing):
    list_display = ["id", "owner", "to", "status", "delivery_status", "error_code"]
    list_select_related = ["owner"]


@admin.register(models.MessageTemplate)
class MessageTemplateAdmin(Listing):
    list_display = ["name", "owner", "category", "language"]
    list_select_related = ["owner"]
    autocomplete_fields = ["owner"]


@admin.register(models.ShortLink)
class ShortLinkAdmin(ReadOnlyListing):
    list_display = ["short_code", "owner", "kind", "click_count"]
    list_select_related = ["owner"]


@admin.register(models.Wallet)
class WalletAdmin(ReadOnlyListing):
    list_display = ["owner", "balance", "reserved_balance", "available"]
    list_select_related = ["owner"]


@admin.register(models.CreditReservation)
class CreditReservationAdmin(ReadOnlyListing):
    list_display = ["batch_id", "owner", "status", "amount", "charged", "released", "expires_at"]
    list_filter = ["status"]
    list_select_related = ["owner"]


@admin.register(models.CreditTransaction)
class CreditTransactionAdmin(ReadOnlyListing):
    list_display = ["id", "owner", "type", "amount", "balance_after", "reason", "created_at"]
    list_filter = ["type"]
    list_select_related = ["owner"]


@admin.register(models.WebhookEvent)
class WebhookEventAdmin(ReadOnlyListing):
    list_display = [
        "id",
        "event_type",
        "owner",
        "word",
        "status",
        "provider_message_id",
        "received_at",
    ]
    list_filter = ["status"]
    search_fields = ["=provider_message_id"]
