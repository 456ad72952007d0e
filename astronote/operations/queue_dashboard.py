"""Restricts the queue dashboard to a permission, and answers when Redis is down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import FieldDoesNotExist, PermissionDenied
from django.db import ProgrammingError
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext
from django_rq import stats_views
from redis.exceptions import RedisError
from rq.exceptions import NoSuchJobError

from astronote.common import audit

PREFIX = "/admin/django_rq/"
PERMISSION = "django_rq.admin"
SHORTCUTS = "/admin/r/"  # to pages of rows, of the dashboard's model too, which has no table
# What the dashboard raises for jobs, workers, queues and rows that do not exist.
UNKNOWN_NAMES = (
    NoSuchJobError,
    ValueError,
    LookupError,
    ProgrammingError,
    FieldDoesNotExist,
)
# The dashboard asks for django-rq's own scheduler, which is not used here, without the socket, user
# and certificates of our address: it would try in vain for seconds.
stats_views.get_cron_schedulers = list


class QueueDashboardGuard:
    """Middleware: nobody without the permission may read jobs or empty queues.

    Otherwise its figures go to all staff, and to whoever has a token, of which there is none.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:  # noqa: D102
        response = self.get_response(request)
        if (
            request.method == "POST"
            and request.path.startswith(PREFIX)
            and response.status_code < 400
            and request.user.has_perm(PERMISSION)
        ):
            address = request.path.removeprefix(PREFIX)[:100].replace("\0", "")
            chosen = request.POST.get("action", "")[:20].replace("\0", "")
            audit.write_entry("queues changed", by=request.user, address=address, chosen=chosen)
        return response

    def process_view(self, request: HttpRequest, *_: Any) -> HttpResponse | None:
        """Refuse the dashboard to accounts without the permission; ask others to log in."""
        if not request.path.startswith(PREFIX) or request.user.has_perm(PERMISSION):
            return None
        if request.user.is_authenticated:
            raise PermissionDenied
        return redirect_to_login(request.get_full_path(), reverse("admin:login"))

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer 503 with an explanation if Redis cannot be reached, and 404 for unknown names."""
        if request.path.startswith((PREFIX, SHORTCUTS)) and isinstance(error, UNKNOWN_NAMES):
            return HttpResponse(
                gettext("There is no such thing."), status=404, content_type="text/plain"
            )
        if request.path.startswith(PREFIX) and isinstance(error, RedisError):
            return HttpResponse(
                gettext(
                    "Redis cannot be reached, so the queues cannot be shown. Nothing is lost:"
                    " waiting work is in PostgreSQL and is enqueued again once Redis is back."
                ),
                status=503,
                content_type="text/plain",
            )
        return None
