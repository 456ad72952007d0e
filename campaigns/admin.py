"""Campaigns, automations and their messages in the admin."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html

from campaigns import control, models, report_admin, reporting, schedule
from contacts.finding import contacts_with
from contacts.listing import Listing, ReadOnlyListing
from messaging import unknown
from messaging.credits import InsufficientCredits
from messaging.models import MessageStatus
from messaging.standing import Blocked

COUNTERS = ["total", "queued", "sent", "delivered", "failed", "skipped", "unknown"]


def _do(function: Callable[..., Any], label: str, done: str):
    """An admin action that does one thing to each chosen campaign and says what came of it."""

    @admin.action(description=label, permissions=["change"])
    def action(self, request, queryset):
        for campaign in queryset.select_related("owner"):
            try:
                function(campaign, by=request.user)
            except (ValueError, Blocked) as error:
                self.message_user(request, f"{campaign}: {error}", messages.ERROR)
            else:
                self.message_user(request, f"{campaign}: {done}", messages.SUCCESS)

    action.__name__ = label.split()[0].lower()
    return action


@admin.register(models.Campaign)
class CampaignAdmin(Listing):
    actions = [
        "start",
        _do(control.pause, "Pause", "paused"),
        _do(control.resume, "Resume", "going on"),
        _do(control.cancel, "Cancel for good", "cancelled"),
        _do(schedule.unschedule, "Unschedule", "a draft"),
        _do(control.duplicate, "Duplicate", "copied"),
    ]
    list_display = [
        "id",
        "name",
        "owner",
        "status",
        "scheduled_at",
        *COUNTERS,
        "waits_for",
        "report",
    ]
    list_display_links = ["id", "name"]
    list_filter = ["status", "message_type"]
    list_select_related = ["owner"]
    search_fields = ["name"]
    autocomplete_fields = ["owner", "created_by", "list"]
    readonly_fields = [
        "status", "waits_for", "report", "scheduled_at", "started_at", "finished_at", *COUNTERS,
        "conversions",
    ]  # fmt: skip
    exclude = ["block_reason", "retry_after"]

    @admin.action(description="Start now", permissions=["change"])
    def start(self, request, queryset):
        """Asks first, saying to how many and for how much."""
        if request.POST.get("confirmed"):
            return _do(control.start, "Start now", "started")(self, request, queryset)
        chosen = []
        for campaign in queryset.select_related("owner__wallet"):
            try:
                recipients, credits = control.cost(campaign)
                chosen.append((campaign, recipients, credits, ""))
            except ValueError as error:
                chosen.append((campaign, 0, 0, str(error)))
        context = {
            **self.admin_site.each_context(request),
            "title": "Start now?",
            "chosen": chosen,
            "opts": self.model._meta,
        }
        return TemplateResponse(request, "campaigns/confirm_start.html", context)

    def get_urls(self):
        return [*report_admin.urls(self.admin_site), *super().get_urls()]

    def formfield_for_dbfield(self, db_field, request, **kwargs):
        if db_field.name == "offer_url":
            kwargs["assume_scheme"] = "https"
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_queryset(self, request):
        return reporting.with_next_batch(super().get_queryset(request))

    @admin.display(description="waits for")
    def waits_for(self, campaign):
        # A campaign that is being made has neither.
        return reporting.waits_for(campaign) if campaign.pk else ""

    @admin.display(description="report")
    def report(self, campaign):
        if not campaign.pk:
            return ""
        address = reverse("admin:campaigns_campaign_report", args=[campaign.pk])
        return format_html('<a href="{}">Report</a>', address)


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
