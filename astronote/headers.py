"""The content security policy of pages that set none of their own."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

# Everything is served by us. The admin's theme evaluates what its attributes say, and the queue
# dashboard's pages carry their scripts within; customers' pages have no script at all.
POLICY = (
    "default-src 'self'; script-src 'self'{more}; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'self';"
    " frame-ancestors 'none'"
)
MORE = {"/admin/django_rq/": " 'unsafe-inline' 'unsafe-eval'", "/admin/": " 'unsafe-eval'"}


class ContentSecurityPolicy:
    """Middleware that adds the header."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        more = next((MORE[prefix] for prefix in MORE if request.path.startswith(prefix)), "")
        response.headers.setdefault("Content-Security-Policy", POLICY.format(more=more))
        return response
