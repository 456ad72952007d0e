"""Events from Mitto in the admin: receipts, replies and answers to status queries."""

from __future__ import annotations

from django.contrib import admin

from astronote.common.admin_lists import ReadOnlyAdmin
from messaging.models import WebhookEvent


@admin.register(WebhookEvent)
class WebhookEventAdmin(ReadOnlyAdmin):
    list_display = [
        "id",
        "event_type",
        "owner",
        "provider_status",
        "consent_request",
        "status",
        "error",
        "provider_message_id",
        "received_at",
    ]
    list_filter = ["status"]
    search_fields = ["=provider_message_id"]
