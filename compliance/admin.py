"""Retention runs in the admin, and what a person may ask for on the list of contacts."""

import io
import json
import zipfile
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import F
from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.urls import path

from campaigns.models import AutomationMessage, CampaignMessage, OfferViewEvent
from compliance import models, personal_data, rights
from contacts.admin import ContactAdmin
from contacts.listing import ReadOnlyListing
from contacts.models import Contact, List


@admin.register(models.RetentionRun)
class RetentionRunAdmin(ReadOnlyListing):
    list_display = ["id", "status", "dry_run", "counts", "started_at", "finished_at", "error"]

    def get_urls(self):
        view = self.admin_site.admin_view(self.personal_data_view)
        return [path("personal-data/", view, name="personal_data"), *super().get_urls()]

    def personal_data_view(self, request):
        """Where personal data is, what for, and how long."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": "What is held",
            "opts": self.model._meta,
            "holdings": personal_data.PERSONAL,
        }
        return TemplateResponse(request, "compliance/personal_data.html", context)


@admin.register(models.RetentionAction)
class RetentionActionAdmin(ReadOnlyListing):
    list_display = ["run_id", "table", "action", "rows", "created_at"]


admin.site.unregister(Contact)


# On a contact's own page: the label, and how the button looks.
RIGHTS = {
    "export_person": ("Export all that is held", ""),
    "object_for_person": ("Opt out of everything", ""),
    "erase_person": ("Erase", "danger"),
}
SHOWN = 50


def _known_of(contact: Contact) -> dict[str, Any]:
    """The newest messages to a contact, and what else is known of them."""
    found: list[dict[str, Any]] = []
    columns = ("created_at", "status", "error_code", "text")
    for model, source in (
        (CampaignMessage, F("campaign__name")), (AutomationMessage, F("automation__type")),
    ):  # fmt: skip
        rows = model.objects.filter(contact=contact).order_by("-pk")
        found += rows.annotate(source=source).values(*columns, "source")[:SHOWN]
    lists = List.objects.filter(listmembership__contact=contact)
    found.sort(key=lambda row: row["created_at"], reverse=True)
    return {
        "messages_sent": found[:SHOWN],
        "offers_seen": OfferViewEvent.objects.filter(campaign_message__contact=contact).count(),
        "on_lists": list(lists.values_list("name", flat=True)),
    }


@admin.register(Contact)
class PersonAdmin(ContactAdmin):
    """The list of contacts, with the rights of the persons they are."""

    actions = ["export_person", "object_for_person", "erase_person"]
    change_form_outer_before_template = "compliance/person.html"

    def change_view(self, request, object_id, form_url="", extra_context=None):
        contact = self.get_object(request, object_id)
        shown = _known_of(contact) if contact and self.has_view_permission(request) else {}
        may = [name for name in self.get_actions(request) if name in RIGHTS] if contact else []
        shown["rights"] = [(name, *RIGHTS[name]) for name in RIGHTS if name in may]
        return super().change_view(request, object_id, form_url, shown)

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
