"""From a campaign to its messages and batches, in one transaction (design, Sending, step 1)."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from campaigns.audience import audience
from campaigns.models import STARTABLE, Campaign, CampaignMessage, CampaignStatus
from contacts import jobs
from contacts.consent import suppressed
from contacts.models import MessageType
from messaging import credits
from messaging.sending import SEND_BATCH
from messaging.text import compile_template, parts

log = logging.getLogger(__name__)

START_CAMPAIGN = "campaigns.tasks.start_campaign"
CHUNK = 10_000
RETRY_MINUTES = 5
FIELDS = ("first_name", "last_name", "email")


class Blocked(Exception):
    """A campaign cannot start now; the reason is a sentence for the operator."""


class Hopeless(Blocked):
    """It can never start as it is: no audience, no text."""


def start(campaign_id: int) -> Campaign:
    """Start a campaign that is a draft or due: write its messages, reserve credits, set it going.

    Anything else is left alone. It happens wholly or not at all.

    Raises:
        Blocked: with the reason, after it was written on the campaign.
    """
    try:
        return _start(campaign_id)
    except Blocked as blocked:
        ended = isinstance(blocked, Hopeless)
        Campaign.objects.filter(pk=campaign_id, status__in=STARTABLE).update(
            block_reason=str(blocked)[:200],
            retry_after=None if ended else timezone.now() + timedelta(minutes=RETRY_MINUTES),
            **({"status": "failed", "finished_at": timezone.now()} if ended else {}),
        )
        raise


@transaction.atomic
def _start(campaign_id: int) -> Campaign:
    campaign = Campaign.objects.select_for_update(of=["self"]).select_related("owner").get(
        pk=campaign_id
    )  # fmt: skip
    if campaign.status not in STARTABLE:
        return campaign
    sender = sender_of(campaign.owner)
    _check_store(campaign.owner)
    if not campaign.message_text.strip():
        raise Hopeless("the campaign has no text")
    batches, total = _write_messages(campaign, sender)
    if not total:
        raise Hopeless("nobody in the audience may be messaged")
    try:
        credits.reserve(campaign.owner_id, batches)
    except credits.InsufficientCredits as error:
        raise Blocked(str(error)) from None
    now = timezone.now()
    campaign.status, campaign.started_at, campaign.total = CampaignStatus.SENDING, now, total
    campaign.block_reason, campaign.retry_after = "", None
    campaign.save()
    jobs.enqueue_each("sms", SEND_BATCH, [batch for batch, _ in batches])
    log.info("campaign %s: %s messages in %s batches", campaign_id, total, len(batches))
    return campaign


def sender_of(owner) -> str:
    """The store's sender ID, or the default one.

    Raises:
        Blocked: if there is neither.
    """
    sender = owner.sender_name or settings.MITTO_SENDER
    if not sender:
        raise Blocked("the store has no sender ID: set its sender name, or MITTO_SENDER")
    return sender


def _check_store(owner) -> None:
    if owner.billing_hold:
        raise Blocked(f"the store is on billing hold: {owner.billing_hold_reason or 'no reason'}")
    if owner.subscription_status != "active":
        raise Blocked(f"the store's subscription is {owner.subscription_status}")


def _write_messages(campaign: Campaign, sender: str) -> tuple[list[tuple[int, int]], int]:
    """Write messages and batches by COPY; return (batch id, parts) of each batch, and the total.

    The audience is read by a server-side cursor in chunks, so memory stays flat.
    """
    fill = compile_template(campaign.message_text)
    rows = (
        audience(campaign)
        .order_by("pk")
        .values_list("pk", "phone", *FIELDS)
        .iterator(chunk_size=CHUNK)
    )
    batches: list[tuple[int, int]] = []
    total = 0
    for recipients in _chunks(rows, campaign):
        sizes: dict[int, list[int]] = {}
        lines = []
        ids = _batch_ids(-(-len(recipients) // settings.SMS_BATCH_SIZE))
        for position, (contact_id, phone, *values) in enumerate(recipients):
            batch = ids[position // settings.SMS_BATCH_SIZE]
            text = fill(dict(zip(FIELDS, values, strict=True)))
            segments = parts(text)
            size = sizes.setdefault(batch, [0, 0])
            size[0] += 1
            size[1] += segments
            lines.append((campaign.owner_id, campaign.pk, contact_id, batch, phone, text, segments))
        _copy_batches(campaign, sender, {batch: size for batch, (size, _) in sizes.items()})
        _copy_messages(lines)
        batches += [(batch, amount) for batch, (_, amount) in sizes.items()]
        total += len(recipients)
    return batches, total


def _chunks(rows: Iterator[tuple], campaign: Campaign) -> Iterator[list[tuple]]:
    while chunk := list(islice(rows, CHUNK)):
        if campaign.message_type == MessageType.MARKETING:
            barred = suppressed(campaign.owner_id, [row[1] for row in chunk])
            if barred:
                chunk = [row for row in chunk if row[1] not in barred]
        if chunk:
            yield chunk


def _batch_ids(count: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence('messaging_batch', 'id')) "
            "FROM generate_series(1, %s)",
            [count],
        )
        return [row[0] for row in cursor.fetchall()]


def _copy_batches(campaign: Campaign, sender: str, sizes: dict[int, int]) -> None:
    with connection.cursor() as cursor, cursor.copy(
        "COPY messaging_batch (id, owner_id, kind, source_id, message_type, sender, size, status, "
        "attempts, deferrals) FROM STDIN"
    ) as copy:  # fmt: skip
        for batch, size in sizes.items():
            copy.write_row((batch, campaign.owner_id, CampaignMessage.batch_kind, campaign.pk,
                            campaign.message_type, sender, size, "pending", 0, 0))  # fmt: skip


def _copy_messages(lines: list[tuple]) -> None:
    with connection.cursor() as cursor, cursor.copy(
        "COPY campaigns_campaignmessage (owner_id, campaign_id, contact_id, batch_id, \"to\", text,"
        " segments, tracking_id, status) FROM STDIN"
    ) as copy:  # fmt: skip
        for line in lines:
            copy.write_row((*line, secrets.token_urlsafe(9), "queued"))
