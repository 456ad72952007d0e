"""Times in a store's zone, in templates."""

from __future__ import annotations

from datetime import datetime

from django import template

from astronote.accounts.models import User
from astronote.common.store_time import format_store_time_or_dash

register = template.Library()


@register.filter
def in_zone_of(at: datetime | None, store: User | None) -> str:
    """The time in the zone of the store, with the zone's name."""
    return format_store_time_or_dash(at, store)
