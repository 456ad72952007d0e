"""Jobs of the queues sms, scheduler, birthday, delivery_status_poller and status_refresh.

Each calls one function of another module and logs what came of it.
"""

from __future__ import annotations

import logging
import time

from messaging import opt_in_requests, polling, receipts, replies, sending
from messaging.billing import subscriptions

log = logging.getLogger(__name__)

GATHER_SECONDS = 0.5


def send_next_batch() -> str:
    """Queue sms: send the due batch with the lowest turn."""
    result = sending.process_next_batch().value
    log.debug("batch: %s", result)
    return result


def apply_receipts() -> dict[str, int]:
    """Queue delivery_status_poller: apply the waiting receipts.

    First waits GATHER_SECONDS, since applying many at once costs less for each.
    """
    time.sleep(GATHER_SECONDS)
    counts = receipts.apply_received_receipts()
    if any(counts.values()):
        log.info("receipts: %s", counts)
    return counts


def apply_replies() -> dict[str, int]:
    """Queue delivery_status_poller: apply the waiting replies."""
    counts = replies.apply_received_replies()
    if any(counts.values()):
        log.info("replies: %s", counts)
    return counts


def send_opt_in_requests() -> dict[str, int]:
    """Queue birthday: send the opt-in requests that wait, such as those of imports."""
    counts = opt_in_requests.send_or_close_waiting_opt_in_requests()
    if counts:
        log.info("opt-in requests: %s", counts)
    return counts


def poll_delivery_status() -> dict[str, int]:
    """Queue delivery_status_poller: ask Mitto about recent messages without a final receipt."""
    return polling.poll_recent_messages_unless_running()


def refresh_status() -> dict[str, int]:
    """Queue status_refresh: ask Mitto about older messages without a final receipt."""
    return polling.poll_older_messages_unless_running()


def begin_due_months() -> dict[str, int]:
    """Queue scheduler: begin the next month of plans whose month has ended, or end the plans."""
    counts = subscriptions.begin_due_months()
    if any(counts.values()):
        log.info("plans: %s", counts)
    return counts
