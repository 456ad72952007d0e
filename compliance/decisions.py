"""Decisions of persons and stores that were made after a backup, made again after it was restored.

They are erasures, restrictions, opt-outs and off-boardings. A list of them that is kept outside
PostgreSQL (`manage.py decisions list`) tells a restored database what it does not know. The list
names nobody: persons are keyed hashes.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from astronote.accounts.models import User
from astronote.common import audit
from astronote.common.audit import AuditEntry
from astronote.common.sql import execute
from compliance import off_boarding, rights
from compliance.known_numbers import iter_known_numbers
from contacts import restriction
from contacts.models import Suppression
from contacts.phones import phone_hashes_with_each_key

OPT_OUT = "opt-out"
OF_PERSONS = (rights.ERASED, restriction.RESTRICTED, restriction.LIFTED)
OF_STORES = (off_boarding.LEFT, off_boarding.DAY_OF_ERASURE_CHANGED, off_boarding.RETURNED)
RESTRICTED_AGAIN = "restricted before a restore; the reason was lost"
CHUNK_ROWS = 5000


def iter_decisions_of_audit_trail_then_opt_outs() -> Iterator[dict[str, Any]]:
    """The decisions that are known, as values for JSON: those of the audit trail, then opt-outs."""
    yield from _iter_decisions_of_audit_trail()
    opt_outs = Suppression.objects.order_by("pk").values_list(
        "created_at", "owner_id", "phone_hash", "key_id", "reason"
    )
    for at, store, person, key, reason in opt_outs.iterator(CHUNK_ROWS):
        yield {
            "decision": OPT_OUT,
            "at": at.isoformat(),
            "store": store,
            "person": person,
            "key": key,
            "reason": reason,
        }


def _iter_decisions_of_audit_trail() -> Iterator[dict[str, Any]]:
    entries = AuditEntry.objects.filter(action__in=(*OF_PERSONS, *OF_STORES)).order_by("pk")
    for at, action, store, details in entries.values_list(
        "at", "action", "owner_id", "details"
    ).iterator(CHUNK_ROWS):
        yield {
            "decision": action,
            "at": at.isoformat(),
            "store": store,
            "person": details.get("person"),
            "erase_on": details.get("erase_on"),
        }


def repeat_unknown_decisions_and_audit(json_lines: Iterable[str], *, by: str) -> Counter[str]:
    """Make those decisions again that this database does not know, the oldest first.

    Writes an audit entry if there are any.

    A person who came back between an erasure and the backup is so left alone. Opt-outs that a later
    consent undid after the backup hold again.

    Args:
        json_lines: the list that a younger database wrote.
        by: the program that asks, for the audit trail.

    Returns:
        How many of each decision were made again.
    """
    known = {tuple(decision.values()) for decision in _iter_decisions_of_audit_trail()}
    repeated: Counter[str] = Counter()
    missing: list[dict[str, Any]] = []
    opt_outs: list[dict[str, Any]] = []
    for decision in map(json.loads, json_lines):
        if decision["decision"] == OPT_OUT:
            opt_outs.append(decision)
        elif tuple(decision.values()) not in known:
            missing.append(decision)
        if len(opt_outs) == CHUNK_ROWS:
            repeated[OPT_OUT] += _insert_suppressions_unless_younger_exist(opt_outs)
            opt_outs.clear()
    repeated[OPT_OUT] += _insert_suppressions_unless_younger_exist(opt_outs)
    # Found before anything is erased: numbers are read while they are there.
    numbers = _known_numbers_by_person_hash({each["person"] for each in missing if each["person"]})
    for decision in missing:
        if decision["decision"] in OF_STORES:
            repeated[decision["decision"]] += _off_board_or_take_back_again_if_store_exists(
                decision, by
            )
        for number in numbers[decision["person"]]:
            _erase_restrict_or_lift_again(decision, number, by)
            repeated[decision["decision"]] += 1
    repeated = +repeated
    if repeated:
        audit.write_entry("decisions repeated", by=by, decisions=repeated)
    return repeated


def _insert_suppressions_unless_younger_exist(opt_outs: list[dict[str, Any]]) -> int:
    """Write suppressions, unless there is one as young; return how many were written."""
    columns = ("store", "person", "key", "reason", "at")
    return execute(
        INSERT_OPT_OUTS, [[opt_out[column] for opt_out in opt_outs] for column in columns]
    )


# A store that was made after the backup is not there.
INSERT_OPT_OUTS = """
    INSERT INTO contacts_suppression AS known (owner_id, phone_hash, key_id, reason, created_at)
    SELECT store, person, key, reason, at
    FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])
        AS listed (store, person, key, reason, at)
    WHERE store IS NULL OR EXISTS (SELECT FROM astronote_user WHERE id = store)
    ON CONFLICT (phone_hash, owner_id) DO UPDATE
        SET reason = excluded.reason, created_at = excluded.created_at
        WHERE known.created_at < excluded.created_at
"""


def _known_numbers_by_person_hash(persons: set[str]) -> defaultdict[str | None, set[str]]:
    """The numbers, as far as they are known, whose hashes these are."""
    numbers: defaultdict[str | None, set[str]] = defaultdict(set)
    for number in iter_known_numbers() if persons else ():
        for digest in persons.intersection(phone_hashes_with_each_key(number)):
            numbers[digest].add(number)
    return numbers


def _erase_restrict_or_lift_again(decision: dict[str, Any], number: str, by: str) -> None:
    store = decision["store"]
    match decision["decision"]:
        case rights.ERASED:
            rights.erase_or_restrict_person_by_phone(number, store, by=by)
        case restriction.RESTRICTED:
            rights.restrict_contacts_with_phone(number, store, reason=RESTRICTED_AGAIN, by=by)
        case restriction.LIFTED:
            rights.lift_restrictions_of_contacts_with_phone(number, store, by=by)


def _off_board_or_take_back_again_if_store_exists(decision: dict[str, Any], by: str) -> bool:
    """Off-board a store or let it return; return whether it is there."""
    store = User.objects.filter(pk=decision["store"], is_staff=False).first()
    if store is None:
        return False
    if decision["decision"] == off_boarding.RETURNED:
        # It returned in time, whatever day it is now.
        User.objects.filter(pk=store.pk).update(erase_on=off_boarding.utc_day_of_erasure(1))
        off_boarding.take_back_store_or_raise_cannot_return(store, by=by)
    else:
        erase_on = date.fromisoformat(decision["erase_on"])
        off_boarding.off_board_store(store, erase_on=erase_on, by=by)
    return True
