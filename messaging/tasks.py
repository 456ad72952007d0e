"""Jobs of the sms and delivery_status_poller queues; each loads, calls and logs."""

from __future__ import annotations

import logging

from messaging import receipts, sending

log = logging.getLogger(__name__)


def send_batch(batch_id: int) -> str:
    """Queue sms: send one batch through Mitto."""
    result = sending.send_batch(batch_id)
    log.debug("batch %s: %s", batch_id, result)
    return result


def apply_receipts() -> dict[str, int]:
    """Queue delivery_status_poller: apply the delivery receipts that wait in the inbox."""
    counts = receipts.apply_waiting()
    if any(counts.values()):
        log.info("receipts: %s", counts)
    return counts
