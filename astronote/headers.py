"""The content security policy of pages that set none of their own."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

# Everything is served by us; the queue dashboard's own pages carry their scripts within.
POLICY = (
    "default-src 'self'; script-src 'self'{inline}; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'self';"
    " frame-ancestors 'none'"
)
DASHBOARD = "/admin/django_rq/"


class ContentSecurityPolicy:
    """Middleware that adds the header."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        inline = " 'unsafe-inline'" if request.path.startswith(DASHBOARD) else ""
        response.headers.setdefault("Content-Security-Policy", POLICY.format(inline=inline))
        return response
