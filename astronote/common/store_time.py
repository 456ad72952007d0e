"""Times as a store's people read them: in the store's zone, with the zone's name."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.utils import formats, timezone

if TYPE_CHECKING:
    from astronote.accounts.models import User

UTC = ZoneInfo("UTC")


def zone_of_store(store: User | None) -> ZoneInfo:
    """The time zone of a store; UTC for what belongs to none."""
    return ZoneInfo(store.timezone) if store is not None else UTC


def format_store_time(at: datetime | None, store: User | None) -> str:
    """A time such as `28 Nov 2026, 06:46 EET`, in the store's zone; a dash for none.

    Args:
        at: the time, aware.
        store: whose zone counts; None for UTC.
    """
    if at is None:
        return "–"
    with timezone.override(zone_of_store(store)):
        return formats.date_format(timezone.localtime(at), "DATETIME_FORMAT")
