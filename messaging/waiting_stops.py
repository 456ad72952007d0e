"""Opt-outs that were written and wait to be applied: no call begins with their numbers in it.

A reply, and a press on the page of a message's link, is written and answered at once; a job changes
consent. So sending looks here just before the call, after it has read consent
(docs/rules.md#opt-outs).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from django.db.models import Q, QuerySet

from messaging.event_fields import raw_sender_number_of_reply_or_empty
from messaging.models import WebhookEvent
from messaging.reply_stores import possible_e164_numbers_of_sender
from messaging.statuses import ConsentRequest, WebhookEventStatus

# Reading the numbers of so many takes a tenth of a second; if more wait, every batch waits.
MOST_READ = 500


def is_possible_opt_out_waiting_or_too_many_to_read(
    owner_id: int, e164_phones: Collection[str]
) -> bool:
    """Whether an opt-out that may be from one of these numbers waits to be applied.

    Args:
        owner_id: the store that sends to them.
        e164_phones: numbers in E.164.
    """
    payloads = list(_payloads_of_waiting(owner_id)[: MOST_READ + 1])
    phones = set(e164_phones if payloads else ())
    return len(payloads) > MOST_READ or not phones.isdisjoint(_possible_sender_numbers_of(payloads))


def payloads_of_possible_opt_outs_set_aside(
    owner_id: int,
) -> QuerySet[WebhookEvent, dict[str, Any] | None]:
    """What could not be applied and may be an opt-out from a store's messages."""
    return _payloads_of_waiting(owner_id).filter(retry_at__isnull=False)


def phones_of_possible_opt_outs_set_aside(owner_id: int) -> set[str]:
    """The numbers of `payloads_of_possible_opt_outs_set_aside`.

    They may wait until the program is mended, and the other messages of a batch must not: those to
    these numbers are skipped.
    """
    return set(
        _possible_sender_numbers_of(payloads_of_possible_opt_outs_set_aside(owner_id)[:MOST_READ])
    )


def _payloads_of_waiting(owner_id: int) -> QuerySet[WebhookEvent, dict[str, Any] | None]:
    """What waits that may be meant for a store: a press on a page has its store, a reply none."""
    waiting = WebhookEvent.objects.filter(
        Q(owner=None) | Q(owner=owner_id),
        status=WebhookEventStatus.RECEIVED,
        consent_request__in=[ConsentRequest.STOP, ConsentRequest.REVIEW],
    )
    return waiting.values_list("payload", flat=True)


def _possible_sender_numbers_of(payloads: Iterable[dict[str, Any] | None]) -> Iterator[str]:
    for payload in payloads:
        yield from possible_e164_numbers_of_sender(
            raw_sender_number_of_reply_or_empty(payload or {})
        )
