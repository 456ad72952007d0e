"""Retention runs in the admin, and what a person may ask for on the list of contacts."""

import io
import json
import zipfile

from django.contrib import admin, messages
from django.http import HttpResponse
from django.template.response import TemplateResponse

from compliance import models, rights
from contacts.admin import ContactAdmin
from contacts.listing import ReadOnlyListing
from contacts.models import Contact


@admin.register(models.RetentionRun)
class RetentionRunAdmin(ReadOnlyListing):
    list_display = ["id", "status", "dry_run", "counts", "started_at", "finished_at", "error"]


@admin.register(models.RetentionAction)
class RetentionActionAdmin(ReadOnlyListing):
    list_display = ["run_id", "table", "action", "rows", "created_at"]


admin.site.unregister(Contact)


@admin.register(Contact)
class PersonAdmin(ContactAdmin):
    """The list of contacts, with the rights of the persons they are."""

    actions = ["export_person", "object_for_person", "erase_person"]

    def delete_model(self, request, obj):
        self.delete_queryset(request, [obj])

    def delete_queryset(self, request, queryset):
        """A contact that is deleted is erased: its messages would keep the number."""
        for contact in queryset:
            if contact.phone:
                rights.erase(contact.phone, contact.owner_id, by=request.user)

    @admin.action(description="Export all that is held on them", permissions=["change"])
    def export_person(self, request, queryset):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
            for contact in queryset.exclude(phone=None):
                held = rights.export(contact.phone, contact.owner_id, by=request.user)
                file.writestr(
                    f"contact-{contact.pk}.json",
                    json.dumps(held, cls=rights.JSON, ensure_ascii=False, indent=2),
                )
        return HttpResponse(
            packed.getvalue(), content_type="application/zip",
            headers={"Content-Disposition": 'attachment; filename="personal-data.zip"'},
        )  # fmt: skip

    @admin.action(description="Opt them out of everything", permissions=["change"])
    def object_for_person(self, request, queryset):
        chosen = queryset.exclude(phone=None)
        changed = sum(rights.object_to(c.phone, c.owner_id, by=request.user) for c in chosen)
        self.message_user(request, f"{changed} consents withdrawn", messages.SUCCESS)

    @admin.action(description="Erase them", permissions=["delete"])
    def erase_person(self, request, queryset):
        chosen = list(queryset.exclude(phone=None))
        if not request.POST.get("confirmed"):
            context = {
                **self.admin_site.each_context(request),
                "title": "Erase for good?",
                "chosen": chosen,
                "opts": self.model._meta,
            }
            return TemplateResponse(request, "compliance/confirm_erasure.html", context)
        self.delete_queryset(request, chosen)
        self.message_user(request, f"{len(chosen)} persons erased", messages.SUCCESS)
        return None
