"""The rights of a person: access, correction, erasure and objection (GDPR, articles 15 to 21).

The rules are in rules.md#rights-of-a-person. Each function works at one store, or at all stores if
`owner_id` is None.
"""

from __future__ import annotations

import contextlib
from typing import Any, NamedTuple

from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from redis.exceptions import RedisError

from astronote.accounts.models import User
from astronote.common import audit
from astronote.common.sql import execute
from compliance import access, elsewhere, exported_files, uploads
from compliance.erasure import erase_or_mask_person_and_count_by_table
from compliance.person import (
    contacts_with_phone_at_store_or_all,
    find_contacts_and_traces_of_person,
)
from compliance.search import Trace, find_traces_left_and_kept_for_a_reason
from contacts import restriction
from contacts.consent import OBJECTION, Evidence, change_consent
from contacts.models import ConsentEventType
from contacts.phones import phone_hash, present_key_id
from messaging import replies

ERASED = "personal data erased"  # in the audit trail
HELD_REASON = "erasure was asked for; a legal hold keeps the data"
CORRECTABLE_FIELDS = ("first_name", "last_name", "email", "birthday", "gender")


def collect_held_data_of_person_and_audit(
    e164_phone: str, owner_id: int | None = None, *, by: User | AnonymousUser | str
) -> dict[str, Any]:
    """All data held on a number, as `access.collect_held_data` has it (article 15).

    Writes an audit entry.

    Args:
        e164_phone: the number in E.164.
        owner_id: a store, or None for all stores.
        by: the account or program that asks.
    """
    person = find_contacts_and_traces_of_person(e164_phone, owner_id)
    held = access.collect_held_data(person)
    audit.write_entry(
        "personal data exported", by=by, owner_id=owner_id, contacts=len(person.contact_ids)
    )
    return held


class Erasure(NamedTuple):
    """What an erasure did, and what is left: nothing but what is kept for a reason, if all is well.

    `counts` has rows by table, files and keys. `restricted` has the stores whose contact is under a
    legal hold, so that it was restricted instead of erased.
    """

    counts: dict[str, int]
    restricted: list[int]
    left: list[Trace]

    @property
    def traces_left_without_reason(self) -> list[Trace]:
        """What is left without a reason."""
        return [trace for trace in self.left if not trace.reason]


def erase_or_restrict_person_by_phone(
    e164_phone: str, owner_id: int | None = None, *, by: User | AnonymousUser | str
) -> Erasure:
    """Erase all data on a number (article 17), and search for what is left.

    Opt-outs stay as hashes. A contact under a legal hold is restricted instead, and everything of
    its store stays. Waiting replies are applied before, so that no STOP is lost. Writes an audit
    entry.

    Args:
        e164_phone: the number in E.164.
        owner_id: a store, or None for all stores.
        by: the account or program that asks.
    """
    replies.apply_received_replies()  # a STOP that waits would lose its number
    with transaction.atomic():
        uploads.lock_open_imports_at_stores_of_person(
            find_contacts_and_traces_of_person(
                e164_phone, owner_id, without_contacts_on_legal_hold=True
            )
        )
        # Imports have written their last rows until now.
        person = find_contacts_and_traces_of_person(
            e164_phone, owner_id, without_contacts_on_legal_hold=True
        )
        held = (
            contacts_with_phone_at_store_or_all(e164_phone, owner_id)
            .filter(legal_hold=True)
            .order_by("pk")
        )
        for contact in held:
            restriction.restrict_contact(contact.pk, reason=HELD_REASON, by=by)
        counts: dict[str, int] = dict(uploads.delete_finished_uploads_and_rewrite_open_ones(person))
        counts |= erase_or_mask_person_and_count_by_table(person)
        counts["sessions"] = elsewhere.end_sessions_naming_person(person.traces)
        counts["temporary_files"] = elsewhere.delete_temp_files_of_person(person.traces)
        counts["exported_files"] = exported_files.erase_exported_files(person)
        counts = {name: count for name, count in counts.items() if count}
        audit.write_entry(
            ERASED,
            by=by,
            owner_id=owner_id,
            person=phone_hash(e164_phone),  # by which it is made again after a restore
            erased=counts,
            stores_under_legal_hold=len(person.kept_owner_ids),
        )
    with contextlib.suppress(RedisError):  # the search says that Redis cannot be asked
        if keys := elsewhere.delete_redis_values_of_person(person.traces):
            counts["redis_keys"] = keys
    return Erasure(
        counts, sorted(person.kept_owner_ids), find_traces_left_and_kept_for_a_reason(person)
    )


def correct_contacts_with_phone_and_audit(
    e164_phone: str,
    new_values_by_field: dict[str, Any],
    owner_id: int | None = None,
    *,
    by: User | AnonymousUser | str,
) -> int:
    """Correct the contacts with a number and write an audit entry (GDPR, article 16).

    Args:
        e164_phone: the number in E.164.
        new_values_by_field: new values of CORRECTABLE_FIELDS.
        owner_id: a store, or None for all stores.
        by: the account or program that asks.

    Returns:
        The number of stores.

    Raises:
        ValidationError: if a value is not valid; then nothing is changed.
    """
    with transaction.atomic():
        contacts = list(contacts_with_phone_at_store_or_all(e164_phone, owner_id))
        for contact in contacts:
            for name, value in new_values_by_field.items():
                setattr(contact, name, value)
            contact.full_clean()
            contact.save(update_fields=[*new_values_by_field, "updated_at"])
        audit.write_entry(
            "personal data corrected",
            by=by,
            owner_id=owner_id,
            fields=sorted(new_values_by_field),
            contacts=len(contacts),
        )
    return len(contacts)


def withdraw_all_consent(
    e164_phone: str, owner_id: int | None = None, *, by: User | AnonymousUser | str
) -> int:
    """Withdraw both consents of a number's contacts and write an audit entry (article 21).

    Leaves a suppression in any case, at the store or for all stores, with the reason `objection`:
    also of a number that is no contact's, and of one that had opted out before.

    Args:
        e164_phone: the number in E.164.
        owner_id: a store, or None for all stores.
        by: the account or program that asks.

    Returns:
        The number of consents that changed, or whose opt-out is an objection now.
    """
    changed = 0
    evidence = Evidence(actor=audit.account_id_or_program_name(by))
    for pk in (
        contacts_with_phone_at_store_or_all(e164_phone, owner_id)
        .order_by("pk")
        .values_list("pk", flat=True)
    ):
        for event in (ConsentEventType.UNSUBSCRIBED, ConsentEventType.SERVICE_REVOKED):
            changed += change_consent(pk, event, source=OBJECTION, evidence=evidence)
    with transaction.atomic():
        execute(SUPPRESS_OBJECTION, [owner_id, phone_hash(e164_phone), present_key_id(), OBJECTION])
        audit.write_entry("objection", by=by, owner_id=owner_id, changes=changed)
    return changed


SUPPRESS_OBJECTION = """
    INSERT INTO contacts_suppression (owner_id, phone_hash, key_id, reason)
    VALUES (%s, %s, %s, %s)
    ON CONFLICT (phone_hash, owner_id) DO UPDATE SET reason = excluded.reason, created_at = now()
"""


def restrict_contacts_with_phone(
    e164_phone: str,
    owner_id: int | None = None,
    *,
    reason: str,
    by: User | AnonymousUser | str,
) -> int:
    """Restrict the contacts with a number, each with an audit entry (GDPR, article 18).

    Args:
        e164_phone: the number in E.164.
        owner_id: a store, or None for all stores.
        reason: why; stored with the contacts.
        by: the account or program that asks.

    Returns:
        How many contacts were not restricted before.
    """
    contacts = contacts_with_phone_at_store_or_all(e164_phone, owner_id).order_by("pk")
    ids = list(contacts.values_list("pk", flat=True))
    return sum(restriction.restrict_contact(pk, reason=reason, by=by) for pk in ids)


def lift_restrictions_of_contacts_with_phone(
    e164_phone: str, owner_id: int | None = None, *, by: User | AnonymousUser | str
) -> int:
    """End the restriction of the contacts with a number; return how many there were."""
    contacts = contacts_with_phone_at_store_or_all(e164_phone, owner_id).order_by("pk")
    ids = list(contacts.values_list("pk", flat=True))
    return sum(restriction.lift_restriction(pk, by=by) for pk in ids)
