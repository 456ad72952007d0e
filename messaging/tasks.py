"""Jobs of the sms, delivery_status_poller and status_refresh queues; each loads, calls and logs."""

from __future__ import annotations

import logging
import time

from messaging import inbound, polling, receipts, sending

log = logging.getLogger(__name__)


def send_next_batch() -> str:
    """Queue sms: send the batch whose turn it is through Mitto."""
    result = sending.send_next()
    log.debug("batch: %s", result)
    return result


def apply_receipts() -> dict[str, int]:
    """Queue delivery_status_poller: apply the delivery receipts that wait in the inbox.

    It lets them gather first: in a steady stream a job for each few would cost more than they do.
    """
    time.sleep(receipts.GATHER_SECONDS)
    counts = receipts.apply_waiting()
    if any(counts.values()):
        log.info("receipts: %s", counts)
    return counts


def apply_inbound() -> dict[str, int]:
    """Queue delivery_status_poller: act on what customers wrote."""
    counts = inbound.apply_waiting()
    if any(counts.values()):
        log.info("inbound messages: %s", counts)
    return counts


def poll_delivery_status() -> dict[str, int]:
    """Queue delivery_status_poller: ask Mitto about young messages without a receipt."""
    return polling.poll_young()


def refresh_status() -> dict[str, int]:
    """Queue status_refresh: ask Mitto about messages long without a receipt."""
    return polling.refresh_old()
