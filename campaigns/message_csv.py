"""A campaign's messages as CSV, one line at a time."""

from __future__ import annotations

from collections.abc import Iterator

from astronote.common.spreadsheet_csv import BOM, csv_line_with_escaped_formulas
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


def stream_message_csv_heading_and_lines(campaign_id: int) -> Iterator[str]:
    """The heading, then each message of a campaign with its reason as a sentence.

    The last column marks contacts that are restricted: their data may not be used.
    """
    yield BOM + csv_line_with_escaped_formulas([*COLUMNS, "reason", "restricted"])
    messages = CampaignMessage.objects.filter(campaign=campaign_id).order_by("contact", "pk")
    rows = messages.values_list(*COLUMNS, "contact__restricted_at")
    for *row, restricted_at in rows.iterator(chunk_size=5000):
        code = row[ERROR_CODE]
        reason = describe_reason(code) if code else ""
        yield csv_line_with_escaped_formulas([*row, reason, "yes" if restricted_at else ""])
