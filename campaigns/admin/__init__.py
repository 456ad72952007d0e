"""Campaigns, automations, rules, their messages and their reports in the admin."""

from campaigns.admin import (
    automation_rules,
    automations,
    campaigns,
    customer_events,
    exports,
    lists,
    messages,
    segments,
    signup,
    templates,
)

__all__ = [
    "automation_rules",
    "automations",
    "campaigns",
    "customer_events",
    "exports",
    "lists",
    "messages",
    "segments",
    "signup",
    "templates",
]
