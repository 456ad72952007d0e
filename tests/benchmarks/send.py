"""Messages a second from claim to settle: one, two and four workers, at several latencies."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
import requests

from tests.benchmarks.result import Result, counted
from tests.support.installation import Installation, peak_mb
from tests.support.waiting import wait_until

SIZES = [10_000, 100_000]
VARIABLES = {"SMS_BATCH_SIZE": "1000"}
# The campaigns of a run, more than a million messages in the end, fit into memory.
POSTGRES = {"max_wal_size": "4GB", "shared_buffers": "1GB"}
NAIVE = 300
UNLIMITED = 100_000
# So many workers, with so many calls a second allowed, at these latencies of the provider in
# milliseconds. Twenty is the limit that an installation has unless it is given another; one worker
# does not reach it.
CROWDS = [
    (1, UNLIMITED, [0, 50]), (1, 20, [200]),
    (2, UNLIMITED, [0, 50]), (2, 20, [200]),
    (4, UNLIMITED, [0, 50, 200]), (4, 20, [200]),
]  # fmt: skip


def run(place: Installation, size: int) -> list[Result]:
    from tests.support.factories import make_store
    from tests.support.volume import make_big_list

    place.behave(receipts="never")
    store = make_store(balance=50 * size)
    target = make_big_list(store, size)
    bare = _bare(started(store, target), place.sandbox_url)
    naive = _naive(started(store, target), place.sandbox_url)
    alone: dict[int, float] = {}
    results = []
    for workers, calls, latencies in CROWDS:
        with crowd(place, workers, QUEUE_RATE_MAX=str(calls)) as pids:
            for latency in latencies:
                place.behave(latency_ms=latency)
                campaign = started(store, target)
                sent = send_all(place, campaign, pids)
                plain = workers == 1 and not latency
                alone.setdefault(latency, sent.rate)
                what = f"{workers} workers, {latency} ms"
                if calls != UNLIMITED:
                    what += f", {calls} calls/s allowed"
                result = Result(
                    "send",
                    what,
                    campaign.total,
                    "messages/s",
                    ours=sent.rate,
                    bare=bare if plain else None,
                    naive=naive if plain else None,
                    peak_mb=sent.peak_mb,
                )
                if workers > 1:
                    result.also["of one worker"] = round(sent.rate / alone[latency], 2)
                if plain:
                    result.statements = _statements(started(store, target))
                    result.count_cpu({}, sent.cpu)
                results.append(result)
    return results


@contextmanager
def crowd(place: Installation, workers: int, **variables: str) -> Iterator[list[int]]:
    """So many workers of the queue sms, with these environment variables; gives their ids."""
    place.group.environment |= variables
    names = [f"sms-{n}" for n in range(workers)]
    for name in names:
        place.start(name, "rqworker sms")
    pids = [place.wait_for_worker(name) for name in names]
    yield pids
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not set(names) & set(place.group.pids()))


class Sent(NamedTuple):
    """What sending one campaign took.

    `rate` is messages a second from the first claim to the last settle, `peak_mb` the largest
    worker, `cpu` the processor seconds of each process.
    """

    rate: float
    peak_mb: float
    cpu: dict[str, float]


def started(store: Any, target: Any) -> Any:
    """A campaign whose batches wait, without jobs; `seconds` is what it took to write them."""
    from django.db import connection
    from django.test import override_settings

    from campaigns import enqueue
    from messaging.models import Batch
    from tests.support.factories import make_campaign

    draft = make_campaign(store, target)
    began = time.monotonic()
    with override_settings(QUEUE_DISABLED=True):  # an idle worker would take the first batch
        campaign = enqueue.enqueue_campaign(draft.pk)
    campaign.seconds = time.monotonic() - began
    campaign.batches = Batch.objects.filter(source_id=campaign.pk).count()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE campaigns_campaignmessage")
        cursor.execute("CHECKPOINT")
    return campaign


def send_all(place: Installation, campaign: Any, pids: list[int]) -> Sent:
    """Have these workers send a campaign's waiting batches."""
    from django.db.models import Max, Min

    from astronote.queues import jobs
    from messaging.batch_queue import SEND_NEXT
    from messaging.models import Batch

    before = place.cpu()
    jobs.enqueue_copies_on_commit("sms", SEND_NEXT, campaign.batches)
    batches = Batch.objects.filter(source_id=campaign.pk)
    wait_until(lambda: not batches.filter(settled_at=None).exists(), seconds=1200)
    times = batches.aggregate(first=Min("claimed_at"), last=Max("settled_at"))
    after = place.cpu()
    peak = max(peak_mb(pid) for pid in pids)
    rate = campaign.total / (times["last"] - times["first"]).total_seconds()
    return Sent(rate, peak, {name: after[name] - before[name] for name in after})


def _statements(campaign: Any) -> int:
    """SQL statements from claim to settle of one batch of a thousand, with BEGIN and COMMIT.

    The campaign's other batches are cancelled.
    """
    from campaigns import actions
    from messaging import sending

    word, statements = counted(sending.process_next_batch)
    assert word == "accepted"
    actions.cancel_campaign(campaign, by="benchmark")
    actions.cancel_batches_of_cancelled_campaign(campaign.pk)
    return statements


CLAIM = """
    UPDATE messaging_batch SET status = 'claimed', claim_token = %s, claimed_at = now()
    WHERE id = (SELECT id FROM messaging_batch WHERE status = 'pending' ORDER BY turn, id LIMIT 1
        FOR UPDATE SKIP LOCKED)
    RETURNING id, owner_id, source_id, sender
"""
READ = """
    SELECT m.id, m.to, m.text FROM campaigns_campaignmessage m
    JOIN contacts_contact c ON c.id = m.contact_id
    WHERE m.batch_id = %s AND m.status = 'queued' AND c.is_subscribed ORDER BY m.id
"""
SETTLE = """
    UPDATE campaigns_campaignmessage m SET status = 'sent', provider_message_id = t.provider_id,
        sent_at = now()
    FROM unnest(%s::bigint[], %s::text[]) AS t (id, provider_id) WHERE m.id = t.id
"""
TALLY = """
    INSERT INTO messaging_tally (owner_id, kind, source_id, slot, event, detail, count)
    VALUES (%s, 'campaign', %s, date_bin('5 minutes', now(), '2000-01-01+00'), 'accepted', '', %s)
    ON CONFLICT (kind, source_id, slot, event, detail, owner_id)
        DO UPDATE SET count = messaging_tally.count + EXCLUDED.count
"""


def _bare(campaign: Any, sandbox: str) -> float:
    """The same reads and writes with psycopg and requests and nothing else."""
    from django.conf import settings
    from django.db import connection, transaction

    session = requests.Session()
    session.headers["X-Mitto-API-Key"] = settings.MITTO_API_KEY
    url = f"{sandbox}/api/{settings.MITTO_API_VERSION}/Messages/sendmessagesbulk"
    account = settings.MITTO_TRAFFIC_ACCOUNT_ID
    began = time.monotonic()
    with connection.cursor() as cursor:
        while True:
            cursor.execute(CLAIM, [uuid.uuid4()])
            row = cursor.fetchone()
            if row is None:
                break
            batch, owner, source, sender = row
            cursor.execute(READ, [batch])
            messages = cursor.fetchall()
            cursor.execute(
                "UPDATE messaging_batch SET status = 'submitting', attempts = 1,"
                " submitted_at = now() WHERE id = %s",
                [batch],
            )
            body = {
                "messages": [
                    {
                        "trafficAccountId": account,
                        "destination": to,
                        "sms": {"text": text, "sender": sender},
                    }
                    for _, to, text in messages
                ]
            }
            answer = session.post(
                url, data=orjson.dumps(body), headers={"Content-Type": "application/json"}
            )
            items = orjson.loads(answer.content)["messages"]
            count = len(messages)
            with transaction.atomic():
                cursor.execute(
                    SETTLE, [[m[0] for m in messages], [item["messageId"] for item in items]]
                )
                cursor.execute(
                    "UPDATE messaging_batch SET status = 'settled', settled_at = now(),"
                    " awaiting = %s WHERE id = %s",
                    [count, batch],
                )
                cursor.execute(
                    "UPDATE messaging_creditreservation SET charged = amount,"
                    " status = 'committed', closed_at = now() WHERE batch_id = %s",
                    [batch],
                )
                cursor.execute(
                    "UPDATE messaging_wallet SET balance = balance - %s,"
                    " reserved_balance = reserved_balance - %s WHERE owner_id = %s"
                    " RETURNING balance",
                    [count, count, owner],
                )
                balance = cursor.fetchone()[0]
                cursor.execute(
                    "INSERT INTO messaging_credittransaction (owner_id, batch_id, type, amount,"
                    " balance_after, reason, idempotency_key)"
                    " VALUES (%s, %s, 'debit', %s, %s, 'messages sent', %s)",
                    [owner, batch, count, balance, f"bare:{batch}"],
                )
                cursor.execute(
                    "UPDATE campaigns_campaign SET sent = sent + %s WHERE id = %s", [count, source]
                )
                cursor.execute(TALLY, [owner, source, count])
    return campaign.total / (time.monotonic() - began)


def _naive(campaign: Any, sandbox: str) -> float:
    """How most people would write it: a message at a time, by the ORM."""
    from django.conf import settings
    from django.db.models import F

    from campaigns.models import Campaign, CampaignMessage
    from contacts.models import Contact
    from messaging.models import Batch, CreditTransaction, Wallet

    url = f"{sandbox}/api/{settings.MITTO_API_VERSION}/Messages/send"
    began = time.monotonic()
    for pk in CampaignMessage.objects.filter(campaign=campaign).values_list("pk", flat=True)[
        :NAIVE
    ]:
        message = CampaignMessage.objects.get(pk=pk)
        if not Contact.objects.get(pk=message.contact_id).is_subscribed:
            continue
        answer = requests.post(
            url,
            headers={"X-Mitto-API-Key": settings.MITTO_API_KEY},
            json={
                "trafficAccountId": settings.MITTO_TRAFFIC_ACCOUNT_ID,
                "destination": message.to,
                "sms": {"text": message.text, "sender": "TESTSHOP"},
            },
        )
        message.status, message.sent_at = "sent", datetime.now(UTC)
        message.provider_message_id = answer.json()["messages"][0]["messageId"]
        message.save()
        Wallet.objects.filter(owner=message.owner_id).update(
            balance=F("balance") - 1, reserved_balance=F("reserved_balance") - 1
        )
        CreditTransaction.objects.create(
            owner_id=message.owner_id,
            batch_id=message.batch_id,
            type="debit",
            amount=1,
            balance_after=0,
            reason="message sent",
            idempotency_key=f"naive:{pk}",
        )
        Campaign.objects.filter(pk=campaign.pk).update(sent=F("sent") + 1)
    rate = NAIVE / (time.monotonic() - began)
    Batch.objects.filter(source_id=campaign.pk).update(status="cancelled")
    return rate
