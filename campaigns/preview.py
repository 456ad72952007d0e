"""What a campaign would send and cost: sample text, parts, recipients, credits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings

from astronote.accounts.eligibility import SendingBlocked, require_eligible_sender
from campaigns import service_campaigns
from campaigns.audience import campaign_audience
from campaigns.message_text import CONTACT_FIELDS, SAMPLE_CODE, SAMPLE_CONTACT, preview_renderer
from campaigns.models import Campaign
from contacts.models import MessageType
from messaging import credits
from messaging.limits import describe_store_caps, find_current_quiet_hours_end
from messaging.text import Template, count_parts, sms_encoding


class CampaignPreview(NamedTuple):
    """What a campaign would send and cost.

    `text` is the text for one recipient, and `credits` the cost if all texts have as many parts.
    `recipients`, `credits` and `available` are None as long as the campaign has no store.
    `problem` says why the campaign cannot be sent as it is, `notes` which limits apply.
    """

    text: str
    characters: int
    encoding: str
    parts: int
    unknown_tags: list[str]
    recipients: int | None
    credits: int | None
    available: int | None
    problem: str
    notes: list[str]

    def as_dict(self) -> dict[str, Any]:
        """The preview for JSON."""
        return self._asdict()


def preview_campaign(campaign: Campaign) -> CampaignPreview:
    """The preview of a campaign, saved or not; only of its text if it has no store yet.

    Nothing is written.
    """
    if campaign.owner_id is None:
        return _build_preview_for_recipient(campaign, SAMPLE_CONTACT, None, [])
    contacts = campaign_audience(campaign)
    recipient = next(iter(contacts.values(*CONTACT_FIELDS)[:1]), SAMPLE_CONTACT)
    budget = _Budget(contacts.count(), credits.get_or_create_wallet(campaign.owner_id).available)
    return _build_preview_for_recipient(
        campaign, recipient, budget, list(_quiet_hours_and_cap_notes(campaign))
    )


class _Budget(NamedTuple):
    """The number of recipients, and the store's available credits."""

    recipients: int
    available: int


def _build_preview_for_recipient(
    campaign: Campaign, recipient: dict[str, str], budget: _Budget | None, notes: list[str]
) -> CampaignPreview:
    text, problem = "", ""
    try:
        text = preview_renderer(campaign)(recipient, SAMPLE_CODE) if campaign.message_text else ""
    except ValueError as error:
        problem = str(error)
    part_count = count_parts(text) if text else 0
    if budget and not problem:
        problem = _why_campaign_cannot_be_sent(campaign, budget, part_count)
    return CampaignPreview(
        text=text,
        characters=len(text),
        encoding=sms_encoding(text),
        parts=part_count,
        unknown_tags=Template(campaign.message_text).unknown_tags,
        recipients=budget.recipients if budget else None,
        credits=budget.recipients * part_count if budget else None,
        available=budget.available if budget else None,
        problem=problem,
        notes=notes,
    )


def _why_campaign_cannot_be_sent(campaign: Campaign, budget: _Budget, part_count: int) -> str:
    """Why the campaign cannot be sent as it is; empty if it can."""
    try:
        require_eligible_sender(campaign.owner)
    except SendingBlocked as blocked:
        return str(blocked)
    if not campaign.message_text:
        return "The campaign has no text yet."
    if not budget.recipients:
        return "Nobody in the audience may be messaged: choose a list, or a gender or an age."
    try:
        service_campaigns.require_confirmation(campaign, budget.recipients)
    except SendingBlocked as blocked:
        return str(blocked)
    missing = budget.recipients * part_count - budget.available
    if missing > 0:
        return f"The wallet lacks {missing:,} credits: top it up first."
    return ""


def _quiet_hours_and_cap_notes(campaign: Campaign) -> Iterator[str]:
    """Quiet hours and caps, as sentences (rules.md#quiet-hours, rules.md#caps)."""
    if until := find_current_quiet_hours_end(campaign.message_type, campaign.owner.timezone):
        local = until.astimezone(ZoneInfo(campaign.owner.timezone))
        yield f"The store has quiet hours: sending begins at {local:%H:%M %Z}."
    yield from describe_store_caps()
    if campaign.message_type == MessageType.MARKETING:
        for cap, period in (
            (settings.CONTACT_MARKETING_PER_DAY, "24 hours"),
            (settings.CONTACT_MARKETING_PER_WEEK, "7 days"),
        ):
            if cap:
                yield f"Contacts with {cap:,} marketing messages within {period} are skipped."
