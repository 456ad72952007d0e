"""Consent: who may be messaged, the one function that changes it, and the sending window.

The rules are in rules.md#consent, rules.md#opt-outs and rules.md#suppressions.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db import OperationalError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from astronote.common.sql import execute, rows
from contacts.models import (
    MARKETING_EVENTS,
    OPT_INS,
    WITHDRAWALS,
    ConsentEvent,
    ConsentEventType,
    Contact,
    MarketingHold,
    MessageType,
    OptInRequest,
    SmsConsentStatus,
    Suppression,
)
from contacts.phones import phone_hash, phone_hashes, present_key_id

log = logging.getLogger(__name__)

# The column that holds the consent to each type of message.
CONSENT_COLUMN = {
    MessageType.MARKETING.value: "is_subscribed",
    MessageType.SERVICE.value: "service_allowed",
}
# The source of an opt-out that only a consent undoes that an operator records with its proof.
OBJECTION = "objection"
# A time from outside is believed from here on, until so long after it came; clocks differ.
EARLIEST_BELIEVED_TIME = datetime(2000, 1, 1, tzinfo=UTC)
MAX_CLOCK_ADVANCE = timedelta(days=1)
MAX_USER_AGENT_LENGTH = 500
SENDING_LOCK = 0x5E4D  # first key of the advisory lock; the second is the store's id
OPT_OUT_MAX_WAIT_SECONDS = 90


def may_receive(message_type: str) -> Q:
    """Contacts that may receive messages of this type, as a condition on Contact."""
    return Q(phone__isnull=False, restricted_at=None, **{CONSENT_COLUMN[message_type]: True})


def suppressed_phones(owner_id: int, phones: Iterable[str]) -> set[str]:
    """Which of these numbers are suppressed at the store or at all stores.

    Args:
        owner_id: the store.
        phones: numbers in E.164.
    """
    return {phone for _, phone in suppressed_pairs((owner_id, phone) for phone in phones)}


def suppressed_pairs(pairs: Iterable[tuple[int, str]]) -> set[tuple[int, str]]:
    """Which of these (store id, number) pairs are suppressed; one query for many stores."""
    if not Suppression.objects.exists():
        return set()
    return _pairs_in(Suppression, _HashedPair.all_of(pairs))


class MarketingBlocks(NamedTuple):
    """The (store id, number) pairs that get no marketing: suppressed ones, and held ones.

    Marketing to a held number waits until a person has decided about a reply.
    """

    suppressed: set[tuple[int, str]]
    held: set[tuple[int, str]]

    def __contains__(self, pair: object) -> bool:
        """Whether the pair gets no marketing now."""
        return pair in self.suppressed or pair in self.held


def marketing_blocks(pairs: Iterable[tuple[int, str]]) -> MarketingBlocks:
    """Which of these (store id, number) pairs get no marketing; few queries for many stores."""
    [(any_suppressed, any_held)] = rows(ARE_THERE_BLOCKS)
    hashed = _HashedPair.all_of(pairs) if any_suppressed or any_held else []
    return MarketingBlocks(
        _pairs_in(Suppression, hashed) if any_suppressed else set(),
        _pairs_in(MarketingHold, hashed) if any_held else set(),
    )


ARE_THERE_BLOCKS = """
    SELECT EXISTS (SELECT FROM contacts_suppression), EXISTS (SELECT FROM contacts_marketinghold)
"""


class _HashedPair(NamedTuple):
    owner_id: int
    phone: str
    digest: str

    @classmethod
    def all_of(cls, pairs: Iterable[tuple[int, str]]) -> list[_HashedPair]:
        return [
            cls(owner_id, phone, digest)
            for owner_id, phone in pairs
            for digest in phone_hashes(phone)
        ]


def _pairs_in(
    model: type[Suppression | MarketingHold], pairs: Sequence[_HashedPair]
) -> set[tuple[int, str]]:
    """The pairs whose number has a row of the model, of their store or of all."""
    found = model.objects.filter(
        Q(owner__in={pair.owner_id for pair in pairs}) | Q(owner=None),
        phone_hash__in={pair.digest for pair in pairs},
    )
    hashes = set(found.values_list("owner", "phone_hash"))
    return {
        (pair.owner_id, pair.phone)
        for pair in pairs
        if (pair.owner_id, pair.digest) in hashes or (None, pair.digest) in hashes
    }


def restricted_phones(owner_id: int, phones: Sequence[str]) -> set[str]:
    """Which of these numbers are those of restricted contacts of the store.

    Args:
        owner_id: the store.
        phones: numbers in E.164.
    """
    restricted = Contact.objects.filter(
        owner=owner_id, phone__in=phones, restricted_at__isnull=False
    )
    return {phone for phone in restricted.values_list("phone", flat=True) if phone}


@contextmanager
def sending_window(owner_id: int) -> Iterator[None]:
    """Hold the store's sending window open while consent is read and Mitto is called.

    An opt-out waits until all windows of its store are closed, so Mitto accepts no message after
    the opt-out was committed.
    """
    execute(OPEN_SENDING_WINDOW, [SENDING_LOCK, owner_id])
    try:
        yield
    finally:
        execute(CLOSE_SENDING_WINDOW, [SENDING_LOCK, owner_id])


# Locks of the database session, not of a transaction: no transaction is open during the call, and
# PostgreSQL releases the lock of a worker that dies.
OPEN_SENDING_WINDOW = "SELECT pg_advisory_lock_shared(%s, %s)"
CLOSE_SENDING_WINDOW = "SELECT pg_advisory_unlock_shared(%s, %s)"


class Evidence(NamedTuple):
    """What proves a change of consent, as far as it is known (GDPR, article 7(1)).

    Args:
        wording: what the person agreed to, word for word.
        version: the name of this version of the wording.
        actor: the operator or program that recorded it, by `audit.account_id_or_program`; empty if
            the person acted.
        ip_address: the address of the person's browser.
        user_agent: the name that the browser gives itself.
        document: where the proof is kept, such as the number of a form or a recording.
        details: further plain values, such as the ids of messages.
    """

    wording: str = ""
    version: str = ""
    actor: str = ""
    ip_address: str | None = None
    user_agent: str = ""
    document: str = ""
    details: Mapping[str, Any] = MappingProxyType({})

    def as_json(self) -> dict[str, Any]:
        """What has no column of its own in a consent event, without what is empty."""
        named = {
            "ip_address": self.ip_address,
            "user_agent": self.user_agent[:MAX_USER_AGENT_LENGTH],
            "document": self.document,
        }
        return dict(self.details) | {name: value for name, value in named.items() if value}


NO_EVIDENCE = Evidence()


def believed_time(claimed: datetime | None, arrived: datetime) -> datetime:
    """The time of a consent or opt-out: the claimed one if it is plausible, else that of arrival.

    Args:
        claimed: the time that the source gives, if it gives one.
        arrived: when we heard of it.
    """
    is_plausible = claimed and EARLIEST_BELIEVED_TIME <= claimed <= arrived + MAX_CLOCK_ADVANCE
    return claimed if claimed and is_plausible else arrived


def change_consent(
    contact_id: int,
    event: ConsentEventType,
    *,
    source: str,
    at: datetime | None = None,
    evidence: Evidence = NO_EVIDENCE,
) -> bool:
    """Change one contact's consent, keep its proof and write a consent event.

    A withdrawal first waits for the store's open sending windows, at most
    OPT_OUT_MAX_WAIT_SECONDS. An opt-out always leaves the store's suppression, also of a contact
    that was not subscribed, and an opt-in deletes it. What an opt-in cannot undo is in
    `obstacle_to_consent`. Besides this function, an import writes first consents and opt-outs in
    bulk; anonymising a contact, and giving it another number or store, end its consent.

    Args:
        contact_id: the contact.
        event: the change. An opt-in is stored as `resubscribed` if there was an opt-out before.
        source: who or what changed it, such as `unsubscribe_page` or `inbound_stop`.
        at: when the person decided, if that is known; see `believed_time`.
        evidence: what proves it.

    Returns:
        Whether anything changed.
    """
    now = timezone.now()
    decided_at = believed_time(at, now)
    proof = evidence.as_json()
    if at and decided_at != at:
        proof["claimed_at"] = at.isoformat()
    with transaction.atomic():
        owner_id = Contact.objects.values_list("owner_id", flat=True).get(pk=contact_id)
        if event in WITHDRAWALS:
            wait_for_open_sending_windows(owner_id)
        contact = Contact.objects.select_for_update().get(pk=contact_id)
        if event in WITHDRAWALS:
            # A yes to what was asked before does not count any more.
            OptInRequest.objects.filter(contact=contact).close()
        if event == ConsentEventType.SUBSCRIBED and contact.unsubscribed_at:
            event = ConsentEventType.RESUBSCRIBED
        if contact.phone is None or not _set_consent(contact, event, source, decided_at, evidence):
            return False
        if event in MARKETING_EVENTS:
            contact.sms_consent_at, contact.sms_consent_source = decided_at, source
        if event in OPT_INS:
            contact.gdpr_consent_at, contact.gdpr_consent_source = decided_at, source
            contact.gdpr_consent_version = evidence.version
            wording = {"wording": evidence.wording} if evidence.wording else {}
            contact.consent_evidence = wording | proof or None
        contact.save()
        ConsentEvent.objects.create(
            owner_id=owner_id,
            contact=contact,
            type=event,
            source=source,
            decided_at=decided_at,
            actor=evidence.actor,
            wording=evidence.wording,
            version=evidence.version,
            meta=proof or None,
        )
    return True


def obstacle_to_consent(contact: Contact, at: datetime, *, is_recorded: bool = False) -> str:
    """Why a consent to marketing does not count, as a sentence; empty if it does.

    An objection and a suppression for all stores are not undone by what costs a word or a press.

    Args:
        contact: the contact that would be subscribed.
        at: when the person agreed.
        is_recorded: whether an operator recorded the consent, with its proof.
    """
    if contact.phone is None:
        return "The contact was anonymised."
    suppressions = list(_suppressions_of(contact).filter(Q(owner=contact.owner_id) | Q(owner=None)))
    if any(suppression.owner_id is None for suppression in suppressions):
        return "The number is suppressed for all stores."
    objected = any(suppression.reason == OBJECTION for suppression in suppressions)
    if objected and not is_recorded:
        return "The person objected. Only a consent that an operator records with its proof counts."
    opted_out_at = [suppression.created_at for suppression in suppressions]
    if contact.unsubscribed_at:
        opted_out_at.append(contact.unsubscribed_at)
    if opted_out_at and at <= max(opted_out_at):
        zone = ZoneInfo(contact.owner.timezone)
        return (
            f"The person opted out later: {max(opted_out_at).astimezone(zone):%Y-%m-%d %H:%M %Z}."
        )
    return ""


def suppress_opted_out_phones(owner_id: int | None, phones: Sequence[str], *, reason: str) -> int:
    """Suppress the numbers of people who said no, before their contacts are opted out.

    Called in a transaction that opts them out. If one of them is subscribed, it first waits for the
    store's open sending windows, as `change_consent` does.

    Args:
        owner_id: the store; None for all stores, of which none has such a contact.
        phones: numbers in E.164.
        reason: stored with each new suppression.

    Returns:
        How many of them were not suppressed yet.
    """
    _wait_if_subscribed(owner_id, phones)
    hashes = [phone_hashes(phone) for phone in phones]
    present, earlier = [each[0] for each in hashes], [each[-1] for each in hashes]
    parameters = [owner_id, reason, present_key_id(), present, earlier, owner_id]
    return execute(SUPPRESS_PHONES, parameters)


def hold_marketing(owner_id: int | None, phones: Sequence[str], *, reply_id: int) -> None:
    """Let marketing to these numbers wait until a person has decided about a reply.

    If one of them is subscribed, it first waits for the store's open sending windows, since the
    reply may be an opt-out.

    Args:
        owner_id: the store; None for all stores, of which none has such a contact.
        phones: numbers in E.164.
        reply_id: the reply's event.
    """
    _wait_if_subscribed(owner_id, phones)
    MarketingHold.objects.bulk_create(
        [
            MarketingHold(owner_id=owner_id, phone_hash=phone_hash(phone), reply_id=reply_id)
            for phone in phones
        ],
        ignore_conflicts=True,
    )


def suppress_held_phones(reply_id: int, *, reason: str) -> None:
    """Suppress the numbers that a reply holds back: a person decided that it is an opt-out."""
    execute(SUPPRESS_HELD_PHONES, [reason, reply_id])


SUPPRESS_HELD_PHONES = """
    INSERT INTO contacts_suppression (owner_id, reason, key_id, phone_hash)
    SELECT owner_id, %s, key_id, phone_hash FROM contacts_marketinghold WHERE reply_id = %s
    ORDER BY phone_hash ON CONFLICT DO NOTHING
"""


def end_marketing_hold(reply_id: int) -> None:
    """Hold marketing back no longer for this reply; holds of other replies stay."""
    MarketingHold.objects.filter(reply_id=reply_id).delete()


# The hashes are sorted, so two imports at once cannot deadlock on the unique index.
SUPPRESS_PHONES = """
    INSERT INTO contacts_suppression (owner_id, reason, key_id, phone_hash)
    SELECT %s::bigint, %s, %s, phone.present
    FROM unnest(%s::text[], %s::text[]) AS phone (present, earlier)
    WHERE NOT EXISTS (
        SELECT FROM contacts_suppression s
        WHERE s.phone_hash = phone.earlier AND s.owner_id IS NOT DISTINCT FROM %s::bigint)
    ORDER BY phone.present
    ON CONFLICT DO NOTHING
"""


def _set_consent(
    contact: Contact, event: ConsentEventType, source: str, at: datetime, evidence: Evidence
) -> bool:
    """Set the consent that the event changes, without saving, and write or delete the suppression.

    Returns:
        Whether anything changed. A consent that an operator records for a subscribed contact does:
        there is a new proof.
    """
    match event:
        case ConsentEventType.UNSUBSCRIBED:
            is_news = _suppress(contact, source, at)
            if not contact.is_subscribed and not is_news:
                return False
            contact.is_subscribed = False
            contact.unsubscribed_at = max(at, contact.unsubscribed_at or at)
            contact.sms_consent_status = SmsConsentStatus.OPTED_OUT
        case ConsentEventType.SUBSCRIBED | ConsentEventType.RESUBSCRIBED:
            is_recorded = bool(evidence.actor)
            if contact.is_subscribed and not is_recorded:
                return False
            if obstacle_to_consent(contact, at, is_recorded=is_recorded):
                return False
            OptInRequest.objects.filter(contact=contact).close()
            contact.is_subscribed, contact.unsubscribed_at = True, None
            contact.sms_consent_status = SmsConsentStatus.OPTED_IN
            _suppressions_of(contact).filter(owner=contact.owner_id).delete()
        case ConsentEventType.SERVICE_ALLOWED | ConsentEventType.SERVICE_REVOKED:
            allowed = event == ConsentEventType.SERVICE_ALLOWED
            if contact.service_allowed == allowed:
                return False
            contact.service_allowed = allowed
    return True


def _suppress(contact: Contact, source: str, at: datetime) -> bool:
    """Suppress the contact's number at its store.

    An objection takes the place of suppressions that are easier to undo.

    Returns:
        Whether there was no such suppression.
    """
    earlier = list(_suppressions_of(contact).filter(owner=contact.owner_id))
    if not earlier:
        suppression, is_new = Suppression.objects.get_or_create(
            owner_id=contact.owner_id,
            phone_hash=phone_hash(contact.phone or ""),
            defaults={"reason": source, "created_at": at},
        )
        if is_new:
            return True
        earlier = [suppression]
    if source != OBJECTION:
        return False
    was_objection = any(suppression.reason == OBJECTION for suppression in earlier)
    for suppression in earlier:
        suppression.reason, suppression.created_at = OBJECTION, max(at, suppression.created_at)
        suppression.save()
    return not was_objection


def _suppressions_of(contact: Contact) -> QuerySet[Suppression]:
    """The suppressions of the contact's number at any store and at all, by either key."""
    return Suppression.objects.filter(phone_hash__in=phone_hashes(contact.phone or ""))


def _wait_if_subscribed(owner_id: int | None, phones: Sequence[str]) -> None:
    """Wait for the store's open sending windows if one of these numbers is a subscriber's."""
    known = Contact.objects.filter(owner=owner_id, phone__in=phones, is_subscribed=True)
    if owner_id is not None and known.exists():
        wait_for_open_sending_windows(owner_id)


def wait_for_open_sending_windows(owner_id: int) -> None:
    """Wait until no sending window of the store is open; none opens before we commit.

    Called in a transaction.

    Gives up after OPT_OUT_MAX_WAIT_SECONDS: the call of a stopped worker was made long ago and
    cannot be cancelled.
    """
    try:
        with transaction.atomic():
            execute(f"SET LOCAL lock_timeout = '{OPT_OUT_MAX_WAIT_SECONDS}s'")
            execute(LOCK_OUT_SENDING, [SENDING_LOCK, owner_id])
    except OperationalError:
        log.warning("store %s: a sending window was open too long; opting out anyway", owner_id)


# Exclusive, so it waits for the shared locks of all open windows; released at the commit.
LOCK_OUT_SENDING = "SELECT pg_advisory_xact_lock(%s, %s)"
