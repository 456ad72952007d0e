"""Where a short link leads, and counting the visits (rules.md#short-links)."""

from __future__ import annotations

import logging
from typing import Any

from astronote.common.locks import LockIsHeld, execute_unless_locked
from campaigns.models import CampaignMessage, OfferViewEvent
from campaigns.visitors import device_type_of_user_agent
from messaging import links
from messaging.addresses import is_http_url_with_host, to_ascii_url_keeping_tags
from messaging.codes import leading_code_or_empty
from messaging.models import ShortLink

log = logging.getLogger(__name__)

# Whoever holds a link could open it without end. More visits than this say nothing of a customer.
MAX_VISITS_PER_MESSAGE = 100


def find_target_url_and_count_visit(
    code: str, *, user_agent: str, ip_address: str | None, is_visit: bool
) -> str | None:
    """The address that a short link leads to, None if there is no such link; counts the visit.

    Of an offer link at most MAX_VISITS_PER_MESSAGE visits are kept and counted.

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
            _write_visit_unless_locked(ADD_VISIT_TO_SHARED_LINK, [code])
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
        visit = [
            message.pk,
            message.campaign_id,
            message.owner_id,
            ip_address,
            user_agent[:500],
            device_type_of_user_agent(user_agent),
        ]
        _write_visit_unless_locked(
            RECORD_VISIT_BELOW_LIMIT, [*visit, message.pk, *[MAX_VISITS_PER_MESSAGE] * 2]
        )
    return message.campaign.offer_url


def _write_visit_unless_locked(sql: str, params: list[Any]) -> None:
    """Write a visit; the visitor does not wait for whoever changes the campaign or the link."""
    try:
        execute_unless_locked(sql, params)
    except LockIsHeld:
        log.debug("a visit was not counted: its rows are locked")


ADD_VISIT_TO_SHARED_LINK = f"""
    UPDATE {ShortLink._meta.db_table} SET click_count = click_count + 1, last_clicked_at = now()
    WHERE short_code = %s
"""
# Counts at most MAX_VISITS_PER_MESSAGE entries of the index on the message. Requests at the same
# time may each see the last free place: a few more are kept.
RECORD_VISIT_BELOW_LIMIT = f"""
    INSERT INTO {OfferViewEvent._meta.db_table}
        (campaign_message_id, campaign_id, owner_id, ip_address, user_agent, device_type)
    SELECT %s, %s, %s, %s, %s, %s
    WHERE (
        SELECT count(*) FROM (
            SELECT FROM {OfferViewEvent._meta.db_table} WHERE campaign_message_id = %s
            LIMIT %s
        ) AS kept
    ) < %s
"""
