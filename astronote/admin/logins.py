"""Logins in the admin: those that succeeded, and those that failed, as django-axes records them."""

from __future__ import annotations

from typing import Any

from axes.models import AccessFailureLog, AccessLog
from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from astronote.accounts.second_factor import MANAGES_OPERATORS
from astronote.common.admin_lists import ReadOnlyAdmin


class LoginAdminForOperatorManagers(ReadOnlyAdmin):
    """For those who manage operators."""

    search_fields = ["=username", "=ip_address"]

    def has_view_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return bool(request.user.has_perm(MANAGES_OPERATORS))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)


@admin.register(AccessLog)
class SucceededLoginAdmin(LoginAdminForOperatorManagers):
    list_display = ["attempt_time", "username", "ip_address", "user_agent", "logout_time"]


@admin.register(AccessFailureLog)
class FailedLoginAdmin(LoginAdminForOperatorManagers):
    list_display = [
        "attempt_time",
        "username",
        "ip_address",
        "user_agent",
        "refused_while_locked_out",
    ]

    @admin.display(description=_("refused unread"), boolean=True)
    def refused_while_locked_out(self, failure: Any) -> bool:
        return bool(failure.locked_out)
