"""Where a short link leads, and counting the visits (rules.md#short-links)."""

from __future__ import annotations

from django.db.models import F
from django.db.models.functions import Now

from campaigns.models import CampaignMessage, OfferViewEvent
from campaigns.visitors import device_type_of_user_agent
from messaging import links
from messaging.addresses import is_http_url_with_host, to_ascii_url_keeping_tags
from messaging.codes import leading_code_or_empty
from messaging.models import ShortLink


def find_target_url_and_count_visit(
    code: str, *, user_agent: str, ip_address: str | None, is_visit: bool
) -> str | None:
    """The address that a short link leads to, None if there is no such link; counts the visit.

    Args:
        code: the end of the short link, perhaps with the punctuation that followed it in a text.
        user_agent: the name that the visitor's program gives itself.
        ip_address: the visitor's address.
        is_visit: False for a request that only looks at the link; it is not counted.
    """
    code = leading_code_or_empty(code)
    counted = is_visit and device_type_of_user_agent(user_agent) != "robot"
    if links.has_tracking_id_length(code):
        target = _find_offer_url_and_record_view_unless_restricted(
            code, user_agent, ip_address, should_count=counted
        )
    else:
        link = ShortLink.objects.filter(short_code=code)
        target = link.values_list("target_url", flat=True).first()
        if not is_http_url_with_host(target or ""):  # an erasure has masked it
            return None
        if counted:
            link.update(click_count=F("click_count") + 1, last_clicked_at=Now())
    return to_ascii_url_keeping_tags(target) if target else None


def _find_offer_url_and_record_view_unless_restricted(
    tracking_id: str, user_agent: str, ip_address: str | None, *, should_count: bool
) -> str | None:
    message = (
        CampaignMessage.objects.filter(tracking_id=tracking_id)
        .select_related("campaign", "contact")
        .only("owner_id", "campaign__offer_url", "contact__restricted_at")
        .first()
    )
    if message is None or not is_http_url_with_host(message.campaign.offer_url):
        return None
    is_restricted = message.contact is not None and message.contact.restricted_at is not None
    if should_count and not is_restricted:
        OfferViewEvent.objects.create(
            campaign_message=message,
            campaign=message.campaign,
            owner_id=message.owner_id,
            ip_address=ip_address,
            user_agent=user_agent[:500],
            device_type=device_type_of_user_agent(user_agent),
        )
    return message.campaign.offer_url
