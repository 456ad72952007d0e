"""What the admin lists of every app share."""

from django.contrib import admin


class Listing(admin.ModelAdmin):
    """A list for big tables: no full count, related rows in one query, newest first."""

    show_full_result_count = False
    list_per_page = 50
    ordering = ["-pk"]


class ReadOnlyListing(Listing):
    """Rows that only the system writes."""

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False
