"""The pictures of the README and of the pages that operators see most, from a real installation.

python -m tests.pictures                 # docs/*.png anew
python -m tests.pictures --all FOLDER    # each page on a desk and on a phone, in light and in dark
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.support.browser import DESKTOP, PHONE, Browser
from tests.support.installation import Installation
from tests.support.waiting import answers, wait_until

QUEUES = [
    "sms", "scheduler", "contact_import", "birthday", "status_refresh", "delivery_status_poller",
    "watchdog", "pii_retention", "exports",
]  # fmt: skip
COMMANDS = [f"rqworker {' '.join(QUEUES)}", "rqworker sms", "rqscheduler"]
VARIABLES = {"LOG_LEVEL": "WARNING", "SMS_BATCH_SIZE": "50", "WEB_CONCURRENCY": "1"}
SANDBOX = ["--latency-ms", "400", "--undelivered-share", "0.03"]
DOCS = Path(__file__).parent.parent / "docs"
EMAIL, PASSWORD = "operator@example.com", "an-invented-password-7"
FIRST_NAMES = ["Maria", "Eleni", "Nikos", "Anna", "Petros", "Sofia", "Γιώργος", "Chloé", "Jürgen"]
LAST_NAMES = ["Kalogirou", "Vasilaki", "Papaioannou", "Φουρνάρης", "Schäfer", "Martin", "Rossi"]
REPLIES = ["When do you open on Saturday?", "thanks!!", "you again...", "Is size 39 left?"]
HAS_CHART = "return 'Chart' in window"
TEXT = "Hello {{first_name}}, everything is half price this weekend."


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", type=Path, help="the folder for pictures of every page")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        Installation(commands=COMMANDS, sandbox=SANDBOX, variables=VARIABLES) as place,
    ):
        wait_until(lambda: answers(place.web_port), 120)
        place.wait_for_worker("sms-1")
        pages = _fill(place)
        browser = Browser(os.environ["PUBLIC_WEB_BASE_URL"], Path(folder))
        browser.login(EMAIL, PASSWORD)
        _take_for_readme(browser, pages, options.all or DOCS)
        if options.all:
            _take_all(browser, pages, options.all)
        browser.close()
    return 0


def _fill(place: Installation) -> dict[str, str]:
    """A store at work: a campaign that has ended, one being sent, one to come; returns pages."""
    from django.urls import reverse
    from django.utils import timezone

    from astronote.models import User
    from campaigns import enqueue
    from campaigns.models import Automation, CampaignMessage
    from contacts.importing import lifecycle, planning
    from contacts.models import Contact, List, ListMembership
    from messaging import replies
    from messaging.models import MessageTemplate, WebhookEvent
    from tests.support.admin_pages import fill_money
    from tests.support.factories import make_campaign, make_store

    User.objects.create_superuser(EMAIL, PASSWORD)
    store = make_store(
        "blue-door", company="Blue Door", sender_name="BlueDoor", balance=20_000,
        timezone="Europe/Athens", phone_region="GR",
    )  # fmt: skip
    contacts = Contact.objects.bulk_create(
        Contact(
            owner=store,
            # One in a hundred is a number of a house, which gets no SMS.
            phone=f"+30{'2101' if number % 100 == 7 else '6900'}{number:06}",
            first_name=FIRST_NAMES[number % len(FIRST_NAMES)],
            last_name=LAST_NAMES[number % len(LAST_NAMES)],
            email=f"customer{number}@example.com",
            is_subscribed=number % 25 != 3,
        )
        for number in range(3000)
    )
    regulars = List.objects.create(owner=store, name="Regulars")
    ListMembership.objects.bulk_create(
        ListMembership(list=regulars, contact=contact) for contact in contacts
    )
    ended = make_campaign(store, regulars, name="Spring sale", message_text=TEXT)
    ended = enqueue.enqueue_campaign(ended.pk)

    def has_outcomes() -> bool:
        ended.refresh_from_db()
        return ended.status == "completed" and ended.sent == 0

    wait_until(has_outcomes, 240)
    _spread_over_the_day(ended)
    sent = CampaignMessage.objects.filter(status="delivered").order_by("pk")
    replies.store_replies(
        [{"from": sent[30 * n].to, "text": text} for n, text in enumerate(REPLIES)]
    )
    wait_until(lambda: not WebhookEvent.objects.filter(status="received").exists())
    Automation.objects.create(
        owner=store, type="birthday_message", message_body="Happy birthday, {{first_name}}!"
    )
    MessageTemplate.objects.create(owner=store, name="Sale", text=TEXT)
    make_campaign(
        store, regulars, name="New in summer", status="scheduled", message_text="It is here.",
        scheduled_at=timezone.now() + timedelta(days=3),
    )  # fmt: skip
    draft = make_campaign(store, regulars, name="Last days", message_text=TEXT)
    fill_money(store)
    uploaded = lifecycle.create_unstarted_import_or_refuse(
        store.pk,
        "customers.csv",
        [
            b"Name,Mobile,Birthday,Newsletter,Shoe size\n",
            b"Maria K,6900000001,1990-04-02,yes,39\nNikos P,69000,1985-12-24,no,44\n",
        ],
    )
    planning.plan_import_and_store_plan_or_refuse(uploaded)
    place.behave(latency_ms=4000)
    running = make_campaign(store, regulars, name="Midseason", message_text=TEXT)
    running = enqueue.enqueue_campaign(running.pk)

    def is_under_way() -> bool:
        running.refresh_from_db()
        return running.processed > 0

    wait_until(is_under_way, 120)
    reply = WebhookEvent.objects.filter(event_type="inbound").earliest("pk")
    campaign = "admin:campaigns_campaign"
    return {
        "home": reverse("admin:index"),
        "campaign": reverse(f"{campaign}_change", args=[ended.pk]),
        "campaign-form": reverse(f"{campaign}_action", args=[draft.pk, "start"]),
        "draft": reverse(f"{campaign}_change", args=[draft.pk]),
        "campaigns": reverse(f"{campaign}_changelist"),
        "inbox": reverse("admin:messaging_reply_changelist"),
        "conversation": reverse("admin:messaging_reply_change", args=[reply.pk]),
        "contacts": reverse("admin:contacts_contact_changelist"),
        "contact": reverse("admin:contacts_contact_change", args=[sent[0].contact_id]),
        "import": reverse("admin:contacts_contactimport_change", args=[uploaded.pk]),
        "import-form": reverse("admin:contacts_contactimport_add"),
        "store": reverse("admin:astronote_user_change", args=[store.pk]),
        "store-report": reverse("admin:campaigns_store_report", args=[store.pk]),
        "ledger": reverse("admin:messaging_credittransaction_changelist"),
        "log": reverse("admin:messaging_log"),
        "audit-trail": reverse("admin:astronote_auditentry_changelist"),
        "exports": reverse("admin:campaigns_exportrun_changelist"),
    }


def _spread_over_the_day(campaign: Any) -> None:
    """As if the campaign had been sent in an hour this morning, and others on the days before."""
    from astronote.common.sql import execute

    execute(
        """
        WITH moved AS (
            DELETE FROM messaging_tally WHERE source_id = %s AND kind = 'campaign' RETURNING *)
        INSERT INTO messaging_tally (owner_id, kind, source_id, slot, event, detail, count)
        SELECT owner_id, kind, source_id,
            date_bin('5 minutes', now(), '2000-01-01+00') - interval '2 hours'
                + n * interval '5 minutes',
            event, detail, sum(count * shares[n + 1] / 34 - count * shares[n] / 34)
        FROM moved, generate_series(1, 9) AS n,
            (VALUES (ARRAY[0, 2, 5, 9, 14, 20, 25, 29, 32, 34])) AS of_the_hour (shares)
        GROUP BY 1, 2, 3, 4, 5, 6
        """,
        [campaign.pk],
    )
    execute(
        """
        INSERT INTO messaging_tally (owner_id, kind, source_id, slot, event, detail, count)
        SELECT owner_id, 'automation', source_id, slot - day * interval '1 day', event, detail,
            count * (1 + (day * 7) %% 5) / 3
        FROM messaging_tally, generate_series(1, 13) AS day
        WHERE source_id = %s AND kind = 'campaign' AND count * (1 + (day * 7) %% 5) / 3 > 0
        """,
        [campaign.pk],
    )


def _take_for_readme(browser: Browser, pages: dict[str, str], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, page, size in (
        ("home", "home", DESKTOP),
        ("home-phone", "home", PHONE),
        ("campaign-form", "campaign-form", (1280, 960)),
        ("campaign-dark", "campaign", (1280, 1500)),
    ):
        browser.in_size(size)
        browser.open(pages[page])
        if name.endswith("dark"):
            browser.switch_to_dark()
        if page in ("home", "campaign"):  # they have charts
            wait_until(lambda: browser.driver.execute_script(HAS_CHART), 120)
            wait_until(browser.drawn_bars, 120)
        browser.driver.save_screenshot(str(folder / f"{name}.png"))


def _take_all(browser: Browser, pages: dict[str, str], folder: Path) -> None:
    for name, page in pages.items():
        for size_name, size in _sizes():
            browser.in_size(size)
            browser.open(page)
            browser.switch_to_light()
            browser.driver.save_screenshot(str(folder / f"{name}-{size_name}-light.png"))
            browser.switch_to_dark()
            browser.driver.save_screenshot(str(folder / f"{name}-{size_name}-dark.png"))


def _sizes() -> Iterator[tuple[str, tuple[int, int]]]:
    yield "desk", (DESKTOP[0], 1600)
    yield "phone", (PHONE[0], 1600)


if __name__ == "__main__":
    sys.exit(main())
