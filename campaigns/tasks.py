"""Jobs of the scheduler, birthday and watchdog queues; each loads, calls and logs."""

from __future__ import annotations

import logging

from campaigns import birthday, control, enqueue, schedule, watchdog, welcome

log = logging.getLogger(__name__)


def start_campaign(campaign_id: int) -> str:
    """Queue scheduler: start a scheduled campaign whose time has come."""
    try:
        return enqueue.start(campaign_id, only_if_due=True).status
    except enqueue.Blocked as blocked:
        log.warning("campaign %s cannot start: %s", campaign_id, blocked)
        return "blocked"


def start_due_campaigns() -> int:
    """Queue scheduler: find campaigns that are due although their job was lost."""
    return schedule.enqueue_due()


def finish_cancelling(campaign_id: int) -> int:
    """Queue scheduler: skip what a cancelled campaign has not sent."""
    return control.finish_cancelling(campaign_id)


def run_birthdays() -> dict[str, int]:
    """Queue birthday: send the birthday messages of the day."""
    return birthday.run()


def run_welcomes() -> dict[str, int]:
    """Queue birthday: welcome new contacts."""
    return welcome.run()


def run_watchdog() -> dict[str, int]:
    """Queue watchdog: find what is stuck and mend it."""
    return watchdog.run()
