"""Pages of the admin that show what campaigns came to."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.contrib.humanize.templatetags.humanize import intcomma
from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from campaigns import analytics, charts, reporting
from campaigns.audience import local_today
from campaigns.models import Campaign, CampaignMessage
from messaging.models import Batch

DAYS = 30
LONGEST = timedelta(days=400)


def urls(site: admin.AdminSite) -> list[URLPattern]:
    """Addresses below the list of campaigns."""
    views = {
        "<int:pk>/report.csv": (campaign_report_csv, "campaign_report_csv"),
        "stores/<int:pk>/report/": (store_report, "store_report"),
        "stores/<int:pk>/report.csv": (store_report_csv, "store_report_csv"),
    }
    return [
        path(route, site.admin_view(view), {"site": site}, name=f"campaigns_{name}")
        for route, (view, name) in views.items()
    ]


def page_of(campaign: Campaign) -> dict[str, Any]:
    """What a campaign's page shows of how it goes and what it came to."""
    report = analytics.of_campaign(campaign)
    zone = ZoneInfo(campaign.owner.timezone)
    batches = Batch.objects.filter(kind=CampaignMessage.batch_kind, source_id=campaign.pk)
    return {
        "campaign": campaign,
        "progress": reporting.progress_of(Campaign.objects.filter(pk=campaign.pk))[0],
        "figures": _figures(campaign, report),
        "reasons": [("Failed", report.failed), ("Skipped", report.skipped)],
        "links": analytics.links_of(campaign),
        "batches": batches.values_list("status").annotate(Count("pk")).order_by("status"),
        "chart": charts.bars(
            "Messages over time",
            ["accepted", "delivered", "failed"],
            analytics.over_time(report.moments, zone),
        ),
    }


def _figures(campaign: Campaign, report: analytics.CampaignReport) -> list[tuple[str, str]]:
    """What is written large, as text."""
    rate = "–" if report.delivery_rate is None else f"{report.delivery_rate:.1%}"
    counts = {
        "messages": campaign.total, "queued": campaign.queued, "accepted by Mitto": report.accepted,
        "delivered": report.delivered, "failed": campaign.failed, "skipped": campaign.skipped,
        "unknown": campaign.unknown, "clicks": report.clicks, "opted out": report.opted_out,
        "credits": report.credits,
    }  # fmt: skip
    waits = [(f"{p} % delivered within", f"{wait:g} s") for p, wait in report.waits.items()]
    return [
        *((name, intcomma(count)) for name, count in counts.items()),
        ("delivery rate", rate),
        *waits,
    ]


def campaign_report_csv(request: HttpRequest, site: admin.AdminSite, pk: int) -> HttpResponse:
    report = analytics.of_campaign(_campaign(request, pk))
    return _download(analytics.campaign_csv(report), f"campaign-{pk}")


def store_report(request: HttpRequest, site: admin.AdminSite, pk: int) -> HttpResponse:
    store = _store(request, pk)
    first, last = _days(request, store)
    days = analytics.of_store(store, first, last)
    context = {
        **site.each_context(request),
        "title": f"Report of {store}",
        "store": store,
        "first": first,
        "last": last,
        "columns": [name.replace("_", " ") for name in analytics.DAY_COLUMNS],
        "days": days[::-1],
        "chart": charts.bars(
            "Messages a day",
            ["accepted", "delivered", "failed"],
            [(f"{d.day:%a %d %b}", (d.accepted, d.delivered, d.failed)) for d in days],
        ),
    }
    return TemplateResponse(request, "campaigns/store_report.html", context)


def store_report_csv(request: HttpRequest, site: admin.AdminSite, pk: int) -> HttpResponse:
    store = _store(request, pk)
    days = analytics.of_store(store, *_days(request, store))
    return _download(analytics.days_csv(days), f"store-{pk}")


def _campaign(request: HttpRequest, pk: int) -> Campaign:
    if not request.user.has_perm("campaigns.view_campaign"):
        raise PermissionDenied
    campaigns = reporting.with_next_batch(Campaign.objects.select_related("owner"))
    return get_object_or_404(campaigns, pk=pk)


def _store(request: HttpRequest, pk: int):
    if not request.user.has_perm("campaigns.view_campaign"):
        raise PermissionDenied
    return get_object_or_404(get_user_model(), pk=pk)


def _days(request: HttpRequest, store) -> tuple[date, date]:
    """The days asked for; the last DAYS if none are, or if they cannot be read."""
    today = local_today(store)
    try:
        last = date.fromisoformat(request.GET.get("last") or today.isoformat())
        since = last - timedelta(days=DAYS - 1)
        first = date.fromisoformat(request.GET.get("first") or since.isoformat())
    except (ValueError, OverflowError):
        messages.error(request, "These are not two days; here are the last.")
        return today - timedelta(days=DAYS - 1), today
    return max(min(first, last), max(first, last) - LONGEST), max(first, last)


def _download(text: str, name: str) -> HttpResponse:
    disposition = f'attachment; filename="{name}.csv"'
    return HttpResponse(
        text, content_type="text/csv; charset=utf-8", headers={"Content-Disposition": disposition}
    )
