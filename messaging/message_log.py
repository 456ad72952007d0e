"""The log of all messages: of campaigns, automations and rules, and single ones, newest first.

Messages have no index on stores or times. Their batches have: a row for a thousand messages. So the
log walks batches from the newest on and looks into each. Messages that were skipped as they were
written are in no batch; they are few and have an index of their own (docs/rules.md#message-log).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from astronote.accounts.models import User
from astronote.common.spreadsheet_csv import BOM, csv_line_with_escaped_formulas
from astronote.common.sql import rows
from astronote.common.store_clock import utc_time_of_hour
from contacts.lookup import (
    contact_ids_of_all_stores_with_phone,
    possible_numbers_in_countries_of_stores,
)
from messaging.models import OutboundMessage, message_class, message_classes
from messaging.statuses import (
    NOT_DELIVERED_STATUSES,
    OPEN_BATCH_STATUSES,
    MessageStatus,
    describe_reason,
)

PAGE_ROWS = 50
CSV_PAGE_ROWS = 2000


class Place(NamedTuple):
    """A place in the log: the key of the entry that the next page begins after.

    `batch` is the batch, or below zero the class of a message that is in none.
    """

    at: datetime
    batch: int
    message: int

    def to_text(self) -> str:
        """The place for an address."""
        return f"{self.at.isoformat()}_{self.batch}_{self.message}"

    @classmethod
    def from_text(cls, text: str) -> Place | None:
        """The place in an address; None if it is none."""
        try:
            at, batch, message = text.split("_")
            place = cls(datetime.fromisoformat(at), int(batch), int(message))
        except ValueError:
            return None
        fits = place.at.tzinfo and max(abs(place.batch), abs(place.message)) < 2**63
        return place if fits else None


class LogFilter(NamedTuple):
    """Which messages of the log are meant.

    Args:
        store: of one store, or of all.
        first: not before this day, on the store's clock; that of UTC for all stores.
        last: not after this day.
        status: a MessageStatus; empty for all.
        kind: the batch kind of a message class; empty for all.
        number: to this number, in any form; empty for all.
    """

    store: User | None = None
    first: date | None = None
    last: date | None = None
    status: str = ""
    kind: str = ""
    number: str = ""


class LogEntry(NamedTuple):
    """A message of the log; `at` is when Mitto was last called with it, or when it was written."""

    at: datetime
    batch: int
    id: int
    kind: str
    owner_id: int
    source_id: int | None
    to: str
    text: str
    status: str
    segments: int
    error_code: str
    delivery_status: str
    provider_message_id: str | None
    sent_at: datetime | None
    delivered_at: datetime | None
    failed_at: datetime | None
    contact_id: int | None
    is_restricted: bool

    @property
    def place(self) -> Place:
        """Its place in the log."""
        return Place(self.at, self.batch, self.id)

    @property
    def reason(self) -> str:
        """Why it was not delivered, as a sentence; empty if it was, or may be."""
        return describe_reason(self.error_code) if self.error_code else ""

    @property
    def message_class(self) -> type[OutboundMessage]:
        """The class of the message."""
        return message_class(self.kind)


# The limit within has each contact looked up by its index.
PAGE = """
    SELECT entry.*, COALESCE(restricted.is_restricted, false)
    FROM (
        SELECT * FROM ({parts}) AS found ORDER BY at DESC, batch DESC, id DESC LIMIT %(limit)s
    ) AS entry
    LEFT JOIN LATERAL (
        SELECT c.restricted_at IS NOT NULL AS is_restricted FROM contacts_contact c
        WHERE c.id = entry.contact_id LIMIT 1) AS restricted ON true
    ORDER BY at DESC, batch DESC, id DESC
"""
# Times as in the indexes of Batch: batch_log and batch_log_of_store.
BATCH_AT = "COALESCE(b.submitted_at, b.created_at)"
COLUMNS = """
    m.id, '{kind}', m.owner_id, {source}, m."to", m.text, m.status, m.segments, m.error_code,
    m.delivery_status, m.provider_message_id, m.sent_at, m.delivered_at, m.failed_at,
    m.contact_id
"""
# The limit within keeps PostgreSQL from joining the tables as wholes. The sort is incremental:
# batches come in their order, and only the messages of one batch are sorted. They are sorted by a
# sum, for which no index has an order: PostgreSQL might walk the whole table in the order of its
# key, for each batch anew, until it has some of the batch.
IN_BATCHES = """
    (SELECT {at} AS at, b.id AS batch, {columns}
    FROM messaging_batch b
    CROSS JOIN LATERAL (
        SELECT * FROM {table} m WHERE m.batch_id = b.id {messages}
        ORDER BY m.id + 0 DESC LIMIT %(limit)s) m
    WHERE b.kind = '{kind}' {batches}
    ORDER BY {at} DESC, b.id DESC, m.id DESC LIMIT %(limit)s)
"""
IN_NO_BATCH = """
    (SELECT m.created_at AS at, {number}::bigint AS batch, {columns}
    FROM {table} m WHERE m.batch_id IS NULL {messages}
    ORDER BY m.created_at DESC, m.id DESC LIMIT %(limit)s)
"""
# The messages of one person are few: they are found by contact or number, and sorted.
TO_NUMBER = """
    (SELECT at, batch, {columns}
    FROM {table} m LEFT JOIN messaging_batch b ON b.id = m.batch_id
    CROSS JOIN LATERAL (
        SELECT COALESCE({at}, m.created_at) AS at, COALESCE(b.id, {number}) AS batch) k
    WHERE (m.contact_id = ANY(%(contacts)s) OR m.contact_id IS NULL AND m."to" = ANY(%(numbers)s)
            AND m."to" <> '') {messages}
    ORDER BY at DESC, batch DESC, m.id DESC LIMIT %(limit)s)
"""


def read_page(
    chosen: LogFilter, *, after: Place | None = None, size: int = PAGE_ROWS
) -> list[LogEntry]:
    """The next entries of the log, newest first.

    Args:
        chosen: which messages.
        after: the place of the last entry of the page before; None for the newest.
        size: how many entries at most.
    """
    sql, params = build_page_sql(chosen, after=after, size=size)
    return [LogEntry(*row) for row in rows(sql, params)]


def build_page_sql(
    chosen: LogFilter, *, after: Place | None, size: int
) -> tuple[str, dict[str, Any]]:
    """The statement that reads a page, and its parameters; see `read_page`."""
    params: dict[str, Any] = {
        "limit": size,
        "owner": chosen.store.pk if chosen.store else None,
        "status": chosen.status,
        "open_batches": [status.value for status in OPEN_BATCH_STATUSES],
        "contacts": [],
        "numbers": [],
        **_times_of_days(chosen),
    }
    if after:
        params |= {"after_at": after.at, "after_batch": after.batch, "after_id": after.message}
    if chosen.number:
        numbers = possible_numbers_in_countries_of_stores(chosen.number)
        params["numbers"] = numbers
        params["contacts"] = [
            pk for one in numbers for pk in contact_ids_of_all_stores_with_phone(one)
        ]
    parts: list[str] = []
    by_kind = sorted(message_classes(), key=lambda one: one.batch_kind)
    for place, model in enumerate(by_kind, 1):
        if chosen.kind in ("", model.batch_kind):
            parts += _statements_of_class(model, -place, chosen, after, params)
    return PAGE.format(parts=" UNION ALL ".join(parts)), params


def _statements_of_class(
    model: type[OutboundMessage],
    number: int,
    chosen: LogFilter,
    after: Place | None,
    params: Mapping[str, Any],
) -> Iterator[str]:
    """The statements that read the messages of one class; `number` stands for its batch of none."""
    source = getattr(model, "source_column", None)
    names = {"table": model._meta.db_table, "kind": model.batch_kind, "number": number}
    columns = COLUMNS.format(kind=model.batch_kind, source=f"m.{source}" if source else "NULL")
    of_messages = _conditions_on_messages(chosen)
    if chosen.number:
        conditions = [*of_messages, *_conditions_on_days("at", params)]
        if chosen.store:
            conditions.append("m.owner_id = %(owner)s")
        if after:
            conditions.append("(at, batch, m.id) < (%(after_at)s, %(after_batch)s, %(after_id)s)")
        yield TO_NUMBER.format(columns=columns, at=BATCH_AT, messages=_joined(conditions), **names)
        return
    of_batches = [*_conditions_on_batches(chosen), *_conditions_on_days(BATCH_AT, params)]
    in_batch, in_none = list(of_messages), list(of_messages)
    if chosen.store:
        of_batches.append("b.owner_id = %(owner)s")
        in_none.append("m.owner_id = %(owner)s")
    in_none += _conditions_on_days("m.created_at", params)
    if after and after.batch > 0:
        of_batches.append(f"({BATCH_AT}, b.id) <= (%(after_at)s, %(after_batch)s)")
        in_batch.append("(b.id <> %(after_batch)s OR m.id < %(after_id)s)")
        in_none.append("m.created_at <= %(after_at)s")
    elif after:
        of_batches.append(f"{BATCH_AT} < %(after_at)s")
        if number == after.batch:
            in_none.append("(m.created_at, m.id) < (%(after_at)s, %(after_id)s)")
        else:
            in_none.append(f"m.created_at {'<=' if number < after.batch else '<'} %(after_at)s")
    yield IN_BATCHES.format(
        columns=columns,
        at=BATCH_AT,
        messages=_joined(in_batch),
        batches=_joined(of_batches),
        **names,
    )
    if chosen.status in ("", MessageStatus.SKIPPED):
        yield IN_NO_BATCH.format(columns=columns, messages=_joined(in_none), **names)


def _joined(conditions: Sequence[str]) -> str:
    return "".join(f" AND {condition}" for condition in conditions)


def _conditions_on_messages(chosen: LogFilter) -> list[str]:
    if not chosen.status:
        return []
    # Written as in the index on messages that were not delivered, by batch (`trouble_log`).
    coded = ["SIGN(LENGTH(m.error_code)) = 1"] if chosen.status in NOT_DELIVERED_STATUSES else []
    return ["m.status = %(status)s", *coded]


def _conditions_on_batches(chosen: LogFilter) -> list[str]:
    """Leave out batches that cannot have a message in the status."""
    match chosen.status:
        case MessageStatus.QUEUED:
            return ["b.status = ANY(%(open_batches)s)"]
        case MessageStatus.SENT:
            return ["b.awaiting > 0"]
        case MessageStatus.DELIVERED:
            return ["b.awaiting < b.size"]
    return []


def _conditions_on_days(column: str, params: Mapping[str, Any]) -> list[str]:
    bounds = {"since": f"{column} >= %(since)s", "until": f"{column} < %(until)s"}
    return [condition for name, condition in bounds.items() if name in params]


def _times_of_days(chosen: LogFilter) -> dict[str, datetime]:
    zone = chosen.store.timezone if chosen.store else "UTC"
    times = {}
    if chosen.first:
        times["since"] = utc_time_of_hour(chosen.first, 0, zone)
    if chosen.last:
        times["until"] = utc_time_of_hour(chosen.last + timedelta(days=1), 0, zone)
    return times


def iter_entries(chosen: LogFilter) -> Iterator[LogEntry]:
    """Every entry of the log, page by page, so that memory does not grow with it."""
    after = None
    while page := read_page(chosen, after=after, size=CSV_PAGE_ROWS):
        yield from page
        if len(page) < CSV_PAGE_ROWS:
            return
        after = page[-1].place


CSV_COLUMNS = (
    "at",
    "kind",
    "source_id",
    "to",
    "text",
    "status",
    "segments",
    "error_code",
    "reason",
    "delivery_status",
    "provider_message_id",
    "sent_at",
    "delivered_at",
    "failed_at",
)


def log_csv_lines(chosen: LogFilter) -> Iterator[str]:
    """The heading, then each entry, newest first.

    The last column marks contacts that are restricted: their data may not be used.
    """
    yield BOM + csv_line_with_escaped_formulas(["store", *CSV_COLUMNS, "restricted"])
    for entry in iter_entries(chosen):
        cells = [getattr(entry, name) for name in CSV_COLUMNS]
        restricted = "yes" if entry.is_restricted else ""
        yield csv_line_with_escaped_formulas([entry.owner_id, *cells, restricted])
