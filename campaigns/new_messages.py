"""The new messages of a campaign or automation: to whom, with how many parts, or why skipped.

What is written and charged at the start of a campaign and what its preview shows is computed here,
so that both agree. Writing is in `messaging/batch_writing.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from astronote.accounts.models import StoreId
from campaigns.message_text import CONTACT_FIELDS, CUSTOM_VALUES, Renderer
from campaigns.models import Campaign
from contacts.marketing_blocks import marketing_blocks
from contacts.models import MessageType
from contacts.phones import can_receive_sms
from messaging import limits
from messaging.batch_writing import NewMessage
from messaging.custom_tags import custom_keys_for_text
from messaging.statuses import Reason
from messaging.text import MAX_PARTS, count_parts

CHUNK = 10_000
# The columns of a recipient, as `iter_unblocked_chunks` reads them.
RECIPIENT_COLUMNS = ("pk", "phone", *CONTACT_FIELDS)


def recipient_columns(campaign: Campaign) -> tuple[str, ...]:
    """The columns to read of a recipient; custom values only if the text may have their tags."""
    keys = custom_keys_for_text(campaign.owner_id, campaign.message_text)
    return (*RECIPIENT_COLUMNS, CUSTOM_VALUES) if keys else RECIPIENT_COLUMNS


class RecipientChunk(NamedTuple):
    """Recipients as rows of `recipient_columns`, and the ids of those who are over a cap."""

    recipients: list[tuple[Any, ...]]
    over_cap: set[int]


def iter_unblocked_chunks(
    recipients: Iterator[tuple[Any, ...]], campaign: Campaign
) -> Iterator[RecipientChunk]:
    """Chunks of recipients; suppressed and held numbers are left out of marketing.

    Args:
        recipients: rows of `recipient_columns`.
        campaign: the campaign that they are recipients of.
    """
    marketing = campaign.message_type == MessageType.MARKETING
    while chunk := list(islice(recipients, CHUNK)):
        over_cap: set[int] = set()
        if marketing:
            blocks = marketing_blocks((campaign.owner_id, row[1]) for row in chunk)
            chunk = [row for row in chunk if (campaign.owner_id, row[1]) not in blocks]
            over_cap = limits.contact_ids_over_marketing_caps([row[0] for row in chunk])
        if chunk:
            yield RecipientChunk(chunk, over_cap)


def build_new_or_skipped_messages(
    campaign: Campaign, render: Renderer, chunk: RecipientChunk, tracking_ids: Sequence[str]
) -> list[NewMessage]:
    """The recipients' messages, to be written or to be counted; does not query the database.

    Args:
        campaign: the campaign, with its store loaded.
        render: of `message_text`.
        chunk: the recipients.
        tracking_ids: one for each recipient.
    """
    owner_id, campaign_id, over_cap = StoreId(campaign.owner_id), campaign.pk, chunk.over_cap
    to_any_number = campaign.owner.sends_to_any_number
    messages = []
    for tracking_id, (contact_id, phone, *values) in zip(
        tracking_ids, chunk.recipients, strict=True
    ):
        # The last is missing where no text needs it.
        contact = dict(zip((*CONTACT_FIELDS, CUSTOM_VALUES), values, strict=False))
        text = render(contact, tracking_id)
        message = build_new_or_skipped_message(
            owner_id,
            campaign_id,
            contact_id,
            phone,
            text,
            tracking_id,
            over_cap=contact_id in over_cap,
            to_any_number=to_any_number,
        )
        messages.append(message)
    return messages


def build_new_or_skipped_message(
    owner_id: StoreId,
    source_id: int,
    contact_id: int,
    e164_phone: str,
    text: str,
    tracking_id: str,
    *,
    over_cap: bool,
    to_any_number: bool,
    skip_reason: str = "",
    extra_values: tuple[Any, ...] = (),
) -> NewMessage:
    """A message to one contact, or a skipped one: it costs its parts, and nothing if it is skipped.

    It is skipped if the number cannot receive SMS, the text is empty or too long, or the contact is
    over a cap.

    Args:
        owner_id: the store.
        source_id: the campaign or automation.
        contact_id: the recipient.
        e164_phone: the recipient's number, E.164.
        text: what is sent, with all tags filled.
        tracking_id: the random code of the message.
        over_cap: whether the contact has had as many marketing messages as a cap allows.
        to_any_number: whether the store sends to numbers that are no mobiles, too.
        skip_reason: why it is skipped in any case; empty if it is not.
        extra_values: of the `extra_columns` of the message's class.
    """
    part_count = count_parts(text)
    if not skip_reason:
        if not (to_any_number or can_receive_sms(e164_phone)):
            skip_reason = Reason.CANNOT_RECEIVE.value
        elif not text:
            skip_reason = Reason.EMPTY_TEXT.value
        elif part_count > MAX_PARTS:
            skip_reason = Reason.TOO_LONG.value
        elif over_cap:
            skip_reason = Reason.CONTACT_CAP.value
    return NewMessage(
        owner_id,
        source_id,
        contact_id,
        e164_phone,
        text,
        part_count,
        tracking_id,
        skip_reason,
        extra_values,
    )
