"""The fields of an event from Mitto, under the names and in the shapes in which they may come.

Mitto publishes no example of a webhook, and the names differ by account
(docs/rules.md#mitto-webhook-fields). What an event then means is in `inbox.py` and `replies.py`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from string import whitespace
from typing import Any

import orjson

from messaging.statuses import DELIVERED_PROVIDER_STATUSES, FAILED_PROVIDER_STATUSES

ID_FIELDS = ("messageId", "id", "msgid")
STATUS_FIELDS = ("deliveryStatus", "status")
# Of the event. `sendtime` and `sendtimestamp` are when the message was sent, `createdAt` is when
# it was made: none of them says when it was delivered.
TIME_FIELDS = ("updatedAt", "timestamp")
REPLY_TIME_FIELDS = (
    "updatedAt",
    "timestamp",
    "createdAt",
    "receivedAt",
    "sendtimestamp",
    "sendtime",
)
CODE_FIELDS = ("errorcode",)
REASON_FIELDS = ("description", "error", "errors")
RECEIVER_FIELDS = ("destination", "receiver", "to")
FROM_FIELDS = ("from", "msisdn", "sender", "originator", "source")
TEXT_FIELDS = ("text", "message", "body", "content", "sms")
TO_FIELDS = ("to", "destination", "receiver")
# Where the value of a field is an object, the value that is meant.
INNER_FIELDS = (
    "messagingAppIdentifier",
    "msisdn",
    "number",
    "phoneNumber",
    "phone",
    "address",
    "text",
    "body",
    "content",
    "message",
    "detail",
    "title",
    "value",
    "id",
    "name",
)
MIN_NUMBER_DIGITS = 5
MAX_ENVELOPES = 4  # objects and lists around an event
_RECEIVED_STATUSES = {"received", "incoming", "inbound", "new"}
_OTHER_RECEIPT_STATUSES = {"sent", "buffered", "queued", "pending", "accepted", "submitted"}


@lru_cache(maxsize=4096)
def _fold_field_name(name: str) -> str:
    """A field's name without case, `_` and `-`."""
    return name.lower().replace("_", "").replace("-", "")


def first_filled_field_as_text_or_empty(event: Mapping[str, Any], names: Sequence[str]) -> str:
    """The first of these fields that the event has, as text; empty if it has none.

    Case, `_` and `-` in names do not count. Of an object, the value among INNER_FIELDS counts; of a
    list, the first value.
    """
    for name in names:
        if text := _text_of_scalar_or_nested_or_empty(event.get(name)):
            return text
    folded = {_fold_field_name(name): value for name, value in event.items()}
    for name in names:
        if text := _text_of_scalar_or_nested_or_empty(folded.get(_fold_field_name(name))):
            return text
    return ""


def _get_field_any_case_or_none(event: Mapping[str, Any], name: str) -> Any:
    """The value of a field, whatever the case of its name."""
    if name in event:
        return event[name]
    wanted = _fold_field_name(name)
    return next(
        (value for other, value in event.items() if _fold_field_name(other) == wanted), None
    )


def _text_of_scalar_or_nested_or_empty(value: Any, depth: int = 2) -> str:
    if isinstance(value, (str, int, float)):
        # Not other blanks: one may be half of a letter that was read in a wrong encoding.
        return str(value).strip(whitespace)
    if depth and isinstance(value, dict):
        texts = (
            _text_of_scalar_or_nested_or_empty(_get_field_any_case_or_none(value, name), depth - 1)
            for name in INNER_FIELDS
        )
        return next(filter(None, texts), "")
    if depth and isinstance(value, list):
        return next(
            filter(None, (_text_of_scalar_or_nested_or_empty(item, depth - 1) for item in value)),
            "",
        )
    return ""


def raw_sender_number_of_reply_or_empty(event: Mapping[str, Any]) -> str:
    """The number that a reply came from, as it is written; empty if none is named.

    The first field with enough digits counts, since one such as `source` may hold a name. In a
    conversation it is the participant to whom the reply did not go.
    """
    named = [
        text
        for name in FROM_FIELDS
        if (text := first_filled_field_as_text_or_empty(event, (name,)))
    ]
    conversation = _get_field_any_case_or_none(event, "conversation")
    if isinstance(conversation, dict):
        receiver = first_filled_field_as_text_or_empty(event, TO_FIELDS)
        participants = _get_field_any_case_or_none(conversation, "participants")
        texts = map(
            _text_of_scalar_or_nested_or_empty,
            participants if isinstance(participants, list) else [],
        )
        named += sorted(filter(None, texts), key=lambda text: text == receiver)
    return next(filter(_has_enough_digits_for_number, named), named[0] if named else "")


def _has_enough_digits_for_number(text: str) -> bool:
    return sum(map(str.isdecimal, text)) >= MIN_NUMBER_DIGITS


def is_receipt_or_reply(value: Any) -> bool:
    """Whether a value has the fields of a receipt or of a reply, and is not just around them."""
    if not isinstance(value, dict):
        return False
    if first_filled_field_as_text_or_empty(
        value, ID_FIELDS
    ) and first_filled_field_as_text_or_empty(value, STATUS_FIELDS):
        return True
    has_text = any(
        isinstance(_get_field_any_case_or_none(value, name), str) for name in TEXT_FIELDS
    )
    return has_text and _has_enough_digits_for_number(raw_sender_number_of_reply_or_empty(value))


def is_reply_rather_than_receipt(
    event: Mapping[str, Any], *, posted_to_reply_address: bool
) -> bool:
    """Whether an event is a customer's reply rather than a receipt.

    A message object of Mitto has a sender and a text in both. Its delivery status tells them apart.

    Args:
        event: the event.
        posted_to_reply_address: whether it went to the address of replies, which decides if it fits
            both.
    """
    status = first_filled_field_as_text_or_empty(event, STATUS_FIELDS).lower()
    if status in _RECEIVED_STATUSES:
        return True
    known = status in DELIVERED_PROVIDER_STATUSES | FAILED_PROVIDER_STATUSES
    if known or status in _OTHER_RECEIPT_STATUSES:
        return False
    has_reply = bool(
        raw_sender_number_of_reply_or_empty(event)
        and first_filled_field_as_text_or_empty(event, TEXT_FIELDS)
    )
    has_receipt = bool(status and first_filled_field_as_text_or_empty(event, ID_FIELDS))
    return posted_to_reply_address if has_reply == has_receipt else has_reply


def unwrap_events_or_none(value: Any, depth: int = MAX_ENVELOPES) -> list[dict[str, Any]] | None:
    """The events within objects and lists such as `{"messages": [...]}`, each for itself.

    What is in a list beside objects is an event that cannot be read. An object without events is
    one itself.

    Returns:
        The events; None if the value is neither an object nor a list with objects.
    """
    if isinstance(value, dict):
        return _unwrap_events_or_object_itself(value, depth)
    if not isinstance(value, list) or (value and not any(type(item) is dict for item in value)):
        return None
    objects = [item if isinstance(item, dict) else {"unreadable": item} for item in value]
    return [event for item in objects for event in _unwrap_events_or_object_itself(item, depth - 1)]


def _unwrap_events_or_object_itself(value: dict[str, Any], depth: int) -> list[dict[str, Any]]:
    if depth > 0 and value and not is_receipt_or_reply(value):
        for inner in _iter_nested_and_json_text_containers(value):
            events = unwrap_events_or_none(inner, depth - 1)
            if events and any(map(is_receipt_or_reply, events)):
                return events
    return [value]


def _iter_nested_and_json_text_containers(value: dict[str, Any]) -> Iterator[Any]:
    """The objects and lists of an object, also those that are written as JSON in a text."""
    for inner in value.values():
        if isinstance(inner, (dict, list)):
            yield inner
        elif isinstance(inner, str) and inner.lstrip()[:1] in ("{", "["):
            with contextlib.suppress(orjson.JSONDecodeError):
                yield orjson.loads(inner)
