"""Shared short links in the admin."""

from __future__ import annotations

from django.contrib import admin

from astronote.common.admin_lists import ReadOnlyAdmin
from messaging.models import ShortLink


@admin.register(ShortLink)
class ShortLinkAdmin(ReadOnlyAdmin):
    list_display = ["short_code", "owner", "kind", "click_count"]
    list_select_related = ["owner"]
