"""Suppressions in the admin: the list, and importing and exporting lists of numbers."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from astronote.accounts.models import User
from astronote.common import audit
from astronote.common.admin_lists import ReadOnlyAdmin
from astronote.common.counts import format_count
from contacts import suppressions
from contacts.consent_sources import describe_consent_source
from contacts.importing import files
from contacts.importing.import_refused import ImportRefused
from contacts.models import Suppression


class SuppressionListForm(forms.Form):
    file = forms.FileField(
        help_text=_("CSV or .xlsx with numbers or their hashes, as for an import."), label=_("File")
    )
    store = forms.ModelChoiceField(
        User.objects.filter(is_staff=False),
        required=False,
        empty_label=_("all stores"),
        label=_("Store"),
    )
    reason = forms.CharField(max_length=80, initial="imported list", label=_("Reason"))


@admin.register(Suppression)
class SuppressionAdmin(ReadOnlyAdmin):
    list_display = ["id", "owner", "reason", "created_at"]
    list_select_related = ["owner"]
    words = {"reason": describe_consent_source}
    list_before_template = "contacts/suppression_tools.html"

    def get_urls(self) -> list:
        view = self.admin_site.admin_view
        return [
            path("import/", view(self.import_view), name="contacts_suppression_import"),
            path(
                "export.csv",
                view(self.audit_and_stream_store_or_global_csv_view),
                name="contacts_suppression_export",
            ),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        may_import = request.user.has_perm("contacts.add_suppression")
        return super().changelist_view(request, {"may_import": may_import})

    def import_view(self, request: HttpRequest) -> HttpResponse:
        if not request.user.has_perm("contacts.add_suppression"):
            raise PermissionDenied
        form = SuppressionListForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            try:
                self._import_file_and_show_counts_or_refuse(request, **form.cleaned_data)
            except ImportRefused as problem:
                form.add_error("file", str(problem))
            else:
                return redirect(reverse("admin:contacts_suppression_changelist"))
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Import numbers that must not be marketed to"),
            "opts": self.model._meta,
            "form": form,
        }
        return TemplateResponse(request, "contacts/import_suppressions.html", context)

    def _import_file_and_show_counts_or_refuse(
        self, request: HttpRequest, *, file: UploadedFile, store: User | None, reason: str
    ) -> None:
        with files.unnamed_temporary_file(file.chunks()) as copy:
            counts = suppressions.import_suppression_list(
                copy, store, reason=reason, by=request.user
            )
        messages.success(
            request,
            gettext("%(added)s added, %(known)s known before")
            % {"added": format_count(counts["added"]), "known": format_count(counts["known"])},
        )
        if counts["unreadable_lines"]:
            messages.warning(request, suppressions.describe_unreadable_lines(counts))

    def audit_and_stream_store_or_global_csv_view(
        self, request: HttpRequest
    ) -> StreamingHttpResponse:
        """Download the suppressions of the store in `?store=`, or those of all stores."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        written = request.GET.get("store", "")
        store_id = (
            get_object_or_404(User, pk=written, is_staff=False).pk if written.isdecimal() else None
        )
        audit.write_entry("suppressions exported", by=request.user, owner_id=store_id)
        return StreamingHttpResponse(
            suppressions.suppressions_csv_lines(store_id),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="suppressions.csv"'},
        )
