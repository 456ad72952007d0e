"""Statuses of messages, batches, reservations and events, and the reasons of messages not sent.

Each enum is followed by the named sets of its values. The transitions between message statuses are
in `outcomes.py`, those between batch statuses in `batch_queue.py` and `sending.py`.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _


class MessageStatus(models.TextChoices):
    """The state of a message; `delivered`, `failed` and `skipped` are its ends."""

    QUEUED = "queued", _("queued: waiting in its batch")
    SENT = "sent", _("sent: Mitto accepted it")
    DELIVERED = "delivered", _("delivered: a receipt says so")
    FAILED = "failed", _("failed: refused by Mitto, or not delivered")
    SKIPPED = "skipped", _("skipped: not sent, for the reason given")
    UNKNOWN = "unknown", _("unknown: Mitto did not answer, and it is not sent again")


# The statuses in a word, for tables.
STATUS_WORDS = {
    MessageStatus.QUEUED: _("queued"),
    MessageStatus.SENT: _("sent"),
    MessageStatus.DELIVERED: _("delivered"),
    MessageStatus.FAILED: _("failed"),
    MessageStatus.SKIPPED: _("skipped"),
    MessageStatus.UNKNOWN: _("unknown"),
}
FINAL_STATUSES = (MessageStatus.DELIVERED, MessageStatus.FAILED)
ACCEPTED_STATUSES = (MessageStatus.SENT, MessageStatus.DELIVERED)
# Messages in these statuses still hold their credits.
UNCHARGED_STATUSES = (MessageStatus.QUEUED, MessageStatus.UNKNOWN)
NOT_DELIVERED_STATUSES = (MessageStatus.FAILED, MessageStatus.SKIPPED, MessageStatus.UNKNOWN)
# A campaign has a counter for each of these; its other messages are queued.
COUNTED_STATUSES = [status.value for status in MessageStatus if status != MessageStatus.QUEUED]


class BatchStatus(models.TextChoices):
    """The state of a batch, from waiting for a worker to settled or cancelled."""

    PENDING = "pending", _("pending: waiting for a worker")
    CLAIMED = "claimed", _("claimed: a worker is preparing it, nothing is sent yet")
    SUBMITTING = "submitting", _("submitting: the call to Mitto may be under way")
    SETTLED = "settled", _("settled: every message has an outcome")
    CANCELLED = "cancelled", _("cancelled: never sent")


OPEN_BATCH_STATUSES = (BatchStatus.PENDING, BatchStatus.CLAIMED, BatchStatus.SUBMITTING)
UNSENT_BATCH_STATUSES = (BatchStatus.PENDING, BatchStatus.CLAIMED)
IN_FLIGHT_BATCH_STATUSES = (BatchStatus.CLAIMED, BatchStatus.SUBMITTING)
ENDED_BATCH_STATUSES = (BatchStatus.SETTLED, BatchStatus.CANCELLED)
# Mitto was called with the batch; its answer is pending or recorded.
SUBMITTED_BATCH_STATUSES = (BatchStatus.SUBMITTING, BatchStatus.SETTLED)


class StopReason(models.TextChoices):
    """Why the whole installation sends nothing (docs/rules.md#sending-stops)."""

    ACCOUNT_REFUSED = "account_refused", _("Mitto refuses the account, or most messages")
    DATABASE_OLDER = (
        "database_older",
        _("PostgreSQL is older than what was sent: a backup was restored, or a replica took over"),
    )
    RESTORED = "restored", _("a backup was restored; a person has to let sending go on")
    MISMATCHED_IDS = (
        "mismatched_ids",
        _("Mitto's message IDs belong to other messages than those that we know them for"),
    )


class ReservationStatus(models.TextChoices):
    """The state of the credits held for a batch."""

    RESERVED = "reserved", _("reserved: part of it is still held")
    COMMITTED = "committed", _("committed: nothing is held, some was charged")
    RELEASED = "released", _("released: nothing is held, nothing was charged")
    EXPIRED = "expired", _("expired: what was still held was released")


class TransactionType(models.TextChoices):
    """What an entry of the ledger does to the balance."""

    CREDIT = "credit", _("credit: added")
    DEBIT = "debit", _("debit: messages charged")
    REFUND = "refund", _("refund: taken back, as the money was returned")
    EXPIRY = "expiry", _("expiry: not used before the plan's month ended")


# The types in a word.
TRANSACTION_WORDS = {
    TransactionType.CREDIT: _("credit"),
    TransactionType.DEBIT: _("debit"),
    TransactionType.REFUND: _("refund"),
    TransactionType.EXPIRY: _("expiry"),
}


class WebhookEventStatus(models.TextChoices):
    """The state of an event from Mitto."""

    RECEIVED = "received", _("received: not yet applied")
    PROCESSED = "processed", _("processed: applied")
    REVIEW = "review", _("for review: a person decides whether it is an opt-out")
    UNMATCHED = "unmatched", _("unmatched: it belongs to no message or contact")
    FAILED = "failed", _("failed: it cannot be read")


class WebhookEventType(models.TextChoices):
    """The type of an event from Mitto."""

    RECEIPT = "dlr", _("delivery receipt")
    POLL = "poll", _("answer to a status query")
    INBOUND = "inbound", _("message from a customer")


# Mitto's statuses and those of carriers that it passes on (docs/rules.md#provider-statuses). A
# status in neither set is not final.
DELIVERED_PROVIDER_STATUSES = {"delivered", "delivrd", "completed", "ok"}
FAILED_PROVIDER_STATUSES = {
    "failure",
    "failed",
    "undelivered",
    "undeliv",
    "undeliverable",
    "expired",
    "rejected",
    "rejectd",
    "deleted",
    "error",
}


class ConsentRequest(models.TextChoices):
    """What a reply asks for."""

    STOP = "stop", _("Stop")
    START = "start", _("Start")
    REVIEW = "review", _("review: a person decides whether it asks to stop")


class TallyEvent(models.TextChoices):
    """What a tally counts."""

    ACCEPTED = "accepted", _("accepted by Mitto")
    DELIVERED = "delivered", _("delivered")
    FAILED = "failed", _("failed")
    SKIPPED = "skipped", _("skipped")
    OPTED_OUT = "opted_out", _("opted out")


class Reason(models.TextChoices):
    """Why a message failed, was skipped or is unknown: our codes, each with a sentence for people.

    A message's `error_code` is one of these, `refused_<HTTP status>` or a carrier's own code.
    """

    OPTED_OUT = "opted_out", _("the customer had opted out or changed number")
    AWAITS_REVIEW = "awaits_review", _("a reply that may be an opt-out waited")
    RESTRICTED = "restricted", _("the customer's data may only be stored (GDPR, article 18)")
    CONTACT_CAP = "contact_cap", _("the customer had reached the cap on marketing messages")
    CANNOT_RECEIVE = "cannot_receive", _("the number is no mobile and cannot receive SMS")
    EMPTY_TEXT = "empty_text", _("the text holds nothing but tags that are empty for the customer")
    TOO_LONG = "too_long", _("the text has more SMS parts than a message may have")
    TOO_LATE = "too_late", _("the batch was delayed for longer than CAMPAIGN_LIFE_HOURS")
    CANCELLED = "cancelled", _("the campaign was cancelled, or the automation switched off")
    EVENT_CHANGED = (
        "event_changed",
        _("the event was moved or cancelled, or the customer came again"),
    )
    EVENT_BEGUN = "event_begun", _("the event would have begun before the message")
    RULE_LIMIT = "rule_limit", _("the customer had a message of this rule shortly before")
    REFUSED = "refused", _("Mitto refused the message")
    NOT_TAKEN = "not_taken", _("Mitto did not accept it before its credit reservation expired")
    UNDELIVERED = "undelivered", _("the carrier did not deliver it")
    NO_ANSWER = "no_answer", _("Mitto gave no clear answer to the call")
    BY_OPERATOR = "by_operator", _("an operator marked it failed")


REFUSED_PREFIX = "refused_"


def refused_call_error_code(http_status: int) -> str:
    """The error code of a batch's messages when Mitto refused the call with this HTTP status."""
    return f"{REFUSED_PREFIX}{http_status}"


def describe_reason(error_code: str) -> str:
    """Describe an error code, ours or a carrier's, in a sentence for people."""
    if error_code in Reason.values:
        return str(Reason(error_code).label)
    if error_code.startswith(REFUSED_PREFIX):
        return gettext("Mitto refused the call with status %(status)s") % {
            "status": error_code.removeprefix(REFUSED_PREFIX)
        }
    if error_code:
        return gettext("the carrier reported error %(code)s") % {"code": error_code}
    return gettext("no reason given")


_ADVICE = {
    Reason.OPTED_OUT: _("Nothing: they want no more marketing."),
    Reason.AWAITS_REVIEW: _("Decide the replies that wait, then send to those not reached."),
    Reason.RESTRICTED: _("Nothing as long as the restriction holds."),
    Reason.CONTACT_CAP: _("Send to those not reached when the period of the cap is over."),
    Reason.CANNOT_RECEIVE: _("Ask these customers for a mobile number."),
    Reason.EMPTY_TEXT: _("Give the text's tags a default, such as {{first_name|there}}."),
    Reason.TOO_LONG: _("Shorten the text, or the values that it is filled with."),
    Reason.TOO_LATE: _("Find out what delayed sending, then send to those not reached."),
    Reason.EVENT_CHANGED: _("Nothing: a moved event gets a message of its own."),
    Reason.EVENT_BEGUN: _("Find out what delayed it: quiet hours, or an event recorded late."),
    Reason.RULE_LIMIT: _("Nothing, unless the rule's limits are too strict."),
    Reason.CANCELLED: _("Send to those not reached, if they are to have it after all."),
    Reason.REFUSED: _("Read Mitto's words on the page of one of these messages."),
    Reason.NOT_TAKEN: _("Find out what stopped sending, then send to those not reached."),
    Reason.UNDELIVERED: _("Send to those not reached in some days; phones may have been off."),
    Reason.NO_ANSWER: _("Look some of them up in Mitto's portal, then mark them."),
    Reason.BY_OPERATOR: _("Send to those not reached, if they are to have it after all."),
}


def advise_on_reason(error_code: str) -> str:
    """What an operator can do about an error code, ours or a carrier's, in a sentence."""
    if error_code in Reason.values:
        return str(_ADVICE[Reason(error_code)])
    if error_code.startswith(REFUSED_PREFIX):
        return gettext("Read Mitto's words on the page of one of these messages.")
    return gettext(
        "Send to those not reached in some days; a number that fails again may be out of use."
    )
