"""The content security policy of pages that set none themselves."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

# Everything is served by us. The admin's theme evaluates expressions in its attributes, and the
# queue dashboard has inline scripts. Customers' pages have no script.
POLICY = (
    "default-src 'self'; script-src 'self'{script_sources}; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'self';"
    " frame-ancestors 'none'"
)
SCRIPT_SOURCES = {
    "/admin/django_rq/": " 'unsafe-inline' 'unsafe-eval'",
    "/admin/": " 'unsafe-eval'",
}


class ContentSecurityPolicy:
    """Middleware that adds the header."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:  # noqa: D102
        response = self.get_response(request)
        sources = (
            source for prefix, source in SCRIPT_SOURCES.items() if request.path.startswith(prefix)
        )
        response.headers.setdefault(
            "Content-Security-Policy", POLICY.format(script_sources=next(sources, ""))
        )
        return response
