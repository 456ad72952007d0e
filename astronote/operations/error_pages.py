"""What is shown for an address that does not exist, may not be opened, or fails.

Whoever is logged in sees the page within the admin, others by itself. The page of a failure is a
file that needs no database, Redis or request, since anything may have failed.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

# Both are answers to a person, so no word of them comes from an exception.
NOT_FOUND = _("There is no such page. The address may be mistyped, or what it showed was deleted.")
NOT_ALLOWED = _(
    "Your account may not open this page or take this action. An administrator gives roles."
)
FORM_EXPIRED = _(
    "The form was not accepted: it was open for too long, or cookies are switched off. Go back,"
    " load the page again and repeat what you did."
)


def not_found_view(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The page of status 404."""
    return _error_page_in_admin_frame_for_operators(
        request, HTTPStatus.NOT_FOUND, gettext("Page not found"), NOT_FOUND
    )


def not_allowed_view(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The page of status 403."""
    return _error_page_in_admin_frame_for_operators(
        request, HTTPStatus.FORBIDDEN, gettext("Not allowed"), NOT_ALLOWED
    )


def form_expired_view(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The page of a form without a valid token against requests from other sites."""
    return _error_page_in_admin_frame_for_operators(
        request, HTTPStatus.FORBIDDEN, gettext("Form not accepted"), FORM_EXPIRED
    )


def _error_page_in_admin_frame_for_operators(
    request: HttpRequest, status: HTTPStatus, title: str, text: StrPromise
) -> HttpResponse:
    context = {"title": title, "error_title": title, "error_text": text, "status": status.value}
    user = getattr(request, "user", None)
    template = "astronote/error.html"
    if user is not None and user.is_active and user.is_staff:
        context = {**admin.site.each_context(request), **context}
        template = "astronote/error_in_admin.html"
    response = render(request, template, context, status=status)
    add_never_cache_headers(response)  # browsers keep a 404 otherwise
    return response
