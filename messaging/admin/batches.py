"""Batches and direct messages in the admin.

Messages of campaigns and automations are in `campaigns/admin/messages.py`.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from astronote.common.admin_lists import ReadOnlyAdmin
from messaging.admin.message_log import log_urls
from messaging.models import Batch, DirectMessage, message_class, message_classes
from messaging.statuses import describe_reason


class KindFilter(admin.SimpleListFilter):
    """Batches of one kind of message."""

    title = _("messages of")
    parameter_name = "kind__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return sorted((one.batch_kind, str(one.kind_name)) for one in message_classes())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Batch]) -> QuerySet[Batch]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


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
    list_filter = ["status", KindFilter]
    list_select_related = ["owner"]
    search_fields = ["=source_id"]
    column_labels = {"kind": _("messages of")}
    words = {"kind": lambda kind: str(message_class(kind).kind_name)}


@admin.register(DirectMessage)
class DirectMessageAdmin(ReadOnlyAdmin):
    list_display = ["id", "owner", "to", "status", "delivery_status", "error_code"]
    list_select_related = ["owner"]
    column_labels = {"error_code": _("reason")}
    words = {"error_code": describe_reason}

    def get_urls(self) -> list[Any]:
        """With the log of messages of all kinds."""
        return [*log_urls(self.admin_site), *super().get_urls()]
