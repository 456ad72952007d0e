"""Where a short link leads, and keeping that it was followed."""

from __future__ import annotations

import re

from django.db.models import F
from django.db.models.functions import Now

from campaigns.models import CampaignMessage, OfferViewEvent
from messaging import links
from messaging.models import ShortLink

# Programs that open links to show a preview or to look for malware; nobody has seen the offer.
_ROBOT = re.compile(
    r"bot\b|crawl|spider|preview|facebookexternalhit|whatsapp|scan|curl|wget|python|monitor", re.I
)
_CODE = re.compile(r"[A-Za-z0-9_-]+")
_PHONE = re.compile(r"mobi|iphone|android", re.I)


def follow(code: str, *, agent: str, address: str | None, counts: bool) -> str | None:
    """The address that a link leads to; None if there is no such link.

    Args:
        agent: what the visitor's program calls itself.
        address: the visitor's IP address.
        counts: whether this is a visit rather than a look at whether the link works.
    """
    if not _CODE.fullmatch(code):
        return None
    counts = counts and device_of(agent) != "robot"
    if links.is_tracking_id(code):
        return _follow_offer(code, agent, address, counts)
    link = ShortLink.objects.filter(short_code=code)
    target = link.values_list("target_url", flat=True).first()
    if target and counts:
        link.update(click_count=F("click_count") + 1, last_clicked_at=Now())
    return target


def _follow_offer(code: str, agent: str, address: str | None, counts: bool) -> str | None:
    message = (
        CampaignMessage.objects.filter(tracking_id=code)
        .select_related("campaign")
        .only("owner_id", "campaign__offer_url")
        .first()
    )
    if message is None or not links.may_be_target(message.campaign.offer_url):
        return None
    if counts:
        OfferViewEvent.objects.create(
            campaign_message=message, campaign=message.campaign, owner_id=message.owner_id,
            ip_address=address, user_agent=agent[:500], device_type=device_of(agent),
        )  # fmt: skip
    return message.campaign.offer_url


def device_of(agent: str) -> str:
    """`robot`, `phone` or `computer`."""
    if not agent or _ROBOT.search(agent):
        return "robot"
    return "phone" if _PHONE.search(agent) else "computer"
