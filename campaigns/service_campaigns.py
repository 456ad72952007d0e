"""Service campaigns: who may send them, and to how many without a second person.

A service message also goes to people who opted out of marketing, so one account alone does not
decide that many get it. The rules are in rules.md#service-campaigns.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from astronote.accounts.eligibility import SendingBlocked
from astronote.common import audit
from astronote.common.counts import format_count
from astronote.common.store_clock import format_time_with_zone_name
from astronote.models import User
from campaigns.audience import campaign_audience_with_consent_and_age
from campaigns.models import STARTABLE_STATUSES, Campaign, ServiceConfirmation
from contacts.models import MessageType

PERMISSION = "campaigns.send_service"
MESSAGE_TYPE_MEANINGS = _(
    "Marketing: anything that promotes the store, such as an offer, a discount or news; it goes to"
    " contacts who agreed to it, with a way to opt out. Service: what customers must know about an"
    " order, a booking or a contract of theirs; it also goes to those who opted out of marketing,"
    " so it holds no advertising."
)


class NotPermitted(ValueError):
    """The account that asks may not send service messages."""


def may_send_message_type(message_type: str, by: Any) -> bool:
    """Whether somebody may write and send messages of this type.

    Args:
        message_type: a MessageType.
        by: an account; a program's name has no permission.
    """
    if message_type != MessageType.SERVICE:
        return True
    return isinstance(by, User) and by.has_perm(PERMISSION)


def raise_not_permitted_if_may_not_send_type(message_type: str, by: Any) -> None:
    """Refuse somebody who may not send messages of this type.

    Raises:
        NotPermitted: if `may_send_message_type` says no.
    """
    if not may_send_message_type(message_type, by):
        raise NotPermitted(gettext("service messages need an account that may send them"))


def recipient_limit_unless_confirmed(campaign: Campaign) -> int | None:
    """The most recipients that a campaign may have as it is now; None if there is no limit."""
    if campaign.message_type != MessageType.SERVICE or confirmation_of_current_settings(campaign):
        return None
    return campaign.owner.service_max_recipients


def raise_blocked_if_over_limit_and_unconfirmed(campaign: Campaign, recipient_count: int) -> None:
    """Refuse a service campaign to more recipients than one person alone may decide on.

    Raises:
        SendingBlocked: if it has more recipients than `recipient_limit_unless_confirmed`.
    """
    limit = recipient_limit_unless_confirmed(campaign)
    if limit is not None and recipient_count > limit:
        raise SendingBlocked(
            gettext(
                "a second person must confirm a service campaign to more than %(limit)s recipients"
            )
            % {"limit": format_count(limit)}
        )


def needs_confirmation(campaign: Campaign) -> bool:
    """Whether the campaign has more recipients than it may have without a second person."""
    limit = recipient_limit_unless_confirmed(campaign)
    return (
        limit is not None
        and campaign_audience_with_consent_and_age(campaign)[: limit + 1].count() > limit
    )


def settings_digest(campaign: Campaign) -> str:
    """A hash of what a second person confirms: the campaign's text and audience settings."""
    confirmed = [
        campaign.owner_id,
        campaign.message_type,
        campaign.message_text,
        campaign.offer_url,
        campaign.list_id,
        campaign.filter_gender or "",
        campaign.filter_age_group or "",
        campaign.not_reached_by_id,
        campaign.to_everybody,
        [
            [choice.list_id, choice.segment_id, choice.is_excluded]
            + ([choice.segment.conditions] if choice.segment else [])
            for choice in campaign.audience_choices()
        ],
    ]
    return hashlib.sha256(json.dumps(confirmed).encode()).hexdigest()


def confirmation_request_for_current_settings(campaign: Campaign) -> ServiceConfirmation | None:
    """The request for a confirmation of the campaign as it is now, confirmed or not."""
    if campaign.message_type != MessageType.SERVICE:
        return None
    return (
        ServiceConfirmation.objects.filter(
            campaign=campaign.pk, settings_digest=settings_digest(campaign)
        )
        .select_related("asked_by", "confirmed_by")
        .first()
    )


def confirmation_of_current_settings(campaign: Campaign) -> ServiceConfirmation | None:
    """The second person's confirmation of the campaign as it is now, if there is one."""
    request = confirmation_request_for_current_settings(campaign)
    return request if request and request.confirmed_by else None


def ask_for_confirmation(campaign: Campaign, *, by: Any) -> None:
    """Ask a second person to confirm a service campaign as it is now; replaces an earlier request.

    Raises:
        NotPermitted: if `by` may not send service messages.
        ValueError: if the campaign needs no confirmation.
    """
    with transaction.atomic():
        locked = _lock_and_reload_startable_or_raise(campaign)
        raise_not_permitted_if_may_not_send_type(locked.message_type, by)
        if not needs_confirmation(locked):
            raise ValueError(gettext("the campaign needs no confirmation"))
        ServiceConfirmation.objects.update_or_create(
            campaign=locked,
            defaults={
                "settings_digest": settings_digest(locked),
                "asked_by": by,
                "asked_at": timezone.now(),
                "confirmed_by": None,
                "confirmed_at": None,
            },
        )
        audit.write_entry(
            "ask for confirmation",
            locked,
            by=by,
            **audit_details_of_type_and_recipient_count_if_service(locked),
        )


def confirm_campaign(campaign: Campaign, seen_digest: str, *, by: Any) -> None:
    """Confirm a service campaign as the second person; a campaign that waited for it is due again.

    Args:
        campaign: the campaign.
        seen_digest: the `settings_digest` of the text and audience that `by` has seen.
        by: another account than the one that asked.

    Raises:
        NotPermitted: if `by` may not send service messages.
        ValueError: if nobody asked, if `by` asked, or if the text or audience was changed since.
    """
    with transaction.atomic():
        locked = _lock_and_reload_startable_or_raise(campaign)
        raise_not_permitted_if_may_not_send_type(MessageType.SERVICE, by)
        request = confirmation_request_for_current_settings(locked)
        if request is None:
            raise ValueError(
                gettext("nobody asked to confirm the text and audience as they are now")
            )
        if seen_digest != request.settings_digest:
            raise ValueError(
                gettext("the text or audience was changed meanwhile: look at it again")
            )
        if request.asked_by_id == by.pk:
            raise ValueError(
                gettext("a second person must confirm it, and this account has asked for it")
            )
        request.confirmed_by, request.confirmed_at = by, timezone.now()
        request.save()
        Campaign.objects.filter(pk=locked.pk).update(block_reason="", retry_after=None)
        audit.write_entry(
            "confirm",
            locked,
            by=by,
            asked_by=request.asked_by_id,
            **audit_details_of_type_and_recipient_count_if_service(locked),
        )


def audit_details_of_type_and_recipient_count_if_service(campaign: Campaign) -> dict[str, Any]:
    """What the audit trail says of a service campaign besides who did what: type and size."""
    if campaign.message_type != MessageType.SERVICE:
        return {}
    return {
        "message_type": campaign.message_type,
        "recipients": campaign_audience_with_consent_and_age(campaign).count(),
    }


def _lock_and_reload_startable_or_raise(campaign: Campaign) -> Campaign:
    """Lock the campaign's row and read it again.

    Raises:
        ValueError: if it was started already.
    """
    locked = Campaign.objects.select_for_update(of=["self"]).select_related("owner")
    found = locked.get(pk=campaign.pk)
    if found.status not in STARTABLE_STATUSES:
        raise ValueError(
            gettext("the campaign was started already: it is %(status)s")
            % {"status": found.get_status_display()}
        )
    return found


def describe_confirmation(campaign: Campaign) -> str:
    """Who asked for and who gave the campaign's confirmation, as a sentence; empty if none."""
    request = confirmation_request_for_current_settings(campaign)
    if request is None:
        return ""
    if request.confirmed_by is None or request.confirmed_at is None:
        return gettext("%(asked_by)s asked for its confirmation; a second person must give it.") % {
            "asked_by": request.asked_by.email
        }
    confirmed_at = format_time_with_zone_name(request.confirmed_at, campaign.owner.timezone)
    return gettext(
        "%(asked_by)s asked for its confirmation, %(confirmed_by)s confirmed it at %(time)s."
    ) % {
        "asked_by": request.asked_by.email,
        "confirmed_by": request.confirmed_by.email,
        "time": confirmed_at,
    }
