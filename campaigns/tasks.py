"""The tasks of the queues scheduler, birthday, watchdog and exports; each calls one function."""

from __future__ import annotations

import logging

from astronote.accounts.eligibility import SendingBlocked
from astronote.operations import watchdog
from campaigns import actions, conversions, enqueue, exports, schedule
from campaigns.automations import birthday, rules, welcome
from campaigns.signup import signing_up

log = logging.getLogger(__name__)


def start_campaign(campaign_id: int) -> str:
    """Queue scheduler: start a scheduled campaign that is due."""
    try:
        return enqueue.enqueue_campaign(campaign_id, only_if_due=True).status
    except SendingBlocked as blocked:
        log.warning("campaign %s cannot start: %s", campaign_id, blocked)
        return "blocked"


def start_due_campaigns() -> int:
    """Queue scheduler: enqueue due campaigns, also those whose delayed job was lost."""
    return schedule.enqueue_start_of_some_due_campaigns()


def drop_cancelled_batches(campaign_id: int) -> int:
    """Queue scheduler: drop the unsent batches of a cancelled campaign."""
    return actions.cancel_batches_of_cancelled_campaign(campaign_id)


def run_birthdays() -> dict[str, int]:
    """Queue birthday: send the birthday messages that are due."""
    return birthday.enqueue_birthday_messages()


def run_welcomes() -> dict[str, int]:
    """Queue birthday: send welcome messages to new contacts."""
    return welcome.enqueue_welcome_messages()


def run_rules() -> dict[str, int]:
    """Queue birthday: send the messages of automation rules that are due."""
    return rules.enqueue_rule_messages()


def apply_signups() -> dict[str, int]:
    """Queue birthday: apply the sign-ups that wait."""
    counts = signing_up.apply_waiting_signups()
    if counts:
        log.info("sign-ups: %s", counts)
    return counts


def attribute_recent_purchases() -> dict[str, int]:
    """Queue birthday: attribute the purchases that were recorded or changed in the last hours."""
    return conversions.attribute_changed_purchases(conversions.RECENT)


def attribute_purchases_of_month() -> dict[str, int]:
    """Queue birthday: attribute the purchases that were recorded or changed in the last month."""
    return conversions.attribute_changed_purchases(conversions.MONTH)


def run_watchdog() -> dict[str, int]:
    """Queue watchdog: find what is stuck and repair it."""
    return watchdog.run_watchdog()


def write_export(run_id: int) -> str:
    """Queue exports: write the file of an export."""
    run = exports.write_export_unless_written(run_id)
    return run.status if run else "gone"


def request_weekly_exports() -> int:
    """Queue exports: request the files of the last week, of the stores that want them."""
    return exports.request_weekly_exports()


def delete_expired_export_files() -> int:
    """Queue exports: delete files that are past their period."""
    return exports.delete_expired_export_files()
