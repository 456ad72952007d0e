"""Events from Mitto in the admin: receipts, replies and answers to status queries."""

from __future__ import annotations

from django.contrib import admin

from astronote.common.admin_lists import ReadOnlyAdmin
from astronote.common.stored_words import label_of
from messaging.models import WebhookEvent
from messaging.statuses import ConsentRequest, describe_reason


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
    words = {
        "provider": str.capitalize,
        "consent_request": label_of(ConsentRequest),
        "error_code": describe_reason,
    }
    search_fields = ["=provider_message_id"]
