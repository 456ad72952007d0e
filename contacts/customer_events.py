"""Recording customer events: appointments, memberships, stays, purchases and visits.

The rules are in rules.md#customer-events. What is sent because of them is decided in
`campaigns/automations/`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import orjson
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from astronote.accounts.models import User
from astronote.common import audit
from astronote.common.sql import rows
from astronote.common.store_clock import (
    local_to_aware,
    utc_time_of_hour,
)
from astronote.common.times import EARLIEST_BELIEVED_TIME
from contacts.importing.cells import UnusableCell
from contacts.importing.files import BYTES_PER_MB
from contacts.importing.import_refused import ImportRefused
from contacts.importing.phone_cells import PhoneReader, detect_phone_convention
from contacts.importing.reading import FileReader, detect_layout_or_refuse
from contacts.models import (
    ACTIVITY_TYPES,
    CustomerEvent,
    CustomerEventStatus,
    CustomerEventType,
)
from contacts.phones import phone_region_of_store_or_default

CHUNK = 5000
SAMPLE_ROWS = 1000
MAX_AHEAD = timedelta(days=3660)
MAX_REFERENCE = 120
_VALUE = re.compile(r"\d{1,9}(\.\d{1,2})?", re.ASCII)
OTHER_SPELLINGS = {"cancelled": "canceled", "noshow": "no_show"}


class WrittenEvent(NamedTuple):
    """An event as a person or a file writes it; empty texts are not given."""

    number: str
    type: str
    start: str = ""
    end: str = ""
    status: str = ""
    external_ref: str = ""
    value: str = ""


COLUMNS = ("phone", *WrittenEvent._fields[1:])


class NewEvent(NamedTuple):
    """An event to be recorded.

    Args:
        phone: the contact's number, as E.164.
        event_type: a CustomerEventType.
        status: a CustomerEventStatus.
        start_at: aware; None if only the end is known.
        end_at: aware; None if only the start is known.
        external_ref: the store's own number of the event; empty if it has none.
        meta: further data.
        line: the line of a file that it comes from.
    """

    phone: str
    event_type: str
    status: str
    start_at: datetime | None
    end_at: datetime | None
    external_ref: str = ""
    meta: Mapping[str, Any] | None = None
    line: int = 0


class EventCounts(NamedTuple):
    """How many events were recorded, changed, and known as they are."""

    created: int
    updated: int
    unchanged: int


# Gets the line and the reason of an event that is not recorded.
Reject = Callable[[int, str], object]


def read_written_event_or_raise_unusable(
    written: WrittenEvent, store: User, phones: PhoneReader, *, line: int = 0
) -> NewEvent:
    """Read an event as somebody wrote it, with times on the store's clock.

    Without a status, a visit or purchase has happened, and others are scheduled.

    Raises:
        UnusableCell: if it is no event, or can be read in two ways; says why.
    """
    phone = phones.parse_or_raise_unusable(written.number).phone
    event_type = _read_choice_or_raise_unusable(
        written.type, CustomerEventType, gettext("%(text)s is no type of event: %(choices)s")
    )
    default = CustomerEventStatus.SCHEDULED
    if event_type in ACTIVITY_TYPES:
        default = CustomerEventStatus.COMPLETED
    status = _read_choice_or_raise_unusable(
        written.status or default,
        CustomerEventStatus,
        gettext("%(text)s is no status: %(choices)s"),
    )
    start, end = (
        _read_time_in_zone_or_raise_unusable(text.strip(), store.timezone) if text.strip() else None
        for text in (written.start, written.end)
    )
    if start is None and end is None:
        raise UnusableCell(gettext("it has neither a start nor an end"))
    if start and end and end < start:
        raise UnusableCell(gettext("it ends before it starts"))
    reference, value = written.external_ref.strip(), written.value.strip()
    if len(reference) > MAX_REFERENCE:
        raise UnusableCell(
            gettext("the reference is longer than %(max_reference)s characters")
            % {"max_reference": MAX_REFERENCE}
        )
    if value and not _VALUE.fullmatch(value):
        raise UnusableCell(gettext("the value is no amount such as 12.50"))
    meta = {"value": value} if value else None
    return NewEvent(phone, event_type, status, start, end, reference, meta, line)


def _read_choice_or_raise_unusable(text: str, choices: Any, problem: str) -> str:
    folded = re.sub(r"[\s_-]+", "_", text.strip().lower())
    folded = OTHER_SPELLINGS.get(folded, folded)
    if folded not in choices.values:
        raise UnusableCell(
            problem % {"text": repr(text.strip()[:40]), "choices": ", ".join(choices.values)}
        )
    return folded


def _read_time_in_zone_or_raise_unusable(text: str, zone_name: str) -> datetime:
    """A time such as `2026-05-17 10:00`, or the beginning of a day such as `2026-05-17`."""
    try:
        if len(text) == len("2026-05-17"):
            time = utc_time_of_hour(date.fromisoformat(text), 0, zone_name)
        else:
            time = datetime.fromisoformat(text)
    except ValueError:
        raise UnusableCell(
            gettext("%(text)s is no time such as 2026-05-17 10:00") % {"text": repr(text[:40])}
        ) from None
    if time.tzinfo is None:
        try:
            time = local_to_aware(time, zone_name)
        except ValueError as problem:
            raise UnusableCell(str(problem)) from None
    if not EARLIEST_BELIEVED_TIME <= time <= timezone.now() + MAX_AHEAD:
        raise UnusableCell(
            gettext("%(text)s is before 2000 or more than ten years ahead")
            % {"text": repr(text[:40])}
        )
    return time


def record_customer_events_and_audit(
    store: User, events: Iterable[NewEvent], *, by: Any, reject: Reject
) -> EventCounts:
    """Record events of a store's contacts, a chunk in each transaction, and write an audit entry.

    An event with the reference of a known one replaces it, so that it is moved or cancelled;
    recording it twice changes nothing. Of several with one reference the last one counts.

    Args:
        store: the store.
        events: read as they are recorded, so memory does not grow with their number.
        by: the account or program that records them.
        reject: called for each event whose number no contact has, or one that may only be stored.
    """
    counts = EventCounts(0, 0, 0)
    remaining = iter(events)
    while chunk := list(islice(remaining, CHUNK)):
        with transaction.atomic():
            recorded = _lock_contacts_and_upsert_events_or_reject_unknown_or_restricted(
                store, chunk, reject
            )
        counts = EventCounts(*map(sum, zip(counts, recorded, strict=True)))
    audit.write_entry("customer events recorded", by=by, owner_id=store.pk, **counts._asdict())
    return counts


def _lock_contacts_and_upsert_events_or_reject_unknown_or_restricted(
    store: User, chunk: Sequence[NewEvent], reject: Reject
) -> EventCounts:
    contacts = {
        phone: (pk, is_restricted)
        for pk, phone, is_restricted in rows(
            LOCK_CONTACTS, [store.pk, list({event.phone for event in chunk})]
        )
    }
    values: dict[str | int, tuple[Any, ...]] = {}
    for place, event in enumerate(chunk):
        contact_id, is_restricted = contacts.get(event.phone, (None, False))
        if contact_id is None or is_restricted:
            reason = (
                gettext("its data may only be stored")
                if is_restricted
                else gettext("no contact has the number")
            )
            reject(event.line, reason)
            continue
        meta = orjson.dumps(event.meta).decode() if event.meta is not None else None
        values[event.external_ref or place] = (contact_id, *event[1:6], meta)
    if not values:
        return EventCounts(0, 0, 0)
    columns = [list(column) for column in zip(*values.values(), strict=True)]
    written = rows(UPSERT_EVENTS, [store.pk, *columns])
    created = sum(is_new for (is_new,) in written)
    return EventCounts(created, len(written) - created, len(values) - len(written))


# Locked, so that none of them is erased before its event is written.
LOCK_CONTACTS = """
    SELECT id, phone, restricted_at IS NOT NULL FROM contacts_contact
    WHERE owner_id = %s AND phone = ANY(%s) ORDER BY id FOR KEY SHARE
"""
# `xmax` is 0 of rows that this statement inserted.
UPSERT_EVENTS = """
    INSERT INTO contacts_customerevent AS e
        (owner_id, contact_id, event_type, status, start_at, end_at, external_ref, meta, updated_at)
    SELECT %s, n.contact_id, n.event_type, n.status, n.start_at, n.end_at, n.external_ref,
        n.meta::jsonb, clock_timestamp()
    FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[],
        %s::text[], %s::text[])
        AS n (contact_id, event_type, status, start_at, end_at, external_ref, meta)
    ORDER BY n.external_ref
    ON CONFLICT (owner_id, external_ref) WHERE external_ref <> '' DO UPDATE SET
        contact_id = excluded.contact_id, event_type = excluded.event_type,
        status = excluded.status, start_at = excluded.start_at, end_at = excluded.end_at,
        meta = excluded.meta, updated_at = excluded.updated_at
    WHERE (e.contact_id, e.event_type, e.status, e.start_at, e.end_at, e.meta)
        IS DISTINCT FROM (excluded.contact_id, excluded.event_type, excluded.status,
            excluded.start_at, excluded.end_at, excluded.meta)
    RETURNING xmax = 0
"""


class EventFile:
    """A file of customer events, with the headings in COLUMNS.

    Attributes:
        unused: the headings of columns that are not read.
    """

    def __init__(self, path: Path, store: User) -> None:
        """Detect how the file is read.

        Raises:
            ImportRefused: if it cannot be read, or has no column of numbers, types or times.
        """
        self.store, region = store, phone_region_of_store_or_default(store)
        layout = detect_layout_or_refuse(
            path,
            has_header=True,
            region=region,
            largest_bytes=settings.IMPORT_MAX_MB * BYTES_PER_MB,
        )
        names = [re.sub(r"[\s_-]+", "_", name.strip().lower()) for name in layout.headings]
        self.positions = {name: names.index(name) for name in COLUMNS if name in names}
        self.unused = [
            heading
            for at, heading in enumerate(layout.headings)
            if at not in self.positions.values()
        ]
        for needed in (("phone",), ("type",), ("start", "end")):
            if self.positions.keys().isdisjoint(needed):
                raise ImportRefused(
                    gettext("the file has no column %(columns)s: its headings may be %(headings)s")
                    % {
                        "columns": f" {gettext('or')} ".join(needed),
                        "headings": ", ".join(COLUMNS),
                    }
                )
        self.reader = FileReader(path, layout)
        sample = [
            (self._cells_as_written_event(cells).number, "")
            for _, cells in islice(self.reader, SAMPLE_ROWS)
        ]
        self.phones = PhoneReader(region, detect_phone_convention(sample, region))

    def iter_events_rejecting_unusable_lines(self, reject: Reject) -> Iterator[NewEvent]:
        """The events of the file; calls `reject` for each line that holds none."""
        for line, cells in self.reader:
            try:
                yield read_written_event_or_raise_unusable(
                    self._cells_as_written_event(cells), self.store, self.phones, line=line
                )
            except UnusableCell as problem:
                reject(line, str(problem))

    def _cells_as_written_event(self, cells: Sequence[str]) -> WrittenEvent:
        texts = [
            cells[at] if (at := self.positions.get(name)) is not None and at < len(cells) else ""
            for name in COLUMNS
        ]
        return WrittenEvent(*texts)


def event_as_written(event: CustomerEvent) -> WrittenEvent:
    """A recorded event as `read_written_event_or_raise_unusable` reads it."""

    def write(time: datetime | None) -> str:
        if time is None:
            return ""
        local = timezone.localtime(time, ZoneInfo(event.owner.timezone))
        return local.isoformat(" ", "minutes")

    return WrittenEvent(
        event.contact.phone or "",
        event.event_type,
        write(event.start_at),
        write(event.end_at),
        event.status,
        event.external_ref,
        str((event.meta or {}).get("value", "")),
    )
