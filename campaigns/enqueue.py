"""From a campaign to its messages and batches, in one transaction (design, Sending, step 1)."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import islice

from django.db import transaction
from django.utils import timezone

from campaigns import schedule, wording
from campaigns.audience import audience
from campaigns.models import STARTABLE, Campaign, CampaignMessage, CampaignStatus
from campaigns.wording import FIELDS
from contacts import jobs
from contacts.consent import suppressed
from contacts.logs import log_context
from contacts.models import MessageType
from messaging import batching, credits, guards
from messaging.sending import SEND_NEXT, next_turn
from messaging.standing import Blocked, check_store
from messaging.text import MOST_PARTS, parts

log = logging.getLogger(__name__)

CHUNK = 10_000
SHORTEST_RETRY, LONGEST_RETRY = timedelta(minutes=1), timedelta(hours=1)


class Hopeless(Blocked):
    """It can never start as it is: no audience, no text."""


def start(campaign_id: int, *, only_if_due: bool = False) -> Campaign:
    """Start a campaign that is a draft or scheduled: write its messages, hold credits, go.

    Anything else is left alone, with `only_if_due` also one whose time has not come. It happens
    wholly or not at all.

    Raises:
        Blocked: with the reason, after it was written on the campaign.
    """
    with log_context(campaign=campaign_id):
        try:
            return _start(campaign_id, only_if_due)
        except Blocked as blocked:
            _keep_waiting(campaign_id, blocked)
            raise


def _keep_waiting(campaign_id: int, blocked: Blocked) -> None:
    """Write down why, and when it is tried again: the longer it has waited, the later."""
    campaign = Campaign.objects.get(pk=campaign_id)
    now = timezone.now()
    changes = {"block_reason": str(blocked)[:200], "retry_after": None}
    if isinstance(blocked, Hopeless):
        changes |= {"status": CampaignStatus.FAILED, "finished_at": now}
    elif campaign.status == CampaignStatus.SCHEDULED:
        waited = now - campaign.scheduled_at
        changes["retry_after"] = now + min(max(waited, SHORTEST_RETRY), LONGEST_RETRY)
    Campaign.objects.filter(pk=campaign_id, status__in=STARTABLE).update(**changes)


@transaction.atomic
def _start(campaign_id: int, only_if_due: bool) -> Campaign:
    locked = Campaign.objects.select_for_update(of=["self"]).select_related("owner")
    campaign = locked.get(pk=campaign_id)
    if campaign.status not in STARTABLE:
        return campaign
    if only_if_due and not schedule.due().filter(pk=campaign_id).exists():
        return campaign
    sender = check_store(campaign.owner)
    if not campaign.message_text.strip():
        raise Hopeless("the campaign has no text")
    batches, total, skipped = _write_messages(campaign, sender)
    if not total:
        raise Hopeless("nobody in the audience may be messaged")
    try:
        credits.reserve(batches)
    except credits.InsufficientCredits as error:
        raise Blocked(str(error)) from None
    now = timezone.now()
    campaign.status, campaign.started_at = CampaignStatus.SENDING, now
    campaign.total, campaign.skipped = total, skipped
    campaign.block_reason, campaign.retry_after = "", None
    if not batches:
        campaign.status, campaign.finished_at = CampaignStatus.COMPLETED, now
    campaign.save()
    jobs.enqueue_times("sms", SEND_NEXT, len(batches))
    log.info("%s messages in %s batches", total, len(batches))
    return campaign


def _write_messages(campaign: Campaign, sender: str) -> tuple[list[batching.NewBatch], int, int]:
    """Write messages and batches; return the batches, and how many messages in all and skipped.

    The audience is read by a server-side cursor in chunks, so memory stays flat.
    """
    try:
        fill = wording.filler_of(campaign)
    except ValueError as error:
        raise Hopeless(str(error)) from None
    rows = (
        audience(campaign)
        .order_by("pk")
        .values_list("pk", "phone", *FIELDS)
        .iterator(chunk_size=CHUNK)
    )
    sources = {campaign.pk: batching.Source(sender, campaign.message_type)}
    batches: list[batching.NewBatch] = []
    made: Counter[int] = Counter()
    first_turn, total, skipped = next_turn(), 0, 0
    chunks = (
        (_lines, campaign, fill, recipients, over) for recipients, over in _chunks(rows, campaign)
    )
    for lines in _while_written(chunks):
        batches += batching.write(CampaignMessage, lines, sources, first_turn=first_turn, made=made)
        total += len(lines)
        skipped += sum(1 for line in lines if line.skip)
    return batches, total, skipped


def _while_written(calls: Iterable[tuple]) -> Iterator[list[batching.Line]]:
    """What each call returns, made by a thread while the caller writes what came before.

    So the texts keep one processor busy and PostgreSQL another. The calls must not touch the
    database, whose connection is the caller's.
    """
    with ThreadPoolExecutor(1) as beside:
        before = None
        for function, *arguments in calls:
            under_way = beside.submit(function, *arguments)
            if before:
                yield before.result()
            before = under_way
        if before:
            yield before.result()


def _lines(
    campaign: Campaign, fill: wording.Fill, recipients: list[tuple], over: set[int]
) -> list[batching.Line]:
    """The recipients' messages; who is over a cap, or whose text is too long, is skipped."""
    lines = []
    codes = batching.new_tracking_ids(len(recipients))
    for code, (contact_id, phone, *values) in zip(codes, recipients, strict=True):
        text = fill(dict(zip(FIELDS, values, strict=True)), code)
        taken = parts(text)
        skip = guards.CONTACT_CAP if contact_id in over else ""
        if taken > MOST_PARTS:
            skip = "too_long"
        lines.append(
            batching.Line(
                campaign.owner_id, campaign.pk, contact_id, phone, text, taken, code, skip
            )
        )
    return lines


def _chunks(rows: Iterator[tuple], campaign: Campaign) -> Iterator[tuple[list[tuple], set[int]]]:
    """Chunks of recipients, each with those that a cap leaves out."""
    marketing = campaign.message_type == MessageType.MARKETING
    while chunk := list(islice(rows, CHUNK)):
        over: set[int] = set()
        if marketing:
            barred = suppressed(campaign.owner_id, [row[1] for row in chunk])
            if barred:
                chunk = [row for row in chunk if row[1] not in barred]
            over = guards.over_contact_caps([row[0] for row in chunk])
        if chunk:
            yield chunk, over
