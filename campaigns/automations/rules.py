"""Rules: messages before and after events, after inactivity and around birthdays.

A run writes what became due since the last one, found by index on the times of events, and what is
due late because its event was recorded or changed since. The rules are in
rules.md#automation-rules.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db import connection

from astronote.accounts.models import StoreId, User
from astronote.common.locks import advisory_lock
from astronote.common.sql import database_now, rows
from astronote.common.store_clock import utc_time_of_hour
from campaigns.automations.birthday import days_of_month_celebrated_on
from campaigns.automations.daily import DEFAULT_HOUR
from campaigns.automations.due_messages import (
    CHUNK,
    DueContact,
    enqueue_due_messages,
    set_block_reasons,
    text_problems_by_automation_id,
)
from campaigns.models import (
    EVENT_DATE,
    EVENT_TAGS,
    EVENT_TIME,
    AutomationRule,
    AutomationSend,
    EventTimeField,
    RuleTrigger,
)
from contacts.ages import ADULT_AGE, years_before
from contacts.marketing_blocks import marketing_blocks
from contacts.models import ACTIVITY_TYPES, CustomerEventStatus, MessageType
from messaging import limits, sending_stop
from messaging.statuses import Reason

log = logging.getLogger(__name__)

# What is due later than this is not sent; a message before an event is, until the event.
MAX_LATE = timedelta(days=2)
# Each run looks this far behind the last one: an event is committed some time after it is written.
OVERLAP = timedelta(minutes=5)
DAY = timedelta(days=1)
UPCOMING = timedelta(days=7)


class EligibleRule(NamedTuple):
    """An active rule of a store that may send."""

    owner_id: StoreId
    sender: str
    timezone: str
    id: int
    name: str
    message_type: str
    message_body: str
    trigger_type: str
    event_type: str
    event_status: str
    event_time_field: str
    offset_minutes: int
    inactivity_days: int | None
    dedupe_window_minutes: int
    max_per_contact_per_day: int
    last_run_at: datetime | None

    @property
    def delay(self) -> timedelta:
        """From the time that the rule counts from until its message is due; negative if before."""
        if self.trigger_type == RuleTrigger.INACTIVITY:
            return timedelta(days=self.inactivity_days or 0)
        return timedelta(minutes=self.offset_minutes)

    @property
    def event_type_status_and_time_field(self) -> tuple[str, str, str]:
        """The type and status of the events, and from which of their times the rule counts."""
        return self.event_type, self.event_status, self.event_time_field

    @property
    def is_before_event(self) -> bool:
        """Whether its messages are pointless once the event has begun."""
        return self.trigger_type == RuleTrigger.EVENT and self.offset_minutes < 0


def eligible_rules(store: User | None = None) -> list[EligibleRule]:
    """The active rules whose stores may send, of one store or of all; none after a restore."""
    if sending_stop.is_stopped_by_old_or_restored_database():
        return []
    stores = User.objects.eligible_to_send_annotated_with_sender().filter(
        automationrule__is_active=True
    )
    if store is not None:
        stores = stores.filter(pk=store.pk)
    columns = [f"automationrule__{name}" for name in EligibleRule._fields[3:]]
    found = stores.values_list("pk", "sender", "timezone", *columns).order_by(columns[0])
    return [EligibleRule(*row) for row in found]


def enqueue_rule_messages() -> dict[str, int]:
    """Enqueue the messages of rules that are due; a second call sends nothing twice.

    A store that cannot pay is tried again by the next call.

    Returns:
        Counts of rules, messages and stores that could not pay; empty if another process is doing
        this now.
    """
    with advisory_lock("automation rules") as acquired:
        if not acquired:
            return {}
        now = database_now()
        rules = {rule.id: rule for rule in eligible_rules()}
        problems = text_problems_by_automation_id(rules.values(), EVENT_TAGS)
        sendable = [rule for rule in rules.values() if rule.id not in problems]
        sends = find_consenting_contacts_due_by_rules(sendable, now, until=now)
        result = enqueue_due_messages(
            AutomationSend,
            sends,
            before_write=lambda chunk: _with_reasons_where_event_begun_or_over_limit(
                chunk, rules, now
            ),
        )
        waiting = set_block_reasons(
            AutomationRule, rules.values(), problems, result.credits_needed_by_store
        )
        done = AutomationRule.objects.filter(pk__in=rules.keys() - waiting)
        done.filter(last_run_at__lt=now - OVERLAP).update(last_run_at=now)
    counts = {
        "rules": len(sendable),
        "messages": result.messages,
        "stores_without_credit": len(result.credits_needed_by_store),
    }
    log.info("rules: %s", counts)
    return counts


def find_consenting_contacts_due_by_rules(
    rules: Sequence[EligibleRule], now: datetime, *, until: datetime
) -> Iterator[DueContact]:
    """Read what of the rules becomes due until a time and has no message yet, ordered by rule.

    The contacts have the consent that the rule needs and are not known to be minors. They are read
    in chunks, so memory does not grow with their number.
    """
    by_id = {rule.id: rule for rule in rules}
    on_birthdays = [rule for rule in rules if rule.trigger_type == RuleTrigger.BIRTHDAY]
    on_events = [rule for rule in rules if rule.trigger_type != RuleTrigger.BIRTHDAY]
    for sql, values in (
        (DUE_EVENTS, list(_event_conditions(on_events, now))),
        (
            DUE_BIRTHDAYS,
            [
                one
                for rule in on_birthdays
                for one in _birthday_conditions_due_until(rule, now, until)
            ],
        ),
    ):
        if not values:
            continue
        parameters: dict[str, Any] = {
            "now": now,
            "until": until,
            **{
                name: list(column)
                for name, column in zip(values[0]._fields, zip(*values, strict=True), strict=True)
            },
        }
        with connection.chunked_cursor() as cursor:
            cursor.execute(FIND_DUE_SENDS.format(due=sql), parameters)
            while chunk := cursor.fetchmany(CHUNK):
                yield from (
                    _build_due_contact_with_event_tag_values(by_id[rule_id], *row)
                    for rule_id, *row in chunk
                )


class _RuleColumns(NamedTuple):
    """What DUE_EVENTS and DUE_BIRTHDAYS know of a rule in any case."""

    rule_id: int
    owner_id: StoreId
    is_marketing: bool
    adults_born_until: date
    delay: timedelta


def _build_rule_columns_for_sql(rule: EligibleRule, now: datetime) -> _RuleColumns:
    today = now.astimezone(ZoneInfo(rule.timezone)).date()
    return _RuleColumns(
        rule.id,
        rule.owner_id,
        rule.message_type == MessageType.MARKETING,
        years_before(today, ADULT_AGE),
        rule.delay,
    )


class _EventCondition(NamedTuple):
    """Which events a rule is about, and from when on they are looked at: columns of DUE_EVENTS."""

    rule_id: int
    owner_id: StoreId
    is_marketing: bool
    adults_born_until: date
    delay: timedelta
    event_type: str
    event_status: str
    time_field: str
    is_inactivity: bool
    due_after: datetime  # what became due since the last run
    changed_since: datetime  # what was recorded or changed since, if it was due after `late_after`
    late_after: datetime
    next_delay: timedelta | None  # of the next message before the same events


def _event_conditions(rules: Sequence[EligibleRule], now: datetime) -> Iterator[_EventCondition]:
    delays: defaultdict[tuple[Any, ...], list[timedelta]] = defaultdict(list)
    for rule in rules:
        if rule.is_before_event:
            delays[rule.owner_id, *rule.event_type_status_and_time_field].append(rule.delay)
    for rule in rules:
        later = [
            one
            for one in delays[rule.owner_id, *rule.event_type_status_and_time_field]
            if one > rule.delay
        ]
        yield from _event_conditions_of_rule(rule, now, min(later, default=None))


def _event_conditions_of_rule(
    rule: EligibleRule, now: datetime, next_delay: timedelta | None
) -> Iterator[_EventCondition]:
    is_inactivity = rule.trigger_type == RuleTrigger.INACTIVITY
    since = (rule.last_run_at or now) - OVERLAP
    oldest = now - MAX_LATE + min(rule.delay, timedelta())
    late_after = now + rule.delay if rule.is_before_event else now - MAX_LATE
    events = [rule.event_type_status_and_time_field]
    if is_inactivity:
        completed = CustomerEventStatus.COMPLETED.value
        events = [(one.value, completed, EventTimeField.END.value) for one in ACTIVITY_TYPES]
    for event in events:
        yield _EventCondition(
            *_build_rule_columns_for_sql(rule, now),
            *event,
            is_inactivity,
            max(since, oldest),
            since,
            late_after,
            next_delay,
        )


class _Birthday(NamedTuple):
    """A day of the month that a rule celebrates at a moment: columns of DUE_BIRTHDAYS."""

    rule_id: int
    owner_id: StoreId
    is_marketing: bool
    adults_born_until: date
    delay: timedelta
    month: int
    day: int
    at: datetime


def _birthday_conditions_due_until(
    rule: EligibleRule, now: datetime, until: datetime
) -> Iterator[_Birthday]:
    due_after = max((rule.last_run_at or now) - OVERLAP, now - MAX_LATE)
    zone = ZoneInfo(rule.timezone)
    celebrated = (due_after - rule.delay).astimezone(zone).date()
    while (at := utc_time_of_hour(celebrated, DEFAULT_HOUR, rule.timezone)) + rule.delay <= until:
        if at + rule.delay > due_after:
            for day in days_of_month_celebrated_on(celebrated):
                yield _Birthday(*_build_rule_columns_for_sql(rule, now), celebrated.month, day, at)
        celebrated += DAY


# What became due by time is found by the indexes on start and end, what was changed by the index on
# that time. `OFFSET 0` keeps each a lookup in its index: PostgreSQL does not know how short the
# spans are, and would read the whole table.
_EVENTS_BY_TIME = """
    SELECT c.*, e.event_id, e.contact_id, e.event_at
    FROM conditions c CROSS JOIN LATERAL (
        SELECT e.id AS event_id, e.contact_id, {time} AS event_at FROM contacts_customerevent e
        WHERE e.owner_id = c.owner_id AND e.event_type = c.event_type AND e.status = c.event_status
            AND {time} > c.due_after - c.delay AND {time} <= %(until)s - c.delay
        OFFSET 0) AS e
    WHERE c.time_field = '{field}'
"""
_EVENTS_CHANGED = """
    SELECT c.*, e.id, e.contact_id, {time}
    FROM conditions c JOIN changed e ON e.owner_id = c.owner_id
        AND e.event_type = c.event_type AND e.status = c.event_status
        AND {time} > c.late_after - c.delay AND {time} <= %(until)s - c.delay
        AND e.updated_at > c.changed_since
    WHERE c.time_field = '{field}'
"""
_TIMES = {"start_at": "e.start_at", "end_at": "COALESCE(e.end_at, e.start_at)"}
_FOUND_EVENTS = " UNION ALL ".join(
    branch.format(time=time, field=field)
    for field, time in _TIMES.items()
    for branch in (_EVENTS_BY_TIME, _EVENTS_CHANGED)
)
# An inactivity counts from the last visit or purchase. Of several messages before an event that are
# due at once, the last one is sent.
DUE_EVENTS = f"""
    conditions AS (
        SELECT * FROM unnest(%(rule_id)s::bigint[], %(owner_id)s::bigint[],
            %(is_marketing)s::bool[], %(adults_born_until)s::date[], %(delay)s::interval[],
            %(event_type)s::text[], %(event_status)s::text[], %(time_field)s::text[],
            %(is_inactivity)s::bool[], %(due_after)s::timestamptz[],
            %(changed_since)s::timestamptz[], %(late_after)s::timestamptz[],
            %(next_delay)s::interval[])
        AS c (rule_id, owner_id, is_marketing, adults_born_until, delay, event_type, event_status,
            time_field, is_inactivity, due_after, changed_since, late_after, next_delay)),
    changed AS MATERIALIZED (
        SELECT e.* FROM (SELECT owner_id, min(changed_since) AS since FROM conditions GROUP BY 1) c
        CROSS JOIN LATERAL (
            SELECT * FROM contacts_customerevent e
            WHERE e.owner_id = c.owner_id AND e.updated_at > c.since OFFSET 0) AS e),
    due AS (
        SELECT found.rule_id, found.owner_id, found.is_marketing, found.adults_born_until,
            found.contact_id, found.event_id, found.event_at + found.delay AS scheduled_for
        FROM ({_FOUND_EVENTS}) AS found
        WHERE NOT (found.is_inactivity AND EXISTS (
                SELECT FROM contacts_customerevent later
                WHERE later.contact_id = found.contact_id
                    AND COALESCE(later.end_at, later.start_at) > found.event_at
                    AND later.event_type IN ('visit', 'purchase') AND later.status = 'completed'))
            AND (found.next_delay IS NULL OR found.event_at + found.next_delay > %(now)s))
"""
# By the index on month, day and store.
DUE_BIRTHDAYS = """
    due AS (
        SELECT b.rule_id, b.owner_id, b.is_marketing, b.adults_born_until, c.id AS contact_id,
            NULL::bigint AS event_id, b.at + b.delay AS scheduled_for
        FROM unnest(%(rule_id)s::bigint[], %(owner_id)s::bigint[], %(is_marketing)s::bool[],
            %(adults_born_until)s::date[], %(delay)s::interval[], %(month)s::int[],
            %(day)s::int[], %(at)s::timestamptz[])
            AS b (rule_id, owner_id, is_marketing, adults_born_until, delay, month, day, at)
        JOIN contacts_contact c ON c.owner_id = b.owner_id AND c.birthday IS NOT NULL
            AND EXTRACT(MONTH FROM c.birthday) = b.month AND EXTRACT(DAY FROM c.birthday) = b.day)
"""
# Whether a message exists is asked by its unique index, as a lookup for each. The condition on the
# birthday is that of `is_adult_or_of_unknown_age_q`.
FIND_DUE_SENDS = """
    WITH {due}
    SELECT DISTINCT ON (due.rule_id, c.id, due.scheduled_for) due.rule_id, c.id, c.phone,
        c.first_name, c.last_name, c.email, c.custom_values, due.event_id, due.scheduled_for
    FROM due JOIN contacts_contact c ON c.id = due.contact_id AND c.owner_id = due.owner_id
    WHERE c.phone IS NOT NULL AND c.restricted_at IS NULL
        AND (c.birthday IS NULL OR c.birthday <= due.adults_born_until)
        AND CASE WHEN due.is_marketing THEN c.is_subscribed ELSE c.service_allowed END
        AND NOT EXISTS (
            SELECT FROM campaigns_automationsend m
            WHERE m.rule_id = due.rule_id AND m.contact_id = c.id
                AND m.scheduled_for = due.scheduled_for
            OFFSET 0)
    ORDER BY due.rule_id, c.id, due.scheduled_for, due.event_id
"""


def _build_due_contact_with_event_tag_values(rule: EligibleRule, *row: Any) -> DueContact:
    *contact, event_id, scheduled_for = row
    due = DueContact(
        rule.sender,
        (event_id, scheduled_for),
        rule.owner_id,
        rule.id,
        rule.message_body,
        rule.message_type,
        *contact,
    )
    if not any(tag in rule.message_body for tag in EVENT_TAGS):
        return due
    local = (scheduled_for - rule.delay).astimezone(ZoneInfo(rule.timezone))
    values = {EVENT_DATE: f"{local:%d/%m/%Y}", EVENT_TIME: f"{local:%H:%M}"}
    return due._replace(values_by_tag=values)


def _with_reasons_where_event_begun_or_over_limit(
    chunk: list[DueContact], rules: Mapping[int, EligibleRule], now: datetime
) -> list[DueContact]:
    """The chunk, with reasons where an event has begun or the rule's limits are reached.

    What is due later counts at its time, for a preview.
    """
    times_of = _recent_message_times_by_rule_and_contact(chunk, now)
    first_calls_now: dict[int, datetime] = {}
    checked = []
    for row in chunk:
        rule, scheduled_for = rules[row.automation_id], row.extra_values[1]
        times, at = times_of[rule.id, row.contact_id], max(scheduled_for, now)
        skip_reason = ""
        if rule.is_before_event:
            if at > now:
                first_call = _earliest_send_time_after_quiet_hours(rule, at)
            elif rule.id in first_calls_now:
                first_call = first_calls_now[rule.id]
            else:
                first_call = first_calls_now[rule.id] = _earliest_send_time_after_quiet_hours(
                    rule, now
                )
            if scheduled_for - rule.delay <= first_call:
                skip_reason = Reason.EVENT_BEGUN.value
        if not skip_reason and times and _is_in_dedupe_window_or_over_daily_limit(rule, times, at):
            skip_reason = Reason.RULE_LIMIT.value
        if not skip_reason:
            times.append(at)
        checked.append(row._replace(skip_reason=skip_reason) if skip_reason else row)
    return checked


def _earliest_send_time_after_quiet_hours(rule: EligibleRule, due_at: datetime) -> datetime:
    """When a message that is due at a time can be sent: after the quiet hours."""
    return limits.quiet_hours_end(due_at, rule.message_type, rule.timezone) or due_at


def _is_in_dedupe_window_or_over_daily_limit(
    rule: EligibleRule, message_times: Sequence[datetime], at: datetime
) -> bool:
    window = timedelta(minutes=rule.dedupe_window_minutes)
    return (
        any(at - time < window for time in message_times)
        or sum(at - time < DAY for time in message_times) >= rule.max_per_contact_per_day
    )


def _recent_message_times_by_rule_and_contact(
    chunk: Sequence[DueContact], now: datetime
) -> defaultdict[tuple[int, int], list[datetime]]:
    """When rules messaged the contacts of a chunk, by rule and contact, as far as limits ask."""
    times: defaultdict[tuple[int, int], list[datetime]] = defaultdict(list)
    pairs = {(row.automation_id, row.contact_id) for row in chunk}
    found = rows(RECENT_MESSAGES, [list(column) for column in zip(*pairs, strict=True)] + [now])
    for rule_id, contact_id, at in found:
        times[rule_id, contact_id].append(at)
    return times


# A message counts at the time that it was due, so that a second late does not change what follows;
# one that was written much later counts when it was written.
RECENT_MESSAGES = """
    SELECT m.rule_id, m.contact_id, GREATEST(m.scheduled_for, m.created_at - interval '1 hour')
    FROM unnest(%s::bigint[], %s::bigint[]) AS pair (rule_id, contact_id)
    JOIN campaigns_automationrule r ON r.id = pair.rule_id
    JOIN campaigns_automationsend m
        ON m.rule_id = pair.rule_id AND m.contact_id = pair.contact_id
    WHERE m.status NOT IN ('failed', 'skipped')
        AND m.created_at > %s - make_interval(mins => GREATEST(r.dedupe_window_minutes, 1440) + 60)
"""


class UpcomingMessage(NamedTuple):
    """A message that will be due at a time, and to whom."""

    at: datetime
    contact_id: int
    name: str


class UpcomingMessages(NamedTuple):
    """How many messages of a rule become due in UPCOMING, and the first of them."""

    rule: EligibleRule
    total: int
    first: list[UpcomingMessage]


def preview_rule_messages(store: User, *, shown: int = 20) -> list[UpcomingMessages]:
    """What the active rules of a store would send in the next days, as far as it is known now.

    Who is suppressed, over a limit of a rule, or would get it after the event has begun is left
    out. Writes nothing.

    Args:
        store: the store.
        shown: how many messages of each rule are returned, in the order of their time.
    """
    now = database_now()
    rules = {rule.id: rule for rule in eligible_rules(store)}
    sends = find_consenting_contacts_due_by_rules(list(rules.values()), now, until=now + UPCOMING)
    counts: defaultdict[int, int] = defaultdict(int)
    first: defaultdict[int, list[UpcomingMessage]] = defaultdict(list)
    while chunk := list(islice(sends, CHUNK)):
        blocks = marketing_blocks((row.owner_id, row.phone) for row in chunk)
        for row in _with_reasons_where_event_begun_or_over_limit(chunk, rules, now):
            is_marketing = row.message_type == MessageType.MARKETING
            if row.skip_reason or (is_marketing and (row.owner_id, row.phone) in blocks):
                continue
            counts[row.automation_id] += 1
            name = f"{row.first_name} {row.last_name}".strip()
            message = UpcomingMessage(row.extra_values[1], row.contact_id, name)
            first[row.automation_id].append(message)
        for rule_id, found in first.items():
            first[rule_id] = sorted(found)[:shown]
    return [UpcomingMessages(rule, counts[id_], first[id_]) for id_, rule in rules.items()]
