"""Using an offer: a customer's message is redeemed once, by its code (rules.md#redemptions)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from django.contrib.auth.models import AnonymousUser
from django.db import transaction

from astronote.accounts.models import User
from astronote.common import audit
from campaigns.models import (
    AutomationMessage,
    AutomationRedemption,
    CampaignMessage,
    NfcTag,
    Redemption,
)
from campaigns.signup.signing_up import Visitor
from contacts.consent import MAX_USER_AGENT_LENGTH
from messaging.batch_writing import TRACKING_LENGTH
from messaging.codes import leading_code_or_empty
from messaging.statuses import MessageStatus

# A message that may have reached its customer.
REDEEMABLE_STATUSES = (MessageStatus.SENT, MessageStatus.DELIVERED, MessageStatus.UNKNOWN)
MAX_CODE_TEXT = 500
_PATH_OF_LINK = re.compile(r"/[su]/([A-Za-z0-9]+)")


AnyRedemption = Redemption | AutomationRedemption


class RedemptionResult(StrEnum):
    """What came of using an offer; the names of texts of the page."""

    USED_NOW = "used_now"
    USED_BEFORE = "used_before"
    NO_OFFER = "no_offer"  # or of another store, another campaign, or not sent


class Offer(NamedTuple):
    """A message whose offer can be used, or was."""

    message: CampaignMessage | AutomationMessage

    @property
    def name(self) -> str:
        """The campaign, or the kind of the automation."""
        if isinstance(self.message, CampaignMessage):
            return str(self.message.campaign)
        return str(self.message.automation.get_type_display())


def tracking_id_in_text(text: str) -> str:
    """The tracking ID in a link of a message, or typed alone; empty if there is none.

    The offer link ends with it, and the opt-out link with it and its signature.
    """
    text = text[:MAX_CODE_TEXT].strip()
    match = _PATH_OF_LINK.search(text)
    code = match[1] if match else leading_code_or_empty(text)
    return code[:TRACKING_LENGTH] if len(code) >= TRACKING_LENGTH else ""


def find_offer(owner_id: int, text: str, campaign_id: int | None = None) -> Offer | None:
    """The offer of a store whose message has this code; None if there is none.

    Args:
        owner_id: the store.
        text: a link of the message, or its code.
        campaign_id: only this campaign's offers; None for any.
    """
    tracking_id = tracking_id_in_text(text)
    if not tracking_id:
        return None
    sent = {"tracking_id": tracking_id, "owner": owner_id, "status__in": REDEEMABLE_STATUSES}
    of_campaign = CampaignMessage.objects.filter(**sent).select_related("campaign").first()
    if of_campaign is not None:
        if campaign_id not in (None, of_campaign.campaign_id):
            return None
        return Offer(of_campaign)
    if campaign_id is not None:
        return None
    automatic = AutomationMessage.objects.filter(**sent).select_related("automation").first()
    return Offer(automatic) if automatic else None


def redeem(
    offer: Offer, *, by: User | AnonymousUser | str, evidence: Mapping[str, Any] | None = None
) -> tuple[RedemptionResult, AnyRedemption]:
    """Mark an offer as used, once, with an audit entry.

    Args:
        offer: from `find_offer`.
        by: the operator or program that does it, or the customer at a tag.
        evidence: plain values that prove it, such as the tag, address and browser.

    Returns:
        What came of it, and the one redemption of the offer.
    """
    model = Redemption if isinstance(offer.message, CampaignMessage) else AutomationRedemption
    with transaction.atomic():
        redemption, is_new = model.objects.get_or_create(
            message_id=offer.message.pk,
            defaults={
                "owner_id": offer.message.owner_id,
                "redeemed_by": by if isinstance(by, User) else None,
                "evidence_json": dict(evidence or {}) or None,
            },
        )
        if not is_new:
            return RedemptionResult.USED_BEFORE, redemption
        redemption.refresh_from_db()  # the time is the database's
        audit.write_entry("offer redeemed", redemption, by=by)
    return RedemptionResult.USED_NOW, redemption


def redeem_at_tag(
    tag: NfcTag, offer: Offer, visitor: Visitor
) -> tuple[RedemptionResult, AnyRedemption]:
    """Mark an offer as used by the customer at a tag."""
    evidence = {
        "tag": tag.pk,
        "ip": visitor.ip_address,
        "user_agent": visitor.user_agent[:MAX_USER_AGENT_LENGTH],
    }
    return redeem(offer, by="customer at a tag", evidence=evidence)
