"""Jobs of the scheduler and watchdog queues; each loads, calls and logs."""

from __future__ import annotations

import logging

from campaigns import enqueue, schedule, watchdog

log = logging.getLogger(__name__)


def start_campaign(campaign_id: int) -> str:
    """Queue scheduler: start a scheduled campaign whose time has come."""
    if not schedule.is_due(campaign_id):
        return "not due"
    try:
        return enqueue.start(campaign_id).status
    except enqueue.Blocked as blocked:
        log.warning("campaign %s cannot start: %s", campaign_id, blocked)
        return "blocked"


def run_watchdog() -> dict[str, int]:
    """Queue watchdog: find what is stuck and mend it."""
    return watchdog.run()
