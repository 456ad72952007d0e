"""Pages of the admin with the reports of campaigns and stores."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import admin, messages
from django.contrib.humanize.templatetags.humanize import intcomma
from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from astronote.common import audit, charts
from astronote.models import User
from campaigns import reports
from campaigns.models import Campaign, CampaignMessage
from messaging.models import Batch
from messaging.statuses import BatchStatus, advise_on_reason, describe_reason

DEFAULT_DAYS = 30
EARLIEST = date(2000, 1, 1)
MAX_PERIOD = timedelta(days=400)
SPAN_NAMES = dict(
    zip(
        reports.BAR_SPANS,
        (
            _("in five minutes"),
            _("in a quarter of an hour"),
            _("an hour"),
            _("in four hours"),
            _("a day"),
            _("a week"),
        ),
        strict=True,
    )
)
COLUMN_NAMES = {
    "accepted": _("accepted"),
    "delivered": _("delivered"),
    "failed": _("failed"),
    "skipped": _("skipped"),
    "opted_out": _("opted out"),
    "clicks": _("clicks"),
    "credits": _("credits"),
}


def campaign_and_store_report_urls(site: admin.AdminSite) -> list[URLPattern]:
    """The addresses of the reports, below that of the list of campaigns."""
    views = {
        "<int:pk>/report.csv": (campaign_report_csv_view, "campaign_report_csv"),
        "stores/<int:pk>/report/": (store_report_view, "store_report"),
        "stores/<int:pk>/report.csv": (audit_and_export_store_report_csv_view, "store_report_csv"),
    }
    return [
        path(route, site.admin_view(view), {"site": site}, name=f"campaigns_{name}")
        for route, (view, name) in views.items()
    ]


def campaign_progress_and_report_context(campaign: Campaign) -> dict[str, Any]:
    """The progress and report of a campaign, as its page shows them."""
    report = reports.campaign_report(campaign)
    zone = ZoneInfo(campaign.owner.timezone)
    batches = Batch.objects.filter(kind=CampaignMessage.batch_kind, source_id=campaign.pk)
    batch_counts = batches.values_list("status").annotate(Count("pk")).order_by("status")
    return {
        "campaign": campaign,
        "progress": reports.progress_of_campaigns(Campaign.objects.filter(pk=campaign.pk))[0],
        "figures": _labelled_figures(campaign, report),
        "funnel": reports.campaign_funnel(campaign, report),
        "reason_tables": [
            (gettext("Failed"), _reason_rows_with_sentence_and_advice(report.failed_by_reason)),
            (gettext("Skipped"), _reason_rows_with_sentence_and_advice(report.skipped_by_reason)),
        ],
        "not_reached_count": reports.count_failed_unknown_and_skipped_for_now(report),
        "links": report.shared_links,
        "batch_counts": [(BatchStatus(status).label, count) for status, count in batch_counts],
        "charts": _message_and_visit_charts_over_time(report, zone),
    }


def _message_and_visit_charts_over_time(
    report: reports.CampaignReport, zone: ZoneInfo
) -> list[charts.Chart]:
    """Messages and, beside them, the visits of the offer, which are far fewer."""
    points = reports.merge_slots_into_chart_points(report.slots, zone)
    each = SPAN_NAMES[reports.shortest_bar_span_holding_all_slots(report.slots)]
    found = (
        charts.bar_chart_or_none_if_all_zero(
            gettext("Messages %(each)s (%(zone)s)") % {"each": each, "zone": zone},
            [gettext("accepted"), gettext("delivered"), gettext("failed")],
            [(label, counts[:-1]) for label, counts in points],
        ),
        charts.bar_chart_or_none_if_all_zero(
            gettext("Visits of the offer %(each)s (%(zone)s)") % {"each": each, "zone": zone},
            [gettext("visits")],
            [(label, counts[-1:]) for label, counts in points],
        ),
    )
    return [chart for chart in found if chart]


def _reason_rows_with_sentence_and_advice(
    counts_by_reason: dict[str, int],
) -> list[tuple[str, str, str, int]]:
    """Each reason's code, sentence and advice, and the number of messages."""
    return [
        (code, describe_reason(code), advise_on_reason(code), count)
        for code, count in counts_by_reason.items()
    ]


def _labelled_figures(campaign: Campaign, report: reports.CampaignReport) -> list[tuple[str, str]]:
    """The main figures with their names, as text."""
    counts = [
        (gettext("messages"), campaign.total),
        (gettext("queued"), campaign.queued),
        (gettext("accepted by Mitto"), report.accepted),
        (gettext("delivered"), report.delivered),
        (gettext("failed"), campaign.failed),
        (gettext("skipped"), campaign.skipped),
        (gettext("unknown"), campaign.unknown),
        (gettext("clicks"), report.clicks),
        (gettext("opted out"), report.opted_out),
        (gettext("offers used"), report.redemptions),
        (gettext("purchases"), report.conversions),
        (gettext("credits"), report.credits),
    ]
    per_message = report.revenue_per_message
    return [
        *((name, intcomma(count)) for name, count in counts),
        (gettext("value of the purchases"), f"{report.revenue:,.2f}"),
        (gettext("value per message"), "–" if per_message is None else f"{per_message:,.2f}"),
        (
            gettext("delivered of all messages"),
            _percentage_text_or_dash(report.delivered, campaign.total),
        ),
        (
            gettext("delivered of the accepted"),
            _percentage_text_or_dash(report.delivered, report.accepted),
        ),
        *(
            (
                gettext("%(percent)s %% delivered within") % {"percent": percentile},
                gettext("%(seconds)s s") % {"seconds": f"{seconds:g}"},
            )
            for percentile, seconds in report.delivery_seconds.items()
        ),
    ]


def _percentage_text_or_dash(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"


def campaign_report_csv_view(request: HttpRequest, site: admin.AdminSite, pk: int) -> HttpResponse:
    """The report of a campaign as a CSV file."""
    campaign = _get_campaign_or_raise_forbidden_or_404(request, pk)
    audit.write_entry("report exported", campaign, by=request.user)
    report = reports.campaign_report(campaign)
    return _csv_response(reports.campaign_report_as_csv(report), f"campaign-{pk}")


def store_report_view(request: HttpRequest, site: admin.AdminSite, pk: int) -> HttpResponse:
    """The report of a store by day."""
    store = _get_store_or_raise_forbidden_or_404(request, pk)
    first, last = _parse_first_and_last_day_or_show_error_and_use_default(request, store)
    days = reports.store_report(store, first, last)
    context = {
        **site.each_context(request),
        "title": gettext("Report of %(store)s") % {"store": store},
        "store": store,
        "first": first,
        "last": last,
        "columns": [COLUMN_NAMES[name] for name in reports.STORE_DAY_COUNTS],
        "days": days[::-1],
        "chart": charts.bar_chart_or_none_if_all_zero(
            gettext("Messages a day"),
            [gettext("accepted"), gettext("delivered"), gettext("failed")],
            [
                (date_format(row.day, "D d M"), (row.accepted, row.delivered, row.failed))
                for row in days
            ],
        ),
    }
    return TemplateResponse(request, "campaigns/store_report.html", context)


def audit_and_export_store_report_csv_view(
    request: HttpRequest, site: admin.AdminSite, pk: int
) -> HttpResponse:
    """The report of a store by day as a CSV file."""
    store = _get_store_or_raise_forbidden_or_404(request, pk)
    days = reports.store_report(
        store, *_parse_first_and_last_day_or_show_error_and_use_default(request, store)
    )
    audit.write_entry("report exported", store, by=request.user, owner_id=store.pk)
    return _csv_response(reports.store_days_as_csv(days), f"store-{pk}")


def _get_campaign_or_raise_forbidden_or_404(request: HttpRequest, pk: int) -> Campaign:
    if not request.user.has_perm("campaigns.view_campaign"):
        raise PermissionDenied
    return get_object_or_404(Campaign, pk=pk)


def _get_store_or_raise_forbidden_or_404(request: HttpRequest, pk: int) -> User:
    if not request.user.has_perm("campaigns.view_campaign"):
        raise PermissionDenied
    return get_object_or_404(User, pk=pk, is_staff=False)


def _parse_first_and_last_day_or_show_error_and_use_default(
    request: HttpRequest, store: User
) -> tuple[date, date]:
    """The first and last day of the query; the last DEFAULT_DAYS where it has none, or bad ones."""
    today = timezone.localdate(timezone=ZoneInfo(store.timezone))
    default_period = timedelta(days=DEFAULT_DAYS - 1)
    try:
        last = date.fromisoformat(request.GET.get("last") or today.isoformat())
        default_first = last - default_period
        first = date.fromisoformat(request.GET.get("first") or default_first.isoformat())
        if not EARLIEST <= min(first, last) <= max(first, last) <= today + MAX_PERIOD:
            raise ValueError("no store has figures of such a day")
    except (ValueError, OverflowError):
        said = gettext("These are not two days. Shown are the last %(days)s days.")
        messages.error(request, said % {"days": DEFAULT_DAYS})
        return today - default_period, today
    return max(min(first, last), max(first, last) - MAX_PERIOD), max(first, last)


def _csv_response(text: str, file_name_without_suffix: str) -> HttpResponse:
    disposition = f'attachment; filename="{file_name_without_suffix}.csv"'
    return HttpResponse(
        text, content_type="text/csv; charset=utf-8", headers={"Content-Disposition": disposition}
    )
