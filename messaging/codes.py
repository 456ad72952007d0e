"""Codes in our addresses: letters and digits alone, so that a phone's link finder takes them whole.

A code that ends in a hyphen or an underscore loses it where a phone takes that for punctuation.
"""

from __future__ import annotations

import re
import string

_CHARACTERS = (string.ascii_uppercase + string.ascii_lowercase + string.digits).encode()
# Only so many values of a byte give each character equally often.
USED_BYTE_VALUES = 256 - 256 % len(_CHARACTERS)
_CHARACTER_BY_BYTE = bytes(_CHARACTERS[value % len(_CHARACTERS)] for value in range(256))
_UNUSED_BYTES = bytes(range(USED_BYTE_VALUES, 256))
_LEADING_CODE = re.compile("[A-Za-z0-9]*")


def alphanumeric_code(random_bytes: bytes) -> str:
    """A letter or digit for each byte; one byte in 32 gives none.

    Args:
        random_bytes: each value equally likely, such as random bytes or a keyed hash.
    """
    return random_bytes.translate(_CHARACTER_BY_BYTE, _UNUSED_BYTES).decode()


def leading_code_or_empty(text: str) -> str:
    """The code with which the end of an address begins, without what followed it in a text.

    Phones and mail programs add the full stop, the bracket or the quotation mark after an address.
    """
    match = _LEADING_CODE.match(text)
    return match[0] if match else ""
