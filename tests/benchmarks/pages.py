"""How long each page of the admin takes among so many messages, and in how many queries.

The plans of what finds messages are written to `.astronote/plans.txt`.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.result import Result
from tests.support.installation import Installation

SIZES = [1_000_000]
POSTGRES = {"max_wal_size": "8GB", "shared_buffers": "512MB"}
VARIABLES = {"ALLOWED_HOSTS": "testserver", "STATUS_RATE_MAX": "100000"}
PLANS = Path(".astronote") / "plans.txt"
RUNS = 5


def run(place: Installation, size: int) -> list[Result]:
    from tests.support.factories import make_store
    from tests.support.volume import make_history

    store = make_store(balance=0)
    campaign = make_history(store, size)
    results = [_visit(page, size) for page in _pages(store, campaign, size)]
    results += _poll(campaign, size)
    _write_plans(campaign)
    return results


def _pages(store: Any, campaign: Any, size: int) -> Iterator[str]:
    """Every list of the admin, with each of its filters and a search, and a page of each form."""
    from django.contrib import admin
    from django.test import RequestFactory
    from django.urls import reverse

    from campaigns.models import CampaignMessage
    from contacts.models import Contact

    message = CampaignMessage.objects.filter(campaign=campaign).first()
    contact = Contact.objects.order_by("pk")[size // 2]
    request = RequestFactory().get("/")
    request.user = _operator()
    yield reverse("admin:index")
    yield reverse("live")
    yield reverse("admin:campaigns_campaign_progress", args=[campaign.pk])
    yield reverse("admin:campaigns_campaign_action", args=[campaign.pk, "duplicate"])
    yield reverse("admin:astronote_user_change", args=[store.pk])
    yield reverse("admin:campaigns_store_report", args=[store.pk])
    messages = reverse("admin:campaigns_campaignmessage_changelist")
    for query in (
        f"campaign__id__exact={campaign.pk}",
        f"campaign__id__exact={campaign.pk}&before={message.pk + size // 2}",
        f"q=%2B{message.to[1:]}",
        f"q={message.provider_message_id}",
        "trouble=failed",
        f"campaign__id__exact={campaign.pk}&trouble=failed",
    ):
        yield f"{messages}?{query}"
    contacts = reverse("admin:contacts_contact_changelist")
    yield f"{contacts}?q=%2B{message.to[1:]}"
    yield f"{contacts}?before={contact.pk}"
    yield f"{contacts}?opted_out=1"
    for model, model_admin in admin.site._registry.items():
        if not model._meta.managed:
            continue
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield (listing := reverse(f"{name}_changelist"))
        for field in model_admin.list_filter:
            if isinstance(field, str) and (value := _rarest_value(model, field)) is not None:
                yield f"{listing}?{field}__exact={value}"
        last = model_admin.get_queryset(request).order_by("-pk").first()
        if last:
            yield reverse(f"{name}_change", args=[last.pk])


def _rarest_value(model: Any, field_name: str) -> Any:
    """A filter's choice that no row has is the one that a list looks longest for."""
    field = model._meta.get_field(field_name)
    if field.get_internal_type() == "BooleanField":
        return 0
    choices = [value for value, _ in field.flatchoices]
    taken = set(model._default_manager.order_by("-pk").values_list(field_name, flat=True)[:1000])
    left = [value for value in choices if value not in taken]
    return left[-1] if left else (choices or [None])[0]


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
