"""Batches, credits, events, templates and short links in the admin."""

from messaging.admin import batches, credits, events, templates

__all__ = ["batches", "credits", "events", "templates"]
