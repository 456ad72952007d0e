"""Operators' accounts in the admin: role, access, password links and sessions."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django_otp.plugins.otp_static.admin import StaticDevice
from django_otp.plugins.otp_totp.admin import TOTPDevice
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminSelectWidget

from astronote.accounts import operators, password_links, roles, second_factor, sessions
from astronote.accounts.models import Operator, User
from astronote.common.admin_lists import LargeTableAdmin

# Their pages would show the keys; second factors are each operator's own.
admin.site.unregister([StaticDevice, TOTPDevice])


class OperatorForm(ModelForm):  # type: ignore[type-arg]  # no generic at run time
    """An operator's address and role; the password is set by a link."""

    role = forms.ChoiceField(
        choices=[(role, roles.ROLE_LABELS[role]) for role in roles.ROLES],
        widget=UnfoldAdminSelectWidget,
        label=_("Role"),
    )

    class Meta:
        model = Operator
        fields = ("email",)
        widgets = {"email": UnfoldAdminEmailInputWidget}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["role"] = operators.highest_role_or_superuser_or_empty(self.instance)

    def clean_email(self) -> str:
        """Addresses are kept in lower case."""
        email: str = self.cleaned_data["email"].strip().lower()
        return email


@admin.register(Operator)
class OperatorAdmin(LargeTableAdmin):
    form = OperatorForm
    list_display = ["email", "role", "is_active", "last_login"]
    list_filter = ["is_active"]
    search_fields = ["email"]
    ordering = ("email",)
    change_form_outer_before_template = "astronote/account/operator.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Operator]:
        accounts: QuerySet[Operator] = super().get_queryset(request)
        return accounts.prefetch_related("groups")

    @admin.display(description=_("role"))
    def role(self, operator: Operator) -> str:
        role = operators.highest_role_or_superuser_or_empty(operator)
        return str(roles.ROLE_LABELS[role]) if role else gettext("none")

    def get_fields(self, request: HttpRequest, obj: Operator | None = None) -> list[str]:
        """Nobody changes their own role, and no role limits a superuser."""
        fixed = obj is not None and (obj.is_superuser or obj.pk == request.user.pk)
        return (
            ["email"]
            if fixed or not self.has_change_permission(request, obj)
            else [
                "email",
                "role",
            ]
        )

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        if "role" not in self.get_fields(request, obj):
            return super().get_form(request, obj, form=ModelForm, **kwargs)
        return super().get_form(request, obj, **kwargs)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Administrators manage operators, but only superusers other superusers."""
        allowed = super().has_change_permission(request, obj)
        return allowed and (
            obj is None or operators.may_change_operator_of_no_higher_rank(request.user, obj)
        )

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Nobody: what an operator did names the account. It is disabled instead."""
        return False

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.post_operator_action_view)
        return [
            path("<int:pk>/do/<str:action>/", view, name="astronote_operator_do"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        operator = self.get_object(request, object_id)
        context: dict[str, Any] = {}
        if operator and self.has_change_permission(request, operator):
            context = {
                "manages": True,
                "is_own": operator.pk == request.user.pk,
                "can_mail": password_links.can_mail(),
                "has_second_factor": second_factor.has_confirmed_authenticator_app(operator),
                "sessions": sessions.list_usable_sessions(operator, request.session.session_key),
            }
        page: HttpResponse = super().change_view(request, object_id, form_url, context)
        return page

    def save_model(
        self, request: HttpRequest, obj: Operator, form: ModelForm[Operator], change: bool
    ) -> None:
        """Create the account without a password, or change it; roles go by `operators`."""
        if not change:
            made = operators.create_operator_and_audit(
                obj.email, form.cleaned_data["role"], by=request.user
            )
            obj.__dict__.update(made.__dict__)
            return
        if "email" in form.changed_data:
            super().save_model(request, obj, form, change)
            operators.audit_address_change(obj, by=request.user)
        if "role" in form.changed_data:
            operators.change_role(obj, form.cleaned_data["role"], by=request.user)

    def response_add(
        self, request: HttpRequest, obj: Operator, post_url_continue: str | None = None
    ) -> HttpResponse:
        return self._mail_link_or_show_if_no_mail_set_up(request, obj)

    def post_operator_action_view(self, request: HttpRequest, pk: int, action: str) -> HttpResponse:
        """Do what a button of the operator's page says."""
        operator = get_object_or_404(Operator, pk=pk)
        if not self.has_change_permission(request, operator):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        by = User.objects.get(pk=request.user.pk)
        try:
            match action:
                case "link" if operator.is_active:
                    return self._mail_link_or_show_if_no_mail_set_up(request, operator)
                case "end-sessions":
                    chosen = request.POST.get("session", "")[:40] or None
                    operators.end_one_or_all_sessions_and_audit(
                        operator, by=by, only_public_id=chosen
                    )
                case "remove-second-factor":
                    second_factor.remove_all_factors_and_audit(operator, by=by)
                case "disable" | "enable":
                    operators.set_active(operator, action == "enable", by=by)
                case _:
                    raise Http404
        except ValidationError as error:
            messages.error(request, "; ".join(error.messages))
        else:
            messages.success(request, gettext("%(email)s: done") % {"email": operator.email})
        return redirect("admin:astronote_operator_change", pk)

    def _mail_link_or_show_if_no_mail_set_up(
        self, request: HttpRequest, operator: Operator
    ) -> HttpResponse:
        if password_links.can_mail():
            password_links.mail_password_link_in_background(operator, by=request.user)
            messages.success(
                request, gettext("A link is on its way to %(email)s.") % {"email": operator.email}
            )
            return redirect("admin:astronote_operator_change", operator.pk)
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("A link to set the password"),
            "account": operator,
            "link": password_links.make_password_link_and_audit(operator, by=request.user),
        }
        return TemplateResponse(request, "astronote/account/password_link.html", context)
