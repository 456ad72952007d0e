"""Suppressions in the admin: who must not be marketed to, lists brought in and taken out."""

from __future__ import annotations

import codecs
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse

from contacts import audit, suppressions
from contacts.listing import ReadOnlyListing
from contacts.models import Suppression
from contacts.phones import region_of


class SuppressionListForm(forms.Form):
    file = forms.FileField(help_text="CSV in UTF-8, a number or its hash in the first column.")
    store = forms.ModelChoiceField(
        get_user_model().objects.filter(is_staff=False), required=False, empty_label="every store"
    )
    reason = forms.CharField(max_length=80, initial="imported list")


@admin.register(Suppression)
class SuppressionAdmin(ReadOnlyListing):
    list_display = ["id", "owner", "reason", "created_at"]
    list_select_related = ["owner"]
    list_before_template = "contacts/suppression_tools.html"

    def get_urls(self) -> list:
        view = self.admin_site.admin_view
        return [
            path("import/", view(self.import_view), name="contacts_suppression_import"),
            path("export.csv", view(self.export_view), name="contacts_suppression_export"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        may = request.user.has_perm("contacts.add_suppression")
        return super().changelist_view(request, {"may_import": may})

    def import_view(self, request: HttpRequest) -> HttpResponse:
        if not request.user.has_perm("contacts.add_suppression"):
            raise PermissionDenied
        form = SuppressionListForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            try:
                self._bring_in(request, **form.cleaned_data)
            except UnicodeDecodeError:
                form.add_error("file", "It is not in UTF-8: save it as CSV UTF-8.")
            else:
                return redirect(reverse("admin:contacts_suppression_changelist"))
        context = {
            **self.admin_site.each_context(request),
            "title": "Import numbers that must not be marketed to",
            "opts": self.model._meta,
            "form": form,
        }
        return TemplateResponse(request, "contacts/import_suppressions.html", context)

    def _bring_in(self, request: HttpRequest, *, file: Any, store: Any, reason: str) -> None:
        owner_id = store.pk if store else None
        region = region_of(store) if store else settings.DEFAULT_PHONE_REGION
        lines = codecs.iterdecode(file, "utf-8-sig")
        counts = suppressions.bring_in(lines, owner_id, region=region, reason=reason)
        unreadable = counts.pop("unreadable_lines")
        audit.record("suppressions imported", by=request.user, owner_id=owner_id, **counts)
        messages.success(request, f"{counts['added']:,} added, {counts['known']:,} known before")
        if unreadable:
            some = ", ".join(map(str, unreadable[:20]))
            messages.warning(request, f"{len(unreadable):,} lines hold no number: {some}")

    def export_view(self, request: HttpRequest) -> StreamingHttpResponse:
        """Those of one store, or those that hold for all."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        store = request.GET.get("store", "")
        return StreamingHttpResponse(
            suppressions.csv_lines(int(store) if store.isdecimal() else None),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="suppressions.csv"'},
        )
