"""What a campaign would be before it costs anything: sample, length, audience, price."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings

from campaigns.audience import audience
from campaigns.models import Campaign
from campaigns.wording import FIELDS, SAMPLE, SAMPLE_CODE, draft_filler
from contacts.models import MessageType
from messaging import credits
from messaging.guards import owner_caps_in_words, quiet_hours_end
from messaging.standing import Blocked, check_store
from messaging.text import encoding, parts, unknown_placeholders


class Preview(NamedTuple):
    """`credits` is what all recipients take at the sample's length; `problem` is why it cannot go
    out as it is, `notes` what else there is to know.
    """

    text: str
    characters: int
    encoding: str
    parts: int
    unknown: list[str]
    recipients: int | None
    credits: int | None
    available: int | None
    problem: str
    notes: list[str]

    def as_dict(self) -> dict[str, Any]:
        return self._asdict()


def preview(campaign: Campaign) -> Preview:
    """Look at a campaign, saved or not; without a store only its text is looked at."""
    if campaign.owner_id is None:
        return _of_text(campaign, SAMPLE, None, None, [])
    contacts = audience(campaign)
    someone = next(iter(contacts.values(*FIELDS)[:1]), SAMPLE)
    available = credits.wallet_of(campaign.owner_id).available
    return _of_text(campaign, someone, contacts.count(), available, list(_notes(campaign)))


def _of_text(
    campaign: Campaign, sample: dict, recipients: int | None, available: int | None,
    notes: list[str],
) -> Preview:  # fmt: skip
    text, problem = "", ""
    try:
        text = draft_filler(campaign)(sample, SAMPLE_CODE) if campaign.message_text else ""
    except ValueError as error:
        problem = str(error)
    taken = parts(text) if text else 0
    needed = None if recipients is None else recipients * taken
    if not problem and recipients is not None:
        problem = _problem(campaign, recipients, needed, available)
    return Preview(
        text, len(text), encoding(text), taken, unknown_placeholders(campaign.message_text),
        recipients, needed, available, problem, notes,
    )  # fmt: skip


def _problem(campaign: Campaign, recipients: int, needed: int, available: int) -> str:
    try:
        check_store(campaign.owner)
    except Blocked as blocked:
        return str(blocked)
    if not campaign.message_text:
        return "It has no text yet."
    if not recipients:
        return "Nobody in the audience may be messaged: choose a list, or a gender or an age."
    if needed > available:
        return f"The wallet lacks {needed - available:,} credits: top it up first."
    return ""


def _notes(campaign: Campaign) -> Iterator[str]:
    """Quiet hours and caps (behaviours, rules 30-32)."""
    if until := quiet_hours_end(campaign.message_type, campaign.owner.timezone):
        local = until.astimezone(ZoneInfo(campaign.owner.timezone))
        yield f"It is quiet hours at the store: what is started now goes out from {local:%H:%M} on."
    yield from owner_caps_in_words()
    if campaign.message_type == MessageType.MARKETING:
        for limit, span in (
            (settings.CONTACT_MARKETING_PER_DAY, "24 hours"),
            (settings.CONTACT_MARKETING_PER_WEEK, "7 days"),
        ):
            if limit:
                yield f"Who got {limit} marketing messages within {span} is left out."
