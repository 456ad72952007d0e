"""One-time links with which an operator sets a password: an invitation, or after forgetting it.

A link holds for PASSWORD_RESET_TIMEOUT, and until the password is set or the account logs in.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from smtplib import SMTPException

from django import forms
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import EmailMessage
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from astronote.accounts.models import Operator, User
from astronote.common import audit
from astronote.queues import jobs

log = logging.getLogger(__name__)

MAIL_EVERY = 600  # seconds, to one account
# Nobody waits for the mail server: the answer comes as fast for an address that is not known.
_mails = ThreadPoolExecutor(1, thread_name_prefix="mail")


def can_mail() -> bool:
    """Whether e-mail is configured."""
    return bool(settings.EMAIL_URL)


def make_password_link_and_audit(account: User, *, by: User | AnonymousUser | str) -> str:
    """A link with which the account's password is set, for an operator to pass on."""
    audit.write_entry("password link made", account, by=by)
    return _build_password_link_with_token(account)


def mail_password_link_in_background(account: User, *, by: User | AnonymousUser | str) -> None:
    """Send the account a link by e-mail."""
    audit.write_entry("password link mailed", account, by=by)
    message = EmailMessage(
        gettext("Your password for Astronote"),
        gettext(
            "With this link you set the password of your account. It holds for 24 hours, and once."
            "\n\n%(link)s"
            "\n\nIf you did not ask for it, do nothing.\n"
        )
        % {"link": _build_password_link_with_token(account)},
        to=[account.email],
    )
    _mails.submit(_send_mail_or_log_warning, message)


def _build_password_link_with_token(account: User) -> str:
    names = {
        "uidb64": urlsafe_base64_encode(force_bytes(account.pk)),
        "token": default_token_generator.make_token(account),
    }
    return f"{settings.PUBLIC_WEB_BASE_URL}{reverse('set_password', kwargs=names)}"


def _send_mail_or_log_warning(message: EmailMessage) -> None:
    try:
        message.send()
    except (OSError, SMTPException) as error:
        log.warning("a password link was not mailed: %s", type(error).__name__)


class ForgottenPasswordForm(forms.Form):
    """Sends a link to the active operator with the address, if there is one; does not say so."""

    email = forms.EmailField(
        label=_("E-mail address"),
        max_length=254,
        widget=UnfoldAdminTextInputWidget({"type": "email", "autocomplete": "email"}),
    )

    def mail_password_link(self) -> None:
        """Send the link, at most one in ten minutes to an account."""
        email = self.cleaned_data["email"].strip().lower()
        account = Operator.objects.filter(email=email, is_active=True).first()
        if account and jobs.start_debounce(f"astronote:password-link:{account.pk}", MAIL_EVERY):
            mail_password_link_in_background(account, by="forgotten password")
