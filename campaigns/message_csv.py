"""A campaign's messages as CSV, one line at a time."""

from __future__ import annotations

from collections.abc import Iterator

from astronote.common.spreadsheet_csv import BOM, csv_line
from campaigns.models import CampaignMessage
from messaging.statuses import describe_reason

COLUMNS = [
    "to",
    "status",
    "segments",
    "error_code",
    "delivery_status",
    "provider_message_id",
    "sent_at",
    "delivered_at",
    "failed_at",
]
ERROR_CODE = COLUMNS.index("error_code")


def message_csv_lines(campaign_id: int) -> Iterator[str]:
    """The heading, then each message of a campaign with its reason as a sentence."""
    yield BOM + csv_line([*COLUMNS, "reason"])
    messages = CampaignMessage.objects.filter(campaign=campaign_id).order_by("contact", "pk")
    for row in messages.values_list(*COLUMNS).iterator(chunk_size=5000):
        code = row[ERROR_CODE]
        yield csv_line([*row, describe_reason(code) if code else ""])
