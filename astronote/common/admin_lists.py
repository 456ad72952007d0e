"""Base classes of the admin's lists."""

from __future__ import annotations

from typing import Any, cast

from django.core.paginator import Paginator
from django.db import models
from django.http import HttpRequest
from django.utils.functional import cached_property
from unfold.admin import ModelAdmin

from astronote.accounts.models import User
from astronote.common import audit

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

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Refuse lookups of years: no list offers them, and Django fails at the year 0."""
        is_of_year = not {"year", "iso_year"}.isdisjoint(lookup.split("__"))
        return not is_of_year and bool(super().lookup_allowed(lookup, value, request))

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        """The row; an empty `_to_field` of the address counts as none, and is no fault."""
        return super().get_object(request, object_id, from_field or None)

    def log_addition(self, request: HttpRequest, obj: models.Model, message: Any) -> Any:
        """Write to the audit trail, too, that a row was added by hand."""
        _write_entry("added", request, obj)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: models.Model, message: Any) -> Any:
        """Write to the audit trail, too, which fields were changed by hand."""
        if fields := _changed_fields(message):
            _write_entry("changed", request, obj, fields=fields)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> Any:
        """Write to the audit trail, too, which rows were deleted by hand."""
        for row in queryset:
            _write_entry("deleted", request, row)
        return super().log_deletions(request, queryset)


def _write_entry(action: str, request: HttpRequest, row: models.Model, **details: Any) -> None:
    owner_id = row.pk if isinstance(row, User) else None
    audit.write_entry(action, row, by=request.user, owner_id=owner_id, **details)


def _changed_fields(message: Any) -> list[str]:
    """The fields in Django's description of a change, which is a list or a text."""
    parts = message if isinstance(message, list) else []
    return [name for part in parts for name in part.get("changed", {}).get("fields", [])]


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
