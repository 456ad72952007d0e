"""The admin's sidebar, from the links that the apps registered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext

from astronote.operations import registry
from astronote.operations.registry import SidebarLink


def build_all_sidebar_sections(request: HttpRequest) -> list[dict[str, Any]]:
    """The sections in the order of their first link, as the theme's settings want them."""
    home = {"title": gettext("Home"), "icon": "home", "link": reverse("admin:index")}
    sections: dict[str, list[dict[str, Any]]] = {"": [home]}
    links = sorted(registry.sidebar_links, key=lambda link: link.order)
    addresses = [link.url if link.url.startswith("/") else reverse(link.url) for link in links]
    # Of all links whose pages lie below their address, the longest is that of the page.
    of_page = max(filter(request.path.startswith, addresses), key=len, default="")
    for link, address in zip(links, addresses, strict=True):
        entry = _sidebar_link_dict(link, address, request) | {"active": address == of_page}
        sections.setdefault(str(link.section), []).append(entry)
    return [
        {
            "title": title or None,
            "separator": bool(title),
            "collapsible": title == gettext("More"),
            "items": items,
        }
        for title, items in sections.items()
    ]


def _sidebar_link_dict(link: SidebarLink, address: str, request: HttpRequest) -> dict[str, Any]:
    count = link.count() if link.count and request.user.has_perm(link.permission) else 0
    return {
        "title": link.title,
        "icon": link.icon,
        "link": address + link.query,
        "permission": _build_permission_check(link.permission),
        "badge": count or None,
    }


def _build_permission_check(permission: str) -> Callable[[HttpRequest], bool]:
    return lambda request: request.user.has_perm(permission)
