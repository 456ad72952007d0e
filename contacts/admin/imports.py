"""Imports in the admin: upload, confirm the mapping, start, watch, download rejected rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
    QueryDict,
    StreamingHttpResponse,
)
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from astronote.common import audit
from astronote.common.admin_lists import ReadOnlyAdmin
from astronote.common.sql import database_now
from astronote.common.store_clock import aware_in_zone_if_naive
from astronote.common.time_fields import LocalTimeField
from astronote.common.times import is_plausible_time
from astronote.operations.first_day import first_steps_context
from contacts.importing import files, lifecycle, planning, rejected
from contacts.importing.custom_cells import choices_of_store, is_custom
from contacts.importing.import_refused import ImportRefused
from contacts.importing.mapping import (
    FIELDS,
    without_guessed_other_consent_if_consent_is_new,
)
from contacts.models import ContactImport, DateOrder, ImportStatus, RejectedRow

REJECTED_ROWS_SHOWN = 100
REASONS_SHOWN = 20
FIELD_LABELS = {
    "phone": _("phone"),
    "first_name": _("first name"),
    "last_name": _("last name"),
    "full_name": _("full name"),
    "email": _("email"),
    "gender": _("gender"),
    "birthday": _("birthday"),
    "country": _("country"),
    "area_code": _("area code"),
    "sms_consent": _("consent to SMS"),
    "sms_opt_out": _("opt-out"),
    "other_consent": _("consent to other messages"),
    "notes": _("notes, of which some may refuse messages"),
    "ignored": _("set aside"),
}


class UploadForm(forms.ModelForm):
    """A file and the options of its import."""

    file = forms.FileField(
        help_text=_("CSV with any delimiter and encoding, or .xlsx; also gzipped."),
        widget=UnfoldAdminFileFieldWidget,
        label=_("File"),
    )
    list_name = forms.CharField(
        max_length=160,
        required=False,
        label=_("List"),
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Also add the contacts to this list; it is created if it does not exist."),
    )

    consent_at = LocalTimeField(required=False, label=_("Consent given at"))
    encoding = forms.CharField(
        max_length=40,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Of a text file, such as cp1253; detected if it is blank."),
        label=_("Encoding"),
    )
    sheet = forms.CharField(
        max_length=80,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Of a workbook with several lists."),
        label=_("Sheet"),
    )
    has_header = forms.TypedChoiceField(
        choices=[
            ("", _("detect")),
            ("1", _("a row holds them")),
            ("0", _("the first row is a customer")),
        ],
        coerce=lambda value: value == "1",
        empty_value=None,
        required=False,
        label=_("Headings"),
        widget=UnfoldAdminSelectWidget,
    )

    class Meta:
        model = ContactImport
        fields = [
            "owner",
            "file",
            "list_name",
            "consent_source",
            "consent_at",
            "consent_wording",
            "consent_version",
            "update_existing",
            "welcome",
            "encoding",
            "sheet",
            "has_header",
        ]
        labels = {
            "owner": _("Store"),
            "consent_source": _("Consent"),
            "consent_wording": _("Wording"),
            "consent_version": _("Version of the wording"),
        }

    def clean(self) -> dict[str, Any]:
        """Store and plan the file if the form is right; a file that cannot be used is an error.

        So the form keeps what was typed; nothing stays of a file that is refused.
        """
        data = cast("dict[str, Any]", super().clean())
        if not self.errors:
            if at := data["consent_at"]:
                data["consent_at"] = aware_in_zone_if_naive(at, data["owner"].timezone)
                if not is_plausible_time(data["consent_at"], database_now()):
                    self.add_error("consent_at", lifecycle.implausible_consent_time_text())
                    return data
            try:
                with transaction.atomic():
                    self._create_import_and_store_plan_or_refuse(data)
            except ImportRefused as error:
                self.add_error("file", gettext("%(error)s Choose a file again.") % {"error": error})
        return data

    def _create_import_and_store_plan_or_refuse(self, data: dict[str, Any]) -> None:
        options = {
            name: data[name]
            for name in (
                "consent_source",
                "consent_at",
                "consent_wording",
                "consent_version",
                "update_existing",
                "welcome",
            )
        }
        self.stored = lifecycle.create_unstarted_import_or_refuse(
            data["owner"].pk,
            data["file"].name,
            data["file"].chunks(files.CHUNK_BYTES),
            list_name=data["list_name"],
            **options,
        )
        planning.plan_import_and_store_plan_or_refuse(
            self.stored,
            **{name: data[name] for name in ("encoding", "sheet", "has_header")},
        )

    def save(self, commit: bool = True) -> ContactImport:
        """The import that was stored when the form was found right, whatever `commit` says."""
        self.instance = self.stored
        return self.stored

    def save_m2m(self) -> None:
        """Nothing: an import has no many-to-many fields."""


@admin.register(ContactImport)
class ContactImportAdmin(ReadOnlyAdmin):
    empty_hint = _("An import reads a store's customers from a CSV file or a workbook.")
    form = UploadForm
    autocomplete_fields = ["owner"]
    fieldsets = [
        (None, {"fields": ["owner", "file", "list_name"]}),
        (
            _("Consent"),
            {"fields": ["consent_source", "consent_at", "consent_wording", "consent_version"]},
        ),
        (_("Contacts"), {"fields": ["update_existing", "welcome"]}),
        (
            _("If the file is read wrongly"),
            {"fields": ["encoding", "sheet", "has_header"], "classes": ["collapse"]},
        ),
    ]
    list_display = [
        "id",
        "owner",
        "file_name",
        "status",
        "processed",
        "created",
        "updated",
        "unchanged",
        "duplicate",
        "rejected",
        "created_at",
    ]
    list_filter = ["status"]
    list_select_related = ["owner"]

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        """Imports are added by upload, unlike other rows of a read-only list."""
        return admin.ModelAdmin.has_add_permission(self, request)

    def get_urls(self) -> list:
        def import_path(route: str, view: Callable[..., HttpResponseBase], name: str) -> URLPattern:
            return path(
                f"<int:pk>/{route}/",
                self.admin_site.admin_view(view),
                name=f"contact_import_{name}",
            )

        return [
            import_path("start", self.save_plan_and_start_view, "start"),
            import_path("cancel", self.cancel_view, "cancel"),
            import_path("progress", self.progress_json_view, "progress"),
            import_path("rejected.csv", self.audit_and_stream_rejected_csv_view, "rejected"),
            *super().get_urls(),
        ]

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        only_save = {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().add_view(request, form_url, only_save)

    def save_model(
        self, request: HttpRequest, obj: ContactImport, form: forms.ModelForm, change: bool
    ) -> None:
        """Nothing: the form has stored the import."""

    def response_add(
        self, request: HttpRequest, obj: ContactImport, post_url_continue: str | None = None
    ) -> HttpResponse:
        return redirect(_import_url(obj))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The plan of an uploaded file, which a POST changes; the progress of a started import."""
        contact_import = self.get_object(request, object_id)
        if contact_import is None:
            raise Http404("there is no such import")
        if not self.has_view_permission(request, contact_import):
            raise PermissionDenied
        can_change = self.has_add_permission(request)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": str(contact_import),
            "original": contact_import,
            "contact_import": contact_import,
            "can_change": can_change,
        }
        if contact_import.status == ImportStatus.UPLOADED:
            choices = request.POST if can_change and request.method == "POST" else None
            if choices is not None:
                audit.write_entry("import planned", contact_import, by=request.user)
            context |= _store_plan_and_build_context_or_error(contact_import, choices)
            return TemplateResponse(request, "contacts/import_plan.html", context)
        rows = RejectedRow.objects.filter(contact_import=contact_import).order_by("line")
        context |= {
            "rejected_rows": rows[:REJECTED_ROWS_SHOWN],
            "progress": lifecycle.import_progress(contact_import, database_now()),
            **first_steps_context(),
        }
        return TemplateResponse(request, "contacts/import_progress.html", context)

    def save_plan_and_start_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Store the plan that the form shows and start the import."""
        contact_import = self._require_post_and_add_permission_and_get_import(request, pk)
        try:
            plan = _plan_with_posted_or_stored_choices_and_store_or_refuse(
                contact_import, request.POST
            )
            if plan.refusal:
                raise plan.refusal
            contact_import.date_order = plan.date_order
            contact_import.save(update_fields=["date_order"])
            lifecycle.start_import_audit_and_enqueue_or_raise(contact_import, by=request.user)
        except (ImportRefused, ValueError) as error:
            audit.write_entry("import planned", contact_import, by=request.user)  # not started
            self.message_user(request, str(error), messages.ERROR)
        return redirect(_import_url(contact_import))

    def cancel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        contact_import = self._require_post_and_add_permission_and_get_import(request, pk)
        try:
            lifecycle.cancel_import_and_audit_or_raise_ended(contact_import, by=request.user)
        except ValueError as error:
            self.message_user(request, str(error), messages.ERROR)
        return redirect(_import_url(contact_import))

    def _require_post_and_add_permission_and_get_import(
        self, request: HttpRequest, pk: int
    ) -> ContactImport:
        if request.method != "POST" or not self.has_add_permission(request):
            raise PermissionDenied
        return get_object_or_404(ContactImport.objects.select_related("owner"), pk=pk)

    def progress_json_view(self, request: HttpRequest, pk: int) -> JsonResponse:
        return JsonResponse(
            lifecycle.import_progress(self._get_viewable_import_or_404(request, pk), database_now())
        )

    def audit_and_stream_rejected_csv_view(
        self, request: HttpRequest, pk: int
    ) -> StreamingHttpResponse:
        contact_import = self._get_viewable_import_or_404(request, pk)
        audit.write_entry("rejected rows exported", contact_import, by=request.user)
        return StreamingHttpResponse(
            rejected.rejected_csv_lines_with_bom_and_heading(contact_import),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="import-{pk}-rejected.csv"'},
        )

    def _get_viewable_import_or_404(self, request: HttpRequest, pk: int) -> ContactImport:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return get_object_or_404(ContactImport, pk=pk)


def _import_url(contact_import: ContactImport) -> str:
    return reverse("admin:contacts_contactimport_change", args=[contact_import.pk])


def _store_plan_and_build_context_or_error(
    contact_import: ContactImport, posted_choices: QueryDict | None
) -> dict[str, Any]:
    """The context of the page of an uploaded file; stores the plan with the choices."""
    try:
        plan = _plan_with_posted_or_stored_choices_and_store_or_refuse(
            contact_import, posted_choices
        )
    except ImportRefused as error:
        return {"error": str(error)}
    questions = plan.refusal.questions if plan.refusal else ()
    return {
        "plan": plan,
        "unused": [column.heading for column in plan.columns if not column.field],
        "problems": [question.text for question in questions]
        or ([str(plan.refusal)] if plan.refusal else []),
        "asked_positions": [question.position for question in questions],
        "preview_rows": [*plan.preview_rows, *plan.odd_rows],
        "fields": [
            *((field, FIELD_LABELS[field]) for field in FIELDS),
            *choices_of_store(contact_import.owner),
        ],
        "reasons": (plan.totals.rejected + plan.totals.kept).most_common(REASONS_SHOWN),
        "date_orders": DateOrder.choices,
    }


def _plan_with_posted_or_stored_choices_and_store_or_refuse(
    contact_import: ContactImport, posted_choices: QueryDict | None
) -> planning.ImportPlan:
    """Plan the file with the form's columns, heading and date order, and store the plan.

    Without choices, it is planned with the plan that is stored.
    """
    had_header = (contact_import.layout or {}).get("has_header")
    mapping_before: dict[str, list[int]] = contact_import.mapping or {}
    if posted_choices is None:
        return planning.plan_import_and_store_plan_or_refuse(
            contact_import,
            has_header=had_header,
            chosen=contact_import.mapping,
            date_order=contact_import.date_order,
        )
    has_header = posted_choices.get("has_header") != "0" if "has_header" in posted_choices else None
    date_order = posted_choices.get("date_order", "")
    encoding, sheet = (
        posted_choices.get("encoding", "").strip(),
        posted_choices.get("sheet", "").strip(),
    )
    is_same_table = has_header == had_header and not (encoding or sheet)
    return planning.plan_import_and_store_plan_or_refuse(
        contact_import,
        has_header=has_header,
        # Of another table the columns have other names, so they are guessed again.
        chosen=_parse_posted_mapping(
            posted_choices,
            mapping_before,
            len((contact_import.layout or {}).get("headings", [])),
        )
        if is_same_table
        else None,
        date_order=date_order if date_order in DateOrder.values else "",
        encoding=encoding,
        sheet=sheet,
    )


def _parse_posted_mapping(
    posted_choices: QueryDict, mapping_before: dict[str, list[int]], column_count: int
) -> dict[str, list[int]]:
    """The form's positions of columns by field; known positions keep their order of preference.

    Columns that the table does not have are left out; no page of ours asks for them.
    """
    names = {f"column-{position}": position for position in range(column_count)}
    chosen: dict[str, list[int]] = {}
    for name, field in posted_choices.items():
        if name in names and (field in FIELDS or is_custom(str(field))):
            chosen.setdefault(str(field), []).append(names[name])
    for field, positions in chosen.items():
        before = mapping_before.get(field, [])
        rank = {position: index for index, position in enumerate(before)}
        chosen[field] = sorted(positions, key=lambda at: (rank.get(at, len(rank)), at))
    return without_guessed_other_consent_if_consent_is_new(chosen, mapping_before)
