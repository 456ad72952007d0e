"""What Mitto's sandbox takes and writes: its switches, messages, IDs, receipts and replies."""

from __future__ import annotations

import random
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

E164 = re.compile(r"\+[1-9]\d{6,14}")
SENDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ]{1,9}[A-Za-z0-9]|\+\d{7,15}")
FAULTS = [
    "none",
    "unauthorized",
    "bad_request",
    "too_many",
    "too_many_bare",
    "unavailable",
    "unavailable_bare",
    "unavailable_after",
    "error_before",
    "error_after",
    "drop_before",
    "drop_after",
    "timeout_before",
    "timeout_after",
    "not_json",
    "missing_items",
    "extra_items",
    "reordered_items",
    "no_bulk_id",
]
REPLY = "Reply"  # stands among the receipts for an answer of the receiver
RECEIPTS = ["normal", "early", "late", "twice", "reordered", "never"]
# Forms in which Mitto may answer and post; nobody has published one (docs/rules.md#mitto-sandbox).
CHOICES = {
    "fault": FAULTS,
    "receipts": RECEIPTS,
    # The name of the ID in an answer; `top`: `id` at the top level of the answer to a single send.
    "id_name": ["messageId", "id", "top"],
    # One bad number: an item with `error`, an item without words, `errors` beside the items of a
    # 2xx, or a 400 for the whole call, with problem details or with a bare JSON string.
    "bad_number": ["item", "bare", "errors", "problem", "string"],
    # How receipts and replies come: a list, classic fields, a query, a message object, each in an
    # envelope.
    "webhook_shape": ["list", "classic", "query", "message"],
    "envelope": ["", "message", "data", "payload", "messages"],
    "webhook_secret": ["header", "query", "path", "signature"],
}


@dataclass
class Behaviour:
    """Switches that can be changed while the sandbox runs; times in milliseconds or seconds."""

    latency_ms: int = 0
    receipt_delay_ms: int = 200
    late_ms: int = 5000
    undelivered_share: float = 0.0
    receipts: str = "normal"
    receipts_per_call: int = 100
    fault: str = "none"
    fault_share: float = 1.0
    fault_count: int | None = None
    retry_after_s: int = 1
    timeout_ms: int = 60000
    bulk_cap: int = 5000
    status_latency_ms: int = 0
    status_404_share: float = 0.0
    account_status: int = 0  # with which every call is refused, such as 401; 0: none is
    bad_numbers: str = ""  # separated by commas; a call with one of them is refused as a whole
    accept_status: int = 200
    id_name: str = "messageId"
    bad_number: str = "item"
    fails_after_acceptance: int = 0
    without_bulk: int = 0  # the status that answers each bulk call, such as 404; 0: there are some
    max_bytes: int = 0  # of a bulk call; a larger one is refused with 413; 0: there is no limit
    items_name_destination: int = 0
    parts_in_status: int = 1
    webhook_shape: str = "list"
    envelope: str = ""
    webhook_chunked: int = 0
    webhook_secret: str = "header"
    reply_text: str = ""  # with which everybody answers a message that was delivered


class Message:
    """An accepted message, from a row of the ledger; with slots, as there may be millions."""

    __slots__ = ("accepted_at", "bulk_id", "destination", "fails", "id", "sender", "text")

    def __init__(self, row: list[Any]) -> None:
        self.id, self.destination, self.text, self.sender, self.accepted_at, self.bulk_id = row[:6]
        self.fails = row[6]


def message_problem_or_empty(entry: Any) -> str:
    """Why Mitto would refuse a message; empty if it would not."""
    sms = entry.get("sms") if isinstance(entry, dict) else None
    if not isinstance(sms, dict) or not entry.get("trafficAccountId"):
        return "trafficAccountId and sms are required"
    if not E164.fullmatch(str(entry.get("destination") or "")):
        return "destination is not E.164"
    if not SENDER.fullmatch(str(sms.get("sender") or "")):
        return "sender is not valid"
    return "" if sms.get("text") else "text is empty"


def receipt_body(message: Message, provider_status: str, updated_at: float) -> dict[str, Any]:
    """The body of a receipt or of the answer to a status query."""
    return {
        "messageId": message.id,
        "deliveryStatus": provider_status,
        "updatedAt": datetime.fromtimestamp(updated_at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z"),
        "description": "the subscriber cannot be reached" if provider_status == "Failure" else None,
        "destination": message.destination,
    }


def message_object(message: Message, provider_status: str, updated_at: float) -> dict[str, Any]:
    """A message object of Mitto, whose sender is the account's own party."""
    created_at = datetime.fromtimestamp(message.accepted_at, UTC)
    return receipt_body(message, provider_status, updated_at) | {
        "text": message.text,
        "sender": {"id": "s1", "messagingAppIdentifier": "421902023456", "name": "Account"},
        "conversation": {"id": "c1", "participants": []},
        "createdAt": created_at.strftime("%Y-%m-%dT%H:%M:%S.%f0Z"),
        "requestInfo": {"sms": {"sender": message.sender, "text": message.text}},
    }


def classic_receipt(message: Message, provider_status: str) -> dict[str, Any]:
    """A receipt of the classic API; `sendtime` is when the message was sent."""
    status = {"Failure": "UNDELIVERED"}.get(provider_status, provider_status.upper())
    return {
        "Id": message.id,
        "MccMnc": "20201",
        "status": status,
        "receiver": message.destination.removeprefix("+"),
        "errorcode": "0",
        "reference": "",
        "sendtime": datetime.fromtimestamp(message.accepted_at, UTC).strftime("%Y-%m-%d %H:%M:%S"),
        "sendtimestamp": int(message.accepted_at),
    }


def reply_body(message: Message, behaviour: Behaviour) -> dict[str, Any]:
    """What the receiver of a message answers; in a message object its number is nested."""
    number = message.destination.removeprefix("+")
    reply = {"id": new_message_ids(time.time(), 1)[0]}
    match behaviour.webhook_shape:
        case "classic" | "query":
            return reply | {"msisdn": number, "to": message.sender, "text": behaviour.reply_text}
        case "message":
            return reply | {
                "sender": {"id": "s2", "messagingAppIdentifier": number, "name": None},
                "conversation": {"id": "c1", "participants": []},
                "createdAt": datetime.now(UTC).isoformat(),
                "sms": {"text": behaviour.reply_text},
            }
    return reply | {"from": f"+{number}", "to": message.sender, "text": behaviour.reply_text}


def status_of_receipt(receipt: dict[str, Any]) -> str:
    """The status of a receipt under which it is counted; empty for a reply."""
    status: str = receipt.get("deliveryStatus") or receipt.get("status", "")
    return {"UNDELIVERED": "Failure"}.get(status, status.capitalize())


ID_CHARACTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_message_ids(now: float, count: int) -> list[str]:
    """Create message IDs of 26 characters that sort by time, as Mitto's do."""
    milliseconds = int(now * 1000)
    prefix = "".join(ID_CHARACTERS[(milliseconds >> shift) & 31] for shift in range(45, -1, -5))
    random_text = "".join(random.choices(ID_CHARACTERS, k=16 * count))
    return [prefix + random_text[start : start + 16] for start in range(0, len(random_text), 16)]
