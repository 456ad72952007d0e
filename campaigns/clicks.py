"""Where a short link leads, and counting the visits (rules.md#short-links)."""

from __future__ import annotations

import re
from typing import Literal

from django.db.models import F
from django.db.models.functions import Now

from campaigns.models import CampaignMessage, OfferViewEvent
from messaging import links
from messaging.models import ShortLink

# Programs that open links to show a preview or to look for malware: no person sees the offer.
_ROBOT = re.compile(
    r"bot\b|crawl|spider|preview|facebookexternalhit|whatsapp|scan|curl|wget|python|monitor",
    re.IGNORECASE,
)
_PHONE = re.compile(r"mobi|iphone|android", re.IGNORECASE)
_CODE = re.compile(r"[A-Za-z0-9_-]+")


def find_target_url_and_count_visit(
    code: str, *, user_agent: str, ip_address: str | None, is_visit: bool
) -> str | None:
    """The address that a short link leads to, None if there is no such link; counts the visit.

    Args:
        code: the last part of the short link.
        user_agent: the name that the visitor's program gives itself.
        ip_address: the visitor's address.
        is_visit: False for a request that only checks the link; it is not counted.
    """
    if not _CODE.fullmatch(code):
        return None
    counted = is_visit and device_type_of(user_agent) != "robot"
    if links.has_tracking_id_length(code):
        return _find_offer_url_and_record_view(code, user_agent, ip_address, should_count=counted)
    link = ShortLink.objects.filter(short_code=code)
    target = link.values_list("target_url", flat=True).first()
    if target and counted:
        link.update(click_count=F("click_count") + 1, last_clicked_at=Now())
    return target


def _find_offer_url_and_record_view(
    tracking_id: str, user_agent: str, ip_address: str | None, *, should_count: bool
) -> str | None:
    message = (
        CampaignMessage.objects.filter(tracking_id=tracking_id)
        .select_related("campaign", "contact")
        .only("owner_id", "campaign__offer_url", "contact__restricted_at")
        .first()
    )
    if message is None or not links.is_valid_target(message.campaign.offer_url):
        return None
    is_restricted = message.contact is not None and message.contact.restricted_at is not None
    if should_count and not is_restricted:
        OfferViewEvent.objects.create(
            campaign_message=message,
            campaign=message.campaign,
            owner_id=message.owner_id,
            ip_address=ip_address,
            user_agent=user_agent[:500],
            device_type=device_type_of(user_agent),
        )
    return message.campaign.offer_url


def device_type_of(user_agent: str) -> Literal["robot", "phone", "computer"]:
    """`robot`, `phone` or `computer`; a program without a name is a robot."""
    if not user_agent or _ROBOT.search(user_agent):
        return "robot"
    return "phone" if _PHONE.search(user_agent) else "computer"
