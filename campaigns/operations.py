"""What campaigns registers for the pages, checks and jobs of the ground floor, and for contacts."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import Sum
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from prometheus_client.core import GaugeMetricFamily, Metric

from astronote.operations import registry
from astronote.operations.registry import (
    FirstStep,
    Found,
    HomePanel,
    MetricSource,
    OperatorModels,
    RecurringJob,
    RecurringJobs,
    Repair,
    RunNow,
    SearchSource,
    SidebarLink,
    StorePanel,
    UploadPath,
)
from astronote.operations.watchdog import preview_watchdog
from campaigns import exports, panels, repairs
from campaigns.actions import TEST_KEY_PREFIX
from campaigns.automations import birthday
from campaigns.models import STARTABLE_STATUSES, Campaign
from campaigns.signup import signing_up
from contacts.contact_page import ContactPanel, contact_panels
from contacts.lookup import possible_numbers_in_countries_of_stores
from messaging.models import DirectMessage
from messaging.statuses import COUNTED_STATUSES

# Each zone's hours begin at one of these times.
EVERY_QUARTER_OF_AN_HOUR = "*/15 * * * *"

ROWS_FOUND = 5
BIRTHDAY_COUNTS = {
    "stores": _("stores"),
    "messages": _("messages"),
    "stores_without_credit": _("stores without credit"),
}


def _recurring_jobs() -> Iterator[RecurringJob]:
    yield RecurringJob(
        "watchdog",
        "watchdog",
        "campaigns.tasks.run_watchdog",
        interval=settings.WATCHDOG_INTERVAL / 1000,
        run_now=RunNow(
            "campaigns.change_campaign",
            _("It would look for what is stuck and repair it."),
            preview_watchdog,
        ),
    )
    yield RecurringJob(
        "due_campaigns",
        "scheduler",
        "campaigns.tasks.start_due_campaigns",
        interval=settings.SCHEDULE_SWEEP_INTERVAL_MS / 1000,
    )
    yield RecurringJob(
        "birthday",
        "birthday",
        "campaigns.tasks.run_birthdays",
        cron=EVERY_QUARTER_OF_AN_HOUR,
        on_start=settings.RUN_BIRTHDAY_ON_START,
        run_now=RunNow(
            "campaigns.change_campaign",
            _("It would send the birthday messages that are due, which stores pay for."),
            _preview_birthday_messages,
        ),
    )
    yield RecurringJob(
        "weekly_exports", "exports", "campaigns.tasks.request_weekly_exports", interval=3600
    )
    yield RecurringJob(
        "export_files", "exports", "campaigns.tasks.delete_expired_export_files", interval=3600
    )
    yield RecurringJob("welcome", "birthday", "campaigns.tasks.run_welcomes", interval=60)
    yield RecurringJob("automation_rules", "birthday", "campaigns.tasks.run_rules", interval=60)
    yield RecurringJob("signups", "birthday", signing_up.APPLY, interval=60)
    yield RecurringJob(
        "conversions", "birthday", "campaigns.tasks.attribute_recent_purchases", interval=600
    )
    yield RecurringJob(
        "conversions_of_month",
        "birthday",
        "campaigns.tasks.attribute_purchases_of_month",
        cron="20 2 * * *",
    )


def _campaign_message_metrics_by_status() -> Iterator[Metric]:
    messages = GaugeMetricFamily(
        "astronote_campaign_messages", "Messages of campaigns by status", labels=["status"]
    )
    counters = {name: Sum(name) for name in COUNTED_STATUSES}
    sums = Campaign.objects.aggregate(total=Sum("total"), **counters)
    for status in COUNTED_STATUSES:
        messages.add_metric([status], sums[status] or 0)
    counted = sum(sums[status] or 0 for status in COUNTED_STATUSES)
    messages.add_metric(["queued"], (sums["total"] or 0) - counted)
    yield messages


def _newest_startable_campaign_or_add_url() -> str:
    draft = Campaign.objects.filter(status__in=STARTABLE_STATUSES).order_by("-pk").first()
    if draft is None:
        return reverse("admin:campaigns_campaign_add")
    return reverse("admin:campaigns_campaign_change", args=[draft.pk])


registry.upload_paths.register(
    UploadPath("messages from a file", "/admin/campaigns/campaign/messages-from-file/")
)
registry.first_steps.register(
    FirstStep(
        _("Send a test to your own phone"),
        _("Write a campaign, save it, and press “Send a test” on its page."),
        DirectMessage.objects.filter(idempotency_key__startswith=TEST_KEY_PREFIX).exists,
        _newest_startable_campaign_or_add_url,
        "campaigns.change_campaign",
        70,
    ),
    FirstStep(
        _("Send the first campaign"),
        _("Its page shows who gets it, what it costs and what is left, before anything is sent."),
        Campaign.objects.filter(started_at__isnull=False).exists,
        _newest_startable_campaign_or_add_url,
        "campaigns.change_campaign",
        80,
    ),
)


def _preview_birthday_messages() -> dict[str, int]:
    counts = birthday.enqueue_birthday_messages(dry_run=True)
    return {str(BIRTHDAY_COUNTS[name]): count for name, count in counts.items()}


registry.recurring_jobs.register(RecurringJobs("campaigns", _recurring_jobs))
registry.home_panels.register(
    HomePanel(
        "in progress",
        "campaigns/panels/in_progress.html",
        panels.running_campaigns_and_imports_context,
        10,
    ),
    HomePanel(
        "scheduled", "campaigns/panels/scheduled.html", panels.next_scheduled_campaigns_context, 20
    ),
    HomePanel(
        "failures", "campaigns/panels/failures.html", panels.failure_reasons_of_last_day_context, 40
    ),
)
registry.store_panels.register(
    StorePanel("links", "campaigns/panels/store_links.html", panels.no_context_for_store_links, 30),
    StorePanel("sign-up", "campaigns/panels/store_signup.html", panels.store_signup_context, 40),
    StorePanel(
        "automations",
        "campaigns/panels/store_automations.html",
        panels.create_links_and_automations_context,
        50,
    ),
)
contact_panels.register(
    ContactPanel(
        "messages", "campaigns/panels/contact.html", panels.contact_messages_and_lists_context, 10
    )
)
registry.metric_sources.register(
    MetricSource("campaign messages", _campaign_message_metrics_by_status)
)
registry.repairs.register(
    Repair(
        "held_batches_released",
        repairs.release_held_batches,
        _("held batches released"),
    ),
    Repair(
        "campaigns_started",
        repairs.enqueue_due_campaigns,
        _("campaigns started"),
    ),
    Repair(
        "cancellings_finished",
        repairs.cancel_leftover_batches,
        _("cancellings finished"),
    ),
    Repair(
        "exports_enqueued", exports.enqueue_pending_exports_if_queue_empty, _("exports enqueued")
    ),
    Repair(
        "campaigns_repaired",
        repairs.repair_stuck_campaigns,
        _("campaigns repaired"),
    ),
    Repair("signups_enqueued", signing_up.enqueue_waiting_signups, _("signups enqueued")),
)
registry.operator_models.register(
    OperatorModels(
        "campaigns",
        (
            "campaign",
            "automation",
            "automationrule",
            "exportrun",
            "nfctag",
            "redemption",
            "segment",
            "signuppage",
        ),
        ("send_service",),
    )
)


def _find_newest_campaigns_with_name_containing(text: str) -> list[Found]:
    found = Campaign.objects.filter(name__icontains=text).select_related("owner").order_by("-pk")
    return [
        Found(
            str(campaign),
            gettext("campaign of %(store)s, %(status)s")
            % {"store": campaign.owner, "status": campaign.get_status_display()},
            reverse("admin:campaigns_campaign_change", args=[campaign.pk]),
        )
        for campaign in found[:ROWS_FOUND]
    ]


def _links_to_messages_of_possible_numbers(text: str) -> list[Found]:
    """A way to the messages to a number, however it is written."""
    address = reverse("admin:campaigns_campaignmessage_changelist")
    return [
        Found(
            gettext("Messages to %(number)s") % {"number": number},
            gettext("messages of campaigns"),
            f"{address}?{urlencode({'q': number})}",
        )
        for number in possible_numbers_in_countries_of_stores(text)
    ]


registry.search_sources.register(
    SearchSource(
        "campaigns",
        "campaign",
        "campaigns.view_campaign",
        _find_newest_campaigns_with_name_containing,
    ),
    SearchSource(
        "messages", "sms", "campaigns.view_campaignmessage", _links_to_messages_of_possible_numbers
    ),
)
registry.sidebar_links.register(
    SidebarLink.to_admin_changelist("", _("Campaigns"), "campaign", "campaigns.campaign", 10),
    SidebarLink.to_admin_changelist(
        _("SMS messages"), _("Campaign messages"), "sms", "campaigns.campaignmessage", 100
    ),
    SidebarLink.to_admin_changelist(
        _("SMS messages"), _("Automation messages"), "cake", "campaigns.automationmessage", 110
    ),
    SidebarLink.to_admin_changelist(
        _("SMS messages"), _("Messages of rules"), "event", "campaigns.automationsend", 115
    ),
    SidebarLink(
        _("SMS messages"),
        _("Messages from a file"),
        "upload",
        "admin:campaigns_direct_file",
        "campaigns.add_campaign",
        95,
    ),
    SidebarLink.to_admin_changelist(
        _("More"), _("Exports"), "download", "campaigns.exportrun", 418
    ),
    SidebarLink.to_admin_changelist(
        _("More"), _("Segments"), "filter_alt", "campaigns.segment", 415
    ),
    SidebarLink.to_admin_changelist(
        _("More"), _("Automations"), "bolt", "campaigns.automation", 400
    ),
    SidebarLink.to_admin_changelist(
        _("More"), _("Automation rules"), "rule", "campaigns.automationrule", 402
    ),
    SidebarLink.to_admin_changelist(
        _("More"), _("Offer views"), "visibility", "campaigns.offerviewevent", 440
    ),
    SidebarLink.to_admin_changelist(
        _("More"), _("QR codes and NFC tags"), "nfc", "campaigns.nfctag", 450
    ),
    SidebarLink.to_admin_changelist(_("More"), _("Scans"), "contactless", "campaigns.nfcscan", 460),
    SidebarLink.to_admin_changelist(
        _("More"), _("Sign-up pages"), "web", "campaigns.signuppage", 462
    ),
    SidebarLink.to_admin_changelist(
        _("More"), _("Sign-ups"), "person_add", "campaigns.publicsignupevent", 464
    ),
    SidebarLink.to_admin_changelist(
        _("More"), _("Conversions"), "shopping_bag", "campaigns.conversionevent", 470
    ),
    SidebarLink.to_admin_changelist(
        _("More"), _("Redemptions"), "redeem", "campaigns.redemption", 480
    ),
)
