"""Campaigns that are started, and what workers do with their batches, in this process."""

from __future__ import annotations

from typing import Any

from campaigns import enqueue
from campaigns.models import Campaign
from messaging import sending
from tests.support.factories import make_campaign, make_list, make_store


def start_campaign(
    settings: Any, *, messages: int, batch_size: int = 1000, store: str = "alice"
) -> Campaign:
    """Start a campaign of so many messages of a new store with 10,000 credits."""
    settings.SMS_BATCH_SIZE = batch_size
    owner = make_store(store, balance=10_000)
    return enqueue.enqueue_campaign(make_campaign(owner, make_list(owner, messages)).pk)


def send_all_due() -> list[str]:
    """Send until nothing may be sent; return the results in their order."""
    results = []
    while (result := sending.process_next_batch()) != "none due":
        results.append(str(result))
    return results
