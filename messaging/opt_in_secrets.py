"""What it takes to answer an opt-in request: the link to its page, and the code of six digits.

Both are made from the message's tracking ID and SECRET_KEY when the message is sent. So no row and
no screen holds them: who sees a message's text cannot agree in the person's place.
"""

from __future__ import annotations

import hmac

from django.conf import settings
from django.utils.crypto import salted_hmac

from contacts.opt_in_wording import CONFIRM_LINK_TAG
from messaging.codes import alphanumeric_code, leading_code_or_empty

CODE_TAG = "{{opt_in_code}}"
CODE_DIGITS = 6
SIGNATURE_LENGTH = 8


def fill_in_confirm_link_and_code(text: str, tracking_id: str) -> str:
    """The text of a direct message as it is sent, with its link and code."""
    if CONFIRM_LINK_TAG in text:
        text = text.replace(CONFIRM_LINK_TAG, signed_confirm_url(tracking_id))
    if CODE_TAG in text:
        text = text.replace(CODE_TAG, derive_opt_in_code(tracking_id))
    return text


def signed_confirm_url(tracking_id: str) -> str:
    """The address of the page on which the recipient of an opt-in request agrees."""
    signed = tracking_id + _confirm_link_signature(tracking_id, settings.SECRET_KEY)
    return f"{settings.PUBLIC_WEB_BASE_URL}/c/{signed}"


def tracking_id_if_confirm_token_valid(token: str) -> str | None:
    """The tracking ID in the token of such an address; None if its signature is wrong.

    Args:
        token: the end of the address, perhaps with the punctuation that followed it.
    """
    token = leading_code_or_empty(token)
    tracking_id, signature = token[:-SIGNATURE_LENGTH], token[-SIGNATURE_LENGTH:]
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        if hmac.compare_digest(
            _confirm_link_signature(tracking_id, secret).encode(), signature.encode()
        ):
            return tracking_id
    return None


def derive_opt_in_code(tracking_id: str) -> str:
    """The code in the message with this tracking ID."""
    return _six_digit_code(tracking_id, settings.SECRET_KEY)


def is_opt_in_code_of_message(tracking_id: str, code: str) -> bool:
    """Whether this is the code in the message with this tracking ID."""
    return any(
        hmac.compare_digest(_six_digit_code(tracking_id, secret).encode(), code.encode())
        for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    )


def _confirm_link_signature(tracking_id: str, secret: str) -> str:
    return alphanumeric_code(_keyed_digest("link", tracking_id, secret))[:SIGNATURE_LENGTH]


def _six_digit_code(tracking_id: str, secret: str) -> str:
    number = int.from_bytes(_keyed_digest("code", tracking_id, secret)[:8]) % 10**CODE_DIGITS
    return f"{number:0{CODE_DIGITS}}"


def _keyed_digest(purpose: str, tracking_id: str, secret: str) -> bytes:
    salt = f"messaging.opt_in_secrets.{purpose}"
    return salted_hmac(salt, tracking_id, secret, algorithm="sha256").digest()
