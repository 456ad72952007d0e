"""Status queries a second with a provider that takes its time, beside one after the other."""

from __future__ import annotations

import os
import time

import requests

from tests.benchmarks.result import Result, counted
from tests.support.installation import Installation, peak_mb

SIZES = [5000]
LATENCY_MS = 50
IN_TURN = 100
VARIABLES = {"STATUS_RATE_MAX": "100000"}


def run(place: Installation, size: int) -> list[Result]:
    from campaigns.models import CampaignMessage
    from messaging import polling
    from tests.support.factories import make_store
    from tests.support.volume import make_sent_campaign

    place.behave(status_latency_ms=LATENCY_MS)
    make_sent_campaign(make_store(balance=0), size)
    ids = list(CampaignMessage.objects.values_list("provider_message_id", flat=True)[:IN_TURN])
    in_turn = _in_turn(place, ids)
    began = time.monotonic()
    counts, statements = counted(polling.poll_recent_messages_unless_running)
    seconds = time.monotonic() - began
    assert counts["asked"] == size, counts
    return [
        Result(
            "polling",
            f"status queries of {LATENCY_MS} ms",
            size,
            "queries/s",
            ours=size / seconds,
            naive=in_turn,
            statements=statements / size * 1000,
            peak_mb=peak_mb(os.getpid()),
        )
    ]


def _in_turn(place: Installation, ids: list[str]) -> float:
    """One query after the other on a connection that stays open."""
    with requests.Session() as session:
        session.headers["X-Mitto-API-Key"] = "sandbox"
        began = time.monotonic()
        for one in ids:
            session.get(f"{place.sandbox_url}/api/v1.1/Messages/{one}", timeout=10)
        return len(ids) / (time.monotonic() - began)
