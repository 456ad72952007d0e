"""One new message of a campaign or automation, with its parts and whether it is skipped."""

from __future__ import annotations

from astronote.accounts.models import StoreId
from messaging.batch_writing import NewMessage
from messaging.statuses import Reason
from messaging.text import MAX_PARTS, count_parts


def build_new_or_skipped_message(
    owner_id: StoreId,
    source_id: int,
    contact_id: int,
    e164_phone: str,
    text: str,
    tracking_id: str,
    *,
    over_cap: bool,
) -> NewMessage:
    """A message to one contact; it is skipped if the contact is over a cap or the text too long.

    Args:
        owner_id: the store.
        source_id: the campaign or automation.
        contact_id: the recipient.
        e164_phone: the recipient's number, E.164.
        text: what is sent, with all tags filled.
        tracking_id: the random code of the message.
        over_cap: whether the contact has had as many marketing messages as a cap allows.
    """
    part_count = count_parts(text)
    skip_reason = Reason.CONTACT_CAP.value if over_cap else ""
    if part_count > MAX_PARTS:
        skip_reason = Reason.TOO_LONG.value
    return NewMessage(
        owner_id, source_id, contact_id, e164_phone, text, part_count, tracking_id, skip_reason
    )
