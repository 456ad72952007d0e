"""Automations in the admin, and switching them on and off."""

from __future__ import annotations

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from astronote.common.admin_lists import LargeTableAdmin
from campaigns import service_campaigns
from campaigns.admin.message_types import limit_to_permitted_message_types
from campaigns.admin.templates import find_template_named_in_query_string
from campaigns.automations.switching import switch_automation_and_audit_or_raise
from campaigns.models import Automation, AutomationRule


def toggle_automation(request: HttpRequest, automation: Automation | AutomationRule) -> None:
    """Switch an automation or rule off, or on if it is off, and tell the operator."""
    on = not automation.is_active
    try:
        switch_automation_and_audit_or_raise(automation, on, by=request.user)
    except ValueError as error:
        messages.error(request, f"{automation}: {error}")
    else:
        said = gettext("%(name)s: switched on") if on else gettext("%(name)s: switched off")
        messages.success(request, said % {"name": automation})


@admin.register(Automation)
class AutomationAdmin(LargeTableAdmin):
    empty_hint = _("An automation greets new customers, or customers on their birthday, by itself.")
    list_display = ["owner", "type", "is_active"]
    list_filter = ["type", "is_active"]
    list_select_related = ["owner"]
    autocomplete_fields = ["owner"]

    def has_change_permission(self, request, obj=None):
        """An automation of service messages is changed by few."""
        may_send = obj is None or service_campaigns.may_send_message_type(
            obj.message_type, request.user
        )
        return may_send and super().has_change_permission(request, obj)

    def get_changeform_initial_data(self, request):
        """A new automation from a template has its store and text."""
        initial = super().get_changeform_initial_data(request)
        if template := find_template_named_in_query_string(request):
            initial |= {"owner": template.owner_id, "message_body": template.text}
        return initial

    def formfield_for_dbfield(self, db_field, request, **kwargs):
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "message_type":
            limit_to_permitted_message_types(field, request)
        return field

    def get_urls(self):
        view = self.admin_site.admin_view(self.toggle_automation_and_go_to_store_view)
        return [
            path("<int:pk>/switch/", view, name="campaigns_automation_switch"),
            *super().get_urls(),
        ]

    def toggle_automation_and_go_to_store_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Switch an automation on or off, and go to the store's page."""
        if request.method != "POST" or not self.has_change_permission(request):
            raise PermissionDenied
        automation = get_object_or_404(Automation, pk=pk)
        toggle_automation(request, automation)
        return redirect("admin:astronote_user_change", automation.owner_id)
