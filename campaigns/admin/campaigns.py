"""Campaigns in the admin: the list, the preview, the actions, and the progress."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from astronote.accounts.eligibility import SendingBlocked
from astronote.common import audit
from astronote.common.admin_lists import LargeTableAdmin
from astronote.common.counts import format_count
from astronote.common.store_clock import offset_suffix_if_shown_twice
from astronote.common.store_time import format_store_time_or_dash
from campaigns import message_csv, reports, service_campaigns
from campaigns.admin import direct_files, report_pages
from campaigns.admin.campaign_actions import (
    CAMPAIGN_ACTIONS,
    INPUT_FORMS,
    CampaignAction,
    may_send_campaign_type_if_action_sends,
)
from campaigns.admin.campaign_form import (
    AUDIENCE_FIELDS,
    CHOICE_FIELDS,
    FIELD_LABELS,
    TAGS_HELP,
    TEXT_FIELDS,
    CampaignForm,
    build_choice_names_column,
)
from campaigns.admin.message_types import limit_to_permitted_message_types
from campaigns.admin.templates import find_template_named_in_query_string
from campaigns.models import STARTABLE_STATUSES, Campaign, CampaignStatus
from campaigns.preview import (
    RecipientText,
    preview_campaign,
    preview_recipient_texts,
)
from messaging.statuses import MessageStatus

BADGE_COLORS = {
    CampaignStatus.DRAFT: "",
    CampaignStatus.SCHEDULED: "",
    CampaignStatus.SENDING: "info",
    CampaignStatus.PAUSED: "warning",
    CampaignStatus.COMPLETED: "success",
    CampaignStatus.FAILED: "danger",
    CampaignStatus.CANCELLED: "danger",
}
OUTCOME_WORDS = {
    MessageStatus.QUEUED: _("not sent yet"),
    MessageStatus.SENT: _("accepted by Mitto"),
    MessageStatus.DELIVERED: _("delivered"),
    MessageStatus.FAILED: _("failed"),
    MessageStatus.SKIPPED: _("skipped"),
    MessageStatus.UNKNOWN: _("without a clear answer from Mitto"),
}


def _build_confirm_or_perform_list_action(action_name: str) -> Callable[..., HttpResponse | None]:
    """Make the action of the list that performs a campaign action on the chosen campaigns."""
    campaign_action = CAMPAIGN_ACTIONS[action_name]

    @admin.action(description=campaign_action.label, permissions=["change"])
    def perform_on_chosen(
        self: CampaignAdmin, request: HttpRequest, queryset: QuerySet[Campaign]
    ) -> HttpResponse | None:
        if campaign_action.confirmation and not request.POST.get("confirmed"):
            return _render_list_action_confirmation_with_costs(self, request, queryset, action_name)
        for campaign in queryset.select_related("owner"):
            _perform_and_get_campaign_to_show_unless_form_error(request, campaign, campaign_action)
        return None

    perform_on_chosen.__name__ = action_name
    return perform_on_chosen


def _render_list_action_confirmation_with_costs(
    model_admin: CampaignAdmin, request: HttpRequest, queryset: QuerySet[Campaign], action_name: str
) -> HttpResponse:
    """The page that asks before an action on several campaigns, with the cost of each."""
    campaigns = queryset.select_related("owner__wallet")
    context = {
        **model_admin.admin_site.each_context(request),
        "title": gettext("%(label)s?") % {"label": CAMPAIGN_ACTIONS[action_name].label},
        "name": action_name,
        "action": CAMPAIGN_ACTIONS[action_name],
        "campaigns_with_previews": [
            (campaign, preview_campaign(campaign)) for campaign in campaigns
        ],
        "opts": model_admin.model._meta,
    }
    return TemplateResponse(request, "campaigns/confirm_list_action.html", context)


def _perform_and_get_campaign_to_show_unless_form_error(
    request: HttpRequest, campaign: Campaign, action: CampaignAction, form: forms.Form | None = None
) -> Campaign | None:
    """Perform an action and tell the operator how it went.

    Args:
        request: the operator's.
        campaign: the campaign.
        action: the action.
        form: a valid form with what the action needs; gets the error, if a person filled it in.

    Returns:
        The campaign to show next: the copy that the action created, else the same one. None if the
        form is to be shown again.
    """
    arguments = [form.cleaned_data[action.input_field]] if form else []
    try:
        result = action.function(campaign, *arguments, by=request.user)
    except (ValueError, SendingBlocked) as error:
        if form and form.visible_fields():
            form.add_error(action.input_field, str(error))
            return None
        messages.error(request, f"{campaign}: {error}")
        return campaign
    messages.success(request, f"{campaign}: {action.success}")
    return result if isinstance(result, Campaign) else campaign


@admin.register(Campaign)
class CampaignAdmin(LargeTableAdmin):
    empty_hint = _(
        "It is one text to many customers of a store; nothing is sent before you start it."
    )
    actions = [
        _build_confirm_or_perform_list_action(name)
        for name, action in CAMPAIGN_ACTIONS.items()
        if not (action.input_field or action.offered)
    ]
    list_display = [
        "name",
        "owner",
        "status_badge",
        "message_count",
        "nonzero_outcome_counts",
        "scheduled_at_in_store_time",
        "waiting_or_failure_reason",
    ]
    list_filter = ["status", "message_type"]
    list_select_related = ["owner"]
    search_fields = ["name"]
    autocomplete_fields = ["owner", "list", "template"]
    form = CampaignForm
    more_lists, segments, excluded_lists, excluded_segments = map(
        build_choice_names_column, CHOICE_FIELDS
    )
    fieldsets = [
        (_("Text"), {"fields": TEXT_FIELDS}),
        (_("Audience"), {"fields": AUDIENCE_FIELDS}),
    ]
    change_form_outer_before_template = "campaigns/campaign_actions.html"
    change_form_before_template = "campaigns/campaign_preview.html"

    class Media:
        js = ["campaigns/campaign_form.js"]

    def get_urls(self) -> list[URLPattern]:
        def named(route: str, view: Callable[..., HttpResponseBase], name: str) -> URLPattern:
            return path(route, self.admin_site.admin_view(view), name=f"campaigns_campaign_{name}")

        return [
            named("preview/", self.preview_posted_form_or_recipient_texts_view, "preview"),
            named("<int:pk>/do/<str:name>/", self.confirm_or_perform_action_view, "action"),
            named("<int:pk>/progress/", self.progress_and_report_fragment_view, "progress"),
            named("<int:pk>/messages.csv", self.audit_and_stream_messages_csv_view, "messages"),
            *report_pages.campaign_and_store_report_urls(self.admin_site),
            *direct_files.direct_file_urls(self.admin_site),
            *super().get_urls(),
        ]

    def get_queryset(self, request):
        return reports.annotate_with_next_batch(
            super().get_queryset(request).select_related("owner")
        )

    def has_change_permission(self, request, obj=None):
        """A campaign that was started cannot be changed; a service campaign by few."""
        if obj is not None and (
            obj.status not in STARTABLE_STATUSES
            or not service_campaigns.may_send_message_type(obj.message_type, request.user)
        ):
            return False
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request, obj=None):
        """A campaign that was started, with its messages, cannot be deleted."""
        started = obj is not None and obj.status not in STARTABLE_STATUSES
        return not started and super().has_delete_permission(request, obj)

    def get_actions(self, request):
        """Campaigns are deleted one by one, on the campaign's own page."""
        list_actions = super().get_actions(request)
        list_actions.pop("delete_selected", None)
        return list_actions

    def formfield_for_dbfield(self, db_field, request, **kwargs):
        if db_field.name == "offer_url":
            kwargs["assume_scheme"] = "https"
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "message_type":
            limit_to_permitted_message_types(field, request)
        if field and db_field.name in FIELD_LABELS:
            field.label = FIELD_LABELS[db_field.name]
        if db_field.name == "message_text":
            field.help_text = TAGS_HELP
            field.widget.attrs["rows"] = 5
        return field

    def get_changeform_initial_data(self, request):
        """A new campaign from a template has its store, name and text."""
        initial = super().get_changeform_initial_data(request)
        initial.pop("template", None)  # anything may stand in the address
        if template := find_template_named_in_query_string(request):
            initial |= {
                "owner": template.owner_id,
                "name": template.name,
                "template": template.pk,
                "message_text": template.text,
            }
        return initial

    def save_model(self, request, obj, form, change):
        if not change:
            obj.created_by = request.user
        super().save_model(request, obj, form, change)

    def response_add(self, request, obj, post_url_continue=None):
        """Go to the campaign's page, or to the question before it is sent."""
        messages.success(
            request, gettext("%(name)s: saved as a draft; nothing is sent yet") % {"name": obj}
        )
        if request.POST.get("_then") == "start":
            return redirect("admin:campaigns_campaign_action", obj.pk, "start")
        return redirect(_campaign_admin_url("change", obj.pk))

    def response_change(self, request, obj):
        """Go on with the action that the operator chose while the form had unsaved changes."""
        name = request.POST.get("_then", "")
        if name not in CAMPAIGN_ACTIONS:
            return super().response_change(request, obj)
        messages.success(request, gettext("%(name)s: changes saved") % {"name": obj})
        if CAMPAIGN_ACTIONS[name].confirmation:
            return redirect("admin:campaigns_campaign_action", obj.pk, name)
        return self.confirm_or_perform_action_view(request, obj.pk, name)

    def change_view(self, request, object_id, form_url="", extra_context=None):
        """The form of a campaign that can be started, else the page with progress and report."""
        campaign = self.get_object(request, object_id)
        if campaign is None or not self.has_view_permission(request, campaign):
            return super().change_view(request, object_id, form_url, extra_context)
        common = {
            "title": str(campaign),
            "original": campaign,
            "campaign_actions": self._available_actions(request, campaign),
            "scheduled_offset": campaign.scheduled_at
            and offset_suffix_if_shown_twice(campaign.scheduled_at, campaign.owner.timezone),
            "waiting_for": reports.why_waiting_or_blocked_or_empty(campaign),
            "service_notes": _service_campaign_notes(campaign, request.user),
        }
        if campaign.status in STARTABLE_STATUSES:
            return super().change_view(request, object_id, form_url, common)
        context = {
            **self.admin_site.each_context(request),
            **common,
            "opts": self.model._meta,
            **report_pages.campaign_progress_and_report_context(campaign),
        }
        return TemplateResponse(request, "campaigns/campaign_page.html", context)

    def _available_actions(
        self, request: HttpRequest, campaign: Campaign
    ) -> list[tuple[str, CampaignAction]]:
        """The actions that the operator can take now, by name."""
        if not super().has_change_permission(request):
            return []
        return [
            (name, action)
            for name, action in CAMPAIGN_ACTIONS.items()
            if campaign.status in action.statuses
            and may_send_campaign_type_if_action_sends(action, campaign, request.user)
            and (action.offered is None or action.offered(campaign, request.user))
        ]

    def confirm_or_perform_action_view(
        self, request: HttpRequest, pk: int, name: str
    ) -> HttpResponse:
        """Perform an action on POST; on GET show what it costs and ask for what it needs."""
        if not super().has_change_permission(request):
            raise PermissionDenied
        campaign = get_object_or_404(self.get_queryset(request), pk=pk)
        if name not in CAMPAIGN_ACTIONS:
            raise Http404
        action = CAMPAIGN_ACTIONS[name]
        if not may_send_campaign_type_if_action_sends(action, campaign, request.user):
            raise PermissionDenied
        form = None
        if action.input_field:
            form = INPUT_FORMS[action.input_field](request.POST or None, campaign=campaign)
        is_complete = request.method == "POST" and (form is None or form.is_valid())
        if is_complete and (
            shown_next := _perform_and_get_campaign_to_show_unless_form_error(
                request, campaign, action, form
            )
        ):
            return redirect(_campaign_admin_url("change", shown_next.pk))
        preview = preview_campaign(campaign) if action.shows_cost else None
        if action.preview:
            preview = preview_campaign(action.preview(campaign))
        if preview and name == "confirm":
            preview = preview._replace(problem="")  # that nobody has confirmed it yet
        search = request.GET.get("recipient", "").strip() if preview else ""
        context = {
            **self.admin_site.each_context(request),
            **_context_of_recipient_texts_if_text_is_valid(campaign, search),
            "title": f"{action.label}: {campaign}",
            "opts": self.model._meta,
            "original": campaign,
            "campaign": campaign,
            "action": action,
            "form": form,
            "preview": preview,
            "others": reports.other_campaigns_this_week(campaign) if preview else [],
            "blocked": name == "start" and preview is not None and preview.problem,
        }
        return TemplateResponse(request, "campaigns/confirm_action.html", context)

    def preview_posted_form_or_recipient_texts_view(self, request: HttpRequest) -> HttpResponse:
        """The preview of the campaign that the posted form describes, valid or not.

        The address names the campaign that the form changes, whose confirmation may still hold.
        """
        if request.method != "POST" or not super().has_change_permission(request):
            raise PermissionDenied
        form = self.get_form(request)(request.POST)
        form.is_valid()
        campaign = form.instance
        known = request.GET.get("campaign", "")
        campaign.pk = int(known) if known.isdecimal() else None
        sources = Campaign.objects.filter(pk=campaign.pk).values_list("not_reached_by", flat=True)
        campaign.not_reached_by_id = sources.first()
        if search := request.POST.get("recipient", "").strip():
            context = _context_of_recipient_texts_if_text_is_valid(campaign, search)
            return TemplateResponse(request, "campaigns/recipient_texts.html", context)
        preview = preview_campaign(campaign)
        problems = [
            error for name in ("offer_url", *AUDIENCE_FIELDS) for error in form.errors.get(name, [])
        ]
        if problems:
            preview = preview._replace(problem=" ".join(problems))
        context = {"preview": preview}
        return TemplateResponse(request, "campaigns/preview.html", context)

    def progress_and_report_fragment_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The part of a campaign's page that the browser fetches again every 2 seconds."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        campaign = get_object_or_404(self.get_queryset(request), pk=pk)
        context = {
            "campaign_actions": self._available_actions(request, campaign),
            **report_pages.campaign_progress_and_report_context(campaign),
        }
        return TemplateResponse(request, "campaigns/campaign_live.html", context)

    def audit_and_stream_messages_csv_view(
        self, request: HttpRequest, pk: int
    ) -> StreamingHttpResponse:
        """The campaign's messages as a CSV file."""
        if not request.user.has_perm("campaigns.view_campaignmessage"):
            raise PermissionDenied
        campaign = get_object_or_404(Campaign, pk=pk)
        audit.write_entry("messages exported", campaign, by=request.user)
        disposition = f'attachment; filename="campaign-{pk}-messages.csv"'
        return StreamingHttpResponse(
            message_csv.stream_message_csv_heading_and_lines(campaign.pk),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": disposition},
        )

    @display(description=_("status"), ordering="status", label=BADGE_COLORS)
    def status_badge(self, campaign: Campaign) -> tuple[str, str]:
        return campaign.status, campaign.get_status_display()

    @admin.display(description=_("messages"), ordering="total")
    def message_count(self, campaign: Campaign) -> str:
        return format_count(campaign.total)

    @admin.display(description=_("outcomes"))
    def nonzero_outcome_counts(self, campaign: Campaign) -> str:
        counts = {status: getattr(campaign, status) for status in OUTCOME_WORDS}
        return ", ".join(
            f"{format_count(count)} {OUTCOME_WORDS[status]}"
            for status, count in counts.items()
            if count
        )

    @admin.display(description=_("scheduled at"), ordering="scheduled_at")
    def scheduled_at_in_store_time(self, campaign: Campaign) -> str:
        return format_store_time_or_dash(campaign.scheduled_at, campaign.owner)

    @admin.display(description=_("reason for waiting or failing"))
    def waiting_or_failure_reason(self, campaign: reports.CampaignWithNextBatch) -> str:
        return reports.why_waiting_or_blocked_or_empty(campaign)


def _context_of_recipient_texts_if_text_is_valid(campaign: Campaign, search: str) -> dict[str, Any]:
    """What the customers that the search finds would read; nothing of a text that has a fault."""
    texts: list[RecipientText] = []
    if search and campaign.owner_id:
        with contextlib.suppress(ValueError):  # the preview says what is wrong with the text
            texts = preview_recipient_texts(campaign, search)
    return {"recipient_search": search, "recipient_texts": texts}


def _service_campaign_notes(campaign: Campaign, account: Any) -> list[str]:
    """What an operator must know of a service campaign, as sentences."""
    notes = []
    if not service_campaigns.may_send_message_type(campaign.message_type, account):
        notes.append(
            gettext(
                "A service campaign: only accounts that may send service messages change, schedule"
                " and start it."
            )
        )
    if confirmation := service_campaigns.describe_confirmation(campaign):
        notes.append(confirmation)
    return notes


def _campaign_admin_url(view_name: str, campaign_id: int) -> str:
    return reverse(f"admin:campaigns_campaign_{view_name}", args=[campaign_id])
