"""Phone numbers: reading them as E.164, and the keyed hash of a suppressed number."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from enum import StrEnum
from typing import TYPE_CHECKING

import phonenumbers
from django.conf import settings

from contacts.phone_patterns import (
    NumberRules,
    international_number_rules,
    national_number_rules,
    phone_kind_rules,
    unambiguous_mobile_matcher,
)

if TYPE_CHECKING:
    from astronote.accounts.models import User

MIN_DIGITS = 5
MAX_TEXT_LENGTH = 39
MAX_E164_LENGTH = 16  # the plus and 15 digits; the library's patterns allow more
KEYPAD_LETTERS = 3  # so many letters make the library read them as keys of a telephone

# Characters within a number that the library always ignores.
_PUNCTUATION = str.maketrans("", "", " -./()\u00a0")


class PhoneKind(StrEnum):
    """What a number reaches, by the types of the `phonenumbers` library."""

    MOBILE = "mobile"
    LANDLINE = "landline"
    OTHER = "other"


def phone_region_of_store_or_default(owner: User) -> str:
    """The country of a store's national phone numbers, as a two-letter code."""
    return owner.phone_region or settings.DEFAULT_PHONE_REGION


def to_e164_or_none(text: str, region: str) -> str | None:
    """Return the number in E.164, or None if it is not valid (rules.md#phone-numbers).

    Args:
        text: the number as written; `00` and `+` forms of any country, or a national form.
        region: two-letter country of national forms.
    """
    # The library takes about twenty times as long, so it is asked only where the patterns are not
    # certain.
    written = text.strip()
    sign_length = 1 if written[:1] == "+" else 2 if written[:2] == "00" else 0
    digits = written[sign_length:]
    if not digits.isdecimal():
        digits = digits.translate(_PUNCTUATION)
    if not (
        digits.isascii()
        and digits.isdecimal()
        and len(digits) >= MIN_DIGITS
        and len(written) <= MAX_TEXT_LENGTH
    ):
        return _e164_by_library_or_none(text, region)
    rules = (
        international_number_rules(digits[:3], len(digits))
        if sign_length
        else national_number_rules(region, len(digits))
    )
    if rules is None:
        return _e164_by_library_or_none(text, region)
    return _e164_by_rules_or_library_or_none(rules, digits, text, region)


def e164_of_international_digits(digits: str) -> str | None:
    """The number in E.164 that begins with a calling code, or None if it is not valid.

    Args:
        digits: at least MIN_DIGITS digits of ASCII.
    """
    rules = international_number_rules(digits[:3], len(digits))
    return _e164_by_rules_or_library_or_none(rules, digits, "+" + digits, "") if rules else None


def e164_of_national_digits(digits: str, region: str) -> str | None:
    """The number in E.164 that the digits dial within a region, or None if it is not valid.

    Args:
        digits: at least MIN_DIGITS digits of ASCII.
        region: two-letter code.
    """
    rules = national_number_rules(region, len(digits))
    return _e164_by_rules_or_library_or_none(rules, digits, digits, region) if rules else None


def _e164_by_rules_or_library_or_none(
    rules: NumberRules, digits: str, text: str, region: str
) -> str | None:
    plus_code, accept, needs_library = rules
    match = accept(digits)
    if match:
        phone = plus_code + match[match.lastindex or 0]
        return phone if len(phone) <= MAX_E164_LENGTH else None
    return _e164_by_library_or_none(text, region) if needs_library(digits) else None


def _e164_by_library_or_none(text: str, region: str) -> str | None:
    text = text.strip()
    if text.startswith("00"):
        text = "+" + text[2:]
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    # Letters are never dialled: a letter O for a zero would make the number another person's.
    if sum(map(str.isalpha, text)) >= KEYPAD_LETTERS:
        digits = "".join(str(unicodedata.decimal(c)) for c in text if c.isdecimal())
        if phonenumbers.national_significant_number(number) not in digits:
            return None
    phone = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return phone if len(phone) <= MAX_E164_LENGTH else None


def phone_kind(e164_phone: str) -> PhoneKind:
    """Whether a valid number in E.164 is a mobile, a landline or something else.

    A number that may be either of the first two, as in North America, counts as mobile.
    """
    digits = e164_phone[1:]
    rules = phone_kind_rules(digits[:3], len(digits))
    if rules.is_mobile(digits):
        return PhoneKind.MOBILE
    return PhoneKind.LANDLINE if rules.is_landline(digits) else PhoneKind.OTHER


def can_receive_sms(e164_phone: str) -> bool:
    """Whether a number in E.164 is a mobile, or may be one where its country does not tell."""
    digits = e164_phone[1:]
    return phone_kind_rules(digits[:3], len(digits)).is_mobile(digits) is not None


def is_certainly_mobile_e164(text: str) -> bool:
    """Whether the text is a valid mobile number in E.164 and nothing else, as most of a list are.

    False only means that the text must be looked at more closely.
    """
    digits = text[1:]
    return (
        text[:1] == "+"
        and MIN_DIGITS <= len(digits) < MAX_E164_LENGTH
        and digits.isascii()
        and digits.isdecimal()
        and unambiguous_mobile_matcher(digits[:3], len(digits))(digits) is not None
    )


def phone_hash(e164_phone: str) -> str:
    """The hash that suppresses an E.164 number: HMAC-SHA256 with PHONE_HASH_KEY."""
    return keyed_phone_hash(settings.PHONE_HASH_KEY, e164_phone)


def phone_hashes_with_each_key(e164_phone: str) -> list[str]:
    """Every hash that suppresses an E.164 number: with PHONE_HASH_KEY, and with the key before."""
    return [keyed_phone_hash(key, e164_phone) for key in phone_hash_keys()]


def phone_hash_keys() -> list[str]:
    """The keys whose hashes count, the present one first."""
    return [key for key in (settings.PHONE_HASH_KEY, settings.PHONE_HASH_KEY_OLD) if key]


def keyed_phone_hash(key: str, e164_phone: str) -> str:
    """The hash of an E.164 number with one key."""
    return hmac.new(key.encode(), e164_phone.encode(), hashlib.sha256).hexdigest()


def key_id(key: str) -> str:
    """A name for a key that does not give it away; stored with the hashes that it made."""
    return keyed_phone_hash(key, "key id")[:8]


def present_key_id() -> str:
    """The name of PHONE_HASH_KEY."""
    return key_id(settings.PHONE_HASH_KEY)
