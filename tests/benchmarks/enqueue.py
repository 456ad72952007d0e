"""Recipients a second from a campaign to its messages, batches, credits and jobs."""

from __future__ import annotations

import tempfile
import time
from typing import Any

from tests.benchmarks.result import Result, counted
from tests.support.installation import Installation, peak_mb
from tests.support.waiting import wait_until

SIZES = [10_000, 100_000, 1_000_000]
POSTGRES = {"max_wal_size": "4GB"}
NAIVE = 1000
COLUMNS = (
    'owner_id, campaign_id, contact_id, "to", text, segments, batch_id, status, error_code,'
    " tracking_id"
)


def run(place: Installation, size: int) -> list[Result]:
    from django.utils import timezone

    from campaigns import enqueue
    from tests.support.factories import make_campaign, make_store
    from tests.support.volume import make_big_list

    store = make_store(balance=3 * size)
    target = make_big_list(store, size)
    place.start("scheduler", "rqworker scheduler")
    pid = place.wait_for_worker("scheduler")
    idle = peak_mb(pid)
    campaign = make_campaign(store, target, status="scheduled", scheduled_at=timezone.now())
    seconds, jobs = start(campaign)
    peak = peak_mb(pid)
    bare = bare_copy()
    again = make_campaign(store, target)
    _, statements = counted(lambda: enqueue.enqueue_campaign(again.pk))
    return [
        Result(
            "enqueue",
            "recipients",
            size,
            "recipients/s",
            ours=size / seconds,
            bare=size / bare,
            naive=_naive(store, target),
            peak_mb=peak,
            statements=statements / size * 1000,
            also={"MB when idle": round(idle), "jobs": jobs},
        )
    ]


def start(campaign: Any) -> tuple[float, int]:
    """Seconds that a worker's job takes which starts a due campaign, and the jobs it enqueued."""
    from astronote.queues import jobs
    from campaigns.schedule import START_CAMPAIGN
    from messaging.models import Batch

    _quiet()
    began = time.monotonic()
    jobs.enqueue_on_commit("scheduler", START_CAMPAIGN, campaign.pk)

    def started() -> bool:
        campaign.refresh_from_db()
        return bool(campaign.started_at or campaign.block_reason)

    wait_until(started, seconds=600)
    batches = Batch.objects.filter(source_id=campaign.pk).count()
    wait_until(lambda: jobs.count_waiting_jobs("sms") == batches, seconds=60)
    seconds = time.monotonic() - began
    assert campaign.status == "sending", campaign.block_reason
    count = jobs.count_waiting_jobs("sms")
    jobs.get_queue("sms").empty()
    return seconds, count


def bare_copy() -> float:
    """Seconds of a COPY of the same rows into the same table with the same indexes."""
    from django.db import connection

    with connection.cursor() as cursor, tempfile.TemporaryFile() as file:
        with cursor.copy(f"COPY campaigns_campaignmessage ({COLUMNS}) TO STDOUT") as copy:
            for piece in copy:
                file.write(piece)
        cursor.execute("TRUNCATE campaigns_campaignmessage CASCADE")
        _quiet()
        file.seek(0)
        began = time.monotonic()
        with cursor.copy(f"COPY campaigns_campaignmessage ({COLUMNS}) FROM STDIN") as copy:
            while piece := file.read(1 << 16):
                copy.write(piece)
        return time.monotonic() - began


def _naive(store: Any, target: Any) -> float:
    """A row at a time, by the ORM."""
    from campaigns.models import CampaignMessage
    from contacts.models import Contact
    from tests.support.factories import make_campaign

    campaign = make_campaign(store, target)
    began = time.monotonic()
    for contact in Contact.objects.filter(listmembership__list=target)[:NAIVE]:
        text = f"Hello {contact.first_name}"
        CampaignMessage.objects.create(
            owner=store,
            campaign=campaign,
            contact=contact,
            to=contact.phone,
            text=text,
            segments=1,
            tracking_id=f"n{contact.pk}",
        )
    return NAIVE / (time.monotonic() - began)


def _quiet() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")
