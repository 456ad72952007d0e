"""Replies that may be opt-outs and are not sure: what waits for a person, and the decision.

Until it is decided, marketing to the number is held back (docs/rules.md#replies).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext

from astronote.accounts.models import User
from astronote.common import audit
from astronote.common.sql import database_now
from contacts.marketing_blocks import (
    delete_marketing_holds_of_reply,
    suppress_and_still_hold_phones_of_reply,
)
from contacts.models import MarketingHold
from messaging import replies
from messaging.event_fields import (
    TEXT_FIELDS,
    first_filled_field_as_text_or_empty,
    raw_sender_number_of_reply_or_empty,
)
from messaging.models import ReplyReview
from messaging.reply_reading import read_consent_request_of_reply
from messaging.reply_stores import (
    conversations_of_contacts_latest_first,
    possible_e164_numbers_of_sender,
)
from messaging.statuses import ConsentRequest, WebhookEventStatus

SOURCE = "reply_review"

UndecidedReviews = QuerySet[ReplyReview]  # the oldest first


class DecisionRefused(Exception):
    """A decision is not possible; the message says why and what to do."""


class OpenReview(NamedTuple):
    """A reply that waits for a decision, as an operator sees it."""

    id: int
    number: str
    text: str
    proposes_opt_out: bool
    stores: str
    reply: ReplyReview


def open_reviews() -> UndecidedReviews:
    """The replies that wait for a decision, the oldest first."""
    return ReplyReview.objects.filter(status=WebhookEventStatus.REVIEW).order_by("pk")


def describe_reviews(replies_to_decide: Iterable[ReplyReview]) -> list[OpenReview]:
    """What an operator needs for the decisions; one query for the stores of all."""
    reviews = list(replies_to_decide)
    stores: dict[int, list[str]] = {}
    holds = MarketingHold.objects.filter(reply_id__in=[reply.pk for reply in reviews])
    for hold in holds.select_related("owner").order_by("owner"):
        name = str(hold.owner) if hold.owner else "all stores"
        if name not in stores.setdefault(hold.reply_id, []):
            stores[hold.reply_id].append(name)
    return [
        OpenReview(
            reply.pk,
            raw_sender_number_of_reply_or_empty(reply.payload or {}),
            review_text_or_empty_if_erased(reply),
            proposes_opt_out(reply),
            ", ".join(stores.get(reply.pk, [])),
            reply,
        )
        for reply in reviews
    ]


def review_text_or_empty_if_erased(reply: ReplyReview) -> str:
    """What the customer wrote; empty if it was erased."""
    return first_filled_field_as_text_or_empty(reply.payload or {}, TEXT_FIELDS)


def proposes_opt_out(reply: ReplyReview) -> bool:
    """Whether the reply is likely an opt-out; so is one whose text was erased."""
    if reply.payload is None or reply.consent_request == ConsentRequest.STOP:
        return True
    reading = read_consent_request_of_reply(review_text_or_empty_if_erased(reply))
    return ConsentRequest.STOP in (reading.request, reading.proposed)


@transaction.atomic
def decide_review(reply_id: int, *, is_opt_out: bool, by: User | AnonymousUser | str) -> None:
    """Decide whether a reply is an opt-out, let marketing go on if not, and write an audit entry.

    An opt-out also waits for open sending windows.

    Args:
        reply_id: the reply.
        is_opt_out: the decision.
        by: the account or program that decides.

    Raises:
        DecisionRefused: if the reply is decided, or its number cannot be read.
    """
    reply = open_reviews().select_for_update().filter(pk=reply_id).first()
    if reply is None:
        raise DecisionRefused(gettext("reply %(number)s is decided already") % {"number": reply_id})
    proposed = proposes_opt_out(reply)
    if is_opt_out:
        _opt_out_where_held_or_raise_refused(reply)
    delete_marketing_holds_of_reply(reply.pk)
    reply.status, reply.processed_at = WebhookEventStatus.PROCESSED, database_now()
    reply.consent_request = ConsentRequest.STOP.value if is_opt_out else ""
    reply.save(update_fields=["status", "processed_at", "consent_request"])
    audit.write_entry("reply decided", reply, by=by, opt_out=is_opt_out, proposed_opt_out=proposed)


def _opt_out_where_held_or_raise_refused(reply: ReplyReview) -> None:
    """Opt the reply's number out at the stores where marketing is held back."""
    held_at = set(MarketingHold.objects.filter(reply_id=reply.pk).values_list("owner", flat=True))
    if not held_at:
        raise DecisionRefused(
            gettext(
                "the number of reply %(number)s cannot be read: import it as a suppression, then"
                " decide that the reply is no opt-out"
            )
            % {"number": reply.pk}
        )
    suppress_and_still_hold_phones_of_reply(reply.pk, reason=SOURCE)
    conversations = conversations_of_contacts_latest_first(
        possible_e164_numbers_of_sender(raw_sender_number_of_reply_or_empty(reply.payload or {}))
    )
    meant_for = [one for one in conversations if one.owner_id in held_at or None in held_at]
    replies.add_opt_outs_to_tallies(
        replies.opt_out_contacts_and_get_changed(reply, meant_for, source=SOURCE)
    )
