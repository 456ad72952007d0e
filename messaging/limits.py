"""Quiet hours and caps (docs/rules.md#quiet-hours, docs/rules.md#caps).

Quiet hours and a store's caps postpone a batch. A contact's cap skips the message. Rate limits,
which all stores share, are in `rate_limits.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.translation import ngettext

from astronote.accounts.models import User
from astronote.common.counts import counted_in_english, format_count
from astronote.common.sql import database_now, rows
from contacts.models import MessageType
from messaging.models import Batch, message_classes

STORE_CAPS_LOCK = 0xCA95  # first key of the advisory lock; the second is the store's ID


class Postponed(Exception):
    """A batch must wait for a limit, until a time."""

    def __init__(self, reason: str, until: datetime) -> None:
        self.reason, self.until = reason, until
        super().__init__(f"waits for {reason} until {until:%Y-%m-%d %H:%M:%S %Z}")


def quiet_hours_end_or_none(now: datetime, zone: str, start: time, end: time) -> datetime | None:
    """The end of the quiet hours [start, end) in a time zone, or None if `now` is outside them.

    Quiet hours may span midnight. If start equals end there are none.
    """
    local = now.astimezone(ZoneInfo(zone))
    time_of_day = local.time()
    if start < end:
        is_quiet = start <= time_of_day < end
    else:
        is_quiet = start != end and (time_of_day >= start or time_of_day < end)
    if not is_quiet:
        return None
    end_date = local.date() if time_of_day < end else local.date() + timedelta(days=1)
    return datetime.combine(end_date, end, ZoneInfo(zone))


def current_quiet_hours_end(message_type: str, zone: str) -> datetime | None:
    """The end of the quiet hours that messages of this type have now, or None if they have none."""
    return quiet_hours_end(database_now(), message_type, zone)


def quiet_hours_end(at: datetime, message_type: str, zone: str) -> datetime | None:
    """The end of the quiet hours that messages of this type have at a time, or None."""
    exempt = {
        MessageType.MARKETING: settings.QUIET_HOURS_ALLOW_MARKETING,
        MessageType.SERVICE: settings.QUIET_HOURS_ALLOW_SERVICE,
    }
    if not settings.QUIET_HOURS_ENABLED or exempt[MessageType(message_type)]:
        return None
    return quiet_hours_end_or_none(at, zone, settings.QUIET_HOURS_START, settings.QUIET_HOURS_END)


def raise_postponed_if_quiet_hours(batch: Batch) -> None:
    """Check that the batch's store has no quiet hours now.

    Raises:
        Postponed: until the quiet hours end.
    """
    if not settings.QUIET_HOURS_ENABLED:
        return
    zone = User.objects.values_list("timezone", flat=True).get(pk=batch.owner_id)
    if until := current_quiet_hours_end(batch.message_type, zone):
        raise Postponed("the end of quiet hours", until)


def is_any_cap_set() -> bool:
    """Whether any cap of stores or contacts is set."""
    return any(
        (
            settings.OWNER_SMS_PER_MINUTE,
            settings.OWNER_SMS_PER_DAY,
            settings.CONTACT_MARKETING_PER_DAY,
            settings.CONTACT_MARKETING_PER_WEEK,
        )
    )


def store_cap_sentences() -> list[str]:
    """Describe the caps that each store has, in sentences for people."""
    per_minute, per_day = settings.OWNER_SMS_PER_MINUTE, settings.OWNER_SMS_PER_DAY
    sentences = []
    if per_minute:
        sentence = ngettext(
            "At most %(count)s message of a store is sent per minute; others wait.",
            "At most %(count)s messages of a store are sent per minute; others wait.",
            per_minute,
        )
        sentences.append(sentence % {"count": format_count(per_minute)})
    if per_day:
        sentence = ngettext(
            "At most %(count)s message of a store is sent per 24 hours; others wait.",
            "At most %(count)s messages of a store are sent per 24 hours; others wait.",
            per_day,
        )
        sentences.append(sentence % {"count": format_count(per_day)})
    return sentences


def lock_store_caps(owner_id: int) -> None:
    """Let this transaction alone check and use up the store's caps, until it ends; may wait."""
    rows("SELECT pg_advisory_xact_lock(%s, %s)", [STORE_CAPS_LOCK, owner_id])


def max_batch_size_within_store_caps() -> int:
    """The most messages in a new batch: SMS_BATCH_SIZE, or a store's lowest cap if that is less."""
    caps: list[int] = [settings.OWNER_SMS_PER_MINUTE, settings.OWNER_SMS_PER_DAY]
    return min([int(settings.SMS_BATCH_SIZE), *(cap for cap in caps if cap)])


def raise_postponed_if_over_store_cap(batch: Batch) -> None:
    """Check that the batch stays within its store's caps; call `lock_store_caps` first.

    A batch larger than a cap passes if the store sent nothing else in the cap's period.

    Raises:
        Postponed: until enough earlier batches are older than the period.
    """
    for cap, period, period_name in (
        (settings.OWNER_SMS_PER_MINUTE, timedelta(minutes=1), "minute"),
        (settings.OWNER_SMS_PER_DAY, timedelta(days=1), "day"),
    ):
        if not cap:
            continue
        recent = list(
            Batch.objects.filter(owner=batch.owner_id, submitted_at__gt=database_now() - period)
            .order_by("submitted_at")
            .values_list("submitted_at", "size")
        )
        used, until = sum(size for _, size in recent), None
        for submitted_at, size in recent:
            if used + batch.size <= cap or submitted_at is None:
                break
            used, until = used - size, submitted_at + period
        if until:
            raise Postponed(
                f"the store's cap of {counted_in_english(cap, 'message')} a {period_name}", until
            )


def contact_ids_over_marketing_caps(
    contact_ids: Sequence[int], *, except_batch_id: int | None = None
) -> set[int]:
    """Those of the contacts who have reached a cap on marketing messages, per day or week.

    Messages that Mitto may have received count, including those being submitted now.

    Args:
        contact_ids: contacts to check.
        except_batch_id: a batch whose messages do not count.
    """
    over_cap: set[int] = set()
    for cap, period in (
        (settings.CONTACT_MARKETING_PER_DAY, timedelta(days=1)),
        (settings.CONTACT_MARKETING_PER_WEEK, timedelta(days=7)),
    ):
        if not cap:
            continue
        messages = " UNION ALL ".join(
            MARKETING_MESSAGES.format(table=model._meta.db_table) for model in message_classes()
        )
        params = {
            "contacts": list(contact_ids),
            "since": database_now() - period,
            "cap": cap,
            "except_batch": except_batch_id,
        }
        over_cap.update(
            contact_id
            for (contact_id,) in rows(CONTACTS_OVER_CAP.format(messages=messages), params)
        )
    return over_cap


CONTACTS_OVER_CAP = """
    SELECT contact_id FROM ({messages}) AS m GROUP BY 1 HAVING count(*) >= %(cap)s
"""
# Uses the index on contact. Only the batch has the time of the call.
MARKETING_MESSAGES = """
    SELECT m.contact_id FROM {table} m JOIN messaging_batch b ON b.id = m.batch_id
    WHERE m.contact_id = ANY(%(contacts)s)
        AND m.status NOT IN ('failed', 'skipped')
        AND b.submitted_at > %(since)s
        AND b.status IN ('submitting', 'settled')
        AND b.message_type = 'marketing' AND b.id IS DISTINCT FROM %(except_batch)s
"""
