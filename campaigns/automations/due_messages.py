"""The messages of automations that are due, written through the same batches as campaigns.

`birthday.py`, `welcome.py` and `rules.py` decide who is due. Here the texts are made and the
credits held, for many stores at once.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import islice
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol
from zoneinfo import ZoneInfo

import orjson
from django.db import connection, transaction

from astronote.accounts.models import StoreId, User
from astronote.common import audit
from astronote.common.counts import counted_in_english
from astronote.common.sql import database_now
from campaigns.message_text import (
    CONTACT_FIELDS,
    CUSTOM_VALUES,
    AutomationText,
    create_links_and_automation_renderers,
)
from campaigns.models import Automation, AutomationMessage, AutomationRule, AutomationType
from campaigns.new_messages import build_new_or_skipped_message
from contacts.ages import ADULT_AGE, years_before
from contacts.marketing_blocks import marketing_blocks
from contacts.models import MessageType
from messaging import batch_writing, credits, database_age, limits, sending_stop
from messaging.batch_queue import enqueue_send_jobs_on_commit, lowest_due_turn_or_zero
from messaging.custom_tags import (
    custom_keys_by_store,
    keys_without_other_meaning,
)
from messaging.models import OutboundMessage
from messaging.text import text_problem_or_empty

log = logging.getLogger(__name__)

CHUNK = 5000


class _AutomationOrRule(Protocol):
    """An automation or rule of a store."""

    @property
    def id(self) -> int: ...

    @property
    def owner_id(self) -> StoreId: ...

    @property
    def message_body(self) -> str: ...


class DueContact(NamedTuple):
    """A contact that is due a message of an automation or rule.

    Args:
        extra_values: of the `extra_columns` of the message's class.
        automation_id: the automation or rule.
        custom_values: the values of custom fields by key, as JSON.
        values_by_tag: what else stands in the text for tags, written with their braces.
        skip_reason: why it is written as skipped, if it is.
    """

    sender: str
    extra_values: tuple[Any, ...]
    owner_id: StoreId
    automation_id: int
    message_body: str
    message_type: str
    contact_id: int
    phone: str
    first_name: str
    last_name: str
    email: str
    custom_values: str
    values_by_tag: Mapping[str, str] = MappingProxyType({})
    skip_reason: str = ""


class EligibleAutomation(NamedTuple):
    """An active automation of a store that may send."""

    id: int
    owner_id: StoreId
    sender: str
    timezone: str
    send_hour: int | None
    done_until: date | None
    message_body: str

    def local_day(self, at: datetime) -> date:
        """The day that it is then in the store's time zone."""
        return at.astimezone(ZoneInfo(self.timezone)).date()


def eligible_automations(
    automation_type: AutomationType,
) -> list[EligibleAutomation]:
    """The active automations of a type whose stores may send.

    None after a restore, until sending goes on: what is due by the rows may have been sent.
    """
    database_age.stop_sending_if_database_is_older()
    if sending_stop.is_stopped_by_old_or_restored_database():
        return []
    stores = User.objects.eligible_to_send_annotated_with_sender().filter(
        automation__type=automation_type, automation__is_active=True
    )
    columns = ("pk", "sender", "timezone")
    of_automation = ("send_hour", "done_until", "message_body")
    found = stores.values_list(
        "automation__pk", *columns, *(f"automation__{name}" for name in of_automation)
    )
    return [EligibleAutomation(*row) for row in found]


def text_problems_by_automation_id(
    automations: Iterable[_AutomationOrRule], other_tags: Collection[str] = ()
) -> dict[int, str]:
    """Why texts cannot be sent, by the id of their automation; without those that can.

    Args:
        automations: automations or rules.
        other_tags: tags that texts may have besides those of a contact, with their braces.
    """
    automations = list(automations)
    keys_by_store = custom_keys_by_store(
        (automation.owner_id, automation.message_body) for automation in automations
    )
    problems = {}
    for automation in automations:
        keys = keys_without_other_meaning(keys_by_store.get(automation.owner_id, ()), other_tags)
        if problem := text_problem_or_empty(automation.message_body, other_tags, keys):
            problems[automation.id] = problem
    return problems


def find_due_contacts(
    automations: Sequence[EligibleAutomation],
    sql_condition: str,
    occurrence_key: str,
    *,
    day: date | None = None,
    **parameters: Any,
) -> Iterator[DueContact]:
    """Read the contacts that are due a message of one of the automations, ordered by automation.

    They have the consent that the message needs, are not known to be minors, meet the condition,
    and have no message of this occurrence. They are read in chunks, so memory does not grow with
    their number.

    Args:
        automations: the automations that may send.
        sql_condition: SQL on contact `c` and automation `a`.
        occurrence_key: what the message is for, such as the year of a birthday.
        day: the day on which somebody is an adult; None for each store's local today.
        parameters: the parameters of the condition.
    """
    senders_by_automation = {automation.id: automation.sender for automation in automations}
    now = database_now()
    adults_born_until = [
        years_before(day or automation.local_day(now), ADULT_AGE) for automation in automations
    ]
    query = FIND_DUE_CONTACTS.format(condition=sql_condition)
    common: dict[str, Any] = {
        "automations": list(senders_by_automation),
        "adults_born_until": adults_born_until,
        "key": occurrence_key,
    }
    with connection.chunked_cursor() as cursor:
        cursor.execute(query, common | parameters)
        while chunk := cursor.fetchmany(CHUNK):
            yield from (
                DueContact(senders_by_automation[row[1]], (occurrence_key,), *row) for row in chunk
            )


# By the index that serves the condition; whether a message exists is asked by its unique index. The
# condition on the birthday is that of `is_adult_or_of_unknown_age_q`.
FIND_DUE_CONTACTS = """
    SELECT a.owner_id, a.id, a.message_body, a.message_type,
        c.id, c.phone, c.first_name, c.last_name, c.email, c.custom_values
    FROM contacts_contact c
    JOIN campaigns_automation a ON a.owner_id = c.owner_id
    JOIN unnest(%(automations)s::bigint[], %(adults_born_until)s::date[])
        AS eligible (id, adults_born_until) ON eligible.id = a.id
    WHERE {condition} AND c.phone IS NOT NULL AND c.restricted_at IS NULL
        AND (c.birthday IS NULL OR c.birthday <= eligible.adults_born_until)
        AND CASE a.message_type WHEN 'marketing' THEN c.is_subscribed ELSE c.service_allowed END
        AND NOT EXISTS (
            SELECT FROM campaigns_automationmessage m
            WHERE m.automation_id = a.id AND m.contact_id = c.id AND m.occurrence_key = %(key)s)
    ORDER BY a.id, c.id
"""


class DueMessagesResult(NamedTuple):
    """How many messages were written, and what the stores that could not pay would have needed."""

    messages: int
    credits_needed_by_store: Counter[StoreId]


def enqueue_due_messages(
    model: type[OutboundMessage],
    due_contacts: Iterable[DueContact],
    *,
    before_write: Callable[[list[DueContact]], list[DueContact]] = lambda due: due,
    after_write: Callable[[list[DueContact]], None] = lambda written: None,
) -> DueMessagesResult:
    """Write messages and batches, hold their credits and enqueue jobs; each chunk commits.

    A store that cannot pay a chunk gets none of that chunk's messages.

    Args:
        model: the class of the messages.
        due_contacts: ordered by automation; none of them has this message yet.
        before_write: called in the transaction of each chunk; returns it with reasons to skip.
        after_write: called in the transaction of each chunk with the contacts it wrote to.
    """
    messages = 0
    credits_needed_by_store: Counter[StoreId] = Counter()
    remaining = iter(due_contacts)
    while chunk := list(islice(remaining, CHUNK)):
        with transaction.atomic():
            written = _write_and_enqueue_paid_messages(model, before_write(chunk))
            after_write(written.contacts)
        messages += len(written.contacts)
        credits_needed_by_store.update(written.missing_credits_by_store)
    return DueMessagesResult(messages, credits_needed_by_store)


def set_block_reasons(
    model: type[Automation | AutomationRule],
    automations: Iterable[_AutomationOrRule],
    problems_by_automation_id: Mapping[int, str],
    credits_needed_by_store: Mapping[StoreId, int],
) -> set[int]:
    """Keep on each automation why it did not send all that was due, or that it did.

    The audit trail gets an entry when an automation begins to wait, not each time it is tried.

    Args:
        model: of the automations.
        automations: those that were to send.
        problems_by_automation_id: of texts, by the automation's id.
        credits_needed_by_store: what the stores that could not pay would have needed.

    Returns:
        The ids of those that wait.
    """
    reasons = dict(problems_by_automation_id)
    details: dict[int, dict[str, int]] = {}
    for automation in automations:
        if needed := credits_needed_by_store.get(automation.owner_id):
            reasons[automation.id] = (
                f"{counted_in_english(needed, 'credit is', 'credits are')} needed: top up the store"
            )
            details[automation.id] = {"credits": needed}
    sent = {automation.id for automation in automations} - reasons.keys()
    with transaction.atomic():
        model.objects.filter(pk__in=sent).exclude(block_reason="").update(block_reason="")
        blocked = model.objects.select_for_update().filter(pk__in=reasons.keys())
        for row in blocked.order_by("pk"):
            if not row.block_reason:
                audit.write_entry(
                    "automation not sent", row, by="automation", **details.get(row.pk, {})
                )
                log.warning(
                    "%s %s is not sent: %s", model._meta.verbose_name, row.pk, reasons[row.pk]
                )
            model.objects.filter(pk=row.pk).update(block_reason=reasons[row.pk][:200])
    return set(reasons)


class WrittenChunk(NamedTuple):
    """The contacts that were written to, and what the stores that cannot pay would have needed."""

    contacts: list[DueContact]
    missing_credits_by_store: dict[StoreId, int]


def _write_and_enqueue_paid_messages(
    model: type[OutboundMessage], chunk: list[DueContact]
) -> WrittenChunk:
    """Write the messages and batches of a chunk, hold their credits and enqueue jobs."""
    messages = _create_links_and_build_messages_of_unsuppressed(model, chunk)
    needed_by_store: Counter[StoreId] = Counter()
    for message in messages:
        if not message.skip_reason:
            needed_by_store[message.owner_id] += message.segments
    paying = credits.hold_credits_where_sufficient(needed_by_store)
    missing = {owner: needed for owner, needed in needed_by_store.items() if owner not in paying}
    messages = [message for message in messages if message.owner_id not in missing]
    sources = {
        row.automation_id: batch_writing.BatchSource(row.sender, row.message_type) for row in chunk
    }
    batches = batch_writing.insert_batches(
        model,
        messages,
        sources,
        first_turn=lowest_due_turn_or_zero(),
        batch_counts_by_source=Counter(),
    )
    if batches:
        credits.insert_reservations(batches)
        enqueue_send_jobs_on_commit(len(batches))
    contact_ids = {message.contact_id for message in messages}
    return WrittenChunk([row for row in chunk if row.contact_id in contact_ids], missing)


def _create_links_and_build_messages_of_unsuppressed(
    model: type[OutboundMessage], chunk: list[DueContact]
) -> list[batch_writing.NewMessage]:
    """The messages of a chunk; suppressed and held numbers are left out of marketing.

    Suppressed ones are left out of all birthday and welcome messages.
    """
    over_cap = limits.contact_ids_over_marketing_caps([row.contact_id for row in chunk])
    suppressed, held = marketing_blocks((row.owner_id, row.phone) for row in chunk)
    renderers = create_links_and_automation_renderers(
        {
            row.automation_id: AutomationText(
                row.owner_id, row.message_body, row.message_type, tuple(row.values_by_tag)
            )
            for row in chunk
        }
    )
    to_any_number = set(
        User.objects.filter(
            sends_to_any_number=True, pk__in={row.owner_id for row in chunk}
        ).values_list("pk", flat=True)
    )
    messages = []
    for tracking_id, row in zip(
        batch_writing.generate_tracking_ids(len(chunk)), chunk, strict=True
    ):
        pair = (row.owner_id, row.phone)
        is_marketing = row.message_type == MessageType.MARKETING
        if pair in suppressed and (is_marketing or model is AutomationMessage):
            continue
        if pair in held and is_marketing:
            continue
        values: dict[str, Any] = {name: getattr(row, name) for name in CONTACT_FIELDS}
        values[CUSTOM_VALUES] = orjson.loads(row.custom_values)
        text = renderers[row.automation_id](values, tracking_id)
        for tag, value in row.values_by_tag.items():
            text = text.replace(tag, value)
        message = build_new_or_skipped_message(
            row.owner_id,
            row.automation_id,
            row.contact_id,
            row.phone,
            text,
            tracking_id,
            over_cap=is_marketing and row.contact_id in over_cap,
            to_any_number=row.owner_id in to_any_number,
            skip_reason=row.skip_reason,
            extra_values=row.extra_values,
        )
        messages.append(message)
    return messages
