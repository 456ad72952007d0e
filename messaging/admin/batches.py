"""Batches and direct messages in the admin.

Messages of campaigns and automations are in `campaigns/admin/messages.py`.
"""

from __future__ import annotations

from django.contrib import admin

from astronote.common.admin_lists import ReadOnlyAdmin
from messaging.models import Batch, DirectMessage
from messaging.statuses import describe_reason


@admin.register(Batch)
class BatchAdmin(ReadOnlyAdmin):
    list_display = [
        "id",
        "owner",
        "kind",
        "source_id",
        "size",
        "status",
        "waiting_for",
        "not_before",
        "attempts",
        "error",
    ]
    list_filter = ["status", "kind"]
    list_select_related = ["owner"]
    search_fields = ["=source_id"]


@admin.register(DirectMessage)
class DirectMessageAdmin(ReadOnlyAdmin):
    list_display = ["id", "owner", "to", "status", "delivery_status", "reason"]
    list_select_related = ["owner"]

    @admin.display(ordering="error_code")
    def reason(self, message: DirectMessage) -> str:
        return describe_reason(message.error_code) if message.error_code else ""
