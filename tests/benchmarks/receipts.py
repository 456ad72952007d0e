"""Receipts a second that one web process accepts and one worker applies."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import orjson

from tests.benchmarks.result import Result, counted
from tests.support.installation import Installation, peak_mb
from tests.support.posting import Posted, post_all
from tests.support.waiting import wait_until

SIZES = [100_000]
# How many receipts a request has, and over how many connections they come at once.
SHAPES = [(1, 32), (50, 4)]
CHUNK = 5000
NAIVE = 1000
WEB = True
VARIABLES = {"WEB_CONCURRENCY": "1"}


def run(place: Installation, size: int) -> list[Result]:
    from campaigns.models import CampaignMessage
    from messaging.receipts import apply_received_receipts
    from tests.support.factories import make_store
    from tests.support.volume import make_sent_campaign

    campaign = make_sent_campaign(make_store(balance=0), size)
    ids = list(CampaignMessage.objects.order_by("pk").values_list("provider_message_id", flat=True))
    events = delivered_events(ids)
    rows = inbox_rows(events)
    bare_insert = _bare_insert(rows)
    bare_update = _bare_update(ids)
    naive = _naive(ids)
    _back_to_sent(campaign, size)
    address = f"http://127.0.0.1:{place.web_port}/webhooks/mitto/delivery"

    # Applying alone: all of them wait already.
    fill_inbox(rows)
    _, statements = counted(apply_received_receipts)
    _back_to_sent(campaign, size)
    fill_inbox(rows)
    seconds, peak = _apply_all(place, size)
    applied = Result(
        "receipts",
        "applied by one worker",
        size,
        "receipts/s",
        ours=size / seconds,
        bare=bare_update,
        naive=naive,
        peak_mb=peak,
        statements=statements / size * 1000,
    )

    # Accepting while they are applied, one in a request and many.
    results = [applied]
    for count, connections in SHAPES:
        _back_to_sent(campaign, size)
        bodies = [
            orjson.dumps(events[n : n + count] if count > 1 else events[n])
            for n in range(0, size, count)
        ]
        before = place.cpu()
        posted: Posted = post_all(address, bodies, connections=connections, token="sandbox")
        assert not posted.refused, f"{posted.refused} were refused"
        result = Result(
            "receipts",
            f"accepted, {count} a request",
            size,
            "receipts/s",
            ours=size / posted.seconds,
            bare=bare_insert if count == 1 else None,
            also={"p50 ms": round(posted.p50 * 1000, 1), "p99 ms": round(posted.p99 * 1000, 1)},
        )
        wait_until(lambda: _delivered(campaign) == size, seconds=600)
        result.count_cpu(before, place.cpu())
        results.append(result)
    return results


def delivered_events(ids: list[str]) -> list[dict]:
    """As Mitto posts them, a millisecond after each other."""
    began = datetime.now(UTC)
    return [
        {
            "messageId": one,
            "deliveryStatus": "Delivered",
            "destination": f"+3069{n:08}",
            "updatedAt": (began + timedelta(milliseconds=n)).isoformat(),
            "description": None,
        }
        for n, one in enumerate(ids)
    ]


def inbox_rows(events: list[dict]) -> list[tuple]:
    from messaging.inbox import NewEvent

    return [tuple(NewEvent.from_receipt_or_failed_if_unreadable(event)) for event in events]


INSERT = """
    INSERT INTO messaging_webhookevent (provider, event_type, event_id, provider_message_id,
        provider_status, occurred_at, error_code, error, payload, status, consent_request)
    VALUES ('mitto', 'dlr', %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""


def _bare_insert(rows: list[tuple]) -> float:
    """An INSERT and a commit each, on one connection, without any web server."""
    from django.db import connection

    some = rows[:5000]
    began = time.monotonic()
    with connection.cursor() as cursor:
        for row in some:
            cursor.execute(INSERT, row)
    seconds = time.monotonic() - began
    empty_inbox()
    return len(some) / seconds


def fill_inbox(rows: list[tuple]) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        with cursor.copy(
            "COPY messaging_webhookevent (event_id, provider_message_id, provider_status,"
            " occurred_at, error_code, error, payload, status, consent_request, provider,"
            " event_type) FROM STDIN"
        ) as copy:
            for row in rows:
                copy.write_row((*row, "mitto", "dlr"))
        cursor.execute("ANALYZE messaging_webhookevent")


def _bare_update(ids: list[str]) -> float:
    """The same rows changed by UPDATE ... FROM unnest, and nothing else."""
    from django.db import connection

    began = time.monotonic()
    with connection.cursor() as cursor:
        for start in range(0, len(ids), CHUNK):
            some = ids[start : start + CHUNK]
            cursor.execute(
                """
                UPDATE campaigns_campaignmessage m SET status = t.status, delivered_at = t.at,
                    delivery_status = t.provider_status, delivery_status_at = t.at
                FROM unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[])
                    AS t (provider_id, status, provider_status, at)
                WHERE m.provider_message_id = t.provider_id
                """,
                [
                    some,
                    ["delivered"] * len(some),
                    ["delivered"] * len(some),
                    [datetime.now(UTC)] * len(some),
                ],
            )
    return len(ids) / (time.monotonic() - began)


def _naive(ids: list[str]) -> float:
    """How most people would write it."""
    from campaigns.models import CampaignMessage

    began = time.monotonic()
    for one in ids[:NAIVE]:
        message = CampaignMessage.objects.get(provider_message_id=one)
        message.status, message.delivery_status = "delivered", "delivered"
        message.delivered_at = message.delivery_status_at = datetime.now(UTC)
        message.save()
    return NAIVE / (time.monotonic() - began)


def _apply_all(place: Installation, size: int) -> tuple[float, float]:
    """Seconds and the peak size of the worker that applies what waits."""
    from astronote.queues import jobs
    from messaging.models import WebhookEvent
    from messaging.receipts import APPLY_RECEIPTS

    began = datetime.now(UTC)
    place.start("poller", "rqworker delivery_status_poller")
    wait_until(lambda: peak_mb(place.group.pids()["poller"]) > 60)
    jobs.enqueue_on_commit("delivery_status_poller", APPLY_RECEIPTS)
    wait_until(lambda: not WebhookEvent.objects.filter(status="received").exists(), seconds=600)
    times = WebhookEvent.objects.filter(status="processed", received_at__lt=began)
    first, last = (
        times.order_by(order).values_list("processed_at", flat=True)[0]
        for order in ("processed_at", "-processed_at")
    )
    # processed_at is the beginning of a chunk's transaction: the last one's work is not in it.
    chunks = -(-size // CHUNK)
    seconds = (last - first).total_seconds() * chunks / (chunks - 1)
    return seconds, peak_mb(place.group.pids()["poller"])


def _back_to_sent(campaign, size: int) -> None:
    """As before any receipt came."""
    from django.db import connection

    from campaigns.models import Campaign, CampaignMessage
    from messaging.models import Batch, Tally

    CampaignMessage.objects.update(
        status="sent", delivered_at=None, delivery_status="", delivery_status_at=None
    )
    Campaign.objects.filter(pk=campaign.pk).update(sent=size, delivered=0)
    Batch.objects.update(awaiting=1000)
    Tally.objects.all().delete()
    empty_inbox()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE campaigns_campaignmessage")


def empty_inbox() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE messaging_webhookevent")
        cursor.execute("CHECKPOINT")


def _delivered(campaign) -> int:
    campaign.refresh_from_db()
    return campaign.delivered
