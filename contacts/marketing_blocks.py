"""Numbers that get no marketing: suppressed ones, and those held until a reply is decided.

The rules are in rules.md#suppressions and rules.md#reply-reviews.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from django.db.models import Q

from astronote.common.sql import execute, rows
from contacts.models import Contact, MarketingHold, OptInRequest, Suppression
from contacts.phones import phone_hash, phone_hashes_with_each_key, present_key_id
from contacts.sending_window import lock_out_sending_windows


def phones_suppressed_at_store_or_everywhere(owner_id: int, e164_phones: Iterable[str]) -> set[str]:
    """Which of these numbers are suppressed at the store or at all stores.

    Args:
        owner_id: the store.
        e164_phones: numbers in E.164.
    """
    return {
        phone
        for _, phone in pairs_suppressed_at_store_or_everywhere(
            (owner_id, phone) for phone in e164_phones
        )
    }


def pairs_suppressed_at_store_or_everywhere(
    owner_phone_pairs: Iterable[tuple[int, str]],
) -> set[tuple[int, str]]:
    """Which of these (store id, number) pairs are suppressed; one query for many stores."""
    if not Suppression.objects.exists():
        return set()
    return _pairs_with_row_of_store_or_all(
        Suppression, _HashedPair.with_every_hash_key(owner_phone_pairs)
    )


class MarketingBlocks(NamedTuple):
    """The (store id, number) pairs that get no marketing: suppressed ones, and held ones.

    Marketing to a held number waits until a person has decided about a reply.
    """

    suppressed: set[tuple[int, str]]
    held: set[tuple[int, str]]

    def __contains__(self, pair: object) -> bool:
        """Whether the pair gets no marketing now."""
        return pair in self.suppressed or pair in self.held


def marketing_blocks(owner_phone_pairs: Iterable[tuple[int, str]]) -> MarketingBlocks:
    """Which of these (store id, number) pairs get no marketing; few queries for many stores."""
    [(any_suppressed, any_held)] = rows(ARE_THERE_BLOCKS)
    hashed = (
        _HashedPair.with_every_hash_key(owner_phone_pairs) if any_suppressed or any_held else []
    )
    return MarketingBlocks(
        _pairs_with_row_of_store_or_all(Suppression, hashed) if any_suppressed else set(),
        _pairs_with_row_of_store_or_all(MarketingHold, hashed) if any_held else set(),
    )


ARE_THERE_BLOCKS = """
    SELECT EXISTS (SELECT FROM contacts_suppression), EXISTS (SELECT FROM contacts_marketinghold)
"""


class _HashedPair(NamedTuple):
    owner_id: int
    phone: str
    digest: str

    @classmethod
    def with_every_hash_key(cls, owner_phone_pairs: Iterable[tuple[int, str]]) -> list[_HashedPair]:
        return [
            cls(owner_id, phone, digest)
            for owner_id, phone in owner_phone_pairs
            for digest in phone_hashes_with_each_key(phone)
        ]


def _pairs_with_row_of_store_or_all(
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


def wait_for_sends_and_suppress_phones(
    owner_id: int | None, e164_phones: Sequence[str], *, reason: str
) -> int:
    """Suppress the numbers of people who said no, before their contacts are opted out.

    Called in a transaction that opts them out. If one of them is subscribed or is being asked for
    consent, it first waits for the store's open sending windows, as `change_consent` does.

    Args:
        owner_id: the store; None for all stores, of which none has such a contact.
        e164_phones: numbers in E.164.
        reason: stored with each new suppression.

    Returns:
        How many of them were not suppressed yet.
    """
    _wait_for_sends_if_any_phone_is_subscribed_or_asked(owner_id, e164_phones)
    hashes = [phone_hashes_with_each_key(phone) for phone in e164_phones]
    present, earlier = [each[0] for each in hashes], [each[-1] for each in hashes]
    parameters = [owner_id, reason, present_key_id(), present, earlier, owner_id]
    return execute(SUPPRESS_PHONES, parameters)


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


def hold_marketing(owner_id: int | None, e164_phones: Sequence[str], *, reply_id: int) -> None:
    """Let marketing to these numbers wait until a person has decided about a reply.

    If one of them is subscribed or is being asked for consent, it first waits for the store's open
    sending windows, since the reply may be an opt-out.

    Args:
        owner_id: the store; None for all stores, of which none has such a contact.
        e164_phones: numbers in E.164.
        reply_id: the reply's event.
    """
    _wait_for_sends_if_any_phone_is_subscribed_or_asked(owner_id, e164_phones)
    MarketingHold.objects.bulk_create(
        [
            MarketingHold(owner_id=owner_id, phone_hash=phone_hash(phone), reply_id=reply_id)
            for phone in e164_phones
        ],
        ignore_conflicts=True,
    )


def suppress_and_still_hold_phones_of_reply(reply_id: int, *, reason: str) -> None:
    """Suppress the numbers that a reply holds back: a person decided that it is an opt-out."""
    execute(SUPPRESS_HELD_PHONES, [reason, reply_id])


SUPPRESS_HELD_PHONES = """
    INSERT INTO contacts_suppression (owner_id, reason, key_id, phone_hash)
    SELECT owner_id, %s, key_id, phone_hash FROM contacts_marketinghold WHERE reply_id = %s
    ORDER BY phone_hash ON CONFLICT DO NOTHING
"""


def delete_marketing_holds_of_reply(reply_id: int) -> None:
    """Hold marketing back no longer for this reply; holds of other replies stay."""
    MarketingHold.objects.filter(reply_id=reply_id).delete()


def _wait_for_sends_if_any_phone_is_subscribed_or_asked(
    owner_id: int | None, e164_phones: Sequence[str]
) -> None:
    """Wait for the store's open sending windows if a number is subscribed or being asked."""
    if owner_id is None:
        return
    contacts = Contact.objects.filter(owner=owner_id, phone__in=e164_phones)
    asked = OptInRequest.objects.neither_answered_nor_closed().filter(contact__in=contacts)
    if contacts.filter(is_subscribed=True).exists() or asked.exists():
        lock_out_sending_windows(owner_id)
