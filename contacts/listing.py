"""What the admin lists of every app share."""

from django.core.paginator import Paginator
from django.utils.functional import cached_property
from unfold.admin import ModelAdmin

MOST_COUNTED = 10_000


class BoundedPaginator(Paginator):
    """Counts no further than MOST_COUNTED rows: nobody pages through more, they search."""

    @cached_property
    def count(self) -> int:
        return self.object_list.order_by()[:MOST_COUNTED].count()


class Listing(ModelAdmin):
    """A list for big tables: no full count, related rows in one query, newest first."""

    paginator = BoundedPaginator
    show_full_result_count = False
    list_fullwidth = True
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
