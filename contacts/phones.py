"""Phone numbers: normalising to E.164, and the keyed hash by which a suppressed one is known."""

from __future__ import annotations

import hashlib
import hmac

import phonenumbers
from django.conf import settings


def normalise(text: str, region: str) -> str | None:
    """Return the number in E.164, or None if it is not a valid one.

    Args:
        text: the number as written; `00` and `+` forms of any country, or a national form.
        region: two-letter country of national forms.
    """
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
