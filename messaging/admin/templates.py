"""Message templates and shared short links in the admin."""

from __future__ import annotations

from django.contrib import admin

from astronote.common.admin_lists import LargeTableAdmin, ReadOnlyAdmin
from messaging.models import MessageTemplate, ShortLink


@admin.register(MessageTemplate)
class MessageTemplateAdmin(LargeTableAdmin):
    empty_hint = "A template is a text to copy into campaigns."
    list_display = ["name", "owner", "category", "language"]
    list_select_related = ["owner"]
    autocomplete_fields = ["owner"]


@admin.register(ShortLink)
class ShortLinkAdmin(ReadOnlyAdmin):
    list_display = ["short_code", "owner", "kind", "click_count"]
    list_select_related = ["owner"]
