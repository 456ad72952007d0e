"""Retention runs and the record of processing in the admin."""

from __future__ import annotations

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.translation import gettext

from astronote.common.admin_lists import ReadOnlyAdmin
from astronote.common.counts import format_count
from compliance import models, record


def _write_counts_by_table(counts: dict[str, int]) -> str:
    return "; ".join(
        f"{models.table_in_words(table)}: {format_count(count)}" for table, count in counts.items()
    )


@admin.register(models.RetentionRun)
class RetentionRunAdmin(ReadOnlyAdmin):
    list_display = ["id", "status", "dry_run", "counts", "started_at", "finished_at", "error"]
    words = {"counts": _write_counts_by_table}

    def get_urls(self) -> list:
        view = self.admin_site.admin_view(self.record_of_processing_view)
        return [path("personal-data/", view, name="personal_data"), *super().get_urls()]

    def record_of_processing_view(self, request: HttpRequest) -> HttpResponse:
        """The record of processing (GDPR, article 30)."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Record of processing"),
            "opts": self.model._meta,
            "record": record.record_of_processing(),
        }
        return TemplateResponse(request, "compliance/personal_data.html", context)


@admin.register(models.RetentionAction)
class RetentionActionAdmin(ReadOnlyAdmin):
    list_display = ["run_id", "table", "action", "rows", "created_at"]
    words = {"table": models.table_in_words}
