"""Security keys (WebAuthn) as a second factor beside the codes of an authenticator app.

django-otp-webauthn makes and checks the challenges, and its scripts talk to the key. Here stands
who may begin: whoever has just shown the right password, and an operator who adds a key.
"""

from __future__ import annotations

import time
from typing import Any, cast

from django.conf import settings
from django.contrib.auth import login, user_login_failed
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext
from django_otp_webauthn import views as webauthn
from django_otp_webauthn.exceptions import MalformedRequest, NotVerified, OTPWebAuthnApiError
from django_otp_webauthn.models import WebAuthnCredential

from astronote.accounts import second_factor
from astronote.accounts.models import User
from astronote.common import audit

PASSWORD_WAS_RIGHT = "password was right"  # in the session of a login that waits for the key
SECONDS_TO_USE_THE_KEY = 300


def can_offer_keys() -> bool:
    """Whether browsers offer keys at the installation's address: by https, or on this machine."""
    (origin,) = settings.OTP_WEBAUTHN_ALLOWED_ORIGINS
    return bool(origin.startswith(("https://", "http://localhost")))


def list_keys(account: User) -> QuerySet[Any]:
    """The account's keys, the oldest first."""
    keys: QuerySet[Any] = WebAuthnCredential.objects.filter(user=account)
    return keys.order_by("pk")


def remove_key(account: User, key_id: int) -> bool:
    """Remove one of the account's keys and write an audit entry; return whether it was there."""
    count, _ = WebAuthnCredential.objects.filter(user=account, pk=key_id).delete()
    if count:
        audit.write_entry("security key removed", account, by=account)
    return bool(count)


def remember_shown_password_in_session(request: HttpRequest, account: User) -> None:
    """Remember for some minutes that this visitor has shown the account's password."""
    request.session[PASSWORD_WAS_RIGHT] = {
        "account": account.pk,
        "password": account.get_session_auth_hash(),
        "at": time.time(),
    }


def account_with_recent_password(request: HttpRequest) -> User | None:
    """The account whose password this visitor has shown, unless that is long ago or changed."""
    shown = request.session.get(PASSWORD_WAS_RIGHT)
    if shown is None or time.time() - shown["at"] > SECONDS_TO_USE_THE_KEY:
        return None
    account: User | None = User.objects.filter(
        pk=shown["account"], is_active=True, is_staff=True
    ).first()
    if account and constant_time_compare(account.get_session_auth_hash(), shown["password"]):
        return account
    return None


class _AnswersUnreadableBodyAsMalformed(webauthn.BaseWebAuthnView):
    """Answers 400 to a body that is no JSON, whatever else it is."""

    def _parse_request_data(self, request: HttpRequest) -> Any:
        try:
            return super()._parse_request_data(request)
        except (UnicodeDecodeError, RecursionError) as error:
            raise MalformedRequest from error


class BeginLoginBySecurityKey(
    _AnswersUnreadableBodyAsMalformed, webauthn.BeginCredentialAuthenticationView
):
    """Gives the challenge for a key of the account that waits for one."""

    def get_user(self) -> User | None:  # noqa: D102
        return account_with_recent_password(self.request)


class CompleteLoginBySecurityKey(
    _AnswersUnreadableBodyAsMalformed, webauthn.CompleteCredentialAuthenticationView
):
    """Logs the account in that waits for its key, if the key signed the challenge."""

    def get_user(self) -> User | None:  # noqa: D102
        return account_with_recent_password(self.request)

    def post(self, *args: Any, **kwargs: Any) -> HttpResponse:
        """Log in; a key that is not taken is a failed login."""
        account = self.get_user()
        try:
            response: HttpResponse = super().post(*args, **kwargs)
        except OTPWebAuthnApiError:
            credentials = {"username": account.email if account else ""}
            user_login_failed.send(__name__, credentials=credentials, request=self.request)
            raise
        return response

    def complete_auth(self, device: WebAuthnCredential) -> User:
        """Begin the session."""
        account: User = device.user
        account.otp_device = device
        del self.request.session[PASSWORD_WAS_RIGHT]
        login(self.request, account, backend="django.contrib.auth.backends.ModelBackend")
        return account


class _RefusesAccountWithoutAuthenticatorApp(_AnswersUnreadableBodyAsMalformed):
    """A key is added only where an app is set up: who loses it needs the app or a recovery code."""

    request: HttpRequest

    def check_can_register(self) -> None:
        """Refuse an account without an app."""
        if not second_factor.has_confirmed_authenticator_app(cast("User", self.request.user)):
            raise NotVerified(gettext("Set up an authenticator app first."))


class BeginAdding(_RefusesAccountWithoutAuthenticatorApp, webauthn.BeginCredentialRegistrationView):
    """Gives the challenge for a new key of the account that is logged in."""


class CompleteAddingSecurityKeyAndAudit(
    _RefusesAccountWithoutAuthenticatorApp, webauthn.CompleteCredentialRegistrationView
):
    """Adds the key that signed the challenge."""

    def post(self, *args: Any, **kwargs: Any) -> HttpResponse:
        """Add it and write the audit entry."""
        response: HttpResponse = super().post(*args, **kwargs)
        account = cast("User", self.request.user)
        audit.write_entry("security key added", account, by=account)
        return response
