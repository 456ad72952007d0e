"""Phone numbers: normalising to E.164, and the keyed hash by which a suppressed one is known."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import phonenumbers
from django.conf import settings

from contacts.phone_patterns import international, national

# What the library skips within a number, whatever stands around it.
_PUNCTUATION = str.maketrans("", "", " -./()\u00a0")


def region_of(owner: Any) -> str:
    """The country of a store's national phone numbers."""
    return owner.phone_region or settings.DEFAULT_PHONE_REGION


def normalise(text: str, region: str) -> str | None:
    """Return the number in E.164, or None if it is not a valid one.

    Args:
        text: the number as written; `00` and `+` forms of any country, or a national form.
        region: two-letter country of national forms.
    """
    # The library takes some twenty times as long and is asked only where the answer is not plain.
    written = text.strip()
    sign = 1 if written[:1] == "+" else 2 if written[:2] == "00" else 0
    digits = written[sign:]
    if not digits.isdecimal():
        digits = digits.translate(_PUNCTUATION)
    if not (digits.isascii() and digits.isdecimal() and len(digits) > 4 and len(written) < 40):
        return _by_library(text, region)
    rules = international(digits[:3], len(digits)) if sign else national(region, len(digits))
    if rules is None:
        return _by_library(text, region)
    plus_code, accept, unsure = rules
    match = accept(digits)
    if match:
        return plus_code + match[match.lastindex]
    return _by_library(text, region) if unsure(digits) else None


def _by_library(text: str, region: str) -> str | None:
    text = text.strip()
    if text.startswith("00"):
        text = "+" + text[2:]
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def phone_hash(phone: str) -> str:
    """The hash under which an E.164 number is suppressed: HMAC-SHA256 with PHONE_HASH_KEY."""
    return hmac.new(settings.PHONE_HASH_KEY.encode(), phone.encode(), hashlib.sha256).hexdigest()
