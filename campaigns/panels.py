"""The panels of campaigns on the home page, on a store's page and on a contact's page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Count, F, Q
from django.http import HttpRequest
from django.utils import timezone

from astronote.common.sql import database_now, rows
from astronote.models import User
from campaigns import reports
from campaigns.automations.switching import create_links_and_sample_text
from campaigns.models import (
    RUNNING_STATUSES,
    Automation,
    AutomationMessage,
    AutomationSend,
    Campaign,
    CampaignMessage,
    CampaignStatus,
    NfcScanStatus,
    NfcTag,
    OfferViewEvent,
    SignupPage,
)
from campaigns.signup.tags import tag_url
from contacts.importing.lifecycle import import_progress
from contacts.models import OPEN_IMPORT_STATUSES, Contact, ContactImport, List
from messaging.statuses import STATUS_WORDS, MessageStatus, describe_reason

ROWS_SHOWN = 10
MESSAGES_SHOWN = 50


def running_campaigns_and_imports_context() -> dict[str, Any]:
    """Campaigns that are sending or paused and imports that are being read, with progress."""
    now = database_now()
    running = Campaign.objects.filter(status__in=RUNNING_STATUSES).order_by("-started_at")
    imports = ContactImport.objects.filter(status__in=OPEN_IMPORT_STATUSES).select_related("owner")
    return {
        "running": reports.progress_of_campaigns(running[:ROWS_SHOWN]),
        "imports": [
            (job, import_progress(job, now)) for job in imports.order_by("-pk")[:ROWS_SHOWN]
        ],
    }


def next_scheduled_campaigns_context() -> dict[str, Any]:
    """The campaigns that start next."""
    scheduled = Campaign.objects.filter(status=CampaignStatus.SCHEDULED).select_related("owner")
    return {"scheduled": list(scheduled.order_by("scheduled_at")[:ROWS_SHOWN])}


def failure_reasons_of_last_day_context() -> dict[str, Any]:
    """The reasons why messages failed in the last 24 hours, the most frequent first."""
    yesterday = timezone.now() - timedelta(days=1)
    counts = rows(COUNT_FAILURES, {"yesterday": yesterday, "shown": ROWS_SHOWN})
    return {"failures": [(describe_reason(code), count) for code, count in counts]}


# One day of tallies, of all stores.
COUNT_FAILURES = """
    SELECT detail, sum(count)::int FROM messaging_tally
    WHERE slot >= %(yesterday)s AND event = 'failed'
    GROUP BY detail HAVING sum(count) > 0 ORDER BY 2 DESC, 1 LIMIT %(shown)s
"""


def no_context_for_store_links(request: HttpRequest, store: User) -> dict[str, Any]:
    """Nothing: the template links to the lists and report of the store."""
    return {}


def create_links_and_automations_context(request: HttpRequest, store: User) -> dict[str, Any]:
    """A store's automations, each with a sample of its text."""
    automations = Automation.objects.filter(owner=store).order_by("type")
    return {
        "automations": [
            (automation, create_links_and_sample_text(automation)) for automation in automations
        ],
        "may_switch": request.user.has_perm("campaigns.change_automation"),
        "may_see_rules": request.user.has_perm("campaigns.view_automationrule"),
    }


def contact_messages_and_lists_context(request: HttpRequest, contact: Contact) -> dict[str, Any]:
    """The newest messages to a contact, its visits of offers and its lists."""
    columns = ("created_at", "status", "error_code", "text")
    messages: list[dict[str, Any]] = []
    for model, source in (
        (CampaignMessage, F("campaign__name")),
        (AutomationMessage, F("automation__type")),
        (AutomationSend, F("rule__name")),
    ):
        newest = model.objects.filter(contact=contact).order_by("-pk")
        messages += newest.annotate(source=source).values(*columns, "source")[:MESSAGES_SHOWN]
    messages.sort(key=lambda row: row["created_at"], reverse=True)
    for row in messages:
        row["status"] = STATUS_WORDS[MessageStatus(row["status"])]
        row["reason"] = describe_reason(row["error_code"]) if row["error_code"] else ""
    lists = List.objects.filter(listmembership__contact=contact)
    return {
        "store": contact.owner,
        "messages_sent": messages[:MESSAGES_SHOWN],
        "offers_seen": OfferViewEvent.objects.filter(campaign_message__contact=contact).count(),
        "list_names": list(lists.values_list("name", flat=True)),
    }


def store_signup_context(request: HttpRequest, store: User) -> dict[str, Any]:
    """The tags of a store with how often they were opened and used, and its last sign-ups."""
    tags = NfcTag.objects.filter(owner=store).order_by("-is_active", "pk")
    submitted = Count("nfcscan", filter=Q(nfcscan__status=NfcScanStatus.SUBMITTED))
    counted = tags.annotate(opened=Count("nfcscan"), submitted=submitted)
    return {
        "tags": [(tag, tag_url(tag)) for tag in counted[:ROWS_SHOWN]],
        "page": SignupPage.objects.filter(owner=store).first(),
        "may_add_tags": request.user.has_perm("campaigns.add_nfctag"),
        "may_change_page": request.user.has_perm("campaigns.change_signuppage"),
    }
