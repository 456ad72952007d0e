"""Custom fields in the admin: defining them, and filling them from a file."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminFileFieldWidget

from astronote.accounts.models import User
from astronote.common.admin_lists import LargeTableAdmin
from astronote.common.counts import format_count
from contacts.custom_fields import fill_from_file, remove_values_of_fields
from contacts.importing.files import unnamed_temporary_file
from contacts.importing.import_refused import ImportRefused
from contacts.models import CustomField

REJECTED_SHOWN = 20


class FillForm(forms.Form):
    """A file with values of custom fields."""

    store = forms.ModelChoiceField(
        User.objects.filter(is_staff=False, left_at=None), label=_("Store")
    )
    file = forms.FileField(
        widget=UnfoldAdminFileFieldWidget,
        help_text=_("CSV or .xlsx: a column number, others under keys of fields"),
        label=_("File"),
    )
    encoding = forms.CharField(
        required=False,
        max_length=40,
        help_text=_("Such as cp1253; else it is detected."),
        label=_("Encoding"),
    )


@admin.register(CustomField)
class CustomFieldAdmin(LargeTableAdmin):
    empty_hint = _("A custom field is what a store knows of its customers besides the usual.")
    list_display = ["label", "key", "owner", "type"]
    list_select_related = ["owner"]
    search_fields = ["key", "label"]
    autocomplete_fields = ["owner"]
    list_before_template = "contacts/custom_field_tools.html"

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Values are kept by the key, as values of the type."""
        return ["owner", "key", "type"] if obj else []

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.fill_view)
        return [path("fill/", view, name="contacts_customfield_fill"), *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        may_fill = request.user.has_perm("contacts.change_contact")
        return super().changelist_view(request, {"may_fill": may_fill})

    def fill_view(self, request: HttpRequest) -> HttpResponse:
        """Fill custom fields from a file."""
        if not request.user.has_perm("contacts.change_contact"):
            raise PermissionDenied
        form = FillForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            rejected: list[str] = []

            def reject(line: int, reason: str) -> None:
                rejected.append(
                    gettext("line %(line)s: %(reason)s") % {"line": line, "reason": reason}
                )

            try:
                with unnamed_temporary_file(form.cleaned_data["file"].chunks()) as copy:
                    counts = fill_from_file(
                        form.cleaned_data["store"],
                        copy,
                        by=request.user,
                        encoding=form.cleaned_data["encoding"],
                        reject=reject,
                    )
            except ImportRefused as problem:
                form.add_error("file", str(problem))
            else:
                messages.success(
                    request,
                    gettext("%(updated)s changed, %(unchanged)s as they were")
                    % {
                        "updated": format_count(counts.updated),
                        "unchanged": format_count(counts.unchanged),
                    },
                )
                if rejected:
                    shown = "; ".join(rejected[:REJECTED_SHOWN])
                    if (more := len(rejected) - REJECTED_SHOWN) > 0:
                        shown = ngettext(
                            "%(shown)s … and %(count)s more", "%(shown)s … and %(count)s more", more
                        ) % {"shown": shown, "count": format_count(more)}
                    messages.warning(request, shown)
                return redirect("admin:contacts_customfield_changelist")
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Fill custom fields from a file"),
            "opts": self.model._meta,
            "form": form,
        }
        return TemplateResponse(request, "contacts/fill_custom_fields.html", context)

    def delete_model(self, request: HttpRequest, obj: CustomField) -> None:
        """Delete the field with its values."""
        with transaction.atomic():
            remove_values_of_fields([obj])
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[CustomField]) -> None:
        """Delete the fields with their values."""
        with transaction.atomic():
            remove_values_of_fields(queryset)
            super().delete_queryset(request, queryset)
