"""Base classes of the admin's lists."""

from __future__ import annotations

from typing import Any, cast

from django.core.paginator import Paginator
from django.db import models
from django.http import HttpRequest
from django.utils.functional import cached_property
from unfold.admin import ModelAdmin

MAX_COUNTED = 10_000


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # no generic at run time
    """Counts at most MAX_COUNTED rows, so that a list of millions opens at once."""

    @cached_property
    def count(self) -> int:
        """The number of rows, at most MAX_COUNTED."""
        rows = cast("models.QuerySet[Any]", self.object_list)
        return rows.order_by()[:MAX_COUNTED].count()


class LargeTableAdmin(ModelAdmin):
    """A list for big tables: no full count, related rows in one query, newest first."""

    paginator = BoundedPaginator
    show_full_result_count = False
    list_fullwidth = True
    list_per_page = 50
    ordering = ("-pk",)


class ReadOnlyAdmin(LargeTableAdmin):
    """A list of rows that only the system writes."""

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        """Nobody adds rows."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Nobody changes rows."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Nobody deletes rows."""
        return False
