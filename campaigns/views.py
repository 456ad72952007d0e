"""Pages for those who got a message."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from campaigns import clicks

# The next site learns nothing of the link, and nobody keeps the answer in our stead.
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}


@require_safe
def follow_link(request: HttpRequest, code: str) -> HttpResponse:
    """Lead on to where the short link leads."""
    target = clicks.follow(
        code,
        agent=request.headers.get("User-Agent", ""),
        address=request.META.get("REMOTE_ADDR") or None,
        counts=request.method == "GET",
    )
    if target is None:
        return render(request, "campaigns/no_such_link.html", status=404)
    return HttpResponse(status=302, headers=HEADERS | {"Location": target})
