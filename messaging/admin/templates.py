"""Shared short links in the admin."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from astronote.common.admin_lists import ReadOnlyAdmin
from astronote.common.stored_words import label_of
from messaging.models import ShortLink


@admin.register(ShortLink)
class ShortLinkAdmin(ReadOnlyAdmin):
    list_display = ["short_code", "owner", "kind", "click_count"]
    list_select_related = ["owner"]
    words = {"kind": label_of({"message": _("message")})}
