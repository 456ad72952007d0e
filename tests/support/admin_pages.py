"""Every page of the admin, found by its registry and addresses, in an installation with data."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from html import unescape
from typing import Any
from urllib.parse import urljoin

from django.contrib import admin
from django.core.management import call_command
from django.test import Client, override_settings
from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from astronote.common import audit
from astronote.models import User
from campaigns import enqueue, exports
from campaigns.models import (
    Automation,
    AutomationRule,
    AutomationSend,
    Campaign,
    CampaignMessage,
    NfcScan,
    NfcTag,
    PublicSignupEvent,
    Redemption,
    SignupPage,
)
from contacts.consent import change_consent
from contacts.importing import lifecycle, planning
from contacts.models import Contact, CustomerEvent, CustomField
from messaging import receipts, replies, sending
from messaging.billing import adjustments, invoices, payments, profiles, subscriptions
from messaging.billing.models import AdjustmentType
from messaging.models import InvoiceRecord, MessageTemplate, Package, Payment, SavedAnswer
from tests.support.factories import make_campaign, make_list, make_store
from tests.support.receipts import store_receipts

LINK = re.compile(r'<a\b[^>]*\bhref="([^"#]+)')
# Pages of the queue dashboard come from its package, and end sessions, or are no pages.
LEFT_OUT = ("/django_rq/", "/logout/", "/jsi18n/", "/autocomplete/")


def fill_installation() -> User:
    """Data with which nearly every list has a row; returns the store. Needs a sandbox."""
    store = make_store(company="Anna's", timezone="Europe/Athens", phone_region="GR")
    target = make_list(store, 6)
    enqueue.enqueue_campaign(make_campaign(store, target).pk)
    sending.process_next_batch()
    sent = CampaignMessage.objects.filter(status="sent").order_by("pk")
    store_receipts(
        [
            {"messageId": sent[0].provider_message_id, "deliveryStatus": "Delivered"},
            {"messageId": sent[1].provider_message_id, "deliveryStatus": "Undelivered"},
        ]
    )
    receipts.apply_received_receipts()
    replies.store_replies(
        [
            {"from": "+306900000001", "text": "you again..."},
            {"from": "+306900000002", "text": "When do you open?"},
        ]
    )
    replies.apply_received_replies()
    change_consent(Contact.objects.last().pk, "unsubscribed", source="test")
    draft = make_campaign(store, target, name="Draft")
    make_campaign(store, None, name="Later", status="scheduled", scheduled_at=timezone.now())
    Automation.objects.create(owner=store, type="welcome_message", message_body="Welcome!")
    rule = AutomationRule.objects.create(
        owner=store, name="Birthday", message_body="Hi!", trigger_type="birthday"
    )
    contact = sent[2].contact
    event = CustomerEvent.objects.create(
        owner=store, contact=contact, event_type="visit", start_at=timezone.now()
    )
    AutomationSend.objects.create(
        owner=store, rule=rule, event=event, contact=contact, to=contact.phone, text="Hi!",
        segments=1, tracking_id="of a rule", status="skipped", error_code="rule_limit",
        scheduled_for=timezone.now(),
    )  # fmt: skip
    MessageTemplate.objects.create(owner=store, name="Sale", text="All is half price")
    SavedAnswer.objects.create(owner=store, name="Opening hours", text="We open at nine.")
    CustomField.objects.create(owner=store, key="city", label="City")
    exports.write_export_unless_written(exports.request_export(store, "ledger", by="test").pk)
    tag = NfcTag.objects.create(owner=store, label="Door")
    NfcScan.objects.create(owner=store, tag=tag, status="submitted", contact=contact)
    SignupPage.objects.create(owner=store, primary_color="#ffcc00")
    PublicSignupEvent.objects.create(
        owner=store, tag=tag, contact=contact, outcome="subscribed", idempotency_key="form"
    )
    Redemption.objects.create(owner=store, message=sent[2])
    audit.write_entry("pause", draft, by="watchdog")
    uploaded = lifecycle.create_unstarted_import_or_refuse(
        store.pk, "new.csv", [b"phone,name\n6900000099,Nina\n"]
    )
    planning.plan_import_and_store_plan_or_refuse(uploaded)
    fill_money(store)
    call_command("run_pii_retention")
    return store


def fill_money(store: User) -> Payment:
    """A package, a plan and payments, one of them returned and with an invoice."""
    package = Package.objects.create(name="Small", credits=1000, price_cents=4900)
    subscriptions.give_plan(store, plan_type="pro", interval="month", included=500, by="test")
    payments.record_plan_payment(store, 2900, key="plan 1", by="test")
    payment = payments.record_purchase(store, package, key="receipt 1", by="test")
    recipient = {"legal_name": "Anna's Shoes IKE", "billing_address": "Tsimiski 5\nThessaloniki"}
    recipient["vat_number"] = "EL123456789"
    profiles.set_invoice_recipient(store, recipient, by="test")
    with override_settings(INVOICE_SELLER="Astronote IKE|Ermou 1|105 63 Athens"):
        invoices.issue_invoice(payment, by="test")
    adjustments.record_adjustment(payment, AdjustmentType.DISPUTE, 1000, key="dispute 1", by="test")
    return payment


def every_page(client: Client) -> list[str]:
    """The addresses of all pages of the admin that the client's account may open.

    Of each registered model the list, the form of a new row and the page of the newest one; and
    each other address without parameters that answers with a whole page.
    """
    request = client.get("/admin/", follow=True).wsgi_request
    found = []
    for model, model_admin in admin.site._registry.items():
        if not model._meta.managed:
            continue
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        found.append(reverse(f"{name}_changelist"))
        if model_admin.has_add_permission(request):
            found.append(reverse(f"{name}_add"))
        if row := model_admin.get_queryset(request).order_by("-pk").first():
            found.append(reverse(f"{name}_change", args=[row.pk]))
    for address in _addresses_without_parameters(get_resolver().url_patterns, "", ""):
        is_new = address not in found and not any(part in address for part in LEFT_OUT)
        if is_new and _is_page(client.get(address)):
            found.append(address)
    return found


def pages_of_rows(store: User) -> list[str]:
    """Pages of one row besides those of the registry, in the installation of this store.

    A campaign that has ended, a report, rules, money and an invoice to print, and what the buttons
    of a draft ask before they act.
    """
    draft = Campaign.objects.get(name="Draft")
    payment = Payment.objects.filter(kind="topup").latest("pk")
    return [
        reverse("admin:campaigns_campaign_change", args=[Campaign.objects.earliest("pk").pk]),
        reverse("admin:campaigns_store_report", args=[store.pk]),
        reverse("admin:campaigns_automationrule_store", args=[store.pk]),
        "/admin/run/birthday/",
        reverse("record_purchase", args=[store.pk]),
        reverse("record_plan_payment", args=[store.pk]),
        reverse("return_payment", args=[payment.pk]),
        reverse("invoice_print", args=[InvoiceRecord.objects.latest("pk").pk]),
        *(
            reverse("admin:campaigns_campaign_action", args=[draft.pk, name])
            for name in ("start", "schedule", "test", "cancel")
        ),
    ]


def links_on(page: str, url: str) -> set[str]:
    """The addresses of the admin that a page leads to, but not the one that ends the session."""
    found = {urljoin(url, unescape(href)) for href in LINK.findall(page)}
    return {one for one in found if one.startswith("/admin/") and "logout" not in one}


def _is_page(answer: Any) -> bool:
    is_html = answer.headers.get("Content-Type", "").startswith("text/html")
    return answer.status_code == 200 and is_html and "<html" in answer.text


def _addresses_without_parameters(
    patterns: list[URLPattern | URLResolver], namespace: str, route: str
) -> Iterator[str]:
    for pattern in patterns:
        whole = route + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from _addresses_without_parameters(pattern.url_patterns, inner, whole)
        elif pattern.name and whole.startswith("admin/"):
            with contextlib.suppress(NoReverseMatch):
                yield reverse(f"{namespace}{pattern.name}")
