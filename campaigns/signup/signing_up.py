"""Signing up from a store's page: a request writes what was sent, and a job applies it.

So a request waits for nothing, and takes as long for a number that the store knows as for another
(rules.md#sign-up).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from django.db import IntegrityError, transaction
from django.utils.crypto import salted_hmac

from astronote.common.sql import rows
from astronote.queues import jobs
from campaigns.signup.forms import Entry, FormSign
from campaigns.signup.models import (
    NfcScan,
    NfcScanStatus,
    NfcTag,
    PublicSignupEvent,
    SignupOutcome,
)
from contacts.consent import MAX_USER_AGENT_LENGTH, Evidence, change_consent
from contacts.marketing_blocks import phones_suppressed_at_store_or_everywhere
from contacts.models import ConsentEventType, Contact
from contacts.opt_in_wording import Question, without_confirm_link_tag
from messaging.opt_in_requests import ask_by_waiting_request_if_allowed

log = logging.getLogger(__name__)

SOURCE = "signup_page"
MAX_PER_STORE_AND_HOUR, MAX_PER_ADDRESS_AND_HOUR = 300, 60
# What of `meta` stays when a sign-up was applied: its scan, and what tells a second press of it.
KEPT_META = ("scan", "press")
QUEUE, APPLY, ASK = (
    "birthday",
    "campaigns.tasks.apply_signups",
    "messaging.tasks.send_opt_in_requests",
)


class Visitor(NamedTuple):
    """Who sent a form.

    Args:
        ip_address: the address, None if it is unknown.
        network: the address, or the network of one of IPv6: what limits count.
        user_agent: the name that the browser gives itself.
    """

    ip_address: str | None
    network: str | None
    user_agent: str


def are_there_too_many_signups(store_id: int, visitor: Visitor) -> bool:
    """Whether the store or the visitor has had as many sign-ups within an hour as they may.

    Requests at the same time may each see the last free place: a few more get through.
    """
    [(of_store, of_visitor)] = rows(COUNT_LAST_HOUR, [store_id, visitor.network])
    return of_store >= MAX_PER_STORE_AND_HOUR or of_visitor >= MAX_PER_ADDRESS_AND_HOUR


# The address in a row, or the /64 of one of IPv6, since one visitor has all of its addresses.
NETWORK_OF_VISITOR = """
    host(network(set_masklen(ip_address::inet,
        CASE family(ip_address::inet) WHEN 4 THEN 32 ELSE 64 END)))
"""
# By the index on the time: an hour's sign-ups of all stores are few.
COUNT_LAST_HOUR = f"""
    SELECT count(*) FILTER (WHERE owner_id = %s),
        count(*) FILTER (WHERE {NETWORK_OF_VISITOR} = %s)
    FROM campaigns_publicsignupevent WHERE created_at > now() - interval '1 hour'
"""


def store_signup_once_and_enqueue_job(
    tag: NfcTag, sign: FormSign, entry: Entry, question: Question, language: str, visitor: Visitor
) -> PublicSignupEvent | None:
    """Write a sign-up, and enqueue the job that applies it.

    Args:
        tag: whose page it was sent from.
        sign: of the form.
        entry: what was typed.
        question: what the person agreed to.
        language: of the page.
        visitor: who sent it.

    Returns:
        The sign-up; that of before if the same was sent twice; None if the form has made another.
    """
    press = salted_hmac(SOURCE, sign.key + entry.phone, algorithm="sha256").hexdigest()
    try:
        with transaction.atomic():
            mark_scan_submitted(tag, sign.scan_id)
            jobs.enqueue_on_commit(QUEUE, APPLY)
            return PublicSignupEvent.objects.create(
                owner_id=tag.owner_id,
                tag=tag,
                idempotency_key=sign.key,
                ip_address=visitor.ip_address,
                user_agent=visitor.user_agent[:MAX_USER_AGENT_LENGTH],
                meta={
                    **entry.as_json(),
                    **question._asdict(),
                    "language": language,
                    "scan": sign.scan_id,
                    "press": press,
                },
            )
    except IntegrityError:
        before = PublicSignupEvent.objects.get(idempotency_key=sign.key)
        return before if (before.meta or {}).get("press") == press else None


def mark_scan_submitted(tag: NfcTag, scan_id: int | None) -> None:
    """Count that somebody who opened the page of a tag did what it is for."""
    if scan_id is not None:
        NfcScan.objects.filter(pk=scan_id, tag=tag).update(status=NfcScanStatus.SUBMITTED)


def apply_waiting_signups() -> dict[str, int]:
    """Apply the sign-ups that wait, in the order in which they came.

    One that cannot be applied stays, and is tried again by the next run.

    Returns:
        Counts by outcome, and of those that could not be applied; empty if none waited.
    """
    counts: Counter[str] = Counter()
    waiting = PublicSignupEvent.objects.filter(outcome=SignupOutcome.WAITING)
    for pk in list(waiting.order_by("pk").values_list("pk", flat=True)):
        try:
            with transaction.atomic():
                counts.update(filter(None, [_apply_if_waiting(pk)]))
        except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
            log.error("sign-up %s is not applied: %s", pk, type(error).__name__)
            counts["not_applied"] += 1
    return dict(counts)


def _apply_if_waiting(signup_id: int) -> str:
    """Apply a sign-up in the caller's transaction, unless another process does, or has done.

    Returns:
        The outcome; empty if nothing was to be done.
    """
    waiting = PublicSignupEvent.objects.select_for_update(skip_locked=True, of=("self",))
    waiting = waiting.filter(pk=signup_id, outcome=SignupOutcome.WAITING)
    signup = waiting.select_related("owner").first()
    if signup is None:
        return ""
    meta = signup.meta or {}
    signup.outcome = _sign_up(signup, meta) if meta.get("phone") else SignupOutcome.ERASED
    signup.meta = {name: meta[name] for name in KEPT_META if meta.get(name)} or None
    signup.save(update_fields=["outcome", "contact", "meta"])
    if signup.contact_id and meta.get("scan"):
        NfcScan.objects.filter(pk=meta["scan"]).update(contact=signup.contact_id)
    return signup.outcome


def _sign_up(signup: PublicSignupEvent, typed: Mapping[str, Any]) -> SignupOutcome:
    """Subscribe or ask the person, whose contact is created if it is new.

    A no is not undone by a form that anybody can fill in: who opted out, or whose number is
    suppressed, stays so and is sent nothing.
    """
    store, phone = signup.owner, typed["phone"]
    known = Contact.objects.filter(owner=store, phone=phone)
    if phones_suppressed_at_store_or_everywhere(store.pk, [phone]):
        signup.contact = known.first()
        return SignupOutcome.OPTED_OUT
    new = Contact(owner=store, phone=phone, awaits_welcome=True)
    Contact.objects.bulk_create([new], ignore_conflicts=True)
    signup.contact = contact = known.select_for_update().get()
    if contact.unsubscribed_at:
        return SignupOutcome.OPTED_OUT
    if contact.restricted_at:
        return SignupOutcome.REFUSED
    _fill_empty_fields(contact, typed)
    if contact.is_subscribed:
        return SignupOutcome.SUBSCRIBED_BEFORE
    details = {"signup": signup.pk, "tag": signup.tag_id}
    if store.double_opt_in:
        evidence = Evidence(
            ip_address=signup.ip_address, user_agent=signup.user_agent or "", details=details
        )
        question = Question(typed["wording"], typed["version"])
        if not ask_by_waiting_request_if_allowed(
            contact, question, led_to_it=evidence.json_of_fields_without_own_column()
        ):
            return SignupOutcome.REFUSED
        jobs.enqueue_on_commit(QUEUE, ASK)
        return SignupOutcome.ASKED
    subscribed = change_consent(
        contact.pk,
        ConsentEventType.SUBSCRIBED,
        source=SOURCE,
        claimed_at=signup.created_at,
        evidence=Evidence(
            wording=without_confirm_link_tag(typed["wording"]),
            version=typed["version"],
            ip_address=signup.ip_address,
            user_agent=signup.user_agent or "",
            details=details,
        ),
    )
    return SignupOutcome.SUBSCRIBED if subscribed else SignupOutcome.REFUSED


def _fill_empty_fields(contact: Contact, typed: Mapping[str, Any]) -> None:
    """Write what the store does not know yet: a stranger must not rename its customers."""
    news: dict[str, Any] = {}
    if typed.get("first_name") and not contact.first_name:
        news["first_name"] = typed["first_name"]
    if typed.get("birthday") and not contact.birthday:
        news["birthday"] = date.fromisoformat(typed["birthday"])
    for name, value in news.items():
        setattr(contact, name, value)
    if news:
        contact.save(update_fields=[*news, "updated_at"])


def enqueue_waiting_signups(dry_run: bool) -> int:
    """Enqueue the job if sign-ups wait whose job was lost; return how many wait."""
    count = PublicSignupEvent.objects.filter(outcome=SignupOutcome.WAITING).count()
    if count and not dry_run:
        jobs.enqueue_on_commit(QUEUE, APPLY)
    return count
