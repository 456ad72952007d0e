"""Lists in the admin, and adding and removing their members.

They are here and not in `contacts/`, because members are also chosen by segments and campaigns.
"""

from __future__ import annotations

from django.contrib import admin

from astronote.common.admin_lists import LargeTableAdmin
from contacts.models import List


@admin.register(List)
class ListAdmin(LargeTableAdmin):
    empty_hint = "A list is chosen customers of a store, for campaigns; imports make lists too."
    list_display = ["name", "owner", "description"]
    list_select_related = ["owner"]
    search_fields = ["name"]
    autocomplete_fields = ["owner"]
