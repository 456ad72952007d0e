"""Campaigns in the admin: the form with its preview, what can be done, and how it goes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from unfold.decorators import display

from campaigns import control, message_csv, report_admin, reporting, schedule
from campaigns.models import COUNTED, RUNNING, STARTABLE, Campaign, CampaignStatus
from campaigns.preview import preview
from contacts.listing import Listing
from messaging.standing import Blocked

FIELDS = ["owner", "name", "message_type", "message_text", "offer_url", "list", "filter_gender",
          "filter_age_group"]  # fmt: skip


LABELS = {"owner": "Store", "message_text": "Text", "offer_url": "Offer address",
          "filter_gender": "Gender", "filter_age_group": "Age"}  # fmt: skip
TEXT_MAY_HOLD = (
    "May hold {{first_name}}, {{last_name}}, {{email}}, {{offer_link}} and {{unsubscribe_link}}."
)


LABEL_OF = {
    CampaignStatus.SENDING: "info", CampaignStatus.PAUSED: "warning",
    CampaignStatus.COMPLETED: "success", CampaignStatus.FAILED: "danger",
    CampaignStatus.CANCELLED: "danger",
}  # fmt: skip


class Act(NamedTuple):
    """Something that can be done with a campaign.

    `asks` is what the operator is told before; without it the button does it at once. `field` is
    what else has to be said: when, or to which number.
    """

    label: str
    do: Callable[..., Any]
    when: tuple[str, ...]
    done: str
    asks: str = ""
    field: str = ""
    shows_cost: bool = False
    style: str = ""


EVER = tuple(CampaignStatus.values)
ACTS = {
    "start": Act(
        "Send now", control.start, STARTABLE, "started", "It goes out at once.",
        shows_cost=True, style="main",
    ),
    "schedule": Act(
        "Schedule", schedule.schedule, STARTABLE, "scheduled",
        "It goes out by itself at the time that you say.", field="at", shows_cost=True,
    ),
    "test": Act(
        "Send a test", control.send_test, STARTABLE, "a test is on its way",
        "The text, filled for an invented customer, goes to one number, and is charged.",
        field="to",
    ),
    "unschedule": Act(
        "Unschedule", schedule.unschedule, (CampaignStatus.SCHEDULED,), "a draft again"
    ),
    "pause": Act("Pause", control.pause, (CampaignStatus.SENDING,), "paused"),
    "resume": Act("Resume", control.resume, (CampaignStatus.PAUSED,), "going on", style="main"),
    "cancel": Act(
        "Cancel", control.cancel, (CampaignStatus.SCHEDULED, *RUNNING), "cancelled",
        "What was not sent is skipped and not charged. This cannot be undone.", style="danger",
    ),
    "duplicate": Act("Duplicate", control.duplicate, EVER, "copied"),
}  # fmt: skip


class When(forms.Form):
    """The time at which a campaign starts, as the store's clock shows it."""

    at = forms.DateTimeField(
        label="At",
        widget=forms.DateTimeInput({"type": "datetime-local"}),
        input_formats=["%Y-%m-%dT%H:%M"],
    )

    def clean_at(self) -> datetime:
        return self.cleaned_data["at"].replace(tzinfo=None)


class To(forms.Form):
    to = forms.CharField(label="Number", max_length=40, widget=forms.TextInput({"type": "tel"}))


ASKED = {"at": When, "to": To}


def _in_list(name: str) -> Callable[..., Any]:
    """The same as an action on several campaigns of the list."""
    act = ACTS[name]

    @admin.action(description=act.label, permissions=["change"])
    def action(self, request, queryset):
        if act.asks and not request.POST.get("confirmed"):
            return _confirm_several(self, request, queryset, name)
        for campaign in queryset.select_related("owner"):
            _do(request, campaign, act)
        return None

    action.__name__ = name
    return action


def _confirm_several(self, request, queryset, name: str) -> HttpResponse:
    chosen = queryset.select_related("owner__wallet")
    context = {
        **self.admin_site.each_context(request),
        "title": f"{ACTS[name].label}?",
        "name": name,
        "act": ACTS[name],
        "chosen": [(campaign, preview(campaign)) for campaign in chosen],
        "opts": self.model._meta,
    }
    return TemplateResponse(request, "campaigns/confirm_several.html", context)


def _do(request: HttpRequest, campaign: Campaign, act: Act, *arguments: Any) -> Any:
    """Do it and say what came of it; returns what it made, None if it was not to be done."""
    try:
        made = act.do(campaign, *arguments, by=request.user)
    except (ValueError, Blocked) as error:
        messages.error(request, f"{campaign}: {error}")
        return None
    messages.success(request, f"{campaign}: {act.done}")
    return made if made is not None else campaign


@admin.register(Campaign)
class CampaignAdmin(Listing):
    actions = [_in_list(name) for name, act in ACTS.items() if not act.field]
    list_display = ["name", "owner", "state", "total", "became", "scheduled_at", "waits_for"]
    list_filter = ["status", "message_type"]
    list_select_related = ["owner"]
    search_fields = ["name"]
    autocomplete_fields = ["owner", "list"]
    fieldsets = [
        ("What it says", {"fields": FIELDS[:5]}),
        ("Who it is for", {"fields": FIELDS[5:]}),
    ]
    change_form_outer_before_template = "campaigns/campaign_acts.html"
    change_form_before_template = "campaigns/campaign_preview.html"

    class Media:
        js = ["campaigns/campaign_form.js"]

    def get_urls(self) -> list:
        def named(route: str, view: Callable[..., HttpResponse], name: str):
            return path(route, self.admin_site.admin_view(view), name=f"campaigns_campaign_{name}")

        return [
            named("preview/", self.preview_view, "preview"),
            named("<int:pk>/do/<str:name>/", self.act_view, "act"),
            named("<int:pk>/progress/", self.progress_view, "progress"),
            named("<int:pk>/messages.csv", self.messages_view, "messages"),
            *report_admin.urls(self.admin_site),
            *super().get_urls(),
        ]

    def get_queryset(self, request):
        return reporting.with_next_batch(super().get_queryset(request).select_related("owner"))

    def has_change_permission(self, request, obj=None):
        """What was started is history."""
        began = obj is not None and obj.status not in STARTABLE
        return not began and super().has_change_permission(request, obj)

    def has_delete_permission(self, request, obj=None):
        """Messages that were sent have to be answered for."""
        began = obj is not None and obj.status not in STARTABLE
        return not began and super().has_delete_permission(request, obj)

    def get_actions(self, request):
        """Deleting goes one by one, where it is seen what it is."""
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def formfield_for_dbfield(self, db_field, request, **kwargs):
        if db_field.name == "offer_url":
            kwargs["assume_scheme"] = "https"
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field and db_field.name in LABELS:
            field.label = LABELS[db_field.name]
        if db_field.name == "message_text":
            field.help_text = TEXT_MAY_HOLD
            field.widget.attrs["rows"] = 5
        return field

    def save_model(self, request, obj, form, change):
        if not change:
            obj.created_by = request.user
        super().save_model(request, obj, form, change)

    def response_add(self, request, obj, post_url_continue=None):
        """On to the page on which it is sent."""
        messages.success(request, f"{obj}: kept as a draft, nothing is sent yet")
        return redirect(_address("change", obj.pk))

    def change_view(self, request, object_id, form_url="", extra_context=None):
        campaign = self.get_object(request, object_id)
        if campaign is None or not self.has_view_permission(request, campaign):
            return super().change_view(request, object_id, form_url, extra_context)
        common = {
            "title": str(campaign),
            "original": campaign,
            "acts": self._acts(request, campaign),
            "waits": reporting.waits_for(campaign),
        }
        if campaign.status in STARTABLE:
            return super().change_view(request, object_id, form_url, common)
        context = {
            **self.admin_site.each_context(request),
            **common,
            "opts": self.model._meta,
            **report_admin.page_of(campaign),
        }
        return TemplateResponse(request, "campaigns/campaign_page.html", context)

    def _acts(self, request: HttpRequest, campaign: Campaign) -> list[tuple[str, Act]]:
        if not super().has_change_permission(request):
            return []
        return [(name, act) for name, act in ACTS.items() if campaign.status in act.when]

    def act_view(self, request: HttpRequest, pk: int, name: str) -> HttpResponse:
        """Do one thing with a campaign; what costs or cannot be undone asks first."""
        if not super().has_change_permission(request):
            raise PermissionDenied
        campaign = get_object_or_404(self.get_queryset(request), pk=pk)
        if name not in ACTS:
            raise Http404
        act = ACTS[name]
        form = ASKED[act.field](request.POST or None) if act.field else None
        if request.method == "POST" and (form is None or form.is_valid()):
            arguments = [form.cleaned_data[act.field]] if form else []
            made = _do(request, campaign, act, *arguments)
            return redirect(_address("change", made.pk if name == "duplicate" and made else pk))
        context = {
            **self.admin_site.each_context(request),
            "title": f"{act.label}: {campaign}",
            "opts": self.model._meta,
            "original": campaign,
            "campaign": campaign,
            "act": act,
            "form": form,
            "preview": preview(campaign) if act.shows_cost else None,
        }
        return TemplateResponse(request, "campaigns/confirm_act.html", context)

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """What the form, as it stands, would send."""
        if request.method != "POST" or not super().has_change_permission(request):
            raise PermissionDenied
        form = self.get_form(request)(request.POST)
        form.is_valid()
        seen = {name: form.cleaned_data.get(name) for name in FIELDS}
        campaign = Campaign(**{name: value for name, value in seen.items() if value is not None})
        context = {"preview": preview(campaign)}
        return TemplateResponse(request, "campaigns/preview.html", context)

    def progress_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The part of a campaign's page that updates itself."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        campaign = get_object_or_404(self.get_queryset(request), pk=pk)
        context = {"acts": self._acts(request, campaign), **report_admin.page_of(campaign)}
        return TemplateResponse(request, "campaigns/campaign_live.html", context)

    def messages_view(self, request: HttpRequest, pk: int) -> StreamingHttpResponse:
        if not request.user.has_perm("campaigns.view_campaignmessage"):
            raise PermissionDenied
        campaign = get_object_or_404(Campaign, pk=pk)
        disposition = f'attachment; filename="campaign-{pk}-messages.csv"'
        return StreamingHttpResponse(
            message_csv.lines(campaign.pk), content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": disposition},
        )  # fmt: skip

    @display(description="status", ordering="status", label=LABEL_OF)
    def state(self, campaign):
        return campaign.status, campaign.get_status_display()

    @admin.display(description="what became of them")
    def became(self, campaign):
        counts = [(name, getattr(campaign, name)) for name in ("queued", *COUNTED)]
        return ", ".join(f"{count:,} {name}" for name, count in counts if count)

    @admin.display(description="waits for")
    def waits_for(self, campaign):
        return reporting.waits_for(campaign)


def _address(name: str, pk: int) -> str:
    return reverse(f"admin:campaigns_campaign_{name}", args=[pk])
