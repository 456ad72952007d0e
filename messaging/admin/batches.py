"""Batches and direct messages in the admin.

Messages of campaigns and automations are in `campaigns/admin/messages.py`.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin

from astronote.common.admin_lists import ReadOnlyAdmin
from messaging.admin.message_log import log_urls
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

    def get_urls(self) -> list[Any]:
        """With the log of messages of all kinds."""
        return [*log_urls(self.admin_site), *super().get_urls()]

    @admin.display(ordering="error_code")
    def reason(self, message: DirectMessage) -> str:
        return describe_reason(message.error_code) if message.error_code else ""
