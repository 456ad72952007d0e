"""Campaigns, automations, their messages and their reports in the admin."""

from campaigns.admin import (
    automations,
    campaigns,
    customer_events,
    lists,
    messages,
    segments,
    templates,
)

__all__ = [
    "automations",
    "campaigns",
    "customer_events",
    "lists",
    "messages",
    "segments",
    "templates",
]
