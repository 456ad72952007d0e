"""Those whom an ended campaign did not reach (rules.md#those-not-reached).

The action that makes a campaign to them is in `actions.py`.
"""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q, QuerySet

from campaigns.models import CampaignMessage
from contacts.models import Contact
from messaging.models import CreditReservation
from messaging.statuses import MessageStatus, Reason, ReservationStatus

# Skipped for what may have changed since: consent, reviews and caps are asked about again when the
# campaign starts. A text that was too long still is.
SKIPPED_FOR_NOW = (
    Reason.OPTED_OUT,
    Reason.AWAITS_REVIEW,
    Reason.RESTRICTED,
    Reason.CONTACT_CAP,
    Reason.TOO_LATE,
    Reason.CANCELLED,
)


# Messages of those not reached, and unknown ones, of which a receipt may still tell. The condition
# on the code lets PostgreSQL use the index of the messages with one.
MAY_NOT_BE_REACHED = ~Q(error_code="") & (
    Q(status__in=(MessageStatus.FAILED, MessageStatus.UNKNOWN))
    | Q(status=MessageStatus.SKIPPED, error_code__in=SKIPPED_FOR_NOW)
)


def contacts_not_reached_nor_tried_again(
    campaign_id: int, *, except_campaign_id: int | None
) -> QuerySet[Contact]:
    """The contacts of a campaign's messages that failed, were skipped for now or expired unknown.

    An unknown message has expired when its reservation has: until then a receipt may still tell.
    Whoever has a message of another campaign to those not reached is left out.

    Args:
        campaign_id: the campaign that did not reach them.
        except_campaign_id: the campaign that is to reach them; its own messages do not count.
    """
    expired = CreditReservation.objects.filter(
        batch=OuterRef("batch"), status=ReservationStatus.EXPIRED
    )
    not_reached = CampaignMessage.objects.filter(
        Q(status=MessageStatus.FAILED)
        | Q(status=MessageStatus.SKIPPED, error_code__in=SKIPPED_FOR_NOW)
        | (Q(status=MessageStatus.UNKNOWN) & Exists(expired)),
        campaign=campaign_id,
        contact=OuterRef("pk"),
    )
    tried_again = CampaignMessage.objects.filter(
        campaign__not_reached_by=campaign_id, contact=OuterRef("pk")
    ).exclude(campaign=except_campaign_id)
    return Contact.objects.filter(Exists(not_reached), ~Exists(tried_again))
