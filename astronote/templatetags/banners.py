"""The banners that the apps registered, above every page of the admin."""

from __future__ import annotations

from typing import Any

from django import template

from astronote.operations import registry
from astronote.operations.home import PERMISSION

register = template.Library()


@register.inclusion_tag("astronote/banners.html", takes_context=True)
def banners(context: dict[str, Any], *, role: str = "alert") -> dict[str, Any]:
    """Show the notices of each banner, with its action to those who may do it.

    Args:
        context: of the page.
        role: none in a part of a page that replaces itself: a screen reader would read it aloud
            again each time.
    """
    request = context.get("request")
    if request is None or not request.user.has_perm(PERMISSION):
        return {"banners": []}
    return {
        "role": role,
        "banners": [
            {
                "text": notice.text,
                "url": notice.url,
                "action": banner.action if request.user.has_perm(banner.permission) else "",
            }
            for banner in registry.banners
            if not banner.is_for_alerts_only
            for notice in banner.notices()
        ],
    }
