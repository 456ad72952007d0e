"""The second factor: codes of an authenticator app (django-otp's TOTP) and recovery codes.

Security keys, which may be added to an app, are in `security_keys.py`.

Recovery codes are kept as digests. What is wrong is told by `SecondFactorRefused`.
"""

from __future__ import annotations

import hashlib
import secrets
from base64 import b32encode
from binascii import unhexlify
from collections.abc import Callable
from urllib.parse import quote, urlencode

import segno
from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from django_otp_webauthn.models import WebAuthnCredential

from astronote.accounts.models import User
from astronote.common import audit

RECOVERY_CODES = 10
ISSUER = "Astronote"
MANAGES_OPERATORS = "astronote.change_operator"


class SecondFactorRefused(Exception):
    """A code was not accepted; the message says what to do."""


def is_required_as_account_manages_operators(account: User) -> bool:
    """Whether the account may not work without a second factor: an administrator's."""
    return bool(settings.SECOND_FACTOR_REQUIRED) and account.has_perm(MANAGES_OPERATORS)


def has_confirmed_authenticator_app(account: User) -> bool:
    """Whether logging in to the account asks for a code."""
    return bool(TOTPDevice.objects.filter(user=account, confirmed=True).exists())


def verify_code_or_refuse(account: User, code: str) -> TOTPDevice | StaticDevice:
    """The device that the code belongs to; a recovery code is used up.

    Raises:
        SecondFactorRefused: if it is wrong, was used before, or came too soon after a wrong one.
    """
    code = "".join(code.split()).lower()
    with transaction.atomic():
        model = TOTPDevice if len(code) == 6 else StaticDevice
        device = model.objects.select_for_update().filter(user=account, confirmed=True).first()
        allowed = device is not None and device.verify_is_allowed()[0]
        token = code if model is TOTPDevice else _sha256_prefix_of_recovery_code(code)
        if device is not None and allowed and device.verify_token(token):
            return device
    if device is not None and not allowed:
        raise SecondFactorRefused(gettext("Too many wrong codes. Wait some seconds and try again."))
    raise SecondFactorRefused(
        gettext("The code is wrong, or was used before. Enter the present one.")
    )


def new_hex_key_of_app() -> str:
    """A key to be shown to an authenticator app, in hexadecimal."""
    return secrets.token_hex(20)


def base32_of_hex_key(key: str) -> str:
    """The key as it is typed into an app that cannot scan."""
    return b32encode(unhexlify(key)).decode()


def qr_code_data_uri_of_key(account: User, key: str) -> str:
    """The key as a QR code, as the address of an image."""
    label = quote(f"{ISSUER}:{account.email}")
    query = urlencode({"secret": base32_of_hex_key(key), "issuer": ISSUER})
    return segno.make(f"otpauth://totp/{label}?{query}").svg_data_uri(scale=4, light="white")


def replace_authenticator_app(account: User, key: str, code: str) -> list[str]:
    """Give the account a second factor; return its recovery codes, which are shown once.

    Raises:
        SecondFactorRefused: if the code is not the key's.
    """
    with transaction.atomic():
        TOTPDevice.objects.filter(user=account).delete()
        device = TOTPDevice.objects.create(user=account, key=key, name="authenticator app")
        if not device.verify_token(code):
            raise SecondFactorRefused(
                gettext("The code is not this key's. Check the clock of your phone.")
            )
        audit.write_entry("second factor set up", account, by=account)
        return replace_recovery_codes_and_audit(account)


def replace_recovery_codes_and_audit(account: User) -> list[str]:
    """Replace the account's recovery codes; return the new ones."""
    codes = [b32encode(secrets.token_bytes(10)).decode().lower() for _ in range(RECOVERY_CODES)]
    with transaction.atomic():
        StaticDevice.objects.filter(user=account).delete()
        device = StaticDevice.objects.create(user=account, name="recovery codes")
        for code in codes:
            device.token_set.create(token=_sha256_prefix_of_recovery_code(code))
        audit.write_entry("recovery codes made", account, by=account)
    return codes


def _sha256_prefix_of_recovery_code(code: str) -> str:
    """What is stored of a code. It has 80 random bits, so it needs no slow hash."""
    return hashlib.sha256(code.encode()).hexdigest()[:16]


def remove_all_factors_and_audit(account: User, *, by: User | AnonymousUser | str) -> None:
    """Take the second factor from the account; a login then asks for the password alone."""
    with transaction.atomic():
        TOTPDevice.objects.filter(user=account).delete()
        StaticDevice.objects.filter(user=account).delete()
        WebAuthnCredential.objects.filter(user=account).delete()
        audit.write_entry("second factor removed", account, by=by)


class SecondFactorGuard:
    """Middleware: an administrator without a second factor sets one up before anything else.

    A session from before the set-up ends, since it never showed a code.
    """

    ALLOWED = ("account_second_factor", "admin:logout", "admin:login", "admin:jsi18n")

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:  # noqa: D102
        account = request.user if request.path_info.startswith("/admin/") else None
        if (
            isinstance(account, User)
            and is_required_as_account_manages_operators(account)
            and account.otp_device is None
            and request.path_info not in map(reverse, self.ALLOWED)
        ):
            if has_confirmed_authenticator_app(account):
                logout(request)
                return redirect("admin:login")
            return redirect("account_second_factor")
        return self.get_response(request)
