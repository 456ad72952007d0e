"""Refuses queries with a null character, which PostgreSQL cannot compare with a text."""

from __future__ import annotations

from collections.abc import Callable

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest


class NullCharacterGuard:
    """Middleware: 400 for a query with a null character, and 404 for such a page of the admin.

    Customers' pages explain a wrong address themselves, and forms refuse the character.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:  # noqa: D102
        query = request.META.get("QUERY_STRING", "")
        if "\0" in request.path_info and request.path_info.startswith("/admin/"):
            raise Http404("no page has such an address")
        if "%00" in query or "\0" in query:
            return HttpResponseBadRequest("The address holds a null character.")
        return self.get_response(request)
