"""The audit trail in the admin."""

from django.contrib import admin

from astronote.common.admin_lists import ReadOnlyAdmin
from astronote.common.audit import AuditEntry


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """Who did what to which row."""

    list_display = ["at", "actor_name", "action", "subject", "owner", "details"]
    list_filter = ["actor_name", "action"]
    list_select_related = ["owner"]
    search_fields = ["=subject"]
