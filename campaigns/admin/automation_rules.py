"""Automation rules in the admin: each store's page with what they will send, and their forms."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from astronote.accounts.models import User
from astronote.common.admin_lists import LargeTableAdmin
from astronote.common.counts import format_count
from astronote.common.languages import language_of_store_or_country
from campaigns.admin.automations import toggle_automation
from campaigns.admin.message_types import limit_to_permitted_message_types
from campaigns.automations import rule_presets, rules
from campaigns.models import AutomationRule
from campaigns.service_campaigns import may_send_message_type


class PresetsForm(forms.Form):
    """The language of a store's presets."""

    language = forms.ChoiceField(
        label=_("Language"), choices=[(one.value, one.label) for one in rule_presets.LANGUAGES]
    )


@admin.register(AutomationRule)
class AutomationRuleAdmin(LargeTableAdmin):
    empty_hint = _(
        "A rule writes to customers before and after events; a store's page has presets."
    )
    list_display = ["name", "owner", "message_type", "trigger_type", "is_active"]
    list_filter = ["is_active", "trigger_type"]
    list_select_related = ["owner"]
    autocomplete_fields = ["owner"]
    change_form_outer_before_template = "campaigns/rule_tools.html"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A rule of service messages is changed by few."""
        may_send = obj is None or may_send_message_type(obj.message_type, request.user)
        return may_send and bool(super().has_change_permission(request, obj))

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "message_type":
            limit_to_permitted_message_types(field, request)
        return field

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path(
                "store/<int:store_id>/",
                view(self.show_store_rules_or_add_presets_view),
                name="campaigns_automationrule_store",
            ),
            path(
                "<int:pk>/switch/",
                view(self.toggle_rule_and_go_to_store_rules_view),
                name="campaigns_automationrule_switch",
            ),
            *super().get_urls(),
        ]

    def show_store_rules_or_add_presets_view(
        self, request: HttpRequest, store_id: int
    ) -> HttpResponse:
        """A store's rules, what they will send in the next days, and adding its presets."""
        store = get_object_or_404(User, pk=store_id, is_staff=False)
        may_add = self.has_add_permission(request)
        form = PresetsForm(
            request.POST or None, initial={"language": language_of_store_or_country(store)}
        )
        if request.method == "POST":
            if not may_add:
                raise PermissionDenied
            if form.is_valid():
                language = form.cleaned_data["language"]
                count = rule_presets.add_missing_presets(store, language, by=request.user)
                said = ngettext(
                    "%(count)s rule added, switched off",
                    "%(count)s rules added, switched off",
                    count,
                )
                messages.success(request, said % {"count": format_count(count)})
                return redirect("admin:campaigns_automationrule_store", store.pk)
        if not self.has_view_permission(request):
            raise PermissionDenied
        upcoming = {found.rule.id: found for found in rules.preview_rule_messages(store)}
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Rules of %(store)s") % {"store": store},
            "opts": self.model._meta,
            "store": store,
            "rules": [
                (rule, upcoming.get(rule.pk), self.has_change_permission(request, rule))
                for rule in AutomationRule.objects.filter(owner=store).order_by("pk")
            ],
            "form": form,
            "may_add": may_add,
            "may_see_contacts": request.user.has_perm("contacts.view_contact"),
        }
        return TemplateResponse(request, "campaigns/store_rules.html", context)

    def toggle_rule_and_go_to_store_rules_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Switch a rule on or off, and go to its store's rules."""
        if request.method != "POST" or not self.has_change_permission(request):
            raise PermissionDenied
        rule = get_object_or_404(AutomationRule, pk=pk)
        toggle_automation(request, rule)
        return redirect("admin:campaigns_automationrule_store", rule.owner_id)
