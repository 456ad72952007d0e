"""Automations, messages and what customers did, in the admin."""

from collections.abc import Callable

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import path

from campaigns import (
    automations,
    campaign_admin,  # noqa: F401 - registers itself
    models,
)
from contacts.finding import contacts_with
from contacts.listing import Listing, ReadOnlyListing
from messaging import unknown
from messaging.credits import InsufficientCredits
from messaging.models import MessageStatus


def _settle(function: Callable[..., int], label: str):
    """An admin action that settles the chosen messages whose fate is unknown."""

    @admin.action(description=label, permissions=["settle"])
    def action(self, request, queryset):
        try:
            done = function(
                self.model, list(queryset.values_list("pk", flat=True)), by=request.user
            )
        except InsufficientCredits as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            self.message_user(request, f"{label}: {done} messages", messages.SUCCESS)

    action.__name__ = function.__name__
    return action


def _asks_first(action: Callable, name: str, title: str, warning: str):
    """The same action once the operator has confirmed what it costs or cannot take back."""

    @admin.action(description=action.short_description, permissions=["settle"])
    def asking(self, request, queryset):
        if request.POST.get("confirmed"):
            return action(self, request, queryset)
        chosen = queryset.filter(status=MessageStatus.UNKNOWN)
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "warning": warning,
            "action": name,
            "count": chosen.count(),
            "chosen": chosen.values_list("pk", flat=True),
            "opts": self.model._meta,
        }
        return TemplateResponse(request, "campaigns/confirm_settle.html", context)

    asking.__name__ = name
    return asking


class TroubleFilter(admin.SimpleListFilter):
    """Messages that did not arrive: the few that an index of their own finds among millions."""

    title = "what went wrong"
    parameter_name = "trouble"

    def lookups(self, request, model_admin):
        wrong = (MessageStatus.FAILED, MessageStatus.SKIPPED, MessageStatus.UNKNOWN)
        return [(status.value, status.label) for status in wrong]

    def queryset(self, request, queryset):
        chosen = self.value()
        return queryset.filter(status=chosen).exclude(error_code="") if chosen else queryset


class MessageAdmin(ReadOnlyListing):
    actions = [
        _asks_first(
            _settle(unknown.mark_delivered, "Unknown: mark delivered"), "mark_delivered",
            "Mark unknown messages delivered?", "Their credits are charged for good.",
        ),
        _settle(unknown.mark_failed, "Unknown: mark failed and give credits back"),
        _asks_first(
            _settle(unknown.resend, "Unknown: send again"), "resend",
            "Send unknown messages again?",
            "Mitto never said whether it took them. Look them up in Mitto's portal first: sending "
            "them again repeats each one that it did take.",
        ),
    ]  # fmt: skip

    def has_settle_permission(self, request):
        return request.user.has_perm("campaigns.change_campaign")

    list_filter = [TroubleFilter]
    list_select_related = ["owner"]
    search_fields = ["provider_message_id"]
    search_help_text = "A whole number with + and country code, or Mitto's id."
    list_display = ["id", "owner", "to", "status", "delivery_status", "error_code", "sent_at"]

    def get_search_results(self, request, queryset, search_term):
        term = search_term.strip()
        if not term:
            return queryset, False
        if term.startswith("+"):
            return queryset.filter(contact__in=contacts_with(term), to=term), False
        return queryset.filter(provider_message_id=term), False


admin.site.register(models.AutomationMessage, MessageAdmin)


@admin.register(models.CampaignMessage)
class CampaignMessageAdmin(MessageAdmin):
    def get_ordering(self, request):
        # Of one campaign in the order of the index that finds them, not by sorting a million.
        one_campaign = "campaign__id__exact" in request.GET
        return ["contact"] if one_campaign else super().get_ordering(request)


@admin.register(models.Automation)
class AutomationAdmin(Listing):
    list_display = ["owner", "type", "is_active"]
    list_filter = ["type", "is_active"]
    list_select_related = ["owner"]
    autocomplete_fields = ["owner"]

    def get_urls(self):
        view = self.admin_site.admin_view(self.switch_view)
        return [
            path("<int:pk>/switch/", view, name="campaigns_automation_switch"),
            *super().get_urls(),
        ]

    def switch_view(self, request, pk):
        """On if it is off, off if it is on; back to the store's page."""
        if request.method != "POST" or not self.has_change_permission(request):
            raise PermissionDenied
        automation = get_object_or_404(models.Automation, pk=pk)
        on = not automation.is_active
        automations.switch(automation, on, by=request.user)
        messages.success(request, f"{automation}: switched {'on' if on else 'off'}")
        return redirect("admin:astronote_user_change", automation.owner_id)


@admin.register(models.NfcTag)
class NfcTagAdmin(Listing):
    list_display = ["label", "owner", "campaign", "is_active"]
    list_select_related = ["owner", "campaign"]
    autocomplete_fields = ["owner", "campaign"]


@admin.register(models.OfferViewEvent)
class OfferViewEventAdmin(ReadOnlyListing):
    list_display = ["campaign_message_id", "owner", "viewed_at"]
    list_select_related = ["owner"]


@admin.register(models.NfcScan)
class NfcScanAdmin(ReadOnlyListing):
    list_display = ["tag", "owner", "created_at"]
    list_select_related = ["tag", "owner"]


@admin.register(models.ConversionEvent)
class ConversionEventAdmin(ReadOnlyListing):
    list_display = ["id", "owner", "campaign", "occurred_at"]
    list_select_related = ["owner", "campaign"]


@admin.register(models.Redemption, models.AutomationRedemption)
class RedemptionAdmin(ReadOnlyListing):
    list_display = ["message_id", "owner", "redeemed_at"]
    list_select_related = ["owner"]
