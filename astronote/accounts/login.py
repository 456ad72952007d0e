"""The admin's login form: password and second factor.

Whoever has a security key may use it after the password, in place of a code.

django-axes counts failures, and guesses come one at a time.
"""

from __future__ import annotations

import unicodedata
from http import HTTPStatus
from typing import Any

from django import forms
from django.contrib.auth import user_login_failed
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.forms import AuthenticationForm
from unfold.widgets import UnfoldAdminTextInputWidget

from astronote.accounts import second_factor, security_keys
from astronote.accounts.models import User
from astronote.accounts.second_factor import SecondFactorRefused
from astronote.common.locks import advisory_lock
from astronote.common.visitor import address_or_ipv6_network_of_visitor

MAX_NAME = 255


def casefolded_login_name_of_credentials_or_post(
    request: HttpRequest | None, credentials: dict[str, Any] | None
) -> str:
    """The name under which failures are counted: one for all spellings that log in as it."""
    given = credentials.get("username") if credentials else None
    if given is None and request is not None:
        given = request.POST.get("username")
    # Normalizing a text takes the square of its length; no name that logs in is longer.
    given = (given or "")[:MAX_NAME]
    return unicodedata.normalize("NFKC", given).strip().casefold()[:MAX_NAME].replace("\0", "")


def set_status_429_for_locked_login(
    request: HttpRequest, response: HttpResponse, credentials: dict[str, Any] | None
) -> HttpResponse:
    """The login page with its message, as 429 (too many requests)."""
    response.status_code = HTTPStatus.TOO_MANY_REQUESTS
    return response


class ThrottledLogin(AuthenticationForm):
    """Refuses an account at one address after AXES_FAILURE_LIMIT failures, right or wrong.

    Other addresses are let in, so that nobody can lock an account for its owner. A session begins
    only after the second factor, if the account has one.
    """

    takes_security_key = False
    code = forms.CharField(
        required=False,
        max_length=40,
        help_text=_("Of your authenticator app, or a recovery code, if you set one up."),
        widget=UnfoldAdminTextInputWidget({"autocomplete": "one-time-code"}),
        label=_("Code"),
    )

    def clean(self) -> dict[str, Any]:
        """Check the password, unless the account is refused or another check is under way.

        Failures are counted after the check. Without the lock, guesses sent at the same time would
        all be checked before the first one counts.
        """
        name = casefolded_login_name_of_credentials_or_post(
            None, {"username": self.data.get("username")}
        )
        address = address_or_ipv6_network_of_visitor(self.request) if self.request else ""
        with advisory_lock(f"login {name} {address}") as acquired:
            if not acquired:
                raise ValidationError(gettext("Another login is under way. Try again."), "parallel")
            try:
                cleaned: dict[str, Any] = super().clean()
                self._verify_code_if_second_factor_is_set_up_or_raise_invalid()
                return cleaned
            except ValidationError:
                if getattr(self.request, "axes_locked_out", False):
                    raise ValidationError(
                        gettext("Too many failed logins. Try again in 15 minutes."), "throttled"
                    ) from None
                raise

    def _verify_code_if_second_factor_is_set_up_or_raise_invalid(self) -> None:
        """Check the code; a wrong one is a failed login.

        Raises:
            ValidationError: if the code is missing or refused.
        """
        account = self.get_user()
        if not isinstance(account, User) or not second_factor.has_confirmed_authenticator_app(
            account
        ):
            return
        code = self.cleaned_data.get("code", "")
        if not code:
            self.takes_security_key = security_keys.list_keys(account).exists()
            if self.takes_security_key:
                security_keys.remember_shown_password_in_session(self.request, account)
            raise ValidationError(
                gettext("Enter also the code of your authenticator app, or use your security key.")
                if self.takes_security_key
                else gettext("Enter also the code of your authenticator app."),
                "code",
            )
        try:
            device = second_factor.verify_code_or_refuse(account, code)
        except SecondFactorRefused as refused:
            user_login_failed.send(
                __name__, credentials={"username": account.email}, request=self.request
            )
            raise ValidationError(str(refused), "code") from None
        account.otp_device = device
