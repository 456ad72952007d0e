"""The page behind the short links in messages."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from campaigns import clicks

# Every visit reaches us, and the target does not learn the link, which identifies the message.
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}


@require_safe
def follow_link(request: HttpRequest, code: str) -> HttpResponse:
    """Redirect to the target of a short link and count the visit."""
    target = clicks.visit_link(
        code,
        user_agent=request.headers.get("User-Agent", ""),
        ip_address=request.META.get("REMOTE_ADDR") or None,
        is_visit=request.method == "GET",
    )
    if target is None:
        return render(request, "campaigns/no_such_link.html", status=404)
    return HttpResponse(status=302, headers=HEADERS | {"Location": target})
