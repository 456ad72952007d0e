"""Login sessions: whose they are, how long they last, and ending them.

The rows are Django's own (its documented way of extending them), with the columns that a list of
an account's sessions shows. They repeat what the session's data say.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from django.conf import settings
from django.contrib.auth import SESSION_KEY as ACCOUNT_KEY
from django.contrib.auth import logout, user_logged_in
from django.contrib.sessions.backends.db import SessionStore as DatabaseSessionStore
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from astronote.accounts.models import User

USE_RECORDED_EVERY = 60  # seconds
STARTED, USED, ADDRESS, BROWSER = "started", "used", "address", "browser"


class Session(AbstractBaseSession):
    """A login of an operator. Its key is a secret: pages name a session by `public_id`."""

    account = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="sessions"
    )
    started_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(null=True)
    address = models.CharField(max_length=45, blank=True)
    browser = models.CharField(max_length=255, blank=True)

    class Meta(AbstractBaseSession.Meta):
        default_permissions = ()

    @property
    def public_id(self) -> str:
        """Names the session without giving it away."""
        return hashlib.sha256(self.session_key.encode()).hexdigest()[:20]

    @classmethod
    def get_session_store_class(cls) -> type[SessionStore]:
        """The class that reads and writes the rows."""
        return SessionStore


class SessionStore(DatabaseSessionStore):
    """Django's sessions in the database, with the columns of `Session`."""

    @classmethod
    def get_model_class(cls) -> type[Session]:
        """The model of the rows."""
        return Session

    def create_model_instance(self, data: Mapping[str, Any]) -> Session:
        """The row of these data."""
        session = cast("Session", super().create_model_instance(dict(data)))
        session.account_id = int(data[ACCOUNT_KEY]) if ACCOUNT_KEY in data else None
        session.started_at = _utc_time_of_epoch_or_none(data.get(STARTED))
        session.used_at = _utc_time_of_epoch_or_none(data.get(USED))
        session.address = data.get(ADDRESS, "")
        session.browser = data.get(BROWSER, "")
        return session


def _utc_time_of_epoch_or_none(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


@receiver(user_logged_in)
def note_login_in_session(request: HttpRequest, **_: Any) -> None:
    """Remember in a new session when and from where it was begun."""
    now = time.time()
    request.session.update(
        {
            STARTED: now,
            USED: now,
            ADDRESS: request.META.get("REMOTE_ADDR", "")[:45],
            BROWSER: request.META.get("HTTP_USER_AGENT", "")[:255].replace("\0", ""),
        }
    )


class SessionLimits:
    """Middleware: ends a session that was not used for SESSION_IDLE_MINUTES, or is too old.

    Pages that update themselves are no use of it. One whose session has ended is loaded again, so
    that it shows the login and not an old state.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:  # noqa: D102
        if not request.path_info.startswith("/admin/"):
            return self.get_response(request)
        is_polled = request.method == "GET" and request.headers.get("Sec-Fetch-Dest") == "empty"
        if ACCOUNT_KEY in request.session:
            now = time.time()
            used = request.session.get(USED, 0)
            too_old = now - request.session.get(STARTED, 0) > settings.SESSION_COOKIE_AGE
            if too_old or now - used > settings.SESSION_IDLE_MINUTES * 60:
                logout(request)
            elif not is_polled and now - used >= USE_RECORDED_EVERY:
                request.session[USED] = now
        if not request.user.is_authenticated and request.headers.get("HX-Request"):
            return HttpResponse(status=204, headers={"HX-Refresh": "true"})
        return self.get_response(request)


class ShownSession(NamedTuple):
    """A session as a page lists it."""

    public_id: str
    started_at: datetime | None
    used_at: datetime | None
    address: str
    browser: str
    is_own: bool


def list_usable_sessions(account: User, own_key: str | None = None) -> list[ShownSession]:
    """The account's sessions that can still be used, the newest first.

    Args:
        account: whose sessions.
        own_key: the key of the session that asks.
    """
    now = datetime.now(UTC)
    since = datetime.fromtimestamp(now.timestamp() - settings.SESSION_IDLE_MINUTES * 60, UTC)
    rows = Session.objects.filter(account=account, expire_date__gt=now, used_at__gt=since)
    return [
        ShownSession(
            row.public_id,
            row.started_at,
            row.used_at,
            row.address,
            row.browser,
            row.session_key == own_key,
        )
        for row in rows.order_by("-started_at")
    ]


def end_session(account: User, public_id: str) -> int:
    """End one session of the account; return how many were ended."""
    keys = [
        row.session_key
        for row in Session.objects.filter(account=account)
        if row.public_id == public_id
    ]
    return Session.objects.filter(session_key__in=keys).delete()[0]


def end_sessions(account: User, *, except_key: str | None = None) -> int:
    """End the account's sessions, except one; return how many."""
    rows = Session.objects.filter(account=account).exclude(session_key=except_key)
    return rows.delete()[0]
