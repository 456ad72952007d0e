"""Pages of one's own account: sessions, second factor, and setting a password by a link."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import logout, user_login_failed
from django.contrib.auth.forms import PasswordChangeForm, SetPasswordForm
from django.contrib.auth.views import PasswordChangeView, PasswordResetConfirmView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse_lazy
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from django.views.generic import FormView
from django_otp import login as mark_session_as_verified
from django_otp.plugins.otp_totp.models import TOTPDevice
from unfold.forms import AdminOwnPasswordChangeForm
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget

from astronote.accounts import operators, roles, second_factor, security_keys, sessions
from astronote.accounts.models import User
from astronote.accounts.password_links import ForgottenPasswordForm, can_mail
from astronote.accounts.second_factor import SecondFactorRefused
from astronote.common import audit

NEW_KEY = "new second factor"


class CodeForm(forms.Form):
    """A code of an authenticator app."""

    code = forms.CharField(
        max_length=40,
        widget=UnfoldAdminTextInputWidget({"autocomplete": "one-time-code"}),
        label=_("Code"),
    )


def _logged_in_account(request: HttpRequest) -> User:
    """The account that is logged in; these views are behind the admin's login."""
    account: User = User.objects.get(pk=request.user.pk)
    return account


def _render_account_page(request: HttpRequest, template: str, **context: Any) -> TemplateResponse:
    return TemplateResponse(
        request, f"astronote/account/{template}", admin.site.each_context(request) | context
    )


def account_page(request: HttpRequest) -> HttpResponse:
    """One's own sessions and second factor."""
    account = _logged_in_account(request)
    return _render_account_page(
        request,
        "account.html",
        title=gettext("Your account"),
        account=account,
        role=roles.ROLE_LABELS.get(operators.highest_role_or_superuser_or_empty(account), ""),
        sessions=sessions.list_usable_sessions(account, request.session.session_key),
        has_second_factor=second_factor.has_confirmed_authenticator_app(account),
        needs_second_factor=second_factor.is_required_as_account_manages_operators(account),
        can_mail=can_mail(),
        keys=security_keys.list_keys(account),
        can_add_keys=security_keys.can_offer_keys(),
    )


@require_POST
def toggle_own_alert_mails_and_audit(request: HttpRequest) -> HttpResponse:
    """Begin or end to mail alerts to the own account."""
    account = _logged_in_account(request)
    account.gets_alerts = not account.gets_alerts
    account.save(update_fields=["gets_alerts"])
    state = "on" if account.gets_alerts else "off"
    audit.write_entry(f"alerts switched {state}", account, by=account)
    messages.success(
        request,
        gettext("Alerts by e-mail are on.")
        if account.gets_alerts
        else gettext("Alerts by e-mail are off."),
    )
    return redirect("account")


@require_POST
def remove_own_security_key_and_audit(request: HttpRequest, key_id: int) -> HttpResponse:
    """Remove one of one's own security keys."""
    if security_keys.remove_key(_logged_in_account(request), key_id):
        messages.success(request, gettext("The security key was removed."))
    return redirect("account")


@require_POST
def end_one_or_all_other_own_sessions(request: HttpRequest) -> HttpResponse:
    """End the session that the form names, or all but this one."""
    account = _logged_in_account(request)
    if public_id := request.POST.get("session", "")[:40]:
        count = operators.end_one_or_all_sessions_and_audit(
            account, by=account, only_public_id=public_id
        )
    else:
        count = sessions.end_sessions(account, except_key=request.session.session_key)
        audit.write_entry("sessions ended", account, by=account, count=count)
    messages.success(
        request, ngettext("%(count)s ended", "%(count)s ended", count) % {"count": count}
    )
    return redirect("account")


def set_up_second_factor(request: HttpRequest) -> HttpResponse:
    """Show a key for the authenticator app, and take it once a code of it was entered."""
    account = _logged_in_account(request)
    if second_factor.has_confirmed_authenticator_app(account):
        return redirect("account")
    key = request.session.setdefault(NEW_KEY, second_factor.new_hex_key_of_app())
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            codes = second_factor.replace_authenticator_app(account, key, form.cleaned_data["code"])
        except SecondFactorRefused as refused:
            form.add_error("code", str(refused))
        else:
            del request.session[NEW_KEY]
            sessions.end_sessions(account, except_key=request.session.session_key)
            mark_session_as_verified(request, TOTPDevice.objects.get(user=account))
            return _render_account_page(
                request, "codes.html", title=gettext("Your recovery codes"), codes=codes
            )
    return _render_account_page(
        request,
        "second_factor.html",
        title=gettext("Set up a second factor"),
        form=form,
        key=second_factor.base32_of_hex_key(key),
        qr_code=second_factor.qr_code_data_uri_of_key(account, key),
        is_required=second_factor.is_required_as_account_manages_operators(account),
    )


def remove_second_factor_or_renew_recovery_codes(request: HttpRequest) -> HttpResponse:
    """With a code: make new recovery codes, or take the second factor away."""
    account = _logged_in_account(request)
    if not second_factor.has_confirmed_authenticator_app(account):
        return redirect("account_second_factor")
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            second_factor.verify_code_or_refuse(account, form.cleaned_data["code"])
        except SecondFactorRefused as refused:
            form.add_error("code", str(refused))
        else:
            if "remove" in request.POST:
                second_factor.remove_all_factors_and_audit(account, by=account)
                messages.success(request, gettext("Logging in asks for the password alone now."))
                return redirect("account")
            codes = second_factor.replace_recovery_codes_and_audit(account)
            return _render_account_page(
                request, "codes.html", title=gettext("Your recovery codes"), codes=codes
            )
    return _render_account_page(
        request,
        "change_second_factor.html",
        title=gettext("Change the second factor"),
        form=form,
        is_required=second_factor.is_required_as_account_manages_operators(account),
    )


class NewPasswordForm(SetPasswordForm):  # type: ignore[type-arg]  # no generic at run time
    """A new password, twice, in the theme's look."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget = UnfoldAdminPasswordWidget({"autocomplete": "new-password"})


class ChangeOwnPasswordAndEndOtherSessionsView(PasswordChangeView):
    """Changes one's own password, as the admin's page does, and writes the audit entry."""

    form_class = AdminOwnPasswordChangeForm
    success_url = reverse_lazy("admin:password_change_done")

    def form_invalid(self, form: PasswordChangeForm) -> HttpResponse:
        """Count a wrong old password as a failed login; too many of them end the session."""
        account = _logged_in_account(self.request)
        if form.has_error("old_password", "password_incorrect"):
            credentials = {"username": account.email}
            user_login_failed.send(__name__, credentials=credentials, request=self.request)
        if getattr(self.request, "axes_locked_out", False):
            logout(self.request)
            return redirect("admin:login")
        return super().form_invalid(form)

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        """Change it and end the account's other sessions."""
        response = super().form_valid(form)
        account = _logged_in_account(self.request)
        audit.write_entry("password changed", account, by=account)
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """With what the theme's pages need."""
        return admin.site.each_context(self.request) | super().get_context_data(**kwargs)


class SetPasswordOfActiveOperatorByLinkView(PasswordResetConfirmView):
    """Sets the password of the account that the link names; the login follows."""

    form_class = NewPasswordForm
    template_name = "astronote/account/set_password.html"
    success_url = reverse_lazy("admin:login")
    title = _("Set your password")

    def get_user(self, uidb64: str) -> User | None:
        """The operator that the link names; a link of one who was disabled holds no more."""
        account: User | None = super().get_user(uidb64)
        return account if account and account.is_active and account.is_staff else None

    def form_valid(self, form: SetPasswordForm[User]) -> HttpResponse:
        """Set it, write the audit entry and end the account's sessions."""
        response = super().form_valid(form)
        audit.write_entry("password set by link", form.user, by=form.user)
        messages.success(self.request, gettext("Your password is set. Log in with it."))
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """With what the theme's pages need."""
        return admin.site.each_context(self.request) | super().get_context_data(**kwargs)


class ForgottenPasswordView(FormView):  # type: ignore[type-arg]  # no generic at run time
    """Asks for the address; answers the same whether an account has it or not."""

    form_class = ForgottenPasswordForm
    template_name = "astronote/account/forgotten_password.html"
    success_url = reverse_lazy("admin:login")

    def form_valid(self, form: ForgottenPasswordForm) -> HttpResponse:
        """Send the link and say so."""
        form.mail_password_link()
        messages.success(
            self.request,
            gettext(
                "If an operator has this address, a link is on its way. It holds for 24 hours."
            ),
        )
        return super().form_valid(form)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """With what the theme's pages need."""
        context = admin.site.each_context(self.request) | super().get_context_data(**kwargs)
        return context | {"title": gettext("Forgotten password")}
