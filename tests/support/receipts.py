"""Receipts as Mitto posts them, stored without a request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from messaging.inbox import NewEvent
from messaging.receipts import insert_receipts_and_enqueue_job


def store_receipts(events: Iterable[Mapping[str, Any]]) -> None:
    """Store these receipts and enqueue the job that applies them."""
    insert_receipts_and_enqueue_job(
        [NewEvent.from_receipt_or_failed_if_unreadable(event) for event in events]
    )
