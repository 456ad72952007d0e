"""Batches, credits, money, events, templates and short links in the admin."""

from messaging.admin import (
    batches,
    billing,
    credits,
    events,
    inbox,
    reviews,
    sending_stops,
    templates,
)

__all__ = [
    "batches",
    "billing",
    "credits",
    "events",
    "inbox",
    "reviews",
    "sending_stops",
    "templates",
]
