"""A campaign's messages as CSV, a line at a time, whatever their number."""

from __future__ import annotations

from collections.abc import Iterator

from campaigns.models import CampaignMessage
from contacts.spreadsheet import BOM, csv_line

COLUMNS = ["to", "status", "segments", "error_code", "delivery_status", "provider_message_id",
           "sent_at", "delivered_at", "failed_at"]  # fmt: skip


def lines(campaign_id: int) -> Iterator[str]:
    """The heading, then each message; a number begins with an apostrophe, as spreadsheets want."""
    yield BOM + csv_line(COLUMNS)
    messages = CampaignMessage.objects.filter(campaign=campaign_id).order_by("contact", "pk")
    for row in messages.values_list(*COLUMNS).iterator(chunk_size=5000):
        yield csv_line(row)
