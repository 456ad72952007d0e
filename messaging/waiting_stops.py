"""Opt-outs that were written and wait to be applied: no call begins with their numbers in it.

A reply, and a press on the page of a message's link, is written and answered at once; a job changes
consent. So sending looks here just before the call, after it has read consent
(docs/rules.md#opt-outs).
"""

from __future__ import annotations

from collections.abc import Collection

from messaging.event_fields import sender_number_of_reply
from messaging.models import WebhookEvent
from messaging.reply_stores import possible_sender_numbers
from messaging.statuses import ConsentRequest, WebhookEventStatus

# Reading the numbers of so many takes a tenth of a second; if more wait, every batch waits.
MOST_READ = 500


def is_one_from(e164_phones: Collection[str]) -> bool:
    """Whether an opt-out from one of these numbers, or what may be one, waits to be applied."""
    waiting = WebhookEvent.objects.filter(
        status=WebhookEventStatus.RECEIVED,
        consent_request__in=[ConsentRequest.STOP, ConsentRequest.REVIEW],
    )
    payloads = list(waiting.values_list("payload", flat=True)[: MOST_READ + 1])
    phones = set(e164_phones if payloads else ())
    return len(payloads) > MOST_READ or any(
        number in phones
        for payload in payloads
        for number in possible_sender_numbers(sender_number_of_reply(payload or {}))
    )
