"""Direct messages from a file: one number and one text a line (rules.md#direct-messages).

A file is planned before it is sent: what it costs, and which lines are not used and why. Sending
plans it again, so that nothing is sent that was not allowed by then.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.utils.translation import gettext, ngettext

from astronote.accounts.eligibility import (
    SendingBlocked,
    sender_of_store,
)
from astronote.accounts.models import User
from astronote.common import audit
from astronote.common.counts import format_count
from astronote.common.locks import advisory_lock
from astronote.common.spreadsheet_csv import unescape_formula
from astronote.common.sql import rows
from campaigns.message_text import (
    CONTACT_FIELDS,
    CUSTOM_VALUES,
    EMPTY_CONTACT,
    SAMPLE_CODE,
    direct_renderers,
)
from campaigns.service_campaigns import raise_not_permitted_if_may_not_send_type
from contacts.custom_fields import fields_of_store
from contacts.importing.cells import UnusableCell
from contacts.importing.files import BYTES_PER_MB, iter_file_chunks
from contacts.importing.import_refused import ImportRefused
from contacts.importing.phone_cells import PhoneReader, detect_phone_convention
from contacts.importing.reading import FileReader, detect_layout_or_refuse
from contacts.marketing_blocks import marketing_blocks
from contacts.models import MessageType
from contacts.phones import can_receive_sms, phone_region_of_store_or_default
from messaging import limits
from messaging.batch_writing import generate_tracking_ids
from messaging.direct_messages import (
    NewDirectMessage,
    enqueue_direct_messages,
)
from messaging.models import DirectMessage
from messaging.text import CUSTOM_PREFIX, MAX_PARTS, Template, count_parts, text_problem_or_empty

MAX_LINES = 20_000
MAX_KEY = 100
SAMPLE_ROWS = 1000
HEADINGS = {"number": ("number", "phone"), "text": ("text", "message"), "key": ("key",)}


class Refused(ValueError):
    """A line is not used; the message says why."""


class Line(NamedTuple):
    """A line of a file: a number and the text for it."""

    line: int
    phone: str
    text: str
    key: str


class PlannedMessage(NamedTuple):
    """A message that a file has, and the parts that it costs."""

    line: Line
    contact_id: int | None
    contact: Mapping[str, Any]
    parts: int


class FilePlan(NamedTuple):
    """What sending a file would do.

    Args:
        messages: those to be sent.
        known: how many were sent before, by their keys.
        rejected: lines that are not used, each with the reason.
        problem: why nothing of it can be sent; empty if it can.
    """

    messages: list[PlannedMessage]
    known: int
    rejected: list[tuple[int, str]]
    problem: str

    @property
    def credits(self) -> int:
        """What the messages cost."""
        return sum(message.parts for message in self.messages)


class PriceChanged(ValueError):
    """A file costs something else than was shown."""


def plan_file(store: User, path: Path, message_type: str, encoding: str = "") -> FilePlan:
    """What sending a file would do; nothing is written.

    Raises:
        ImportRefused: if the file cannot be read, has no number or text, or has too many lines.
    """
    with transaction.atomic():
        return _plan(store, path, message_type, encoding)


def send_file(
    store: User,
    path: Path,
    message_type: str,
    *,
    by: User | AnonymousUser | str,
    encoding: str = "",
    shown_credits: int | None = None,
) -> FilePlan:
    """Write the messages of a file, hold their credits and enqueue jobs; all or none.

    Each line is sent once: by the key in its column `key`, else by the file's content and line.

    Args:
        store: the sender.
        path: the file.
        message_type: a MessageType.
        by: who sends it.
        encoding: of the text; "" to detect it.
        shown_credits: what the plan that was shown costs; None if none was.

    Raises:
        ImportRefused: as `plan_file`.
        NotPermitted: if `by` may not send service messages.
        PriceChanged: if it costs something else than was shown.
        SendingBlocked: if the store may not send or cannot pay.
    """
    raise_not_permitted_if_may_not_send_type(message_type, by)
    with advisory_lock(f"direct file of {store.pk}", wait=True), transaction.atomic():
        plan = _plan(store, path, message_type, encoding)
        if plan.problem:
            raise SendingBlocked(plan.problem)
        if shown_credits not in (None, plan.credits):
            raise PriceChanged(
                ngettext(
                    "it would cost %(count)s credit now, not %(shown)s: look again",
                    "it would cost %(count)s credits now, not %(shown)s: look again",
                    plan.credits,
                )
                % {"count": format_count(plan.credits), "shown": format_count(shown_credits)}
            )
        _write(store, plan.messages, message_type)
        audit.write_entry(
            "direct messages sent",
            by=by,
            owner_id=store.pk,
            messages=len(plan.messages),
            rejected=len(plan.rejected),
            type=str(message_type),
        )
    return plan


def _write(store: User, messages: Sequence[PlannedMessage], message_type: str) -> None:
    texts = {message.line.line: message.line.text for message in messages}
    keys = _custom_keys(store)
    render = direct_renderers(store, texts, message_type, keys, create_links=True)
    # A single service message never waits, so that of a file is given the time to wait for.
    not_before = limits.current_quiet_hours_end(message_type, store.timezone)
    remaining = iter(messages)
    size = limits.max_batch_size_within_store_caps()
    while batch := list(islice(remaining, size)):
        tracking_ids = generate_tracking_ids(len(batch))
        enqueue_direct_messages(
            store,
            [
                NewDirectMessage(
                    message.line.phone,
                    render[message.line.line](message.contact, tracking_id),
                    message.line.key,
                    message.contact_id,
                    tracking_id,
                )
                for message, tracking_id in zip(batch, tracking_ids, strict=True)
            ],
            message_type=message_type,
            not_before=not_before,
        )


def _custom_keys(store: User) -> tuple[str, ...]:
    return tuple(field.key for field in fields_of_store(store))


def _plan(store: User, path: Path, message_type: str, encoding: str) -> FilePlan:
    rejected: dict[int, str] = {}
    lines = list(_DirectFile(path, store, encoding).lines(rejected))
    known = dict(
        DirectMessage.objects.filter(
            owner=store, idempotency_key__in=[line.key for line in lines]
        ).values_list("idempotency_key", "to")
    )
    contacts = {
        row[0]: row[1:]
        for row in rows(LOCK_CONTACTS, [store.pk, list({line.phone for line in lines})])
    }
    keys = _custom_keys(store)
    problems = {
        text: text_problem_or_empty(text, custom_keys=keys)
        for text in {line.text for line in lines}
    }
    checks = _Checks(store, message_type, contacts, lines, problems, keys)
    texts = {line.line: line.text for line in lines if not problems[line.text]}
    renderers = direct_renderers(store, texts, message_type, keys, create_links=False)
    messages = []
    known_count = 0
    for line in lines:
        try:
            if line.key in known:
                if known[line.key] not in ("", line.phone):
                    raise Refused(gettext("its key was used for a message to another number"))
                known_count += 1
                continue
            contact_id, values = checks.find_contact_or_refuse(line)
            text = renderers[line.line](values, SAMPLE_CODE)
            messages.append(PlannedMessage(line, contact_id, values, _parts_or_refuse(text)))
        except Refused as reason:
            rejected[line.line] = str(reason)
    return FilePlan(
        messages, known_count, sorted(rejected.items()), _problem(store, messages, message_type)
    )


# Locked, so that none of them is erased before its message is written.
LOCK_CONTACTS = """
    SELECT phone, id, is_subscribed, service_allowed, restricted_at IS NOT NULL,
        first_name, last_name, email, custom_values::text
    FROM contacts_contact WHERE owner_id = %s AND phone = ANY(%s) ORDER BY id FOR KEY SHARE
"""


class _Checks:
    """Whether a line may be sent, by what is known of its number."""

    def __init__(
        self,
        store: User,
        message_type: str,
        contacts: Mapping[str, tuple[Any, ...]],
        lines: Sequence[Line],
        problem_by_text: Mapping[str, str],
        custom_keys: tuple[str, ...],
    ) -> None:
        self.store, self.contacts, self.custom_keys = store, contacts, custom_keys
        self.problem_by_text = problem_by_text
        self.is_marketing = message_type == MessageType.MARKETING
        self.blocks = marketing_blocks((store.pk, line.phone) for line in lines)
        self.over_cap: set[int] = set()
        if self.is_marketing:
            ids = [contact[0] for contact in contacts.values()]
            self.over_cap = limits.contact_ids_over_marketing_caps(ids)
        self.lines_by_use: dict[tuple[str, str], int] = {}

    def find_contact_or_refuse(self, line: Line) -> tuple[int | None, Mapping[str, Any]]:
        """The contact of a line, if it has one, and the values of its tags.

        Raises:
            Refused: if the line may not be sent.
        """
        if problem := self.problem_by_text[line.text] or self._problem_of_tags(line):
            raise Refused(problem)
        if not (self.store.sends_to_any_number or can_receive_sms(line.phone)):
            raise Refused(gettext("the number is no mobile and cannot receive SMS"))
        found = self.contacts.get(line.phone)
        contact_id: int | None = None
        is_subscribed, service_allowed, is_restricted = False, True, False
        values: dict[str, Any] = {**EMPTY_CONTACT}
        if found:
            contact_id, is_subscribed, service_allowed, is_restricted, *texts, custom = found
            values = dict(zip(CONTACT_FIELDS, texts, strict=True))
            values[CUSTOM_VALUES] = orjson.loads(custom)
        if is_restricted:
            raise Refused(gettext("the data of this number's contact may only be stored"))
        if (self.store.pk, line.phone) in self.blocks.suppressed or not service_allowed:
            raise Refused(gettext("the number has opted out"))
        if self.is_marketing:
            if contact_id is None:
                raise Refused(gettext("no contact has the number, so nobody agreed to marketing"))
            if not is_subscribed:
                raise Refused(gettext("the contact does not agree to marketing"))
            if (self.store.pk, line.phone) in self.blocks.held:
                raise Refused(gettext("a reply of the contact waits for a decision"))
            if contact_id in self.over_cap:
                raise Refused(
                    gettext("the contact has had as many marketing messages as a cap allows")
                )
        # A cap on marketing counts what was sent before this file, so one person gets one of it.
        use = (line.phone, "" if self.is_marketing else line.text)
        first = self.lines_by_use.setdefault(use, line.line)
        if first != line.line:
            problem = (
                gettext("the number stands in line %(line)s")
                if self.is_marketing
                else gettext("the same message stands in line %(line)s")
            )
            raise Refused(problem % {"line": first})
        return contact_id, values

    def _problem_of_tags(self, line: Line) -> str:
        template = Template(line.text, self.custom_keys)
        if "offer_link" in template.fields:
            return gettext("a direct message has no offer: remove {{offer_link}}")
        gaps = [name for name in template.fields_that_leave_a_gap_if_empty()
                if name in CONTACT_FIELDS or name.startswith(CUSTOM_PREFIX)]  # fmt: skip
        if gaps and line.phone not in self.contacts:
            name = gaps[0].removeprefix(CUSTOM_PREFIX)
            return gettext("no contact has the number, to fill {{%(tag)s}} with") % {"tag": name}
        return ""


def _parts_or_refuse(text: str) -> int:
    parts = count_parts(text)
    if parts > MAX_PARTS:
        raise Refused(
            gettext("the text takes %(parts)s SMS parts, and at most %(limit)s are sent")
            % {"parts": parts, "limit": MAX_PARTS}
        )
    if problem := text_problem_or_empty(text):  # by a value of the contact
        raise Refused(problem)
    return parts


def _problem(store: User, messages: Sequence[PlannedMessage], message_type: str) -> str:
    try:
        sender_of_store(store)
    except SendingBlocked as blocked:
        return str(blocked)
    if message_type == MessageType.SERVICE and len(messages) > store.service_max_recipients:
        return gettext(
            "a service message to more than %(limit)s needs a second"
            " person's confirmation: send it as a campaign, or in smaller files"
        ) % {"limit": format_count(store.service_max_recipients)}
    return ""


class _DirectFile:
    """A file with the headings number (or phone) and text (or message), and perhaps key."""

    def __init__(self, path: Path, store: User, encoding: str) -> None:
        """Detect how the file is read.

        Raises:
            ImportRefused: if it cannot be read, or has no column of numbers or texts.
        """
        region = phone_region_of_store_or_default(store)
        layout = detect_layout_or_refuse(
            path,
            has_header=True,
            encoding=encoding,
            region=region,
            largest_bytes=settings.IMPORT_MAX_MB * BYTES_PER_MB,
        )
        headings = [re.sub(r"\W+", "_", name.strip().casefold()) for name in layout.headings]
        self.positions = {
            name: headings.index(found)
            for name, spellings in HEADINGS.items()
            if (found := next((one for one in spellings if one in headings), None))
        }
        if missing := [name for name in ("number", "text") if name not in self.positions]:
            raise ImportRefused(
                gettext(
                    "the file has no column %(columns)s: its headings are number, text and, if"
                    " you like, key"
                )
                % {"columns": gettext(" or ").join(missing)}
            )
        self.reader = FileReader(path, layout)
        sample = [
            (self._cell(cells, "number"), "") for _, cells in islice(self.reader, SAMPLE_ROWS)
        ]
        self.phones = PhoneReader(region, detect_phone_convention(sample, region))
        digest = hashlib.sha256()
        for chunk in iter_file_chunks(path):
            digest.update(chunk)
        self.digest = digest.hexdigest()[:32]

    def lines(self, rejected: dict[int, str]) -> Iterator[Line]:
        """The lines that hold a message; the others are added to `rejected`.

        Raises:
            ImportRefused: if there are more than MAX_LINES.
        """
        lines_by_key: dict[str, int] = {}
        for count, (line, cells) in enumerate(self.reader, 1):
            if count > MAX_LINES:
                raise ImportRefused(
                    gettext("the file has more than %(limit)s lines: split it, or send a campaign")
                    % {"limit": format_count(MAX_LINES)}
                )
            try:
                found = self._read_line(line, cells)
                first = lines_by_key.setdefault(found.key, line)
                if first != line:
                    raise Refused(gettext("its key stands in line %(line)s") % {"line": first})
                yield found
            except (Refused, UnusableCell) as reason:
                rejected[line] = str(reason)

    def _read_line(self, line: int, cells: Sequence[str]) -> Line:
        phone = self.phones.parse_or_raise_unusable(self._cell(cells, "number")).phone
        text = unescape_formula(self._cell(cells, "text")).strip()
        if not text:
            raise Refused(gettext("it has no text"))
        if "\0" in text:
            raise Refused(gettext("its text has a character that cannot be sent"))
        key = f"file:{self.digest}:{line}"
        if "key" in self.positions:
            own = self._cell(cells, "key").strip()
            if not 1 <= len(own) <= MAX_KEY:
                raise Refused(
                    gettext("its key has not 1 to %(limit)s characters") % {"limit": MAX_KEY}
                )
            key = f"key:{own}"
        return Line(line, phone, text, key)

    def _cell(self, cells: Sequence[str], name: str) -> str:
        at = self.positions[name]
        return cells[at] if at < len(cells) else ""
