"""Exports in the admin: requesting one, and downloading its file."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.humanize.templatetags.humanize import intcomma
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.defaultfilters import filesizeformat
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from astronote.common.admin_lists import ReadOnlyAdmin
from astronote.common.store_time import format_store_time_or_dash
from campaigns import exports
from campaigns.models import ExportRun

PERMISSION = "campaigns.add_exportrun"


class ExportForm(forms.ModelForm):
    """What is exported, and of which days."""

    class Meta:
        model = ExportRun
        fields = ("owner", "content", "range_start", "range_end")

    def clean(self) -> dict[str, Any]:
        """Check the days.

        Raises:
            ValidationError: as `request_export`.
        """
        cleaned = super().clean() or self.cleaned_data
        exports.require_days_that_fit(cleaned.get("content", ""), self.days())
        return cleaned

    def days(self) -> exports.Days:
        """The days that were entered."""
        return exports.Days(
            self.cleaned_data.get("range_start"), self.cleaned_data.get("range_end")
        )


@admin.register(ExportRun)
class ExportRunAdmin(ReadOnlyAdmin):
    empty_hint = _("A file of a store's contacts, messages, visits or ledger is made by a job.")
    form = ExportForm
    list_display = [
        "content_of_days",
        "owner",
        "kind",
        "status",
        "row_count",
        "size",
        "created_at",
        "download",
    ]
    list_filter = ["content", "kind"]
    list_select_related = ["owner"]
    autocomplete_fields = ["owner"]
    fields = ["owner", "content", "range_start", "range_end"]
    readonly_fields = ["kind", "status", "row_count", "size", "error", "created_at", "completed_at",
                       "download"]  # fmt: skip

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        """Whoever may request an export may download it."""
        return request.user.has_perm(PERMISSION)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """A new one has nothing but what is asked for."""
        return [*self.fields, *self.get_readonly_fields(request)] if obj else self.fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[ExportRun]:
        """Each with the database's time, by which its file is deleted."""
        return super().get_queryset(request).annotate(now=Now())

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """Without the links to files for those who may not download."""
        shown = super().get_list_display(request)
        return shown if request.user.has_perm(PERMISSION) else shown[:-1]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """As in the list."""
        fields = super().get_readonly_fields(request, obj)
        return fields if request.user.has_perm(PERMISSION) else fields[:-1]

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.download_view)
        return [
            path("<int:pk>/file/", view, name="campaigns_exportrun_file"), *super().get_urls()
        ]  # fmt: skip

    def save_model(self, request: HttpRequest, obj: ExportRun, form: Any, change: bool) -> None:
        """Have a job write it; the same that waits already is not doubled."""
        run = exports.request_export(obj.owner, obj.content, form.days(), by=request.user)
        obj.pk = run.pk
        self.message_user(
            request, gettext("The file is being made: this page shows when it is there.")
        )

    def download_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """The file, while its time is not over."""
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        run = get_object_or_404(ExportRun.objects.select_related("owner"), pk=pk)
        try:
            chunks = exports.open_file(run, by=request.user)
        except exports.ExportUnavailable as problem:
            messages.error(
                request,
                gettext("The file cannot be downloaded: %(problem)s.") % {"problem": problem},
            )
            return redirect("admin:campaigns_exportrun_change", pk)
        return StreamingHttpResponse(
            chunks,
            content_type="text/csv; charset=utf-8",
            headers={
                "Content-Disposition": f'attachment; filename="{exports.file_name(run)}"',
                "Content-Length": str(run.file_size),
            },
        )

    @admin.display(description=_("content"))
    def content_of_days(self, run: ExportRun) -> str:
        content = run.get_content_display()
        if run.range_start and run.range_end:
            return gettext("%(content)s %(first)s to %(last)s") % {
                "content": content,
                "first": run.range_start,
                "last": run.range_end,
            }
        return f"{content} {run.range_start or run.range_end or ''}".strip()

    @admin.display(description=_("rows"), empty_value="–")
    def row_count(self, run: ExportRun) -> str | None:
        return None if run.lines is None else intcomma(run.lines)

    @admin.display(description=_("size"), empty_value="–")
    def size(self, run: ExportRun) -> str | None:
        return None if run.file_size is None else filesizeformat(run.file_size)

    @admin.display(description=_("file"), empty_value="–")
    def download(self, run: ExportRun) -> str | None:
        until = exports.available_until(run)
        if until is None:
            return run.error or None
        if until <= run.now:
            return gettext("deleted")
        return format_html(
            gettext("{download} until {time}"),
            download=format_html(
                '<a class="text-primary-700 dark:text-primary-400 underline" href="{}">{}</a>',
                reverse("admin:campaigns_exportrun_file", args=[run.pk]),
                gettext("Download"),
            ),
            time=format_store_time_or_dash(until, run.owner),
        )
