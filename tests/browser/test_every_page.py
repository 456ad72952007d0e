"""Every page of the admin in a real browser, found by the registry, so that none is forgotten."""

import pytest
from django.urls import reverse

from astronote.models import User
from campaigns.models import Campaign
from messaging.models import InvoiceRecord, Payment
from tests.support.admin_pages import every_page, fill_installation
from tests.support.browser import DESKTOP, PHONE

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
PASSWORD = "a-long-password-of-mine"
DARKEN = "document.documentElement.classList.add('dark')"


def questions(campaign):
    """What the buttons of a campaign ask before they act."""
    return [
        reverse("admin:campaigns_campaign_action", args=[campaign.pk, name])
        for name in ("start", "schedule", "test", "cancel")
    ]


def money_pages(store):
    """Where money is recorded, and an invoice to print."""
    payment = Payment.objects.filter(kind="topup").latest("pk")
    return [
        reverse("record_purchase", args=[store.pk]),
        reverse("record_plan_payment", args=[store.pk]),
        reverse("return_payment", args=[payment.pk]),
        reverse("invoice_print", args=[InvoiceRecord.objects.latest("pk").pk]),
    ]


def test_every_page_is_for_everybody(browser, sandbox, client):
    """In light on a desk and in dark on a phone; `problems` of the browser are the assertion.

    axe-core finds nothing, no page scrolls sideways, and the console is empty.
    """
    root = User.objects.create_superuser("root@example.com", PASSWORD)
    client.force_login(root)
    store = fill_installation()
    ended = Campaign.objects.order_by("pk").first()
    pages = [
        *every_page(client),
        reverse("admin:campaigns_campaign_change", args=[ended.pk]),
        reverse("admin:campaigns_store_report", args=[store.pk]),
        reverse("admin:campaigns_automationrule_store", args=[store.pk]),
        "/admin/run/birthday/",
        *money_pages(store),
        *questions(Campaign.objects.get(name="Draft")),
    ]
    assert len(pages) > 75
    browser.login("root@example.com", PASSWORD)
    too_wide = []
    for page in pages:
        browser.in_size(DESKTOP)
        browser.open(page)
        browser.look_for_barriers()
        too_wide += [f"{page} on a desk"] * browser.is_wider_than_screen()
        browser.in_size(PHONE)
        browser.driver.execute_script(DARKEN)
        browser.look_for_barriers(has_axe=True)
        too_wide += [f"{page} on a phone"] * browser.is_wider_than_screen()
    assert not too_wide
