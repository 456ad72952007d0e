"""Batches, credits, events, templates and short links in the admin."""

from messaging.admin import batches, credits, events, inbox, reviews, sending_stops, templates

__all__ = ["batches", "credits", "events", "inbox", "reviews", "sending_stops", "templates"]
