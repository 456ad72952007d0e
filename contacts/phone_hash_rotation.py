"""Changing PHONE_HASH_KEY: hashes of both keys count until none of the old key is left.

A hash cannot be turned into another. So a suppression moves to the present key only where its
number is still known (docs/rules.md#suppressions).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from astronote.common.sql import execute
from contacts.models import MarketingHold, Suppression
from contacts.phones import (
    key_id,
    keyed_phone_hash,
    phone_hash,
    phone_hash_keys,
    present_key_id,
)

CHUNK_NUMBERS = 5000


def rehash_suppressions_and_holds(e164_phones: Iterable[str]) -> int:
    """Give the suppressions of these numbers the hash of the present key; return how many.

    Of two suppressions of a number at a store the earlier one stays. Marketing holds are moved,
    too, and not counted.

    Args:
        e164_phones: every number that is still known, in E.164, in any order.
    """
    old_key = settings.PHONE_HASH_KEY_OLD
    numbers, changed = iter(e164_phones), 0
    while chunk := list(islice(numbers, CHUNK_NUMBERS)):
        pairs = sorted({(keyed_phone_hash(old_key, phone), phone_hash(phone)) for phone in chunk})
        hashes = list(map(list, zip(*pairs, strict=True)))
        with transaction.atomic():
            execute(MERGE_INTO_PRESENT, hashes)
            changed += execute(DELETE_MERGED, hashes)
            changed += execute(REHASH_SUPPRESSIONS, [present_key_id(), *hashes])
            execute(REHASH_HOLDS, [present_key_id(), *hashes])
    return changed


_PAIRS = "unnest(%s::text[], %s::text[]) AS pair (old, present)"
MERGE_INTO_PRESENT = f"""
    UPDATE contacts_suppression kept SET reason = merged.reason, created_at = merged.created_at
    FROM {_PAIRS} JOIN contacts_suppression merged ON merged.phone_hash = pair.old
    WHERE kept.phone_hash = pair.present AND kept.owner_id IS NOT DISTINCT FROM merged.owner_id
        AND merged.created_at < kept.created_at
"""
DELETE_MERGED = f"""
    DELETE FROM contacts_suppression merged USING {_PAIRS}
    WHERE merged.phone_hash = pair.old AND EXISTS (
        SELECT FROM contacts_suppression kept WHERE kept.phone_hash = pair.present
            AND kept.owner_id IS NOT DISTINCT FROM merged.owner_id)
"""
_REHASH = f"""
    WITH pairs AS (SELECT %s::text AS key, pair.* FROM {_PAIRS})
    UPDATE {{table}} hashed SET phone_hash = pairs.present, key_id = pairs.key
    FROM pairs WHERE hashed.phone_hash = pairs.old
"""
REHASH_SUPPRESSIONS = _REHASH.format(table="contacts_suppression")
# A reply holds a number once, by the key of that time, so none meets another.
REHASH_HOLDS = _REHASH.format(table="contacts_marketinghold")


def count_hashes_of_other_keys() -> int:
    """How many suppressions and marketing holds have a hash that another key made."""
    return sum(
        model.objects.exclude(key_id=present_key_id()).count()
        for model in (Suppression, MarketingHold)
    )


def problem_if_hash_key_is_missing() -> str:
    """Health check: what is wrong if there are suppressions or holds whose key is not set."""
    known = sorted(map(key_id, phone_hash_keys()))
    # Ranges between the known names, so that the index finds any other.
    others = Q(key_id__lt=known[0]) | Q(key_id__gt=known[-1])
    if len(known) > 1:
        others |= Q(key_id__gt=known[0], key_id__lt=known[1])
    if not any(model.objects.filter(others).exists() for model in (Suppression, MarketingHold)):
        return ""
    return (
        "there are hashes of numbers, of opt-outs or of replies to decide, that were made with "
        "another key: set the key before as PHONE_HASH_KEY_OLD"
    )
