"""Imports in the admin: upload, look at how the file is read, start, watch, rejected rows."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    JsonResponse,
    QueryDict,
    StreamingHttpResponse,
)
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminTextInputWidget

from contacts.importing import files, planning, rejected, run
from contacts.importing.mapping import FIELDS
from contacts.importing.reading import ImportRefused
from contacts.listing import ReadOnlyListing
from contacts.models import ContactImport, DateOrder, ImportStatus, RejectedRow

SHOWN_REJECTED = 100


class UploadForm(forms.ModelForm):
    """A file and the questions that are asked once per import."""

    file = forms.FileField(
        help_text="CSV in any shape, or .xlsx; also gzipped.", widget=UnfoldAdminFileFieldWidget
    )
    list_name = forms.CharField(
        max_length=160, required=False, label="List", widget=UnfoldAdminTextInputWidget,
        help_text="Also put the customers on this list; a new name makes a new list.",
    )  # fmt: skip

    class Meta:
        model = ContactImport
        fields = ["owner", "file", "list_name", "consent_source", "consent_at", "update_existing",
                  "welcome"]  # fmt: skip
        labels = {"owner": "Store", "consent_source": "Consent", "consent_at": "Consent given at"}

    def save(self, commit: bool = True) -> ContactImport:
        data = self.cleaned_data
        options = {
            name: data[name]
            for name in ("consent_source", "consent_at", "update_existing", "welcome")
        }
        self.instance = run.upload(
            data["owner"].pk, data["file"].name, data["file"].chunks(files.CHUNK_BYTES),
            list_name=data["list_name"], **options,
        )  # fmt: skip
        planning.look(self.instance)
        self.save_m2m = lambda: None
        return self.instance


@admin.register(ContactImport)
class ContactImportAdmin(ReadOnlyListing):
    form = UploadForm
    autocomplete_fields = ["owner"]
    list_display = [
        "id", "owner", "file_name", "status", "processed", "created", "updated", "unchanged",
        "duplicate", "rejected", "created_at",
    ]  # fmt: skip
    list_filter = ["status"]
    list_select_related = ["owner"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return admin.ModelAdmin.has_add_permission(self, request)

    def get_urls(self) -> list:
        def named(route: str, view, name: str):
            return path(
                f"<int:pk>/{route}/",
                self.admin_site.admin_view(view),
                name=f"contact_import_{name}",
            )

        return [
            named("start", self.start_view, "start"),
            named("cancel", self.cancel_view, "cancel"),
            named("progress", self.progress_view, "progress"),
            named("rejected.csv", self.rejected_view, "rejected"),
            *super().get_urls(),
        ]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context=None):
        one_way_on = {"show_save_and_add_another": False, "show_save_and_continue": False}
        try:
            return super().add_view(request, form_url, one_way_on)
        except ImportRefused as refused:
            self.message_user(request, str(refused), messages.ERROR)
            return redirect(request.path)

    def save_model(self, request, obj, form, change) -> None:
        """The form has stored it already."""

    def response_add(self, request, obj, post_url_continue=None) -> HttpResponse:
        return redirect(_address("change", obj))

    def change_view(self, request, object_id, form_url="", extra_context=None):
        """How the file would be read until it is started, then how far it is."""
        job = self.get_object(request, object_id)
        if job is None:
            raise Http404("there is no such import")
        if not self.has_view_permission(request, job):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": str(job),
            "original": job,
            "job": job,
            "may_act": self.has_add_permission(request),
        }
        if job.status == ImportStatus.UPLOADED:
            chosen = request.POST if context["may_act"] and request.method == "POST" else None
            context |= _plan(job, chosen)
            return TemplateResponse(request, "contacts/import_plan.html", context)
        rows = RejectedRow.objects.filter(contact_import=job).order_by("line")
        context |= {"rejected": rows[:SHOWN_REJECTED], "progress": run.progress(job)}
        return TemplateResponse(request, "contacts/import_progress.html", context)

    def start_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        job = self._job_to_change(request, pk)
        try:
            planned = _look(job, request.POST)
            if planned.problem:
                raise ImportRefused(planned.problem)
            job.date_order = planned.date_order
            job.save(update_fields=["date_order"])
            run.start(job, by=request.user)
        except (ImportRefused, ValueError) as error:
            self.message_user(request, str(error), messages.ERROR)
        return redirect(_address("change", job))

    def cancel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        job = self._job_to_change(request, pk)
        try:
            run.cancel(job, by=request.user)
        except ValueError as error:
            self.message_user(request, str(error), messages.ERROR)
        return redirect(_address("change", job))

    def _job_to_change(self, request: HttpRequest, pk: int) -> ContactImport:
        if request.method != "POST" or not self.has_add_permission(request):
            raise PermissionDenied
        return get_object_or_404(ContactImport.objects.select_related("owner"), pk=pk)

    def progress_view(self, request: HttpRequest, pk: int) -> JsonResponse:
        return JsonResponse(run.progress(self._job_to_see(request, pk)))

    def rejected_view(self, request: HttpRequest, pk: int) -> StreamingHttpResponse:
        job = self._job_to_see(request, pk)
        return StreamingHttpResponse(
            rejected.lines(job), content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="import-{pk}-rejected.csv"'},
        )  # fmt: skip

    def _job_to_see(self, request: HttpRequest, pk: int) -> ContactImport:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return get_object_or_404(ContactImport, pk=pk)


def _address(name: str, job: ContactImport) -> str:
    return reverse(f"admin:contacts_contactimport_{name}", args=[job.pk])


def _plan(job: ContactImport, chosen: QueryDict | None) -> dict[str, Any]:
    """What the page of an uploaded file shows."""
    try:
        planned = _look(job, chosen)
    except ImportRefused as refused:
        return {"refused": str(refused)}
    field_at = {at: name for name, places in planned.mapping.items() for at in places}
    columns = [
        {"position": at, "heading": heading, "field": field_at.get(at, "")}
        for at, heading in enumerate(planned.layout.headings)
    ]
    width = len(columns)
    rows = [
        {"verdict": verdict, "cells": (verdict.cells + [""] * width)[:width]}
        for verdict in planned.verdicts
    ]
    return {
        "planned": planned, "columns": columns, "rows": rows,
        "fields": [(name, name.replace("_", " ")) for name in FIELDS],
        "orders": DateOrder.choices,
    }  # fmt: skip


def _look(job: ContactImport, form: QueryDict | None) -> planning.Preview:
    """Plan the file with what the form says of columns, heading and dates, and keep that."""
    had_header, before = job.layout["has_header"], job.mapping
    if form is None:
        return planning.look(job, has_header=had_header, chosen=before, date_order=job.date_order)
    chosen: dict[str, list[int]] | None = {}
    for name, field in form.items():
        if name.startswith("column-") and field in FIELDS:
            chosen.setdefault(field, []).append(int(name.removeprefix("column-")))
    for field, places in chosen.items():
        order = {at: rank for rank, at in enumerate(before.get(field, []))}
        places.sort(key=lambda at: (order.get(at, len(order)), at))  # noqa: B023
    has_header = form.get("has_header") != "0"
    if has_header != had_header:
        chosen = None  # other headings: guess anew
    order = form.get("date_order", "")
    return planning.look(
        job, has_header=has_header, chosen=chosen,
        date_order=order if order in DateOrder.values else "",
    )  # fmt: skip
