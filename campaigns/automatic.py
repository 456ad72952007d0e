"""Writing the messages of automations that are due, through the same batches as campaigns.

Who is due is asked by `birthday.py` and `welcome.py`; here the texts are made and the credits held,
for many stores at once.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection, transaction

from campaigns.models import AutomationMessage
from campaigns.wording import FIELDS, fillers_of
from contacts import audit, jobs
from contacts.consent import suppressed_pairs
from messaging import batching, credits, guards
from messaging.sending import SEND_NEXT, next_turn
from messaging.text import MOST_PARTS, parts

log = logging.getLogger(__name__)

CHUNK = 5000


class Due(NamedTuple):
    """A contact that is due a message of an automation."""

    owner_id: int
    automation_id: int
    message_body: str
    message_type: str
    sender: str
    contact_id: int
    phone: str
    first_name: str
    last_name: str
    email: str


def find(condition: str, occurrence_key: str, **parameters: Any) -> Iterator[Due]:
    """Contacts that may be messaged, meet an SQL condition on contact c, automation a and store u,
    and have no message of this occurrence; read in chunks, neighbours by automation.
    """
    query = DUE.format(users=get_user_model()._meta.db_table, condition=condition)
    common = {"sender": settings.MITTO_SENDER, "key": occurrence_key}
    with connection.chunked_cursor() as cursor:
        cursor.execute(query, common | parameters)
        while rows := cursor.fetchmany(CHUNK):
            yield from (Due(*row) for row in rows)


DUE = """
    SELECT a.owner_id, a.id, a.message_body, a.message_type,
        COALESCE(NULLIF(u.sender_name, ''), %(sender)s),
        c.id, c.phone, c.first_name, c.last_name, c.email
    FROM contacts_contact c
    JOIN campaigns_automation a ON a.owner_id = c.owner_id
    JOIN {users} u ON u.id = a.owner_id
    WHERE {condition} AND c.phone IS NOT NULL
        AND CASE a.message_type WHEN 'marketing' THEN c.is_subscribed ELSE c.service_allowed END
        AND COALESCE(NULLIF(u.sender_name, ''), %(sender)s) <> ''
        AND NOT EXISTS (
            SELECT FROM campaigns_automationmessage m
            WHERE m.automation_id = a.id AND m.contact_id = c.id AND m.occurrence_key = %(key)s)
    ORDER BY a.id, c.id
"""


def send(
    due: Iterable[Due],
    occurrence_key: str,
    *,
    also: Callable[[list[Due]], None] = lambda written: None,
) -> dict[str, int]:
    """Write and enqueue the messages of these contacts, in chunks; each chunk commits.

    Args:
        due: neighbours by automation; none that has a message of this occurrence.
        also: called in the transaction of each chunk with those it wrote.

    Returns:
        Counts of messages, and of stores that could not pay.
    """
    counts = {"messages": 0, "stores_without_credit": 0}
    rows = iter(due)
    while chunk := list(islice(rows, CHUNK)):
        with transaction.atomic():
            written, poor = _write(chunk, occurrence_key)
            also(written)
        counts["messages"] += len(written)
        counts["stores_without_credit"] += len(poor)
        for owner_id, needed in poor.items():
            audit.record("automation not sent", by="automation", owner_id=owner_id, credits=needed)
            log.warning("store %s lacks credits for %s parts", owner_id, needed)
    return counts


def _write(chunk: list[Due], occurrence_key: str) -> tuple[list[Due], Mapping[int, int]]:
    """Write a chunk; return those written, and the stores that could not pay with their need."""
    lines = list(_lines(chunk))
    needs: Counter[int] = Counter()
    for line in lines:
        if not line.skip:
            needs[line.owner_id] += line.segments
    held = credits.hold(needs)
    poor = {owner: needed for owner, needed in needs.items() if owner not in held}
    lines = [line for line in lines if line.owner_id not in poor]
    sources = {row.automation_id: batching.Source(row.sender, row.message_type) for row in chunk}
    batches = batching.write(
        AutomationMessage,
        lines,
        sources,
        first_turn=next_turn(),
        made=Counter(),
        extra={"occurrence_key": occurrence_key},
    )
    if batches:
        credits.keep(batches)
        jobs.enqueue_times("sms", SEND_NEXT, len(batches))
    ids = {line.contact_id for line in lines}
    return [row for row in chunk if row.contact_id in ids], poor


def _lines(chunk: list[Due]) -> Iterator[batching.Line]:
    over = guards.over_contact_caps([row.contact_id for row in chunk])
    barred = suppressed_pairs((row.owner_id, row.phone) for row in chunk)
    fills = fillers_of(
        {row.automation_id: (row.owner_id, row.message_body, row.message_type) for row in chunk}
    )
    codes = batching.new_tracking_ids(len(chunk))
    for code, row in zip(codes, chunk, strict=True):
        if (row.owner_id, row.phone) in barred:
            continue
        text = fills[row.automation_id]({name: getattr(row, name) for name in FIELDS}, code)
        taken = parts(text)
        skip = guards.CONTACT_CAP if row.contact_id in over else ""
        if taken > MOST_PARTS:
            skip = "too_long"
        yield batching.Line(
            row.owner_id,
            row.automation_id,
            row.contact_id,
            row.phone,
            text,
            taken,
            code,
            skip,
        )
