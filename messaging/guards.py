"""What makes a batch wait or leaves a contact out: quiet hours and caps (behaviours, rules 30-32).

Quiet hours and a store's own caps delay a batch; the caps of a contact drop the message, as people
expect of a frequency cap.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection
from django.utils import timezone

from contacts.models import MessageType
from messaging.models import Batch, message_classes

CAPS_LOCK = 0xCA95  # first key of the advisory lock; the second is the store's id
CONTACT_CAP = "contact_cap"


class NotYet(Exception):
    """A batch must wait for something until a time."""

    def __init__(self, reason: str, until: datetime) -> None:
        self.reason, self.until = reason, until
        super().__init__(f"waits for {reason} until {until:%Y-%m-%d %H:%M:%S %Z}")


def quiet_until(now: datetime, zone: str, start: time, end: time) -> datetime | None:
    """The end of the quiet hours [start, end) that `now` falls in, local to the zone, or None.

    They may go past midnight; equal ends mean none.
    """
    local = now.astimezone(ZoneInfo(zone))
    clock = local.time()
    if start < end:
        quiet = start <= clock < end
    else:
        quiet = start != end and (clock >= start or clock < end)
    if not quiet:
        return None
    day = local.date() if clock < end else local.date() + timedelta(days=1)
    return datetime.combine(day, end, ZoneInfo(zone))


def quiet_hours_end(message_type: str, zone: str) -> datetime | None:
    """Until when messages of this type wait in a time zone now; None: they need not."""
    exempt = {
        MessageType.MARKETING: settings.QUIET_HOURS_ALLOW_MARKETING,
        MessageType.SERVICE: settings.QUIET_HOURS_ALLOW_SERVICE,
    }
    if not settings.QUIET_HOURS_ENABLED or exempt[MessageType(message_type)]:
        return None
    return quiet_until(timezone.now(), zone, settings.QUIET_HOURS_START, settings.QUIET_HOURS_END)


def check_quiet_hours(batch: Batch) -> None:
    """Raise NotYet if the batch's store has quiet hours now."""
    if not settings.QUIET_HOURS_ENABLED:
        return
    zone = get_user_model().objects.values_list("timezone", flat=True).get(pk=batch.owner_id)
    if until := quiet_hours_end(batch.message_type, zone):
        raise NotYet("the end of quiet hours", until)


def caps_apply() -> bool:
    """Whether any cap is set; if not, nothing has to be counted."""
    return any(
        (
            settings.OWNER_SMS_PER_MINUTE,
            settings.OWNER_SMS_PER_DAY,
            settings.CONTACT_MARKETING_PER_DAY,
            settings.CONTACT_MARKETING_PER_WEEK,
        )
    )


def owner_caps_in_words() -> list[str]:
    """The caps of every store, as sentences."""
    caps = ((settings.OWNER_SMS_PER_MINUTE, "minute"), (settings.OWNER_SMS_PER_DAY, "24 hours"))
    sentence = "At most {:,} messages of a store go out per {}; the rest waits."
    return [sentence.format(cap, span) for cap, span in caps if cap]


def lock_caps(owner_id: int) -> None:
    """Let no other batch of the store be counted until this transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [CAPS_LOCK, owner_id])


def largest_batch() -> int:
    """How many messages a batch may hold, so that a store's own caps can let it pass."""
    caps = (settings.OWNER_SMS_PER_MINUTE, settings.OWNER_SMS_PER_DAY)
    return min([settings.SMS_BATCH_SIZE, *(cap for cap in caps if cap)])


def check_owner_caps(batch: Batch) -> None:
    """Raise NotYet if the batch would take its store over a cap; needs `lock_caps`.

    A batch larger than the cap itself passes when nothing else went out in the window.
    """
    for cap, window, name in (
        (settings.OWNER_SMS_PER_MINUTE, timedelta(minutes=1), "minute"),
        (settings.OWNER_SMS_PER_DAY, timedelta(days=1), "day"),
    ):
        if not cap:
            continue
        since = timezone.now() - window
        recent = list(
            Batch.objects.filter(owner=batch.owner_id, submitted_at__gt=since)
            .order_by("submitted_at")
            .values_list("submitted_at", "size")
        )
        used, until = sum(size for _, size in recent), None
        for submitted_at, size in recent:
            if used + batch.size <= cap:
                break
            used, until = used - size, submitted_at + window
        if until:
            raise NotYet(f"the store's cap of {cap} messages a {name}", until)


def over_contact_caps(contact_ids: Sequence[int], *, beside: int | None = None) -> set[int]:
    """Contacts that have had as many marketing messages as a day's or week's cap allows.

    Counted are messages that Mitto may have got, also those just being submitted.

    Args:
        beside: a batch that is not counted.
    """
    caps = (
        (settings.CONTACT_MARKETING_PER_DAY, timedelta(days=1)),
        (settings.CONTACT_MARKETING_PER_WEEK, timedelta(days=7)),
    )
    over: set[int] = set()
    for cap, window in caps:
        if not cap:
            continue
        counted = " UNION ALL ".join(
            COUNTED.format(table=model._meta.db_table)
            for model in message_classes()
            if model.to_contacts
        )
        since = timezone.now() - window
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT contact_id FROM ({counted}) AS m GROUP BY 1 HAVING count(*) >= %(cap)s",
                {"contacts": list(contact_ids), "since": since, "cap": cap, "beside": beside},
            )
            over.update(row[0] for row in cursor.fetchall())
    return over


# By the index on contact; the batch tells when it was submitted.
COUNTED = """
    SELECT m.contact_id FROM {table} m JOIN messaging_batch b ON b.id = m.batch_id
    WHERE m.contact_id = ANY(%(contacts)s)
        AND m.status NOT IN ('failed', 'skipped')
        AND b.submitted_at > %(since)s
        AND b.status IN ('submitting', 'settled')
        AND b.message_type = 'marketing' AND b.id IS DISTINCT FROM %(beside)s
"""
