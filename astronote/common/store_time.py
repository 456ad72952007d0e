"""Pages of one store are in its time zone, the others in UTC; a time can name its zone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils import formats, timezone

if TYPE_CHECKING:
    from astronote.accounts.models import User

UTC = ZoneInfo("UTC")

# What the admin's pages and ours call the row that a page is about.
SUBJECTS = ("original", "object", "store", "campaign", "contact")


class ActivateTimeZoneOfStoreOfPage:
    """Renders a page about a store, or about a row of a store, in the store's time zone.

    Only the rendering: what a form reads is given its zone by the code that uses it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer, and leave no zone active for the next request."""
        try:
            return self.get_response(request)
        finally:
            timezone.deactivate()

    def process_template_response(
        self, request: HttpRequest, response: TemplateResponse
    ) -> TemplateResponse:
        """Activate the zone of the store that the page is about, if it is about one."""
        context = response.context_data or {}
        zones = (_zone_of_store_or_owner(context.get(name)) for name in SUBJECTS)
        if zone := next(filter(None, zones), None):
            timezone.activate(zone)
        return response


def _zone_of_store_or_owner(subject: Any) -> str | None:
    """The time zone of the store that a row is or belongs to; None of an operator's."""
    store = getattr(subject, "owner", subject)
    return getattr(store, "timezone", None) if not getattr(store, "is_staff", False) else None


def format_store_time_or_dash(at: datetime | None, store: User | None) -> str:
    """A time such as `28 Nov 2026, 06:46 EET`, in the store's zone; a dash for none.

    Args:
        at: the time, aware.
        store: whose zone counts; None for UTC.
    """
    if at is None:
        return "–"
    with timezone.override(store.timezone if store is not None else UTC):
        local = timezone.localtime(at)
    # Django's own format leaves the zone out where clocks show a time twice.
    return f"{formats.date_format(local, 'j M Y, H:i')} {local:%Z}"
