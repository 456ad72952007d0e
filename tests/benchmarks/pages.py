"""How long each page and search of the admin takes among so many messages, and its queries.

The plans of what finds messages are written to `.astronote/plans.txt`.
"""

from __future__ import annotations

import re
import statistics
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from functools import cache
from itertools import chain, islice
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.benchmarks.result import Result
from tests.support.installation import Installation

SIZES = [10_000_000]
# Only reading is measured: what is filled in before need not outlive a crash.
POSTGRES = {"max_wal_size": "8GB", "shared_buffers": "512MB", "fsync": "off", "autovacuum": "off"}
VARIABLES = {"ALLOWED_HOSTS": "testserver", "STATUS_RATE_MAX": "100000"}
PLANS = Path(".astronote") / "plans.txt"
RUNS = 5
MIN_MEASURED = 100_000
PAGES_IF_NOT_MEASURED = 30
LARGEST_PAGE = 50
# Parameters that name a row, and addresses that answer with a file or act.
ROW = re.compile(r"^(before|after|.*__id__exact|q|owner|campaign|next|_changelist_filters)$")
NO_PAGE = re.compile(r"\.csv|/file/|/django_rq/")


def run(place: Installation, size: int) -> list[Result]:
    from tests.support.admin_pages import fill_installation
    from tests.support.copied_rows import copy_rows_of_every_list
    from tests.support.factories import make_store
    from tests.support.volume import make_history

    fill_installation()
    campaign = make_history(make_store("bob", balance=0), size)
    copy_rows_of_every_list(size // 50)
    _give_some_contacts_a_name_and_address()
    # Among few messages there is nothing to measure: some pages show that the bench itself works.
    limit = None if size >= MIN_MEASURED else PAGES_IF_NOT_MEASURED
    found = chain(islice(_pages_by_links(campaign), limit), islice(_searches(campaign), limit))
    pages = dict.fromkeys(found)
    results = [_visit(page, size) for page in pages]
    results += _poll(campaign, size)
    _write_plans(campaign)
    return results


def _give_some_contacts_a_name_and_address() -> None:
    """A name that one in 5,000 has, with accents, and an e-mail address."""
    from astronote.common.sql import execute

    execute(
        "UPDATE contacts_contact SET first_name = 'Φουρνάρης',"
        " email = 'fournaris' || id || '@example.com' WHERE id % 5000 = 0"
    )


def _pages_by_links(campaign: Any) -> Iterator[str]:
    """Every page that links lead to: each filter and order of each list, of all stores and of one.

    Of pages that differ by their row, two are visited; the large campaign and its store come first.
    """
    from django.contrib import admin
    from django.urls import resolve, reverse

    from tests.support.admin_pages import every_page, links_on

    store_of_list = urlencode({"owner__id__exact": campaign.owner_id})
    waiting = deque(
        [
            reverse("admin:campaigns_campaign_change", args=[campaign.pk]),
            reverse("admin:campaigns_campaign_action", args=[campaign.pk, "duplicate"]),
            reverse("admin:astronote_user_change", args=[campaign.owner_id]),
            reverse("admin:campaigns_store_report", args=[campaign.owner_id]),
            *every_page(_client()),
            *(
                reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
                + f"?{store_of_list}"
                for model, model_admin in admin.site._registry.items()
                if getattr(model_admin, "has_store_as_owner", False)
            ),
        ]
    )
    visits: Counter[tuple[str, frozenset[tuple[str, str]]]] = Counter()
    while waiting:
        page = waiting.popleft()
        split = urlsplit(page)
        query = frozenset(
            (name, "" if ROW.search(name) else value) for name, value in parse_qsl(split.query)
        )
        kind = (resolve(split.path).view_name, query)
        if visits[kind] == (1 if query else 2) or NO_PAGE.search(page):
            continue
        answer = _client().get(page)
        is_page = answer.headers.get("Content-Type", "").startswith("text/html")
        if answer.status_code != 200 or not is_page:
            continue
        visits[kind] += 1
        yield page
        is_filtered = split.query not in ("", store_of_list)
        waiting += [
            link
            for link in sorted(links_on(answer.text, page))
            if not (is_filtered and urlsplit(link).query)
        ]


def _searches(campaign: Any) -> Iterator[str]:
    """Each search: of every list, of every field that is chosen by typing, and of the whole admin.

    Searched are half a name, one with accents, an address, a number as on a card, and nothing that
    there is; and what the message log is asked for.
    """
    from django.contrib import admin
    from django.urls import reverse

    from campaigns.models import CampaignMessage

    message = CampaignMessage.objects.filter(campaign=campaign)[LARGEST_PAGE]
    card = f"{message.to[3:6]} {message.to[6:9]} {message.to[9:]}"
    terms = ["φουρν", "na", "Name5", "fournaris5000@ex", card, message.to, "zzzz"]
    everywhere = reverse("admin:search")
    for term in terms:
        yield f"{everywhere}?{urlencode({'s': term, 'extended': 1})}"
    for model, model_admin in admin.site._registry.items():
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        if getattr(model_admin, "search_fields", None):
            for term in (*terms, str(message.provider_message_id), f"campaign {campaign.pk}"):
                yield f"{reverse(f'{name}_changelist')}?{urlencode({'q': term})}"
        for field in getattr(model_admin, "autocomplete_fields", ()):
            for term in ("", *terms):
                query = {
                    "app_label": model._meta.app_label,
                    "model_name": model._meta.model_name,
                    "field_name": field,
                    "term": term,
                }
                yield f"{reverse('admin:autocomplete')}?{urlencode(query)}"
    log = reverse("admin:messaging_log")
    store = campaign.owner.email
    for query in (
        {"store": store},
        {"number": card},
        {"store": store, "number": card},
        {"status": "failed"},
        {"store": store, "status": "failed"},
        {"store": store, "status": "delivered", "kind": "campaign"},
        {"store": store, "kind": "direct"},
        {"first": "2020-01-01", "last": "2020-01-31"},
    ):
        yield f"{log}?{urlencode(query)}"


def _visit(page: str, size: int) -> Result:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client = _client()

    def get() -> int:
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(page)
            assert answer.status_code == 200, (page, answer.status_code)
            b"".join(answer)
        return len(queries)

    times, queries = _timed(get)
    return _result(page, size, times, {"queries": queries})


def _operator() -> Any:
    from astronote.models import User

    email = "operator@example.com"
    return User.objects.filter(email=email).first() or User.objects.create_superuser(email)


@cache
def _client() -> Any:
    from django.test import Client

    client = Client()
    client.force_login(_operator())
    return client


def _timed(function: Callable[[], Any]) -> tuple[list[float], Any]:
    """Milliseconds of each run, the first with nothing cached, and what the last returned."""
    times = []
    for _ in range(RUNS):
        began = time.monotonic()
        found = function()
        times.append((time.monotonic() - began) * 1000)
    return times, found


def _result(what: str, size: int, times: list[float], also: dict[str, Any]) -> Result:
    ms = statistics.median(times[1:])
    return Result("pages", what, size, "ms", ours=ms, also=also | {"first": f"{times[0]:.0f} ms"})


def _poll(campaign: Any, size: int) -> list[Result]:
    """What the poller does before it asks Mitto: the batches' turn, and their messages."""
    from datetime import timedelta

    from django.utils import timezone

    from campaigns.models import CampaignMessage
    from messaging import polling
    from messaging.models import Batch

    settled = timezone.now() - polling.MIN_AGE - timedelta(minutes=1)
    Batch.objects.filter(source_id=campaign.pk).update(settled_at=settled)
    times, batches = _timed(
        lambda: polling.least_recently_polled_batches_awaiting_receipts(
            polling.batches_settled_within_recent_poll_ages()
        )
    )
    pick = _result("the poller's pick of batches", size, times, {"batches": len(batches)})
    ids = [batch.pk for batch in batches]
    times, rows = _timed(
        lambda: polling.all_unknown_then_sent_messages_of_batches(CampaignMessage, ids)
    )
    return [
        pick,
        _result("the poller's pick of messages", size, times, {"messages": len(rows)}),
    ]


def _write_plans(campaign: Any) -> None:
    """EXPLAIN ANALYZE of every query of the campaign's pages and of the poller's pick."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from campaigns.models import CampaignMessage
    from messaging import polling

    base = f"/admin/campaigns/campaign/{campaign.pk}"
    client = _client()
    subjects = {
        "the campaign's page": lambda: client.get(f"{base}/change/"),
        "the home page": lambda: client.get("/admin/"),
        "its messages": lambda: client.get(
            f"/admin/campaigns/campaignmessage/?campaign__id__exact={campaign.pk}"
        ),
        "the newest messages": lambda: client.get("/admin/campaigns/campaignmessage/"),
        "the poller's pick": lambda: polling.all_unknown_then_sent_messages_of_batches(
            CampaignMessage,
            [
                b.pk
                for b in polling.least_recently_polled_batches_awaiting_receipts(
                    polling.batches_settled_within_recent_poll_ages()
                )
            ],
        ),
    }
    PLANS.parent.mkdir(exist_ok=True)
    with PLANS.open("w") as out:
        for name, subject in subjects.items():
            with CaptureQueriesContext(connection) as queries:
                subject()
            for query in queries:
                if query["sql"].startswith(("SELECT", "WITH")):
                    with connection.cursor() as cursor:
                        cursor.execute(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {query['sql']}")
                        plan = "\n".join(f"    {row[0]}" for row in cursor.fetchall())
                    print(f"{name}: {query['sql'][:300]}\n{plan}\n", file=out)
