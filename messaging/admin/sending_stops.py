"""Sending stops in the admin: why sending is stopped, and letting it go on."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext
from redis.exceptions import RedisError

from astronote.common.admin_lists import ReadOnlyAdmin
from messaging.database_age import stop_and_mark_unknown_after_restore
from messaging.models import SendingStop
from messaging.sending_stop import (
    PERMISSION,
    CannotGoOn,
    count_waiting_messages_and_credits,
    describe_stop,
    resume_sending,
)
from messaging.statuses import StopReason

LIST = "admin:messaging_sendingstop_changelist"


@admin.register(SendingStop)
class SendingStopAdmin(ReadOnlyAdmin):
    list_display = ["reason", "since", "by", "details"]
    ordering = ("since",)
    actions: list[str] = []

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """A stop ends by its own page only, which does what goes with it."""
        return False

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Why sending is stopped, what the next step does, and its button."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        stop = SendingStop.objects.filter(pk=object_id).first()
        if stop is None:
            raise Http404
        if request.method == "POST":
            if not request.user.has_perm(PERMISSION):
                raise PermissionDenied
            _declare_restored_or_go_on_and_show_message(request, StopReason(stop.reason))
            return redirect(LIST)
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Sending is stopped"),
            "opts": self.model._meta,
            "text": describe_stop(stop),
            "reason": stop.reason,
            "waiting": count_waiting_messages_and_credits(),
            "may_end": request.user.has_perm(PERMISSION),
        }
        return TemplateResponse(request, "messaging/sending_stop.html", context)


def _declare_restored_or_go_on_and_show_message(request: HttpRequest, reason: StopReason) -> None:
    """What `after_restore` does if the database is older, else let sending go on."""
    try:
        if reason == StopReason.DATABASE_OLDER:
            restored = stop_and_mark_unknown_after_restore(by=request.user)
            messages.success(
                request,
                restored.sentence,
            )
        else:
            resume_sending(reason, by=request.user)
            messages.success(request, gettext("Sending goes on."))
    except (CannotGoOn, RedisError) as error:
        messages.error(request, str(error))
